//! How any JSON webhook becomes an event: which attribute comes from where.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use dormouse_contract::Event;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderName};
use jiff::Timestamp;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::body::{Body, Pointer};
use crate::proof::header;
use crate::webhook::{Unreadable, random_id};

const JSON: &str = "application/json";

/// Where the attributes of an event come from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mapping {
    /// `type`.
    #[serde(rename = "type")]
    pub ty: Field,
    /// `source`. Default: `/webhooks/NAME`.
    #[serde(default)]
    pub source: Option<Field>,
    /// `subject`. Default: none.
    #[serde(default)]
    pub subject: Option<Field>,
    /// `id`, by which an event that comes twice is known. Default: a random one, so that none is.
    #[serde(default)]
    pub id: Option<Field>,
    /// `time`, RFC 3339. Default: when the request came.
    #[serde(default)]
    pub time: Option<Field>,
    /// The part of the body that is the event's data. Default: the whole, to the letter.
    #[serde(default)]
    pub data: Option<Pointer>,
    /// Extension attributes. Default: none.
    #[serde(default)]
    pub extensions: BTreeMap<String, Field>,
}

/// One attribute: a constant, `{pointer: /order/id}` or `{header: X-Event}`; the last two with
/// `prefix: text` before what they find, and `optional: true` where finding nothing is fine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Where it is found.
    pub origin: Origin,
    /// What stands before it.
    pub prefix: String,
    /// Whether the attribute may be left out.
    pub is_optional: bool,
}

/// Where an attribute is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In the mapping itself.
    Constant(String),
    /// In the body.
    Pointer(Pointer),
    /// In the request's head.
    Header(HeaderName),
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(text) => write!(out, "the constant `{text}`"),
            Self::Pointer(pointer) => write!(out, "the body's `{pointer}`"),
            Self::Header(name) => write!(out, "the header `{name}`"),
        }
    }
}

/// The request lacks what the mapping asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the webhook's mapping takes the event's {attribute} from {origin}, where this request has no text or number"
)]
pub struct Unmapped {
    /// Which attribute, e.g. "`subject`".
    pub attribute: String,
    /// Where it was looked for.
    pub origin: Origin,
}

impl Mapping {
    /// Whether anything is looked for in the body.
    fn needs_json(&self) -> bool {
        let named = [&self.source, &self.subject, &self.id, &self.time];
        let fields = named.into_iter().flatten().chain([&self.ty]);
        self.data.is_some()
            || fields
                .chain(self.extensions.values())
                .any(|field| matches!(field.origin, Origin::Pointer(_)))
    }

    pub(crate) fn read(
        &self,
        webhook: &str,
        headers: &HeaderMap,
        bytes: &Bytes,
        now: Timestamp,
    ) -> Result<Event, Unreadable> {
        let body = match Body::parse(bytes) {
            Ok(body) => Some(body),
            Err(error) if self.needs_json() => return Err(error.into()),
            Err(_) => None,
        };
        let find = |attribute: &str, field: &Field| field.find(attribute, headers, body.as_ref());
        let maybe = |attribute: &str, field: &Option<Field>| match field {
            Some(field) => find(attribute, field),
            None => Ok(None),
        };
        let id = maybe("id", &self.id)?.unwrap_or_else(random_id);
        let source = maybe("source", &self.source)?;
        let source = source.unwrap_or_else(|| format!("/webhooks/{webhook}"));
        let mut event = Event::new(id, source, find("type", &self.ty)?.unwrap_or_default());
        event.subject = maybe("subject", &self.subject)?;
        event.time = Some(maybe("time", &self.time)?.unwrap_or_else(|| now.to_string()));
        for (name, field) in &self.extensions {
            if let Some(value) = find(name, field)? {
                event = event.with_extension(name, value);
            }
        }
        match (&self.data, &body) {
            (Some(pointer), Some(body)) => {
                let data = body.bytes(pointer.as_str());
                event.data = Some(data.ok_or_else(|| Unmapped {
                    attribute: "data".to_owned(),
                    origin: Origin::Pointer(pointer.clone()),
                })?);
                event.datacontenttype = Some(JSON.to_owned());
            }
            (None, _) | (_, None) if bytes.is_empty() => {}
            (None, _) | (_, None) => {
                event.datacontenttype = media_type(headers, body.is_some());
                event.data = Some(bytes.clone());
            }
        }
        event.validate()?;
        Ok(event)
    }
}

impl Field {
    /// A constant.
    pub fn constant(text: impl Into<String>) -> Self {
        Self {
            origin: Origin::Constant(text.into()),
            prefix: String::new(),
            is_optional: false,
        }
    }

    fn find(
        &self,
        attribute: &str,
        headers: &HeaderMap,
        body: Option<&Body<'_>>,
    ) -> Result<Option<String>, Unmapped> {
        let found = match &self.origin {
            Origin::Constant(text) => Some(text.clone()),
            Origin::Pointer(pointer) => body.and_then(|body| body.text(pointer.as_str())),
            Origin::Header(name) => headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned),
        };
        match found.filter(|text| !text.is_empty()) {
            Some(text) => Ok(Some(format!("{}{text}", self.prefix))),
            None if self.is_optional => Ok(None),
            None => Err(Unmapped {
                attribute: format!("`{attribute}`"),
                origin: self.origin.clone(),
            }),
        }
    }
}

/// What the sender says that its body is, if that is a media type.
fn media_type(headers: &HeaderMap, is_json: bool) -> Option<String> {
    let said = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    match said.filter(|media| is_media_type(media)) {
        Some(media) => Some(media.to_owned()),
        None if is_json => Some(JSON.to_owned()),
        None => Some("application/octet-stream".to_owned()),
    }
}

fn is_media_type(text: &str) -> bool {
    let event = Event {
        datacontenttype: Some(text.to_owned()),
        ..Event::new("1", "/", "t")
    };
    event.validate().is_ok()
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Field;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a text, `{pointer: /…}` or `{header: …}`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Field, E> {
                match text {
                    "" => Err(E::custom("is empty: leave it out, or give it a value")),
                    text => Ok(Field::constant(text)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Field, A::Error> {
                Written::deserialize(MapAccessDeserializer::new(map))?.field()
            }
        }
        from.deserialize_any(Either)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    #[serde(default)]
    pointer: Option<Pointer>,
    #[serde(default)]
    header: Option<Named>,
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    optional: bool,
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Named(#[serde(deserialize_with = "header::deserialize")] HeaderName);

impl Written {
    fn field<E: de::Error>(self) -> Result<Field, E> {
        let origin = match (self.pointer, self.header) {
            (Some(pointer), None) => Origin::Pointer(pointer),
            (None, Some(Named(name))) => Origin::Header(name),
            (Some(_), Some(_)) | (None, None) => {
                return Err(E::custom(
                    "takes exactly one of `pointer` and `header`; a constant is written as a text",
                ));
            }
        };
        Ok(Field {
            origin,
            prefix: self.prefix,
            is_optional: self.optional,
        })
    }
}
