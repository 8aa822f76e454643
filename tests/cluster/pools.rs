//! AgentPools of the tests' own.

use serde_json::{Value, json};

/// A pool of the fixture function, which sleeps as soon as Knative lets it.
pub fn fixture(name: &str) -> Value {
    json!({
        "apiVersion": "dormouse.dev/v1alpha1",
        "kind": "AgentPool",
        "metadata": {"name": name},
        "spec": {
            "agentType": "test",
            "image": "dev.local/fixture:1",
            "scaling": {"max": 4, "concurrency": 8, "idle": "6s"},
            "delivery": {"retry": 60, "backoffDelay": "500ms", "backoffPolicy": "linear"},
        },
    })
}

/// A pool of one of the tests' images, with these other members of its spec.
pub fn of(name: &str, image: &str, mut spec: Value) -> Value {
    spec["agentType"] = "test".into();
    spec["image"] = format!("dev.local/{image}:1").into();
    json!({
        "apiVersion": "dormouse.dev/v1alpha1",
        "kind": "AgentPool",
        "metadata": {"name": name},
        "spec": spec,
    })
}

/// The pool that ships, under another name and sleeping as soon.
pub fn educational(name: &str) -> Value {
    let mut pool = fixture(name);
    pool["spec"]["image"] = json!("dormouse/educational:0.1.0");
    pool
}
