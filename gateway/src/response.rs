//! A legacy client's response to a request of ours: the answer to what a task asks.

use std::sync::Arc;

use dormouse_broker::Answered;
use serde_json::value::RawValue;

use crate::core::Core;
use crate::jsonrpc::Response;
use crate::suspension::asks::{self, Asked};
use crate::suspension::responses;

/// A response on its way to its task.
#[derive(Debug)]
pub(crate) struct Answering {
    asked: Asked,
    outcome: Result<Box<RawValue>, Box<RawValue>>,
}

impl Answering {
    /// The response to an ask; `None` when it answers nothing that was asked.
    pub fn of(response: &Response<'_>) -> Option<Self> {
        Some(Self {
            asked: Asked::of_id(response.id.as_ref()?)?,
            outcome: match response.outcome {
                Ok(result) => Ok(result.to_owned()),
                Err(error) => Err(error.to_owned()),
            },
        })
    }

    /// Gives it to the task. A response cannot be answered: what is wrong with it is logged, and
    /// the ask stays open.
    pub async fn run(self, core: Arc<Core>) {
        let Asked { round, name } = self.asked;
        let standing = match core.standing(round.task).await {
            Ok(standing) => standing,
            Err(fault) => {
                return tracing::debug!(task = %round.task, %fault, "a response to no task");
            }
        };
        let open = standing.asks.unwrap_or_default();
        let asks = if standing.round == round.round && !open.is_empty() {
            asks::read(&open)
        } else {
            return tracing::debug!(task = %round.task, ask = name, "a response that comes too late");
        };
        let Some(ask) = asks.get(name.as_str()) else {
            return tracing::debug!(task = %round.task, ask = name, "a response to nothing that is asked");
        };
        let outcome = self.outcome.as_deref().map_err(AsRef::as_ref);
        let answer = match responses::answer(&name, ask, outcome) {
            Ok(answer) => answer,
            Err(fault) => {
                return tracing::warn!(task = %round.task, ask = name, %fault, "a response is unusable");
            }
        };
        match core.answer(round, answer).await {
            Ok(Answered::Continued | Answered::Open(_)) => {}
            Ok(answered @ (Answered::Before | Answered::TooLate(_) | Answered::Unknown)) => {
                tracing::debug!(task = %round.task, ask = name, ?answered, "a response was not needed");
            }
            Err(fault) => {
                tracing::warn!(task = %round.task, ask = name, %fault, "a response was lost");
            }
        }
    }
}
