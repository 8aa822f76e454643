use std::collections::BTreeMap;

use dormouse_contract::Manifest;
use dormouse_contract::policy::DeliverySpec;

use super::*;

fn registration(pool: &str, tools: &[&str]) -> Arc<Registration> {
    let manifest = format!(r#"{{"contract":1,"tools":[{}]}}"#, tools.join(","));
    let manifest: Manifest = serde_json::from_str(&manifest).unwrap();
    Arc::new(Registration {
        pool: pool.into(),
        agent_type: String::new(),
        revision: "1".into(),
        manifest: Arc::new(manifest),
        delivery: Delivery::default(),
        tools: BTreeMap::new(),
        triggers: Vec::new(),
        slots: 1,
        queue_limit: 1,
    })
}

fn tool(name: &str) -> String {
    format!(r#"{{ "name":"{name}","inputSchema":{{"type":"object"}},"x-own":1.0 }}"#)
}

fn build(registrations: &[Arc<Registration>], page_size: usize) -> Catalogue {
    Catalogue::build(registrations, page_size, None)
}

#[test]
fn tools_are_listed_to_the_letter() {
    let catalogue = build(&[registration("a", &[&tool("t")])], 10);
    assert_eq!(
        catalogue.page(None).unwrap(),
        format!(r#""tools":[{}]"#, tool("t"))
    );
    assert_eq!(build(&[], 10).page(None).unwrap(), r#""tools":[]"#);
}

#[test]
fn a_collision_replaces_the_name_and_nothing_else() {
    let catalogue = build(
        &[
            registration("a", &[&tool("t")]),
            registration("b", &[&tool("t")]),
        ],
        10,
    );
    let page = catalogue.page(None).unwrap();
    assert!(page.contains(&tool("b__t")), "{page}");
    let renamed = catalogue.get("b__t").unwrap();
    assert_eq!((&*renamed.declared, &*renamed.pool), ("t", "b"));
    assert_eq!(&*catalogue.get("t").unwrap().pool, "a");
    assert!(catalogue.remarks()[0].remark.contains("b__t"));
}

#[test]
fn one_broken_tool_hides_no_other() {
    let catalogue = build(
        &[
            registration(
                "a",
                &[
                    r#"{"name":"no-schema"}"#,
                    r#"{"name":"","inputSchema":{}}"#,
                    r#"{"name":"bad","inputSchema":{"type":"nonsense"}}"#,
                    r#"{"name":"odd","inputSchema":{},"_meta":{"dev.dormouse/policy":{"x":1}}}"#,
                    &tool("good"),
                    &tool("good"),
                ],
            ),
            registration("b", &[&tool("fine")]),
        ],
        10,
    );
    let names: Vec<_> = catalogue
        .entries()
        .into_iter()
        .map(|entry| entry.name)
        .collect();
    assert_eq!(names, ["good", "fine"]);
    assert_eq!(catalogue.remarks().len(), 5);
}

#[test]
fn pages_follow_each_other_and_end() {
    let names: Vec<String> = (0..5).map(|n| tool(&format!("t{n}"))).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let catalogue = build(&[registration("a", &names)], 2);
    let mut cursor: Option<String> = None;
    let mut seen = Vec::new();
    loop {
        let page = format!("{{{}}}", catalogue.page(cursor.as_deref()).unwrap());
        let page: Value = serde_json::from_str(&page).unwrap();
        for tool in page["tools"].as_array().unwrap() {
            seen.push(tool["name"].as_str().unwrap().to_owned());
        }
        cursor = page["nextCursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["t0", "t1", "t2", "t3", "t4"]);
    for wrong in ["", "x", "AAAAAAAAAAAAAAAA", "é"] {
        assert!(catalogue.page(Some(wrong)).is_err(), "{wrong}");
    }
}

#[test]
fn a_cursor_ends_with_its_list() {
    let (one, two) = (tool("one"), tool("two"));
    let catalogue = build(&[registration("a", &[&one, &two])], 1);
    let cursor = cursor_of(1, catalogue.fingerprint());
    assert!(catalogue.page(Some(&cursor)).is_ok());
    let changed = build(&[registration("a", &[&one, &tool("three")])], 1);
    assert!(changed.page(Some(&cursor)).is_err());
}

#[test]
fn compiled_schemas_are_taken_over_while_they_are_the_same() {
    let before = build(&[registration("a", &[&tool("t")])], 1);
    let same = Catalogue::build(&[registration("a", &[&tool("t")])], 1, Some(&before));
    assert_eq!(before.fingerprint(), same.fingerprint());
    let schema = |catalogue: &Catalogue| catalogue.get("t").unwrap().schema.clone();
    assert!(Arc::ptr_eq(&schema(&before), &schema(&same)));
    let other = r#"{"name":"t","inputSchema":{"type":"object","required":["x"]}}"#;
    let other = Catalogue::build(&[registration("a", &[other])], 1, Some(&before));
    assert!(!Arc::ptr_eq(&schema(&before), &schema(&other)));
    assert_ne!(before.fingerprint(), other.fingerprint());
}

#[test]
fn a_tools_policy_is_its_own() {
    let mut one = Arc::unwrap_or_clone(registration(
        "a",
        &[
            &tool("plain"),
            r#"{"name":"hinted","inputSchema":{},"annotations":{"readOnlyHint":true}}"#,
        ],
    ));
    one.tools.insert(
        "plain".into(),
        DeliverySpec {
            timeout: Some(std::time::Duration::from_secs(9)),
            ..DeliverySpec::default()
        },
    );
    let catalogue = build(&[Arc::new(one)], 10);
    assert_eq!(
        catalogue.get("plain").unwrap().delivery.timeout.as_secs(),
        9
    );
    assert!(catalogue.get("hinted").unwrap().delivery.repeatable);
}
