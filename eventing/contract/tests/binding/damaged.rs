//! Messages that were valid until they were damaged. The tests of the coordinator use them, too.

use bytes::Bytes;
use dormouse_contract::{Event, http_binding};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::any_event::any_event;

/// A message whose headers may come twice.
#[derive(Debug, Clone)]
pub struct Message {
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

impl Message {
    pub fn of((headers, body): (HeaderMap, Bytes)) -> Self {
        let headers = headers.iter();
        let headers =
            headers.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()));
        Self {
            headers: headers.collect(),
            body: body.to_vec(),
        }
    }

    /// `None` when HTTP itself would not let it through.
    pub fn headers(&self) -> Option<HeaderMap> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let name = HeaderName::try_from(name.as_str()).ok()?;
            headers.append(name, HeaderValue::from_bytes(value).ok()?);
        }
        Some(headers)
    }
}

pub fn any_message() -> impl Strategy<Value = Message> {
    prop_oneof![
        any_event().prop_map(http_binding::write_binary),
        any_event().prop_map(|event| http_binding::write_structured(&event)),
        vec(any_event(), 0..3).prop_map(|events| http_binding::write_batch(&events)),
    ]
    .prop_map(Message::of)
}

/// What can happen to a message.
#[derive(Debug, Clone)]
pub enum Damage {
    Drop(Index),
    Double(Index),
    Rename(Index, String),
    Alter(Index, Vec<u8>),
    Add(String, Vec<u8>),
    Cut(Index),
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Retype(String),
}

pub fn any_damage() -> impl Strategy<Value = Damage> {
    let bytes = || vec(any::<u8>(), 0..12);
    let name = || "(ce-)?[a-zA-Z0-9_.-]{0,12}";
    prop_oneof![
        any::<Index>().prop_map(Damage::Drop),
        any::<Index>().prop_map(Damage::Double),
        (any::<Index>(), name()).prop_map(|(at, name)| Damage::Rename(at, name)),
        (any::<Index>(), bytes()).prop_map(|(at, value)| Damage::Alter(at, value)),
        (name(), bytes()).prop_map(|(name, value)| Damage::Add(name, value)),
        any::<Index>().prop_map(Damage::Cut),
        (any::<Index>(), any::<u8>()).prop_map(|(at, with)| Damage::Flip(at, with)),
        (any::<Index>(), bytes()).prop_map(|(at, more)| Damage::Insert(at, more)),
        prop_oneof![
            Just("application/cloudevents+json".to_owned()),
            Just("application/cloudevents-batch+json".to_owned()),
            Just("application/cloudevents+json; charset=latin1".to_owned()),
            Just("application/json".to_owned()),
            "application/cloudevents[a-z+-]{0,8}",
            "\\PC{0,20}",
        ]
        .prop_map(Damage::Retype),
    ]
}

pub fn apply(message: &mut Message, damage: Damage) {
    let Message { headers, body } = message;
    match damage {
        Damage::Add(name, value) => headers.push((name, value)),
        Damage::Retype(media) => {
            headers.retain(|(name, _)| name != "content-type");
            headers.push(("content-type".to_owned(), media.into_bytes()));
        }
        Damage::Cut(at) => body.truncate(at.index(body.len() + 1)),
        Damage::Insert(at, more) => {
            let at = at.index(body.len() + 1);
            body.splice(at..at, more);
        }
        Damage::Flip(at, with) => {
            if !body.is_empty() {
                let at = at.index(body.len());
                body[at] ^= with;
            }
        }
        Damage::Drop(_) | Damage::Double(_) | Damage::Rename(..) | Damage::Alter(..)
            if headers.is_empty() => {}
        Damage::Drop(at) => drop(headers.remove(at.index(headers.len()))),
        Damage::Double(at) => headers.push(headers[at.index(headers.len())].clone()),
        Damage::Rename(at, name) => {
            let at = at.index(headers.len());
            headers[at].0 = name;
        }
        Damage::Alter(at, value) => {
            let at = at.index(headers.len());
            headers[at].1 = value;
        }
    }
}

/// Without a payload that would change the mode.
pub fn plain(mut event: Event) -> Event {
    event.datacontenttype = event.datacontenttype.filter(|media| {
        !media
            .to_ascii_lowercase()
            .starts_with("application/cloudevents")
    });
    event
}
