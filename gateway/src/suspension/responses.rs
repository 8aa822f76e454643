//! What a client answers to asks, checked before anything is stored.
//!
//! Each answer must be a result of the kind that was asked for (2026-07-28, "Multi Round-Trip
//! Requests": error handling); what was not asked is overlooked.

use std::borrow::Cow;
use std::collections::BTreeMap;

use dormouse_contract::suspension::{Answer, Ask, ELICIT, LIST_ROOTS, SAMPLE};
use dormouse_contract::task::TaskError;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::asks::Asks;
use crate::error::Fault;

/// `inputResponses`: a client's results by the name of the ask.
pub(crate) type Responses<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// Reads `inputResponses`.
///
/// # Errors
/// When it is no object.
pub(crate) fn read(raw: &RawValue) -> Result<Responses<'_>, Fault> {
    serde_json::from_str(raw.get()).map_err(|_| {
        Fault::InvalidParams(
            "params.inputResponses must be an object: each response under the name of its request"
                .to_owned(),
        )
    })
}

/// The answers among `responses` to what is asked, as the broker takes them: an object of
/// [`Answer`]s, JSON text; `None` when there are none.
///
/// # Errors
/// When a response is not what its ask wants.
pub(crate) fn answers(asks: &Asks<'_>, responses: &Responses<'_>) -> Result<Option<String>, Fault> {
    let mut answers = BTreeMap::new();
    for (name, ask) in asks {
        if let Some(response) = responses.get(name) {
            check(name, ask, response)?;
            answers.insert(name, Answer::Result(response));
        }
    }
    if answers.is_empty() {
        return Ok(None);
    }
    serde_json::to_string(&answers)
        .map(Some)
        .map_err(|error| Fault::InvalidParams(error.to_string()))
}

/// A legacy client's response to one ask, as the broker takes it.
///
/// # Errors
/// When the result is not what the ask wants.
pub(crate) fn answer(
    name: &str,
    ask: &Ask<'_>,
    outcome: Result<&RawValue, &RawValue>,
) -> Result<String, Fault> {
    let answer = match outcome {
        Ok(result) => {
            check(name, ask, result)?;
            Answer::Result(result)
        }
        Err(error) => Answer::Error(refusal(error)),
    };
    serde_json::to_string(&BTreeMap::from([(name, answer)]))
        .map_err(|error| Fault::InvalidParams(error.to_string()))
}

fn refusal(error: &RawValue) -> TaskError {
    serde_json::from_str(error.get()).unwrap_or_else(|_| TaskError {
        code: crate::error::INTERNAL_ERROR,
        message: "the client refused without saying why".to_owned(),
        data: None,
    })
}

#[derive(Deserialize)]
struct Elicited<'a> {
    action: Cow<'a, str>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Sampled<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(borrow)]
    content: &'a RawValue,
}

#[derive(Deserialize)]
struct Listed<'a> {
    #[serde(borrow)]
    roots: Vec<&'a RawValue>,
}

fn check(name: &str, ask: &Ask<'_>, result: &RawValue) -> Result<(), Fault> {
    let text = result.get();
    let is_object = |raw: &RawValue| raw.get().starts_with('{');
    let wanted = match ask.method.as_ref() {
        ELICIT => match serde_json::from_str::<Elicited<'_>>(text) {
            Ok(it)
                if matches!(&*it.action, "accept" | "decline" | "cancel")
                    && it.content.is_none_or(is_object) =>
            {
                return Ok(());
            }
            Ok(_) | Err(_) => {
                "an ElicitResult: `action` is accept, decline or cancel, `content` an object"
            }
        },
        SAMPLE => match serde_json::from_str::<Sampled<'_>>(text) {
            Ok(it) if matches!(&*it.role, "assistant" | "user") && !it.content.get().is_empty() => {
                return Ok(());
            }
            Ok(_) | Err(_) => "a CreateMessageResult with `role` and `content`",
        },
        LIST_ROOTS => match serde_json::from_str::<Listed<'_>>(text) {
            Ok(it) if it.roots.iter().all(|root| is_object(root)) => return Ok(()),
            Ok(_) | Err(_) => "a ListRootsResult with `roots`",
        },
        _ => return Ok(()),
    };
    Err(Fault::InvalidParams(format!(
        "the response to `{name}` must be {wanted}"
    )))
}

#[cfg(test)]
mod tests {
    use super::super::asks;
    use super::*;

    const ASKS: &[u8] = br#"{"grade":{"method":"elicitation/create","params":{}},
        "idea":{"method":"sampling/createMessage","params":{}},"where":{"method":"roots/list"}}"#;

    fn raw(text: &str) -> &RawValue {
        serde_json::from_str(text).unwrap()
    }

    fn take(responses: &str) -> Result<Option<String>, Fault> {
        answers(&asks::read(ASKS), &read(raw(responses))?)
    }

    #[test]
    fn answers_pass_to_the_letter_and_strange_names_are_overlooked() {
        let taken = take(
            r#"{"grade":{ "action":"accept","content":{"n":1.0}},"other":5,
                "idea":{"role":"assistant","content":{"type":"text","text":"x"},"model":"m"},
                "where":{"roots":[{"uri":"file:///a"}]}}"#,
        );
        let taken = taken.unwrap().unwrap();
        assert!(
            taken.contains(r#""grade":{"result":{ "action":"accept","content":{"n":1.0}}}"#),
            "{taken}"
        );
        assert!(!taken.contains("other"));
        assert_eq!(take(r#"{"other":5}"#), Ok(None));
    }

    #[test]
    fn what_was_not_asked_for_is_refused() {
        for responses in [
            "5",
            "null",
            r#"{"grade":12345}"#,
            r#"{"grade":{"action":"maybe"}}"#,
            r#"{"grade":{"action":"accept","content":[]}}"#,
            r#"{"idea":{"content":{}}}"#,
            r#"{"where":{"roots":[1]}}"#,
        ] {
            assert!(take(responses).is_err(), "{responses}");
        }
    }

    #[test]
    fn a_refusal_is_an_answer_too() {
        let asks = asks::read(ASKS);
        let refused = answer(
            "idea",
            &asks["idea"],
            Err(raw(r#"{"code":-1,"message":"User rejected sampling"}"#)),
        );
        assert_eq!(
            refused.unwrap(),
            r#"{"idea":{"error":{"code":-1,"message":"User rejected sampling"}}}"#
        );
        assert!(answer("idea", &asks["idea"], Err(raw("1"))).is_ok());
        assert!(answer("grade", &asks["grade"], Ok(raw("1"))).is_err());
    }
}
