//! The CloudEvents HTTP protocol binding 1.0.2, binary and structured mode.
//!
//! Differences from a lenient reading, each a rule of the binding: media types are compared
//! without regard to case, `ce-*` values are percent-encoded and decoded (section 3.1.3.2), and
//! what is not a valid event is refused with words that name the attribute.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::event::{Event, InvalidEvent, SPEC_VERSION, check_name};
use crate::json_format;

/// The media type of one event in structured mode.
pub const STRUCTURED: &str = "application/cloudevents+json";

/// Space, double quote, percent and all outside printable ASCII (binding, section 3.1.3.2).
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');

/// Why an HTTP message holds no CloudEvent that can be taken; always the sender's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindingError {
    /// Neither mode: no `ce-specversion` header and no CloudEvents content type.
    #[error(
        "this is no CloudEvent: send `ce-id`, `ce-source`, `ce-type` and `ce-specversion` headers, \
         or a body of type `application/cloudevents+json`"
    )]
    NotAnEvent,
    /// A batch, where one event is expected.
    #[error("a batch of events is not taken here: send one event a request")]
    Batch,
    /// A structured format other than JSON.
    #[error("event format `{0}` is not spoken here: use `application/cloudevents+json`")]
    Format(String),
    /// The structured body is no JSON object.
    #[error("the body is not a JSON object: {0}")]
    Json(String),
    /// A header's value is not readable text.
    #[error("header `{0}` is not valid text: percent-encode UTF-8 in `ce-` headers")]
    Header(String),
    /// The attributes break CloudEvents 1.0.2.
    #[error(transparent)]
    Invalid(#[from] InvalidEvent),
}

/// Reads the event in an HTTP request or response.
///
/// # Errors
/// [`BindingError`]: the message is no valid event; answer 400 (415 for
/// [`Batch`](BindingError::Batch) and [`Format`](BindingError::Format)).
pub fn read(headers: &HeaderMap, body: Bytes) -> Result<Event, BindingError> {
    let media = match headers.get(CONTENT_TYPE) {
        None => None,
        Some(value) => Some(value.to_str().map_err(|_| header_error("content-type"))?),
    };
    let lower = media.map(str::to_ascii_lowercase);
    let essence = lower
        .as_deref()
        .map(|media| media.split(';').next().unwrap_or(media).trim());
    match essence {
        Some(STRUCTURED) => json_format::parse(&body),
        Some(batch) if batch.starts_with("application/cloudevents-batch") => {
            Err(BindingError::Batch)
        }
        Some(other) if other.starts_with("application/cloudevents") => {
            Err(BindingError::Format(other.to_owned()))
        }
        Some(_) | None => read_binary(headers, media, body),
    }
}

fn read_binary(
    headers: &HeaderMap,
    media: Option<&str>,
    body: Bytes,
) -> Result<Event, BindingError> {
    let version = headers
        .get("ce-specversion")
        .ok_or(BindingError::NotAnEvent)?;
    let version = decoded("ce-specversion", version)?;
    if version != SPEC_VERSION {
        return Err(InvalidEvent::SpecVersion(version).into());
    }
    let mut event = Event {
        datacontenttype: media.map(str::to_owned),
        data: (!body.is_empty()).then_some(body),
        ..Event::default()
    };
    let mut seen = [false; 3];
    for (header, value) in headers {
        let Some(name) = header.as_str().strip_prefix("ce-") else {
            continue;
        };
        let value = decoded(header.as_str(), value)?;
        match name {
            "specversion" => {}
            "id" => (event.id, seen[0]) = (value, true),
            "source" => (event.source, seen[1]) = (value, true),
            "type" => (event.ty, seen[2]) = (value, true),
            "subject" => event.subject = Some(value),
            "time" => event.time = Some(value),
            "dataschema" => event.dataschema = Some(value),
            extension => {
                check_name(extension)?;
                event.extensions.insert(extension.to_owned(), value.into());
            }
        }
    }
    for (seen, name) in seen.into_iter().zip(["id", "source", "type"]) {
        if !seen {
            return Err(InvalidEvent::Missing(name).into());
        }
    }
    event.validate()?;
    Ok(event)
}

/// Reads one attribute of an event in binary mode by its header, e.g. `ce-taskid`, for readers who
/// need a few attributes and not the whole event. `None` when the header is absent.
///
/// # Errors
/// [`BindingError::Header`] when the value is not readable text.
pub fn attribute<'a>(
    headers: &'a HeaderMap,
    header: &'static str,
) -> Result<Option<Cow<'a, str>>, BindingError> {
    headers
        .get(header)
        .map(|value| decode(header, value))
        .transpose()
}

fn decoded(name: &str, value: &HeaderValue) -> Result<String, BindingError> {
    decode(name, value).map(Cow::into_owned)
}

fn decode<'a>(name: &str, value: &'a HeaderValue) -> Result<Cow<'a, str>, BindingError> {
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| header_error(name))?;
    match unquoted(text) {
        Cow::Borrowed(text) => percent_decode_str(text).decode_utf8(),
        Cow::Owned(text) => percent_decode_str(&text)
            .decode_utf8()
            .map(|text| text.into_owned().into()),
    }
    .map_err(|_| header_error(name))
}

/// Some senders quote header values; the binding asks receivers to undo that first.
fn unquoted(text: &str) -> Cow<'_, str> {
    let inner = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    match inner {
        None => text.into(),
        Some(inner) if !inner.contains('\\') => inner.into(),
        Some(inner) => {
            let mut out = String::with_capacity(inner.len());
            let mut letters = inner.chars();
            while let Some(letter) = letters.next() {
                out.extend(if letter == '\\' {
                    letters.next()
                } else {
                    Some(letter)
                });
            }
            out.into()
        }
    }
}

fn header_error(name: &str) -> BindingError {
    BindingError::Header(name.to_owned())
}

/// Writes an event in binary mode: attributes as headers, the payload as the body.
#[must_use]
pub fn write_binary(event: Event) -> (HeaderMap, Bytes) {
    let mut headers = HeaderMap::with_capacity(8 + event.extensions.len());
    headers.insert("ce-specversion", HeaderValue::from_static(SPEC_VERSION));
    headers.insert("ce-id", encoded(&event.id));
    headers.insert("ce-source", encoded(&event.source));
    headers.insert("ce-type", encoded(&event.ty));
    for (name, value) in [
        ("ce-subject", &event.subject),
        ("ce-time", &event.time),
        ("ce-dataschema", &event.dataschema),
    ] {
        if let Some(value) = value {
            headers.insert(name, encoded(value));
        }
    }
    for (name, value) in &event.extensions {
        if let Ok(name) = HeaderName::try_from(format!("ce-{name}")) {
            headers.insert(name, encoded(&value.to_text()));
        }
    }
    if let Some(media) = &event.datacontenttype
        && let Ok(value) = HeaderValue::from_str(media)
    {
        headers.insert(CONTENT_TYPE, value);
    }
    (headers, event.data.unwrap_or_default())
}

/// Writes an event in structured mode, as the body of type [`STRUCTURED`].
#[must_use]
pub fn write_structured(event: &Event) -> (HeaderMap, Bytes) {
    let mut headers = HeaderMap::with_capacity(1);
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/cloudevents+json; charset=UTF-8"),
    );
    (headers, json_format::write(event).into())
}

fn encoded(value: &str) -> HeaderValue {
    let text: Cow<'_, str> = utf8_percent_encode(value, ENCODED).into();
    HeaderValue::from_str(&text).expect("percent-encoded text is a valid header value")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn structured(body: &str) -> Result<Event, BindingError> {
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("Application/CloudEvents+JSON"),
        );
        read(&headers, Bytes::copy_from_slice(body.as_bytes()))
    }

    #[test]
    fn structured_data_keeps_its_bytes() {
        let event = structured(
            r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","n":7,"data":{ "b":1.0, "a":2}}"#,
        )
        .unwrap();
        assert_eq!(event.data.unwrap(), r#"{ "b":1.0, "a":2}"#);
        assert_eq!(event.extensions["n"], crate::ExtensionValue::Integer(7));
    }

    #[test]
    fn what_is_no_event_says_what_to_send() {
        let error = read(&HeaderMap::new(), Bytes::new()).unwrap_err();
        assert!(error.to_string().contains("ce-specversion"));
    }

    #[test]
    fn invalid_structured_events_name_their_attribute() {
        for (body, named) in [
            (r#"{"id":"1","source":"/s","type":"t"}"#, "specversion"),
            (r#"{"specversion":"1.0","source":"/s","type":"t"}"#, "`id`"),
            (
                r#"{"specversion":"1.0","id":"","source":"/s","type":"t"}"#,
                "`id`",
            ),
            (
                r#"{"specversion":"1.0","id":1,"source":"/s","type":"t"}"#,
                "`id`",
            ),
            (
                r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","bad_name":"x"}"#,
                "bad_name",
            ),
            (
                r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","x":1.5}"#,
                "`x`",
            ),
            (
                r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","data":1,"data_base64":"MQ=="}"#,
                "data_base64",
            ),
            (
                r#"{"specversion":"0.3","id":"1","source":"/s","type":"t"}"#,
                "0.3",
            ),
        ] {
            let error = structured(body).unwrap_err().to_string();
            assert!(error.contains(named), "{body}: {error}");
        }
    }

    prop_compose! {
        fn any_event()(
            id in "\\PC{1,20}",
            ty in "\\PC{1,20}",
            subject in proptest::option::of("\\PC{1,20}"),
            extension in "\\PC{0,20}",
            number in any::<i32>(),
            data in proptest::option::of(proptest::collection::vec(any::<u8>(), 1..50)),
        ) -> Event {
            let mut event = Event::new(id, "/source", ty)
                .with_extension("text", extension)
                .with_extension("number", crate::ExtensionValue::Integer(number));
            event.subject = subject;
            if let Some(data) = data {
                event.datacontenttype = Some("application/octet-stream".to_owned());
                event.data = Some(data.into());
            }
            event
        }
    }

    proptest! {
        #[test]
        fn structured_mode_round_trips(event in any_event()) {
            let (headers, body) = write_structured(&event);
            prop_assert_eq!(read(&headers, body), Ok(event));
        }

        #[test]
        fn binary_mode_round_trips_with_extensions_as_text(event in any_event()) {
            let (headers, body) = write_binary(event.clone());
            let mut expected = event;
            for value in expected.extensions.values_mut() {
                *value = value.to_text().into_owned().into();
            }
            prop_assert_eq!(read(&headers, body), Ok(expected));
        }

        #[test]
        fn any_bytes_are_refused_or_taken_without_a_panic(
            media in "\\PC{0,40}",
            names in proptest::collection::vec("ce-[a-zA-Z0-9_]{0,12}", 0..6),
            value in proptest::collection::vec(any::<u8>(), 0..30),
            body in proptest::collection::vec(any::<u8>(), 0..80),
        ) {
            let mut headers = HeaderMap::new();
            if let Ok(media) = HeaderValue::from_str(&media) {
                headers.insert(CONTENT_TYPE, media);
            }
            for name in names {
                if let (Ok(name), Ok(value)) =
                    (HeaderName::try_from(name), HeaderValue::from_bytes(&value))
                {
                    headers.insert(name, value);
                }
            }
            if let Ok(event) = read(&headers, body.into()) {
                prop_assert_eq!(event.validate(), Ok(()));
            }
        }
    }
}
