//! What a request to `/` brings: the platform's call of a tool, or an event of some producer.
//!
//! Calls are the hot path: of their attributes only those are read that a call needs, straight
//! from the headers, and those that the reply repeats are passed on as they came. Of an event in
//! structured mode those same attributes are turned into headers first, so that there is one way
//! from there.

use std::borrow::Cow;

use bytes::Bytes;
use dormouse_contract::http_binding::{self, BindingError, Mode};
use dormouse_contract::task::{
    ATTEMPT, ATTEMPT_TOKEN, DEADLINE, PRINCIPAL, REQUESTED, ROUND, TASK_ID, TRACEPARENT,
};
use dormouse_contract::trace::TraceParent;
use dormouse_contract::{Event, InvalidEvent};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;

const TYPE_HEADER: &str = "ce-type";

/// The attributes that everything said about an attempt repeats.
const REPEATED: [HeaderName; 5] = [
    HeaderName::from_static("ce-taskid"),
    HeaderName::from_static("ce-attempttoken"),
    HeaderName::from_static("ce-round"),
    HeaderName::from_static("ce-attempt"),
    HeaderName::from_static("ce-traceparent"),
];

/// The extensions that tell of an attempt.
const OF_ATTEMPTS: [&str; 7] = [
    TASK_ID,
    ATTEMPT_TOKEN,
    ROUND,
    ATTEMPT,
    TRACEPARENT,
    DEADLINE,
    PRINCIPAL,
];

/// What was delivered.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// A `task.requested` event: its attempt, and its data.
    Call(Attempt, Bytes),
    /// Any other event.
    Event(Attempt, Box<Event>),
}

/// One attempt of a task, as the attributes of its event tell it.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    /// The task's id; for an event without one, the event's own.
    pub task: String,
    /// The event's subject: for a call, the tool's declared name.
    pub subject: Option<String>,
    pub round: u32,
    pub attempt: u32,
    pub deadline: Option<Timestamp>,
    pub principal: String,
    pub trace: TraceParent,
    /// What [`REPEATED`] names, as it came.
    pub repeated: Vec<(HeaderName, HeaderValue)>,
}

impl Attempt {
    fn read(headers: &HeaderMap) -> Result<Self, BindingError> {
        let text = |header| http_binding::attribute(headers, header);
        let id = text("ce-id")?.unwrap_or_default();
        let trace = text("ce-traceparent")?.and_then(|text| text.parse().ok());
        let mut repeated = Vec::with_capacity(REPEATED.len());
        for name in REPEATED {
            if let Some(value) = headers.get(&name) {
                repeated.push((name, value.clone()));
            }
        }
        Ok(Self {
            task: text("ce-taskid")?.unwrap_or(id).into_owned(),
            subject: text("ce-subject")?.map(Cow::into_owned),
            round: parse(ROUND, text("ce-round")?, "a number from 1")?.unwrap_or(1),
            attempt: parse(ATTEMPT, text("ce-attempt")?, "a number from 1")?.unwrap_or(1),
            deadline: parse(DEADLINE, text("ce-deadline")?, "an RFC 3339 timestamp")?,
            principal: text("ce-principal")?.map_or_else(String::new, Cow::into_owned),
            trace: trace.unwrap_or_else(TraceParent::random),
            repeated,
        })
    }

    /// An attempt that nobody waits for.
    pub(crate) fn nobodys() -> Self {
        Self {
            task: String::new(),
            subject: None,
            round: 1,
            attempt: 1,
            deadline: None,
            principal: String::new(),
            trace: TraceParent::random(),
            repeated: Vec::new(),
        }
    }

    /// Whether events about it would be believed.
    pub(crate) fn has_token(&self) -> bool {
        self.token().is_some()
    }

    /// The attempt's secret.
    pub(crate) fn token(&self) -> Option<&str> {
        let mut repeated = self.repeated.iter();
        let (_, token) = repeated.find(|(name, _)| *name == REPEATED[1])?;
        token.to_str().ok()
    }
}

fn parse<T: std::str::FromStr>(
    name: &str,
    value: Option<Cow<'_, str>>,
    expected: &'static str,
) -> Result<Option<T>, BindingError> {
    let Some(value) = value else {
        return Ok(None);
    };
    value.parse().map(Some).map_err(|_| {
        let (name, value) = (name.to_owned(), value.into_owned());
        BindingError::Invalid(InvalidEvent::Malformed {
            name,
            value,
            expected,
        })
    })
}

/// Reads what was delivered.
///
/// # Errors
/// [`BindingError`]: it is no valid CloudEvent.
pub(crate) fn read(headers: &HeaderMap, body: Bytes) -> Result<Delivery, BindingError> {
    let is_binary = Mode::of(headers)? == Mode::Binary;
    if is_binary && is_call(headers) && is_complete(headers) {
        return Ok(Delivery::Call(Attempt::read(headers)?, body));
    }
    let event = http_binding::read(headers, body)?;
    let attempt = match is_binary {
        true => Attempt::read(headers)?,
        false => Attempt::read(&attempt_headers(&event))?,
    };
    Ok(match event.ty == REQUESTED {
        true => Delivery::Call(attempt, event.data.unwrap_or_default()),
        false => Delivery::Event(attempt, bare(event)),
    })
}

/// The headers of binary mode that [`Attempt::read`] looks at.
fn attempt_headers(event: &Event) -> HeaderMap {
    let mut known = Event::new(event.id.as_str(), event.source.as_str(), event.ty.as_str());
    known.subject.clone_from(&event.subject);
    for name in OF_ATTEMPTS {
        if let Some(value) = event.extensions.get(name) {
            known.extensions.insert(name.to_owned(), value.clone());
        }
    }
    http_binding::write_binary(known).0
}

/// Handlers are shown no secrets: what they copy into events of their own must not carry them.
fn bare(mut event: Event) -> Box<Event> {
    event.extensions.remove(ATTEMPT_TOKEN);
    Box::new(event)
}

fn is_call(headers: &HeaderMap) -> bool {
    headers.get(TYPE_HEADER).is_some_and(|ty| ty == REQUESTED)
}

/// Whether the required attributes are there; when not, [`http_binding::read`] says which.
fn is_complete(headers: &HeaderMap) -> bool {
    let filled = |name: &str| headers.get(name).is_some_and(|value| !value.is_empty());
    headers
        .get("ce-specversion")
        .is_some_and(|version| version == dormouse_contract::event::SPEC_VERSION)
        && filled("ce-id")
        && filled("ce-source")
}

#[cfg(test)]
mod tests {
    use http::header::CONTENT_TYPE;

    use super::*;

    const CALL: [(&str, &str); 10] = [
        ("specversion", "1.0"),
        ("id", "e1"),
        ("source", "/dormouse"),
        ("type", REQUESTED),
        ("subject", "greet"),
        (TASK_ID, "t1"),
        (ATTEMPT, "2"),
        (ATTEMPT_TOKEN, "secret"),
        (PRINCIPAL, "local%2Fanonymous"),
        (DEADLINE, "2026-11-22T10:00:00Z"),
    ];

    fn binary(attributes: &[(&str, &str)]) -> HeaderMap {
        let header = |(name, value): &(&str, &str)| {
            let name = HeaderName::try_from(format!("ce-{name}")).unwrap();
            (name, value.parse().unwrap())
        };
        attributes.iter().map(header).collect()
    }

    fn structured(attributes: &[(&str, &str)]) -> (HeaderMap, Bytes) {
        let mut members: serde_json::Map<_, _> = attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).into()))
            .collect();
        members.insert("data".into(), serde_json::json!({"method": "tools/call"}));
        let mut headers = HeaderMap::new();
        let media = HeaderValue::from_static("Application/CloudEvents+JSON; charset=utf-8");
        headers.insert(CONTENT_TYPE, media);
        (
            headers,
            serde_json::Value::Object(members).to_string().into(),
        )
    }

    fn check(delivery: Delivery) {
        let Delivery::Call(attempt, body) = delivery else {
            panic!("{delivery:?}");
        };
        assert_eq!(body, r#"{"method":"tools/call"}"#);
        assert_eq!(
            (attempt.task.as_str(), attempt.round, attempt.attempt),
            ("t1", 1, 2)
        );
        assert_eq!(attempt.subject.as_deref(), Some("greet"));
        assert!(attempt.deadline.is_some() && attempt.has_token());
        assert!(attempt.trace.to_string().starts_with("00-"));
    }

    #[test]
    fn a_call_reads_the_same_in_both_modes() {
        check(
            read(
                &binary(&CALL),
                Bytes::from_static(br#"{"method":"tools/call"}"#),
            )
            .unwrap(),
        );
        let (headers, body) = structured(&CALL);
        check(read(&headers, body).unwrap());
    }

    #[test]
    fn other_events_come_whole_but_for_the_secret() {
        let mut attributes = CALL;
        attributes[3].1 = "com.github.push";
        let (headers, body) = structured(&attributes);
        for delivery in [
            read(&binary(&attributes), Bytes::new()),
            read(&headers, body),
        ] {
            let Delivery::Event(attempt, event) = delivery.unwrap() else {
                panic!("an event");
            };
            assert_eq!(event.ty, "com.github.push");
            assert!(attempt.has_token() && event.extension(ATTEMPT_TOKEN).is_none());
        }
    }

    #[test]
    fn what_is_wrong_with_a_call_is_named() {
        for (index, value, named) in [
            (0, "0.3", "specversion"),
            (1, "", "`id`"),
            (2, "", "`source`"),
            (6, "x", "`attempt`"),
            (9, "noon", "`deadline`"),
        ] {
            let mut attributes = CALL;
            attributes[index].1 = value;
            let error = read(&binary(&attributes), Bytes::new()).unwrap_err();
            assert!(
                error.to_string().contains(named),
                "{error} should name {named}"
            );
        }
        assert!(read(&HeaderMap::new(), Bytes::new()).is_err());
    }
}
