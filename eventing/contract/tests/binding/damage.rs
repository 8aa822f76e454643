//! A valid message that was damaged is taken rightly or refused rightly, and nothing panics.

use bytes::Bytes;
use dormouse_contract::http_binding::{self, BindingError, Received};
use dormouse_contract::{Event, InvalidEvent};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::any_event::any_event;

/// A message whose headers may come twice.
#[derive(Debug, Clone)]
struct Message {
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Message {
    fn of((headers, body): (HeaderMap, Bytes)) -> Self {
        let headers = headers.iter();
        let headers =
            headers.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()));
        Self {
            headers: headers.collect(),
            body: body.to_vec(),
        }
    }

    /// `None` when HTTP itself would not let it through.
    fn headers(&self) -> Option<HeaderMap> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let name = HeaderName::try_from(name.as_str()).ok()?;
            headers.append(name, HeaderValue::from_bytes(value).ok()?);
        }
        Some(headers)
    }

    fn read(&self) -> Option<Result<Received, BindingError>> {
        let body = Bytes::from(self.body.clone());
        Some(http_binding::read_many(&self.headers()?, body))
    }

    fn is_of_event_format(&self) -> bool {
        let mut media = self.headers.iter().filter(|it| it.0 == "content-type");
        let prefix = b"application/cloudevents";
        media.any(|(_, value)| {
            let start = value.get(..prefix.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        })
    }
}

fn any_message() -> impl Strategy<Value = Message> {
    prop_oneof![
        any_event().prop_map(http_binding::write_binary),
        any_event().prop_map(|event| http_binding::write_structured(&event)),
        vec(any_event(), 0..3).prop_map(|events| http_binding::write_batch(&events)),
    ]
    .prop_map(Message::of)
}

#[derive(Debug, Clone)]
enum Damage {
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

fn any_damage() -> impl Strategy<Value = Damage> {
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

fn apply(message: &mut Message, damage: Damage) {
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

proptest! {
    #[test]
    fn what_is_taken_is_valid_and_what_is_refused_has_a_status(
        message in any_message(),
        damages in vec(any_damage(), 1..4),
    ) {
        let mut message = message;
        for damage in damages {
            apply(&mut message, damage);
        }
        match message.read() {
            None => {}
            Some(Ok(received)) => {
                for event in received.events() {
                    prop_assert_eq!(event.validate(), Ok(()));
                    let (headers, body) = http_binding::write_structured(event);
                    prop_assert_eq!(&http_binding::read(&headers, body), &Ok(event.clone()));
                }
                if !message.is_of_event_format() {
                    check_nothing_is_lost(&message, &received)?;
                }
            }
            Some(Err(error)) => {
                let is_about_format = error.status() == 415;
                prop_assert!(is_about_format || error.status() == 400, "{error}");
                prop_assert!(!is_about_format || message.is_of_event_format(), "{error}");
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }

    #[test]
    fn a_lost_header_is_missed_where_it_is_required(event in any_event(), lost in any::<Index>()) {
        let mut message = Message::of(http_binding::write_binary(plain(event)));
        let whole = message.read().unwrap().unwrap();
        let (name, _) = message.headers.remove(lost.index(message.headers.len()));
        let expected = match name.trim_start_matches("ce-") {
            "specversion" => Err(InvalidEvent::Missing("specversion")),
            "id" => Err(InvalidEvent::Missing("id")),
            "source" => Err(InvalidEvent::Missing("source")),
            "type" => Err(InvalidEvent::Missing("type")),
            optional => Ok(without(whole.events()[0].clone(), optional)),
        };
        let expected = expected.map(|event| Received::One(Box::new(event)));
        prop_assert_eq!(message.read(), Some(expected.map_err(BindingError::from)));
    }

    #[test]
    fn a_doubled_header_is_refused_by_its_name(event in any_event(), which in any::<Index>()) {
        let mut message = Message::of(http_binding::write_binary(plain(event)));
        let doubled = message.headers[which.index(message.headers.len())].clone();
        let name = match doubled.0.as_str() {
            "content-type" => "datacontenttype".to_owned(),
            header => header.trim_start_matches("ce-").to_owned(),
        };
        message.headers.push(doubled);
        let refused = BindingError::from(InvalidEvent::Twice(name));
        prop_assert_eq!(message.read(), Some(Err(refused)));
    }

    #[test]
    fn a_cut_body_is_no_json(event in any_event(), at in any::<Index>()) {
        let mut message = Message::of(http_binding::write_structured(&event));
        message.body.truncate(at.index(message.body.len()));
        let refused = message.read().unwrap().unwrap_err();
        prop_assert!(matches!(refused, BindingError::Json(_)), "{refused}");
    }

    #[test]
    fn any_bytes_are_refused_or_taken_without_a_panic(
        media in prop_oneof![
            Just("application/cloudevents+json".to_owned()),
            Just("application/cloudevents-batch+json".to_owned()),
            "\\PC{0,40}",
        ],
        headers in vec(("ce-[a-zA-Z0-9_]{0,12}", vec(any::<u8>(), 0..30)), 0..6),
        body in vec(any::<u8>(), 0..80),
    ) {
        let mut headers = headers;
        headers.push(("content-type".to_owned(), media.into_bytes()));
        if let Some(Ok(received)) = (Message { headers, body }).read() {
            for event in received.events() {
                prop_assert_eq!(event.validate(), Ok(()));
            }
        }
    }
}

/// Without a payload that would change the mode.
fn plain(mut event: Event) -> Event {
    event.datacontenttype = event.datacontenttype.filter(|media| {
        !media
            .to_ascii_lowercase()
            .starts_with("application/cloudevents")
    });
    event
}

fn without(mut event: Event, name: &str) -> Event {
    match name {
        "subject" => event.subject = None,
        "time" => event.time = None,
        "content-type" => event.datacontenttype = None,
        "dataschema" => event.dataschema = None,
        extension => drop(event.extensions.remove(extension)),
    }
    event
}

/// Every header of an event in binary mode is one of its attributes, and the body is its data.
fn check_nothing_is_lost(message: &Message, received: &Received) -> Result<(), TestCaseError> {
    let [event] = received.events() else {
        return Err(TestCaseError::fail("binary mode brings one event"));
    };
    let names = message
        .headers
        .iter()
        .map(|(name, _)| name.to_ascii_lowercase());
    let sent = names.filter(|name| name.starts_with("ce-") || name == "content-type");
    let optional = [
        &event.subject,
        &event.time,
        &event.datacontenttype,
        &event.dataschema,
    ];
    let optional = optional.into_iter().flatten().count();
    prop_assert_eq!(sent.count(), 4 + optional + event.extensions.len());
    prop_assert_eq!(event.data.as_deref().unwrap_or_default(), &message.body[..]);
    Ok(())
}
