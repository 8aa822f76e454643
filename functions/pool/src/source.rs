//! The kinds `EventSource` and Knative's `PingSource`: what makes events.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use dormouse_contract::event::check_name;
use dormouse_source::{
    Cron, Kind, Mapping, Missed, Proof, Reading, Schedule, Source, Webhook, Zone,
};
use serde::Deserialize;
use serde_json::Value;

use crate::API_VERSION;
use crate::document::Metadata;
use crate::field::{Field, Invalid};
use crate::pool::{expect, valid_label};
use crate::secret::{self, SecretSource};

/// The `kind` of an event source.
pub const SOURCE_KIND: &str = "EventSource";

/// The `kind` of Knative's schedule, and its `apiVersion`.
pub(crate) const PING_KIND: &str = "PingSource";
const PING_VERSION: &str = "sources.knative.dev/v1";

/// The type of a PingSource's events (Knative Eventing).
const PING_TYPE: &str = "dev.knative.sources.ping";

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// A source of a file, its secrets not looked up yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredSource {
    /// The source.
    pub source: Source<SecretSource>,
    not_honoured: Vec<String>,
}

impl DeclaredSource {
    /// The fields of the file that have no effect here, each as `field: why`.
    #[must_use]
    pub fn not_honoured_locally(&self) -> &[String] {
        &self.not_honoured
    }
}

/// A document of either kind.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SourceDocument<S> {
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: S,
}

/// Exactly one of these.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct EventSourceSpec {
    github: Option<GithubSpec>,
    webhook: Option<WebhookSpec>,
    schedule: Option<ScheduleSpec>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GithubSpec {
    secret: Option<SecretSource>,
    #[serde(default)]
    unsigned: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WebhookSpec {
    proof: Option<Proof<SecretSource>>,
    event: Mapping,
}

/// In Knative's names, as far as it has them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ScheduleSpec {
    schedule: Cron,
    #[serde(default)]
    timezone: Zone,
    #[serde(default)]
    missed: Missed,
    #[serde(rename = "type")]
    ty: String,
    source: Option<String>,
    subject: Option<String>,
    #[serde(default)]
    extensions: BTreeMap<String, String>,
    content_type: Option<String>,
    data: Option<Value>,
    data_base64: Option<String>,
}

/// Knative's `PingSourceSpec`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PingSpec {
    schedule: Option<Cron>,
    #[serde(default)]
    timezone: Zone,
    content_type: Option<String>,
    data: Option<String>,
    data_base64: Option<String>,
    #[serde(default)]
    ce_overrides: Overrides,
    sink: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Overrides {
    #[serde(default)]
    extensions: BTreeMap<String, String>,
}

const NO_NAMESPACE: &str = "metadata.namespace: there are none outside a cluster";

impl SourceDocument<EventSourceSpec> {
    pub(crate) fn check(self) -> Result<DeclaredSource, Invalid> {
        expect("apiVersion", &self.api_version, API_VERSION)?;
        expect("kind", &self.kind, SOURCE_KIND)?;
        let name = valid_label(self.metadata.name, "source")?;
        let spec = Field::of(&["spec"]);
        let kind = match (self.spec.github, self.spec.webhook, self.spec.schedule) {
            (Some(github), None, None) => Kind::Webhook(github.check(&spec.key("github"))?),
            (None, Some(webhook), None) => Kind::Webhook(webhook.check(&spec.key("webhook"))?),
            (None, None, Some(schedule)) => {
                Kind::Schedule(Box::new(schedule.check(&name, &spec.key("schedule"))?))
            }
            _ => {
                return Err(
                    spec.invalid("has to hold exactly one of `github`, `webhook` and `schedule`")
                );
            }
        };
        let not_honoured = self.metadata.namespace.map(|_| NO_NAMESPACE.to_owned());
        Ok(DeclaredSource {
            source: Source { name, kind },
            not_honoured: not_honoured.into_iter().collect(),
        })
    }
}

impl GithubSpec {
    fn check(self, field: &Field) -> Result<Webhook<SecretSource>, Invalid> {
        let proof = match (self.secret, self.unsigned) {
            (Some(secret), false) => {
                let field = field.clone().key("secret");
                Proof::github(secret).with_secret(|secret| secret::check(secret, &field))?
            }
            (None, true) => Proof::None,
            (Some(_), true) => {
                return Err(field
                    .clone()
                    .key("unsigned")
                    .invalid("would make `secret` useless: keep one of them"));
            }
            (None, false) => {
                return Err(field.clone().key("secret").invalid(
                    "is missing, by which GitHub signs what it sends: write `secret: \
                     {secretKeyRef: {name: github, key: webhook}}`, or `unsigned: true` where \
                     anybody may send",
                ));
            }
        };
        Ok(Webhook {
            proof,
            reading: Reading::Github,
        })
    }
}

impl WebhookSpec {
    fn check(self, field: &Field) -> Result<Webhook<SecretSource>, Invalid> {
        let proof_field = field.clone().key("proof");
        let Some(proof) = self.proof else {
            return Err(proof_field.invalid(
                "is missing: say how a sender proves itself (`hmac`, `token`, `bearer` or \
                 `basic`), or `none` where anybody may send",
            ));
        };
        let event = field.clone().key("event");
        check_extensions(self.event.extensions.keys(), &event)?;
        Ok(Webhook {
            proof: proof.with_secret(|secret| secret::check(secret, &proof_field))?,
            reading: Reading::Mapped(Box::new(self.event)),
        })
    }
}

impl ScheduleSpec {
    fn check(self, name: &str, field: &Field) -> Result<Schedule, Invalid> {
        if self.ty.starts_with("dev.dormouse.") {
            return Err(field.clone().key("type").invalid(
                "`dev.dormouse.` starts the platform's own types: choose another, such as \
                 `com.example.nightly`",
            ));
        }
        let payload = Payload {
            content_type: self.content_type,
            data: self.data,
            base64: self.data_base64,
        };
        let (content_type, data) = payload.check(field)?;
        let schedule = Schedule {
            cron: self.schedule,
            zone: self.timezone,
            missed: self.missed,
            ty: self.ty,
            source: self.source.unwrap_or_else(|| format!("/sources/{name}")),
            subject: self.subject,
            extensions: self.extensions,
            content_type,
            data,
        };
        check_schedule(schedule, field, field)
    }
}

impl SourceDocument<PingSpec> {
    pub(crate) fn check(self) -> Result<DeclaredSource, Invalid> {
        expect("apiVersion", &self.api_version, PING_VERSION)?;
        expect("kind", &self.kind, PING_KIND)?;
        let name = valid_label(self.metadata.name, "source")?;
        let field = Field::of(&["spec"]);
        let spec = self.spec;
        let namespace = self.metadata.namespace.as_deref().unwrap_or("default");
        let cron = match spec.schedule {
            Some(cron) => cron,
            None => "* * * * *"
                .parse()
                .map_err(|error| field.clone().key("schedule").invalid(format!("{error}")))?,
        };
        let payload = Payload {
            content_type: spec.content_type,
            data: spec.data.map(Value::String),
            base64: spec.data_base64,
        };
        let (content_type, data) = payload.check(&field)?;
        let schedule = Schedule {
            cron,
            zone: spec.timezone,
            // Knative's runs are gone when nobody was there.
            missed: Missed::Skip,
            ty: PING_TYPE.to_owned(),
            source: format!("/apis/v1/namespaces/{namespace}/pingsources/{name}"),
            subject: None,
            extensions: spec.ce_overrides.extensions,
            content_type,
            data,
        };
        let schedule = check_schedule(schedule, &field, &field.clone().key("ceOverrides"))?;
        let sink = spec
            .sink
            .map(|_| "spec.sink: the pools' triggers decide who takes its events".to_owned());
        Ok(DeclaredSource {
            source: Source {
                name,
                kind: Kind::Schedule(Box::new(schedule)),
            },
            not_honoured: sink.into_iter().collect(),
        })
    }
}

/// What an event carries, as it is written.
struct Payload {
    content_type: Option<String>,
    data: Option<Value>,
    base64: Option<String>,
}

impl Payload {
    /// A text stays as it is, anything else is JSON.
    fn check(self, field: &Field) -> Result<(Option<String>, Option<Bytes>), Invalid> {
        let invalid = |key: &str, why: &str| Err(field.clone().key(key).invalid(why));
        let may_be_json = self.content_type.as_deref().is_none_or(is_json);
        let (data, default) = match (self.data, self.base64) {
            (Some(_), Some(_)) => {
                return invalid("data", "is there, and `dataBase64` too: keep one of them");
            }
            (Some(Value::String(text)), None) => (Bytes::from(text), TEXT),
            (Some(_), None) if !may_be_json => {
                return invalid(
                    "data",
                    "is no text, but `contentType` is not JSON: quote it",
                );
            }
            (Some(value), None) => (Bytes::from(value.to_string()), JSON),
            (None, Some(text)) => match BASE64.decode(&text) {
                Ok(bytes) => (Bytes::from(bytes), "application/octet-stream"),
                Err(_) => return invalid("dataBase64", "is no base64 (RFC 4648)"),
            },
            (None, None) if self.content_type.is_some() => {
                return invalid(
                    "contentType",
                    "says what nothing is: add `data`, or remove it",
                );
            }
            (None, None) => return Ok((None, None)),
        };
        let says_json = self.content_type.as_deref().is_some_and(is_json);
        if says_json && serde_json::from_slice::<&serde_json::value::RawValue>(&data).is_err() {
            return invalid("data", "is no JSON, but `contentType` says so");
        }
        let media = self.content_type.unwrap_or_else(|| default.to_owned());
        Ok((Some(media), Some(data)))
    }
}

/// `application/json`, `*/json` and `*/*+json`, in any case and with parameters.
fn is_json(media: &str) -> bool {
    let essence = media.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    essence.ends_with("/json") || essence.ends_with("+json")
}

/// Checks what a schedule's events will be by making one.
fn check_schedule(
    schedule: Schedule,
    field: &Field,
    extensions: &Field,
) -> Result<Schedule, Invalid> {
    check_extensions(schedule.extensions.keys(), extensions)?;
    let event = schedule.event("check", jiff::Timestamp::UNIX_EPOCH);
    match event.validate() {
        Ok(()) => Ok(schedule),
        Err(error) => Err(field
            .clone()
            .invalid(format!("its events would not be valid: {error}"))),
    }
}

fn check_extensions<'a>(
    names: impl Iterator<Item = &'a String>,
    field: &Field,
) -> Result<(), Invalid> {
    for name in names {
        check_name(name).map_err(|error| {
            let field = field.clone().key("extensions").key(name);
            field.invalid(error.to_string())
        })?;
    }
    Ok(())
}
