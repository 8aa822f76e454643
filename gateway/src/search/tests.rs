use super::*;
use crate::era::Revision;

const LEGACY: Era = Era::Legacy(Revision::LATEST);

fn redirect(search: &Search, params: &str) -> Result<Redirected, Fault> {
    let raw: &RawValue = serde_json::from_str(params).unwrap();
    let read = Params::parse(Some(raw)).unwrap();
    let id = RequestId::from_json(serde_json::from_str("1").unwrap()).unwrap();
    let objects = || vec![r#"{"name":"add","description":"Adds numbers.","x":1.0}"#];
    search.redirect(&id, LEGACY, Some(raw), &read, objects)
}

#[test]
fn a_call_becomes_the_call_that_is_meant() {
    let (search, _) = Search::beside(&[]);
    let params = r#"{"name":"call_tool","_meta":{"progressToken":1.0},
        "arguments":{"arguments":{"n":1.0},"name":"add"},"task":{}}"#;
    match redirect(&search, params) {
        Ok(Redirected::Call(meant)) => assert_eq!(
            meant.get(),
            r#"{"name":"add","arguments":{"n":1.0},"_meta":{"progressToken":1.0},"task":{}}"#
        ),
        _ => panic!("no call"),
    }
    for wrong in [
        r#"{"name":"call_tool"}"#,
        r#"{"name":"call_tool","arguments":[]}"#,
    ] {
        assert!(redirect(&search, wrong).is_err(), "{wrong}");
    }
    let other = redirect(&search, r#"{"name":"add"}"#);
    assert!(matches!(other, Ok(Redirected::No)));
}

#[test]
fn tools_are_found_with_their_full_objects() {
    let (search, _) = Search::beside(&[]);
    let find = |arguments: &str| {
        let params = format!(r#"{{"name":"find_tools","arguments":{arguments}}}"#);
        match redirect(&search, &params) {
            Ok(Redirected::Found(reply)) => serde_json::from_str::<Value>(&reply.text).unwrap(),
            _ => panic!("nothing was searched"),
        }
    };
    let found = find(r#"{"query":"add a number"}"#);
    let structured = &found["result"]["structuredContent"];
    assert_eq!(structured["tools"][0]["x"], 1.0);
    let text = found["result"]["content"][0]["text"].as_str().unwrap();
    assert_eq!(&serde_json::from_str::<Value>(text).unwrap(), structured);
    let nothing = find(r#"{"query":"volcano","limit":0}"#);
    assert_eq!(nothing["result"]["structuredContent"], json!({"tools":[]}));
    assert_eq!(find("{}")["result"]["isError"], true);
}

#[test]
fn the_two_give_way_to_declared_tools() {
    let (search, renamed) = Search::beside(&[("a", "find_tools")]);
    assert_eq!(renamed, [("find_tools", "dormouse__find_tools".to_owned())]);
    let page: Value = serde_json::from_str(&format!("{{{}}}", search.page())).unwrap();
    assert_eq!(page["tools"][0]["name"], "dormouse__find_tools");
    assert_eq!(page["tools"][1]["name"], "call_tool");
    let words = page["tools"][1]["description"].as_str().unwrap();
    assert!(words.contains("`dormouse__find_tools`"));
    let declared = redirect(&search, r#"{"name":"find_tools"}"#);
    assert!(matches!(declared, Ok(Redirected::No)));
}
