//! A request's body in memory, bounded by [`BODY_LIMIT`].

use std::time::Duration;

use axum::body::HttpBody as _;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::BODY_LIMIT;
use super::problem::Problem;

/// A body may take so long to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// The whole body. A declared length beyond the limit is refused before a byte is read.
pub(super) struct Payload(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Payload {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let body = request.into_body();
        let declared = body.size_hint().lower();
        if declared > BODY_LIMIT as u64 {
            return Err(Problem::TooLarge);
        }
        let collected = Limited::new(body, BODY_LIMIT).collect();
        match tokio::time::timeout(PATIENCE, collected).await {
            Ok(Ok(collected)) => Ok(Self(collected.to_bytes())),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::TooLarge),
            Ok(Err(error)) => Err(Problem::Unreadable(error.to_string())),
            Err(_) => {
                let late = format!("it did not come within {} s", PATIENCE.as_secs());
                Err(Problem::Unreadable(late))
            }
        }
    }
}
