//! Any valid event comes back from each mode as it went in.

use dormouse_contract::http_binding::{Mode, Received};
use dormouse_contract::{Event, http_binding};
use proptest::prelude::*;

use crate::any_event::{any_event, as_text};

proptest! {
    #[test]
    fn what_is_made_here_is_valid(event in any_event()) {
        prop_assert_eq!(event.validate(), Ok(()));
    }

    #[test]
    fn structured_mode_keeps_everything(event in any_event()) {
        let (headers, body) = http_binding::write_structured(&event);
        prop_assert_eq!(http_binding::read(&headers, body), Ok(event));
    }

    #[test]
    fn batched_mode_keeps_everything(events in proptest::collection::vec(any_event(), 0..4)) {
        let (headers, body) = http_binding::write_batch(&events);
        prop_assert_eq!(http_binding::read_many(&headers, body), Ok(Received::Batch(events)));
    }

    #[test]
    fn what_is_passed_on_keeps_everything_but_the_types_of_extensions(event in any_event()) {
        let (headers, body) = http_binding::write(event.clone());
        let mode = Mode::of(&headers).unwrap();
        prop_assert!(headers.len() <= 100);
        let read = http_binding::read(&headers, body);
        match mode {
            Mode::Binary => prop_assert_eq!(read, Ok(as_text(event))),
            Mode::Structured => prop_assert_eq!(read, Ok(event)),
            Mode::Batch => prop_assert!(false, "one event is no batch"),
        }
    }

    #[test]
    fn every_header_is_printable_ascii(event in any_event()) {
        let (headers, _) = http_binding::write_binary(event);
        for (name, value) in &headers {
            if name.as_str().starts_with("ce-") {
                prop_assert!(value.as_bytes().iter().all(u8::is_ascii_graphic), "{name}");
            }
        }
    }
}

#[test]
fn an_event_about_an_event_is_not_mistaken_for_it() {
    let inner = r#"{"specversion":"1.0","id":"2","source":"/x","type":"dev.dormouse.x"}"#;
    let mut event = Event::new("1", "/s", "t").with_json(inner);
    event.datacontenttype = Some("application/cloudevents+json".to_owned());
    let (headers, body) = http_binding::write(event.clone());
    assert_eq!(http_binding::read(&headers, body), Ok(event));
}

#[test]
fn events_with_more_attributes_than_headers_take_are_written_without_them() {
    let mut event = Event::new("1", "/s", "t");
    for number in 0..40_000 {
        event = event.with_extension(&format!("a{number}"), "x");
    }
    let (headers, body) = http_binding::write(event.clone());
    assert_eq!(headers.len(), 1);
    assert_eq!(http_binding::read(&headers, body), Ok(event));
    let long = Event::new("1", "/s", "t").with_extension("note", "€".repeat(20_000));
    let (headers, body) = http_binding::write(long.clone());
    assert_eq!(http_binding::read(&headers, body), Ok(long));
}
