//! A request's body in memory, bounded by [`BODY_LIMIT`].

use axum::body::HttpBody as _;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::BODY_LIMIT;
use super::problem::Problem;

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
        match Limited::new(body, BODY_LIMIT).collect().await {
            Ok(collected) => Ok(Self(collected.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => Err(Problem::TooLarge),
            Err(error) => Err(Problem::Unreadable(error.to_string())),
        }
    }
}
