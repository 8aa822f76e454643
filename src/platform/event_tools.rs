//! The built-in pool `.events`: the tool `wait_for_event`, by which an agent sleeps until something
//! happens.
//!
//! It is a function like any other, but for being called inside of this process: its calls are
//! tasks of the broker, which sleep as rows of the store and survive every restart.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use dormouse_broker::{Broker, State, TaskFilter};
use dormouse_contract::Manifest;
use dormouse_contract::http_binding;
use dormouse_contract::policy::Delivery;
use dormouse_contract::registration::{CallError, Instances, QUEUE_LIMIT, Registration};
use dormouse_coordinator::{Coordinator, PoolSecrets, PoolService};
use dormouse_function::{
    Arrival, Content, Context, Filter, Function, InProcess, Settings, Tool, ToolError, ToolResult,
};
use http_body_util::{BodyExt as _, Full};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::secret;

/// The pool's name: none that an AgentPool can have.
const POOL: &str = ".events";

/// How many of its calls are set down or answered at the same time; those that wait take no slot.
const SLOTS: usize = 16;

/// The largest filter, in bytes of JSON: each event may be tried with it.
const LARGEST_FILTER: usize = 16 << 10;

/// Registers the pool if its tools are to be offered; without `is_offered` only to finish calls
/// that are asleep from an earlier start.
pub(super) async fn register(coordinator: &Coordinator, is_offered: bool) -> anyhow::Result<()> {
    if !is_offered && !has_calls(coordinator.broker()).await? {
        return Ok(());
    }
    let function = function();
    let mut manifest = function.manifest()?;
    if !is_offered {
        manifest.tools.clear();
    }
    let function = function.in_process(Settings::default())?;
    let secrets = PoolSecrets {
        delivery: secret(),
        events: secret(),
    };
    // The receiver keeps the last word of a sender that is gone.
    let (_, instances) = watch::channel(Instances {
        ready: 1,
        ..Instances::default()
    });
    let (registration, service) = (registration(manifest), service(function));
    let registered = coordinator.register(registration, service, secrets, instances);
    registered.await.context("the pool of event tools")
}

async fn has_calls(broker: &Broker) -> anyhow::Result<bool> {
    for state in [State::Accepted, State::Suspended] {
        let filter = TaskFilter {
            pool: Some(POOL.to_owned()),
            state: Some(state),
            limit: Some(1),
            ..TaskFilter::default()
        };
        if !broker.tasks(filter).await?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn registration(manifest: Manifest) -> Registration {
    Registration {
        pool: POOL.into(),
        agent_type: "events".to_owned(),
        revision: env!("CARGO_PKG_VERSION").to_owned(),
        manifest: Arc::new(manifest),
        delivery: Delivery::default(),
        tools: BTreeMap::new(),
        triggers: None,
        slots: SLOTS,
        queue_limit: QUEUE_LIMIT,
    }
}

fn service(function: InProcess) -> PoolService {
    PoolService::new(tower::service_fn(move |request: http::Request<Bytes>| {
        let function = function.clone();
        async move {
            let answer = function.answer(request.map(Full::new)).await;
            let (head, body) = answer.into_parts();
            let body = body
                .collect()
                .await
                .unwrap_or_else(|never: Infallible| match never {});
            Ok::<_, CallError>(http::Response::from_parts(head, body.to_bytes()))
        }
    }))
}

fn function() -> Function {
    let wait = Tool::new(
        "wait_for_event",
        "Wait until an event happens: a push, a payment, a build that ends. Say which by its type, \
         by filters, or by a CloudEvents SQL expression; several together must all hold. Answers \
         with the first event that matches since the call, or after the place in `after`.",
        wait_for_event,
    );
    let wait = wait
        .title("Wait for an event")
        .read_only()
        .open_world(false)
        .with_output_schema(output_schema().to_string());
    Function::new("events").with_tool(wait)
}

/// Which event is waited for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wanted {
    /// Only events of exactly this type, e.g. `com.github.push`.
    #[serde(rename = "type")]
    ty: Option<String>,
    /// Only events for which all of these filters hold, in the words of Knative, e.g.
    /// `{"prefix": {"subject": "orders/"}}`.
    #[serde(default)]
    filters: Vec<Value>,
    /// Only events for which this CloudEvents SQL expression is true, e.g.
    /// `subject LIKE 'orders/%'`.
    cesql: Option<String>,
    /// How long to wait at most. Without it, up to a week.
    #[schemars(range(min = 1, max = 604_800))]
    timeout_seconds: Option<u32>,
    /// Only events behind this place in the log: the `seq` of the last event that is known. 0 for
    /// all that the log still has.
    after: Option<u64>,
}

impl Wanted {
    /// What must hold.
    ///
    /// # Errors
    /// In words for a model.
    fn filter(&self) -> Result<Filter, ToolError> {
        let mut all = self.filters.clone();
        all.extend(self.ty.iter().map(|ty| json!({"exact": {"type": ty}})));
        all.extend(self.cesql.iter().map(|cesql| json!({"cesql": cesql})));
        if all.is_empty() {
            return Err(ToolError::caller(
                "It is not said which event is waited for: give `type`, `filters` or `cesql`.",
            ));
        }
        let all = Value::from(all).to_string();
        if all.len() > LARGEST_FILTER {
            return Err(ToolError::caller(format!(
                "The filters have {} bytes: at most {LARGEST_FILTER} are allowed.",
                all.len()
            )));
        }
        let all = serde_json::from_str(&all)
            .map_err(|error| ToolError::caller(format!("The filters cannot be read: {error}.")))?;
        Ok(Filter::All(all))
    }
}

async fn wait_for_event(cx: Context, wanted: Wanted) -> Result<ToolResult, ToolError> {
    let filter = wanted.filter()?;
    if let Some(after) = wanted.after {
        cx.events_after(after);
    }
    let Some(seconds) = wanted.timeout_seconds else {
        return happened(&cx.event("event", filter).await?);
    };
    let timeout = Duration::from_secs(seconds.into());
    match cx.event_within("event", filter, timeout).await? {
        Some(arrival) => happened(&arrival),
        None => Ok(ToolResult {
            structured_content: Some(to_raw_value(&json!({"happened": false}))?),
            ..ToolResult::text(format!(
                "Nothing that matches happened within {seconds} s. Call again to wait longer."
            ))
        }),
    }
}

fn happened(arrival: &Arrival) -> Result<ToolResult, ToolError> {
    let (_, event) = http_binding::write_structured(&arrival.event);
    let event: &RawValue = serde_json::from_slice(&event)?;
    let content = to_raw_value(&json!({"happened": true, "seq": arrival.seq, "event": event}))?;
    Ok(ToolResult {
        content: vec![Content::text(content.get())],
        structured_content: Some(content),
        ..ToolResult::default()
    })
}

fn output_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "happened": {"type": "boolean", "description": "Whether an event came in time."},
            "seq": {"type": "integer", "description": "Its place in the log, for `after`."},
            "event": {"type": "object", "description": "It, in the CloudEvents JSON format."},
        },
        "required": ["happened"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(arguments: Value) -> Wanted {
        serde_json::from_value(arguments).unwrap()
    }

    #[tokio::test]
    async fn the_tool_answers_with_the_event_or_in_words() {
        let event =
            json!({"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "data": 5});
        let cx = Context::rehearsed([("event", json!({"seq": 7, "event": event}))]);
        let result = wait_for_event(cx, wanted(json!({"type": "t"})))
            .await
            .unwrap();
        let content: Value =
            serde_json::from_str(result.structured_content.unwrap().get()).unwrap();
        assert_eq!(
            (&content["seq"], &content["event"]["data"]),
            (&json!(7), &json!(5))
        );

        let cx = Context::rehearsed([("event", json!({"timedOut": true}))]);
        let waits = wanted(json!({"type": "t", "timeoutSeconds": 3}));
        let result = wait_for_event(cx, waits).await.unwrap();
        let content = result.structured_content.unwrap();
        assert_eq!(content.get(), r#"{"happened":false}"#);
    }

    #[test]
    fn it_must_be_said_which_event() {
        for (arguments, said) in [
            (json!({}), "which event"),
            (json!({"filters": [{"exactly": {}}]}), "`exactly`"),
            (json!({"type": "x".repeat(LARGEST_FILTER)}), "at most"),
        ] {
            let refused = wanted(arguments).filter().unwrap_err();
            assert!(refused.to_string().contains(said), "{refused}");
        }
        let all = json!({"type": "t", "filters": [{"prefix": {"subject": "s"}}]});
        let Filter::All(all) = wanted(all).filter().unwrap() else {
            panic!("all must hold");
        };
        assert_eq!(all.len(), 2);
    }
}
