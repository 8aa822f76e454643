//! Events as handlers see them: the types of the CloudEvents SDK, or the platform's own envelope.

use bytes::Bytes;
use cloudevents::event::{
    AttributesReader as _, AttributesWriter as _, Data, EventBuilderV10,
    ExtensionValue as SdkValue, TryIntoUrl as _,
};
use cloudevents::{Event as SdkEvent, EventBuilder as _};
use dormouse_contract::{Event, ExtensionValue};

use crate::error::ToolError;

/// What the handler of an event can take: an event of the CloudEvents SDK
/// ([`cloudevents::Event`]), or the platform's own [`Event`], which has every attribute to the
/// letter.
pub trait FromEvent: Sized {
    /// The event as this type has it.
    ///
    /// # Errors
    /// The attribute that this type cannot hold, in words.
    fn from_event(event: Event) -> Result<Self, String>;
}

impl FromEvent for Event {
    fn from_event(event: Event) -> Result<Self, String> {
        Ok(event)
    }
}

/// Its data is [`Data::Binary`], the bytes as they came. `time` is in UTC, up to the nanosecond, and
/// `dataschema` is a URL in its normal form.
impl FromEvent for SdkEvent {
    fn from_event(event: Event) -> Result<Self, String> {
        let mut builder = EventBuilderV10::new()
            .id(event.id)
            .source(event.source)
            .ty(event.ty);
        if let Some(subject) = event.subject {
            builder = builder.subject(subject);
        }
        if let Some(time) = event.time {
            builder = builder.time(time);
        }
        for (name, value) in event.extensions {
            builder = builder.extension(&name, from_value(value));
        }
        let mut built = builder.build().map_err(|error| error.to_string())?;
        if let Some(schema) = event.dataschema {
            let url = schema.into_url();
            let url = url.map_err(|error| format!("attribute `dataschema` is no URL: {error}"))?;
            built.set_dataschema(Some(url));
        }
        built.set_datacontenttype(event.datacontenttype);
        if let Some(data) = event.data {
            built.set_data_unchecked(Data::Binary(data.into()));
        }
        Ok(built)
    }
}

fn from_value(value: ExtensionValue) -> SdkValue {
    match value {
        ExtensionValue::Boolean(flag) => SdkValue::Boolean(flag),
        ExtensionValue::Integer(number) => SdkValue::Integer(number.into()),
        ExtensionValue::String(text) => SdkValue::String(text),
    }
}

/// What a handler can send: one event, as [`Event`] or [`cloudevents::Event`], or none or several,
/// as `()`, an `Option` or a `Vec` of them.
pub trait IntoEvents {
    /// The events, in their order.
    ///
    /// # Errors
    /// [`ToolError::Internal`], when one of them cannot be written as an event.
    fn into_events(self) -> Result<Vec<Event>, ToolError>;
}

impl IntoEvents for () {
    fn into_events(self) -> Result<Vec<Event>, ToolError> {
        Ok(Vec::new())
    }
}

impl IntoEvents for Event {
    fn into_events(self) -> Result<Vec<Event>, ToolError> {
        self.validate().map_err(|error| {
            ToolError::internal(format!("the handler made no valid event: {error}"))
        })?;
        Ok(vec![self])
    }
}

/// JSON data without a `datacontenttype` gets `application/json`.
impl IntoEvents for SdkEvent {
    fn into_events(mut self) -> Result<Vec<Event>, ToolError> {
        let extensions: Result<_, ToolError> = self
            .iter_extensions()
            .map(|(name, value)| Ok((name.to_owned(), into_value(name, value)?)))
            .collect();
        let mut event = Event::new(self.id(), self.source(), self.ty());
        event.extensions = extensions?;
        event.subject = self.subject().map(str::to_owned);
        event.time = self.time().map(|time| in_utc(&time.to_rfc3339()));
        let (media, schema, data) = self.take_data();
        event.dataschema = schema.map(Into::into);
        event.datacontenttype = match (&data, media) {
            (Some(Data::Json(_)), None) => Some("application/json".to_owned()),
            (_, media) => media,
        };
        event.data = match data {
            None => None,
            Some(Data::Binary(bytes)) => Some(bytes.into()),
            Some(Data::String(text)) => Some(text.into()),
            Some(Data::Json(value)) => Some(Bytes::from(value.to_string())),
        };
        event.into_events()
    }
}

fn into_value(name: &str, value: &SdkValue) -> Result<ExtensionValue, ToolError> {
    Ok(match value {
        SdkValue::Boolean(flag) => ExtensionValue::Boolean(*flag),
        SdkValue::String(text) => ExtensionValue::String(text.clone()),
        SdkValue::Integer(number) => match i32::try_from(*number) {
            Ok(number) => ExtensionValue::Integer(number),
            Err(_) => {
                return Err(ToolError::internal(format!(
                    "attribute `{name}` is {number}: integers of events have 32 bits"
                )));
            }
        },
    })
}

/// `Z`, as events from elsewhere mostly have it.
fn in_utc(time: &str) -> String {
    match time.strip_suffix("+00:00") {
        Some(local) => format!("{local}Z"),
        None => time.to_owned(),
    }
}

impl<E: IntoEvents> IntoEvents for Option<E> {
    fn into_events(self) -> Result<Vec<Event>, ToolError> {
        self.map_or_else(|| Ok(Vec::new()), E::into_events)
    }
}

impl<E: IntoEvents> IntoEvents for Vec<E> {
    fn into_events(self) -> Result<Vec<Event>, ToolError> {
        let each: Result<Vec<_>, _> = self.into_iter().map(E::into_events).collect();
        Ok(each?.into_iter().flatten().collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn whole() -> Event {
        let mut event = Event::new("1 €", "/s", "org.example.t")
            .with_extension("text", "zwölf")
            .with_extension("number", ExtensionValue::Integer(i32::MIN))
            .with_extension("flag", ExtensionValue::Boolean(true));
        event.subject = Some("ein Thema".to_owned());
        event.time = Some("2018-04-05T17:31:00.123456789Z".to_owned());
        event.dataschema = Some("https://example.com/schema?v=1".to_owned());
        event.datacontenttype = Some("Application/JSON; charset=utf-8".to_owned());
        event.data = Some(Bytes::from_static(b"{ \"a\": 1.0, \"a\": 2 }"));
        event
    }

    fn there_and_back(event: Event) -> Event {
        let sdk = SdkEvent::from_event(event).unwrap();
        sdk.into_events().unwrap().remove(0)
    }

    #[test]
    fn an_event_comes_back_from_the_sdks_type_as_it_was() {
        assert_eq!(there_and_back(whole()), whole());
        let minimal = Event::new("1", "/s", "t");
        assert_eq!(there_and_back(minimal.clone()), minimal);
        let untyped = Event {
            data: Some(Bytes::from_static(b"\x00\xff")),
            ..minimal
        };
        assert_eq!(there_and_back(untyped.clone()), untyped);
    }

    #[test]
    fn what_the_sdks_type_does_not_hold_to_the_letter_means_the_same() {
        for (time, utc) in [
            ("2018-04-05T19:31:00+02:00", "2018-04-05T17:31:00Z"),
            ("2018-04-05t17:31:00z", "2018-04-05T17:31:00Z"),
            ("1990-12-31T23:59:60Z", "1990-12-31T23:59:60Z"),
        ] {
            let mut event = whole();
            event.time = Some(time.to_owned());
            assert_eq!(there_and_back(event).time.as_deref(), Some(utc));
        }
        let mut event = whole();
        event.dataschema = Some("urn:example:schema".to_owned());
        assert_eq!(there_and_back(event.clone()), event);
        event.dataschema = Some("http://host:99999/".to_owned());
        let error = SdkEvent::from_event(event).unwrap_err();
        assert!(error.contains("`dataschema`"), "{error}");
    }

    #[test]
    fn an_event_that_was_built_is_written_as_its_data_is() {
        let built = |data: Data| {
            let event = EventBuilderV10::new().id("1").source("/s").ty("t");
            let mut event = event.build().unwrap();
            event.set_data_unchecked(data);
            event.into_events().unwrap().remove(0)
        };
        let json = built(Data::Json(json!({"a": 1})));
        assert_eq!(json.datacontenttype.as_deref(), Some("application/json"));
        assert_eq!(json.data.unwrap(), r#"{"a":1}"#);
        let text = built(Data::String("ü".to_owned()));
        assert_eq!(text.data.unwrap(), "ü");
    }

    #[test]
    fn none_one_and_several_are_sent_when_all_are_valid() {
        let event = || Event::new("1", "/s", "t");
        assert_eq!(().into_events().unwrap().len(), 0);
        assert_eq!(None::<Event>.into_events().unwrap().len(), 0);
        assert_eq!(vec![event(), event()].into_events().unwrap().len(), 2);
        let spoilt = Event::new("1", "a b", "t");
        let error = vec![event(), spoilt].into_events().unwrap_err();
        assert!(error.to_string().contains("`source`"), "{error}");
        let large = EventBuilderV10::new().id("1").source("/s").ty("t");
        let large = large.extension("n", i64::MAX).build().unwrap();
        let error = large.into_events().unwrap_err();
        assert!(error.to_string().contains("`n`"), "{error}");
    }
}
