//! CloudEvents SQL 1.0, sentence by sentence: each test carries the sentence that it keeps.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod casting;
mod errors;
mod evaluation;
mod functions;
mod operators;
mod own_functions;
mod syntax;
mod types;

use dormouse_cesql::{ErrorKind, Expression, Value};

/// What all expressions here read, unless a test brings its own.
static EVENT: [(&str, Value<'static>); 11] = [
    ("id", text("1-2-3")),
    ("source", text("/repos/dormouse")),
    ("specversion", text("1.0")),
    ("type", text("com.github.push")),
    ("subject", text("main")),
    ("time", text("2018-04-26T14:48:09+02:00")),
    ("sequence", text("10")),
    ("hop", text("5")),
    ("ttl", text("7")),
    ("mybool", Value::Boolean(true)),
    ("myint", Value::Integer(10)),
];

const fn text(text: &'static str) -> Value<'static> {
    Value::String(std::borrow::Cow::Borrowed(text))
}

/// The expression has this value for [`EVENT`], and no error.
#[track_caller]
fn gives<'a>(expression: &str, value: impl Into<Value<'a>>) {
    let parsed =
        Expression::parse(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
    let evaluation = parsed.evaluate(&EVENT);
    assert_eq!(evaluation.error, None, "{expression}");
    assert_eq!(evaluation.value, value.into(), "{expression}");
}

/// The expression has an error of this kind for [`EVENT`], and this value beside it.
#[track_caller]
fn fails<'a>(expression: &str, kind: ErrorKind, value: impl Into<Value<'a>>) {
    let parsed =
        Expression::parse(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
    let evaluation = parsed.evaluate(&EVENT);
    let error = evaluation
        .error
        .unwrap_or_else(|| panic!("{expression} has no error"));
    assert_eq!(error.kind(), kind, "{expression}: {error}");
    assert_eq!(evaluation.value, value.into(), "{expression}");
    assert!(!parsed.matches(&EVENT), "{expression}");
}

/// The text is no expression; the error says this.
#[track_caller]
fn refused(text: &str, message: &str) {
    match Expression::parse(text) {
        Ok(expression) => panic!("{text} was parsed as {expression}"),
        Err(error) => assert_eq!(error.to_string(), message, "{text}"),
    }
}
