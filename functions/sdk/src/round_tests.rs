//! That a round never ends before the other work is done, and always ends after it, on several
//! threads that wake and let go at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dormouse_contract::task::Client;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{Round, run};
use crate::context::{Call, Context};
use crate::delivery::Attempt;
use crate::replay::{Audience, Replay};

#[derive(Deserialize, schemars::JsonSchema)]
struct Word {
    #[expect(dead_code, reason = "nobody answers")]
    word: String,
}

fn context() -> Context {
    let capabilities = RawValue::from_string(r#"{"elicitation":{}}"#.to_owned()).unwrap();
    Context::new(Call {
        attempt: Arc::new(Attempt::nobodys()),
        capability: String::new(),
        client: Client {
            capabilities: Some(capabilities),
            ..Client::default()
        },
        cancelled: CancellationToken::new(),
        reports: None,
        replay: Replay::nobodys(Audience::Client),
        outlet: None,
        service: None,
        begun: 0.into(),
    })
}

/// Runs a handler that asks while `work` goes on; says whether the work was done when the round
/// ended with the ask.
async fn done_when_asking(work: impl Future<Output = ()>) -> bool {
    let (cx, done) = (context(), AtomicBool::new(false));
    let handler = async {
        let other = async {
            work.await;
            done.store(true, Ordering::SeqCst);
        };
        let (answer, ()) = tokio::join!(cx.elicit::<Word>("word", "Say a word."), other);
        answer.is_ok()
    };
    let round = run(handler, cx.replay(), &CancellationToken::new()).await;
    matches!(round, Round::Asking(Ok(_))) && done.load(Ordering::SeqCst)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_round_ends_right_after_the_other_work() {
    for number in 0..2_000_u32 {
        let (sender, receiver) = oneshot::channel();
        let (many, mut some) = mpsc::channel(1);
        let sending = tokio::spawn(async move {
            for step in 0..number % 7 {
                let _ = many.send(step).await;
            }
            let _ = sender.send(());
        });
        let work = async {
            let (_, ()) = tokio::join!(receiver, async { while some.recv().await.is_some() {} });
            let _ = sending.await;
        };
        assert!(done_when_asking(work).await, "{number}");
    }
}

#[tokio::test]
async fn work_without_waiting_is_done_first() {
    assert!(done_when_asking(async {}).await);
    assert!(done_when_asking(tokio::task::yield_now()).await);
}
