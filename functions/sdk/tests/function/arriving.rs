//! Handlers that wait for events.

use std::time::Duration;

use dormouse_contract::Event;
use dormouse_function::{Context, Function, NoArguments, Settings, ToolError};
use serde_json::{Value, json};

use crate::harness::{Running, Task, start};

/// One event, then two at once, then perhaps one more.
async fn parcel(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    let packed = cx.event("packed", "com.example.packed").await?;
    let (sent, paid) = tokio::join!(
        cx.event("sent", "com.example.sent"),
        cx.event("paid", "com.example.paid"),
    );
    let hour = Duration::from_secs(3_600);
    let thanks = cx
        .event_within("thanks", "com.example.thanks", hour)
        .await?;
    let data = thanks.and_then(|thanks| thanks.event.data);
    let [packed, sent, paid] = [packed, sent?, paid?].map(|arrival| arrival.event.id);
    Ok(format!("{packed} {sent} {paid} {data:?}"))
}

async fn reaction(cx: Context, _: Event) -> Result<(), ToolError> {
    cx.event("other", "com.example").await.map(drop)?;
    Ok(())
}

async fn later(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    cx.events_after(41);
    Ok(cx.event("next", "").await?.seq.to_string())
}

async fn function() -> Running {
    let function = Function::new("arriving")
        .tool("parcel", "", parcel)
        .tool("later", "", later)
        .on("org.example", reaction);
    start(function, Settings::default()).await
}

fn arrived(id: &str, seq: u64) -> Value {
    json!({"seq": seq, "event": {"specversion": "1.0", "id": id, "source": "/shop",
        "type": "com.example", "datacontenttype": "application/json", "data": {"a": 1}}})
}

fn prefix(ty: &str) -> Value {
    json!([{"prefix": {"type": ty}}])
}

#[tokio::test]
async fn an_event_is_waited_for_from_the_last_one_that_was_seen() {
    let function = function().await;
    // A client that can be asked nothing.
    let mut task = Task::of("parcel");
    task.client = json!({});
    let asks = task.run(&function).await.asks();
    let first = json!({"packed": {"method": "dev.dormouse/event",
        "params": {"filters": prefix("com.example.packed")}}});
    assert_eq!(asks, first);

    let task = task.answered("packed", arrived("p", 7));
    let asks = task.run(&function).await.asks();
    for name in ["sent", "paid"] {
        assert_eq!(asks[name]["params"]["after"], 7, "{asks}");
    }

    let task = task
        .answered("sent", arrived("s", 12))
        .answered("paid", arrived("b", 9));
    let asks = task.run(&function).await.asks();
    let last = json!({"thanks": {"method": "dev.dormouse/event", "params":
        {"filters": prefix("com.example.thanks"), "after": 12, "timeout": "1h"}}});
    assert_eq!(asks, last);

    let late = task.answered("thanks", json!({"timedOut": true}));
    assert_eq!(late.run(&function).await.text(), "p s b None");
    let late = late.answered("thanks", arrived("t", 13));
    let text = late.run(&function).await.text();
    assert!(text.contains(r#"{\"a\":1}"#), "{text}");
}

#[tokio::test]
async fn a_handler_may_know_from_where() {
    let function = function().await;
    let task = Task::of("later");
    let asks = task.run(&function).await.asks();
    assert_eq!(asks["next"]["params"]["after"], 41, "{asks}");
    let task = task.answered("next", arrived("n", 50));
    assert_eq!(task.run(&function).await.text(), "50");
}

#[tokio::test]
async fn what_is_no_event_is_no_answer() {
    let function = function().await;
    let strange = json!({"event": {"specversion": "1.0"}, "seq": 1});
    let task = Task::of("parcel").answered("packed", strange);
    let result = task.run(&function).await.result();
    assert_eq!(result["isError"], true);
    let text = result["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("`packed`") && text.contains("`id`"), "{text}");
    // A form that somebody filled in is none either.
    let form = Task::of("parcel").accepted("packed", json!({}));
    let failed = form.run(&function).await.failed();
    assert!(failed.error.message.contains("another kind"), "{failed:?}");
}

#[tokio::test]
async fn a_task_of_an_event_cannot_wait_for_another() {
    let function = function().await;
    let event = Event::new("p1", "/tests", "org.example.ping").with_json("{}");
    let answer = function.deliver(event).await;
    assert_eq!(answer.status, 422);
    let words = answer.words();
    assert!(words.contains("a handler of its own"), "{words}");
}

#[tokio::test]
async fn a_test_plays_the_platform() {
    let answers = ["packed", "sent", "paid", "thanks"].map(|name| (name, arrived(name, 1)));
    let text = parcel(Context::rehearsed(answers), NoArguments {}).await;
    assert!(text.unwrap().starts_with("packed sent paid Some"));
}
