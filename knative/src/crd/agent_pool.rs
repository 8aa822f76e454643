//! What the definition of AgentPools says besides its types.

use dormouse_pool::RESERVED_VARIABLES;
use serde_json::{Value, json};

use super::Additions;
use super::rule::{
    Amendment, IMAGE, LABEL, SUBDOMAIN, member, name, of, of_secret, rule, some_time,
};

pub(super) const ADDITIONS: Additions = Additions {
    columns: &[
        (
            "Ready",
            "string",
            ".status.conditions[?(@.type==\"Ready\")].status",
            false,
        ),
        ("Tools", "integer", ".status.toolCount", false),
        ("State", "string", ".status.state", false),
        ("Instances", "integer", ".status.instances", false),
        ("Age", "date", ".metadata.creationTimestamp", false),
        (
            "Reason",
            "string",
            ".status.conditions[?(@.type==\"Ready\")].reason",
            true,
        ),
        ("Revision", "string", ".status.revision", true),
        ("Type", "string", ".status.agentType", true),
    ],
    // A DNS label that starts with a letter (RFC 1035): the Knative Service is called so.
    name: "^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$",
    amendments,
};

fn amendments() -> Vec<Amendment> {
    let mut all = vec![
        of("Spec", json!({"required": ["image"]})),
        member("Spec", "image", name(IMAGE, 1_024)),
        member("Spec", "server", name(LABEL, 63)),
        member("Spec", "serviceAccountName", name(SUBDOMAIN, 253)),
        member("Spec", "tools", json!({"maxProperties": 1_000})),
        member("Spec", "triggers", json!({"maxItems": 200})),
    ];
    all.extend(environment());
    all.extend(bounds());
    all.extend(what_runs());
    all.extend(deliveries());
    all.extend(filters());
    all
}

fn environment() -> Vec<Amendment> {
    let reserved = RESERVED_VARIABLES
        .map(|name| format!("'{name}'"))
        .join(", ");
    let own = rule(
        &format!("!(self in [{reserved}])"),
        "is set by the platform: choose another name",
        None,
    );
    let mut all = vec![
        member(
            "Spec",
            "env",
            json!({
                "maxItems": 200,
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            }),
        ),
        member("EnvSpec", "name", name("^[A-Za-z_][-._A-Za-z0-9]*$", 253)),
        member("EnvSpec", "name", own),
        of(
            "EnvSpec",
            rule(
                "!has(self.value) || !has(self.valueFrom)",
                "has both `value` and `valueFrom`: keep one",
                Some("value"),
            ),
        ),
    ];
    all.extend(of_secret("SecretKeySelector"));
    all
}

fn bounds() -> Vec<Amendment> {
    let floor = "!has(self.autoscaling) || !self.autoscaling.enabled || \
                 !has(self.autoscaling.minReplicas) || !has(self.scaling) || \
                 has(self.scaling.min) || !has(self.scaling.max) || \
                 self.autoscaling.minReplicas <= self.scaling.max";
    vec![
        of(
            "Spec",
            rule(
                floor,
                "is more than `scaling.max`",
                Some("autoscaling.minReplicas"),
            ),
        ),
        of(
            "ScalingSpec",
            rule(
                "!has(self.min) || !has(self.max) || self.min <= self.max",
                "is more than `max`",
                Some("min"),
            ),
        ),
        of(
            "Autoscaling",
            rule(
                "!self.enabled || !has(self.minReplicas) || !has(self.maxReplicas) || \
                 self.minReplicas <= self.maxReplicas",
                "is more than `maxReplicas`",
                Some("minReplicas"),
            ),
        ),
        member(
            "BreakerSpec",
            "pause",
            some_time("is no time at all: write `failures: 0` for a breaker that never opens"),
        ),
    ]
}

fn what_runs() -> Vec<Amendment> {
    vec![
        // Not in CEL, which cannot see `command`, because that has no type.
        of(
            "RunSpec",
            json!({"oneOf": [
                {"required": ["cargo"]}, {"required": ["command"]}, {"required": ["mcp"]},
            ]}),
        ),
        of(
            "McpSpec",
            rule(
                "has(self.command) != has(self.url)",
                "say either `command` (with `args` and `env`) for a stdio server, or `url` alone",
                None,
            ),
        ),
    ]
}

fn deliveries() -> Vec<Amendment> {
    let some_time = || some_time("is no time at all: nothing could ever be delivered or answered");
    vec![
        member("DeliverySpec", "timeout", some_time()),
        member("DeliverySpec", "queueExpiry", some_time()),
        member("DeliverySpec", "totalBudget", some_time()),
        member("DeliverySpec", "suspensionExpiry", some_time()),
        member("DeadLetterSink", "uri", name("^https?://", 2_048)),
        member("PoolRef", "name", name(LABEL, 63)),
    ]
}

/// As the reader of filters has it: one dialect, nothing empty, and `{}` always holds.
fn filters() -> Vec<Amendment> {
    let attributes =
        || json!({"minProperties": 1, "additionalProperties": {"type": "string", "minLength": 1}});
    vec![
        of("Filter", json!({"minProperties": 0})),
        member("Filter", "all", json!({"minItems": 1})),
        member("Filter", "any", json!({"minItems": 1})),
        member("Filter", "exact", attributes()),
        member("Filter", "prefix", attributes()),
        member("Filter", "suffix", attributes()),
        member("Filter", "cesql", json!({"minLength": 1})),
        member("Trigger", "filter", legacy_filter()),
    ]
}

fn legacy_filter() -> Value {
    json!({
        "type": "object",
        "description": "Knative's older filter, read when there are no `filters`.",
        "properties": {
            "attributes": {
                "type": "object",
                "description": "Each attribute has the value, or any value when that is the empty \
                                text.",
                "additionalProperties": {"type": "string"},
            },
        },
    })
}
