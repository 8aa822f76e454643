use std::collections::BTreeMap;

use dormouse_contract::Manifest;
use dormouse_contract::policy::{Delivery, DeliverySpec, Stored};

use super::*;

fn registration(pool: &str, tools: &[&str]) -> Arc<Registration> {
    declares(pool, "tools", tools)
}

/// A pool that declares these objects under this member of its manifest, and nothing else.
fn declares(pool: &str, member: &str, objects: &[&str]) -> Arc<Registration> {
    let manifest = format!(r#"{{"contract":1,"{member}":[{}]}}"#, objects.join(","));
    let manifest: Manifest = serde_json::from_str(&manifest).unwrap();
    Arc::new(Registration {
        pool: pool.into(),
        agent_type: String::new(),
        revision: "1".into(),
        manifest: Arc::new(manifest),
        delivery: Delivery::default(),
        tools: BTreeMap::new(),
        triggers: None,
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
        catalogue.page(Kind::Tools, None).unwrap(),
        format!(r#""tools":[{}]"#, tool("t"))
    );
    assert_eq!(
        build(&[], 10).page(Kind::Tools, None).unwrap(),
        r#""tools":[]"#
    );
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
    let page = catalogue.page(Kind::Tools, None).unwrap();
    assert!(page.contains(&tool("b__t")), "{page}");
    let renamed = catalogue.tool("b__t").unwrap().target.clone();
    assert_eq!((&*renamed.declared, &*renamed.pool), ("t", "b"));
    assert_eq!(&*catalogue.tool("t").unwrap().target.pool, "a");
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
        .tools()
        .into_iter()
        .map(|entry| entry.name)
        .collect();
    assert_eq!(names, ["good", "fine"]);
    assert_eq!(catalogue.remarks().len(), 5);
}

#[test]
fn compiled_schemas_are_taken_over_while_they_are_the_same() {
    let before = build(&[registration("a", &[&tool("t")])], 1);
    let same = Catalogue::build(&[registration("a", &[&tool("t")])], 1, Some(&before));
    assert_eq!(before.fingerprints(), same.fingerprints());
    let schema = |catalogue: &Catalogue| catalogue.tool("t").unwrap().schema.clone();
    assert!(Arc::ptr_eq(&schema(&before), &schema(&same)));
    let other = r#"{"name":"t","inputSchema":{"type":"object","required":["x"]}}"#;
    let other = Catalogue::build(&[registration("a", &[other])], 1, Some(&before));
    assert!(!Arc::ptr_eq(&schema(&before), &schema(&other)));
    assert_ne!(before.fingerprints(), other.fingerprints());
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
        catalogue
            .tool("plain")
            .unwrap()
            .target
            .delivery
            .timeout
            .as_secs(),
        9
    );
    assert!(catalogue.tool("hinted").unwrap().target.delivery.repeatable);
}

#[test]
fn prompts_are_renamed_like_tools() {
    let prompt = r#"{"name":"p","arguments":[{"name":"a","required":true},{"name":"b"}],"x":1.0}"#;
    let broken = [r#"{"title":"nameless"}"#, r#"{"name":"p"}"#];
    let catalogue = build(
        &[
            declares("a", "prompts", &[prompt, broken[0], broken[1]]),
            declares("b", "prompts", &[prompt]),
            registration("c", &[&tool("p")]),
        ],
        10,
    );
    let page = catalogue.page(Kind::Prompts, None).unwrap();
    assert!(
        page.contains(prompt) && page.contains(r#""name":"b__p""#),
        "{page}"
    );
    let renamed = catalogue.prompt("b__p").unwrap();
    assert_eq!(
        (&*renamed.target.declared, &*renamed.target.pool),
        ("p", "b")
    );
    assert_eq!(renamed.required, ["a"]);
    assert_eq!(renamed.target.delivery.stored, Stored::Lazily);
    assert!(renamed.target.delivery.repeatable);
    assert_eq!(
        &*catalogue.tool("p").unwrap().target.pool,
        "c",
        "a tool is no prompt"
    );
    let remarks: Vec<String> = catalogue
        .remarks()
        .iter()
        .map(|remark| format!("{} {}: {}", remark.pool, remark.about, remark.remark))
        .collect();
    assert_eq!(remarks.len(), 3, "{remarks:?}");
    assert!(remarks[0].starts_with("a prompt #1: left out: it is no MCP prompt"));
    assert_eq!(
        remarks[1],
        "a prompt p: left out: its pool declares it twice"
    );
    assert!(remarks[2].starts_with("b prompt p: offered as `b__p`"));
}

#[test]
fn a_uri_is_its_older_owners() {
    let resource = |uri: &str| format!(r#"{{"uri":"{uri}","name":"n"}}"#);
    let catalogue = build(
        &[
            declares("a", "resources", &[&resource("x://1"), r#"{"name":"n"}"#]),
            declares("b", "resources", &[&resource("x://1"), &resource("x://2")]),
        ],
        10,
    );
    assert_eq!(
        catalogue.page(Kind::Resources, None).unwrap(),
        format!(
            r#""resources":[{},{}]"#,
            resource("x://1"),
            resource("x://2")
        )
    );
    let owner = |uri: &str| {
        catalogue
            .resource(uri)
            .map(|one| one.target.pool.to_string())
    };
    assert_eq!(owner("x://1").as_deref(), Some("a"));
    assert_eq!(owner("x://2").as_deref(), Some("b"));
    assert_eq!(owner("x://3"), None);
    let remarks = serde_json::to_value(catalogue.remarks()).unwrap();
    assert!(
        remarks[0]["remark"]
            .as_str()
            .unwrap()
            .contains("no MCP resource")
    );
    assert_eq!(remarks[1]["resource"], "x://1");
    assert_eq!(
        remarks[1]["remark"],
        "left out: pool `a` registered it before"
    );
}

#[test]
fn a_uri_belongs_to_the_narrowest_template() {
    let template = |template: &str| format!(r#"{{"uriTemplate":"{template}","name":"n"}}"#);
    let catalogue = build(
        &[
            declares(
                "wide",
                "resourceTemplates",
                &[
                    &template("{+any}"),
                    &template("x://{bad"),
                    &template("x://{id}"),
                ],
            ),
            declares(
                "narrow",
                "resourceTemplates",
                &[&template("x://{id}"), &template("x://item/{id}")],
            ),
            declares(
                "exact",
                "resources",
                &[r#"{"uri":"x://item/1","name":"n"}"#],
            ),
        ],
        10,
    );
    let owner = |uri: &str| catalogue.resource(uri).unwrap().target.clone();
    assert_eq!(&*owner("x://item/1").pool, "exact");
    assert_eq!(&*owner("x://item/2").name, "x://item/{id}");
    assert_eq!(&*owner("x://7").pool, "wide");
    assert_eq!(&*owner("anything").name, "{+any}");
    let referred = catalogue.resource_reference("x://item/{id}").unwrap();
    assert_eq!(&*referred.target.pool, "narrow");
    let remarks = serde_json::to_value(catalogue.remarks()).unwrap();
    assert!(
        remarks[0]["remark"]
            .as_str()
            .unwrap()
            .contains("no URI template")
    );
    assert_eq!(remarks[1]["resourceTemplate"], "x://{id}");
}

#[test]
fn each_list_changes_by_itself() {
    let before = build(&[registration("a", &[&tool("t")])], 1).fingerprints();
    let resource = r#"{"uri":"x://1","name":"n"}"#;
    let after = build(
        &[
            registration("a", &[&tool("t")]),
            declares("b", "resources", &[resource]),
        ],
        1,
    )
    .fingerprints();
    assert_eq!((before.tools, before.prompts), (after.tools, after.prompts));
    assert_ne!(before.resources, after.resources);
}
