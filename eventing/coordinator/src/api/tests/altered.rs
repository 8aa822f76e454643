//! Requests that were valid until something happened to them. Each is taken as a strict reading of
//! the HTTP binding has it, and stored so, or refused with the status and in the words of the
//! document; then nothing is stored.

mod binary;
mod request;
mod structured;

#[path = "../../../../contract/tests/binding/any_event.rs"]
mod any_event;
#[path = "../../../../contract/tests/binding/damaged.rs"]
mod damaged;

use std::sync::atomic::{AtomicUsize, Ordering};

use dormouse_broker::{EventFilter, Seq};
use dormouse_contract::Event;
use dormouse_contract::http_binding;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestCaseResult, TestRunner};

use super::*;
use damaged::{Message, any_damage, any_message, apply};

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq)]
enum Fate {
    /// These events are stored, so.
    Taken(Vec<Event>),
    /// This status, and these words in the detail.
    Refused(u16, Vec<String>),
}

impl Fate {
    fn refused(status: u16, named: &str) -> Self {
        Self::Refused(status, vec![named.to_owned()])
    }

    /// It is not valid, because of this attribute.
    fn invalid(attribute: &str) -> Self {
        Self::refused(400, &format!("`{attribute}`"))
    }
}

/// Checks each value at one and the same stage.
fn for_each<S: Strategy>(strategy: S, check: impl AsyncFn(&Stage, S::Value) -> TestCaseResult) {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    let stage = runtime.block_on(Stage::open(10));
    let mut runner = TestRunner::new(Cases {
        cases: 256,
        failure_persistence: None,
        ..Cases::default()
    });
    let tried = runner.run(&strategy, |value| runtime.block_on(check(&stage, value)));
    tried.unwrap_or_else(|error| panic!("{error}"));
}

/// The same event under an id that no other has, so that it is no duplicate.
fn unique(mut event: Event) -> Event {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    event.id.insert_str(0, &format!("{number} "));
    event
}

fn post(message: &Message) -> Option<Request<Body>> {
    let mut request = request(Method::POST, "/events", &[], "");
    request.headers_mut().extend(message.headers()?);
    *request.body_mut() = Body::from(message.body.clone());
    Some(request)
}

/// Sends a request, and holds the answer and the log against its fate.
async fn check(stage: &Stage, request: Request<Body>, fate: Fate) -> TestCaseResult {
    let before = newest(stage).await;
    let answer = stage.ask(request).await;
    let stored = stored_after(stage, before).await;
    match fate {
        Fate::Taken(events) => {
            prop_assert_eq!(answer.status, StatusCode::ACCEPTED, "{:?}", answer.body);
            prop_assert_eq!(stored, events);
        }
        Fate::Refused(status, named) => {
            prop_assert_eq!(stored, []);
            prop_assert_eq!(answer.status.as_u16(), status, "{:?}", answer.body);
            check_problem(&answer, &named)?;
        }
    }
    Ok(())
}

fn check_problem(answer: &Answer, named: &[String]) -> TestCaseResult {
    prop_assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem = answer.json();
    prop_assert_eq!(&problem["status"], answer.status.as_u16());
    let detail = problem["detail"].as_str().unwrap();
    for words in named {
        prop_assert!(detail.contains(words), "{} should name {}", detail, words);
    }
    Ok(())
}

async fn newest(stage: &Stage) -> Option<Seq> {
    let last = EventFilter {
        limit: Some(1),
        ..EventFilter::default()
    };
    let events = stage.broker.events(last).await.unwrap();
    events.first().map(|event| event.seq)
}

async fn stored_after(stage: &Stage, after: Option<Seq>) -> Vec<Event> {
    let filter = EventFilter {
        after,
        ..EventFilter::default()
    };
    let mut events = Vec::new();
    for record in stage.broker.events(filter).await.unwrap().iter().rev() {
        events.push(stage.broker.event(record.seq).await.unwrap().unwrap().event);
    }
    events
}

#[test]
fn what_is_damaged_is_stored_as_it_reads_or_refused_without_a_trace() {
    for_each(
        (any_message(), vec(any_damage(), 0..4)),
        async |stage, (message, damages)| {
            let mut message = message;
            damages
                .into_iter()
                .for_each(|damage| apply(&mut message, damage));
            let Some(request) = post(&message) else {
                return Ok(());
            };
            let read = http_binding::read_many(request.headers(), message.body.into());
            match read {
                Ok(received) => {
                    let mut new: Vec<Event> = Vec::new();
                    for event in received.events() {
                        let is_same =
                            |it: &Event| (&it.source, &it.id) == (&event.source, &event.id);
                        if !new.iter().any(is_same) && !is_known(stage, event).await {
                            new.push(event.clone());
                        }
                    }
                    check(stage, request, Fate::Taken(new)).await
                }
                Err(error) => {
                    let fate = Fate::refused(error.status().as_u16(), &error.to_string());
                    check(stage, request, fate).await
                }
            }
        },
    );
}

/// Whether it would be a duplicate.
async fn is_known(stage: &Stage, event: &Event) -> bool {
    let same = EventFilter {
        source: Some(event.source.clone()),
        id: Some(event.id.clone()),
        ..EventFilter::default()
    };
    !stage.broker.events(same).await.unwrap().is_empty()
}
