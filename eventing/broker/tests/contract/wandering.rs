//! One task on random ways through rounds, attempts and crashes, beside a model of it.

use std::collections::BTreeMap;

use bytes::Bytes;
use dormouse_broker::{Answered, Claim, NewTask, State, Stepped, Waiter};
use dormouse_contract::task::Outcome;
use proptest::prelude::*;

use crate::asking::*;
use crate::stage::*;

/// What happens next, where it can.
#[derive(Debug, Clone, Copy)]
enum Happening {
    /// The attempt commits this result of this step.
    Step(u8, u8),
    /// The round ends with so many new asks.
    Ask(u8),
    /// The attempt breaks.
    Break,
    /// The one of the open asks at this place gets an answer.
    Answer(u8),
    /// An answer comes for a round that is over.
    AnswerLate,
    /// An attempt of an earlier round completes.
    CompleteLate,
    /// The platform dies.
    Crash,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        3 => (0_u8..3, 0_u8..2).prop_map(|(name, result)| Happening::Step(name, result)),
        3 => (1_u8..4).prop_map(Happening::Ask),
        1 => Just(Happening::Break),
        6 => (0_u8..4).prop_map(Happening::Answer),
        1 => Just(Happening::AnswerLate),
        1 => Just(Happening::CompleteLate),
        1 => Just(Happening::Crash),
    ]
}

/// The task as it should be.
struct Model {
    task: NewTask,
    round: u32,
    asked: usize,
    open: Vec<String>,
    answers: Vec<String>,
    steps: BTreeMap<String, u8>,
    /// The last claim of a round that is over.
    over: Option<Claim>,
    running: Option<Claim>,
}

impl Model {
    fn answers(&self) -> Bytes {
        let members = self.answers.iter();
        let members: Vec<_> = members
            .map(|name| format!(r#""{name}":{{"result":1}}"#))
            .collect();
        format!("{{{}}}", members.join(",")).into()
    }

    fn steps(&self) -> Bytes {
        let members = self.steps.iter();
        let members: Vec<_> = members
            .map(|(name, result)| format!(r#""{name}":{result}"#))
            .collect();
        format!("{{{}}}", members.join(",")).into()
    }

    /// Takes the attempt that must come now, and looks at what it brings.
    async fn run(&mut self, bench: &mut Bench) {
        let claim = bench.claim().await;
        assert_eq!((claim.task, claim.round), (self.task.id, self.round));
        match &claim.replay {
            Some(replay) => {
                assert_eq!(
                    (&replay.answers, &replay.steps),
                    (&self.answers(), &self.steps())
                );
            }
            None => assert!(self.answers.is_empty() && self.steps.is_empty()),
        }
        self.running = Some(claim);
    }

    async fn go(&mut self, bench: &mut Bench, happening: Happening) {
        match (happening, self.running.clone()) {
            (Happening::Step(name, result), Some(claim)) => {
                self.step(bench, &claim, &format!("s{name}"), result).await;
            }
            (Happening::Ask(count), Some(claim)) => self.ask(bench, claim, count.into()).await,
            (Happening::Break, Some(claim)) => {
                let state = bench.settle(&claim, failed(Outcome::Unknown)).await;
                assert_eq!(state, Some(State::Accepted));
                self.run(bench).await;
            }
            (Happening::Answer(place), None) => self.answer(bench, place.into()).await,
            (Happening::AnswerLate, _) if self.round > 1 => {
                let late = answer(&bench.broker, self.task.id, self.round - 1, "{}").await;
                assert_eq!(late, Answered::Before);
            }
            (Happening::CompleteLate, _) => {
                if let Some(claim) = &self.over {
                    assert_eq!(bench.settle(claim, done()).await, None);
                }
            }
            (
                Happening::Step(..)
                | Happening::Ask(_)
                | Happening::Break
                | Happening::Answer(_)
                | Happening::AnswerLate
                | Happening::Crash,
                _,
            ) => {}
        }
    }

    async fn step(&mut self, bench: &Bench, claim: &Claim, name: &str, result: u8) {
        let expected = match self.steps.get(name) {
            None => Stepped::Stored,
            Some(known) if *known == result => Stepped::Known,
            Some(_) => Stepped::Different,
        };
        self.steps.entry(name.to_owned()).or_insert(result);
        let result = Bytes::from(result.to_string());
        let stepped = bench.broker.step(claim.task, claim.token, name, result);
        assert_eq!(stepped.await.unwrap(), expected);
    }

    async fn ask(&mut self, bench: &Bench, claim: Claim, count: usize) {
        self.open = (self.asked..self.asked + count)
            .map(|number| format!("a{number}"))
            .collect();
        self.asked += count;
        let asks: Vec<_> = self
            .open
            .iter()
            .map(|name| format!(r#""{name}":{{"method":"roots/list"}}"#))
            .collect();
        let asks: Vec<_> = asks.iter().map(String::as_str).collect();
        let state = bench.settle(&claim, asking(&asks)).await;
        assert_eq!(state, Some(State::Suspended));
        self.over = Some(claim);
        self.running = None;
    }

    async fn answer(&mut self, bench: &mut Bench, place: usize) {
        let name = self.open.remove(place % self.open.len());
        let answers = format!(r#"{{"{name}":{{"result":1}},"nobody asked":{{"result":2}}}}"#);
        self.answers.push(name);
        let me = Some("local/anonymous");
        let answered = bench
            .broker
            .answer(self.task.id, me, self.round, answers.into());
        match (answered.await.unwrap(), self.open.is_empty()) {
            (Answered::Continued, true) => {
                self.round += 1;
                self.run(bench).await;
            }
            (Answered::Open(_), false) => {}
            other => panic!("{other:?} with {:?} open", self.open),
        }
    }
}

async fn wander(happenings: Vec<Happening>) {
    let mut bench = bench(1, 10).await;
    let mut task = repeatable(lazily(task()));
    policy(&mut task).retries = 1_000;
    policy(&mut task).backoff_policy = dormouse_contract::policy::BackoffPolicy::Linear;
    policy(&mut task).total_budget = Some(std::time::Duration::from_secs(3_600));
    bench.broker.accept(task.clone()).await.unwrap();
    let mut model = Model {
        task,
        round: 1,
        asked: 0,
        open: Vec::new(),
        answers: Vec::new(),
        steps: BTreeMap::new(),
        over: None,
        running: None,
    };
    model.run(&mut bench).await;
    for happening in happenings {
        let is_stored = model.round > 1 || model.running.is_none() || !model.steps.is_empty();
        if matches!(happening, Happening::Crash) && is_stored {
            bench = bench.crash(1, 10).await;
            if model.running.is_some() {
                model.run(&mut bench).await;
            }
        } else {
            model.go(&mut bench, happening).await;
        }
    }
    finish(&mut bench, &mut model).await;
}

/// Answers what is open, and completes: heard once, and once in the history.
async fn finish(bench: &mut Bench, model: &mut Model) {
    let mut waiter: Waiter = bench.broker.wait(model.task.id);
    while model.running.is_none() {
        model.answer(bench, 0).await;
    }
    let claim = model.running.clone().unwrap();
    assert_eq!(bench.settle(&claim, done()).await, Some(State::Completed));
    assert_eq!(ending(&mut waiter).await.0, model.task.id);
    assert_eq!(bench.settle(&claim, done()).await, None);
    if let Some(record) = bench.broker.task(model.task.id).await.unwrap() {
        let endings = record.history.iter().filter(|entry| entry.to.is_final());
        assert_eq!((endings.count(), record.round), (1, model.round));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_each_round_finds_all_answers_and_steps_and_the_task_ends_once(
        happenings in proptest::collection::vec(happening(), 0..40)
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(wander(happenings));
    }
}
