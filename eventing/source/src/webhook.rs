//! From an HTTP request to an event.

use bytes::Bytes;
use dormouse_contract::{Event, InvalidEvent};
use http::HeaderMap;
use jiff::Timestamp;

use crate::Secret;
use crate::body::NotJson;
use crate::github;
use crate::mapping::{Mapping, Unmapped};
use crate::proof::Proof;

/// What takes HTTP requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook<S = Secret> {
    /// How a sender proves itself.
    pub proof: Proof<S>,
    /// How a request is read.
    pub reading: Reading,
}

/// How a request is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// As GitHub sends them; see [`github`].
    Github,
    /// By a mapping.
    Mapped(Box<Mapping>),
}

/// Why a request is no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// GitHub says in a header what it tells, and this request does not.
    #[error("header `{0}` is missing: GitHub sends it with every delivery")]
    NotFromGithub(&'static str),
    /// The body is a form.
    #[error(
        "the body is a form: choose the content type `application/json` in the webhook's settings at the sender"
    )]
    Form,
    /// The body is no JSON.
    #[error(transparent)]
    NotJson(#[from] NotJson),
    /// Something is missing.
    #[error(transparent)]
    Unmapped(#[from] Unmapped),
    /// What came out is no CloudEvent.
    #[error("the event that the request makes is not valid: {0}")]
    Invalid(#[from] InvalidEvent),
    /// The type is the platform's own.
    #[error(
        "the request makes an event of type `{0}`, and those are the platform's own: give the mapping another type"
    )]
    Platform(String),
}

impl Webhook {
    /// The event that a request tells, once its [proof](Proof::check) is right. `name` is the
    /// webhook's, `now` the time of an event that does not say its own.
    ///
    /// # Errors
    /// [`Unreadable`]: the request is not what this webhook takes; answer 4xx.
    pub fn read(
        &self,
        name: &str,
        headers: &HeaderMap,
        body: &Bytes,
        now: Timestamp,
    ) -> Result<Event, Unreadable> {
        let event = match &self.reading {
            Reading::Github => github::read(headers, body, now)?,
            Reading::Mapped(mapping) => mapping.read(name, headers, body, now)?,
        };
        match event.is_platform() {
            true => Err(Unreadable::Platform(event.ty)),
            false => Ok(event),
        }
    }
}

pub(crate) fn random_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: &str =
        r#"{"kind": "paid", "order": {"id": 17, "total": 1.50}, "at": "2026-01-02T03:04:05Z"}"#;

    fn mapped(mapping: &str) -> Webhook {
        Webhook {
            proof: Proof::None,
            reading: Reading::Mapped(serde_json::from_str(mapping).unwrap()),
        }
    }

    fn read(
        mapping: &str,
        headers: &[(&'static str, &str)],
        body: &str,
    ) -> Result<Event, Unreadable> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let body = Bytes::copy_from_slice(body.as_bytes());
        mapped(mapping).read("shop", &map, &body, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn attributes_come_from_where_the_mapping_says() {
        let mapping = r#"{
            "type": {"prefix": "com.example.order.", "pointer": "/kind"},
            "source": "https://shop.example/",
            "subject": {"pointer": "/order/id"},
            "id": {"header": "X-Delivery"},
            "time": {"pointer": "/at"},
            "data": "/order",
            "extensions": {"shop": {"header": "X-Shop", "optional": true}, "region": "eu"}
        }"#;
        let event = read(mapping, &[("x-delivery", "d1")], ORDER).unwrap();
        assert_eq!(event.ty, "com.example.order.paid");
        assert_eq!(event.source, "https://shop.example/");
        assert_eq!(event.subject.as_deref(), Some("17"));
        assert_eq!(
            (event.id.as_str(), event.time.as_deref()),
            ("d1", Some("2026-01-02T03:04:05Z"))
        );
        assert_eq!(
            event.data.as_deref(),
            Some(&br#"{"id": 17, "total": 1.50}"#[..])
        );
        assert_eq!(event.datacontenttype.as_deref(), Some("application/json"));
        assert_eq!(event.extension("region").as_deref(), Some("eu"));
        assert_eq!(event.extension("shop"), None);
    }

    #[test]
    fn what_a_mapping_does_not_say_has_a_default() {
        let event = read(r#"{"type": "t"}"#, &[("content-type", "text/csv")], "a;b").unwrap();
        assert_eq!(event.source, "/webhooks/shop");
        assert_eq!(event.time.as_deref(), Some("1970-01-01T00:00:00Z"));
        assert_eq!(event.datacontenttype.as_deref(), Some("text/csv"));
        assert_eq!(event.data.as_deref(), Some(&b"a;b"[..]));
        let other = read(r#"{"type": "t"}"#, &[], "a;b").unwrap();
        assert_ne!(event.id, other.id);
        assert_eq!(
            other.datacontenttype.as_deref(),
            Some("application/octet-stream")
        );
        let json = read(r#"{"type": "t"}"#, &[("content-type", "json")], "{}").unwrap();
        assert_eq!(json.datacontenttype.as_deref(), Some("application/json"));
        let empty = read(r#"{"type": "t"}"#, &[], "").unwrap();
        assert_eq!((empty.data, empty.datacontenttype), (None, None));
    }

    #[test]
    fn what_is_missing_is_named() {
        for (mapping, body, named) in [
            (
                r#"{"type": {"pointer": "/event"}}"#,
                ORDER,
                "`type` from the body's `/event`",
            ),
            (
                r#"{"type": {"pointer": "/order"}}"#,
                ORDER,
                "`type` from the body's `/order`",
            ),
            (
                r#"{"type": "t", "id": {"header": "X-Id"}}"#,
                ORDER,
                "header `x-id`",
            ),
            (
                r#"{"type": "t", "data": "/basket"}"#,
                ORDER,
                "data from the body's `/basket`",
            ),
            (
                r#"{"type": "t", "subject": {"pointer": "/a"}}"#,
                "a=b",
                "not JSON",
            ),
            (
                r#"{"type": "t", "time": {"pointer": "/kind"}}"#,
                ORDER,
                "`time`",
            ),
            (
                r#"{"type": {"prefix": "dev.dormouse.", "pointer": "/kind"}}"#,
                ORDER,
                "dev.dormouse.paid",
            ),
        ] {
            let error = read(mapping, &[], body).unwrap_err().to_string();
            assert!(error.contains(named), "{mapping}: {error}");
        }
    }

    #[test]
    fn a_mapping_that_says_nothing_is_refused() {
        for mapping in [
            r#"{}"#,
            r#"{"type": ""}"#,
            r#"{"type": {}}"#,
            r#"{"type": {"pointer": "/a", "header": "b"}}"#,
            r#"{"type": {"pointer": "a"}}"#,
            r#"{"type": {"header": "a b"}}"#,
            r#"{"type": "t", "subjct": "x"}"#,
        ] {
            assert!(
                serde_json::from_str::<Mapping>(mapping).is_err(),
                "{mapping}"
            );
        }
    }
}
