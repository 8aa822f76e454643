//! A tool's handler once its types are forgotten: how it is called, and what its schemas are.

use std::marker::PhantomData;
use std::sync::OnceLock;

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::context::Context;
use crate::error::ToolError;
use crate::result::{IntoToolResult, ToolResult};
use crate::schema::Arguments;

/// The handler at work.
pub(crate) type Answer = BoxFuture<'static, Result<ToolResult, ToolError>>;

/// A handler whose types are forgotten.
pub(crate) trait Call: Send + Sync {
    fn call(&self, cx: Context, arguments: &str) -> Result<Answer, String>;
    fn input_schema(&self) -> Value;
    fn output_schema(&self) -> Option<Value>;
}

pub(crate) struct Handler<T, R, F> {
    handler: F,
    arguments: OnceLock<Arguments>,
    types: PhantomData<fn(T) -> R>,
}

impl<T, R, F> Handler<T, R, F> {
    pub(crate) fn new(handler: F) -> Self {
        Self {
            handler,
            arguments: OnceLock::new(),
            types: PhantomData,
        }
    }
}

impl<T: JsonSchema, R, F> Handler<T, R, F> {
    /// Made when first needed: a cold start must not wait for the schemas of other tools.
    fn arguments(&self) -> &Arguments {
        self.arguments.get_or_init(Arguments::of::<T>)
    }
}

impl<T, R, F, Fut> Call for Handler<T, R, F>
where
    T: DeserializeOwned + JsonSchema + 'static,
    R: IntoToolResult + 'static,
    F: Fn(Context, T) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, ToolError>> + Send + 'static,
{
    fn call(&self, cx: Context, arguments: &str) -> Result<Answer, String> {
        let arguments = self.arguments().read(arguments)?;
        let answer = (self.handler)(cx, arguments);
        Ok(Box::pin(async move { answer.await?.into_tool_result() }))
    }

    fn input_schema(&self) -> Value {
        self.arguments().schema().clone()
    }

    fn output_schema(&self) -> Option<Value> {
        R::output_schema()
    }
}
