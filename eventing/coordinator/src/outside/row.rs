//! The row by which an agent that runs elsewhere joins the platform, checked member by member.

use std::collections::BTreeMap;

use dormouse_contract::balance::Balance;
use dormouse_contract::breaker::BreakerSpec;
use dormouse_contract::filter::Trigger;
use dormouse_contract::policy::DeliverySpec;
use dormouse_contract::registration::is_pool_name;
use reqwest::Url;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Where a function of our contract answers probes.
const READINESS: &str = "health/readiness";

/// What `POST /pools` takes. `pool_id` and `endpoint` have to be there; what else is left out
/// stays as an earlier row of the same pool said it, or is the default.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct Row {
    /// The pool: a DNS label (RFC 1123).
    pub pool_id: String,
    /// Where its events are POSTed to: an absolute `http` or `https` URL.
    pub endpoint: String,
    /// What is probed by `GET`: an absolute URL or a path of the endpoint's host. Default:
    /// `health/readiness` below the endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_endpoint: Option<String>,
    /// The mission's agent type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_type: Option<String>,
    /// What the pool is said to be able to do: shown, but offered only as far as the manifest at
    /// `capabilities` below the endpoint describes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Vec<String>>,
    /// Which events are routed to it. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub triggers: Option<Vec<Trigger>>,
    /// Its delivery policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliverySpec>,
    /// Policies of single tools, by declared name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<BTreeMap<String, DeliverySpec>>,
    /// Which of its endpoints takes a call. Default: round-robin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balance: Option<Balance>,
    /// When an endpoint is left alone because deliveries fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breaker: Option<BreakerSpec>,
    /// How many deliveries may be on their way at the same time; the rest queue. Default 50.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<usize>,
    /// What deliveries carry in `dormouse-delivery-secret`, so that the agent believes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_secret: Option<String>,
    /// What events carry in `pooltoken` that the agent sends outside of a task, so that its pool's
    /// sink believes them. Default: it believes none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool_token: Option<String>,
}

/// A member of a row that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WrongField {
    /// Which: a JSON pointer (RFC 6901) into the body, in a URI fragment.
    pub pointer: String,
    /// What is wrong, and what is allowed.
    pub detail: String,
}

impl Row {
    /// The least that a row says.
    pub fn new(pool_id: &str, endpoint: &str) -> Self {
        Self {
            pool_id: pool_id.to_owned(),
            endpoint: endpoint.to_owned(),
            ..Self::default()
        }
    }

    /// Reads a row.
    ///
    /// # Errors
    /// Everything that is wrong with it, at least one thing.
    pub fn parse(json: &[u8]) -> Result<Self, Vec<WrongField>> {
        let mut members = match serde_json::from_slice(json) {
            Ok(Value::Object(members)) => Members::new(members),
            Ok(_) => return Err(vec![wrong("#", "a JSON object is expected")]),
            Err(error) => return Err(vec![wrong("#", error)]),
        };
        let pool_id = members.required("pool_id", pool_name);
        let endpoint = members.required("endpoint", address);
        let health = members.optional("health_endpoint");
        let health_endpoint = endpoint
            .as_ref()
            .and_then(|endpoint| members.health(endpoint, health));
        let agent_type = members.optional("agent_type");
        let capabilities = members.optional("capabilities");
        let triggers = members.optional("triggers");
        let delivery = members.optional("delivery");
        let tools = members.optional("tools");
        let balance = members.optional("balance");
        let breaker = members.optional("breaker");
        let connections = members.checked("connections", connections);
        let delivery_secret = members.checked("delivery_secret", secret);
        let pool_token = members.checked("pool_token", secret);
        members.finish();
        match (pool_id, endpoint, health_endpoint) {
            (Some(pool_id), Some(endpoint), Some(health_endpoint)) if members.wrong.is_empty() => {
                Ok(Self {
                    pool_id,
                    endpoint: endpoint.into(),
                    health_endpoint: Some(health_endpoint.into()),
                    agent_type,
                    capabilities,
                    triggers,
                    delivery,
                    tools,
                    balance,
                    breaker,
                    connections,
                    delivery_secret,
                    pool_token,
                })
            }
            (_, _, _) => Err(members.wrong),
        }
    }
}

/// What is left of a body, and what was wrong so far.
struct Members {
    left: Map<String, Value>,
    wrong: Vec<WrongField>,
}

impl Members {
    fn new(left: Map<String, Value>) -> Self {
        let wrong = Vec::new();
        Self { left, wrong }
    }

    fn required<T>(&mut self, name: &str, check: fn(&str) -> Result<T, String>) -> Option<T> {
        if !self.left.contains_key(name) {
            self.complain(name, "it is missing");
            return None;
        }
        let text: String = self.optional(name)?;
        self.checked_value(name, check(&text))
    }

    fn checked<T: DeserializeOwned>(
        &mut self,
        name: &str,
        check: fn(T) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.optional(name)?;
        self.checked_value(name, check(value))
    }

    /// `null` is as good as absent.
    fn optional<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let value = self.left.remove(name)?;
        let read = serde_json::from_value::<Option<T>>(value);
        self.checked_value(name, read.map_err(|error| error.to_string()))?
    }

    fn health(&mut self, endpoint: &Url, written: Option<String>) -> Option<Url> {
        let Some(written) = written else {
            return Some(below(endpoint, READINESS));
        };
        let whole = match written.starts_with('/') {
            true => endpoint
                .join(&written)
                .map_err(|error| error.to_string())
                .and_then(|joined| address(joined.as_str())),
            false => address(&written),
        };
        self.checked_value("health_endpoint", whole)
    }

    fn finish(&mut self) {
        let unknown: Vec<_> = std::mem::take(&mut self.left).into_iter().collect();
        for (name, _) in unknown {
            self.complain(&name, "this member is not known here");
        }
    }

    fn checked_value<T>(&mut self, name: &str, value: Result<T, String>) -> Option<T> {
        value.map_err(|why| self.complain(name, why)).ok()
    }

    fn complain(&mut self, name: &str, why: impl ToString) {
        let pointer = format!("#/{}", name.replace('~', "~0").replace('/', "~1"));
        self.wrong.push(wrong(&pointer, why));
    }
}

fn wrong(pointer: &str, why: impl ToString) -> WrongField {
    WrongField {
        pointer: pointer.to_owned(),
        detail: why.to_string(),
    }
}

/// A page below an endpoint.
pub(super) fn below(endpoint: &Url, page: &str) -> Url {
    let mut url = endpoint.clone();
    url.set_path(&format!("{}/{page}", endpoint.path().trim_end_matches('/')));
    url
}

fn pool_name(name: &str) -> Result<String, String> {
    match is_pool_name(name) {
        true => Ok(name.to_owned()),
        false => Err(format!(
            "`{}` is no name of a pool: 1 to 63 lower-case letters, digits and `-`, with a letter \
             or digit at both ends",
            name.escape_debug()
        )),
    }
}

/// An address that deliveries or probes may go to. What could carry a secret is refused, because
/// addresses are shown.
pub(super) fn address(text: &str) -> Result<Url, String> {
    let shown = text.escape_debug();
    let url = Url::parse(text).map_err(|error| {
        format!("`{shown}` is no URL ({error}): write an absolute one, http://HOST:PORT/PATH")
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!(
            "`{shown}` is reached by `{}`, and agents by `http` or `https` only",
            url.scheme()
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "credentials in a URL are shown to everybody: leave them out and give the agent a \
             `delivery_secret` to check"
                .to_owned(),
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!(
            "`{shown}` has a query or a fragment, which is lost on the way: leave it out"
        ));
    }
    Ok(url)
}

fn connections(count: usize) -> Result<usize, String> {
    match count {
        1..=1_000 => Ok(count),
        _ => Err(format!("{count} is not between 1 and 1000")),
    }
}

fn secret(secret: String) -> Result<String, String> {
    match !secret.is_empty() && http::HeaderValue::from_str(&secret).is_ok() {
        true => Ok(secret),
        false => Err("a header cannot carry it: use visible ASCII characters".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn pointers(row: &Value) -> Vec<String> {
        let wrong = Row::parse(row.to_string().as_bytes()).unwrap_err();
        wrong.into_iter().map(|field| field.pointer).collect()
    }

    #[test]
    fn the_missions_row_is_read() {
        let row = json!({
            "pool_id": "database",
            "agent_type": "database",
            "capabilities": ["backup"],
            "endpoint": "http://10.0.0.7:9000",
            "health_endpoint": "/health",
        });
        let row = Row::parse(row.to_string().as_bytes()).unwrap();
        assert_eq!(row.endpoint, "http://10.0.0.7:9000/");
        let health = row.health_endpoint.unwrap();
        assert_eq!(health, "http://10.0.0.7:9000/health");
        assert_eq!(row.capabilities.unwrap(), ["backup"]);
        let short =
            json!({"pool_id": "a", "endpoint": "https://agents.example/db/", "tools": null});
        let row = Row::parse(short.to_string().as_bytes()).unwrap();
        let health = row.health_endpoint.unwrap();
        assert_eq!(health, "https://agents.example/db/health/readiness");
        assert_eq!(
            below(&Url::parse(&row.endpoint).unwrap(), "capabilities").as_str(),
            "https://agents.example/db/capabilities"
        );
    }

    #[test]
    fn every_wrong_member_is_named() {
        let row = json!({
            "pool_id": "Not a label",
            "endpoint": "ftp://host/x",
            "health_endpoint": "gopher://host",
            "agent_type": 7,
            "capabilities": "all",
            "balance": "best",
            "delivery": {"retries": 3},
            "connections": 0,
            "delivery_secret": "a\nb",
            "colour/of~it": "blue",
        });
        let mut named = pointers(&row);
        named.sort();
        let expected = [
            "#/agent_type",
            "#/balance",
            "#/capabilities",
            "#/colour~1of~0it",
            "#/connections",
            "#/delivery",
            "#/delivery_secret",
            "#/endpoint",
            "#/pool_id",
        ];
        assert_eq!(named, expected);
        assert_eq!(pointers(&json!({})), ["#/pool_id", "#/endpoint"]);
        assert_eq!(pointers(&json!([])), ["#"]);
    }

    #[test]
    fn addresses_are_absolute_and_hold_no_secret() {
        for (text, named) in [
            ("agent:9000", "http"),
            ("/agent", "absolute"),
            ("http://", "no URL"),
            ("file:///etc/passwd", "`file`"),
            ("http://me:hush@host/", "delivery_secret"),
            ("http://host/?code=1", "query"),
            ("http://host/#x", "fragment"),
        ] {
            let error = address(text).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Row::parse(&bytes);
        }
    }
}
