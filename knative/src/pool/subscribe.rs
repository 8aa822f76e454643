//! The step of a pool at which its triggers become Knative's, where its platforms name a Broker.

use dormouse_contract::filter::Trigger;
use dormouse_pool::{Container, Pool};
use kube::runtime::reflector::ObjectRef;
use serde_json::Value;

use super::manifest::Known;
use super::reconcile::{PoolReconciler, Subject};
use super::servers::Platforms;
use super::status::Findings;
use super::{observe, trigger};
use crate::conditions::Finding;
use crate::controller::{Error, names, refusal, words};
use crate::platform::token::Token;

impl PoolReconciler {
    /// Makes the Knative Triggers what they should be, and takes out those that should not be.
    pub(super) async fn subscribe(
        &self,
        subject: &Subject<'_>,
        pool: &Pool<Container>,
        platforms: &Platforms,
        known: Option<&Known>,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        let own = known.and_then(|it| it.manifest().ok()?.parsed_triggers().ok());
        let triggers = match pool.triggers.is_empty() {
            true => own.unwrap_or_default(),
            false => pool.triggers.clone(),
        };
        let has_broker = platforms.offering.iter().any(|it| it.broker.is_some());
        let Some(store) = &self.cluster.stores.triggers else {
            findings.triggers = has_broker.then(|| {
                Finding::fails(
                    "NoEventing",
                    "an MCPServer names a Broker, and Knative Eventing was not there when the \
                     operator started: install it and restart the operator",
                )
            });
            return Ok(());
        };
        let Some(wanted) = self.wanted_triggers(subject, pool, platforms, &triggers) else {
            findings.triggers = Some(Finding::pends(
                "NoToken",
                "the Secret with the token by which the Broker sends events is not there yet",
            ));
            return Ok(());
        };
        if has_broker {
            findings
                .not_honoured
                .extend(trigger::not_honoured(&triggers));
        }
        for trigger in &wanted {
            if let Err(error) = self.cluster.applier.apply(store, trigger).await {
                findings.triggers = Some(Finding::fails(refusal(&error), words(&error)));
                return Err(error.into());
            }
        }
        self.prune(subject, &wanted).await?;
        let there = self.own_triggers(subject);
        findings.triggers = has_broker.then(|| observe::triggers(&there, wanted.len()));
        Ok(())
    }

    /// The Triggers on the Brokers of the platforms that offer the pool; `None` while one of these
    /// has no token for its Broker.
    fn wanted_triggers(
        &self,
        subject: &Subject<'_>,
        pool: &Pool<Container>,
        platforms: &Platforms,
        triggers: &[Trigger],
    ) -> Option<Vec<Value>> {
        let mut wanted: Vec<Value> = Vec::new();
        for platform in &platforms.offering {
            let Some(broker) = &platform.broker else {
                continue;
            };
            let token = self.brokers_token(subject, &platform.name)?;
            let subscriber = trigger::Subscriber {
                pool: pool.name.as_str(),
                namespace: subject.namespace,
                owner: &subject.owner,
                delivery: &pool.delivery,
                coordinator: &platform.coordinator,
                token: token.reveal(),
            };
            for written in triggers {
                let object = trigger::trigger(&subscriber, broker, written);
                // The same trigger twice is one; a direct one is the same for every platform.
                let name = &object["metadata"]["name"];
                if !wanted.iter().any(|it| it["metadata"]["name"] == *name) {
                    wanted.push(object);
                }
            }
        }
        Some(wanted)
    }

    fn brokers_token(&self, subject: &Subject<'_>, server: &str) -> Option<Token> {
        let name = names::server_broker(server);
        let key = ObjectRef::new(&name).within(subject.namespace);
        Token::read(self.cluster.stores.secrets.get(&key)?.as_ref())
    }
}
