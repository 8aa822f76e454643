//! Which fields of a pool have no effect where it runs, each as `field: why`.

use dormouse_contract::balance::Balance;

use crate::document::{Document, Spec};
use crate::field::Field;

const ONLY_IN_A_CLUSTER: &str = "has no effect outside a cluster";

pub(crate) fn on_a_laptop(document: &Document) -> Vec<String> {
    let spec = &document.spec;
    let runs_mcp = spec.run.as_ref().is_some_and(|run| run.mcp.is_some());
    let mut fields = Fields::default();
    fields.add_if(
        document.metadata.namespace.is_some(),
        "metadata.namespace",
        "there are none outside a cluster",
    );
    fields.add_if(
        spec.image.is_some(),
        "spec.image",
        "a cluster runs the image, here `spec.run` decides",
    );
    fields.add_if(
        runs_mcp,
        "spec.run.mcp",
        "MCP servers cannot be run as functions yet",
    );
    fields.add_if(spec.server.is_some(), "spec.server", ONLY_IN_A_CLUSTER);
    fields.add_if(
        spec.resources.is_some(),
        "spec.resources",
        ONLY_IN_A_CLUSTER,
    );
    fields.add_if(
        spec.service_account_name.is_some(),
        "spec.serviceAccountName",
        ONLY_IN_A_CLUSTER,
    );
    for (index, trigger) in spec.triggers.iter().enumerate() {
        let field = Field::of(&["spec", "triggers"]).index(index).key("direct");
        fields.add_if(
            trigger.direct,
            &field.to_string(),
            "there is no broker but the coordinator, which has the event anyway",
        );
    }
    fields.add_everywhere(spec);
    fields.0
}

pub(crate) fn in_a_cluster(spec: &Spec) -> Vec<String> {
    let mut fields = Fields::default();
    fields.add_if(
        spec.run.is_some(),
        "spec.run",
        "a laptop runs it, here `spec.image` decides",
    );
    for (index, variable) in spec.env.iter().enumerate() {
        let field = Field::of(&["spec", "env"]).index(index);
        fields.add_if(
            variable.value.is_none() && variable.value_from.is_none(),
            &field.to_string(),
            &format!(
                "{} has no value, and there is no environment here to take one from: it is left out",
                variable.name
            ),
        );
    }
    fields.add_if(
        spec.balance != Balance::RoundRobin,
        "spec.balance",
        "Knative decides which instance takes a call",
    );
    fields.add_everywhere(spec);
    fields.0
}

#[derive(Default)]
struct Fields(Vec<String>);

impl Fields {
    fn add_if(&mut self, there: bool, field: &str, why: &str) {
        if there {
            self.0.push(format!("{field}: {why}"));
        }
    }

    /// What others decide, wherever the pool runs.
    fn add_everywhere(&mut self, spec: &Spec) {
        self.add_if(
            !spec.capabilities.is_empty(),
            "spec.capabilities",
            "the function's own manifest decides",
        );
        let autoscaling = spec.autoscaling.unwrap_or_default();
        let (min, max) = (autoscaling.min_replicas, autoscaling.max_replicas);
        self.add_if(
            !autoscaling.enabled && (min.is_some() || max.is_some()),
            "spec.autoscaling",
            "its bounds do not hold, because `enabled` is not true",
        );
        let holds = |bound: Option<u32>| bound.is_some() && autoscaling.enabled;
        self.add_if(
            holds(min) && spec.scaling.min.is_some(),
            "spec.autoscaling.minReplicas",
            "`spec.scaling.min` decides",
        );
        self.add_if(
            holds(max) && spec.scaling.max.is_some(),
            "spec.autoscaling.maxReplicas",
            "`spec.scaling.max` decides",
        );
        let ceiling = match (spec.scaling.max, holds(max)) {
            (Some(_), _) => Some("`spec.scaling.max` decides"),
            (None, true) => Some("`spec.autoscaling.maxReplicas` decides"),
            (None, false) => None,
        };
        if let Some(why) = ceiling {
            self.add_if(spec.pool_size.is_some(), "spec.poolSize", why);
        }
    }
}
