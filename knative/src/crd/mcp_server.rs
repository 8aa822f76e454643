//! What the definition of MCPServers says besides its types.

use serde_json::json;

use super::Additions;
use super::rule::{Amendment, IMAGE, LABEL, member, name, of, of_secret, rule};

pub(super) const ADDITIONS: Additions = Additions {
    columns: &[
        (
            "Ready",
            "string",
            ".status.conditions[?(@.type==\"Ready\")].status",
            false,
        ),
        ("Type", "string", ".spec.serverType", false),
        ("Pools", "integer", ".status.pools", false),
        ("Replicas", "integer", ".status.readyReplicas", false),
        ("URL", "string", ".status.url", false),
        ("Age", "date", ".metadata.creationTimestamp", false),
        (
            "Reason",
            "string",
            ".status.conditions[?(@.type==\"Ready\")].reason",
            true,
        ),
    ],
    // A DNS label that starts with a letter, short enough for a StatefulSet.
    name: "^[a-z]([-a-z0-9]{0,50}[a-z0-9])?$",
    amendments,
};

const SPEC: &str = "MCPServerSpec";

const WITH_DATABASES: &str = "has(self.storage) && has(self.storage.postgres)";

fn amendments() -> Vec<Amendment> {
    let mut all = vec![
        member(SPEC, "image", name(IMAGE, 1_024)),
        of(
            SPEC,
            rule(
                &format!("{WITH_DATABASES} || self.replicas == 1"),
                "several pods cannot share a volume: 1, or name `storage.postgres` and \
                 `storage.redis`",
                Some("replicas"),
            ),
        ),
        of(
            SPEC,
            rule(
                &format!("{WITH_DATABASES} || !has(self.autoscaling)"),
                "pods cannot share a volume: leave it out, or name `storage.postgres` and \
                 `storage.redis`",
                Some("autoscaling"),
            ),
        ),
        of(
            SPEC,
            rule(
                "!has(self.autoscaling) || self.autoscaling.maxReplicas >= self.replicas",
                "is less than `replicas`",
                Some("autoscaling.maxReplicas"),
            ),
        ),
        of(
            "StorageSpec",
            rule(
                "has(self.postgres) == has(self.redis) && !(has(self.volume) && has(self.postgres))",
                "write `volume` alone, or `postgres` and `redis` together",
                None,
            ),
        ),
        member("VolumeSpec", "storageClassName", json!({"maxLength": 253})),
        member(
            "Doors",
            "allowHosts",
            json!({"items": {"type": "string", "pattern": "^[-.A-Za-z0-9]+$", "maxLength": 253}}),
        ),
        member("BrokerRef", "name", name(LABEL, 63)),
        member("BrokerRef", "namespace", name(LABEL, 63)),
    ];
    all.extend(of_secret("SecretKey"));
    all
}
