//! The API server takes whatever the laptop takes: there is one file for both. (Names alone are
//! different: in a cluster they are those of its objects.)

use std::sync::LazyLock;

use dormouse_contract::duration;
use dormouse_contract::filter::Trigger;
use dormouse_operator::crd;
use dormouse_pool::{Quantity, Spec};
use jsonschema::Validator;
use proptest::prelude::*;
use serde::Deserialize as _;
use serde_json::{Value, json};

/// Holds AgentPools against their definition, but for its rules in CEL.
static API_SERVER: LazyLock<Validator> = LazyLock::new(|| {
    let definition = crd::definitions().remove(0).object;
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    jsonschema::validator_for(schema).expect("a schema")
});

fn takes(mut spec: Value) -> bool {
    spec["image"] = "x".into();
    API_SERVER.is_valid(&json!({"metadata": {"name": "x"}, "spec": spec}))
}

fn filter() -> impl Strategy<Value = Value> {
    let attributes = proptest::collection::btree_map("[a-z1]{1,2}", "[a-z]{0,2}", 0..3);
    let leaf = prop_oneof![
        Just(json!({})),
        Just(json!({"cesql": "type = 'x'"})),
        ("exact|prefix|suffix|all", attributes).prop_map(|(key, map)| json!({key: map})),
    ];
    leaf.prop_recursive(5, 20, 3, |inner| {
        let list = proptest::collection::vec(inner.clone(), 0..3);
        prop_oneof![
            ("all|any", list).prop_map(|(key, list)| json!({key: list})),
            inner.clone().prop_map(|it| json!({"not": it})),
            (inner.clone(), inner).prop_map(|(one, two)| json!({"not": one, "any": [two]})),
        ]
    })
}

proptest! {
    #[test]
    fn durations(
        text in "[0-9]{0,4}(ms|s|m|h|d|w)?|-?P[Tt]?([0-9]{1,4}([.,][0-9]{1,3})?[DHMSWdhms]){0,3}"
    ) {
        if duration::parse(&text).is_ok() {
            prop_assert!(takes(json!({"scaling": {"idle": text}})), "{}", text);
        }
    }

    #[test]
    fn amounts(text in "[0-9.+-]{0,4}[numkMGTPEie]{0,2}[0-9+-]{0,2}") {
        let spec = json!({"resources": {"limits": {"cpu": text}}});
        prop_assert_eq!(Quantity::parse(&text).is_ok(), takes(spec), "{}", text);
    }

    #[test]
    fn filters(filters in proptest::collection::vec(filter(), 0..3)) {
        let trigger = json!({"filters": filters});
        if Trigger::deserialize(&trigger).is_ok() {
            prop_assert!(takes(json!({"triggers": [trigger]})), "{}", trigger);
        }
    }

    #[test]
    fn numbers(
        min in proptest::option::of(0_u32..3), max in proptest::option::of(any::<u32>()),
        concurrency in prop_oneof![0_u32..3, 998_u32..1_003], limit in any::<u64>(),
        retry in prop_oneof![
            any::<u32>().prop_map(Value::from), "always|never|once".prop_map(Value::from),
        ],
    ) {
        let mut spec = json!({
            "scaling": {"concurrency": concurrency},
            "queue": {"limit": limit},
            "delivery": {"retry": retry},
        });
        for (key, bound) in [("min", min), ("max", max)] {
            if let Some(bound) = bound {
                spec["scaling"][key] = bound.into();
            }
        }
        let mut here = spec.clone();
        here["image"] = "x".into();
        let pool = Spec::deserialize(&here)
            .is_ok_and(|spec| dormouse_pool::Pool::in_cluster("x", spec).is_ok());
        if pool {
            prop_assert!(takes(spec.clone()), "{}", spec);
        }
    }
}
