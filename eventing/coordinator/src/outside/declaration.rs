//! The whole of a pool, as who runs it declares it: read, and checked for what belongs together.

use dormouse_contract::Manifest;
use dormouse_contract::declaration::{Declaration, RunsOn};
use dormouse_contract::manifest::InvalidManifest;
use serde_json::value::RawValue;

use super::WrongField;
use super::members::{Members, address};

/// What only Knative's pools have.
const OF_KNATIVE: [&str; 2] = ["revision", "manifest"];

/// Reads the declaration of a pool.
///
/// # Errors
/// Everything that is wrong with it, at least one thing.
pub(crate) fn read(pool: &str, json: &[u8]) -> Result<Declaration, Vec<WrongField>> {
    let mut members = Members::read(json)?;
    let pool_id = members.optional("pool_id");
    if pool_id.as_ref().is_some_and(|named: &String| named != pool) {
        let why = format!("the path names pool `{pool}`: say the same, or leave it out");
        members.complain("pool_id", why);
    }
    let is_said = members.says("runs_on");
    let said = members.optional("runs_on");
    let runs_on = said.unwrap_or_default();
    let endpoint = members.required("endpoint", address);
    let health_endpoint = match runs_on {
        RunsOn::AlwaysOn => {
            let written = members.optional("health_endpoint");
            let health = endpoint.as_ref().and_then(|it| members.health(it, written));
            health.map(Into::into)
        }
        RunsOn::Knative => None,
    };
    // Of who says it and cannot be read nobody knows what belongs to it.
    if is_said == said.is_some() {
        check_company(&mut members, runs_on);
    }
    let declaration = Declaration {
        pool_id,
        runs_on,
        endpoint: endpoint.map(Into::into).unwrap_or_default(),
        health_endpoint,
        revision: members.checked("revision", revision),
        manifest: manifest(&mut members),
        queue_limit: members.optional("queue_limit"),
        terms: members.terms(),
    };
    let wrong = members.finish();
    match wrong.is_empty() {
        true => Ok(declaration),
        false => Err(wrong),
    }
}

/// What has to be there, or must not, by what runs the pool.
fn check_company(members: &mut Members, runs_on: RunsOn) {
    match runs_on {
        RunsOn::AlwaysOn => {
            for name in OF_KNATIVE {
                members.refuse(
                    name,
                    "an agent that is always on is asked for it: leave it out, or say \
                     `\"runs_on\": \"knative\"`",
                );
            }
        }
        RunsOn::Knative => {
            for name in OF_KNATIVE {
                if !members.says(name) {
                    members.complain(
                        name,
                        "it is missing: a pool on Knative is not asked, because that would wake it",
                    );
                }
            }
            members.refuse(
                "health_endpoint",
                "a pool on Knative is not probed, because that would wake it: leave it out",
            );
        }
    }
}

fn revision(name: String) -> Result<String, String> {
    match name.is_empty() {
        false => Ok(name),
        true => Err("it is empty: write the revision's name".to_owned()),
    }
}

fn manifest(members: &mut Members) -> Option<Box<RawValue>> {
    let written = members.verbatim("manifest")?;
    match Manifest::parse(written.get().as_bytes()) {
        Ok(_) => Some(written),
        Err(error) => {
            members.complain_at(&place(&error), error);
            None
        }
    }
}

fn place(error: &InvalidManifest) -> String {
    match error {
        InvalidManifest::Json(_) => "#/manifest".to_owned(),
        InvalidManifest::Contract(_) => "#/manifest/contract".to_owned(),
        InvalidManifest::Tool { index, .. } => format!("#/manifest/tools/{index}"),
        InvalidManifest::Trigger { index, .. } => format!("#/manifest/triggers/{index}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn knative(more: Value) -> Value {
        let mut declaration = json!({
            "runs_on": "knative",
            "endpoint": "http://p.default.svc.cluster.local",
            "revision": "p-00001",
            "manifest": {"contract": 1},
        });
        let members = declaration.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        declaration
    }

    fn pointers(declaration: &Value) -> Vec<String> {
        let wrong = read("p", declaration.to_string().as_bytes()).unwrap_err();
        wrong.into_iter().map(|field| field.pointer).collect()
    }

    #[test]
    fn a_manifest_is_kept_to_the_letter() {
        let manifest = r#"{ "contract":1, "z":1.0, "a":[ ] }"#;
        let json = format!(
            r#"{{"pool_id":"p","runs_on":"knative","endpoint":"http://p","revision":"1","manifest":{manifest}}}"#
        );
        let declaration = read("p", json.as_bytes()).unwrap();
        assert_eq!(declaration.runs_on, RunsOn::Knative);
        assert_eq!(declaration.manifest.unwrap().get(), manifest);
        let always = read("p", br#"{"endpoint":"http://p"}"#).unwrap();
        assert_eq!(
            (always.runs_on, always.health_endpoint.as_deref()),
            (RunsOn::AlwaysOn, Some("http://p/health/readiness"))
        );
    }

    #[test]
    fn what_does_not_belong_together_is_named() {
        let tool = json!({"manifest": {"contract": 1, "tools": [{"name": "t"}]}});
        let trigger = json!({"manifest": {"contract": 1, "triggers": [{}, {"filters": 1}]}});
        for (declaration, named) in [
            (
                json!({"endpoint": "http://p", "revision": "1"}),
                "#/revision",
            ),
            (
                json!({"endpoint": "http://p", "manifest": {}}),
                "#/manifest",
            ),
            (
                knative(json!({"health_endpoint": "/up"})),
                "#/health_endpoint",
            ),
            (knative(json!({"revision": null})), "#/revision"),
            (knative(json!({"revision": ""})), "#/revision"),
            (knative(json!({"manifest": null})), "#/manifest"),
            (knative(json!({"manifest": []})), "#/manifest"),
            (
                knative(json!({"manifest": {"contract": 2}})),
                "#/manifest/contract",
            ),
            (knative(tool), "#/manifest/tools/0"),
            (knative(trigger), "#/manifest/triggers/1"),
            (knative(json!({"runs_on": "lambda"})), "#/runs_on"),
            (knative(json!({"pool_id": "q"})), "#/pool_id"),
            (knative(json!({"queue_limit": -1})), "#/queue_limit"),
            (
                knative(json!({"delivery": {"timeout": "soon"}})),
                "#/delivery/timeout",
            ),
            (knative(json!({"connections": 0})), "#/connections"),
            (knative(json!({"colour": 1})), "#/colour"),
        ] {
            assert_eq!(pointers(&declaration), [named], "{declaration}");
        }
        assert_eq!(
            pointers(&json!({"runs_on": "knative"})),
            ["#/endpoint", "#/revision", "#/manifest"]
        );
        assert_eq!(pointers(&json!([])), ["#"]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read("p", &bytes);
        }
    }
}
