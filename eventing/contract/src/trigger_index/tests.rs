//! The index against asking each trigger.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::filter::Filter;

/// Few names and short texts, so that much matches.
fn map() -> impl Strategy<Value = BTreeMap<String, String>> {
    let name = prop::sample::select(&["type", "type", "source", "x"][..]);
    let entry = (name.prop_map(str::to_owned), "[ab]{0,3}");
    prop::collection::btree_map(entry.0, entry.1, 0..3)
}

fn cesql() -> impl Strategy<Value = Filter> {
    let forms = &[
        "type = 'ab'",
        "type IN ('a', 'b', 'ba') AND x != 'b'",
        "x = 'a' AND type = 'b' OR type = 'a'",
        "NOT (type = 'a')",
        "type LIKE 'a%'",
        "source = 'a' AND (type = 'aa' AND EXISTS x)",
        "x",
    ][..];
    prop::sample::select(forms).prop_map(|text| Filter::Cesql(text.parse().unwrap()))
}

fn filter() -> impl Strategy<Value = Filter> {
    let leaf = prop_oneof![
        map().prop_map(Filter::Exact),
        map().prop_map(Filter::Prefix),
        map().prop_map(Filter::Suffix),
        cesql(),
    ];
    leaf.prop_recursive(3, 12, 3, |filter| {
        let list = prop::collection::vec(filter.clone(), 0..3);
        prop_oneof![
            list.clone().prop_map(Filter::All),
            list.prop_map(Filter::Any),
            filter.prop_map(|it| Filter::Not(it.into())),
        ]
    })
}

fn trigger() -> impl Strategy<Value = Trigger> {
    prop::collection::vec(filter(), 0..3).prop_map(|filters| Trigger {
        filters,
        ..Trigger::default()
    })
}

fn event() -> impl Strategy<Value = Event> {
    let x = prop::option::of("[ab]{0,3}");
    ("[ab]{0,4}", "[ab]{0,3}", x).prop_map(|(ty, source, x)| {
        let event = Event::new("1", source, ty);
        match x {
            Some(x) => event.with_extension("x", x),
            None => event,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn it_finds_what_asking_each_finds(
        triggers in prop::collection::vec(trigger(), 0..20),
        events in prop::collection::vec(event(), 1..10),
    ) {
        let index = TriggerIndex::new(triggers.clone());
        prop_assert_eq!(index.triggers(), &triggers[..]);
        for event in events {
            let asked: Vec<_> = (0..triggers.len())
                .filter(|place| triggers[*place].matches(&event))
                .collect();
            prop_assert_eq!(index.matching(&event), asked, "{:?}", event);
        }
    }
}

/// How many triggers are asked about an event.
fn asked(json: &str, ty: &str) -> usize {
    let index = TriggerIndex::new(serde_json::from_str(json).unwrap());
    let mut asked = 0;
    let mut consider = |candidates: &[Candidate]| {
        asked += candidates.iter().filter(|it| !it.is_decided).count();
    };
    consider(index.exact.get(ty).map_or(&[][..], |it| it));
    index.prefixes.visit(ty.bytes(), &mut consider);
    index.suffixes.visit(ty.bytes().rev(), &mut consider);
    consider(&index.others);
    asked
}

#[test]
fn only_what_the_type_leaves_open_is_asked() {
    for (filters, of_ab, of_other) in [
        ("[]", 0, 0),
        (r#"[{"exact":{"type":"ab"}}]"#, 0, 0),
        (
            r#"[{"any":[{"exact":{"type":"ab"}},{"prefix":{"type":"a"}}]}]"#,
            0,
            0,
        ),
        (r#"[{"exact":{"type":"ab","x":"1"}}]"#, 1, 0),
        (r#"[{"prefix":{"type":"a"}},{"exact":{"x":"1"}}]"#, 1, 0),
        (r#"[{"suffix":{"type":"b"}},{"prefix":{"type":"z"}}]"#, 0, 0),
        (
            r#"[{"all":[{"exact":{"x":"1"}},{"exact":{"type":"ab"}}]}]"#,
            1,
            0,
        ),
        (
            r#"[{"any":[{"exact":{"x":"1"}},{"exact":{"type":"ab"}}]}]"#,
            1,
            1,
        ),
        (r#"[{"cesql":"type = 'ab' AND x = '1'"}]"#, 1, 0),
        (r#"[{"cesql":"type LIKE 'a%'"}]"#, 1, 1),
        (r#"[{"not":{"exact":{"type":"ab"}}}]"#, 1, 1),
    ] {
        let triggers = format!(r#"[{{"filters":{filters}}}]"#);
        assert_eq!(asked(&triggers, "ab"), of_ab, "{filters}");
        assert_eq!(asked(&triggers, "other"), of_other, "{filters}");
    }
}
