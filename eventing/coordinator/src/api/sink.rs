//! The sink of a pool, `POST /pools/{pool}/events`: what its functions send besides their replies
//! (their `K_SINK`).
//!
//! Progress is passed on, steps are committed before the 202, announcements are told to whoever
//! listens, and any other event goes the way of all events; only those may come in batches. Whoever sends proves itself by a token
//! in the event: its running attempt's, or, outside a task, the pool's.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::HeaderMap;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use dormouse_broker::{AttemptToken, Stepped as Taken, TaskId};
use dormouse_contract::Manifest;
use dormouse_contract::announcement::{
    Announcement, CAPABILITIES_CHANGED, RESOURCE_UPDATED, ResourceUpdated,
};
use dormouse_contract::event::Event;
use dormouse_contract::http_binding::{self, Received};
use dormouse_contract::suspension::{Stepped, is_name};
use dormouse_contract::task::{
    ATTEMPT_TOKEN, POOL_TOKEN, PROGRESSED, Progressed, STEPPED, TASK_ID,
};

use super::Api;
use super::ingress::{self, Arrived};
use super::payload::Payload;
use super::problem::Problem;
use super::segment::Segment;
use crate::publish::Sender;

pub(super) async fn accept(
    State(api): State<Api>,
    Segment(pool): Segment,
    headers: HeaderMap,
    Payload(body): Payload,
) -> Result<Response, Problem> {
    match http_binding::read_many(&headers, body)? {
        Received::One(event) => accept_one(&api, pool, &headers, event).await,
        Received::Batch(events) => {
            let prove = |event| match sender(&api, &pool, &event, &headers) {
                None => Err(Problem::Unproven),
                Some(_) if event.is_platform() => Err(Problem::NotInBatch(event.ty)),
                Some(sender) => Ok((event, sender)),
            };
            let events = events.into_iter().map(prove).collect::<Result<_, _>>()?;
            ingress::store(&api, Arrived::Batch(events)).await
        }
    }
}

async fn accept_one(
    api: &Api,
    pool: String,
    headers: &HeaderMap,
    event: Box<Event>,
) -> Result<Response, Problem> {
    match event.ty.as_str() {
        PROGRESSED => return pass_progress(api, &event),
        STEPPED => return commit_step(api, &event).await,
        _ => {}
    }
    let sender = sender(api, &pool, &event, headers).ok_or(Problem::Unproven)?;
    match event.ty.as_str() {
        RESOURCE_UPDATED => announce(api, &pool, &event),
        CAPABILITIES_CHANGED => replace_manifest(api, pool, &event),
        _ if event.is_platform() => Err(Problem::PlatformEvent(event.ty)),
        _ => ingress::store(api, Arrived::One(event, sender)).await,
    }
}

fn pass_progress(api: &Api, event: &Event) -> Result<Response, Problem> {
    let (task, token) = attempt_of(event).ok_or(Problem::Unproven)?;
    let data = event.data.clone().unwrap_or_default();
    let notification = notification_in(&data)?;
    let broker = api.coordinator.broker();
    match broker.progress(task, token, &notification) {
        true => Ok(StatusCode::ACCEPTED.into_response()),
        false => Err(Problem::NotRunning),
    }
}

/// The notification to the letter, without copying it.
fn notification_in(data: &Bytes) -> Result<Bytes, Problem> {
    let progressed: Progressed<'_> =
        serde_json::from_slice(data).map_err(|error| Problem::Progress(error.to_string()))?;
    Ok(data.slice_ref(progressed.notification.get().as_bytes()))
}

async fn commit_step(api: &Api, event: &Event) -> Result<Response, Problem> {
    let (task, token) = attempt_of(event).ok_or(Problem::Unproven)?;
    let data = event.data.clone().unwrap_or_default();
    let (step, result) = step_in(&data)?;
    match api
        .coordinator
        .broker()
        .step(task, token, &step, result)
        .await?
    {
        Taken::Stored | Taken::Known => Ok(StatusCode::ACCEPTED.into_response()),
        Taken::Different => Err(Problem::StepDiffers(step)),
        Taken::NotKept => Err(Problem::StepNotKept(step)),
        Taken::TooMuch => Err(Problem::TooManySteps(step)),
        Taken::NotRunning => Err(Problem::StepNotRunning(step)),
    }
}

/// The step's name, and its result to the letter.
fn step_in(data: &Bytes) -> Result<(String, Bytes), Problem> {
    let stepped: Stepped<'_> =
        serde_json::from_slice(data).map_err(|error| Problem::Step(error.to_string()))?;
    if !is_name(&stepped.step) {
        let name = stepped.step.escape_debug();
        return Err(Problem::Step(format!(
            "`{name}` names no step: names hold 1 to 128 bytes of visible ASCII"
        )));
    }
    let result = data.slice_ref(stepped.result.get().as_bytes());
    Ok((stepped.step.into_owned(), result))
}

fn announce(api: &Api, pool: &str, event: &Event) -> Result<Response, Problem> {
    let data = event.data.as_deref().unwrap_or_default();
    let updated: ResourceUpdated =
        serde_json::from_slice(data).map_err(|error| Problem::Resource(error.to_string()))?;
    api.coordinator.announce(Announcement {
        pool: pool.into(),
        uri: updated.uri.into(),
    });
    Ok(StatusCode::ACCEPTED.into_response())
}

fn replace_manifest(api: &Api, pool: String, event: &Event) -> Result<Response, Problem> {
    let data = event.data.as_deref().unwrap_or_default();
    let manifest = Manifest::parse(data)?;
    match api.coordinator.replace_manifest(&pool, manifest) {
        true => {
            tracing::info!(pool, "the function offers something else now");
            Ok(StatusCode::ACCEPTED.into_response())
        }
        false => Err(Problem::UnknownPool(pool)),
    }
}

/// Who sends: the running attempt whose token is in the event, or the pool; `None`: nobody proves it.
fn sender(api: &Api, pool: &str, event: &Event, headers: &HeaderMap) -> Option<Sender> {
    let outside = ingress::sender(headers);
    if let Some((task, token)) = attempt_of(event)
        && let Some(attempt) = api.coordinator.broker().attempt(task, token)
        && *attempt.pool == *pool
    {
        return Some(Sender {
            cause: Some(task),
            way: Some(attempt.way.through(pool)),
            is_function: true,
            ..outside
        });
    }
    let token = event.extension(POOL_TOKEN)?;
    let is_pools = api.coordinator.pool_token_matches(pool, &token);
    is_pools.then_some(Sender {
        is_function: true,
        ..outside
    })
}

fn attempt_of(event: &Event) -> Option<(TaskId, AttemptToken)> {
    let task = event.extension(TASK_ID)?.parse().ok()?;
    let token = event.extension(ATTEMPT_TOKEN)?.parse().ok()?;
    Some((task, token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_is_passed_on_to_the_letter() {
        let data = Bytes::from_static(
            br#"{"seq":1,"notification":{ "method":"notifications/progress", "params":{"progress":1.0}}}"#,
        );
        assert_eq!(
            notification_in(&data).unwrap(),
            r#"{ "method":"notifications/progress", "params":{"progress":1.0}}"#
        );
        for broken in ["", "[]", r#"{"seq":1}"#] {
            assert!(notification_in(&Bytes::from(broken)).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_step_keeps_its_result_to_the_letter() {
        let data = Bytes::from_static(br#"{"step":"charge","result":{ "id":1.0 }}"#);
        let (step, result) = step_in(&data).unwrap();
        assert_eq!((&*step, &result[..]), ("charge", &br#"{ "id":1.0 }"#[..]));
        for broken in ["", "[]", r#"{"step":"a"}"#, r#"{"step":"a b","result":1}"#] {
            assert!(step_in(&Bytes::from(broken)).is_err(), "{broken}");
        }
    }
}
