//! What the operator tells of an AgentPool.

use dormouse_contract::registration::Instances;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::manifest::{self, Known};
use super::observe;
use crate::agent_pool::{Check, Status};
use crate::conditions::{Finding, Truth};

/// What was found out about a pool.
#[derive(Debug, Clone)]
pub struct Findings {
    /// About the Knative Service.
    pub service: Finding,
    /// About the manifest.
    pub manifest: Finding,
    /// About the platforms.
    pub registered: Finding,
    /// About the Knative Triggers, where a Broker is named.
    pub triggers: Option<Finding>,
    /// The fields that have no effect, each as `field: why`.
    pub not_honoured: Vec<String>,
    /// What takes calls, and what it offers.
    pub known: Option<Known>,
    /// Where it answers.
    pub url: Option<String>,
    /// The agent type that the file says.
    pub agent_type: Option<String>,
    /// Its pods.
    pub instances: Instances,
}

impl Findings {
    /// Of a pool whose spec cannot be used.
    #[must_use]
    pub fn unusable(reason: &str, message: &str) -> Self {
        Self {
            service: Finding::fails(reason, message),
            manifest: Finding::pends("NotDeployed", "it is asked once it is deployed"),
            registered: Finding::pends("NotDeployed", "it is registered once it is deployed"),
            triggers: None,
            not_honoured: Vec::new(),
            known: None,
            url: None,
            agent_type: None,
            instances: Instances::default(),
        }
    }

    /// The status, in which what has not changed since `before` keeps its times.
    #[must_use]
    pub fn status(self, before: Option<&Status>, generation: Option<i64>, now: &Time) -> Status {
        let mut conditions = before.map(|it| it.conditions.clone()).unwrap_or_default();
        let mut parts = vec![Check::ServiceReady, Check::ManifestKnown, Check::Registered];
        let mut set = |check: Check, finding| conditions.set(check, finding, generation, now);
        set(Check::ServiceReady, self.service);
        set(Check::ManifestKnown, self.manifest);
        set(Check::Registered, self.registered);
        if let Some(triggers) = self.triggers {
            set(Check::TriggersReady, triggers);
            parts.push(Check::TriggersReady);
        }
        set(Check::Honoured, honoured(&self.not_honoured));
        conditions.summarize(Check::Ready, &parts, generation, now);
        parts.extend([Check::Ready, Check::Honoured]);
        conditions.keep_only(&parts);
        let manifest = self.known.as_ref().and_then(|it| it.manifest().ok());
        let tools = manifest.as_ref().map(manifest::tools);
        let own_type = manifest.map(|it| it.agent_type);
        Status {
            observed_generation: generation,
            conditions,
            revision: self.known.map(|it| it.revision),
            url: self.url,
            agent_type: self.agent_type.or(own_type.filter(|it| !it.is_empty())),
            tool_count: tools
                .as_ref()
                .and_then(|tools| u32::try_from(tools.len()).ok()),
            tools: tools.unwrap_or_default(),
            state: Some(observe::state(&self.instances)),
            instances: u32::try_from(self.instances.ready).ok(),
        }
    }
}

fn honoured(fields: &[String]) -> Finding {
    match fields {
        [] => Finding::holds("Honoured", ""),
        fields => Finding::fails("NotHonoured", fields.join("\n")),
    }
}

/// What people should hear of when a status follows another: a reason, the words, and whether all
/// is well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// In one CamelCase word.
    pub reason: String,
    /// For people.
    pub note: String,
    /// Whether it is good.
    pub good: bool,
}

/// What is new about a pool's readiness. What is merely not known yet is no news.
#[must_use]
pub fn news(before: Option<&Status>, after: &Status) -> Option<News> {
    let ready = after.conditions.get(Check::Ready)?;
    let last = before.and_then(|it| it.conditions.get(Check::Ready));
    let is_told =
        last.is_some_and(|last| last.status == ready.status && last.reason == ready.reason);
    match ready.status {
        _ if is_told => None,
        Truth::Unknown => None,
        Truth::True => Some(News {
            reason: "Ready".to_owned(),
            note: format!(
                "revision {} takes calls: {} tools",
                after.revision.as_deref().unwrap_or_default(),
                after.tools.len()
            ),
            good: true,
        }),
        Truth::False => Some(News {
            reason: ready.reason.clone(),
            note: ready.message.clone(),
            good: false,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Time {
        Time(k8s_openapi::jiff::Timestamp::UNIX_EPOCH)
    }

    fn ready() -> Findings {
        Findings {
            service: Finding::holds("Ready", ""),
            manifest: Finding::holds("Known", ""),
            registered: Finding::holds("Registered", ""),
            known: Some(Known {
                revision: "a-00001".to_owned(),
                json: r#"{"contract":1,"agentType":"educational","tools":[
                    {"name":"t","inputSchema":{"type":"object"}}]}"#
                    .to_owned(),
            }),
            ..Findings::unusable("x", "y")
        }
    }

    #[test]
    fn a_pool_is_ready_when_all_parts_are() {
        let status = ready().status(None, Some(1), &now());
        assert!(status.conditions.holds(Check::Ready));
        assert_eq!((status.tool_count, status.tools.len()), (Some(1), 1));
        assert_eq!(status.agent_type.as_deref(), Some("educational"));
        assert!(status.conditions.get(Check::TriggersReady).is_none());
        let triggers = Some(Finding::fails("NoBroker", "none"));
        let broken = Findings {
            triggers,
            ..ready()
        };
        let broken = broken.status(Some(&status), Some(1), &now());
        assert!(!broken.conditions.holds(Check::Ready));
        let mended = ready().status(Some(&broken), Some(1), &now());
        assert!(mended.conditions.get(Check::TriggersReady).is_none());
        assert_eq!(mended, status);
    }

    #[test]
    fn what_is_not_honoured_does_not_stop_it() {
        let findings = Findings {
            not_honoured: vec!["spec.balance: why".to_owned()],
            ..ready()
        };
        let status = findings.status(None, Some(1), &now());
        assert!(status.conditions.holds(Check::Ready));
        assert!(!status.conditions.holds(Check::Honoured));
    }

    #[test]
    fn news_is_told_once() {
        let good = ready().status(None, Some(1), &now());
        assert!(news(None, &good).unwrap().good);
        assert_eq!(news(Some(&good), &good), None);
        let bad = Findings::unusable("InvalidSpec", "spec.image: 7").status(None, Some(2), &now());
        let told = news(Some(&good), &bad).unwrap();
        assert_eq!((told.good, told.reason.as_str()), (false, "InvalidSpec"));
        assert!(told.note.contains("spec.image: 7"));
        assert_eq!(news(Some(&bad), &bad), None);
    }
}
