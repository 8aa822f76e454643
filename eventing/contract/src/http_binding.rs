//! The CloudEvents HTTP protocol binding 1.0.2: binary, structured and batched mode.
//!
//! Differences from a lenient reading, each a rule of the binding: media types are compared
//! without regard to case, `ce-*` values are percent-encoded and decoded (section 3.1.3.2), and
//! what is not a valid event is refused with words that name the attribute.

use std::borrow::Cow;

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use crate::attribute::shown;
use crate::event::{Event, InvalidEvent, SPEC_VERSION, check_name};
use crate::media_type::MediaType;
use crate::{header_value, json_format};

/// The media type of one event in structured mode.
pub const STRUCTURED: &str = "application/cloudevents+json";

/// The media type of a batch of events.
pub const BATCH: &str = "application/cloudevents-batch+json";

/// What the media types of all event formats begin with.
const CLOUDEVENTS: &str = "application/cloudevents";

/// So many events are taken in one batch.
pub const BATCH_LIMIT: usize = 1_000;

/// With more extensions, or more bytes in all attributes, an event does not fit the headers that
/// every HTTP server takes (as few as 100, as little as 16 KiB, where three bytes may stand for
/// one).
const HEADER_EXTENSIONS: usize = 64;
const HEADER_BYTES: usize = 4 << 10;

/// Why an HTTP message holds no CloudEvent that can be taken; always the sender's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindingError {
    /// Neither mode: no required `ce-*` header and no CloudEvents content type.
    #[error(
        "this is no CloudEvent: send `ce-id`, `ce-source`, `ce-type` and `ce-specversion` headers, \
         or a body of type `application/cloudevents+json`"
    )]
    NotAnEvent,
    /// A batch, where one event is expected.
    #[error("a batch of events is not taken here: send one event a request")]
    Batch,
    /// A batch of more than [`BATCH_LIMIT`] events.
    #[error("the batch has more than {BATCH_LIMIT} events: send it in parts")]
    LargeBatch,
    /// An event of a batch cannot be taken, so none of them is.
    #[error("event {index} of the batch (counted from 0) is not valid, so none is taken: {error}")]
    InBatch {
        /// Which event, from 0.
        index: usize,
        /// What is wrong with it.
        error: Box<BindingError>,
    },
    /// A structured format other than JSON.
    #[error("event format `{0}` is not spoken here: use `application/cloudevents+json`")]
    Format(String),
    /// A structured format in a character set other than UTF-8.
    #[error("JSON in `{0}` is not read here: send it in UTF-8 (RFC 8259, section 8.1)")]
    Charset(String),
    /// The structured body is not what its format asks for.
    #[error("the body is not in the JSON event format: {0}")]
    Json(String),
    /// A header's value is not readable text.
    #[error("header `{0}` is not valid text: percent-encode UTF-8 in `ce-` headers")]
    Header(String),
    /// The attributes break CloudEvents 1.0.2.
    #[error(transparent)]
    Invalid(#[from] InvalidEvent),
}

impl BindingError {
    /// What to answer: 415 when the format is not understood (HTTP 1.1 Web Hooks, section 2.2), 413
    /// when there is too much of it, 400 when it breaks a rule.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Batch | Self::Format(_) | Self::Charset(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::LargeBatch => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotAnEvent
            | Self::InBatch { .. }
            | Self::Json(_)
            | Self::Header(_)
            | Self::Invalid(_) => StatusCode::BAD_REQUEST,
        }
    }
}

/// What an HTTP message brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// One event, in binary or structured mode.
    One(Box<Event>),
    /// Events in batched mode; there may be none.
    Batch(Vec<Event>),
}

impl Received {
    /// The events, in the order in which they came.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        match self {
            Self::One(event) => std::slice::from_ref(event),
            Self::Batch(events) => events,
        }
    }
}

/// How a message carries events, which its `Content-Type` tells (section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Attributes as headers, the payload as the body.
    Binary,
    /// One event as JSON.
    Structured,
    /// A JSON array of events.
    Batch,
}

impl Mode {
    /// The mode of a message with these headers.
    ///
    /// # Errors
    /// A `Content-Type` that is there twice or is not text, or an event format that is not spoken.
    pub fn of(headers: &HeaderMap) -> Result<Self, BindingError> {
        Ok(match content_type(headers)? {
            Some(media) => Self::named_by(media)?,
            None => Self::Binary,
        })
    }

    fn named_by(media: &str) -> Result<Self, BindingError> {
        if !is_of_events(media) {
            return Ok(Self::Binary);
        }
        let unknown = || BindingError::Format(shown(media));
        let parsed = MediaType::parse(media).ok_or_else(unknown)?;
        let mode = match parsed.essence().as_str() {
            STRUCTURED => Self::Structured,
            BATCH => Self::Batch,
            _ => return Err(unknown()),
        };
        match parsed.foreign_charset() {
            Some(charset) => Err(BindingError::Charset(shown(charset))),
            None => Ok(mode),
        }
    }
}

fn is_of_events(media: &str) -> bool {
    media
        .get(..CLOUDEVENTS.len())
        .is_some_and(|prefix| prefix.eq_ignore_ascii_case(CLOUDEVENTS))
}

/// Reads the event in an HTTP request or response.
///
/// # Errors
/// [`BindingError`], with its HTTP status: the message is no valid event, or a batch.
pub fn read(headers: &HeaderMap, body: Bytes) -> Result<Event, BindingError> {
    match Mode::of(headers)? {
        Mode::Binary => read_binary(headers, body),
        Mode::Structured => json_format::parse(&body),
        Mode::Batch => Err(BindingError::Batch),
    }
}

/// Reads the event, or the batch of events, in an HTTP request.
///
/// # Errors
/// [`BindingError`], with its HTTP status. One invalid event refuses the whole batch.
pub fn read_many(headers: &HeaderMap, body: Bytes) -> Result<Received, BindingError> {
    match Mode::of(headers)? {
        Mode::Binary => read_binary(headers, body).map(|event| Received::One(Box::new(event))),
        Mode::Structured => json_format::parse(&body).map(|event| Received::One(Box::new(event))),
        Mode::Batch => json_format::parse_batch(&body).map(Received::Batch),
    }
}

/// Reads one event in the JSON event format.
///
/// # Errors
/// [`BindingError`]: it is no valid event.
pub fn read_structured(body: &[u8]) -> Result<Event, BindingError> {
    json_format::parse(body)
}

fn content_type(headers: &HeaderMap) -> Result<Option<&str>, BindingError> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match value.to_str() {
            Ok(media) => Ok(Some(media)),
            Err(_) => Err(header_error("content-type")),
        },
        (Some(_), Some(_)) => Err(InvalidEvent::Twice("datacontenttype".to_owned()).into()),
    }
}

/// The attributes that every event has, each with its header.
const REQUIRED: [(&str, &str); 4] = [
    ("specversion", "ce-specversion"),
    ("id", "ce-id"),
    ("source", "ce-source"),
    ("type", "ce-type"),
];

fn read_binary(headers: &HeaderMap, body: Bytes) -> Result<Event, BindingError> {
    let missing = REQUIRED.map(|(name, header)| (!headers.contains_key(header)).then_some(name));
    match missing.into_iter().flatten().next() {
        Some(_) if missing.iter().all(Option::is_some) => return Err(BindingError::NotAnEvent),
        Some(name) => return Err(InvalidEvent::Missing(name).into()),
        None => {}
    }
    let mut event = Event {
        datacontenttype: content_type(headers)?.map(str::to_owned),
        data: (!body.is_empty()).then_some(body),
        ..Event::default()
    };
    for header in headers.keys() {
        let Some(name) = header.as_str().strip_prefix("ce-") else {
            continue;
        };
        let mut values = headers.get_all(header).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(InvalidEvent::Twice(name.to_owned()).into());
        };
        set(&mut event, name, decoded(header.as_str(), value)?)?;
    }
    event.validate()?;
    Ok(event)
}

fn set(event: &mut Event, name: &str, value: String) -> Result<(), InvalidEvent> {
    match name {
        "specversion" if value == SPEC_VERSION => {}
        "specversion" => return Err(InvalidEvent::SpecVersion(shown(&value))),
        "id" => event.id = value,
        "source" => event.source = value,
        "type" => event.ty = value,
        "subject" => event.subject = Some(value),
        "time" => event.time = Some(value),
        "dataschema" => event.dataschema = Some(value),
        "datacontenttype" => return Err(InvalidEvent::ContentTypeTwice),
        extension => {
            check_name(extension)?;
            event.extensions.insert(extension.to_owned(), value.into());
        }
    }
    Ok(())
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
        .map(|value| header_value::decode(value).ok_or_else(|| header_error(header)))
        .transpose()
}

fn decoded(name: &str, value: &HeaderValue) -> Result<String, BindingError> {
    match header_value::decode(value) {
        Some(text) => Ok(text.into_owned()),
        None => Err(header_error(name)),
    }
}

fn header_error(name: &str) -> BindingError {
    BindingError::Header(name.to_owned())
}

/// Writes an event in binary mode, or, where that could not be read back, in structured mode: when
/// its attributes are too many or too long for headers, and when its payload is itself a CloudEvent,
/// whose media type would tell the receiver to read that one instead.
#[must_use]
pub fn write(event: Event) -> (HeaderMap, Bytes) {
    let media = event.datacontenttype.as_deref();
    match fits_headers(&event) && !media.is_some_and(is_of_events) {
        true => write_binary(event),
        false => write_structured(&event),
    }
}

fn fits_headers(event: &Event) -> bool {
    let optional = [&event.subject, &event.time, &event.dataschema];
    let core = event.id.len() + event.source.len() + event.ty.len();
    let optional: usize = optional.into_iter().flatten().map(String::len).sum();
    let extensions = event.extensions.iter();
    let extensions: usize = extensions
        .map(|(name, value)| name.len() + value.to_text().len())
        .sum();
    event.extensions.len() <= HEADER_EXTENSIONS && core + optional + extensions <= HEADER_BYTES
}

/// Writes an event in binary mode: attributes as headers, the payload as the body. What is passed on
/// for others goes through [`write()`], because not every event can be read back from this mode.
#[must_use]
pub fn write_binary(event: Event) -> (HeaderMap, Bytes) {
    let mut headers = HeaderMap::with_capacity(8 + event.extensions.len());
    headers.insert("ce-specversion", HeaderValue::from_static(SPEC_VERSION));
    headers.insert("ce-id", header_value::encode(&event.id));
    headers.insert("ce-source", header_value::encode(&event.source));
    headers.insert("ce-type", header_value::encode(&event.ty));
    for (name, value) in [
        ("ce-subject", &event.subject),
        ("ce-time", &event.time),
        ("ce-dataschema", &event.dataschema),
    ] {
        if let Some(value) = value {
            headers.insert(name, header_value::encode(value));
        }
    }
    for (name, value) in &event.extensions {
        if let Ok(name) = HeaderName::try_from(format!("ce-{name}")) {
            headers.insert(name, header_value::encode(&value.to_text()));
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
    let media = HeaderValue::from_static("application/cloudevents+json; charset=UTF-8");
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, media)]);
    (headers, json_format::write(event).into())
}

/// Writes events in batched mode, as the body of type [`BATCH`].
#[must_use]
pub fn write_batch(events: &[Event]) -> (HeaderMap, Bytes) {
    let media = HeaderValue::from_static("application/cloudevents-batch+json; charset=UTF-8");
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, media)]);
    (headers, json_format::write_batch(events).into())
}
