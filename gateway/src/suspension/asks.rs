//! What a suspended task asks of its client, and the requests by which a legacy one hears of it.
//!
//! Waits for events are the broker's to answer: no client sees them, and what one says to them is
//! overlooked.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use dormouse_broker::{TaskId, Work};
use dormouse_contract::suspension::{Ask, EVENT};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::state::Round;
use crate::answer::splice;
use crate::jsonrpc::{RequestId, for_each_member, replace};
use crate::schema;

/// The open asks of a round by name.
pub(crate) type Asks<'a> = BTreeMap<Cow<'a, str>, Ask<'a>>;

/// Reads the client's asks of the broker's object; what cannot be read asks nothing.
pub(crate) fn read(asks: &[u8]) -> Asks<'_> {
    let mut read: Asks<'_> = serde_json::from_slice(asks).unwrap_or_else(|error| {
        tracing::error!(%error, "the asks of a suspended task cannot be read");
        Asks::default()
    });
    read.retain(|_, ask| ask.method != EVENT);
    read
}

/// The client's asks of the broker's object, to the letter; `None` when it is asked nothing.
pub(crate) fn of_client(asks: &Bytes) -> Option<Bytes> {
    let clients = read(asks);
    if clients.is_empty() {
        return None;
    }
    let all: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_slice(asks).ok()?;
    if all.len() == clients.len() {
        return Some(asks.clone());
    }
    let theirs = all
        .into_iter()
        .filter(|(name, _)| clients.contains_key(name));
    let theirs: BTreeMap<_, _> = theirs.collect();
    serde_json::to_vec(&theirs).ok().map(Bytes::from)
}

/// The method of a call and the digest of what was asked for, as a retry must repeat them:
/// `arguments` of tools and prompts, `uri` of resources.
pub(crate) fn digest_of(work: &Work) -> (String, [u8; 32]) {
    #[derive(Deserialize)]
    struct Requested<'a> {
        #[serde(borrow)]
        method: Cow<'a, str>,
        #[serde(borrow)]
        params: &'a RawValue,
    }
    match work {
        Work::Call(data) => match serde_json::from_slice::<Requested<'_>>(data) {
            Ok(requested) => (
                requested.method.into_owned(),
                digest(Some(requested.params)),
            ),
            Err(_) => (String::new(), digest(None)),
        },
        Work::Event { .. } => (String::new(), digest(None)),
    }
}

/// The digest of what these params ask for; absent and `{}` arguments are the same.
pub(crate) fn digest(params: Option<&RawValue>) -> [u8; 32] {
    let mut asked = Map::new();
    if let Some(params) = params {
        // What is no object was refused before.
        let _ = for_each_member(params, |name, value| {
            if matches!(name, "arguments" | "uri")
                && let Ok(value) = serde_json::from_str::<Value>(value.get())
                && !matches!(&value, Value::Null)
                && value != Value::Object(Map::new())
            {
                asked.insert(name.to_owned(), value);
            }
        });
    }
    schema::hash(&Value::Object(asked))
}

/// One ask of a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The round.
    pub round: Round,
    /// The ask's name.
    pub name: String,
}

impl Asked {
    /// The JSON-RPC id under which a legacy client is asked: it leads back to the ask, so nothing
    /// has to be remembered until the response comes.
    pub fn id(&self) -> Value {
        let Round { task, round } = self.round;
        format!("ask/{task}/{round}/{}", self.name).into()
    }

    /// The ask that an id leads to; `None` when it is not one of ours.
    pub fn of_id(id: &RequestId) -> Option<Self> {
        let id: String = serde_json::from_str(id.as_json()).ok()?;
        let mut parts = id.strip_prefix("ask/")?.splitn(3, '/');
        let task: TaskId = parts.next()?.parse().ok()?;
        let round = parts.next()?.parse().ok()?;
        Some(Self {
            round: Round { task, round },
            name: parts.next()?.to_owned(),
        })
    }

    /// Takes the request back (`notifications/cancelled`), ready for the wire.
    pub fn cancelled(&self) -> String {
        format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{},"reason":"the call has ended"}}}}"#,
            self.id()
        )
    }

    /// The request, ready for the wire; params to the letter. Where the client made the call as a
    /// task, `_meta` names it (2025-11-25, "Associating Task-Related Messages").
    pub fn request(&self, ask: &Ask<'_>, as_task: bool) -> String {
        let params = ask.params.map_or("{}", |params| params.get());
        let related;
        let params = if as_task {
            related = relate(params, self.round.task);
            related.as_str()
        } else {
            params
        };
        format!(
            r#"{{"jsonrpc":"2.0","id":{},"method":{},"params":{params}}}"#,
            self.id(),
            Value::from(ask.method.as_ref()),
        )
    }
}

/// An object with `io.modelcontextprotocol/related-task` in its `_meta`; the rest to the letter
/// where it has no `_meta` of its own.
pub(crate) fn relate(object: &str, task: TaskId) -> String {
    const KEY: &str = "io.modelcontextprotocol/related-task";
    let related = serde_json::json!({ "taskId": task });
    let mut meta = None;
    if let Ok(whole) = serde_json::from_str::<&RawValue>(object)
        && for_each_member(whole, |name, value| {
            if name == "_meta" {
                meta = Some(value);
            }
        })
        .is_ok()
        && let Some(meta) = meta
    {
        let mut members: Map<String, Value> = serde_json::from_str(meta.get()).unwrap_or_default();
        members.insert(KEY.to_owned(), related);
        return replace(whole, meta, &Value::Object(members).to_string());
    }
    let member = format!(r#""_meta":{{"{KEY}":{related}}}"#);
    let mut text = String::with_capacity(object.len() + member.len() + 1);
    let rest = object.trim_start().strip_prefix('{').unwrap_or("}");
    splice(&mut text, &member, rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: &str) -> Asked {
        Asked {
            round: Round {
                task: TaskId::new(),
                round: 2,
            },
            name: name.to_owned(),
        }
    }

    #[test]
    fn an_id_leads_back_to_its_ask() {
        for name in ["grade", "a/b", "é \" quoted"] {
            let asked = asked(name);
            let id = serde_json::to_string(&asked.id()).unwrap();
            let id = RequestId::from_json(serde_json::from_str(&id).unwrap()).unwrap();
            assert_eq!(Asked::of_id(&id), Some(asked));
        }
        for other in ["1", r#""1""#, r#""ask/x/1/n""#, r#""ask/""#] {
            let id = RequestId::from_json(serde_json::from_str(other).unwrap()).unwrap();
            assert_eq!(Asked::of_id(&id), None, "{other}");
        }
    }

    #[test]
    fn a_request_passes_the_params_to_the_letter() {
        let asks =
            br#"{"q":{"method":"elicitation/create","params":{ "message":"Grade?", "x":1.0 }},
                        "r":{"method":"roots/list"}}"#;
        let asks = read(asks);
        let text = asked("q").request(&asks["q"], false);
        assert!(
            text.contains(r#""params":{ "message":"Grade?", "x":1.0 }"#),
            "{text}"
        );
        let text = asked("r").request(&asks["r"], false);
        let request: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(request["method"], "roots/list");
        assert_eq!(request["params"], serde_json::json!({}));
        assert!(read(b"rubbish").is_empty());
    }

    #[test]
    fn waits_for_events_are_none_of_the_clients_business() {
        let of = |text: &'static str| of_client(&Bytes::from_static(text.as_bytes()));
        let form = r#"{"q":{ "method":"elicitation/create","params":{"x":1.0} }}"#;
        assert_eq!(of(form).unwrap(), form);
        let mixed = r#"{"e":{"method":"dev.dormouse/event","params":{}},"q":{ "method":"elicitation/create","params":{"x":1.0} }}"#;
        assert_eq!(of(mixed).unwrap(), form);
        assert_eq!(
            of(r#"{"e":{"method":"dev.dormouse\/event","params":{}}}"#),
            None
        );
        assert_eq!(of("rubbish"), None);
    }

    #[test]
    fn a_retry_has_the_digest_of_its_request() {
        let raw = |text: &str| serde_json::from_str::<Box<RawValue>>(text).unwrap();
        let stored = br#"{"method":"tools/call","params":{"name":"t","arguments":{"a":1,"b":2},"_meta":{}}}"#;
        let (method, stored) = digest_of(&Work::Call(Bytes::from_static(stored)));
        assert_eq!(method, "tools/call");
        let retry = raw(r#"{"arguments":{"b":2,"a":1},"requestState":"x","inputResponses":{}}"#);
        assert_eq!(digest(Some(&retry)), stored);
        assert_ne!(digest(Some(&raw(r#"{"arguments":{"a":1}}"#))), stored);
        assert_eq!(digest(Some(&raw(r#"{"arguments":{}}"#))), digest(None));
    }

    #[test]
    fn what_belongs_to_a_task_says_so() {
        let task = TaskId::new();
        for object in [
            r#"{"a":1.0}"#,
            "{}",
            r#"{"a":1.0,"_meta":{"k":2}}"#,
            r#"{"_meta":null}"#,
        ] {
            let text = relate(object, task);
            let related: Value = serde_json::from_str(&text).unwrap();
            let named = &related["_meta"]["io.modelcontextprotocol/related-task"]["taskId"];
            assert_eq!(*named, task.to_string(), "{text}");
            if object.contains("\"k\"") {
                assert_eq!(related["_meta"]["k"], 2);
            }
            if object.contains("1.0") {
                assert!(text.contains(r#""a":1.0"#), "{text}");
            }
        }
    }
}
