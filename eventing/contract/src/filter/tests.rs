//! Filters as Knative has them.

use super::*;
use crate::event::ExtensionValue;

fn event() -> Event {
    let mut event = Event::new("1", "/repos/dormouse", "com.github.push");
    event = event.with_extension("branch", "main");
    event = event.with_extension("empty", "");
    for (name, value) in [
        ("attempt", ExtensionValue::Integer(-2_147_483_648)),
        ("forced", ExtensionValue::Boolean(true)),
    ] {
        event.extensions.insert(name.to_owned(), value);
    }
    event
}

fn filter(json: &str) -> Filter {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

#[track_caller]
fn check(cases: &[(&str, bool)]) {
    for (json, expected) in cases {
        assert_eq!(filter(json).matches(&event()), *expected, "{json}");
        let negated = filter(&format!(r#"{{"not":{json}}}"#));
        assert_eq!(negated.matches(&event()), !expected, "not {json}");
    }
}

#[test]
fn attributes_are_compared() {
    check(&[
        (r#"{"exact":{"type":"com.github.push"}}"#, true),
        (r#"{"exact":{"type":"com.github"}}"#, false),
        (r#"{"exact":{"type":"COM.GITHUB.PUSH"}}"#, false),
        (
            r#"{"exact":{"type":"com.github.push","branch":"main"}}"#,
            true,
        ),
        (
            r#"{"exact":{"type":"com.github.push","branch":"x"}}"#,
            false,
        ),
        (r#"{"exact":{"specversion":"1.0","id":"1"}}"#, true),
        (
            r#"{"prefix":{"type":"com.github.","source":"/repos"}}"#,
            true,
        ),
        (
            r#"{"prefix":{"type":"com.github.","source":"/users"}}"#,
            false,
        ),
        (r#"{"suffix":{"branch":"in"}}"#, true),
        (r#"{"suffix":{"branch":"domain"}}"#, false),
    ]);
}

#[test]
fn a_missing_attribute_matches_nothing() {
    check(&[
        (r#"{"exact":{"subject":"x"}}"#, false),
        (r#"{"prefix":{"subject":"x"}}"#, false),
        (r#"{"suffix":{"missing":"x"}}"#, false),
        (r#"{"cesql":"subject = 'x'"}"#, false),
        (r#"{"cesql":"NOT (subject = 'x')"}"#, false),
    ]);
}

#[test]
fn values_that_are_no_texts_are_compared_as_texts() {
    check(&[
        (r#"{"exact":{"attempt":"-2147483648"}}"#, true),
        (r#"{"prefix":{"attempt":"-21"}}"#, true),
        (r#"{"suffix":{"attempt":"49"}}"#, false),
        (r#"{"exact":{"forced":"true"}}"#, true),
        (r#"{"cesql":"attempt = -2147483648 AND forced"}"#, true),
    ]);
}

#[test]
fn conditions_are_combined() {
    check(&[
        (
            r#"{"any":[{"exact":{"branch":"x"}},{"exact":{"branch":"main"}}]}"#,
            true,
        ),
        (
            r#"{"all":[{"exact":{"branch":"x"}},{"exact":{"branch":"main"}}]}"#,
            false,
        ),
        (
            r#"{"any":[{"all":[{"prefix":{"type":"com."}},{"suffix":{"type":".push"}}]}]}"#,
            true,
        ),
        (r#"{"all":[{"not":{"not":{"exact":{"id":"1"}}}}]}"#, true),
        ("{}", true),
        (r#"{"all":[{}]}"#, true),
    ]);
}

/// CloudEvents SQL, section 1.2.
#[test]
fn an_expression_must_be_true_without_an_error() {
    check(&[
        (
            r#"{"cesql":"type LIKE 'com.github.%' AND branch IN ('main', 'dev')"}"#,
            true,
        ),
        (r#"{"cesql":"branch = 'dev'"}"#, false),
        (r#"{"cesql":"1"}"#, false),
        (r#"{"cesql":"'true'"}"#, false),
        (r#"{"cesql":"LENGTH(LEFT(type, -1)) = 0"}"#, false),
        (r#"{"cesql":"forced"}"#, true),
    ]);
}

#[test]
fn a_trigger_takes_what_all_its_filters_take() {
    let trigger = |json: &str| serde_json::from_str::<Trigger>(json).unwrap();
    assert!(trigger("{}").matches(&event()));
    assert!(trigger(r#"{"filters":[]}"#).matches(&event()));
    let both = r#"{"filters":[{"prefix":{"type":"com."}},{"exact":{"branch":"main"}}]}"#;
    assert!(trigger(both).matches(&event()));
    assert!(!trigger(&both.replace("main", "dev")).matches(&event()));
}

#[test]
fn the_older_filter_is_read_unless_there_are_filters() {
    for (json, expected) in [
        (
            r#"{"filter":{"attributes":{"type":"com.github.push"}}}"#,
            true,
        ),
        (r#"{"filter":{"attributes":{"type":"com.github"}}}"#, false),
        (
            r#"{"filter":{"attributes":{"type":"","branch":"main"}}}"#,
            true,
        ),
        (r#"{"filter":{"attributes":{"subject":""}}}"#, false),
        (r#"{"filter":{"attributes":{"empty":""}}}"#, false),
        (r#"{"filter":{"attributes":{"forced":""}}}"#, true),
        (r#"{"filter":{}}"#, true),
        (
            r#"{"filter":{"attributes":{"type":"x"}},"filters":[{"exact":{"id":"1"}}]}"#,
            true,
        ),
        (
            r#"{"filter":{"attributes":{"type":"x"}},"filters":[]}"#,
            false,
        ),
    ] {
        let trigger: Trigger = serde_json::from_str(json).unwrap();
        assert_eq!(trigger.matches(&event()), expected, "{json}");
        let written = serde_json::to_string(&trigger).unwrap();
        assert_eq!(serde_json::from_str::<Trigger>(&written).unwrap(), trigger);
    }
}

#[test]
fn what_knative_refuses_is_refused() {
    for (json, words) in [
        (
            r#"{"exact":{"type":"a"},"prefix":{"type":"b"}}"#,
            "this one has exact and prefix",
        ),
        (r#"{"not":{},"cesql":"TRUE"}"#, "this one has not and cesql"),
        (r#"{"all":[]}"#, "`all` is empty"),
        (r#"{"any":[]}"#, "`any` is empty"),
        (r#"{"exact":{}}"#, "`exact` is empty"),
        (r#"{"suffix":{}}"#, "`suffix` is empty"),
        (r#"{"exact":{"type":""}}"#, "the value of `type` is empty"),
        (r#"{"prefix":{"Type":"a"}}"#, "`Type` is no attribute name"),
        (r#"{"prefix":{"1st":"a"}}"#, "`1st` is no attribute name"),
        (r#"{"prefix":{"":"a"}}"#, "`` is no attribute name"),
        (r#"{"regex":{"type":"a"}}"#, "unknown field `regex`"),
        (
            r#"{"any":[{"not":{"exact":{"a_b":"x"}}}]}"#,
            "`a_b` is no attribute name",
        ),
    ] {
        let error = serde_json::from_str::<Filter>(json)
            .unwrap_err()
            .to_string();
        assert!(error.contains(words), "{error} should hold {words}");
    }
    let legacy = r#"{"filter":{"attributes":{"a-b":"x"}}}"#;
    let error = serde_json::from_str::<Trigger>(legacy).unwrap_err();
    assert!(error.to_string().contains("`a-b` is no attribute name"));
}

#[test]
fn an_expression_is_checked_where_it_is_read() {
    let read = |text: &str| {
        serde_json::from_str::<Filter>(text)
            .unwrap_err()
            .to_string()
    };
    let error = read(r#"{"cesql":"type LIKE com"}"#);
    assert!(
        error.starts_with(
            "the CESQL expression `type LIKE com` is not valid: expected a string after LIKE, \
             found `com` (character 11) at line 1"
        ),
        "{error}"
    );
    assert!(read(r#"{"cesql":""}"#).contains("found the end"));
    assert!(
        read(r#"{"cesql":"TRUE OR FOO(1)"}"#)
            .contains("cannot be evaluated: there is no function FOO of 1 argument")
    );
}

#[test]
fn a_filter_is_written_as_it_was_read() {
    for json in [
        r#"{"all":[{"any":[{"exact":{"a":"1"}}]},{"not":{"prefix":{"b":"2"}}},{"suffix":{"c":"3"}}]}"#,
        r#"{"cesql":"type   like \"a%\" "}"#,
        "{}",
    ] {
        assert_eq!(serde_json::to_string(&filter(json)).unwrap(), json);
    }
}

#[test]
fn what_keeps_a_trigger_from_an_event_is_told() {
    let explain = |filters: &str| {
        let json = format!(r#"{{"filters":{filters}}}"#);
        let trigger: Trigger = serde_json::from_str(&json).unwrap();
        let explanation = trigger.explain(&event());
        assert_eq!(explanation.matches, trigger.matches(&event()), "{filters}");
        let words = explanation.mismatches.iter().map(ToString::to_string);
        words.collect::<Vec<_>>()
    };
    let nothing: [&str; 0] = [];
    assert_eq!(explain("[]"), nothing);
    assert_eq!(
        explain(r#"[{"any":[{"exact":{"id":"2"}},{"exact":{"id":"1"}}]}]"#),
        nothing
    );
    assert_eq!(
        explain(
            r#"[{"exact":{"type":"a","branch":"main"}},{"prefix":{"subject":"x","source":"/u"}}]"#
        ),
        [
            "filters[0].exact.type: `type` is `com.github.push`, not `a`",
            "filters[1].prefix.source: `source` is `/repos/dormouse`, which does not start with `/u`",
            "filters[1].prefix.subject: the event has no `subject`",
        ]
    );
    assert_eq!(
        explain(r#"[{"any":[{"all":[{}, {"suffix":{"id":"2"}}]},{"not":{"exact":{"id":"1"}}}]}]"#),
        [
            "filters[0].any[0].all[1].suffix.id: `id` is `1`, which does not end with `2`",
            "filters[0].any[1].not: what it excludes matches",
        ]
    );
    assert_eq!(
        explain(r#"[{"cesql":"type"},{"cesql":"1 = 2"},{"cesql":"subject = 'x'"}]"#),
        [
            "filters[0].cesql: `type` is \"com.github.push\"",
            "filters[1].cesql: `1 = 2` is false",
            "filters[2].cesql: `subject = 'x'` cannot be decided: the event has no attribute `subject`",
        ]
    );
    let none = Trigger {
        filters: vec![Filter::Any(Vec::new())],
        ..Trigger::default()
    };
    let explanation = none.explain(&event());
    assert_eq!(
        explanation.mismatches[0].to_string(),
        "filters[0].any: it has no alternatives"
    );
}

#[test]
fn an_explanation_is_plain_data() {
    let json = r#"{"filters":[{"exact":{"type":"a"}},{"cesql":"nope"},{"not":{}}]}"#;
    let trigger: Trigger = serde_json::from_str(json).unwrap();
    let explanation = trigger.explain(&event());
    let written = serde_json::to_value(&explanation).unwrap();
    assert_eq!(
        written,
        serde_json::json!({"matches": false, "mismatches": [
            {"at": "filters[0].exact.type", "reason": "differs", "attribute": "type",
             "value": "com.github.push", "comparison": "exact", "wanted": "a"},
            {"at": "filters[1].cesql", "reason": "expression", "expression": "nope",
             "value": "false", "error": "the event has no attribute `nope`"},
            {"at": "filters[2].not", "reason": "excluded"},
        ]})
    );
    assert_eq!(
        serde_json::from_value::<Explanation>(written).unwrap(),
        explanation
    );
}

#[test]
fn the_schema_has_each_dialect_and_a_filter_has_one_or_none() {
    let schema = schemars::schema_for!(Filter).to_value();
    let members = schema["properties"].as_object().unwrap();
    let names: Vec<_> = members.keys().map(String::as_str).collect();
    let dialects = ["all", "any", "cesql", "exact", "not", "prefix", "suffix"];
    assert_eq!(names, dialects);
    for (name, member) in members {
        assert!(member["description"].is_string(), "{name}: {member}");
    }
    assert_eq!(schema["maxProperties"], 1);
    assert!(schema.get("required").is_none() && schema.get("oneOf").is_none());
}
