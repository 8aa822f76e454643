//! When a round ends: only asks are left to wait for.

use std::time::Duration;

use dormouse_function::{Answer, Context, Function, NoArguments, Settings, ToolError};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;

use crate::harness::{Running, Task, start};

#[derive(Deserialize, JsonSchema)]
struct Word {
    word: String,
}

async fn word(cx: &Context, name: &str) -> Result<String, ToolError> {
    let answer: Answer<Word> = cx.elicit(name, "Say a word.").await?;
    Ok(answer
        .accepted()
        .map_or_else(|| "-".to_owned(), |said| said.word))
}

async fn both(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    let (one, two) = tokio::join!(word(&cx, "one"), word(&cx, "two"));
    Ok(format!("{} {}", one?, two?))
}

async fn all(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    let names = ["a", "b", "c"];
    let asked = names.map(|name| cx.elicit::<Word>(name, "Say a word."));
    let words = futures_util::future::try_join_all(asked).await?;
    Ok(words.len().to_string())
}

/// The timer is work that goes on; afterwards only the ask is left.
async fn meanwhile(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    let timer = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        cx.step("slept", async |_| Ok(true)).await
    };
    let (said, slept) = tokio::join!(word(&cx, "one"), timer);
    Ok(format!("{} {}", said?, slept?))
}

/// A timer that wins drops the ask: nothing is asked.
async fn timeout(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    match tokio::time::timeout(Duration::from_millis(10), word(&cx, "one")).await {
        Ok(said) => said,
        Err(_) => Ok("too late".to_owned()),
    }
}

/// Waiting for the end of the call is no work.
async fn cancellable(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    tokio::select! {
        said = word(&cx, "one") => said,
        () = cx.cancelled() => Err(ToolError::internal("cancelled")),
    }
}

/// An ask that is dropped and asked anew is still one ask.
async fn anew(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    for _ in 0..3 {
        tokio::select! {
            said = word(&cx, "one") => return said,
            () = tokio::time::sleep(Duration::from_millis(5)) => {}
        }
    }
    word(&cx, "one").await
}

/// A receiver that was polled once keeps a waker that nobody will use.
async fn stale(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    let (_sender, mut receiver) = mpsc::channel::<()>(1);
    tokio::select! {
        _ = receiver.recv() => {}
        () = tokio::time::sleep(Duration::from_millis(5)) => {}
    }
    word(&cx, "one").await
}

/// A handler that wakes itself is not done.
async fn yielding(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    let yields = async {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        // More than one poll may do, so that the runtime's budget ends one.
        let (sender, mut receiver) = mpsc::unbounded_channel();
        for number in 0..1_000 {
            sender
                .send(number)
                .map_err(|_| ToolError::internal("closed"))?;
        }
        drop(sender);
        let mut sum = 0;
        while let Some(number) = receiver.recv().await {
            sum += number;
        }
        Ok::<_, ToolError>(sum)
    };
    let (sum, said) = tokio::join!(yields, async {
        tokio::task::yield_now().await;
        word(&cx, "one").await
    });
    Ok(format!("{} {}", sum?, said?))
}

/// Another task is work that goes on, in whatever it waits.
async fn spawned(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    let other = tokio::spawn(async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        "done"
    });
    let (said, other) = tokio::join!(word(&cx, "one"), async {
        let done = other.await?;
        cx.step("other", async |_| Ok(done.to_owned())).await
    });
    Ok(format!("{} {}", said?, other?))
}

async fn asks_elsewhere(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    tokio::spawn(async move { word(&cx, "one").await }).await?
}

async fn unordered(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    let mut asks = FuturesUnordered::from_iter([word(&cx, "one"), word(&cx, "two")]);
    let mut words = Vec::new();
    while let Some(said) = asks.next().await {
        words.push(said?);
    }
    words.sort();
    Ok(words.join(" "))
}

async fn function() -> Running {
    let function = Function::new("waiting")
        .tool("both", "", both)
        .tool("all", "", all)
        .tool("meanwhile", "", meanwhile)
        .tool("timeout", "", timeout)
        .tool("cancellable", "", cancellable)
        .tool("anew", "", anew)
        .tool("stale", "", stale)
        .tool("yielding", "", yielding)
        .tool("spawned", "", spawned)
        .tool("asks_elsewhere", "", asks_elsewhere)
        .tool("unordered", "", unordered);
    let (sink, _) = crate::sink::sink().await;
    let settings = Settings {
        sink: Some(sink),
        ..Settings::default()
    };
    start(function, settings).await
}

fn said(task: Task, name: &str) -> Task {
    task.accepted(name, json!({"word": name}))
}

#[tokio::test]
async fn several_are_asked_at_once() {
    let function = function().await;
    assert_eq!(
        Task::of("both").run(&function).await.asked(),
        ["one", "two"]
    );
    assert_eq!(
        Task::of("all").run(&function).await.asked(),
        ["a", "b", "c"]
    );
    let half = said(Task::of("both"), "two");
    assert_eq!(half.run(&function).await.asked(), ["one"]);
    assert_eq!(said(half, "one").run(&function).await.text(), "one two");
}

#[tokio::test]
async fn a_round_lasts_while_other_work_goes_on() {
    let function = function().await;
    for (tool, step, result, text) in [
        ("meanwhile", "slept", json!(true), "one true"),
        ("spawned", "other", json!("done"), "one done"),
    ] {
        let first = Task::of(tool).run(&function).await;
        assert_eq!(first.asked(), ["one"]);
        let second = said(Task::of(tool), "one").stepped(step, result);
        assert_eq!(second.run(&function).await.text(), text);
    }
    assert_eq!(Task::of("timeout").run(&function).await.text(), "too late");
}

#[tokio::test]
async fn what_will_never_wake_the_handler_holds_nothing_up() {
    let function = function().await;
    for tool in ["cancellable", "stale", "anew"] {
        assert_eq!(
            Task::of(tool).run(&function).await.asked(),
            ["one"],
            "{tool}"
        );
        let answered = said(Task::of(tool), "one");
        assert_eq!(answered.run(&function).await.text(), "one", "{tool}");
    }
}

#[tokio::test]
async fn a_handler_that_wakes_itself_goes_on() {
    let function = function().await;
    assert_eq!(Task::of("yielding").run(&function).await.asked(), ["one"]);
    let answered = said(Task::of("yielding"), "one");
    assert_eq!(answered.run(&function).await.text(), "499500 one");
}

#[tokio::test]
async fn an_ask_that_could_only_wait_for_ever_says_so() {
    let function = function().await;
    for tool in ["asks_elsewhere", "unordered"] {
        let failed = Task::of(tool).run(&function).await.failed();
        assert!(failed.error.message.contains("`join!`"), "{failed:?}");
        let answered = said(said(Task::of(tool), "one"), "two");
        if tool == "unordered" {
            assert_eq!(answered.run(&function).await.text(), "one two");
        }
    }
}
