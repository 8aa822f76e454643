//! What a client may ask functions for; each is a task.

use dormouse_broker::Work;
use serde::Deserialize;

/// A request that a function serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// `tools/call`
    Tool,
    /// `prompts/get`
    Prompt,
    /// `resources/read`
    Resource,
    /// `completion/complete`
    Completion,
}

impl Feature {
    /// The MCP method.
    #[must_use]
    pub fn method(self) -> &'static str {
        match self {
            Self::Tool => "tools/call",
            Self::Prompt => "prompts/get",
            Self::Resource => "resources/read",
            Self::Completion => "completion/complete",
        }
    }

    /// What a stored task was asked for.
    #[must_use]
    pub fn of_work(work: &Work) -> Self {
        #[derive(Deserialize)]
        struct Requested<'a> {
            #[serde(borrow)]
            method: std::borrow::Cow<'a, str>,
        }
        let method = match work {
            Work::Call(data) => serde_json::from_slice::<Requested<'_>>(data).ok(),
            Work::Event { .. } => None,
        };
        let all = [Self::Tool, Self::Prompt, Self::Resource, Self::Completion];
        all.into_iter()
            .find(|one| {
                method
                    .as_ref()
                    .is_some_and(|asked| asked.method == one.method())
            })
            .unwrap_or(Self::Tool)
    }
}
