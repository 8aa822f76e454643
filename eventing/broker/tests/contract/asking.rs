//! What the tests of suspension share: questions, answers, and tasks that wait for them.

use std::time::Duration;

use bytes::Bytes;
use dormouse_broker::{
    Answered, Asks, Broker, Claim, NewTask, News, Report, State, TaskId, Waiter,
};
use dormouse_contract::policy::Stored;

use crate::stage::*;

pub const GRADE: &str =
    r#""grade":{ "method":"elicitation/create", "params":{"message":"Which?"} }"#;
pub const MODEL: &str = r#""model":{"method":"sampling/createMessage","params":{"n":1.0}}"#;
pub const SEVEN: &str = r#"{"grade":{"result":{ "action":"accept", "content":{"n":7.0} }}}"#;

pub fn asking(asks: &[&str]) -> Report {
    Report::Suspended(Asks {
        asks: format!("{{{}}}", asks.join(",")).into(),
        revision: Some("r1".to_owned()),
    })
}

pub fn object(asks: &[&str]) -> Bytes {
    format!("{{{}}}", asks.join(",")).into()
}

pub async fn answer(broker: &Broker, task: TaskId, round: u32, answers: &'static str) -> Answered {
    let me = Some("local/anonymous");
    let answers = Bytes::from_static(answers.as_bytes());
    broker.answer(task, me, round, answers).await.unwrap()
}

pub async fn asked(waiter: &mut Waiter) -> (TaskId, u32, Bytes) {
    let news = tokio::time::timeout(Duration::from_secs(20), waiter.next()).await;
    match news.unwrap().unwrap() {
        News::Suspended { task, round, asks } => (task, round, asks),
        other => panic!("a question was expected, not {other:?}"),
    }
}

/// Accepts a task whose first round asks for the grade.
pub async fn suspended(bench: &mut Bench, task: &NewTask) -> (Waiter, Claim) {
    let mut waiter = bench.broker.wait(task.id);
    bench.broker.accept(task.clone()).await.unwrap();
    let claim = bench.claim().await;
    let state = bench.settle(&claim, asking(&[GRADE])).await;
    assert_eq!(state, Some(State::Suspended));
    let (of, round, asks) = asked(&mut waiter).await;
    assert_eq!((of, round, asks), (task.id, 1, object(&[GRADE])));
    (waiter, claim)
}

pub fn lazily(mut task: NewTask) -> NewTask {
    policy(&mut task).stored = Stored::Lazily;
    task
}
