//! A broker in a directory of its own, and the tasks that the tests give it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dormouse_broker::{
    Broker, Claim, Claims, Config, Ending, Error, Idempotency, NewTask, News, Report, State,
    TaskId, Work,
};
use dormouse_contract::policy::Delivery;
use dormouse_contract::task::{Failed, Outcome, TaskError};
use dormouse_contract::trace::TraceParent;
use tempfile::TempDir;

pub struct Bench {
    pub broker: Broker,
    pub claims: Claims,
    pub dir: TempDir,
}

pub async fn bench(slots: usize, queue_limit: usize) -> Bench {
    reopen(TempDir::new().unwrap(), slots, queue_limit).await
}

pub async fn reopen(dir: TempDir, slots: usize, queue_limit: usize) -> Bench {
    let config = Config::new(dir.path());
    open(dir, config, slots, queue_limit).await
}

pub async fn open(dir: TempDir, config: Config, slots: usize, queue_limit: usize) -> Bench {
    let broker = Broker::open(config).unwrap();
    let claims = broker.claims();
    broker
        .open_pool("pool".into(), slots, queue_limit)
        .await
        .unwrap();
    Bench {
        broker,
        claims,
        dir,
    }
}

impl Bench {
    /// Lets the process "die": nothing is drained, the store is opened again.
    pub async fn crash(self, slots: usize, queue_limit: usize) -> Self {
        let Self {
            broker,
            claims,
            dir,
        } = self;
        drop(claims);
        drop(broker);
        // The writer's thread lets go of the lock once it has seen that all handles are gone.
        for _ in 0..500 {
            match Broker::open(Config::new(dir.path())) {
                Ok(broker) => {
                    let claims = broker.claims();
                    broker
                        .open_pool("pool".into(), slots, queue_limit)
                        .await
                        .unwrap();
                    return Self {
                        broker,
                        claims,
                        dir,
                    };
                }
                Err(Error::Locked(_) | Error::Sqlite(_)) => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Err(other) => panic!("{other}"),
            }
        }
        panic!("the store stayed locked");
    }

    pub async fn claim(&mut self) -> Claim {
        tokio::time::timeout(Duration::from_secs(20), self.claims.recv())
            .await
            .unwrap()
            .unwrap()
    }

    pub async fn settle(&self, claim: &Claim, report: Report) -> Option<State> {
        self.broker
            .settle(claim.task, claim.token, report)
            .await
            .unwrap()
    }

    pub async fn state(&self, task: TaskId) -> State {
        self.broker.task(task).await.unwrap().unwrap().state
    }
}

pub fn task() -> NewTask {
    NewTask {
        id: TaskId::new(),
        pool: "pool".into(),
        capability: "tool".into(),
        work: Work::Call(Bytes::from_static(b"{}")),
        principal: "local/anonymous".into(),
        reply_to: None,
        affinity: None,
        trace: TraceParent::random(),
        idempotency: None,
        delivery: Arc::new(Delivery {
            backoff_delay: Duration::from_millis(1),
            ..Delivery::default()
        }),
    }
}

/// The policy of a task, to change it.
pub fn policy(task: &mut NewTask) -> &mut Delivery {
    Arc::make_mut(&mut task.delivery)
}

pub fn keyed(key: &str) -> NewTask {
    let idempotency = Idempotency {
        key: key.to_owned(),
        arguments: [7; 32],
    };
    NewTask {
        idempotency: Some(idempotency),
        ..task()
    }
}

pub fn repeatable(mut task: NewTask) -> NewTask {
    policy(&mut task).repeatable = true;
    task
}

pub fn failed(outcome: Outcome) -> Report {
    let error = TaskError {
        code: -32000,
        message: "broke".to_owned(),
        data: None,
    };
    Report::Failed {
        failure: Failed { error, outcome },
        last: false,
        retry_after: None,
    }
}

/// Nothing was sent, and nothing is to be for so many milliseconds.
pub fn held(millis: u64) -> Report {
    Report::Held {
        why: "left alone".to_owned(),
        retry_after: Duration::from_millis(millis),
    }
}

pub fn done() -> Report {
    Report::Completed(Bytes::from_static(b"{\"ok\":1}"))
}

pub async fn ending(waiter: &mut dormouse_broker::Waiter) -> (TaskId, Ending) {
    loop {
        let news = tokio::time::timeout(Duration::from_secs(20), waiter.next())
            .await
            .unwrap();
        match news.unwrap() {
            News::Progress(_) | News::Suspended { .. } => {}
            News::Ended(task, ending) => return (task, ending),
        }
    }
}
