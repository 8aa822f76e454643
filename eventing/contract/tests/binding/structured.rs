//! Structured mode (HTTP binding, section 3.2) and the JSON event format.

use bytes::Bytes;
use dormouse_contract::{Event, ExtensionValue, http_binding};

use crate::message::{headers, refused, structured, typed, with_members};

const EVENT: &str = r#"{"specversion":"1.0","id":"1","source":"/s","type":"t"}"#;

#[test]
fn the_media_type_decides_in_any_case_and_with_parameters() {
    for media in [
        "application/cloudevents+json",
        "Application/CloudEvents+JSON",
        "application/cloudevents+json;charset=utf-8",
        "application/cloudevents+json ; Charset=\"UTF-8\"",
        "application/cloudevents+json; charset=us-ascii; profile=x",
    ] {
        assert!(typed(media, EVENT).is_ok(), "{media}");
    }
    for media in [
        "application/cloudevents",
        "application/cloudevents+avro",
        "application/cloudevents-batch+avro",
        "application/cloudevents+jsonx",
        "application/cloudevents+json charset=utf-8",
    ] {
        refused(typed(media, EVENT), 415, media);
    }
    let utf_16 = typed("application/cloudevents+json; charset=utf-16", EVENT);
    refused(utf_16, 415, "utf-16");
    let batch = typed("Application/CloudEvents-Batch+JSON", "[]");
    refused(batch, 415, "batch");
}

#[test]
fn headers_of_binary_mode_are_not_looked_at() {
    let media = ("content-type", "application/cloudevents+json");
    let headers = headers([media, ("ce-id", "other"), ("ce-My_Own", "x")]);
    let event = http_binding::read(&headers, Bytes::from(EVENT)).unwrap();
    assert_eq!(event, Event::new("1", "/s", "t"));
}

#[test]
fn the_body_is_one_json_object() {
    for body in [
        "",
        "{",
        "[]",
        "\"x\"",
        "null",
        "\u{feff}{}",
        "{}{}",
        "{\"a\":}",
    ] {
        refused(structured(body), 400, "JSON");
    }
    let latin = b"{\"specversion\":\"1.0\",\"id\":\"\xfc\",\"source\":\"/s\",\"type\":\"t\"}";
    let media = headers([("content-type", "application/cloudevents+json")]);
    let read = http_binding::read(&media, Bytes::from_static(latin));
    refused(read, 400, "JSON");
}

#[test]
fn required_attributes_are_there_and_null_is_not_there() {
    let parts = [
        ("specversion", "\"1.0\""),
        ("id", "\"1\""),
        ("source", "\"/s\""),
        ("type", "\"t\""),
    ];
    for (name, _) in parts {
        let with = |value: Option<&str>| {
            let members = parts.iter().filter_map(|(it, usual)| match *it == name {
                true => value.map(|value| format!("\"{it}\":{value}")),
                false => Some(format!("\"{it}\":{usual}")),
            });
            structured(&format!("{{{}}}", members.collect::<Vec<_>>().join(",")))
        };
        for broken in [
            None,
            Some("null"),
            Some("\"\""),
            Some("7"),
            Some("{}"),
            Some("\"\\n\""),
        ] {
            refused(with(broken), 400, &format!("`{name}`"));
        }
    }
}

#[test]
fn unset_attributes_may_be_null() {
    let event = with_members(
        r#""subject":null,"time":null,"datacontenttype":null,"dataschema":null,"note":null"#,
    );
    assert_eq!(event, Ok(Event::new("1", "/s", "t")));
}

#[test]
fn attributes_keep_to_their_types() {
    for (members, named) in [
        (r#""subject":"""#, "`subject`"),
        (r#""subject":1"#, "`subject`"),
        (r#""subject":"\uDEAD""#, "surrogate"),
        (r#""subject":"\u0000""#, "`subject`"),
        (r#""subject":"\ufdd0""#, "`subject`"),
        (r#""time":"lunchtime""#, "`time`"),
        (r#""time":"2018-04-05T18:31Z""#, "`time`"),
        (r#""dataschema":"""#, "`dataschema`"),
        (r##""dataschema":"https://h/s#f""##, "`dataschema`"),
        (r#""datacontenttype":"""#, "`datacontenttype`"),
        (r#""datacontenttype":"xyz""#, "`datacontenttype`"),
        (r#""source2":{}"#, "`source2`"),
        (r#""list":[]"#, "`list`"),
        (r#""n":1.5"#, "`n`"),
        (r#""n":1.0"#, "`n`"),
        (r#""n":1e3"#, "`n`"),
        (r#""n":2147483648"#, "`n`"),
        (r#""n":-2147483649"#, "`n`"),
        (r#""note":"\u0085""#, "`note`"),
        (r#""MyExtension":"bad""#, "`MyExtension`"),
        (r#""my.extension":"bad""#, "`my.extension`"),
        (r#""data_base65":"bad""#, "`data_base65`"),
        (r#""":"bad""#, "``"),
        ("\"a\\nb\":1", "`a\\nb`"),
    ] {
        refused(with_members(members), 400, named);
    }
    refused(
        structured(&EVENT.replace("1.0", "0.9")),
        400,
        "`specversion`",
    );
}

#[test]
fn extensions_keep_their_types() {
    let event = with_members(
        r#""i":-2147483648,"j":2147483647,"b":true,"c":false,"s":"\ud83d\ude00","bytes":"TWE=""#,
    );
    let extensions = event.unwrap().extensions;
    assert_eq!(extensions["i"], ExtensionValue::Integer(i32::MIN));
    assert_eq!(extensions["j"], ExtensionValue::Integer(i32::MAX));
    assert_eq!(extensions["b"], ExtensionValue::Boolean(true));
    assert_eq!(extensions["c"], ExtensionValue::Boolean(false));
    assert_eq!(extensions["s"], ExtensionValue::from("😀"));
    assert_eq!(extensions["bytes"], ExtensionValue::from("TWE="));
}

#[test]
fn each_member_is_there_once() {
    for (members, named) in [
        (r#""id":"1""#, "`id`"),
        (r#""note":null,"note":null"#, "`note`"),
        (r#""data":1,"data":1"#, "`data`"),
        (r#""n\u006fte":1,"note":1"#, "`note`"),
    ] {
        refused(with_members(members), 400, named);
    }
    refused(
        with_members(r#""data":1,"data_base64":"MQ==""#),
        400,
        "data_base64",
    );
}

#[test]
fn json_data_keeps_its_bytes() {
    for (data, media) in [
        (r#"{ "b":1.0, "a":2, "a":3 }"#, ""),
        ("null", ""),
        (r#""I'm just a \u0041 string""#, ""),
        (
            r#""{\"not\":\"parsed\"}""#,
            r#","datacontenttype":"application/json""#,
        ),
        (
            "7",
            r#","datacontenttype":"Application/Vnd.x+JSON; charset=utf-8""#,
        ),
        (r#""\ud800""#, r#","datacontenttype":"text/json""#),
    ] {
        let event = with_members(&format!(r#""data":{data}{media}"#)).unwrap();
        assert_eq!(event.data.as_deref(), Some(data.as_bytes()));
        let expected = if media.is_empty() {
            "application/json"
        } else {
            media
        };
        assert!(expected.contains(event.datacontenttype.as_deref().unwrap()));
    }
}

#[test]
fn other_data_is_the_text_of_a_string() {
    let with_type = |members: &str| with_members(&format!(r#"{members},"subject":"x""#));
    let event = with_type(r#""datacontenttype":"text/xml","data":"<much wow=\"xml\"/>""#);
    assert_eq!(event.unwrap().data.unwrap(), r#"<much wow="xml"/>"#);
    let event = with_type(r#""datacontenttype":"text/plain","data":null"#);
    assert_eq!(event.unwrap().data, None);
    for members in [
        r#""datacontenttype":"text/plain","data":{}"#,
        r#""datacontenttype":"text/plain","data":7"#,
        r#""datacontenttype":"text/plain","data":"\ud800""#,
        r#""datacontenttype":"text/plain; charset=utf-16","data":"x""#,
    ] {
        refused(with_type(members), 400, "`data`");
    }
}

#[test]
fn binary_data_is_base64() {
    let event = with_members(r#""data_base64":"AP8=","datacontenttype":"image/png""#).unwrap();
    assert_eq!(event.data.as_deref(), Some(&b"\x00\xff"[..]));
    // No JSON is implied by what is not in the member `data`.
    let event = with_members(r#""data_base64":"AP8=""#).unwrap();
    assert_eq!(event.datacontenttype, None);
    assert_eq!(with_members(r#""data_base64":null"#).unwrap().data, None);
    for encoded in [r#""AP8""#, r#""AP-_""#, r#""A P8=""#, "7", "{}"] {
        let read = with_members(&format!(r#""data_base64":{encoded}"#));
        refused(read, 400, "`data_base64`");
    }
}

#[test]
fn what_is_written_says_what_it_is() {
    let event = Event::new("1", "/s", "t").with_json("{ \"a\":1}");
    let (headers, body) = http_binding::write_structured(&event);
    let media = headers["content-type"].to_str().unwrap();
    assert_eq!(media, "application/cloudevents+json; charset=UTF-8");
    let written = std::str::from_utf8(&body).unwrap();
    assert!(written.contains(r#","data":{ "a":1}}"#), "{written}");
    let xml = Event {
        datacontenttype: Some("text/xml".to_owned()),
        data: Some(Bytes::from_static(b"<a/>")),
        ..Event::new("1", "/s", "t")
    };
    let (_, body) = http_binding::write_structured(&xml);
    let written = std::str::from_utf8(&body).unwrap();
    assert!(written.contains(r#""data_base64":"PGEvPg==""#), "{written}");
}
