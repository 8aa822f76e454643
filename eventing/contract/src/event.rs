//! The event envelope: CloudEvents 1.0.2 context attributes over bytes.
//!
//! [`Event`] holds `data` as the bytes that arrived. [`Event::validate`] applies the rules of the
//! CloudEvents specification, "Context Attributes": which attributes there must be, how extensions
//! are named, and what each type looks like.

use std::collections::BTreeMap;

use bytes::Bytes;

pub use crate::attribute::check_name;
use crate::attribute::{check_string, is_absolute_uri, is_timestamp, is_uri_reference, malformed};
use crate::media_type::MediaType;

/// The only `specversion` that is spoken here.
pub const SPEC_VERSION: &str = "1.0";

/// One CloudEvent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Event {
    /// Unique for a `source`; never empty.
    pub id: String,
    /// Who emitted it: a URI-reference, never empty.
    pub source: String,
    /// `type`: what kind of occurrence it tells, e.g. `com.github.push`; never empty.
    pub ty: String,
    /// What in the source it is about.
    pub subject: Option<String>,
    /// When it happened, RFC 3339.
    pub time: Option<String>,
    /// The media type of `data` (RFC 2046); absent means JSON in the structured JSON format.
    pub datacontenttype: Option<String>,
    /// A URI of the schema of `data`.
    pub dataschema: Option<String>,
    /// Extension attributes, by their lower-case names.
    pub extensions: BTreeMap<String, ExtensionValue>,
    /// The payload as it arrived; `None` when there is none.
    pub data: Option<Bytes>,
}

/// The value of an extension attribute. In binary mode every value travels as a string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExtensionValue {
    /// `true` or `false`.
    Boolean(bool),
    /// A 32-bit integer.
    Integer(i32),
    /// A string, URI, timestamp or base64 text.
    String(String),
}

impl ExtensionValue {
    /// The canonical string form of the value, as binary mode carries it.
    #[must_use]
    pub fn to_text(&self) -> std::borrow::Cow<'_, str> {
        match self {
            Self::Boolean(true) => "true".into(),
            Self::Boolean(false) => "false".into(),
            Self::Integer(number) => number.to_string().into(),
            Self::String(text) => text.as_str().into(),
        }
    }
}

impl From<&str> for ExtensionValue {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for ExtensionValue {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

/// Why something is no valid CloudEvent; the text names the attribute.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEvent {
    /// A required attribute is absent.
    #[error("attribute `{0}` is missing: every CloudEvent has id, source, type and specversion")]
    Missing(&'static str),
    /// An attribute that must not be empty is.
    #[error("attribute `{0}` is empty: leave it out or give it a value")]
    Empty(&'static str),
    /// `specversion` is not [`SPEC_VERSION`].
    #[error("attribute `specversion` is `{0}`: this platform speaks CloudEvents 1.0")]
    SpecVersion(String),
    /// An attribute's value breaks its type's rule.
    #[error("attribute `{name}` is `{value}`, which is not {expected}")]
    Malformed {
        /// The attribute.
        name: String,
        /// What was sent.
        value: String,
        /// What the specification asks for.
        expected: &'static str,
    },
    /// An attribute's name breaks the naming rule.
    #[error("attribute name `{0}` is not allowed: names are lower-case letters and digits only")]
    Name(String),
    /// An extension has a name that CloudEvents itself uses.
    #[error(
        "attribute name `{0}` is not allowed: CloudEvents itself uses it, an extension needs \
         another one"
    )]
    Reserved(String),
    /// In binary mode `datacontenttype` is a header of its own (HTTP binding, section 3.1.1).
    #[error(
        "attribute `datacontenttype` is `Content-Type` in binary mode: leave `ce-datacontenttype` \
         out"
    )]
    ContentTypeTwice,
    /// An attribute, or the payload, is there more than once.
    #[error("attribute `{0}` is there more than once: an event has each attribute once")]
    Twice(String),
    /// Both `data` and `data_base64` are present.
    #[error("both `data` and `data_base64` are present: an event has one payload")]
    TwoPayloads,
}

impl Event {
    /// An event with the three attributes that every event needs besides `specversion`.
    pub fn new(id: impl Into<String>, source: impl Into<String>, ty: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            source: source.into(),
            ty: ty.into(),
            ..Self::default()
        }
    }

    /// The same event with JSON bytes as its payload.
    #[must_use]
    pub fn with_json(mut self, data: impl Into<Bytes>) -> Self {
        self.datacontenttype = Some("application/json".to_owned());
        self.data = Some(data.into());
        self
    }

    /// The same event with an extension attribute.
    #[must_use]
    pub fn with_extension(mut self, name: &str, value: impl Into<ExtensionValue>) -> Self {
        self.extensions.insert(name.to_owned(), value.into());
        self
    }

    /// An extension's value as text.
    #[must_use]
    pub fn extension(&self, name: &str) -> Option<std::borrow::Cow<'_, str>> {
        self.extensions.get(name).map(ExtensionValue::to_text)
    }

    /// Whether the event says that it comes from the platform (`dev.dormouse.*`).
    #[must_use]
    pub fn is_platform(&self) -> bool {
        self.ty.starts_with("dev.dormouse.")
    }

    /// Checks every attribute against CloudEvents 1.0.2.
    ///
    /// # Errors
    /// The first rule that the event breaks, naming the attribute.
    pub fn validate(&self) -> Result<(), InvalidEvent> {
        for (name, value) in [
            ("id", Some(&self.id)),
            ("source", Some(&self.source)),
            ("type", Some(&self.ty)),
            ("subject", self.subject.as_ref()),
            ("datacontenttype", self.datacontenttype.as_ref()),
            ("dataschema", self.dataschema.as_ref()),
        ] {
            match value {
                Some(value) if value.is_empty() => return Err(InvalidEvent::Empty(name)),
                Some(value) => check_string(name, value)?,
                None => {}
            }
        }
        type Rule = fn(&str) -> bool;
        let rules: [(&str, Option<&str>, Rule, &'static str); 4] = [
            (
                "source",
                Some(&self.source),
                is_uri_reference,
                "a URI-reference (RFC 3986)",
            ),
            (
                "dataschema",
                self.dataschema.as_deref(),
                is_absolute_uri,
                "an absolute URI, without a fragment (RFC 3986, section 4.3)",
            ),
            (
                "time",
                self.time.as_deref(),
                is_timestamp,
                "an RFC 3339 timestamp",
            ),
            (
                "datacontenttype",
                self.datacontenttype.as_deref(),
                |media| MediaType::parse(media).is_some(),
                "a media type (RFC 2046)",
            ),
        ];
        for (name, value, is_valid, expected) in rules {
            match value {
                Some(value) if !is_valid(value) => return Err(malformed(name, value, expected)),
                Some(_) | None => {}
            }
        }
        self.extensions.iter().try_for_each(|(name, value)| {
            check_name(name)?;
            check_string(name, &value.to_text())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        Event::new("1", "/lessons", "org.example.lesson.saved")
    }

    #[test]
    fn a_minimal_event_is_valid() {
        assert_eq!(event().validate(), Ok(()));
    }

    #[test]
    fn each_broken_attribute_is_named() {
        type Case = (fn(&mut Event), &'static str);
        let cases: [Case; 9] = [
            (|e| e.id.clear(), "`id`"),
            (|e| e.source.clear(), "`source`"),
            (|e| e.ty.clear(), "`type`"),
            (|e| e.subject = Some(String::new()), "`subject`"),
            (|e| e.source = "a b".into(), "`source`"),
            (|e| e.time = Some("yesterday".into()), "`time`"),
            (
                |e| e.datacontenttype = Some("json".into()),
                "`datacontenttype`",
            ),
            (
                |e| e.dataschema = Some("not absolute".into()),
                "`dataschema`",
            ),
            (
                |e| drop(e.extensions.insert("TraceId".into(), "x".into())),
                "`TraceId`",
            ),
        ];
        for (spoil, named) in cases {
            let mut event = event();
            spoil(&mut event);
            let error = event.validate().unwrap_err().to_string();
            assert!(error.contains(named), "{error} should name {named}");
        }
    }
}
