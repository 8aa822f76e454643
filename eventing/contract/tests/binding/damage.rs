//! A valid message that was damaged is taken rightly or refused rightly, and nothing panics.

use bytes::Bytes;
use dormouse_contract::http_binding::{self, BindingError, Received};
use dormouse_contract::{Event, InvalidEvent};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::any_event::any_event;
use crate::damaged::{Message, any_damage, any_message, apply, plain};

/// `None` when HTTP itself would not let it through.
fn read(message: &Message) -> Option<Result<Received, BindingError>> {
    let body = Bytes::from(message.body.clone());
    Some(http_binding::read_many(&message.headers()?, body))
}

fn is_of_event_format(message: &Message) -> bool {
    let mut media = message.headers.iter().filter(|it| it.0 == "content-type");
    let prefix = b"application/cloudevents";
    media.any(|(_, value)| {
        let start = value.get(..prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    })
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
        match read(&message) {
            None => {}
            Some(Ok(received)) => {
                for event in received.events() {
                    prop_assert_eq!(event.validate(), Ok(()));
                    let (headers, body) = http_binding::write_structured(event);
                    prop_assert_eq!(&http_binding::read(&headers, body), &Ok(event.clone()));
                }
                if !is_of_event_format(&message) {
                    check_nothing_is_lost(&message, &received)?;
                }
            }
            Some(Err(error)) => {
                let is_about_format = error.status() == 415;
                prop_assert!(is_about_format || error.status() == 400, "{error}");
                prop_assert!(!is_about_format || is_of_event_format(&message), "{error}");
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }

    #[test]
    fn a_lost_header_is_missed_where_it_is_required(event in any_event(), lost in any::<Index>()) {
        let mut message = Message::of(http_binding::write_binary(plain(event)));
        let whole = read(&message).unwrap().unwrap();
        let (name, _) = message.headers.remove(lost.index(message.headers.len()));
        let expected = match name.trim_start_matches("ce-") {
            "specversion" => Err(InvalidEvent::Missing("specversion")),
            "id" => Err(InvalidEvent::Missing("id")),
            "source" => Err(InvalidEvent::Missing("source")),
            "type" => Err(InvalidEvent::Missing("type")),
            optional => Ok(without(whole.events()[0].clone(), optional)),
        };
        let expected = expected.map(|event| Received::One(Box::new(event)));
        prop_assert_eq!(read(&message), Some(expected.map_err(BindingError::from)));
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
        prop_assert_eq!(read(&message), Some(Err(refused)));
    }

    #[test]
    fn a_cut_body_is_no_json(event in any_event(), at in any::<Index>()) {
        let mut message = Message::of(http_binding::write_structured(&event));
        message.body.truncate(at.index(message.body.len()));
        let refused = read(&message).unwrap().unwrap_err();
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
        if let Some(Ok(received)) = read(&Message { headers, body }) {
            for event in received.events() {
                prop_assert_eq!(event.validate(), Ok(()));
            }
        }
    }
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
