//! Facts: what the platform tells of itself, for people's own automation.
//!
//! They go to the triggers that ask for them, by a `type` that is or starts with one of these; a
//! trigger for everything gets none.

use serde::{Deserialize, Serialize};

use crate::filter::{Filter, Trigger};

/// Event type: a pool is there that was not. [`PoolFact`].
pub const POOL_REGISTERED: &str = "dev.dormouse.pool.registered.v1";
/// Event type: another revision of a pool, or another manifest. [`PoolFact`].
pub const POOL_CHANGED: &str = "dev.dormouse.pool.changed.v1";
/// Event type: a pool cannot run. [`PoolFact`].
pub const POOL_FAILED: &str = "dev.dormouse.pool.failed.v1";
/// Event type: a task has ended. [`TaskFinished`].
pub const TASK_FINISHED: &str = "dev.dormouse.task.finished.v1";

const OURS: &str = "dev.dormouse.";

/// Data of the facts about pools.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolFact {
    /// The pool.
    pub pool: String,
    /// Its agent type.
    pub agent_type: String,
    /// Its revision.
    pub revision: String,
    /// Why it cannot run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// Data of [`TASK_FINISHED`]: neither what was asked nor what came of it, which may be secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskFinished {
    /// The task.
    pub task: String,
    /// Its pool.
    pub pool: String,
    /// Its capability.
    pub capability: String,
    /// `completed`, `failed` or `cancelled`.
    pub state: String,
    /// Who called.
    pub principal: String,
    /// RFC 3339.
    pub accepted_at: String,
    /// RFC 3339.
    pub finished_at: String,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The types, or starts of types, that a trigger demands, if it asks for facts.
#[must_use]
pub fn asked_of(trigger: &Trigger) -> Option<Vec<&str>> {
    let types = of_all(&trigger.filters)?;
    let is_ours = types.iter().all(|ty| ty.starts_with(OURS));
    is_ours.then_some(types)
}

fn of_all(filters: &[Filter]) -> Option<Vec<&str>> {
    filters.iter().find_map(of_filter)
}

fn of_filter(filter: &Filter) -> Option<Vec<&str>> {
    match filter {
        Filter::All(filters) => of_all(filters),
        Filter::Any(filters) => {
            let types = filters.iter().map(of_filter).collect::<Option<Vec<_>>>()?;
            Some(types.concat())
        }
        Filter::Exact(wanted) | Filter::Prefix(wanted) => {
            wanted.get("type").map(|ty| vec![ty.as_str()])
        }
        Filter::Cesql(expression) => expression.required_texts("type"),
        Filter::Not(_) | Filter::Suffix(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_names_a_fact_asks_for_it() {
        for (trigger, asked) in [
            (
                r#"{"filters":[{"exact":{"type":"dev.dormouse.task.finished.v1"}}]}"#,
                Some(vec![TASK_FINISHED]),
            ),
            (
                r#"{"filters":[{"exact":{"subject":"x"}},{"prefix":{"type":"dev.dormouse.pool."}}]}"#,
                Some(vec!["dev.dormouse.pool."]),
            ),
            (
                r#"{"filters":[{"any":[{"exact":{"type":"dev.dormouse.a"}},{"exact":{"type":"b"}}]}]}"#,
                None,
            ),
            (r#"{"filters":[{"prefix":{"type":"dev."}}]}"#, None),
            (r#"{"filters":[]}"#, None),
            (r#"{"filters":[{"not":{"exact":{"type":"x"}}}]}"#, None),
        ] {
            let parsed: Trigger = serde_json::from_str(trigger).unwrap();
            assert_eq!(asked_of(&parsed), asked, "{trigger}");
        }
    }
}
