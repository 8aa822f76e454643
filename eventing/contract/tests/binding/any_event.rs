//! Any valid event. The tests of the coordinator and of the whole platform use it, too.

use std::collections::BTreeMap;

use bytes::Bytes;
use dormouse_contract::event::check_name;
use dormouse_contract::{Event, ExtensionValue};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

/// A String as CloudEvents knows it.
pub fn text(min: usize) -> impl Strategy<Value = String> {
    let letter = prop_oneof![any::<char>(), proptest::char::range(' ', '~')];
    let allowed = letter.prop_filter("a character that a String may have", |letter| {
        let code = u32::from(*letter);
        !letter.is_control() && !(0xFDD0..=0xFDEF).contains(&code) && code & 0xFFFE != 0xFFFE
    });
    vec(allowed, min..20).prop_map(String::from_iter)
}

fn source() -> impl Strategy<Value = String> {
    prop_oneof![
        "/[a-zA-Z0-9._~/-]{0,20}".prop_filter("no authority", |path| !path.starts_with("//")),
        "urn:[a-z]{2,5}:[a-z0-9]{1,8}",
        "https://[a-z]{1,8}\\.example/%C3%A4[?]q=[a-z]{0,5}#[a-z]{0,5}",
        "[0-9-]{1,12}",
    ]
}

fn time() -> impl Strategy<Value = String> {
    let date = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])";
    let clock = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,12})?";
    let zone = "(Z|z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])";
    proptest::string::string_regex(&format!("{date}[Tt]{clock}{zone}")).expect("an expression")
}

fn media() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("application/json".to_owned()),
        Just("Application/Vnd.Example+JSON; charset=utf-8".to_owned()),
        Just("text/plain; charset=\"iso-8859-1\"".to_owned()),
        Just("Multipart/Mixed ; boundary=\"a; \\\"b\\\"\";; x=y".to_owned()),
        "[a-z]{1,8}/[a-z.+-]{1,12}",
        // An event that carries an event.
        Just("application/cloudevents+json".to_owned()),
        Just("Application/CloudEvents-Batch+JSON; charset=utf-8".to_owned()),
    ]
}

fn data() -> impl Strategy<Value = Bytes> {
    let json = prop_oneof![
        Just("null".to_owned()),
        text(0).prop_map(|text| serde_json::Value::from(text).to_string()),
        "\\{ \"a\":[0-9]\\.0,\"a\":\\[true, \"[a-z]{0,8}\"\\]\\}",
        "[ \n]\\{\\}[ \n]",
        Just(r#"{"specversion":"1.0","id":"x","source":"/x","type":"inner"}"#.to_owned()),
    ];
    prop_oneof![
        vec(any::<u8>(), 1..50).prop_map(Bytes::from),
        json.prop_map(Bytes::from),
    ]
}

fn extensions() -> impl Strategy<Value = BTreeMap<String, ExtensionValue>> {
    let name = "[a-z0-9]{1,20}".prop_filter("a name that is free", |name| check_name(name).is_ok());
    // Of each type; that of binary, URIs and timestamps is a String to every event format.
    let base64 = "([A-Za-z0-9+/]{4}){0,5}([A-Za-z0-9+/]{2}==)?";
    let value = prop_oneof![
        any::<bool>().prop_map(ExtensionValue::Boolean),
        any::<i32>().prop_map(ExtensionValue::Integer),
        prop_oneof![text(0), base64, source(), time()].prop_map(ExtensionValue::String),
    ];
    prop_oneof![
        9 => btree_map(name, value.clone(), 0..5),
        // More than headers take.
        1 => btree_map("[a-z]{4}".prop_filter("free", |name| check_name(name).is_ok()), value, 60..80),
    ]
}

prop_compose! {
    pub fn any_event()(
        id in text(1),
        source in source(),
        ty in text(1),
        subject in option::of(text(1)),
        time in option::of(time()),
        datacontenttype in option::of(media()),
        dataschema in option::of("(https://[a-z]{1,8}/[a-z?=]{0,8}|urn:x:[a-z]{1,5})"),
        extensions in extensions(),
        data in option::of(data()),
    ) -> Event {
        Event { id, source, ty, subject, time, datacontenttype, dataschema, extensions, data }
    }
}

/// In binary mode every extension is text.
pub fn as_text(mut event: Event) -> Event {
    for value in event.extensions.values_mut() {
        *value = value.to_text().into_owned().into();
    }
    event
}
