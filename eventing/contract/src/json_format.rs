//! The CloudEvents JSON event format 1.0.2: one event as one JSON object.
//!
//! `data` keeps its bytes: it is held as raw JSON on the way in and spliced in on the way out.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde_json::value::RawValue;

use crate::event::{Event, ExtensionValue, InvalidEvent, SPEC_VERSION, check_name};
use crate::http_binding::BindingError;

pub(crate) fn parse(body: &[u8]) -> Result<Event, BindingError> {
    let mut members: BTreeMap<String, Box<RawValue>> =
        serde_json::from_slice(body).map_err(|error| BindingError::Json(error.to_string()))?;
    let mut take = |name: &'static str| -> Result<Option<String>, BindingError> {
        match members.remove(name) {
            None => Ok(None),
            Some(raw) if raw.get() == "null" => Ok(None),
            Some(raw) => text(name, &raw).map(Some),
        }
    };
    let version = take("specversion")?.ok_or(InvalidEvent::Missing("specversion"))?;
    if version != SPEC_VERSION {
        return Err(InvalidEvent::SpecVersion(version).into());
    }
    let mut event = Event {
        id: take("id")?.ok_or(InvalidEvent::Missing("id"))?,
        source: take("source")?.ok_or(InvalidEvent::Missing("source"))?,
        ty: take("type")?.ok_or(InvalidEvent::Missing("type"))?,
        subject: take("subject")?,
        time: take("time")?,
        datacontenttype: take("datacontenttype")?,
        dataschema: take("dataschema")?,
        extensions: BTreeMap::new(),
        data: None,
    };
    let data = members.remove("data");
    let encoded = members.remove("data_base64");
    event.data = match (data, encoded) {
        (Some(_), Some(_)) => return Err(InvalidEvent::TwoPayloads.into()),
        (Some(raw), None) => Some(plain_payload(&event, &raw)?),
        (None, Some(raw)) => Some(decode(&raw)?),
        (None, None) => None,
    };
    for (name, raw) in members {
        check_name(&name)?;
        if let Some(value) = extension(&name, &raw)? {
            event.extensions.insert(name, value);
        }
    }
    event.validate()?;
    Ok(event)
}

/// With a JSON media type (or none) `data` is a JSON value; with any other, a JSON string stands
/// for the text itself (JSON event format, section 3.1.1).
fn plain_payload(event: &Event, raw: &RawValue) -> Result<Bytes, BindingError> {
    if is_json(event.datacontenttype.as_deref()) || !raw.get().starts_with('"') {
        return Ok(Bytes::copy_from_slice(raw.get().as_bytes()));
    }
    Ok(text("data", raw)?.into())
}

fn decode(raw: &RawValue) -> Result<Bytes, BindingError> {
    let encoded = text("data_base64", raw)?;
    let bytes = BASE64
        .decode(&encoded)
        .map_err(|_| InvalidEvent::Malformed {
            name: "data_base64".to_owned(),
            value: encoded,
            expected: "base64 (RFC 4648)",
        })?;
    Ok(bytes.into())
}

fn extension(name: &str, raw: &RawValue) -> Result<Option<ExtensionValue>, BindingError> {
    let value = match raw.get().as_bytes().first() {
        Some(b'"') => ExtensionValue::String(text(name, raw)?),
        Some(b't') => ExtensionValue::Boolean(true),
        Some(b'f') => ExtensionValue::Boolean(false),
        Some(b'n') => return Ok(None),
        Some(_) | None => match raw.get().parse::<i32>() {
            Ok(number) => ExtensionValue::Integer(number),
            Err(_) => {
                return Err(wrong_type(
                    name,
                    raw,
                    "a string, a boolean or a 32-bit integer",
                ));
            }
        },
    };
    Ok(Some(value))
}

fn text(name: &str, raw: &RawValue) -> Result<String, BindingError> {
    serde_json::from_str(raw.get()).map_err(|_| wrong_type(name, raw, "a string"))
}

fn wrong_type(name: &str, raw: &RawValue, expected: &'static str) -> BindingError {
    InvalidEvent::Malformed {
        name: name.to_owned(),
        value: raw.get().chars().take(80).collect(),
        expected,
    }
    .into()
}

/// Whether a media type says JSON: absent, `*/json` or `*/*+json`, in any case, with parameters.
pub(crate) fn is_json(datacontenttype: Option<&str>) -> bool {
    datacontenttype.is_none_or(|media| {
        media
            .parse::<mime::Mime>()
            .is_ok_and(|media| media.subtype() == mime::JSON || media.suffix() == Some(mime::JSON))
    })
}

/// Writes an event as one JSON object.
pub(crate) fn write(event: &Event) -> Vec<u8> {
    let mut members = serde_json::Map::new();
    members.insert("specversion".into(), SPEC_VERSION.into());
    members.insert("id".into(), event.id.clone().into());
    members.insert("source".into(), event.source.clone().into());
    members.insert("type".into(), event.ty.clone().into());
    for (name, value) in [
        ("subject", &event.subject),
        ("time", &event.time),
        ("datacontenttype", &event.datacontenttype),
        ("dataschema", &event.dataschema),
    ] {
        if let Some(value) = value {
            members.insert(name.into(), value.clone().into());
        }
    }
    for (name, value) in &event.extensions {
        let value = match value {
            ExtensionValue::Boolean(flag) => (*flag).into(),
            ExtensionValue::Integer(number) => (*number).into(),
            ExtensionValue::String(text) => text.clone().into(),
        };
        members.insert(name.clone(), value);
    }
    let mut out = serde_json::Value::Object(members).to_string().into_bytes();
    if let Some(data) = &event.data {
        out.pop();
        append_payload(&mut out, event.datacontenttype.as_deref(), data);
        out.push(b'}');
    }
    out
}

fn append_payload(out: &mut Vec<u8>, media: Option<&str>, data: &[u8]) {
    if is_json(media) && serde_json::from_slice::<&RawValue>(data).is_ok() {
        out.extend_from_slice(b",\"data\":");
        out.extend_from_slice(data);
        return;
    }
    out.extend_from_slice(b",\"data_base64\":\"");
    out.extend_from_slice(BASE64.encode(data).as_bytes());
    out.push(b'"');
}
