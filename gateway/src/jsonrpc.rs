//! The JSON-RPC edge: one message, taken apart without copying it.
//!
//! Ids are kept to the letter (`1.0` stays `1.0`), params stay raw. Unknown members are
//! overlooked; of repeated ones the last counts, as in every common JSON reader.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::Fault;

/// A request's id as JSON text, to the letter: a string or a number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestId(Box<str>);

impl RequestId {
    /// Takes an id from JSON; `None` when it is neither a string nor a number.
    #[must_use]
    pub fn from_json(raw: &RawValue) -> Option<Self> {
        let text = raw.get();
        matches!(text.as_bytes().first(), Some(b'"' | b'-' | b'0'..=b'9'))
            .then(|| Self(text.into()))
    }

    /// The id as JSON text.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// One message of a client.
#[derive(Debug, Clone)]
pub enum Incoming<'a> {
    /// Wants an answer.
    Request {
        /// By which the answer is known.
        id: RequestId,
        /// What is asked for.
        method: Cow<'a, str>,
        /// A JSON object; `None` when absent or null.
        params: Option<&'a RawValue>,
    },
    /// Wants none.
    Notification {
        /// What is told.
        method: Cow<'a, str>,
        /// A JSON object; `None` when absent or null.
        params: Option<&'a RawValue>,
    },
    /// Answers a request of ours.
    Response(Response<'a>),
}

/// A client's answer to a request of ours.
#[derive(Debug, Clone)]
pub struct Response<'a> {
    /// Which request it answers; `None` when the client could not tell.
    pub id: Option<RequestId>,
    /// The result, or the error object.
    pub outcome: Result<&'a RawValue, &'a RawValue>,
}

/// A message that cannot be served, and its id where that could be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Rejected {
    /// The id, for the answer.
    pub id: Option<RequestId>,
    /// What is wrong.
    pub fault: Fault,
}

impl From<Fault> for Rejected {
    fn from(fault: Fault) -> Self {
        Self { id: None, fault }
    }
}

/// Whether the text is an array: a batch, which few may send.
#[must_use]
pub fn is_batch(text: &str) -> bool {
    text.trim_start_matches([' ', '\t', '\r', '\n'])
        .starts_with('[')
}

/// The messages of a batch, each for [`parse`].
///
/// # Errors
/// When the text is no array of JSON values, or an empty one.
pub fn split(text: &str) -> Result<Vec<&RawValue>, Fault> {
    let messages: Vec<&RawValue> =
        serde_json::from_str(text).map_err(|error| Fault::NotJson(error.to_string()))?;
    if messages.is_empty() {
        return Err(Fault::NotJsonRpc("the batch is empty"));
    }
    Ok(messages)
}

/// Takes one message apart.
///
/// # Errors
/// -32700 when the text is no JSON, -32600 when it is no message.
pub fn parse(text: &str) -> Result<Incoming<'_>, Rejected> {
    if is_batch(text) {
        return Err(Fault::Batch.into());
    }
    let members: Members<'_> = serde_json::from_str(text).map_err(|error| {
        // A well-formed text of another kind (`5`, `"x"`) is JSON, but no message.
        Rejected::from(match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => Fault::NotJsonRpc("a message is a JSON object"),
            Err(_) => Fault::NotJson(error.to_string()),
        })
    })?;
    members.into_message()
}

#[derive(Default)]
struct Members<'a> {
    version: Option<&'a RawValue>,
    id: Option<&'a RawValue>,
    method: Option<&'a RawValue>,
    params: Option<&'a RawValue>,
    /// The result, or the error.
    outcome: Option<Result<&'a RawValue, &'a RawValue>>,
}

impl<'a> Members<'a> {
    fn into_message(self) -> Result<Incoming<'a>, Rejected> {
        let id = self.id.and_then(RequestId::from_json);
        let reject = |what| Rejected {
            id: id.clone(),
            fault: Fault::NotJsonRpc(what),
        };
        if self.version.map(RawValue::get) != Some("\"2.0\"") {
            return Err(reject("member `jsonrpc` must be \"2.0\""));
        }
        let method = match (self.method, self.outcome) {
            (Some(method), _) => method,
            // Errors that a peer could not attribute carry a null id.
            (None, Some(outcome)) => return Ok(Incoming::Response(Response { id, outcome })),
            (None, None) if self.id.is_some() && id.is_none() => {
                return Err(reject("member `id` must be a string or a number"));
            }
            (None, None) => return Err(reject("member `method` is missing")),
        };
        if self.id.is_some() && id.is_none() {
            return Err(reject("member `id` must be a string or a number"));
        }
        let Ok(Text(method)) = serde_json::from_str::<Text<'a>>(method.get()) else {
            return Err(reject("member `method` must be a string"));
        };
        let params = match self.params.map(RawValue::get) {
            None | Some("null") => None,
            Some(text) if text.starts_with('{') => self.params,
            Some(_) => return Err(reject("member `params` must be an object")),
        };
        Ok(match id {
            Some(id) => Incoming::Request { id, method, params },
            None => Incoming::Notification { method, params },
        })
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a JSON-RPC message")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Members::default();
                while let Some(Text(name)) = map.next_key()? {
                    match name.as_ref() {
                        "jsonrpc" => members.version = Some(map.next_value()?),
                        "id" => members.id = Some(map.next_value()?),
                        "method" => members.method = Some(map.next_value()?),
                        "params" => members.params = Some(map.next_value()?),
                        "result" => members.outcome = Some(Ok(map.next_value()?)),
                        "error" => members.outcome = Some(Err(map.next_value()?)),
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(members)
            }
        }
        from.deserialize_map(Reader)
    }
}

/// A string that is borrowed from the input where no escape stands in the way.
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Text<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        from.deserialize_str(Reader)
    }
}

/// Calls `take` with each member of a JSON object, in order; both borrowed from `object`.
///
/// # Errors
/// When the text is no JSON object.
pub(crate) fn for_each_member<'a>(
    object: &'a RawValue,
    take: impl FnMut(&str, &'a RawValue),
) -> Result<(), serde_json::Error> {
    struct Reader<F>(F);
    impl<'de, F: FnMut(&str, &'de RawValue)> Visitor<'de> for Reader<F> {
        type Value = ();

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
            while let Some((Text(name), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                (self.0)(&name, value);
            }
            Ok(())
        }
    }
    serde_json::Deserializer::from_str(object.get()).deserialize_map(Reader(take))
}

/// `whole` with the value `part`, which was borrowed from it, replaced by other JSON.
#[must_use]
pub(crate) fn replace(whole: &RawValue, part: &RawValue, by: &str) -> String {
    let (text, part) = (whole.get(), part.get());
    let start = part.as_ptr().addr().wrapping_sub(text.as_ptr().addr());
    let (Some(before), Some(after)) = (text.get(..start), text.get(start + part.len()..)) else {
        return text.to_owned();
    };
    [before, by, after].concat()
}

#[cfg(test)]
mod tests;
