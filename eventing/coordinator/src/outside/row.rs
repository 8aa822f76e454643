//! The row by which an agent that runs elsewhere joins the platform, checked member by member.

use dormouse_contract::declaration::Terms;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::members::{Members, address, pool_name};

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
    /// How it is called and what is routed to it.
    #[serde(flatten)]
    pub terms: Terms,
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
        let mut members = Members::read(json)?;
        let pool_id = members.required("pool_id", pool_name);
        let endpoint = members.required("endpoint", address);
        let health = members.optional("health_endpoint");
        let health_endpoint = endpoint
            .as_ref()
            .and_then(|endpoint| members.health(endpoint, health));
        let terms = members.terms();
        let wrong = members.finish();
        match (pool_id, endpoint, health_endpoint) {
            (Some(pool_id), Some(endpoint), Some(health_endpoint)) if wrong.is_empty() => {
                Ok(Self {
                    pool_id,
                    endpoint: endpoint.into(),
                    health_endpoint: Some(health_endpoint.into()),
                    terms,
                })
            }
            (_, _, _) => Err(wrong),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

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
        assert_eq!(row.terms.capabilities.unwrap(), ["backup"]);
        let short =
            json!({"pool_id": "a", "endpoint": "https://agents.example/db/", "tools": null});
        let row = Row::parse(short.to_string().as_bytes()).unwrap();
        let health = row.health_endpoint.unwrap();
        assert_eq!(health, "https://agents.example/db/health/readiness");
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
            "triggers": [{}, {"filters": [{"exactly": {}}]}],
            "tools": {"a/b": {"retry": {}}},
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
            "#/delivery/retries",
            "#/delivery_secret",
            "#/endpoint",
            "#/pool_id",
            "#/tools/a~1b/retry",
            "#/triggers/1/filters/0/exactly",
        ];
        assert_eq!(named, expected);
        assert_eq!(pointers(&json!({})), ["#/pool_id", "#/endpoint"]);
        assert_eq!(pointers(&json!([])), ["#"]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Row::parse(&bytes);
        }
    }
}
