//! How a task's ending is told to the client that asked for it.

use dormouse_broker::{Ending, TaskId};
use dormouse_contract::task::{Failed, Outcome};
use serde_json::{Value, json};

use crate::answer::Reply;
use crate::era::Era;
use crate::error::{Fault, INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, MISSING_CAPABILITY};
use crate::jsonrpc::RequestId;
use crate::meters::CallOutcome;

/// How an ending is told. Failures that a model should know of are results (`isError`);
/// only what says that the request itself was wrong is a JSON-RPC error.
pub(crate) fn answer(
    id: &RequestId,
    era: Era,
    task: TaskId,
    ending: Ending,
) -> (Reply, CallOutcome) {
    match ending {
        Ending::Completed(result) => match Reply::passed(id, &result, era) {
            Ok(reply) => (reply, CallOutcome::Completed),
            Err(fault) => {
                tracing::warn!(%task, %fault, "a function's result is unusable");
                (Reply::error(Some(id), &fault, era), CallOutcome::Failed)
            }
        },
        Ending::Failed(failed) => {
            let outcome = failed.outcome.into();
            (answer_failure(id, era, task, failed), outcome)
        }
        Ending::Cancelled(reason) => {
            let message = format!("The call was cancelled: {reason}. {MAY_HAVE_RUN}");
            let meta = described(task, Outcome::Unknown);
            let reply = Reply::tool_error(id, &message, Some(meta), era);
            (reply, CallOutcome::Cancelled)
        }
    }
}

const MAY_HAVE_RUN: &str = "It is not known whether the tool ran: check what it would have \
                            changed before calling it again.";
const HAS_NOT_RUN: &str = "The tool did not run: calling it again is safe.";

fn answer_failure(id: &RequestId, era: Era, task: TaskId, failed: Failed) -> Reply {
    let Failed { error, outcome } = failed;
    match error.code {
        // Legacy revisions have no code for it: the model is told, as of any failure.
        MISSING_CAPABILITY if matches!(era, Era::Legacy(_)) => {
            Reply::tool_error(id, &error.message, Some(described(task, outcome)), era)
        }
        code @ (INVALID_REQUEST | METHOD_NOT_FOUND | INVALID_PARAMS | MISSING_CAPABILITY) => {
            let fault = Fault::Function {
                code,
                message: error.message,
                data: error.data,
            };
            Reply::error(Some(id), &fault, era)
        }
        _ => {
            let advice = match outcome {
                Outcome::NotRun => HAS_NOT_RUN,
                Outcome::Failed => "The tool ran and failed.",
                Outcome::Unknown => MAY_HAVE_RUN,
            };
            let message = format!("{}. {advice}", error.message.trim_end_matches('.'));
            Reply::tool_error(id, &message, Some(described(task, outcome)), era)
        }
    }
}

fn described(task: TaskId, outcome: Outcome) -> Value {
    json!({"dev.dormouse/outcome": outcome, "dev.dormouse/task": task})
}

#[cfg(test)]
mod tests {
    use dormouse_contract::task::TaskError;

    use super::*;
    use crate::era::Revision;

    fn id() -> RequestId {
        RequestId::from_json(serde_json::from_str("1").unwrap()).unwrap()
    }

    fn failure(code: i32, outcome: Outcome) -> (Reply, CallOutcome) {
        let error = TaskError {
            code,
            message: "it broke.".into(),
            data: None,
        };
        answer(
            &id(),
            Era::Modern,
            TaskId::new(),
            Ending::Failed(Failed { error, outcome }),
        )
    }

    #[test]
    fn delivery_failures_are_results_in_words_that_a_model_understands() {
        for (outcome, words, name) in [
            (
                Outcome::Unknown,
                "not known whether the tool ran",
                "unknown",
            ),
            (Outcome::NotRun, "did not run", "not-run"),
            (Outcome::Failed, "ran and failed", "failed"),
        ] {
            let (reply, counted) = failure(-32_603, outcome);
            let reply: Value = serde_json::from_str(&reply.text).unwrap();
            let result = &reply["result"];
            assert_eq!(result["isError"], true);
            assert_eq!(result["resultType"], "complete");
            assert_eq!(result["_meta"]["dev.dormouse/outcome"], name);
            let text = result["content"][0]["text"].as_str().unwrap();
            assert!(
                text.starts_with("it broke. ") && text.contains(words),
                "{text}"
            );
            assert_eq!(counted.as_str(), name);
        }
    }

    #[test]
    fn what_the_function_calls_a_wrong_request_is_a_json_rpc_error() {
        let (reply, _) = failure(MISSING_CAPABILITY, Outcome::Failed);
        assert_eq!(reply.status, http::StatusCode::BAD_REQUEST);
        let reply: Value = serde_json::from_str(&reply.text).unwrap();
        assert_eq!(reply["error"]["code"], MISSING_CAPABILITY);
    }

    #[test]
    fn a_cancellation_by_others_is_told() {
        let ending = Ending::Cancelled("the operator said so".into());
        let (reply, outcome) = answer(&id(), Era::Legacy(Revision::LATEST), TaskId::new(), ending);
        assert!(reply.text.contains("the operator said so"));
        assert_eq!(outcome, CallOutcome::Cancelled);
    }
}
