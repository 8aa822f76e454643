//! What holds of an object, by Kubernetes' conventions for conditions.

use std::fmt::Display;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether something holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Truth {
    /// It does.
    True,
    /// It does not.
    False,
    /// Nobody knows yet.
    #[default]
    Unknown,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it is about, once in a list.
    #[serde(rename = "type")]
    pub ty: String,
    /// Whether it holds.
    #[serde(default)]
    pub status: Truth,
    /// Why, in one word for programs, such as `Deployed`.
    #[serde(default)]
    pub reason: String,
    /// Why, for people, and what to do about it.
    #[serde(default)]
    pub message: String,
    /// Since when the status is what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "moment")]
    pub last_transition_time: Option<Time>,
    /// The `metadata.generation` that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

fn moment(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": "string", "format": "date-time"})
}

/// What is found out about a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether it holds.
    pub status: Truth,
    /// Why, in one CamelCase word.
    pub reason: String,
    /// Why, for people, and what to do about it.
    pub message: String,
}

impl Finding {
    /// It holds.
    pub fn holds(reason: &str, message: impl Into<String>) -> Self {
        Self::new(Truth::True, reason, message)
    }

    /// It does not hold.
    pub fn fails(reason: &str, message: impl Into<String>) -> Self {
        Self::new(Truth::False, reason, message)
    }

    /// Nobody knows yet.
    pub fn pends(reason: &str, message: impl Into<String>) -> Self {
        Self::new(Truth::Unknown, reason, message)
    }

    fn new(status: Truth, reason: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.to_owned(),
            message: message.into(),
        }
    }
}

/// The conditions of an object, each type once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Conditions(Vec<Condition>);

impl Conditions {
    /// The condition of a type.
    #[must_use]
    pub fn get(&self, ty: impl Display) -> Option<&Condition> {
        let ty = ty.to_string();
        self.0.iter().find(|condition| condition.ty == ty)
    }

    /// Whether a condition is there and holds.
    #[must_use]
    pub fn holds(&self, ty: impl Display) -> bool {
        self.get(ty)
            .is_some_and(|condition| condition.status == Truth::True)
    }

    /// All, in the order in which they were first set.
    pub fn iter(&self) -> impl Iterator<Item = &Condition> {
        self.0.iter()
    }

    /// Says what was found out at `now` about the spec of a `generation`. The time of the last
    /// transition stays while the status does.
    pub fn set(&mut self, ty: impl Display, finding: Finding, generation: Option<i64>, now: &Time) {
        let ty = ty.to_string();
        let before = self.0.iter_mut().find(|condition| condition.ty == ty);
        let since = before
            .as_ref()
            .filter(|before| before.status == finding.status)
            .and_then(|before| before.last_transition_time.clone());
        let condition = Condition {
            ty,
            status: finding.status,
            reason: finding.reason,
            message: finding.message,
            last_transition_time: Some(since.unwrap_or_else(|| now.clone())),
            observed_generation: generation,
        };
        match before {
            Some(before) => *before = condition,
            None => self.0.push(condition),
        }
    }

    /// Takes out every condition whose type is not one of `kept`: what no longer applies, and what
    /// another version of the operator wrote.
    pub fn keep_only(&mut self, kept: &[impl Display]) {
        self.0
            .retain(|condition| kept.iter().any(|ty| ty.to_string() == condition.ty));
    }

    /// Sets a condition that holds when all `parts` do: else it says what the first one says that
    /// fails or, when none does, the first one that is not known.
    pub fn summarize(
        &mut self,
        ty: impl Display,
        parts: &[impl Display],
        generation: Option<i64>,
        now: &Time,
    ) {
        let found: Vec<_> = parts.iter().map(|part| (part, self.get(part))).collect();
        let status_of = |part: Option<&Condition>| part.map_or(Truth::Unknown, |it| it.status);
        let first = |wanted| found.iter().find(|(_, part)| status_of(*part) == wanted);
        let finding = match first(Truth::False).or(first(Truth::Unknown)) {
            None => Finding::holds("Ready", ""),
            Some((part, None)) => Finding::pends("NotKnownYet", format!("{part}: not known yet")),
            Some((part, Some(why))) => {
                Finding::new(why.status, &why.reason, format!("{part}: {}", why.message))
            }
        };
        self.set(ty, finding, generation, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Time {
        Time(k8s_openapi::jiff::Timestamp::from_second(second).unwrap())
    }

    fn since(conditions: &Conditions, ty: &str) -> Option<Time> {
        conditions.get(ty)?.last_transition_time.clone()
    }

    #[test]
    fn the_time_of_a_transition_stays_while_the_status_does() {
        let mut conditions = Conditions::default();
        conditions.set("Ready", Finding::fails("Missing", "a"), Some(1), &at(1));
        conditions.set("Ready", Finding::fails("Broken", "b"), Some(2), &at(2));
        assert_eq!(since(&conditions, "Ready"), Some(at(1)));
        let ready = conditions.get("Ready").unwrap();
        assert_eq!(
            (ready.reason.as_str(), ready.observed_generation),
            ("Broken", Some(2))
        );
        conditions.set("Ready", Finding::holds("Ready", ""), Some(2), &at(3));
        assert_eq!(since(&conditions, "Ready"), Some(at(3)));
        assert_eq!(conditions.iter().count(), 1);
    }

    #[test]
    fn a_summary_says_what_stands_in_the_way() {
        let mut conditions = Conditions::default();
        let parts = ["ServiceReady", "Registered"];
        let summary = |conditions: &mut Conditions| {
            conditions.summarize("Ready", &parts, None, &at(9));
            let ready = conditions.get("Ready").unwrap();
            (ready.status, ready.reason.clone(), ready.message.clone())
        };
        let (status, reason, _) = summary(&mut conditions);
        assert_eq!((status, reason.as_str()), (Truth::Unknown, "NotKnownYet"));
        conditions.set(
            "ServiceReady",
            Finding::pends("Waiting", "soon"),
            None,
            &at(1),
        );
        conditions.set("Registered", Finding::fails("Refused", "no"), None, &at(1));
        let (status, reason, message) = summary(&mut conditions);
        assert_eq!((status, reason.as_str()), (Truth::False, "Refused"));
        assert_eq!(message, "Registered: no");
        for part in parts {
            conditions.set(part, Finding::holds("Done", ""), None, &at(2));
        }
        assert_eq!(summary(&mut conditions).0, Truth::True);
        conditions.keep_only(&["Ready"]);
        assert_eq!(conditions.iter().count(), 1);
    }
}
