//! Batched mode (HTTP binding, section 3.3) and the JSON batch format.

use bytes::Bytes;
use dormouse_contract::Event;
use dormouse_contract::http_binding::{self, BATCH, BATCH_LIMIT, BindingError, Received};

use crate::message::headers;

const EVENT: &str = r#"{"specversion":"1.0","id":"1","source":"/s","type":"t"}"#;

fn batch(body: &str) -> Result<Received, BindingError> {
    let headers = headers([("content-type", BATCH)]);
    http_binding::read_many(&headers, Bytes::copy_from_slice(body.as_bytes()))
}

#[test]
fn events_of_a_batch_come_in_their_order() {
    let other = r#"{"specversion":"1.0","id":"2","source":"/z","type":"u","data_base64":"AP8="}"#;
    let Ok(Received::Batch(events)) = batch(&format!("[{EVENT}, {other}]")) else {
        panic!("a batch");
    };
    let ids: Vec<_> = events.iter().map(|event| event.id.as_str()).collect();
    assert_eq!(ids, ["1", "2"]);
    assert_eq!(events[1].data.as_deref(), Some(&b"\x00\xff"[..]));
}

#[test]
fn a_batch_may_be_empty() {
    assert_eq!(batch(" [ ] "), Ok(Received::Batch(vec![])));
}

#[test]
fn one_event_is_no_batch() {
    let one = headers([("content-type", "application/cloudevents+json")]);
    let received = http_binding::read_many(&one, Bytes::from(EVENT)).unwrap();
    assert_eq!(
        received,
        Received::One(Box::new(Event::new("1", "/s", "t")))
    );
    assert_eq!(received.events().len(), 1);
}

#[test]
fn one_invalid_event_refuses_all_and_is_named() {
    for (broken, named) in [
        (EVENT.replace("1.0", "0.9"), "`specversion`"),
        (EVENT.replace("\"id\":\"1\",", ""), "`id`"),
        (EVENT.replace("/s", "a b"), "`source`"),
        ("\"not an object\"".to_owned(), "JSON object"),
        ("null".to_owned(), "JSON object"),
        ("[]".to_owned(), "JSON object"),
    ] {
        let error = batch(&format!("[{EVENT},{EVENT},{broken}]")).unwrap_err();
        let words = error.to_string();
        assert_eq!(error.status(), 400, "{words}");
        assert!(
            words.contains("event 2 ") && words.contains(named),
            "{words}"
        );
    }
}

#[test]
fn what_is_no_array_is_refused() {
    for body in ["", "{}", EVENT, "[", "[1,]", "null", "[]]"] {
        let error = batch(body).unwrap_err();
        assert_eq!(error.status(), 400, "{body}: {error}");
        assert!(error.to_string().contains("JSON"), "{body}: {error}");
    }
}

#[test]
fn a_batch_has_a_bound() {
    let of = |count: usize| format!("[{}]", vec![EVENT; count].join(","));
    assert_eq!(batch(&of(BATCH_LIMIT)).unwrap().events().len(), BATCH_LIMIT);
    let error = batch(&of(BATCH_LIMIT + 1)).unwrap_err();
    assert_eq!(error.status(), 413);
    assert!(error.to_string().contains("1000 events"), "{error}");
    let error = batch(&format!("[{}1]", "1,".repeat(100_000))).unwrap_err();
    assert_eq!(error, BindingError::LargeBatch);
}
