//! The event that triggers are tried on: from the line, a file, or stdin.

use std::io::Read as _;

use bytes::Bytes;
use clap::Args;
use dormouse_contract::Event;
use dormouse_contract::http_binding::{BATCH, STRUCTURED, write_structured};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::value::RawValue;

use super::super::failure::Failure;
use super::super::input;

/// What is typed of it.
#[derive(Debug, Args)]
pub(super) struct Specimen {
    /// The event in JSON, a file with it, or - for stdin; a list or several lines are several
    #[arg(required_unless_present = "ty", conflicts_with = "ty")]
    event: Option<String>,
    /// Its type, e.g. com.github.push
    #[arg(long = "type", value_name = "TYPE")]
    ty: Option<String>,
    /// Its source, a URI-reference
    #[arg(long, requires = "ty", default_value = "dormouse-cli")]
    source: String,
    /// Its subject
    #[arg(long, requires = "ty")]
    subject: Option<String>,
    /// The media type of its payload
    #[arg(long, requires = "ty", value_name = "MEDIA TYPE")]
    content_type: Option<String>,
    /// An extension attribute
    #[arg(long = "ext", requires = "ty", value_name = "NAME=VALUE", value_parser = input::name_and_value)]
    extensions: Vec<(String, String)>,
}

impl Specimen {
    /// The request that carries it.
    pub(super) fn read(self) -> Result<(HeaderMap, Bytes), Failure> {
        match (self.ty, self.event) {
            (Some(ty), _) => {
                let mut event = Event::new("test", self.source, ty);
                event.subject = self.subject;
                event.datacontenttype = self.content_type;
                for (name, value) in self.extensions {
                    event = event.with_extension(&name, value);
                }
                let checked = event.validate();
                checked.map_err(|invalid| Failure::Usage(invalid.to_string()))?;
                Ok(write_structured(&event))
            }
            (None, Some(given)) => carried(&text(&given)?),
            (None, None) => Err(Failure::Usage(
                "which event? Give it as JSON, as a file, or by --type".to_owned(),
            )),
        }
    }
}

/// The JSON that is given or named.
fn text(given: &str) -> Result<String, Failure> {
    if given.trim_start().starts_with(['{', '[']) {
        return Ok(given.to_owned());
    }
    let mut text = String::new();
    let read = match given {
        "-" => std::io::stdin().read_to_string(&mut text).map(|_| text),
        path => std::fs::read_to_string(path.strip_prefix('@').unwrap_or(path)),
    };
    read.map_err(|error| {
        Failure::Usage(format!(
            "cannot read the event from `{given}`: {error}; give a file, - for stdin, the event as JSON, or its --type"
        ))
    })
}

/// One event as it is; a list, or several one after the other, as a batch.
fn carried(text: &str) -> Result<(HeaderMap, Bytes), Failure> {
    let values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    let values: Vec<_> = values.collect::<Result<_, _>>().map_err(|error| {
        Failure::Usage(format!(
            "the event is no JSON: {error}; write it in the JSON event format of CloudEvents"
        ))
    })?;
    let (media, body) = match values.as_slice() {
        [] => return Err(Failure::Usage("there is no event in it".to_owned())),
        [one] if one.get().starts_with('[') => (BATCH, one.get().to_owned()),
        [one] => (STRUCTURED, one.get().to_owned()),
        several => {
            let events: Vec<_> = several.iter().map(|it| it.get()).collect();
            (BATCH, format!("[{}]", events.join(",")))
        }
    };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    Ok((headers, body.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(event: &str) -> Specimen {
        Specimen {
            event: Some(event.into()),
            ty: None,
            source: "dormouse-cli".into(),
            subject: None,
            content_type: None,
            extensions: vec![],
        }
    }

    #[test]
    fn an_event_comes_from_the_line_or_from_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        std::fs::write(&path, "{\"a\":1}\n{\"b\":2}\n").unwrap();
        let path = path.display().to_string();
        for (event, media, body) in [
            (r#" {"a": 1} "#, STRUCTURED, r#"{"a": 1}"#),
            (r#"[{"a": 1}]"#, BATCH, r#"[{"a": 1}]"#),
            (&*path, BATCH, r#"[{"a":1},{"b":2}]"#),
        ] {
            let (headers, given) = given(event).read().unwrap();
            assert_eq!(
                (headers[CONTENT_TYPE].to_str().unwrap(), &*given),
                (media, body.as_bytes())
            );
        }
    }

    #[test]
    fn an_event_is_made_of_its_attributes() {
        let specimen = Specimen {
            event: None,
            ty: Some("t".into()),
            subject: Some("s".into()),
            extensions: vec![("branch".into(), "main".into())],
            ..given("")
        };
        let (_, body) = specimen.read().unwrap();
        let event: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            (&event["type"], &event["branch"]),
            (&"t".into(), &"main".into())
        );
        let wrong = Specimen {
            event: None,
            ty: Some("t".into()),
            extensions: vec![("Branch_Name".into(), "x".into())],
            ..given("")
        };
        assert!(
            wrong
                .read()
                .unwrap_err()
                .to_string()
                .contains("Branch_Name")
        );
    }

    #[test]
    fn what_is_no_event_is_refused_in_words() {
        for (event, named) in [
            ("/nowhere/at/all", "--type"),
            ("{\"a\":", "no JSON"),
            ("[", "no JSON"),
        ] {
            let failure = given(event).read().unwrap_err();
            assert!(failure.to_string().contains(named), "{event}: {failure}");
        }
    }
}
