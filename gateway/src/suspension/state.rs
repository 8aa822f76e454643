//! `requestState`: what a modern client carries from an `input_required` result to its retry.
//!
//! It is the task, its round and a MAC over both, over who asked, and over what was asked, so that
//! it is of no use when it was altered, to anybody else, or for another request (2026-07-28,
//! "Multi Round-Trip Requests": server requirements). The state itself stays with the broker.

use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dormouse_broker::TaskId;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Version of the layout, the first byte.
const VERSION: u8 = 1;
const MAC: usize = 16;
const LENGTH: usize = 1 + 16 + 4 + MAC;

/// The keys of the seal: the first one seals, all of them open. Clones share them.
#[derive(Clone)]
pub struct Keys(Arc<RwLock<Arc<[[u8; 32]]>>>);

impl std::fmt::Debug for Keys {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Keys({})", self.all().len())
    }
}

impl Keys {
    /// These keys, the newest first.
    #[must_use]
    pub fn new(newest: [u8; 32], older: impl IntoIterator<Item = [u8; 32]>) -> Self {
        let all: Arc<[_]> = std::iter::once(newest).chain(older).collect();
        Self(Arc::new(RwLock::new(all)))
    }

    /// Uses these from now on, here and in every clone.
    pub fn replace(&self, keys: &Self) {
        let all = keys.all();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = all;
    }

    fn all(&self) -> Arc<[[u8; 32]]> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A key that nobody else has and that is gone with the process: for tests.
    #[must_use]
    pub fn random() -> Self {
        Self::new(rand::random(), [])
    }
}

/// Whose state it is, and of which request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner<'a> {
    /// Who asked.
    pub principal: &'a str,
    /// The MCP method.
    pub method: &'a str,
    /// The pool's capability.
    pub capability: &'a str,
    /// SHA-256 of what was asked for: see [`digest_of`](super::asks::digest_of).
    pub digest: &'a [u8; 32],
}

/// A round of a suspended task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Round {
    /// The task.
    pub task: TaskId,
    /// Which of its rounds asked.
    pub round: u32,
}

impl Keys {
    /// The text that a client carries.
    pub(crate) fn seal(&self, round: Round, owner: Owner<'_>) -> String {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.push(VERSION);
        bytes.extend(round.task.as_bytes());
        bytes.extend(round.round.to_be_bytes());
        let mac = match self.all().first() {
            Some(key) => mac(key, &bytes, owner).finalize().into_bytes(),
            None => return String::new(),
        };
        bytes.extend(&mac[..MAC]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The round that a text names; `None` when it was not sealed for this owner.
    pub(crate) fn open(&self, text: &str, owner: Owner<'_>) -> Option<Round> {
        let bytes: [u8; LENGTH] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (said, told) = bytes.split_at(LENGTH - MAC);
        let genuine = self
            .all()
            .iter()
            .any(|key| mac(key, said, owner).verify_truncated_left(told).is_ok());
        (genuine && said[0] == VERSION).then_some(())?;
        Some(Round {
            task: TaskId::from_bytes(said[1..17].try_into().ok()?),
            round: u32::from_be_bytes(said[17..].try_into().ok()?),
        })
    }
}

fn mac(key: &[u8; 32], said: &[u8], owner: Owner<'_>) -> Hmac<Sha256> {
    // HMAC fills a key up to the hash's block with zeros (RFC 2104, section 2).
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(said);
    for part in [owner.principal, owner.method, owner.capability] {
        // With its length, so that no two owners read the same.
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    mac.update(owner.digest);
    mac
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DIGEST: [u8; 32] = [7; 32];

    fn owner(principal: &str) -> Owner<'_> {
        Owner {
            principal,
            method: "tools/call",
            capability: "quiz",
            digest: &DIGEST,
        }
    }

    fn round() -> Round {
        Round {
            task: TaskId::new(),
            round: 3,
        }
    }

    #[test]
    fn a_state_opens_for_its_owner_and_request_alone() {
        let (keys, round) = (Keys::random(), round());
        let text = keys.seal(round, owner("a"));
        assert_eq!(keys.open(&text, owner("a")), Some(round));
        assert_eq!(keys.open(&text, owner("b")), None);
        let other = Owner {
            capability: "exam",
            ..owner("a")
        };
        assert_eq!(keys.open(&text, other), None);
        let other = Owner {
            method: "prompts/get",
            ..owner("a")
        };
        assert_eq!(keys.open(&text, other), None);
        let other = Owner {
            digest: &[8; 32],
            ..owner("a")
        };
        assert_eq!(keys.open(&text, other), None);
        assert_eq!(Keys::random().open(&text, owner("a")), None);
    }

    #[test]
    fn an_older_key_still_opens() {
        let (old, round) = ([1; 32], round());
        let text = Keys::new(old, []).seal(round, owner("a"));
        let rotated = Keys::new([2; 32], [old]);
        assert_eq!(rotated.open(&text, owner("a")), Some(round));
        assert_ne!(rotated.seal(round, owner("a")), text);
    }

    #[test]
    fn keys_are_not_shown() {
        assert_eq!(format!("{:?}", Keys::random()), "Keys(1)");
    }

    proptest! {
        #[test]
        fn what_was_altered_does_not_open(place in 0..60_usize, by in "[A-Za-z0-9_=-]{0,3}") {
            let keys = Keys::random();
            let text = keys.seal(round(), owner("a"));
            let place = place.min(text.len());
            let altered = format!("{}{by}{}", &text[..place], text.get(place + 1..).unwrap_or(""));
            if altered != text {
                prop_assert_eq!(keys.open(&altered, owner("a")), None);
            }
        }

        #[test]
        fn rubbish_does_not_open(text in ".{0,80}") {
            prop_assert_eq!(Keys::random().open(&text, owner("a")), None);
        }
    }
}
