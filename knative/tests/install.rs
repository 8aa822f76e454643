//! The manifests that people apply.

use std::path::Path;

use serde_json::Value;

/// The documents of a file of `knative/`, in an order of their own.
fn documents(path: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

/// What a kustomization lists, and what those list in turn. `base` transforms nothing.
fn resources(folder: &str, kustomization: &str) -> Vec<Value> {
    let read = documents(&format!("{folder}/{kustomization}")).remove(0);
    let listed = read["resources"].as_array().expect("a list");
    let paths = listed.iter().filter_map(Value::as_str);
    paths
        .flat_map(|path| match path.ends_with(".yaml") {
            true => documents(&format!("{folder}/{path}")),
            false => resources(&format!("{folder}/{path}"), "Kustomization"),
        })
        .collect()
}

#[test]
fn what_is_installed_is_the_base() {
    let sorted = |mut documents: Vec<Value>| {
        documents.sort_by_key(|it| format!("{} {}", it["kind"], it["metadata"]["name"]));
        documents
    };
    assert!(
        sorted(documents("install.yaml")) == sorted(resources("base", "kustomization.yaml")),
        "knative/install.yaml is stale: run `knative/render`"
    );
}

#[test]
fn the_operator_is_the_one_of_this_version() {
    let operator = documents("base/operator.yaml").remove(0);
    let image = &operator["spec"]["template"]["spec"]["containers"][0]["image"];
    assert_eq!(
        *image,
        concat!("dormouse/operator:", env!("CARGO_PKG_VERSION"))
    );
}
