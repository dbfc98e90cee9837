//! What somebody hears whom nobody let in, byte by byte: that a device is there, and nothing of any project.

use std::collections::BTreeSet;

use ayni_sync::message::Message;
use ayni_sync::tag::Tag;

use crate::broken::{Broken, Promise};

/// A frame's head: the length of what follows, and the type.
const HEAD: usize = 5;
/// Bytes that one conversation may say to a stranger: hello, a few pings, a reason for the end.
const MOST: usize = 1 << 10;
/// Tags in a hello, padding included, of a device with one project or none.
const TAGS: usize = 4;

/// What came by one wire.
#[derive(Debug, Default)]
pub(crate) struct Overheard {
    bytes: Vec<u8>,
    read: usize,
}

/// Tags that were said to strangers: one that comes twice would tell that a project is the same.
pub(crate) type Tags = BTreeSet<Tag>;

impl Overheard {
    /// More came; `secrets` are bytes that must not be anywhere in it.
    pub(crate) fn hear(&mut self, bytes: &[u8], secrets: &[Vec<u8>], tags: &mut Tags) -> Result<(), Broken> {
        self.bytes.extend(bytes);
        if self.bytes.len() > MOST {
            return uninvited(format!("a stranger was told {} bytes", self.bytes.len()));
        }
        if secrets.iter().any(|secret| self.bytes.windows(secret.len()).any(|window| window == secret)) {
            return uninvited("a stranger was told a name or an id".into());
        }
        while let Some(head) = self.bytes[self.read..].first_chunk::<HEAD>() {
            let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize + HEAD - 1;
            let Some(frame) = self.bytes[self.read..].get(..length) else { break };
            self.read += length;
            match Message::decode(frame[HEAD - 1], &frame[HEAD..]) {
                Ok(Some(Message::Hello(hello))) if hello.tags.len() == TAGS => {
                    if hello.tags.into_iter().any(|tag| !tags.insert(tag)) {
                        return uninvited("a stranger was told the same tag twice".into());
                    }
                }
                Ok(Some(Message::Ping | Message::Goodbye | Message::Close { .. })) => {}
                other => return uninvited(format!("a stranger was told {other:?}")),
            }
        }
        Ok(())
    }
}

fn uninvited(what: String) -> Result<(), Broken> {
    Broken::that(Promise::Uninvited, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_may_hear_pings_and_nothing_of_a_project() {
        let hear = |bytes: &[u8]| Overheard::default().hear(bytes, &[b"Mapa".to_vec()], &mut Tags::new());
        assert_eq!(hear(&Message::Ping.encode()), Ok(()));
        assert!(hear(&Message::Plan { project: 0, entries: 1, bytes: 1 }.encode()).is_err());
        assert!(hear(&Message::Close { code: 9, text: "of Mapa".into() }.encode()).is_err());
        assert!(hear(&Message::Ping.encode().repeat(1_000)).is_err());
    }
}
