//! HTTP messages to read.

use bytes::Bytes;
use dormouse_contract::Event;
use dormouse_contract::http_binding::{self, BindingError};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

pub const MINIMAL: [(&str, &str); 4] = [
    ("ce-specversion", "1.0"),
    ("ce-id", "1"),
    ("ce-source", "/s"),
    ("ce-type", "t"),
];

/// Headers in their order; the same name may come twice.
pub fn headers<N: AsRef<str>, V: AsRef<[u8]>>(all: impl IntoIterator<Item = (N, V)>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in all {
        headers.append(
            HeaderName::try_from(name.as_ref()).expect("a name"),
            HeaderValue::from_bytes(value.as_ref()).expect("a value"),
        );
    }
    headers
}

/// Reads a minimal event in binary mode, with these headers more.
pub fn binary(more: &[(&str, &str)]) -> Result<Event, BindingError> {
    let all = MINIMAL.iter().chain(more).copied();
    http_binding::read(&headers(all), Bytes::new())
}

/// Reads a body of this media type.
pub fn typed(media: &str, body: &str) -> Result<Event, BindingError> {
    let headers = headers([(CONTENT_TYPE.as_str(), media)]);
    http_binding::read(&headers, Bytes::copy_from_slice(body.as_bytes()))
}

/// Reads a JSON object in structured mode.
pub fn structured(body: &str) -> Result<Event, BindingError> {
    typed("application/cloudevents+json", body)
}

/// Reads a minimal event in structured mode, with these members more.
pub fn with_members(members: &str) -> Result<Event, BindingError> {
    structured(&format!(
        r#"{{"specversion":"1.0","id":"1","source":"/s","type":"t",{members}}}"#
    ))
}

/// The error's text, which names the attribute.
#[track_caller]
pub fn refused(read: Result<Event, BindingError>, status: u16, named: &str) {
    let error = read.expect_err(named);
    let words = error.to_string();
    assert_eq!(error.status(), status, "{words}");
    assert!(words.contains(named), "{words} should name {named}");
}
