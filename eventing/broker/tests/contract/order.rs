//! `ordering: subject`: events of one subject one after the other, whatever happens.

use std::collections::HashMap;

use bytes::Bytes;
use dormouse_broker::{Claim, NewEvent, Report, State, TaskId};
use dormouse_contract::task::Outcome;
use proptest::prelude::*;

use crate::events::{event, publish, route};
use crate::stage::*;

fn ordered(id: u32, subject: u8) -> NewEvent {
    let mut route = route("pool");
    route.ordered = true;
    let mut event = event(&id.to_string(), vec![route]);
    event.event.subject = Some(subject.to_string());
    event
}

#[derive(Debug, Clone, Copy)]
enum Happening {
    /// An event of this subject comes.
    Come(u8),
    /// One of the running attempts ends well.
    Complete(u8),
    /// One of them breaks: it is tried again, or a dead letter.
    Break(u8),
    /// The first that waits is cancelled.
    Cancel(u8),
    /// The platform dies.
    Crash,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        6 => (0_u8..3).prop_map(Happening::Come),
        4 => (0_u8..8).prop_map(Happening::Complete),
        2 => (0_u8..8).prop_map(Happening::Break),
        1 => (0_u8..8).prop_map(Happening::Cancel),
        1 => Just(Happening::Crash),
    ]
}

/// Each subject's tasks that have not ended, in order; the first of them may run.
#[derive(Default)]
struct Model {
    sent: u32,
    open: HashMap<u8, Vec<TaskId>>,
    attempts: HashMap<TaskId, u32>,
    running: Vec<Claim>,
}

const SLOTS: usize = 2;

impl Model {
    fn subject_of(&self, task: TaskId) -> u8 {
        let of = self.open.iter().find(|(_, tasks)| tasks.contains(&task));
        *of.expect("it is open").0
    }

    /// Takes every claim that must come now, and looks whose turn it is.
    async fn run(&mut self, bench: &mut Bench) {
        let subjects = self.open.values().filter(|tasks| !tasks.is_empty()).count();
        while self.running.len() < subjects.min(SLOTS) {
            let claim = bench.claim().await;
            let subject = self.subject_of(claim.task);
            assert_eq!(
                self.open[&subject][0], claim.task,
                "{claim:?} overtook another"
            );
            *self.attempts.entry(claim.task).or_default() += 1;
            self.running.push(claim);
        }
        assert!(bench.claims.try_recv().is_err(), "no more than that run");
    }

    fn end(&mut self, task: TaskId) {
        let subject = self.subject_of(task);
        self.open
            .entry(subject)
            .or_default()
            .retain(|open| *open != task);
    }

    async fn go(&mut self, bench: &mut Bench, happening: Happening) {
        match happening {
            Happening::Come(subject) => {
                self.sent += 1;
                let published = publish(bench, ordered(self.sent, subject)).await;
                self.open
                    .entry(subject)
                    .or_default()
                    .extend(published.tasks);
            }
            Happening::Complete(which) => self.settle(bench, which, true).await,
            Happening::Break(which) => self.settle(bench, which, false).await,
            Happening::Cancel(which) => {
                let is_running = |task: &TaskId| self.running.iter().any(|it| it.task == *task);
                let waiting = self
                    .open
                    .values()
                    .flatten()
                    .filter(|task| !is_running(task));
                let mut waiting: Vec<_> = waiting.copied().collect();
                waiting.sort_unstable();
                if let Some(task) = waiting.get(usize::from(which)) {
                    let state = bench.broker.cancel(*task, None, "unwanted").await.unwrap();
                    assert_eq!(state, Some(State::Cancelled));
                    self.end(*task);
                }
            }
            Happening::Crash => {}
        }
    }

    async fn settle(&mut self, bench: &Bench, which: u8, is_well: bool) {
        if self.running.is_empty() {
            return;
        }
        let claim = self.running.remove(usize::from(which) % self.running.len());
        let report = match is_well {
            true => Report::Completed(Bytes::new()),
            false => failed(Outcome::Unknown),
        };
        match bench.settle(&claim, report).await {
            Some(State::Accepted) => assert!(!is_well),
            Some(State::Completed | State::Failed) => self.end(claim.task),
            other => panic!("{other:?}"),
        }
    }
}

async fn wander(happenings: Vec<Happening>) {
    let mut bench = bench(SLOTS, 10).await;
    let mut model = Model::default();
    for happening in happenings {
        if matches!(happening, Happening::Crash) {
            bench = bench.crash(SLOTS, 10).await;
            // What ran and had no attempt left is a dead letter now.
            for claim in std::mem::take(&mut model.running) {
                if bench.state(claim.task).await == State::Failed {
                    model.end(claim.task);
                }
            }
        } else {
            model.go(&mut bench, happening).await;
        }
        model.run(&mut bench).await;
    }
    while !model.running.is_empty() {
        model.settle(&bench, 0, true).await;
        model.run(&mut bench).await;
    }
    assert!(model.open.values().all(Vec::is_empty));
    assert!(model.attempts.values().all(|attempts| *attempts <= 2));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn events_of_a_subject_keep_their_order(
        happenings in proptest::collection::vec(happening(), 0..60)
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(wander(happenings));
    }
}
