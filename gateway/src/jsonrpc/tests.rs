use super::*;
use crate::error::{INVALID_REQUEST, PARSE_ERROR};
use proptest::prelude::*;

#[test]
fn kinds_of_messages_are_told_apart() {
    assert!(matches!(
        parse(r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":1}}"#),
        Ok(Incoming::Request { method, params: Some(params), .. })
            if method == "m" && params.get() == r#"{"a":1}"#
    ));
    assert!(matches!(
        parse(r#"{"jsonrpc":"2.0","method":"m","params":null}"#),
        Ok(Incoming::Notification { params: None, .. })
    ));
    for answer in [
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":""}}"#,
    ] {
        assert!(
            matches!(parse(answer), Ok(Incoming::Response(_))),
            "{answer}"
        );
    }
}

#[test]
fn ids_are_kept_to_the_letter() {
    for id in [
        "1",
        "1.0",
        "-0",
        "1e3",
        "99999999999999999999999",
        r#""a\u0062""#,
    ] {
        let text = format!(r#"{{"method":"m", "id" : {id} ,"jsonrpc":"2.0"}}"#);
        match parse(&text) {
            Ok(Incoming::Request { id: kept, .. }) => assert_eq!(kept.as_json(), id),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_is_no_message_is_told_so() {
    for (text, code, id) in [
        ("", PARSE_ERROR, None),
        ("{", PARSE_ERROR, None),
        ("not json", PARSE_ERROR, None),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"m"} x"#,
            PARSE_ERROR,
            None,
        ),
        ("5", INVALID_REQUEST, None),
        ("[]", INVALID_REQUEST, None),
        (r#"{"id":1,"method":"m"}"#, INVALID_REQUEST, Some("1")),
        (
            r#"{"jsonrpc":"1.0","id":1,"method":"m"}"#,
            INVALID_REQUEST,
            Some("1"),
        ),
        (
            r#"{"jsonrpc":"2.0","id":null,"method":"m"}"#,
            INVALID_REQUEST,
            None,
        ),
        (
            r#"{"jsonrpc":"2.0","id":true,"method":"m"}"#,
            INVALID_REQUEST,
            None,
        ),
        (
            r#"{"jsonrpc":"2.0","id":{},"method":"m"}"#,
            INVALID_REQUEST,
            None,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
            INVALID_REQUEST,
            Some("1"),
        ),
        (
            r#"{"jsonrpc":"2.0","id":"a"}"#,
            INVALID_REQUEST,
            Some("\"a\""),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"m","params":[1]}"#,
            INVALID_REQUEST,
            Some("1"),
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"m","params":3}"#,
            INVALID_REQUEST,
            Some("1"),
        ),
    ] {
        let rejected = parse(text).unwrap_err();
        assert_eq!(rejected.fault.code(), code, "{text}");
        assert_eq!(rejected.id.as_ref().map(RequestId::as_json), id, "{text}");
    }
}

#[test]
fn unknown_and_repeated_members_are_tolerated() {
    let text = r#"{"jsonrpc":"2.0","id":1,"id":2,"x":[],"method":"a","method":"b"}"#;
    assert!(matches!(
        parse(text),
        Ok(Incoming::Request { id, method, .. }) if id.as_json() == "2" && method == "b"
    ));
}

#[test]
fn batches_are_split() {
    assert!(is_batch(" \n[1]"));
    assert_eq!(split(r#"[{"a":1}, 2]"#).unwrap()[0].get(), r#"{"a":1}"#);
    assert!(split("[]").is_err());
    assert!(split("[1,").is_err());
}

#[test]
fn one_value_is_replaced_in_its_place() {
    let whole: &RawValue = serde_json::from_str(r#"{"a":"x", "name" : "x","b":"x"}"#).unwrap();
    let mut name = None;
    for_each_member(whole, |member, value| {
        if member == "name" {
            name = Some(value);
        }
    })
    .unwrap();
    assert_eq!(
        replace(whole, name.unwrap(), "\"y\""),
        r#"{"a":"x", "name" : "y","b":"x"}"#
    );
}

fn ids() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        (any::<u32>(), 0_u32..1000).prop_map(|(whole, part)| format!("{whole}.{part}")),
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
    ]
}

proptest! {
    #[test]
    fn no_text_panics(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        let text = String::from_utf8_lossy(&bytes);
        let _ = parse(&text);
        let _ = split(&text);
    }

    #[test]
    fn no_json_like_text_panics(text in r#"[\[\]{}:,"a-z0-9.\\ -]{0,80}"#) {
        let _ = parse(&text);
        let _ = split(&text);
    }

    #[test]
    fn every_id_echoes(id in ids(), method in any::<String>()) {
        let method = serde_json::to_string(&method).unwrap();
        let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":{method}}}"#);
        match parse(&text) {
            Ok(Incoming::Request { id: kept, .. }) => prop_assert_eq!(kept.as_json(), &id),
            other => prop_assert!(false, "{:?}", other),
        }
    }
}
