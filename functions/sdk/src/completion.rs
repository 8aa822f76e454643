//! Completion: what a person may mean who has begun to type an argument.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use serde::Serialize;

use crate::context::Context;
use crate::error::ToolError;

/// MCP allows no more values in one answer (`CompleteResult`).
const MOST: usize = 100;

/// What has been typed of an argument so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Typed {
    /// The beginning of the argument; may be empty.
    pub value: String,
    /// The other arguments, as far as they are known.
    pub arguments: BTreeMap<String, String>,
}

impl Typed {
    /// Those of `all` that begin like what was typed, in any case of letters.
    ///
    /// ```
    /// use dormouse_function::Typed;
    /// let typed = Typed { value: "pa".to_owned(), ..Typed::default() };
    /// assert_eq!(typed.pick(["Paris", "Rome", "Padua"]).values, ["Paris", "Padua"]);
    /// ```
    pub fn pick<S: Into<String>>(&self, all: impl IntoIterator<Item = S>) -> Completion {
        let typed = self.value.to_lowercase();
        let all = all.into_iter().map(Into::into);
        all.filter(|value: &String| value.to_lowercase().starts_with(&typed))
            .collect::<Vec<_>>()
            .into_completion()
    }
}

/// What a person may mean (MCP `CompleteResult.completion`). More than 100 values are cut, and
/// the client is told that there are more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Completion {
    /// The best first.
    pub values: Vec<String>,
    /// How many there are altogether, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Whether there are more, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_more: Option<bool>,
}

impl Completion {
    fn cut(mut self) -> Self {
        if self.values.len() > MOST {
            self.total.get_or_insert(self.values.len() as u64);
            self.has_more = Some(true);
            self.values.truncate(MOST);
        }
        self
    }
}

/// What a completion's handler may return: a list of texts, or a [`Completion`].
pub trait IntoCompletion {
    /// The completion.
    fn into_completion(self) -> Completion;
}

impl IntoCompletion for Completion {
    fn into_completion(self) -> Completion {
        self
    }
}

impl IntoCompletion for Vec<String> {
    fn into_completion(self) -> Completion {
        Completion {
            total: Some(self.len() as u64),
            has_more: Some(false),
            values: self,
        }
    }
}

impl IntoCompletion for Vec<&str> {
    fn into_completion(self) -> Completion {
        let values: Vec<String> = self.into_iter().map(str::to_owned).collect();
        values.into_completion()
    }
}

/// MCP `CompleteResult`.
#[derive(Debug, Default, Serialize)]
pub(crate) struct CompleteResult {
    completion: Completion,
}

type Complete =
    Box<dyn Fn(Context, Typed) -> BoxFuture<'static, Result<Completion, ToolError>> + Send + Sync>;

/// The handlers that complete the arguments of one capability, in the order of their declaration.
#[derive(Default)]
pub(crate) struct Completions(Vec<(String, Complete)>);

impl Completions {
    pub(crate) fn add<R, F, Fut>(&mut self, argument: String, handler: F)
    where
        R: IntoCompletion,
        F: Fn(Context, Typed) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, ToolError>> + Send + 'static,
    {
        let complete = move |cx: Context, typed: Typed| -> BoxFuture<'static, _> {
            let completing = handler(cx, typed);
            Box::pin(async move { Ok(completing.await?.into_completion()) })
        };
        self.0.push((argument, Box::new(complete)));
    }

    pub(crate) fn arguments(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(argument, _)| argument.as_str())
    }

    /// Nothing for arguments that nobody completes.
    pub(crate) async fn complete(
        &self,
        cx: Context,
        argument: &str,
        typed: Typed,
    ) -> Result<CompleteResult, ToolError> {
        let Some((_, complete)) = self.0.iter().find(|(known, _)| known == argument) else {
            return Ok(CompleteResult::default());
        };
        let completion = complete(cx, typed).await?.cut();
        Ok(CompleteResult { completion })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_values_are_cut_and_counted() {
        let many: Vec<String> = (0..250).map(|number| number.to_string()).collect();
        let cut = many.into_completion().cut();
        assert_eq!(
            (cut.values.len(), cut.total, cut.has_more),
            (100, Some(250), Some(true))
        );
        let few = vec!["a", "b"].into_completion().cut();
        assert_eq!(
            (few.values.len(), few.total, few.has_more),
            (2, Some(2), Some(false))
        );
    }
}
