//! Queries and JSON bodies, read into types; what does not fit is refused in the words of serde,
//! which name the member.

use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::payload::Payload;
use super::problem::Problem;

/// The query.
pub(super) struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(query)) => Ok(Self(query)),
            Err(rejection) => Err(Problem::Query(rejection.body_text())),
        }
    }
}

/// The body, an object; nothing at all is an empty one.
pub(super) struct Given<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Given<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let Payload(body) = Payload::from_request(request, state).await?;
        object(&body).map(Self)
    }
}

fn object<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let body = if body.is_empty() { b"{}" } else { body };
    // By way of a map: serde would also read a struct from an array.
    serde_json::from_slice(body)
        .and_then(|members: Map<String, Value>| serde_json::from_value(members.into()))
        .map_err(|error| {
            Problem::Body(format!(
                "{error}; send a JSON object, whose members `GET /openapi.json` describes"
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::CancelRequest;

    #[test]
    fn a_body_may_be_empty_or_an_object_that_fits_and_nothing_else() {
        assert_eq!(object::<CancelRequest>(b"").unwrap().reason, None);
        let given: CancelRequest = object(br#"{"reason":"wrong text"}"#).unwrap();
        assert_eq!(given.reason.as_deref(), Some("wrong text"));
        for body in ["[]", "{", r#"{"because":"x"}"#] {
            assert!(object::<CancelRequest>(body.as_bytes()).is_err(), "{body}");
        }
    }
}
