//! What happens on the platform, told as events to the triggers that ask for it.
//!
//! Nothing is stored that nobody asks for, and tasks are followed only while a trigger wants to
//! hear of them. That a task of `task.finished` has finished is not told; what else goes round in
//! circles meets the hop limit, for a fact about a task of an event has come one hop further.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use dormouse_broker::{Fact, NewEvent, TaskId, TaskRecord, Way};
use dormouse_contract::Event;
use dormouse_contract::fact::{
    self, POOL_CHANGED, POOL_FAILED, POOL_REGISTERED, PoolFact, TASK_FINISHED, TaskFinished,
};
use dormouse_contract::registration::{Instances, Registration, Registrations};
use dormouse_contract::trace::TraceParent;
use futures_util::future::{FutureExt as _, select_all};
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};

use crate::registry::Coordinator;
use crate::routes;

/// The `source` of facts.
const SOURCE: &str = "/dormouse/platform";

/// Which triggers ask for facts.
#[derive(Debug, Default)]
struct Askers {
    /// By pool and name.
    triggers: HashSet<(Arc<str>, String)>,
    /// One of them may want to hear of tasks.
    follow_tasks: bool,
}

impl Askers {
    fn among(pools: &[Arc<Registration>]) -> Self {
        let mut askers = Self::default();
        for pool in pools {
            for (place, trigger) in pool.triggers().iter().enumerate() {
                let Some(types) = fact::asked_of(trigger) else {
                    continue;
                };
                askers.follow_tasks |= types.iter().any(|ty| TASK_FINISHED.starts_with(ty));
                let name = routes::name(place, trigger);
                askers.triggers.insert((Arc::clone(&pool.pool), name));
            }
        }
        askers
    }
}

/// How the pools are.
#[derive(Default)]
struct Health {
    failing: BTreeSet<Arc<str>>,
    instances: Vec<watch::Receiver<Instances>>,
}

impl Health {
    fn of(coordinator: &Coordinator, pools: &Registrations) -> Self {
        let mut health = Self::default();
        for registration in pools.iter() {
            let Some(pool) = coordinator.pool(&registration.pool) else {
                continue;
            };
            let mut instances = pool.instances;
            let now = instances.borrow_and_update().clone();
            if now.ready == 0 && now.failure.is_some() {
                health.failing.insert(Arc::clone(&registration.pool));
            }
            // Of one whose host is gone nothing more will be heard.
            if instances.has_changed().is_ok() {
                health.instances.push(instances);
            }
        }
        health
    }

    async fn changed(&mut self) {
        let instances = self.instances.iter_mut().map(|it| it.changed().boxed());
        // There may be none at all, and a choice of none would panic.
        let _ = select_all(instances.chain([std::future::pending().boxed()])).await;
    }
}

impl Coordinator {
    /// Tells facts for as long as it is polled, from when all pools are there that ask for them.
    pub async fn tell_facts(&self) {
        self.admitted().await;
        let mut registrations = self.registrations();
        registrations.mark_changed();
        let mut known: Registrations = Arc::default();
        let mut askers = Askers::default();
        let mut tasks = None;
        let mut health = Health::default();
        loop {
            tokio::select! {
                changed = registrations.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let now = registrations.borrow_and_update().clone();
                    askers = Askers::among(&now);
                    let before = tasks.take();
                    tasks = askers
                        .follow_tasks
                        .then(|| before.unwrap_or_else(|| self.broker().feed()));
                    for (ty, pool) in changes(&known, &now) {
                        if self.tell_of_pool(ty, pool, &askers).await {
                            health.failing.insert(Arc::clone(&pool.pool));
                        }
                    }
                    known = now;
                    self.tell_of_failing(&mut health, &known, &askers).await;
                }
                () = health.changed() => self.tell_of_failing(&mut health, &known, &askers).await,
                task = next_finished(&mut tasks) => self.tell_of_task(task, &askers).await,
            }
        }
    }

    /// Tells of the pools that have begun to fail since it last looked.
    async fn tell_of_failing(&self, health: &mut Health, pools: &Registrations, askers: &Askers) {
        let before = std::mem::replace(health, Health::of(self, pools));
        let has_begun = |pool: &&Arc<Registration>| {
            health.failing.contains(&pool.pool) && !before.failing.contains(&pool.pool)
        };
        for pool in pools.iter().filter(has_begun) {
            self.tell_of_pool(POOL_FAILED, pool, askers).await;
        }
    }

    /// `true`: it told that the pool fails.
    async fn tell_of_pool(&self, ty: &str, pool: &Registration, askers: &Askers) -> bool {
        let instances = self.instances(&pool.pool).unwrap_or_default();
        let failure = instances.failure.filter(|_| instances.ready == 0);
        let is_failing = failure.is_some();
        let ty = match is_failing {
            true => POOL_FAILED,
            false => ty,
        };
        let data = PoolFact {
            pool: pool.pool.to_string(),
            agent_type: pool.agent_type.clone(),
            revision: pool.revision.clone(),
            failure,
        };
        // The same revision may come and go more than once.
        let id = format!("{}/{}", pool.pool, TaskId::new());
        let event = event(id, ty, &pool.pool, &data);
        self.tell_fact(event, Way::default(), None, askers).await;
        is_failing
    }

    async fn tell_of_task(&self, task: TaskId, askers: &Askers) {
        let record = match self.broker().task(task).await {
            Ok(Some(record)) => record,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%task, %error, "that a task has finished cannot be told");
                return;
            }
        };
        let way = match record.event {
            Some(seq) => match self.broker().event(seq).await {
                Ok(Some(stored)) => Way {
                    hops: stored.record.hops,
                    via: stored.record.via.map(Into::into),
                }
                .through(&record.pool),
                Ok(None) | Err(_) => return,
            },
            None => Way::default(),
        };
        let fact = finished(&record);
        let event = event(
            format!("{task}/finished"),
            TASK_FINISHED,
            &record.capability,
            &fact,
        );
        self.tell_fact(event, way, Some(task), askers).await;
    }

    async fn tell_fact(&self, event: Event, way: Way, cause: Option<TaskId>, askers: &Askers) {
        let mut routes = self.routes(&event);
        routes.retain(|route| {
            let trigger = (Arc::clone(&route.pool), route.trigger.to_string());
            askers.triggers.contains(&trigger)
        });
        if routes.is_empty() {
            return;
        }
        let ty = event.ty.clone();
        let new = NewEvent {
            event,
            trace: TraceParent::random(),
            way,
            cause,
            routes,
        };
        if let Err(refusal) = self.broker().publish(vec![new], None).await {
            tracing::warn!(ty, %refusal, "a fact could not be told");
        }
    }
}

/// The pools that came or changed.
fn changes<'p>(
    before: &[Arc<Registration>],
    now: &'p [Arc<Registration>],
) -> Vec<(&'static str, &'p Registration)> {
    let changed =
        now.iter().filter_map(
            |pool| match before.iter().find(|other| other.pool == pool.pool) {
                None => Some((POOL_REGISTERED, &**pool)),
                Some(other) if !Arc::ptr_eq(other, pool) => Some((POOL_CHANGED, &**pool)),
                Some(_) => None,
            },
        );
    changed.collect()
}

/// The next task that has ended and may be told of; never, when nobody asks.
async fn next_finished(tasks: &mut Option<broadcast::Receiver<Fact>>) -> TaskId {
    let Some(feed) = tasks else {
        return std::future::pending().await;
    };
    loop {
        match feed.recv().await {
            Ok(Fact::Task {
                id,
                capability,
                state,
                ..
            }) if state.is_final() && &*capability != TASK_FINISHED => return id,
            Ok(Fact::Task { .. } | Fact::Event { .. }) => {}
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "tasks finished too fast: not all are told as facts");
            }
            Err(RecvError::Closed) => return std::future::pending().await,
        }
    }
}

fn finished(record: &TaskRecord) -> TaskFinished {
    TaskFinished {
        task: record.id.to_string(),
        pool: record.pool.clone(),
        capability: record.capability.clone(),
        state: record.state.name().to_owned(),
        principal: record.principal.clone(),
        accepted_at: record.accepted_at.clone(),
        finished_at: record.changed_at.clone(),
        error: record
            .failure
            .as_ref()
            .map(|failure| failure.error.message.clone()),
    }
}

fn event(id: String, ty: &str, subject: &str, data: &impl Serialize) -> Event {
    // Texts always serialize.
    let data = serde_json::to_vec(data).unwrap_or_default();
    let mut event = Event::new(id, SOURCE, ty).with_json(data);
    event.subject = Some(subject.to_owned()).filter(|subject| !subject.is_empty());
    event.time = Some(jiff::Timestamp::now().to_string());
    event
}

#[cfg(test)]
mod tests {
    use dormouse_broker::{Broker, Config};
    use dormouse_contract::registration::CallError;
    use tower::util::BoxCloneSyncService;

    use super::*;
    use crate::registry::PoolSecrets;
    use crate::routes::tests::pool;

    const TASKS: &str = r#"{"filters":[{"exact":{"type":"dev.dormouse.task.finished.v1"}}]}"#;
    const POOLS: &str = r#"{"name":"p","filters":[{"prefix":{"type":"dev.dormouse.pool."}}]}"#;
    const ALL: &str = r#"{"filters":[]}"#;

    #[test]
    fn a_trigger_for_everything_asks_for_no_facts() {
        let askers = Askers::among(&[pool("a", &[ALL, POOLS]), pool("b", &[ALL])]);
        let expected = HashSet::from([("a".into(), "p".to_owned())]);
        assert_eq!((askers.triggers, askers.follow_tasks), (expected, false));
        let askers = Askers::among(&[pool("a", &[ALL, TASKS])]);
        let expected = HashSet::from([("a".into(), "1".to_owned())]);
        assert_eq!((askers.triggers, askers.follow_tasks), (expected, true));
    }

    #[test]
    fn pools_come_and_change() {
        let (one, other) = (pool("a", &[]), pool("b", &[]));
        let now = [pool("a", &[]), Arc::clone(&other), pool("c", &[])];
        let before = [one, other];
        let told: Vec<_> = changes(&before, &now)
            .into_iter()
            .map(|(ty, pool)| (ty, &*pool.pool))
            .collect();
        assert_eq!(told, [(POOL_CHANGED, "a"), (POOL_REGISTERED, "c")]);
    }

    #[tokio::test]
    async fn that_a_pool_has_begun_to_fail_is_told() {
        let data = tempfile::tempdir().unwrap();
        let broker = Broker::open(Config::new(data.path())).unwrap();
        let coordinator = Coordinator::new(broker.clone());
        let (sender, instances) = watch::channel(Instances::default());
        let unused = tower::service_fn(async |_: http::Request<bytes::Bytes>| {
            Err::<http::Response<bytes::Bytes>, _>(CallError::NotRun("nobody calls".into()))
        });
        let secrets = PoolSecrets {
            delivery: "".into(),
            events: "".into(),
        };
        let asks = Registration::clone(&pool("asks", &[POOLS]));
        let service = BoxCloneSyncService::new(unused);
        let registered = coordinator
            .register(asks, service, secrets, instances)
            .await;
        registered.unwrap();
        let mut arrivals = broker.arrivals();
        let telling = coordinator.clone();
        tokio::spawn(async move { telling.tell_facts().await });
        let mut told = async || match arrivals.recv().await.unwrap() {
            Fact::Event { ty, .. } => ty,
            Fact::Task { .. } => panic!("only events arrive"),
        };
        assert_eq!(&*told().await, POOL_REGISTERED);
        for why in ["no such file", "no such file", "no room"] {
            sender.send_replace(Instances {
                failure: Some(why.to_owned()),
                ..Instances::default()
            });
        }
        assert_eq!(&*told().await, POOL_FAILED);
        let page = broker.events(dormouse_broker::EventFilter::default()).await;
        assert_eq!(page.unwrap().len(), 2, "a pool that fails on is told once");
    }
}
