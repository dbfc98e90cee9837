//! The recovery key: 24 words that stand above every device of a project.

use std::fmt;

use bip39::{Language, Mnemonic};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::sign::DeviceSecret;

/// The recovery key of a project, shown once at founding. Like a device it signs and is sealed to.
#[derive(Clone)]
pub struct RecoveryKey {
    entropy: Zeroizing<[u8; 32]>,
}

/// Words that are no recovery key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecoveryWordsError {
    /// Too few or too many.
    #[error("a recovery key has 24 words, these are {0}")]
    Count(usize),
    /// A word that is not on the list.
    #[error("word {position}, {word:?}, is not on the list: check its spelling")]
    Word {
        /// Which word, from 1.
        position: usize,
        /// What was written.
        word: String,
    },
    /// All words are on the list, and together they are no key.
    #[error("the words do not fit together: one of them is another word, or two changed places")]
    Checksum,
}

impl RecoveryKey {
    /// The key that 32 random bytes make.
    pub fn from_random(random: [u8; 32]) -> Self {
        Self { entropy: Zeroizing::new(random) }
    }

    /// The 24 words (BIP 39, English), separated by single spaces.
    #[expect(clippy::expect_used, reason = "the length is fixed")]
    pub fn words(&self) -> Zeroizing<String> {
        let words = Mnemonic::from_entropy_in(Language::English, self.entropy.as_slice());
        Zeroizing::new(words.expect("32 bytes are 24 words").to_string())
    }

    /// Reads the words as people write them: any case, any space between them, numbers before them ignored.
    ///
    /// # Errors
    /// [`RecoveryWordsError`] says which word is wrong.
    pub fn from_words(text: &str) -> Result<Self, RecoveryWordsError> {
        let lower = Zeroizing::new(text.to_lowercase());
        let words: Vec<&str> = lower.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).collect();
        if words.len() != 24 {
            return Err(RecoveryWordsError::Count(words.len()));
        }
        for (position, word) in (1..).zip(&words) {
            if Language::English.find_word(word).is_none() {
                return Err(RecoveryWordsError::Word { position, word: word.chars().take(40).collect() });
            }
        }
        let joined = Zeroizing::new(words.join(" "));
        let parsed =
            Mnemonic::parse_in_normalized(Language::English, &joined).map_err(|_| RecoveryWordsError::Checksum)?;
        let entropy = Zeroizing::new(parsed.to_entropy());
        let entropy: [u8; 32] = entropy.as_slice().try_into().map_err(|_| RecoveryWordsError::Checksum)?;
        Ok(Self { entropy: Zeroizing::new(entropy) })
    }

    /// What it signs and opens with: the device of the seed `BLAKE3-derive("ayni v1 recovery key", the words' 32 bytes)`.
    pub fn secret(&self) -> DeviceSecret {
        let seed = Zeroizing::new(blake3::derive_key("ayni v1 recovery key", self.entropy.as_slice()));
        DeviceSecret::from_seed(&seed)
    }
}

impl fmt::Debug for RecoveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryKey(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_give_the_key_back_however_they_are_written() {
        let key = RecoveryKey::from_random([0x5a; 32]);
        let words = key.words();
        let written: String =
            (1..).zip(words.split(' ')).map(|(n, word)| format!("{n}. {}\n", word.to_uppercase())).collect();
        assert_eq!(words.split(' ').count(), 24);
        assert_eq!(RecoveryKey::from_words(&written).unwrap().secret().id(), key.secret().id());
    }

    #[test]
    fn a_wrong_word_is_named() {
        let words = RecoveryKey::from_random([0x5a; 32]).words();
        let mut list: Vec<&str> = words.split(' ').collect();
        list[6] = "ayllu";
        let error = RecoveryKey::from_words(&list.join(" ")).unwrap_err();
        assert_eq!(error, RecoveryWordsError::Word { position: 7, word: "ayllu".into() });
        list.pop();
        assert_eq!(RecoveryKey::from_words(&list.join(" ")).unwrap_err(), RecoveryWordsError::Count(23));
        let zeros = RecoveryKey::from_random([0; 32]).words();
        let swapped = zeros.replacen("art", "zoo", 1);
        assert_eq!(RecoveryKey::from_words(&swapped).unwrap_err(), RecoveryWordsError::Checksum);
    }
}
