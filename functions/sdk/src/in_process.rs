//! A function as a part of another program: requests go in and responses come out, with no listener
//! between them.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;

use crate::error::StartError;
use crate::function::Function;
use crate::handle;
use crate::server::Service;
use crate::settings::Settings;

/// A function that its program calls by itself; clones share it.
#[derive(Clone)]
pub struct InProcess(Arc<Service>);

impl InProcess {
    /// Answers one request, as the function does over HTTP. A handler whose answer is dropped is
    /// cancelled.
    pub async fn answer<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes> + Send,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        handle::answer(Arc::clone(&self.0), request).await
    }
}

impl Function {
    /// The function without a listener, for a program that delivers to it by itself.
    ///
    /// # Errors
    /// When the function's name or a tool's could not be called.
    pub fn in_process(self, settings: Settings) -> Result<InProcess, StartError> {
        self.check()?;
        Ok(InProcess(Service::new(self, settings)?))
    }
}
