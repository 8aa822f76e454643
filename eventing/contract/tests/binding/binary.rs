//! Binary mode (HTTP binding, section 3.1) and the attributes themselves.

use bytes::Bytes;
use dormouse_contract::{Event, http_binding};

use crate::message::{MINIMAL, binary, headers, refused, typed};

#[test]
fn the_body_is_the_data_as_it_is() {
    let all = MINIMAL.iter().copied();
    let headers = headers(all.chain([("content-type", "application/octet-stream")]));
    let body = Bytes::from_static(b"\x00\xff{");
    let event = http_binding::read(&headers, body.clone()).unwrap();
    assert_eq!(event.data, Some(body));
    assert_eq!(binary(&[]).unwrap().data, None);
}

#[test]
fn content_type_is_datacontenttype_to_the_letter() {
    let event = binary(&[("content-type", "Text/Plain;charset=\"ISO-8859-1\"")]).unwrap();
    let media = event.datacontenttype.as_deref();
    assert_eq!(media, Some("Text/Plain;charset=\"ISO-8859-1\""));
    assert_eq!(binary(&[]).unwrap().datacontenttype, None);
    let twice = binary(&[("ce-datacontenttype", "text/plain")]);
    refused(twice, 400, "`datacontenttype`");
    for media in ["xyz", ""] {
        refused(binary(&[("content-type", media)]), 400, "`datacontenttype`");
    }
    let two = [("content-type", "a/b"), ("content-type", "a/b")];
    refused(binary(&two), 400, "`datacontenttype`");
}

#[test]
fn header_names_are_attribute_names_in_any_case() {
    let event = binary(&[("CE-Subject", "s"), ("Ce-TraceParent", "x"), ("other", "y")]).unwrap();
    assert_eq!(event.subject.as_deref(), Some("s"));
    assert_eq!(event.extension("traceparent").as_deref(), Some("x"));
    assert_eq!(event.extensions.len(), 1);
    for (header, named) in [
        ("ce-my_extension", "my_extension"),
        ("ce-my.extension", "my.extension"),
        ("ce-", "``"),
        ("ce-data", "`data`"),
    ] {
        refused(binary(&[(header, "x")]), 400, named);
    }
}

#[test]
fn values_are_unquoted_and_decoded_once() {
    for (value, subject) in [
        ("Euro%20%E2%82%AC%20%f0%9f%98%80", "Euro € 😀"),
        ("\"Euro \\\"x\\\"\"", "Euro \"x\""),
        ("%2541", "%41"),
    ] {
        let event = binary(&[("ce-subject", value)]).unwrap();
        assert_eq!(event.subject.as_deref(), Some(subject));
    }
    for value in ["%C0%A0", "%ED%A0%80", "%ff"] {
        refused(binary(&[("ce-subject", value)]), 400, "`ce-subject`");
    }
}

#[test]
fn each_required_attribute_is_there_and_not_empty() {
    for (header, _) in MINIMAL {
        let name = format!("`{}`", header.trim_start_matches("ce-"));
        let without = MINIMAL.iter().filter(|(it, _)| *it != header).copied();
        let read = http_binding::read(&headers(without.clone()), Bytes::new());
        refused(read, 400, &name);
        let empty = headers(without.chain([(header, "")]));
        refused(http_binding::read(&empty, Bytes::new()), 400, &name);
    }
}

#[test]
fn optional_attributes_are_not_empty_but_extensions_may_be() {
    for header in ["ce-subject", "ce-dataschema", "ce-time"] {
        refused(
            binary(&[(header, "")]),
            400,
            header.trim_start_matches("ce-"),
        );
    }
    let event = binary(&[("ce-note", "")]).unwrap();
    assert_eq!(event.extension("note").as_deref(), Some(""));
}

#[test]
fn each_attribute_is_there_once() {
    for header in ["ce-id", "ce-specversion", "ce-subject", "ce-note"] {
        let name = format!("`{}`", header.trim_start_matches("ce-"));
        let value = if header == "ce-specversion" {
            "1.0"
        } else {
            "1"
        };
        let all = MINIMAL.iter().filter(|(it, _)| *it != header).copied();
        let all = headers(all.chain([(header, value), (header, value)]));
        refused(http_binding::read(&all, Bytes::new()), 400, &name);
    }
}

#[test]
fn another_specversion_is_refused() {
    for version in ["0.3", "1.1", "1.0.2", "2.0", " 1.0x"] {
        let all = MINIMAL.iter().filter(|(it, _)| *it != "ce-specversion");
        let all = headers(all.copied().chain([("ce-specversion", version)]));
        refused(http_binding::read(&all, Bytes::new()), 400, "`specversion`");
    }
}

#[test]
fn values_keep_to_their_types() {
    for (header, value) in [
        ("ce-time", "2018-04-05 17:31:00Z"),
        ("ce-dataschema", "/relative"),
        ("ce-dataschema", "https://h/s#fragment"),
        ("ce-subject", "a%0Ab"),
        ("ce-subject", "a%C2%85b"),
        ("ce-note", "%EF%BF%BF"),
    ] {
        let name = format!("`{}`", header.trim_start_matches("ce-"));
        refused(binary(&[(header, value)]), 400, &name);
    }
    for (header, value) in [("ce-source", "a b"), ("ce-id", "%00"), ("ce-type", "%7f")] {
        let name = format!("`{}`", header.trim_start_matches("ce-"));
        let all = MINIMAL.iter().filter(|(it, _)| *it != header).copied();
        let all = headers(all.chain([(header, value)]));
        refused(http_binding::read(&all, Bytes::new()), 400, &name);
    }
}

#[test]
fn what_is_no_event_says_what_to_send() {
    refused(typed("application/json", "{}"), 400, "ce-specversion");
    let nothing = http_binding::read(&http::HeaderMap::new(), Bytes::new());
    refused(nothing, 400, "application/cloudevents+json");
    let lower = http_binding::read(&headers([("ce-note", "x")]), Bytes::new());
    refused(lower, 400, "no CloudEvent");
}

#[test]
fn attributes_are_written_percent_encoded() {
    let mut event = Event::new("1 2", "/s", "t").with_extension("note", "Euro € \"100%\"");
    event.subject = Some("zwölf".to_owned());
    let (headers, _) = http_binding::write_binary(event);
    assert_eq!(headers["ce-id"], "1%202");
    assert_eq!(headers["ce-subject"], "zw%C3%B6lf");
    assert_eq!(headers["ce-note"], "Euro%20%E2%82%AC%20%22100%25%22");
    assert!(!headers.contains_key("ce-datacontenttype"));
}
