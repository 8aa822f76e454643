//! Broker mode: what functions send goes on to a Broker of Knative, too.
//!
//! It goes the way of dead letters to sinks outside: as a task of the pool [`SINKS`], stored in the
//! commit that takes the event, so it gets there however often either side stops. The event keeps
//! its source and id, so when the Broker's Trigger brings it back it is known and dropped; and it
//! says how many pools it came through, so that a loop by way of the Broker ends as any other.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use dormouse_broker::{Route, SINKS};
use dormouse_contract::policy::Delivery;
use reqwest::Url;

use crate::routes::QUEUE_EXPIRY;

/// What the tasks that pass events on are said to come by.
const TRIGGER: &str = "broker";

/// With the default backoff the last of so many retries comes after an hour and a half: a Broker may
/// be away for longer than a function.
const RETRIES: u32 = 10;

/// How long the Broker may take to store an event.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Where a Broker of Knative takes events: its `status.address.url`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerUrl(Url);

/// Something that is no address of a Broker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no address of a Broker: write its `status.address.url`, http://HOST/NAMESPACE/NAME"
)]
pub struct NoBrokerUrl(String);

impl FromStr for BrokerUrl {
    type Err = NoBrokerUrl;

    fn from_str(text: &str) -> Result<Self, NoBrokerUrl> {
        let wrong = || NoBrokerUrl(text.escape_debug().to_string());
        let url = Url::parse(text).map_err(|_| wrong())?;
        let is_http = matches!(url.scheme(), "http" | "https");
        let is_bare = url.username().is_empty() && url.password().is_none();
        match is_http && is_bare && url.query().is_none() && url.fragment().is_none() {
            true => Ok(Self(url)),
            false => Err(wrong()),
        }
    }
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// The route to a Broker.
pub(crate) fn route(broker: &BrokerUrl) -> Route {
    Route {
        pool: SINKS.into(),
        capability: Some(broker.to_string().into()),
        trigger: TRIGGER.into(),
        ordered: false,
        delivery: Arc::new(Delivery {
            timeout: TIMEOUT,
            retries: RETRIES,
            // It knows an event again by its source and id.
            repeatable: true,
            queue_expiry: QUEUE_EXPIRY,
            ..Delivery::default()
        }),
    }
}

#[cfg(test)]
mod tests {
    use axum::extract::Request;
    use bytes::Bytes;
    use dormouse_broker::{Broker, Config, TaskId, Way};
    use dormouse_contract::Event;
    use dormouse_contract::task::{ATTEMPT_TOKEN, TASK_ID};
    use http::request::Parts;
    use tokio::sync::mpsc;

    use super::*;
    use crate::publish::Sender;
    use crate::registry::{Coordinator, Settings};

    /// Longer than anything here takes, so that a test that hangs fails.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// A Broker that tells what it gets.
    async fn broker() -> (BrokerUrl, mpsc::UnboundedReceiver<(Parts, Bytes)>) {
        let (got, heard) = mpsc::unbounded_channel();
        let ingress = axum::Router::new().fallback(async move |request: Request| {
            let (head, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            got.send((head, body)).unwrap();
            http::StatusCode::ACCEPTED
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/agents/default", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, ingress).await });
        (url.parse().unwrap(), heard)
    }

    async fn coordinator(broker: Option<BrokerUrl>) -> (Coordinator, tempfile::TempDir) {
        let data = tempfile::tempdir().unwrap();
        let store = Broker::open(Config::new(data.path())).unwrap();
        let settings = Settings {
            broker,
            ..Settings::default()
        };
        let coordinator = Coordinator::with(store.clone(), settings);
        coordinator.open_sinks().await.unwrap();
        let (dispatcher, claims) = (coordinator.clone(), store.claims());
        tokio::spawn(async move { dispatcher.dispatch(claims).await });
        (coordinator, data)
    }

    fn event(id: &str) -> Event {
        let event = Event::new(id, "/pools/p", "org.example.done").with_json(&b"{\"n\":1}"[..]);
        event.with_extension("branch", "main")
    }

    fn of_a_function() -> Sender {
        Sender {
            is_function: true,
            cause: Some(TaskId::new()),
            way: Some(Way::default().through("o").through("p")),
            ..Sender::default()
        }
    }

    #[tokio::test]
    async fn what_functions_send_goes_on_and_is_known_when_it_comes_back() {
        let (url, mut heard) = broker().await;
        let (coordinator, _data) = coordinator(Some(url)).await;
        let sent = event("1")
            .with_extension(TASK_ID, "t")
            .with_extension(ATTEMPT_TOKEN, "secret");
        let taken = coordinator.publish(vec![(sent, of_a_function())], None);
        let taken = taken.await.unwrap();
        assert_eq!(&*taken[0].routes[0].trigger, TRIGGER);

        let got = tokio::time::timeout(PATIENCE, heard.recv()).await.unwrap();
        let (head, body) = got.unwrap();
        assert_eq!(
            (head.uri.path(), &body[..]),
            ("/agents/default", &b"{\"n\":1}"[..])
        );
        for (name, value) in [
            ("ce-id", "1"),
            ("ce-source", "/pools/p"),
            ("ce-type", "org.example.done"),
            ("ce-branch", "main"),
            ("ce-dormousehops", "2"),
        ] {
            assert_eq!(head.headers[name], value, "{name}");
        }
        for kept_back in ["ce-attempttoken", "ce-taskid", "dormouse-delivery-secret"] {
            assert!(!head.headers.contains_key(kept_back), "{kept_back}");
        }

        let back = event("1").with_extension("dormousehops", "2");
        let back = coordinator.publish(vec![(back, Sender::default())], None);
        assert!(back.await.unwrap()[0].published.is_duplicate);
        let others = coordinator.publish(vec![(event("2"), Sender::default())], None);
        assert_eq!(others.await.unwrap()[0].routes, []);
    }

    #[tokio::test]
    async fn a_loop_through_the_broker_ends() {
        let (url, _heard) = broker().await;
        let (coordinator, _data) = coordinator(Some(url)).await;
        let mut way = Way::default();
        for _ in 0..40 {
            way = way.through("p");
        }
        let sender = Sender {
            way: Some(way),
            ..of_a_function()
        };
        let taken = coordinator.publish(vec![(event("1"), sender)], None);
        let task = taken.await.unwrap()[0].published.tasks[0];
        let record = coordinator.broker().task(task).await.unwrap().unwrap();
        assert_eq!(record.state, dormouse_broker::State::Failed);
    }

    #[tokio::test]
    async fn without_a_broker_nothing_goes_on() {
        let (coordinator, _data) = coordinator(None).await;
        let taken = coordinator.publish(vec![(event("1"), of_a_function())], None);
        assert_eq!(taken.await.unwrap()[0].routes, []);
    }

    #[test]
    fn an_address_is_absolute_and_holds_no_secret() {
        let good = "http://broker-ingress.knative-eventing.svc.cluster.local/agents/default";
        assert_eq!(good.parse::<BrokerUrl>().unwrap().to_string(), good);
        for bad in [
            "default",
            "ftp://h/a",
            "http://me:x@h/a/b",
            "http://h/a?b=c",
            "http://h/a#b",
        ] {
            let error = bad.parse::<BrokerUrl>().unwrap_err().to_string();
            assert!(error.contains(bad), "{error}");
        }
    }
}
