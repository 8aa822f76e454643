//! Reactions to events, and the events that follow from them.

use std::sync::{Arc, Mutex};

use dormouse_contract::{Event as Envelope, Manifest, http_binding, task};
use dormouse_function::cloudevents::{AttributesReader as _, Data, Event, EventBuilder as _};
use dormouse_function::{Context, Function, NoArguments, Settings, ToolError};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Answer, Running, TRACE, start};
use crate::sink::{Taken, answering};

/// As many events as the subject says.
async fn multiply(cx: Context, event: Event) -> Result<Vec<Event>, ToolError> {
    let count: u32 = event.subject().unwrap_or("0").parse()?;
    let build = |number| {
        let next = cx.new_event("org.example.multiplied");
        Ok(next.data("application/json", json!(number)).build()?)
    };
    (0..count).map(build).collect()
}

async fn echo(_: Context, event: Envelope) -> Result<Envelope, ToolError> {
    Ok(event)
}

async fn publish(cx: Context, _: NoArguments) -> Result<&'static str, ToolError> {
    cx.emit(cx.new_event("org.example.published").build()?)
        .await?;
    Ok("published")
}

async fn invalid(_: Context, _: Event) -> Result<Envelope, ToolError> {
    Ok(Envelope::new("", "/p", "t"))
}

fn function() -> Function {
    Function::new("reacting")
        .on("org.example.multiply", multiply)
        .on("org.example.echo", echo)
        .on("org.example.invalid", invalid)
        .tool("publish", "", publish)
}

async fn with_sink(status: StatusCode) -> (Running, Taken) {
    let (sink, taken) = answering(status).await;
    let settings = Settings {
        sink: Some(sink),
        overrides: vec![
            ("region".to_owned(), "eu".to_owned()),
            ("pooltoken".to_owned(), "secret".to_owned()),
        ],
        ..Settings::default()
    };
    (start(function(), settings).await, taken)
}

fn delivered(ty: &str) -> Envelope {
    Envelope::new("e1", "/s", ty)
        .with_extension(task::TASK_ID, "t1")
        .with_extension(task::ATTEMPT_TOKEN, "0123abcd")
        .with_extension(task::TRACEPARENT, TRACE)
}

fn multiplied(count: &str) -> Envelope {
    let mut event = delivered("org.example.multiply");
    event.subject = Some(count.to_owned());
    event
}

#[tokio::test]
async fn the_last_event_is_the_reply_and_those_before_it_are_stored_first() {
    let (function, taken) = with_sink(StatusCode::ACCEPTED).await;
    let answer = function.deliver(multiplied("3")).await;
    let reply = answer.event();
    assert_eq!(
        (reply.id.as_str(), &answer.data()),
        ("t1/event/2", &json!(2))
    );
    assert_eq!(reply.source, "/pools/reacting");
    assert!(reply.extension(task::ATTEMPT_TOKEN).is_none());
    let sent = taken.lock().unwrap().clone();
    let ids: Vec<_> = sent.iter().map(|event| event.id.as_str()).collect();
    assert_eq!(ids, ["t1/event/0", "t1/event/1"]);
    for event in &sent {
        let value = |name| event.extension(name).unwrap().into_owned();
        assert_eq!(value(task::TASK_ID), "t1");
        assert_eq!(value(task::ATTEMPT_TOKEN), "0123abcd");
        assert_eq!(value(task::TRACEPARENT)[..36], TRACE[..36]);
        assert_eq!(value("region"), "eu");
        assert!(event.extension("pooltoken").is_none());
    }
    // The same in another attempt, so that a repetition is known.
    let again = function.deliver(multiplied("3")).await.event();
    assert_eq!(again.id, reply.id);
    assert_eq!(taken.lock().unwrap()[2].id, sent[0].id);
}

#[tokio::test]
async fn none_and_one_need_no_sink_and_several_do() {
    let function = start(function(), Settings::default()).await;
    assert_eq!(function.deliver(multiplied("0")).await.status, 204);
    assert_eq!(function.deliver(multiplied("1")).await.data(), json!(0));
    let answer = function.deliver(multiplied("2")).await;
    assert_eq!(answer.status, 500);
    assert!(answer.words().contains("K_SINK"), "{}", answer.words());
}

#[tokio::test]
async fn what_the_sink_does_not_take_fails_the_reaction() {
    for (status, answered) in [
        (StatusCode::SERVICE_UNAVAILABLE, 503),
        (StatusCode::TOO_MANY_REQUESTS, 503),
        (StatusCode::FORBIDDEN, 500),
    ] {
        let (function, taken) = with_sink(status).await;
        let answer = function.deliver(multiplied("3")).await;
        assert_eq!(answer.status, answered, "{}", answer.words());
        assert_eq!(taken.lock().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_tool_sends_events_too() {
    let (function, taken) = with_sink(StatusCode::ACCEPTED).await;
    assert_eq!(
        function.call("publish", json!({})).await.text(),
        "published"
    );
    let sent = taken.lock().unwrap().remove(0);
    assert_eq!(sent.ty, "org.example.published");
    let alone = start(self::function(), Settings::default()).await;
    let failed = alone.call("publish", json!({})).await.failed();
    assert!(failed.error.message.contains("K_SINK"));
}

#[tokio::test]
async fn an_event_passes_to_the_letter_in_both_modes() {
    let (function, _) = with_sink(StatusCode::ACCEPTED).await;
    let mut event = Envelope::new("é 1", "/s", "org.example.echo")
        .with_extension("note", "zwölf Mäuse, 100% \"wach\"");
    event.time = Some("2018-04-05T19:31:00.123456789012+02:00".to_owned());
    event.dataschema = Some("HTTPS://Example.com/s".to_owned());
    event.datacontenttype = Some("application/octet-stream".to_owned());
    event.data = Some(vec![0, 255, 10].into());
    let binary = function.deliver(event.clone()).await;
    assert_eq!(binary.event(), event);
    let (headers, body) = http_binding::write_structured(&event);
    let structured = function.send(Method::POST, "/", headers, body).await;
    assert_eq!(structured.event(), event);

    // More than headers hold, and a payload that is an event itself.
    let large = event.clone().with_extension("note", "ü".repeat(8_000));
    let mut nested = event.with_json(r#"{"specversion":"1.0","id":"2","source":"/x","type":"y"}"#);
    nested.datacontenttype = Some("application/cloudevents+json".to_owned());
    for event in [large, nested] {
        let (headers, body) = http_binding::write(event.clone());
        let answer = function.send(Method::POST, "/", headers, body).await;
        assert_eq!(answer.event(), event);
    }
}

#[tokio::test]
async fn the_sdks_type_has_all_attributes_and_the_datas_bytes() {
    type Seen = Arc<Mutex<Vec<Event>>>;
    let seen = Seen::default();
    let into = Arc::clone(&seen);
    let function = Function::new("seeing").on("", move |_: Context, event: Event| {
        into.lock().unwrap().push(event);
        async { Ok(()) }
    });
    let manifest = Manifest::parse(&serde_json::to_vec(&function.manifest().unwrap()).unwrap());
    assert!(manifest.unwrap().tools.is_empty());
    let function = start(function, Settings::default()).await;
    let answer = function
        .deliver(delivered("any").with_json("{ \"a\": 1.0 }"))
        .await;
    assert_eq!(answer.status, 204);
    let event = seen.lock().unwrap().remove(0);
    assert_eq!((event.id(), event.ty()), ("e1", "any"));
    assert_eq!(event.datacontenttype(), Some("application/json"));
    assert!(event.extension(task::ATTEMPT_TOKEN).is_none());
    let data = event.data().cloned().unwrap();
    assert_eq!(data, Data::Binary(b"{ \"a\": 1.0 }".to_vec()));
    assert_eq!(Value::try_from(data).unwrap(), json!({"a": 1.0}));
}

#[tokio::test]
async fn an_event_that_is_not_valid_is_the_functions_fault() {
    let (function, _) = with_sink(StatusCode::ACCEPTED).await;
    let answer: Answer = function.deliver(delivered("org.example.invalid")).await;
    assert_eq!(answer.status, 500);
    assert!(answer.words().contains("`id`"), "{}", answer.words());
    let unknown = function.deliver(delivered("org.example.other")).await;
    assert_eq!(unknown.status, 422);
}
