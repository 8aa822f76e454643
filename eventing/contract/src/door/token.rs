//! The bearer token, which can be replaced while the platform runs.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use subtle::{Choice, ConstantTimeEq as _};

/// What a caller must present. Clones share it, so a door asks for the new one as soon as one of
/// them is [replaced](Self::replace).
#[derive(Clone)]
pub struct Token(Arc<RwLock<Good>>);

/// The tokens that are taken now.
struct Good {
    current: String,
    former: Vec<Former>,
}

/// A token that was replaced.
struct Former {
    token: String,
    until: Instant,
}

impl From<String> for Token {
    fn from(token: String) -> Self {
        Self(Arc::new(RwLock::new(Good {
            current: token,
            former: Vec::new(),
        })))
    }
}

impl From<&str> for Token {
    fn from(token: &str) -> Self {
        Self::from(token.to_owned())
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Token")
    }
}

impl Token {
    /// Asks for another token from now on. The one before is taken for `overlap` longer, so that
    /// callers may learn of the new one in their own time. `false`: it is asked for already.
    #[must_use]
    pub fn replace(&self, token: String, overlap: Duration) -> bool {
        self.replace_at(Instant::now(), token, overlap)
    }

    fn replace_at(&self, now: Instant, token: String, overlap: Duration) -> bool {
        let mut good = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if good.current == token {
            return false;
        }
        good.former
            .retain(|former| former.until > now && former.token != token);
        let former = std::mem::replace(&mut good.current, token);
        good.former.push(Former {
            token: former,
            until: now + overlap,
        });
        true
    }

    /// Whether this is it. How long that takes says nothing of how much of it is right.
    #[must_use]
    pub fn is(&self, sent: &str) -> bool {
        self.is_at(Instant::now(), sent)
    }

    fn is_at(&self, now: Instant, sent: &str) -> bool {
        let good = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let former = good.former.iter().filter(|former| former.until > now);
        let tokens = former.map(|former| &former.token).chain([&good.current]);
        // An empty token would let in whoever sends none.
        let mut same = Choice::from(0);
        for token in tokens.filter(|token| !token.is_empty()) {
            same |= sent.as_bytes().ct_eq(token.as_bytes());
        }
        same.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OVERLAP: Duration = Duration::from_secs(60);

    #[test]
    fn the_former_token_is_good_for_the_overlap() {
        let token = Token::from("old");
        let shared = token.clone();
        let now = Instant::now();
        assert!(shared.replace_at(now, "new".to_owned(), OVERLAP));
        assert!(!shared.replace_at(now, "new".to_owned(), OVERLAP));
        for (after, old, new) in [(0, true, true), (59, true, true), (60, false, true)] {
            let then = now + Duration::from_secs(after);
            assert_eq!(token.is_at(then, "old"), old, "{after}");
            assert_eq!(token.is_at(then, "new"), new, "{after}");
            assert!(!token.is_at(then, "other") && !token.is_at(then, ""));
        }
    }

    #[test]
    fn each_former_token_has_its_own_time() {
        let token = Token::from("a");
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(token.replace_at(at(0), "b".to_owned(), OVERLAP));
        assert!(token.replace_at(at(30), "c".to_owned(), OVERLAP));
        assert!(token.is_at(at(59), "a"));
        assert!(!token.is_at(at(60), "a"));
        assert!(token.is_at(at(89), "b"));
        // Back again: it does not run out with its former time.
        assert!(token.replace_at(at(70), "b".to_owned(), OVERLAP));
        assert!(token.is_at(at(500), "b") && !token.is_at(at(500), "c"));
    }

    #[test]
    fn an_overlap_of_nothing_ends_at_once() {
        let token = Token::from("old");
        let now = Instant::now();
        assert!(token.replace_at(now, "new".to_owned(), Duration::ZERO));
        assert!(!token.is_at(now, "old"));
    }

    #[test]
    fn an_empty_token_lets_nobody_in() {
        assert!(!Token::from("").is(""));
    }
}
