//! The database key, and the file `ayni.key` in which it lies wrapped.
//!
//! The key is random and never changes; what changes is what wraps it: a passphrase (through Argon2id) or a key file kept
//! outside the folder. The file is text, so that a person can see which:
//!
//! ```text
//! ayni database key 1
//! database 6f1c…                                   16 bytes: names the key file and is no secret
//! lock passphrase argon2id 65536 3 1 8a02…         KiB, passes, lanes, 16 bytes of salt
//! sealed 77d3…                                     the 48 bytes under AES-256-GCM-SIV, the lines above authenticated
//! check 1b9e…                                      BLAKE3 of all above: tells damage from a wrong passphrase
//! ```

use aes_gcm_siv::aead::{Aead, KeyInit, Payload};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use argon2::{Algorithm, Argon2, Params, Version};
use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

use crate::error::KeyError;

/// What encrypts the database: 32 bytes of key and the 16 bytes of salt that SQLCipher keeps at the start of its file.
#[derive(Clone)]
pub struct DatabaseKey(Zeroizing<[u8; 48]>);

impl std::fmt::Debug for DatabaseKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DatabaseKey(…)")
    }
}

impl DatabaseKey {
    /// A new key of 48 bytes from a cryptographic random generator.
    pub fn from_random(random: [u8; 48]) -> Self {
        Self(Zeroizing::new(random))
    }

    /// As SQLCipher takes a raw key with its salt: `x'<64 hex><32 hex>'`.
    pub(crate) fn pragma_text(&self) -> Zeroizing<String> {
        let hex = Zeroizing::new(HEXLOWER.encode(self.0.as_slice()));
        Zeroizing::new(format!("x'{}'", hex.as_str()))
    }
}

/// What opens a database.
#[derive(Clone, Copy)]
pub(crate) enum Lock<'a> {
    /// Words that a person knows, taken as their UTF-8 bytes.
    Passphrase(&'a str),
    /// 32 random bytes, kept outside the folder.
    KeyFile(&'a [u8; 32]),
}

/// Which kind of lock a database has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockKind {
    /// It asks for a passphrase.
    Passphrase,
    /// It looks for its key file.
    KeyFile,
}

/// How much work a guess at a passphrase costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hardness {
    /// KiB of memory.
    pub memory: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Hardness {
    /// 64 MiB, 3 passes, 1 lane: above OWASP's least (19 MiB, 2 passes), about 0.15 s on a small machine.
    pub const STANDARD: Self = Self { memory: 64 << 10, passes: 3, lanes: 1 };
    /// Nothing beyond this is tried: a tampered file must not exhaust the machine.
    const MOST: Self = Self { memory: 1 << 20, passes: 64, lanes: 16 };

    fn is_bounded(self) -> bool {
        self.memory <= Self::MOST.memory && self.passes <= Self::MOST.passes && self.lanes <= Self::MOST.lanes
    }
}

const TITLE: &str = "ayni database key ";
const VERSION: u32 = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Passphrase(Hardness),
    KeyFile,
}

/// The wrapped key as `ayni.key` holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WrappedKey {
    pub(crate) database: [u8; 16],
    method: Method,
    salt: [u8; 16],
    sealed: Vec<u8>,
}

impl WrappedKey {
    /// Wraps `key`; `salt` is 16 random bytes never used before.
    pub(crate) fn wrap(
        key: &DatabaseKey,
        database: [u8; 16],
        lock: Lock<'_>,
        hardness: Hardness,
        salt: [u8; 16],
    ) -> Result<Self, KeyError> {
        let method = match lock {
            Lock::Passphrase(_) => Method::Passphrase(hardness),
            Lock::KeyFile(_) => Method::KeyFile,
        };
        let mut wrapped = Self { database, method, salt, sealed: Vec::new() };
        let lead = wrapped.lead();
        let payload = Payload { msg: key.0.as_slice(), aad: lead.as_bytes() };
        // The wrapping key is new with every salt and seals this once, so the nonce may be fixed.
        wrapped.sealed =
            wrapped.cipher(lock)?.encrypt(&Nonce::default(), payload).map_err(|_| KeyError::Damaged("its cipher"))?;
        Ok(wrapped)
    }

    /// The key inside.
    pub(crate) fn unwrap(&self, lock: Lock<'_>) -> Result<DatabaseKey, KeyError> {
        let wrong = match lock {
            Lock::Passphrase(_) => KeyError::WrongPassphrase,
            Lock::KeyFile(_) => KeyError::WrongKeyFile,
        };
        if !matches!(
            (lock, self.kind()),
            (Lock::Passphrase(_), LockKind::Passphrase) | (Lock::KeyFile(_), LockKind::KeyFile)
        ) {
            return Err(KeyError::OtherLock(self.kind()));
        }
        let lead = self.lead();
        let payload = Payload { msg: &self.sealed, aad: lead.as_bytes() };
        let Ok(plain) = self.cipher(lock)?.decrypt(&Nonce::default(), payload).map(Zeroizing::new) else {
            return Err(wrong);
        };
        let bytes: [u8; 48] = plain.as_slice().try_into().map_err(|_| KeyError::Damaged("the sealed key"))?;
        Ok(DatabaseKey::from_random(bytes))
    }

    /// Which kind of lock it has.
    pub(crate) fn kind(&self) -> LockKind {
        match self.method {
            Method::Passphrase(_) => LockKind::Passphrase,
            Method::KeyFile => LockKind::KeyFile,
        }
    }

    fn cipher(&self, lock: Lock<'_>) -> Result<Aes256GcmSiv, KeyError> {
        let mut key = Zeroizing::new([0u8; 32]);
        match (lock, self.method) {
            (Lock::Passphrase(words), Method::Passphrase(hardness)) => {
                let params = Params::new(hardness.memory, hardness.passes, hardness.lanes, Some(32))
                    .map_err(|_| KeyError::Damaged("the passphrase's parameters"))?;
                Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                    .hash_password_into(words.as_bytes(), &self.salt, key.as_mut_slice())
                    .map_err(|_| KeyError::Damaged("the passphrase's parameters"))?;
            }
            (Lock::KeyFile(file), Method::KeyFile) => {
                let mut hasher = blake3::Hasher::new_derive_key("ayni v1 key file");
                hasher.update(file);
                hasher.update(&self.salt);
                hasher.finalize_xof().fill(key.as_mut_slice());
            }
            _ => return Err(KeyError::OtherLock(self.kind())),
        }
        Aes256GcmSiv::new_from_slice(key.as_slice()).map_err(|_| KeyError::Damaged("its cipher"))
    }

    /// The lines that sealing authenticates.
    fn lead(&self) -> String {
        let lock = match self.method {
            Method::Passphrase(Hardness { memory, passes, lanes }) => {
                format!("passphrase argon2id {memory} {passes} {lanes}")
            }
            Method::KeyFile => "keyfile".to_owned(),
        };
        format!(
            "{TITLE}{VERSION}\ndatabase {}\nlock {lock} {}\n",
            HEXLOWER.encode(&self.database),
            HEXLOWER.encode(&self.salt)
        )
    }

    /// The text of the file.
    pub(crate) fn encode(&self) -> String {
        let body = format!("{}sealed {}\n", self.lead(), HEXLOWER.encode(&self.sealed));
        format!("{body}check {}\n", check(&body))
    }

    /// Reads the text of the file.
    pub(crate) fn decode(text: &str) -> Result<Self, KeyError> {
        let version = text.lines().next().and_then(|line| line.strip_prefix(TITLE));
        let version: u32 = version.and_then(|number| number.parse().ok()).ok_or(KeyError::Damaged("its first line"))?;
        if version > VERSION {
            return Err(KeyError::Newer { version, known: VERSION });
        }
        let (body, sum) = text.rsplit_once("check ").ok_or(KeyError::Damaged("its end"))?;
        if sum.strip_suffix('\n') != Some(check(body).as_str()) {
            return Err(KeyError::Damaged("its check line"));
        }
        let mut lines = body.lines().skip(1);
        let mut line = |word: &'static str| {
            let line = lines.next().and_then(|line| line.strip_prefix(word)).and_then(|rest| rest.strip_prefix(' '));
            line.ok_or(KeyError::Damaged(word))
        };
        let database = bytes(line("database")?).ok_or(KeyError::Damaged("database"))?;
        let words: Vec<&str> = line("lock")?.split(' ').collect();
        let (method, salt) = match words.as_slice() {
            ["keyfile", salt] => (Method::KeyFile, salt),
            ["passphrase", "argon2id", memory, passes, lanes, salt] => {
                let number = |text: &str| text.parse::<u32>().map_err(|_| KeyError::Damaged("lock"));
                let hardness = Hardness { memory: number(memory)?, passes: number(passes)?, lanes: number(lanes)? };
                if !hardness.is_bounded() {
                    return Err(KeyError::Damaged("the passphrase's parameters"));
                }
                (Method::Passphrase(hardness), salt)
            }
            _ => return Err(KeyError::Damaged("lock")),
        };
        let salt = bytes(salt).ok_or(KeyError::Damaged("lock"))?;
        let sealed: [u8; 64] = bytes(line("sealed")?).ok_or(KeyError::Damaged("sealed"))?;
        Ok(Self { database, method, salt, sealed: sealed.to_vec() })
    }
}

fn check(body: &str) -> String {
    let hex = blake3::hash(body.as_bytes()).to_hex();
    hex.chars().take(16).collect()
}

fn bytes<const N: usize>(hex: &str) -> Option<[u8; N]> {
    HEXLOWER.decode(hex.as_bytes()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Hardness = Hardness { memory: 64, passes: 1, lanes: 1 };

    fn key() -> DatabaseKey {
        DatabaseKey::from_random([7; 48])
    }

    #[test]
    fn a_wrapped_key_opens_with_its_passphrase_and_with_no_other() {
        let wrapped = WrappedKey::wrap(&key(), [1; 16], Lock::Passphrase("open sesame"), QUICK, [2; 16]).unwrap();
        let read = WrappedKey::decode(&wrapped.encode()).unwrap();
        assert_eq!(read, wrapped);
        assert_eq!(*read.unwrap(Lock::Passphrase("open sesame")).unwrap().0, [7; 48]);
        assert!(matches!(read.unwrap(Lock::Passphrase("open sesam")), Err(KeyError::WrongPassphrase)));
        assert!(matches!(read.unwrap(Lock::KeyFile(&[0; 32])), Err(KeyError::OtherLock(LockKind::Passphrase))));
    }

    #[test]
    fn a_passphrase_is_made_as_hard_as_the_file_says() {
        // Written with numbers that no program would choose today.
        let frozen = "ayni database key 1\n\
            database 01010101010101010101010101010101\n\
            lock passphrase argon2id 64 1 1 02020202020202020202020202020202\n\
            sealed 673083b9725f8ac3ff165456314959a88e13b0431184f3c0d25ee0936a5896990c9f00106aa5b02053c0e897d1e69a72d3da4a672c0d0218c2ac460c34a7ff1b\n\
            check 0af0ffa8005157d7\n";
        let read = WrappedKey::decode(frozen).unwrap();
        assert_eq!(*read.unwrap(Lock::Passphrase("open sesame")).unwrap().0, [7; 48]);
    }

    #[test]
    fn a_wrapped_key_opens_with_its_key_file_and_with_no_other() {
        let wrapped = WrappedKey::wrap(&key(), [1; 16], Lock::KeyFile(&[9; 32]), QUICK, [2; 16]).unwrap();
        let read = WrappedKey::decode(&wrapped.encode()).unwrap();
        assert_eq!(*read.unwrap(Lock::KeyFile(&[9; 32])).unwrap().0, [7; 48]);
        assert!(matches!(read.unwrap(Lock::KeyFile(&[8; 32])), Err(KeyError::WrongKeyFile)));
    }

    #[test]
    fn any_damaged_byte_is_called_damage_and_never_a_wrong_passphrase() {
        let text = WrappedKey::wrap(&key(), [1; 16], Lock::Passphrase("x"), QUICK, [2; 16]).unwrap().encode();
        for place in TITLE.len() + 1..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[place] = if bytes[place] == b'0' { b'1' } else { b'0' };
            let damaged = String::from_utf8(bytes).unwrap();
            assert!(
                matches!(WrappedKey::decode(&damaged), Err(KeyError::Damaged(_) | KeyError::Newer { .. })),
                "{place}"
            );
        }
        for cut in 0..text.len() {
            assert!(WrappedKey::decode(&text[..cut]).is_err());
        }
    }

    #[test]
    fn a_newer_version_is_named_as_such() {
        let text = "ayni database key 2\nsomething else\n";
        assert!(matches!(WrappedKey::decode(text), Err(KeyError::Newer { version: 2, known: 1 })));
    }

    #[test]
    fn version_1_of_the_file_stays_readable() {
        let frozen = include_str!("../tests/frozen/ayni.key.v1");
        let read = WrappedKey::decode(frozen).unwrap();
        assert_eq!(*read.unwrap(Lock::Passphrase("correct horse battery staple")).unwrap().0, [0x2a; 48]);
    }

    #[test]
    fn parameters_beyond_all_measure_are_refused_before_any_memory_is_taken() {
        let hardness = Hardness { memory: u32::MAX, passes: 1, lanes: 1 };
        let wrapped =
            WrappedKey { database: [0; 16], method: Method::Passphrase(hardness), salt: [0; 16], sealed: vec![0; 64] };
        assert!(matches!(WrappedKey::decode(&wrapped.encode()), Err(KeyError::Damaged(_))));
    }
}
