//! The CloudEvents JSON event format 1.0.2: one event as one JSON object, a batch as an array.
//!
//! `data` keeps its bytes: it is held as raw JSON on the way in and spliced in on the way out.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::value::RawValue;

use crate::attribute::{malformed, shown};
use crate::event::{Event, ExtensionValue, InvalidEvent, SPEC_VERSION, check_name};
use crate::http_binding::{BATCH_LIMIT, BindingError};
use crate::media_type::MediaType;

/// What absent `datacontenttype` means for a member `data` (section 3.1.2). It is made explicit,
/// because in binary mode absence means nothing.
const IMPLIED: &str = "application/json";

/// Reads one event.
pub(crate) fn parse(body: &[u8]) -> Result<Event, BindingError> {
    let members: Members<'_> =
        serde_json::from_slice(body).map_err(|error| BindingError::Json(error.to_string()))?;
    members.into_event()
}

/// Reads a batch: all of its events, or why not all of them are.
pub(crate) fn parse_batch(body: &[u8]) -> Result<Vec<Event>, BindingError> {
    let elements: Elements<'_> =
        serde_json::from_slice(body).map_err(|error| BindingError::Json(error.to_string()))?;
    if elements.are_too_many {
        return Err(BindingError::LargeBatch);
    }
    let read = |(index, element): (usize, &RawValue)| {
        parse(element.get().as_bytes()).map_err(|error| BindingError::InBatch {
            index,
            error: Box::new(error),
        })
    };
    elements.found.into_iter().enumerate().map(read).collect()
}

/// A JSON object's members, to the letter.
struct Members<'a> {
    found: BTreeMap<String, &'a RawValue>,
    /// A name that is there more than once.
    twice: Option<String>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let (mut found, mut twice) = (BTreeMap::new(), None);
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    if twice.is_none() && found.contains_key(&name) {
                        twice = Some(name.clone());
                    }
                    found.insert(name, value);
                }
                Ok(Members { found, twice })
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// A JSON array's elements, to the letter.
struct Elements<'a> {
    found: Vec<&'a RawValue>,
    are_too_many: bool,
}

impl<'de: 'a, 'a> Deserialize<'de> for Elements<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Array;
        impl<'de> Visitor<'de> for Array {
            type Value = Elements<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a JSON array of events")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
                let mut found = Vec::new();
                while found.len() < BATCH_LIMIT
                    && let Some(element) = array.next_element()?
                {
                    found.push(element);
                }
                let mut are_too_many = false;
                while array.next_element::<IgnoredAny>()?.is_some() {
                    are_too_many = true;
                }
                Ok(Elements {
                    found,
                    are_too_many,
                })
            }
        }
        deserializer.deserialize_seq(Array)
    }
}

impl Members<'_> {
    fn into_event(mut self) -> Result<Event, BindingError> {
        if let Some(name) = self.twice {
            return Err(InvalidEvent::Twice(shown(&name)).into());
        }
        let version = self.require("specversion")?;
        if version != SPEC_VERSION {
            return Err(InvalidEvent::SpecVersion(shown(&version)).into());
        }
        let mut event = Event {
            id: self.require("id")?,
            source: self.require("source")?,
            ty: self.require("type")?,
            subject: self.take("subject")?,
            time: self.take("time")?,
            datacontenttype: self.take("datacontenttype")?,
            dataschema: self.take("dataschema")?,
            ..Event::default()
        };
        let data = self.found.remove("data");
        let encoded = self.found.remove("data_base64");
        for (name, raw) in self.found {
            check_name(&name)?;
            if let Some(value) = extension(&name, raw)? {
                event.extensions.insert(name, value);
            }
        }
        event.validate()?;
        event.data = match (data, encoded) {
            (Some(_), Some(_)) => return Err(InvalidEvent::TwoPayloads.into()),
            (Some(raw), None) => plain_payload(event.datacontenttype.as_deref(), raw)?,
            (None, Some(raw)) => decode(raw)?,
            (None, None) => None,
        };
        if data.is_some() && event.datacontenttype.is_none() {
            event.datacontenttype = Some(IMPLIED.to_owned());
        }
        Ok(event)
    }

    fn require(&mut self, name: &'static str) -> Result<String, BindingError> {
        Ok(self.take(name)?.ok_or(InvalidEvent::Missing(name))?)
    }

    /// An attribute's text; `null` is the same as leaving it out (section 2.2).
    fn take(&mut self, name: &'static str) -> Result<Option<String>, BindingError> {
        match self.found.remove(name) {
            None => Ok(None),
            Some(raw) if raw.get() == "null" => Ok(None),
            Some(raw) => text(name, raw).map(Some),
        }
    }
}

/// The member `data` (section 3.1.2). With a JSON media type, or none, it is the JSON value itself,
/// even `null`. With any other it is a JSON string that stands for the text; `null` is no payload.
fn plain_payload(media: Option<&str>, raw: &RawValue) -> Result<Option<Bytes>, BindingError> {
    let media = media.and_then(MediaType::parse);
    let Some(media) = media.filter(|media| !media.is_json()) else {
        return Ok(Some(Bytes::copy_from_slice(raw.get().as_bytes())));
    };
    if raw.get() == "null" {
        return Ok(None);
    }
    let expected = "a JSON string, which `data` is when `datacontenttype` is not JSON";
    let text = string(raw).ok_or_else(|| malformed("data", raw.get(), expected))?;
    if media.foreign_charset().is_some() {
        let expected = "text in UTF-8, although `datacontenttype` says so: send `data_base64`";
        return Err(malformed("data", &text, expected).into());
    }
    Ok(Some(text.into()))
}

fn decode(raw: &RawValue) -> Result<Option<Bytes>, BindingError> {
    if raw.get() == "null" {
        return Ok(None);
    }
    let encoded = text("data_base64", raw)?;
    match BASE64.decode(&encoded) {
        Ok(bytes) => Ok(Some(bytes.into())),
        Err(_) => Err(malformed("data_base64", &encoded, "base64 (RFC 4648)").into()),
    }
}

fn extension(name: &str, raw: &RawValue) -> Result<Option<ExtensionValue>, BindingError> {
    let value = match raw.get() {
        "null" => return Ok(None),
        "true" => ExtensionValue::Boolean(true),
        "false" => ExtensionValue::Boolean(false),
        json if json.starts_with('"') => ExtensionValue::String(text(name, raw)?),
        json => {
            let expected = "a string, a boolean or a 32-bit integer";
            let number = json.parse();
            ExtensionValue::Integer(number.map_err(|_| malformed(name, json, expected))?)
        }
    };
    Ok(Some(value))
}

fn text(name: &str, raw: &RawValue) -> Result<String, BindingError> {
    let expected = match raw.get().starts_with('"') {
        true => "a string without unpaired surrogates",
        false => "a string",
    };
    Ok(string(raw).ok_or_else(|| malformed(name, raw.get(), expected))?)
}

fn string(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

/// Writes an event as one JSON object.
pub(crate) fn write(event: &Event) -> Vec<u8> {
    let mut out = serde_json::to_vec(&Attributes(event)).expect("attributes are plain JSON");
    if let Some(data) = &event.data {
        out.pop();
        append_payload(&mut out, event.datacontenttype.as_deref(), data);
        out.push(b'}');
    }
    out
}

/// Writes events as one JSON array.
pub(crate) fn write_batch(events: &[Event]) -> Vec<u8> {
    let mut out = vec![b'['];
    for (index, event) in events.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend(write(event));
    }
    out.push(b']');
    out
}

struct Attributes<'a>(&'a Event);

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let event = self.0;
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("specversion", SPEC_VERSION)?;
        object.serialize_entry("id", &event.id)?;
        object.serialize_entry("source", &event.source)?;
        object.serialize_entry("type", &event.ty)?;
        for (name, value) in [
            ("subject", &event.subject),
            ("time", &event.time),
            ("datacontenttype", &event.datacontenttype),
            ("dataschema", &event.dataschema),
        ] {
            if let Some(value) = value {
                object.serialize_entry(name, value)?;
            }
        }
        for (name, value) in &event.extensions {
            match value {
                ExtensionValue::Boolean(flag) => object.serialize_entry(name, flag)?,
                ExtensionValue::Integer(number) => object.serialize_entry(name, number)?,
                ExtensionValue::String(text) => object.serialize_entry(name, text)?,
            }
        }
        object.end()
    }
}

/// JSON as it is, all else in base64: also JSON that would come back without the white space around
/// it, and data without a type, which a member `data` would make JSON.
fn append_payload(out: &mut Vec<u8>, media: Option<&str>, data: &[u8]) {
    let is_json = media
        .and_then(MediaType::parse)
        .is_some_and(|it| it.is_json());
    let parsed = is_json.then(|| serde_json::from_slice::<&RawValue>(data).ok());
    if let Some(Some(json)) = parsed
        && json.get().len() == data.len()
    {
        out.extend_from_slice(b",\"data\":");
        out.extend_from_slice(data);
        return;
    }
    out.extend_from_slice(b",\"data_base64\":\"");
    out.extend_from_slice(BASE64.encode(data).as_bytes());
    out.push(b'"');
}
