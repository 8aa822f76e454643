//! A webhook's JSON body, looked into by JSON pointers and kept to the letter.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

/// The body is no JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the body is not JSON: {0}")]
pub struct NotJson(String);

/// The way to a value in JSON (RFC 6901): `/order/id`; empty for the whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer(String);

impl Pointer {
    /// The pointer as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Pointer {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let escapes = text.split('~').skip(1);
        let is_whole = text.is_empty() || text.starts_with('/');
        if is_whole && escapes.into_iter().all(|rest| rest.starts_with(['0', '1'])) {
            return Ok(Self(text));
        }
        Err(de::Error::custom(format!(
            "`{}` is no JSON pointer (RFC 6901): write `/order/id`, with `~1` for a `/` and `~0` for \
             a `~` in a name",
            text.escape_debug()
        )))
    }
}

/// A body that is JSON.
pub(crate) struct Body<'a> {
    bytes: &'a Bytes,
    root: &'a RawValue,
}

impl<'a> Body<'a> {
    pub(crate) fn parse(bytes: &'a Bytes) -> Result<Self, NotJson> {
        let root = serde_json::from_slice(bytes).map_err(|error| NotJson(error.to_string()))?;
        Ok(Self { bytes, root })
    }

    /// The value there as a text: a string's, or the digits of a number, `true` or `false`.
    /// `None` where nothing is, or null, an object or a list.
    pub(crate) fn text(&self, pointer: &str) -> Option<String> {
        let raw = self.at(pointer)?.get();
        match raw.as_bytes().first()? {
            b'"' => serde_json::from_str(raw).ok(),
            b'{' | b'[' | b'n' => None,
            _ => Some(raw.to_owned()),
        }
    }

    /// The bytes of the value there, without copying them.
    pub(crate) fn bytes(&self, pointer: &str) -> Option<Bytes> {
        let raw = self.at(pointer)?;
        Some(self.bytes.slice_ref(raw.get().as_bytes()))
    }

    fn at(&self, pointer: &str) -> Option<&'a RawValue> {
        let mut at = self.root;
        for step in pointer.split('/').skip(1) {
            let step = unescaped(step);
            at = match at.get().as_bytes().first()? {
                b'{' => {
                    let mut members: HashMap<Cow<'_, str>, &RawValue> =
                        serde_json::from_str(at.get()).ok()?;
                    members.remove(&*step)?
                }
                b'[' => {
                    let elements: Vec<&RawValue> = serde_json::from_str(at.get()).ok()?;
                    *elements.get(step.parse::<usize>().ok()?)?
                }
                _ => return None,
            };
        }
        Some(at)
    }
}

fn unescaped(step: &str) -> Cow<'_, str> {
    match step.contains('~') {
        true => step.replace("~1", "/").replace("~0", "~").into(),
        false => step.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"a": {"b/c": [1.50, "zwei\u00e9", null, {"d": true}]}, "~": 7, "": 0}"#;

    #[test]
    fn pointers_lead_where_rfc_6901_says() {
        let bytes = Bytes::from_static(BODY.as_bytes());
        let body = Body::parse(&bytes).unwrap();
        for (pointer, text) in [
            ("/a/b~1c/0", Some("1.50")),
            ("/a/b~1c/1", Some("zweié")),
            ("/a/b~1c/2", None),
            ("/a/b~1c/3/d", Some("true")),
            ("/a/b~1c/4", None),
            ("/a/b~1c/x", None),
            ("/~0", Some("7")),
            ("/", Some("0")),
            ("/a", None),
            ("/a/b", None),
            ("/~0/x", None),
            ("", None),
        ] {
            assert_eq!(body.text(pointer).as_deref(), text, "{pointer}");
        }
        assert_eq!(body.bytes("/a/b~1c/3").unwrap(), r#"{"d": true}"#);
        assert_eq!(body.bytes("").unwrap(), BODY);
        assert!(Body::parse(&Bytes::from_static(b"{")).is_err());
    }

    #[test]
    fn what_is_no_pointer_is_said() {
        for (text, is_good) in [
            (r#""""#, true),
            (r#""/a~1b""#, true),
            (r#""a""#, false),
            (r#""/a~2""#, false),
            (r#""/a~""#, false),
        ] {
            let read = serde_json::from_str::<Pointer>(text);
            assert_eq!(read.is_ok(), is_good, "{text}: {read:?}");
        }
    }
}
