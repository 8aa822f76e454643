//! Whatever happens in whatever order, each wait gets the first event that matches.

use std::time::Duration;

use dormouse_broker::{Claim, Seq, State, TaskId};
use proptest::prelude::*;
use serde_json::json;

use crate::stage::*;
use crate::waits::{asking, publish, results, wait};

/// One thing that happens.
#[derive(Debug, Clone)]
enum Deed {
    /// An event of this type comes.
    Publish(u8),
    /// A task is accepted.
    Accept,
    /// The oldest running task goes to sleep over the next event of this type (of any, from the
    /// beginning, for the last one).
    Wait(u8),
    Crash,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        4 => (0..3_u8).prop_map(Deed::Publish),
        2 => Just(Deed::Accept),
        3 => (0..4_u8).prop_map(Deed::Wait),
        1 => Just(Deed::Crash),
    ];
    proptest::collection::vec(deed, 1..40)
}

/// What a task of the model waits for.
struct Model {
    task: TaskId,
    /// The type, and the place behind which it counts.
    wait: Option<(Option<u8>, u64)>,
    seen: u64,
    got: Option<u64>,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn no_event_is_lost_in_any_order(deeds in deeds()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(deeds));
    }
}

async fn check(deeds: Vec<Deed>) {
    let mut bench = bench(100, 100).await;
    let mut log: Vec<u8> = Vec::new();
    let mut tasks: Vec<Model> = Vec::new();
    let mut running: Vec<Claim> = Vec::new();
    for deed in deeds {
        match deed {
            Deed::Publish(ty) => {
                let id = log.len().to_string();
                let published = publish(&bench, &id, &format!("t{ty}")).await;
                log.push(ty);
                assert_eq!(published.seq, Seq(log.len() as u64));
            }
            Deed::Accept => {
                let mut new = repeatable(task());
                policy(&mut new).retries = 100;
                let (wait, seen, got) = (None, log.len() as u64, None);
                tasks.push(Model {
                    task: new.id,
                    wait,
                    seen,
                    got,
                });
                bench.broker.accept(new).await.unwrap();
                running.push(bench.claim().await);
            }
            Deed::Wait(ty) => {
                if running.is_empty() {
                    continue;
                }
                let claim = running.remove(0);
                let model = tasks
                    .iter_mut()
                    .find(|model| model.task == claim.task)
                    .unwrap();
                let params = match ty {
                    3 => json!({"after": 0}),
                    ty => json!({"filters": [{"exact": {"type": format!("t{ty}")}}]}),
                };
                bench
                    .settle(&claim, asking(&json!({"e": wait(params)})))
                    .await;
                model.wait = Some(match ty {
                    3 => (None, 0),
                    ty => (Some(ty), model.seen),
                });
            }
            Deed::Crash => {
                bench = bench.crash(100, 100).await;
                // What ran is handed out again; what was woken may be among it.
                running.clear();
            }
        }
        for model in tasks.iter_mut().filter(|model| model.got.is_none()) {
            let Some((ty, after)) = model.wait else {
                continue;
            };
            let mut behind = (1..=log.len() as u64).skip(usize::try_from(after).unwrap());
            model.got = behind.find(|seq| {
                let of = log[usize::try_from(seq - 1).unwrap()];
                ty.is_none_or(|ty| ty == of)
            });
        }
        let expected = |model: &&Model| model.wait.is_none() || model.got.is_some();
        let live = tasks.iter().filter(expected).count();
        let mut woken = take_claims(&mut bench, live, &running).await;
        running.append(&mut woken);
        for model in &tasks {
            let claim = running.iter().find(|claim| claim.task == model.task);
            match (model.wait, model.got) {
                (Some(_), None) => assert_eq!(bench.state(model.task).await, State::Suspended),
                (Some(_), Some(seq)) => {
                    assert_eq!(results(claim.unwrap())["e"]["seq"], seq);
                }
                (None, _) => assert!(claim.is_some()),
            }
        }
        running.sort_by_key(|claim| claim.task);
        // A task that has its event does not wait again.
        running.retain(|claim| tasks.iter().any(|model| model.task == claim.task));
        let (mut waiting, woken): (Vec<_>, Vec<_>) =
            running.drain(..).partition(|claim| claim.round == 1);
        for claim in woken {
            bench.settle(&claim, done()).await;
            tasks.retain(|model| model.task != claim.task);
        }
        running.append(&mut waiting);
    }
}

/// Claims until as many tasks are in hand as should be.
async fn take_claims(bench: &mut Bench, live: usize, running: &[Claim]) -> Vec<Claim> {
    let mut woken = Vec::new();
    while running.len() + woken.len() < live {
        woken.push(bench.claim().await);
    }
    tokio::time::timeout(Duration::ZERO, bench.claims.recv())
        .await
        .expect_err("nobody else is woken");
    woken
}
