//! Steps: done once, stored before they count.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dormouse_contract::suspension::Stepped;
use dormouse_contract::{Event, task};
use dormouse_function::{Answer, Context, Function, NoArguments, Settings, ToolError};
use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::harness::{Running, Task, start};
use crate::sink::{Taken, answering};

#[derive(Deserialize, JsonSchema)]
struct Sure {
    sure: bool,
}

struct Stepping {
    function: Running,
    taken: Taken,
    done: Arc<AtomicUsize>,
}

impl Stepping {
    /// A tool `order` with a side effect before five questions, and tools that misuse steps.
    async fn start(status: StatusCode) -> Self {
        let done = Arc::new(AtomicUsize::new(0));
        let effect = Arc::clone(&done);
        let order = move |cx: Context, _: NoArguments| {
            let effect = Arc::clone(&effect);
            async move {
                let pay = async |key: String| {
                    effect.fetch_add(1, Ordering::SeqCst);
                    Ok(key)
                };
                let receipt: String = cx.step("pay", pay).await?;
                for question in 1..=5 {
                    let name = format!("sure-{question}");
                    let _: Answer<Sure> = cx.elicit(name, "Sure?").await?;
                }
                Ok::<_, ToolError>(receipt)
            }
        };
        let counting = Arc::clone(&done);
        let react = move |cx: Context, _: Event| {
            let counting = Arc::clone(&counting);
            async move {
                let count = async |_| Ok(counting.fetch_add(1, Ordering::SeqCst));
                cx.step("count", count).await.map(drop)
            }
        };
        let function = Function::new("stepping")
            .tool("order", "", order)
            .tool("twice", "", twice)
            .tool("unnamed", "", unnamed)
            .tool("nested", "", nested)
            .tool("failing", "", failing)
            .on("org.example", react);
        let (sink, taken) = answering(status).await;
        let settings = Settings {
            sink: Some(sink),
            ..Settings::default()
        };
        Self {
            function: start(function, settings).await,
            taken,
            done,
        }
    }

    fn done(&self) -> usize {
        self.done.load(Ordering::SeqCst)
    }
}

async fn twice(cx: Context, _: NoArguments) -> Result<(), ToolError> {
    cx.step("same", async |_| Ok(1)).await?;
    cx.step("same", async |_| Ok(2)).await?;
    Ok(())
}

async fn unnamed(cx: Context, _: NoArguments) -> Result<(), ToolError> {
    cx.step("two words", async |_| Ok(1)).await.map(drop)
}

async fn nested(cx: Context, _: NoArguments) -> Result<(), ToolError> {
    let inner = cx.clone();
    let step = async |_| {
        Ok(inner
            .elicit::<Sure>("sure", "Sure?")
            .await?
            .accepted()
            .is_some_and(|given| given.sure))
    };
    cx.step("outer", step).await.map(drop)
}

async fn failing(cx: Context, _: NoArguments) -> Result<(), ToolError> {
    let step = async |_| Err::<(), _>(ToolError::caller("not like this"));
    cx.step("fails", step).await
}

#[tokio::test]
async fn a_side_effect_happens_once_across_five_suspensions() {
    let stepping = Stepping::start(StatusCode::ACCEPTED).await;
    let mut task = Task::of("order");
    for question in 1..=5 {
        let name = format!("sure-{question}");
        let asked = task.run(&stepping.function).await.asked();
        assert_eq!(asked, [name.as_str()]);
        task = task.accepted(&name, json!({"sure": true}));
        if question == 1 {
            let taken = stepping.taken.lock().unwrap();
            let stored: Stepped<'_> =
                serde_json::from_slice(taken[0].data.as_ref().unwrap()).unwrap();
            task = task.stepped(
                &stored.step,
                serde_json::from_str(stored.result.get()).unwrap(),
            );
        }
    }
    assert_eq!(task.run(&stepping.function).await.text(), "t1/pay");
    assert_eq!(
        (stepping.done(), stepping.taken.lock().unwrap().len()),
        (1, 1)
    );
}

#[tokio::test]
async fn a_step_is_stored_under_the_attempts_token() {
    let stepping = Stepping::start(StatusCode::ACCEPTED).await;
    Task::of("order").run(&stepping.function).await.asks();
    let taken = stepping.taken.lock().unwrap();
    let event = &taken[0];
    assert_eq!(event.ty, task::STEPPED);
    assert_eq!(
        event.extension(task::ATTEMPT_TOKEN).as_deref(),
        Some("0123abcd")
    );
    assert_eq!(
        event.data.as_deref(),
        Some(br#"{"step":"pay","result":"t1/pay"}"#.as_slice())
    );
}

#[tokio::test]
async fn a_step_that_could_not_be_stored_is_left_to_a_retry() {
    let stepping = Stepping::start(StatusCode::SERVICE_UNAVAILABLE).await;
    let answer = Task::of("order").run(&stepping.function).await;
    assert_eq!((answer.status, answer.not_run()), (503, false));
    assert!(
        answer.words().contains("`pay` was done but not stored"),
        "{}",
        answer.words()
    );
}

#[tokio::test]
async fn a_step_that_is_refused_ends_the_call() {
    for status in [StatusCode::PAYLOAD_TOO_LARGE, StatusCode::CONFLICT] {
        let stepping = Stepping::start(status).await;
        let failed = Task::of("order").run(&stepping.function).await.failed();
        assert_eq!(failed.outcome, task::Outcome::Failed);
        let said = &failed.error.message;
        assert!(said.contains("`pay` was done but not stored"), "{said}");
        assert_eq!(stepping.done(), 1);
    }
}

#[tokio::test]
async fn misuse_is_told_in_words() {
    let stepping = Stepping::start(StatusCode::ACCEPTED).await;
    for (tool, said) in [
        ("twice", "two steps of one task are named `same`"),
        ("unnamed", "visible ASCII"),
        ("nested", "inside of a step"),
    ] {
        let failed = Task::of(tool).run(&stepping.function).await.failed();
        assert!(failed.error.message.contains(said), "{failed:?}");
    }
    let refused = Task::of("failing").run(&stepping.function).await;
    assert_eq!(refused.result()["isError"], true);
}

#[tokio::test]
async fn where_nothing_is_stored_the_work_runs_each_time() {
    let stepping = Stepping::start(StatusCode::SERVICE_UNAVAILABLE).await;
    for _ in 0..2 {
        let event = Event::new("p1", "/tests", "org.example.ping").with_json("{}");
        assert_eq!(stepping.function.deliver(event).await.status, 204);
    }
    assert_eq!(
        (stepping.done(), stepping.taken.lock().unwrap().len()),
        (2, 0)
    );
}
