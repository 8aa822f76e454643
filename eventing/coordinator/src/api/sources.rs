//! `GET /sources` and `POST /webhooks/{webhook}`: what makes events here, and its door for those that
//! come over HTTP.
//!
//! The senders of webhooks know no token of the platform: each webhook's own proof lets them in.
//! It is checked before anything of the body is read.

use axum::extract::{FromRequest as _, Request, State};
use axum::http::StatusCode;
use axum::response::{Json, Response};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::operation::{Content, Operation, Tag, get, post};
use super::payload::Payload;
use super::problem::{Kind, Problem};
use super::segment::Segment;
use super::{Api, examples, ingress};
use crate::sources::Served;

/// The answer of `GET /sources`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct SourcePage {
    /// All event sources, by name.
    pub sources: Vec<SourceView>,
}

/// An event source as people see it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceView {
    /// The document's `metadata.name`.
    pub name: String,
    /// `github`, `webhook` or `schedule`.
    pub kind: String,
    /// Where a webhook's requests go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// A schedule's cron expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// Whose clock a schedule means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// When a schedule's next event is due, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_run: Option<String>,
    /// How many of its events were taken since the platform started.
    pub events: u64,
    /// The last of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_event: Option<SourceEvent>,
    /// What went wrong last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<SourceError>,
}

/// An event of a source.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct SourceEvent {
    /// The event's `id`.
    pub id: String,
    /// When it was taken, RFC 3339.
    pub at: String,
}

/// What went wrong at a source.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct SourceError {
    /// What happened, why, what to do next.
    pub detail: String,
    /// When, RFC 3339.
    pub at: String,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        get("/sources", list)
            .named(
                Tag::Events,
                "listSources",
                "List the event sources",
                "Webhooks and schedules, by name, and how each has fared since the platform \
                 started.",
            )
            .answers(
                StatusCode::OK,
                "The sources.",
                Content::json(examples::source_page()),
            ),
        post("/webhooks/{webhook}", accept)
            .open()
            .named(
                Tag::Events,
                "sendWebhook",
                "Send a webhook",
                "Makes an event of the request, as the event source of this name says. The sender \
                 proves itself as that source asks: by a signature of the body, as GitHub's, or by \
                 a secret; no bearer token of the platform is asked for.",
            )
            .takes(
                "What the sender sends; for GitHub, JSON.",
                vec![Content::opaque("*/*", None)],
            )
            .answers(
                StatusCode::ACCEPTED,
                "The event is stored.",
                Content::json(examples::receipt()),
            )
            .problems(&[
                Kind::UnknownWebhook,
                Kind::WebhookBroken,
                Kind::ProofMissing,
                Kind::ProofWrong,
                Kind::InvalidWebhook,
                Kind::Unmapped,
                Kind::Backlog,
                Kind::DiskFull,
                Kind::Stopping,
                Kind::Unavailable,
            ]),
    ]
}

pub(super) async fn list(State(api): State<Api>) -> Json<SourcePage> {
    let sources = api.coordinator.sources().all();
    Json(SourcePage {
        sources: sources.iter().map(|served| view(served)).collect(),
    })
}

fn view(served: &Served) -> SourceView {
    let log = served.log();
    let schedule = served.schedule();
    let declared = &served.declared;
    let is_webhook = declared.word != "schedule";
    SourceView {
        name: declared.name.clone(),
        kind: declared.word.to_owned(),
        path: is_webhook.then(|| format!("/webhooks/{}", declared.name)),
        schedule: schedule.map(|schedule| schedule.cron.to_string()),
        timezone: schedule.map(|schedule| schedule.zone.to_string()),
        next_run: log.next_run.map(|at| at.to_string()),
        events: log.events,
        last_event: log.last_event.map(|(id, at)| SourceEvent {
            id,
            at: at.to_string(),
        }),
        last_error: log.last_error.map(|(detail, at)| SourceError {
            detail,
            at: at.to_string(),
        }),
    }
}

pub(super) async fn accept(
    State(api): State<Api>,
    Segment(name): Segment,
    request: Request,
) -> Result<Response, Problem> {
    let Some(served) = api.coordinator.sources().get(&name) else {
        return Err(Problem::UnknownWebhook(name));
    };
    let webhook = match served.webhook() {
        Ok(Some(webhook)) => webhook,
        Ok(None) => return Err(Problem::UnknownWebhook(name)),
        Err(why) => return Err(Problem::WebhookBroken(name, why.to_owned())),
    };
    // Nothing is read for a webhook that is not there.
    let headers = request.headers().clone();
    let Payload(body) = Payload::from_request(request, &api).await?;
    let taken = async {
        webhook.proof.check(&headers, &body)?;
        let event = webhook.read(&name, &headers, &body, Timestamp::now())?;
        let id = event.id.clone();
        let response = ingress::store(
            &api,
            ingress::Arrived::One(Box::new(event), ingress::sender(&headers)),
        )
        .await?;
        Ok((id, response))
    };
    match taken.await {
        Ok((id, response)) => {
            served.note_event(&id);
            Ok(response)
        }
        Err(problem) => {
            let problem: Problem = problem;
            tracing::warn!(source = name, error = %problem, "a webhook's request is refused");
            served.note_error(&problem.to_string());
            Err(problem)
        }
    }
}
