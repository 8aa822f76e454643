//! How a task's ending is told to the client that asked for it.

use dormouse_broker::{Ending, TaskId};
use dormouse_contract::task::{Failed, Outcome};
use serde_json::{Value, json};

use crate::answer::Reply;
use crate::era::Era;
use crate::error::{
    Fault, INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, MISSING_CAPABILITY,
    RESOURCE_NOT_FOUND,
};
use crate::feature::Feature;
use crate::jsonrpc::RequestId;
use crate::meters::CallOutcome;

/// How an ending is told. Failures of tools that a model should know of are results (`isError`),
/// and only what says that the request itself was wrong is a JSON-RPC error; other features have
/// no result for failures, so all of theirs are errors.
pub(crate) fn answer(
    id: &RequestId,
    era: Era,
    feature: Feature,
    task: TaskId,
    ending: Ending,
) -> (Reply, CallOutcome) {
    match ending {
        Ending::Completed(result) => match Reply::passed(id, &result, era, feature) {
            Ok(reply) => (reply, CallOutcome::Completed),
            Err(fault) => {
                tracing::warn!(%task, %fault, "a function's result is unusable");
                (Reply::error(Some(id), &fault, era), CallOutcome::Failed)
            }
        },
        Ending::Failed(failed) => {
            let outcome = failed.outcome.into();
            (answer_failure(id, era, feature, task, failed), outcome)
        }
        Ending::Cancelled(reason) => {
            let message = format!(
                "The call was cancelled: {reason}. {}",
                advice(feature, Outcome::Unknown)
            );
            let details = described(task, Outcome::Unknown);
            let reply = tell(id, era, feature, INTERNAL_ERROR, message, details);
            (reply, CallOutcome::Cancelled)
        }
    }
}

fn advice(feature: Feature, outcome: Outcome) -> &'static str {
    match feature {
        Feature::Tool => match outcome {
            Outcome::NotRun => "The tool did not run: calling it again is safe.",
            Outcome::Failed => "The tool ran and failed.",
            Outcome::Unknown => {
                "It is not known whether the tool ran: check what it would have changed before \
                 calling it again."
            }
        },
        Feature::Prompt | Feature::Resource | Feature::Completion => match outcome {
            Outcome::NotRun | Outcome::Unknown => "Asking again is safe.",
            Outcome::Failed => "The function ran and failed.",
        },
    }
}

fn answer_failure(
    id: &RequestId,
    era: Era,
    feature: Feature,
    task: TaskId,
    failed: Failed,
) -> Reply {
    let Failed { error, outcome } = failed;
    match error.code {
        // Legacy revisions have no code for it: the model is told, as of any failure.
        MISSING_CAPABILITY if matches!(era, Era::Legacy(_)) => {
            let details = described(task, outcome);
            tell(id, era, feature, INTERNAL_ERROR, error.message, details)
        }
        RESOURCE_NOT_FOUND if feature == Feature::Resource => {
            let fault = Fault::Function {
                code: Fault::resource_not_found(era),
                message: error.message,
                data: error.data,
            };
            Reply::error(Some(id), &fault, era)
        }
        code @ (INVALID_REQUEST | METHOD_NOT_FOUND | INVALID_PARAMS | MISSING_CAPABILITY) => {
            let fault = Fault::Function {
                code,
                message: error.message,
                data: error.data,
            };
            Reply::error(Some(id), &fault, era)
        }
        code => {
            let words = error.message.trim_end_matches('.');
            let message = format!("{words}. {}", advice(feature, outcome));
            tell(id, era, feature, code, message, described(task, outcome))
        }
    }
}

/// Tells a failure in the form that the feature has for it.
fn tell(
    id: &RequestId,
    era: Era,
    feature: Feature,
    code: i32,
    message: String,
    details: Value,
) -> Reply {
    match feature {
        Feature::Tool => Reply::tool_error(id, &message, Some(details), era),
        Feature::Prompt | Feature::Resource | Feature::Completion => {
            let fault = Fault::Function {
                code,
                message,
                data: Some(details),
            };
            Reply::error(Some(id), &fault, era)
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
        failure_of(Feature::Tool, Era::Modern, code, outcome)
    }

    fn failure_of(feature: Feature, era: Era, code: i32, outcome: Outcome) -> (Reply, CallOutcome) {
        let error = TaskError {
            code,
            message: "it broke.".into(),
            data: None,
        };
        answer(
            &id(),
            era,
            feature,
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
    fn other_features_fail_with_errors() {
        for feature in [Feature::Prompt, Feature::Resource, Feature::Completion] {
            let (reply, counted) = failure_of(feature, Era::Modern, -32_603, Outcome::Unknown);
            let error = serde_json::from_str::<Value>(&reply.text).unwrap()["error"].take();
            assert_eq!(error["code"], -32_603);
            assert_eq!(error["message"], "it broke. Asking again is safe.");
            assert_eq!(error["data"]["dev.dormouse/outcome"], "unknown");
            assert_eq!(counted, CallOutcome::Unknown);
        }
    }

    #[test]
    fn a_resource_that_is_not_there_is_told_in_the_way_of_the_era() {
        let code = |era| {
            let outcome = Outcome::Failed;
            let (reply, _) = failure_of(Feature::Resource, era, RESOURCE_NOT_FOUND, outcome);
            serde_json::from_str::<Value>(&reply.text).unwrap()["error"]["code"].take()
        };
        assert_eq!(code(Era::Legacy(Revision::LATEST)), RESOURCE_NOT_FOUND);
        assert_eq!(code(Era::Modern), INVALID_PARAMS);
    }

    #[test]
    fn a_cancellation_by_others_is_told() {
        let ending = Ending::Cancelled("the operator said so".into());
        let era = Era::Legacy(Revision::LATEST);
        let (reply, outcome) = answer(&id(), era, Feature::Tool, TaskId::new(), ending);
        assert!(reply.text.contains("the operator said so"));
        assert_eq!(outcome, CallOutcome::Cancelled);
    }
}
