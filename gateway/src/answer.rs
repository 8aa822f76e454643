//! Answers and notifications, composed once as text around bytes that pass to the letter.
//!
//! What an era requires is spliced in right behind the opening brace; nothing else is touched.

use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::era::Era;
use crate::error::Fault;
use crate::feature::Feature;
use crate::jsonrpc::{RequestId, Text, for_each_member, replace};
use crate::suspension::asks::relate;
use dormouse_broker::TaskId;

/// An answer to one request, ready for the wire.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The JSON-RPC message.
    pub text: String,
    /// The HTTP status, where the answer is all there is to the response.
    pub status: http::StatusCode,
    /// It says that the platform stops, and its task goes on with the next start: who can come back
    /// for the answer then is told nothing now.
    pub is_cut: bool,
}

impl Reply {
    /// An answer with this result, a JSON object.
    #[must_use]
    pub fn result(id: &RequestId, result: &str) -> Self {
        let mut text = opening(id, result.len());
        text.push_str(result);
        text.push('}');
        Self::ok(text)
    }

    /// An answer whose result is an object of these members, written one after the other.
    #[must_use]
    pub fn members(id: &RequestId, members: &[&str]) -> Self {
        let room = members.iter().map(|part| part.len()).sum::<usize>() + 2;
        let mut text = opening(id, room);
        text.push('{');
        for part in members {
            text.push_str(part);
        }
        text.push_str("}}");
        Self::ok(text)
    }

    /// An answer with this result, which a function made: what the era requires of this feature's
    /// results is added where the function left it out.
    ///
    /// # Errors
    /// When it is no JSON object.
    pub fn passed(
        id: &RequestId,
        result: &[u8],
        era: Era,
        feature: Feature,
    ) -> Result<Self, Fault> {
        let result = std::str::from_utf8(result)
            .map_err(|_| Fault::BadResult("it is not UTF-8"))?
            .trim_ascii();
        let Some(rest) = result.strip_prefix('{') else {
            return Err(Fault::BadResult("it is no object"));
        };
        let missing = missing_members(result, era, feature);
        let mut text = opening(id, result.len() + missing.len() + 1);
        if missing.is_empty() {
            text.push_str(result);
        } else {
            splice(&mut text, &missing, rest);
        }
        text.push('}');
        Ok(Self::ok(text))
    }

    /// The answer with the task in its result's `_meta`, as answers about tasks have it
    /// (2025-11-25, "Related Task Metadata"); errors stay as they are.
    #[must_use]
    pub fn related(self, task: TaskId) -> Self {
        let mut result = None;
        let Ok(whole) = serde_json::from_str::<&RawValue>(&self.text) else {
            return self;
        };
        let read = for_each_member(whole, |name, value| {
            if name == "result" {
                result = Some(value);
            }
        });
        match (read, result) {
            (Ok(()), Some(result)) => Self {
                text: replace(whole, result, &relate(result.get(), task)),
                ..self
            },
            (Ok(()) | Err(_), _) => self,
        }
    }

    /// An error. Where the id could not be read there is none (MCP 2026-07-28, "Error
    /// Responses": the id is absent then).
    #[must_use]
    pub fn error(id: Option<&RequestId>, fault: &Fault, era: Era) -> Self {
        let mut error = serde_json::Map::new();
        error.insert("code".to_owned(), fault.code().into());
        error.insert("message".to_owned(), fault.to_string().into());
        if let Some(data) = fault.data() {
            error.insert("data".to_owned(), data);
        }
        let error = Value::Object(error);
        let text = match id {
            Some(id) => format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#),
            None => format!(r#"{{"jsonrpc":"2.0","error":{error}}}"#),
        };
        Self {
            text,
            status: fault.status(era),
            is_cut: false,
        }
    }

    /// A `tools/call` result that says in words what went wrong.
    #[must_use]
    pub fn tool_error(id: &RequestId, message: &str, meta: Option<Value>, era: Era) -> Self {
        let message = Value::from(message);
        let meta = meta.map_or_else(String::new, |meta| format!(r#","_meta":{meta}"#));
        let kind = match era {
            Era::Modern => r#""resultType":"complete","#,
            Era::Legacy(_) => "",
        };
        Self::result(
            id,
            &format!(
                r#"{{{kind}"content":[{{"type":"text","text":{message}}}],"isError":true{meta}}}"#
            ),
        )
    }

    fn ok(text: String) -> Self {
        Self {
            text,
            status: http::StatusCode::OK,
            is_cut: false,
        }
    }
}

/// The members that the era requires of a result, and that this one has not: written one after the
/// other. What is read is fresh for nobody but the one who asked, unless the function says so.
fn missing_members(result: &str, era: Era, feature: Feature) -> String {
    const READ: [(&str, &str); 3] = [
        ("resultType", r#""complete""#),
        ("ttlMs", "0"),
        ("cacheScope", r#""private""#),
    ];
    let required = match (era, feature) {
        (Era::Legacy(_), _) => &READ[..0],
        (Era::Modern, Feature::Resource) => &READ,
        (Era::Modern, Feature::Tool | Feature::Prompt | Feature::Completion) => &READ[..1],
    };
    let mut text = String::new();
    for (name, value) in required {
        if !has_member(result, name) {
            let comma = if text.is_empty() { "" } else { "," };
            text.push_str(&format!(r#"{comma}"{name}":{value}"#));
        }
    }
    text
}

fn opening(id: &RequestId, room: usize) -> String {
    let id = id.as_json();
    let mut text = String::with_capacity(id.len() + room + 40);
    text.push_str(r#"{"jsonrpc":"2.0","id":"#);
    text.push_str(id);
    text.push_str(r#","result":"#);
    text
}

/// Writes `{members,rest`, without the comma when the object was empty.
pub(crate) fn splice(text: &mut String, members: &str, rest: &str) {
    text.push('{');
    text.push_str(members);
    if !rest.trim_start().starts_with('}') {
        text.push(',');
    }
    text.push_str(rest);
}

/// Whether an object has this member at its top level.
fn has_member(object: &str, name: &str) -> bool {
    // Most results do not hold the word at all.
    object.contains(name) && {
        struct Seek<'a>(&'a str);
        impl<'de> Visitor<'de> for Seek<'_> {
            type Value = bool;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
                let mut found = false;
                while let Some((Text(name), IgnoredAny)) = map.next_entry()? {
                    found |= name == self.0;
                }
                Ok(found)
            }
        }
        serde_json::Deserializer::from_str(object)
            .deserialize_map(Seek(name))
            .unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::era::Revision;
    use proptest::prelude::*;
    use serde_json::json;

    const LEGACY: Era = Era::Legacy(Revision::LATEST);

    fn id(text: &str) -> RequestId {
        RequestId::from_json(serde_json::from_str(text).unwrap()).unwrap()
    }

    #[test]
    fn results_pass_to_the_letter_but_for_what_the_era_requires() {
        let cases = [
            (r#"{ "a":1.0 }"#, r#"{"resultType":"complete", "a":1.0 }"#),
            ("{}", r#"{"resultType":"complete"}"#),
            ("{ }", r#"{"resultType":"complete" }"#),
            (
                r#"{"content":[{"text":"resultType"}]}"#,
                r#"{"resultType":"complete","content":[{"text":"resultType"}]}"#,
            ),
            (
                r#"{"a":0,"resultType":"input_required"}"#,
                r#"{"a":0,"resultType":"input_required"}"#,
            ),
        ];
        for (result, modern) in cases {
            let answer = |era| {
                Reply::passed(&id("1.0"), result.as_bytes(), era, Feature::Tool)
                    .unwrap()
                    .text
            };
            let around =
                |result: &str| format!(r#"{{"jsonrpc":"2.0","id":1.0,"result":{result}}}"#);
            assert_eq!(answer(LEGACY), around(result));
            assert_eq!(answer(Era::Modern), around(modern));
        }
    }

    #[test]
    fn what_is_read_says_how_long_it_may_be_kept() {
        let cases = [
            (
                r#"{"contents":[]}"#,
                r#"{"resultType":"complete","ttlMs":0,"cacheScope":"private","contents":[]}"#,
            ),
            (
                r#"{"ttlMs":5,"contents":[]}"#,
                r#"{"resultType":"complete","cacheScope":"private","ttlMs":5,"contents":[]}"#,
            ),
            (
                "{}",
                r#"{"resultType":"complete","ttlMs":0,"cacheScope":"private"}"#,
            ),
        ];
        for (result, modern) in cases {
            let reply = |era| {
                Reply::passed(&id("1"), result.as_bytes(), era, Feature::Resource)
                    .unwrap()
                    .text
            };
            assert!(reply(LEGACY).ends_with(&format!(r#""result":{result}}}"#)));
            assert!(reply(Era::Modern).ends_with(&format!(r#""result":{modern}}}"#)));
        }
    }

    #[test]
    fn what_is_no_object_is_no_result() {
        for rubbish in [&b"5"[..], b"", b"\xff{}", b"[]"] {
            assert!(Reply::passed(&id("1"), rubbish, LEGACY, Feature::Tool).is_err());
        }
    }

    #[test]
    fn errors_carry_the_id_when_there_is_one() {
        let fault = Fault::UnsupportedVersion("x".into());
        let with = Reply::error(Some(&id(r#""a""#)), &fault, Era::Modern);
        let with: Value = serde_json::from_str(&with.text).unwrap();
        assert_eq!(with["id"], "a");
        assert_eq!(with["error"]["data"]["requested"], "x");
        let without = Reply::error(None, &Fault::Batch, LEGACY);
        let without: Value = serde_json::from_str(&without.text).unwrap();
        assert!(without.get("id").is_none());
    }

    #[test]
    fn tool_errors_are_results_of_their_era() {
        let reply = Reply::tool_error(&id("1"), "say \"no\"", Some(json!({"k":1})), Era::Modern);
        let reply: Value = serde_json::from_str(&reply.text).unwrap();
        assert_eq!(
            reply["result"],
            json!({"resultType":"complete","isError":true,"_meta":{"k":1},
                   "content":[{"type":"text","text":"say \"no\""}]})
        );
    }

    proptest! {
        #[test]
        fn a_spliced_result_is_the_result_and_one_member_more(
            members in proptest::collection::btree_map("[a-z]{1,4}", any::<i32>(), 0..5)
        ) {
            let result = serde_json::to_string(&members).unwrap();
            let reply = Reply::passed(&id("1"), result.as_bytes(), Era::Modern, Feature::Tool).unwrap();
            let mut reply: Value = serde_json::from_str(&reply.text).unwrap();
            let kind = reply["result"].as_object_mut().unwrap().remove("resultType");
            prop_assert_eq!(kind, Some(json!("complete")));
            prop_assert_eq!(&reply["result"], &json!(members));
        }
    }
}
