//! JSON objects as their members: each value to the letter, in the order written.

use std::fmt;

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// An object without members.
pub(crate) const EMPTY: &[u8] = b"{}";

/// A member: its name, and its value to the letter.
pub(crate) type Member<'a> = (String, &'a RawValue);

/// The members of an object. A name that stands there twice counts once, with its first value.
///
/// # Errors
/// When the text is no JSON object.
pub(crate) fn members(text: &[u8]) -> serde_json::Result<Vec<Member<'_>>> {
    serde_json::from_slice::<Members<'_>>(text).map(|members| members.0)
}

/// An object of these members.
pub(crate) fn write<'a>(members: impl IntoIterator<Item = (&'a str, &'a str)>) -> Bytes {
    let mut text = String::from("{");
    for (name, value) in members {
        if text.len() > 1 {
            text.push(',');
        }
        // A string always serializes.
        text.push_str(&serde_json::to_string(name).unwrap_or_default());
        text.push(':');
        text.push_str(value);
    }
    text.push('}');
    text.into()
}

struct Members<'a>(Vec<Member<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Vec<Member<'de>>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Self::Value = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
                    if members.iter().all(|(known, _)| *known != name) {
                        members.push((name, value));
                    }
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(InOrder).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order_and_their_letters() {
        let text = br#"{"b":{ "x":1.0 },"a\"":[ ],"b":2}"#;
        let read = members(text).unwrap();
        let written = write(
            read.iter()
                .map(|(name, value)| (name.as_str(), value.get())),
        );
        assert_eq!(written, r#"{"b":{ "x":1.0 },"a\"":[ ]}"#);
        assert_eq!(write([]), EMPTY);
        for broken in ["", "[]", "{", "1"] {
            assert!(members(broken.as_bytes()).is_err(), "{broken}");
        }
    }
}
