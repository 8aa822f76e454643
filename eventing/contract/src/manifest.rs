//! The manifest: how a function describes what it offers.
//!
//! A function prints it for `--capabilities` and serves it at `GET /capabilities`. MCP objects
//! are kept verbatim ([`RawValue`]); [`Tool`] is the view of the members that the platform reads.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::filter::Trigger;
use crate::policy::{Delivery, DeliverySpec};

/// How an object of any shape looks in a JSON Schema.
type Map = serde_json::Map<String, serde_json::Value>;

/// The version of the function contract that is spoken here.
pub const CONTRACT: u32 = 1;

/// What a function offers; MCP objects to the letter.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// The function contract: 1.
    pub contract: u32,
    /// The function's own name for itself; the AgentPool's `metadata.name` wins.
    #[serde(default)]
    pub pool: String,
    /// The mission's agent type: `educational`, `github`, `database` or any other word.
    #[serde(default)]
    pub agent_type: String,
    /// The function's version.
    #[serde(default)]
    pub version: String,
    /// Whether each of its answers carries the header `dormouse-contract`, so that an answer
    /// without it comes from something on the way to the function. Default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub marked: bool,
    /// MCP `Tool` objects.
    #[serde(default)]
    #[schemars(with = "Vec<Map>")]
    pub tools: Vec<Box<RawValue>>,
    /// MCP `Prompt` objects.
    #[serde(default)]
    #[schemars(with = "Vec<Map>")]
    pub prompts: Vec<Box<RawValue>>,
    /// MCP `Resource` objects.
    #[serde(default)]
    #[schemars(with = "Vec<Map>")]
    pub resources: Vec<Box<RawValue>>,
    /// MCP `ResourceTemplate` objects.
    #[serde(default)]
    #[schemars(with = "Vec<Map>")]
    pub resource_templates: Vec<Box<RawValue>>,
    /// What can be completed.
    #[serde(default)]
    #[schemars(with = "Vec<Map>")]
    pub completions: Vec<Box<RawValue>>,
    /// Event filters that the function asks for.
    #[serde(default)]
    #[schemars(with = "Vec<Map>")]
    pub triggers: Vec<Box<RawValue>>,
}

/// Why a manifest is of no use; the function's fault.
#[derive(Debug, thiserror::Error)]
pub enum InvalidManifest {
    /// Not the JSON that a manifest is.
    #[error("the manifest is not valid: {0}")]
    Json(#[from] serde_json::Error),
    /// A contract of another time.
    #[error("the function speaks contract {0}, this platform speaks {CONTRACT}")]
    Contract(u32),
    /// A tool that no client could call.
    #[error("tool {index} of the manifest is not valid: {reason}")]
    Tool {
        /// Its place in the list, from 0.
        index: usize,
        /// What is wrong.
        reason: String,
    },
    /// A trigger that routes nothing.
    #[error("trigger {index} of the manifest is not valid: {reason}")]
    Trigger {
        /// Its place in the list, from 0.
        index: usize,
        /// What is wrong.
        reason: String,
    },
}

/// The members of an MCP `Tool` that the platform reads.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tool {
    /// Its declared name.
    pub name: String,
    /// What a person reads.
    #[serde(default)]
    pub title: Option<String>,
    /// What a model reads.
    #[serde(default)]
    pub description: Option<String>,
    /// The JSON Schema of its arguments, to the letter.
    pub input_schema: Box<RawValue>,
    /// Hints about its behaviour.
    #[serde(default)]
    pub annotations: Annotations,
    /// How it may be run.
    #[serde(default)]
    pub execution: Execution,
    /// `_meta`, of which only the policy is read.
    #[serde(default, rename = "_meta")]
    pub meta: ToolMeta,
}

/// MCP `ToolExecution`.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Execution {
    /// Whether a client may or must follow a call as a task.
    #[serde(default)]
    pub task_support: TaskSupport,
}

/// Whether calls of a tool may be tasks of the client's (MCP 2025-11-25, "Tasks").
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskSupport {
    /// Never: the default.
    #[default]
    Forbidden,
    /// As the client likes.
    Optional,
    /// Always.
    Required,
}

/// MCP `ToolAnnotations`, as far as a retry depends on them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Annotations {
    /// The tool changes nothing.
    #[serde(default)]
    pub read_only_hint: bool,
    /// Calling it twice with the same arguments has no further effect.
    #[serde(default)]
    pub idempotent_hint: bool,
}

/// A tool's `_meta`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct ToolMeta {
    /// The delivery policy that the function's author wants for it.
    #[serde(default, rename = "dev.dormouse/policy")]
    pub policy: DeliverySpec,
}

impl Manifest {
    /// The manifest of a pool of which nothing is known yet.
    #[must_use]
    pub fn of_nothing(pool: &str) -> Self {
        Self {
            contract: CONTRACT,
            pool: pool.to_owned(),
            agent_type: String::new(),
            version: String::new(),
            marked: false,
            tools: Vec::new(),
            prompts: Vec::new(),
            resources: Vec::new(),
            resource_templates: Vec::new(),
            completions: Vec::new(),
            triggers: Vec::new(),
        }
    }

    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// [`InvalidManifest`], naming what is wrong.
    pub fn parse(json: &[u8]) -> Result<Self, InvalidManifest> {
        let manifest: Self = serde_json::from_slice(json)?;
        if manifest.contract != CONTRACT {
            return Err(InvalidManifest::Contract(manifest.contract));
        }
        manifest.parsed_tools()?;
        manifest.parsed_triggers()?;
        Ok(manifest)
    }

    /// The triggers, in the order declared.
    ///
    /// # Errors
    /// A trigger whose filters are none, with the reason.
    pub fn parsed_triggers(&self) -> Result<Vec<Trigger>, InvalidManifest> {
        let parsed = self.triggers.iter().enumerate().map(|(index, raw)| {
            serde_json::from_str(raw.get()).map_err(|error| InvalidManifest::Trigger {
                index,
                reason: error.to_string(),
            })
        });
        parsed.collect()
    }

    /// The tools, each as the view that the platform reads, in the order declared.
    ///
    /// # Errors
    /// A tool without a name or an input schema.
    pub fn parsed_tools(&self) -> Result<Vec<Tool>, InvalidManifest> {
        let parse = |(index, raw): (usize, &RawValue)| -> Result<Tool, InvalidManifest> {
            let invalid = |reason: String| InvalidManifest::Tool { index, reason };
            let tool: Tool =
                serde_json::from_str(raw.get()).map_err(|error| invalid(error.to_string()))?;
            if tool.name.is_empty() {
                return Err(invalid("its name is empty".to_owned()));
            }
            if !tool.input_schema.get().starts_with('{') {
                return Err(invalid(format!(
                    "inputSchema of `{}` is not an object",
                    tool.name
                )));
            }
            Ok(tool)
        };
        self.tools
            .iter()
            .map(AsRef::as_ref)
            .enumerate()
            .map(parse)
            .collect()
    }
}

impl Tool {
    /// The policy that holds for a task of this tool: the pool's, with the author's laid over it,
    /// then the operator's for this tool. Hints make a second run safe.
    #[must_use]
    pub fn delivery(&self, pool: &Delivery, operators: Option<&DeliverySpec>) -> Delivery {
        let mut delivery = pool.clone().with(&self.meta.policy);
        delivery.repeatable |= self.annotations.read_only_hint || self.annotations.idempotent_hint;
        match operators {
            Some(spec) => delivery.with(spec),
            None => delivery,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"{"contract":1,"pool":"p","agentType":"a","version":"1","tools":[
        {"name":"t","inputSchema":{"type":"object"},"x-own":{"z":1,"a":2.0},
         "annotations":{"idempotentHint":true},"_meta":{"dev.dormouse/policy":{"timeout":"7s"}}}]}"#;

    #[test]
    fn tools_pass_through_to_the_letter() {
        let manifest = Manifest::parse(MANIFEST.as_bytes()).unwrap();
        assert!(
            manifest.tools[0]
                .get()
                .contains(r#""x-own":{"z":1,"a":2.0}"#)
        );
    }

    #[test]
    fn a_tools_policy_comes_from_hints_author_and_operator() {
        let tool = Manifest::parse(MANIFEST.as_bytes())
            .unwrap()
            .parsed_tools()
            .unwrap()
            .remove(0);
        let delivery = tool.delivery(&Delivery::default(), None);
        assert!(delivery.repeatable);
        assert_eq!(delivery.timeout.as_secs(), 7);
    }

    #[test]
    fn broken_manifests_say_what_is_wrong() {
        for (json, named) in [
            ("[]", "not valid"),
            (r#"{"contract":2}"#, "contract 2"),
            (r#"{"contract":1,"tools":[{"name":"t"}]}"#, "inputSchema"),
            (
                r#"{"contract":1,"tools":[{"name":"","inputSchema":{}}]}"#,
                "empty",
            ),
            (
                r#"{"contract":1,"triggers":[{},{"filters":[{"cesql":"type ="}]}]}"#,
                "trigger 1 of the manifest is not valid: the CESQL expression `type =`",
            ),
        ] {
            let error = Manifest::parse(json.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(named), "{json}: {error}");
        }
    }
}
