//! Section 3.3: errors.

use dormouse_cesql::{ErrorKind, Expression};

use crate::{EVENT, fails};

/// "Every CESQL engine MUST support the following error types"
#[test]
fn every_kind_of_error_is_raised() {
    assert_eq!(Expression::parse("(").unwrap_err().kind(), ErrorKind::Parse);
    fails("1 / 0", ErrorKind::Math, 0);
    fails("INT('x')", ErrorKind::Cast, 0);
    fails("missing", ErrorKind::MissingAttribute, false);
    fails("NO_SUCH(1)", ErrorKind::MissingFunction, false);
    fails("LEFT('abc', -1)", ErrorKind::FunctionEvaluation, "abc");
    let hostile = format!(
        "CONCAT({}'') LIKE '%{}b%'",
        "hay, ".repeat(20),
        "a_".repeat(2_000)
    );
    let event = [("hay", "a".repeat(50_000).into())];
    let hostile = Expression::parse(&hostile).unwrap();
    let evaluation = hostile.evaluate(&event);
    assert_eq!(
        evaluation.error.map(|error| error.kind()),
        Some(ErrorKind::Generic)
    );
    assert_eq!(evaluation.value, false.into());
}

#[test]
fn kinds_have_the_names_of_the_specification() {
    let names = [
        (ErrorKind::Parse, "parse"),
        (ErrorKind::Math, "math"),
        (ErrorKind::Cast, "cast"),
        (ErrorKind::MissingAttribute, "missingAttribute"),
        (ErrorKind::MissingFunction, "missingFunction"),
        (ErrorKind::FunctionEvaluation, "functionEvaluation"),
        (ErrorKind::Generic, "generic"),
    ];
    for (kind, name) in names {
        assert_eq!(kind.name(), name);
    }
}

/// "Whenever an operator or function encounters an error, it MUST result in a "return value" as
/// well as one or more "error values"", and what encloses it gives "the zero value for the return
/// type of the expression" (section 4.1, fail fast mode).
#[test]
fn what_encloses_an_error_gives_its_own_zero_value() {
    fails("LEFT('abc', -1)", ErrorKind::FunctionEvaluation, "abc");
    fails("UPPER(LEFT('abc', -1))", ErrorKind::FunctionEvaluation, "");
    fails("LENGTH(LEFT('abc', -1))", ErrorKind::FunctionEvaluation, 0);
    fails(
        "LEFT('abc', -1) = 'abc'",
        ErrorKind::FunctionEvaluation,
        false,
    );
    fails("1 != 1 / 0", ErrorKind::Math, false);
    fails("ABS(-2147483648) + 1", ErrorKind::Math, 0);
    fails("5 + INT('x')", ErrorKind::Cast, 0);
}

/// "Whenever possible, some error checks SHOULD be done at compile time"
#[test]
fn missing_functions_are_known_before_an_event_comes() {
    let expression = Expression::parse("TRUE OR foo(LENGTH(1, 2)) OR ABS(1) = 1").unwrap();
    let missing = expression.missing_functions();
    let told: Vec<_> = missing.iter().map(ToString::to_string).collect();
    let expected = [
        "there is no function FOO of 1 argument",
        "there is no function LENGTH of 2 arguments",
    ];
    assert_eq!(told, expected);
    assert!(expression.matches(&EVENT));
}

#[test]
fn errors_say_what_happened() {
    for (expression, words) in [
        ("1 / 0", "division by zero"),
        (
            "2147483647 + 1",
            "the result is beyond -2147483648 to 2147483647",
        ),
        ("subject + 1", "`main` cannot be cast to Integer"),
        ("missing", "the event has no attribute `missing`"),
        ("nope()", "there is no function NOPE of 0 arguments"),
        (
            "RIGHT('a', -1)",
            "RIGHT: the number of characters is negative",
        ),
    ] {
        let expression = Expression::parse(expression).unwrap();
        let error = expression.evaluate(&EVENT).error.unwrap().into_owned();
        assert_eq!(error.to_string(), words);
    }
}

#[test]
fn parse_errors_know_the_place_in_bytes_and_characters() {
    let error = Expression::parse("'äö' LIKE 5").unwrap_err();
    assert_eq!((error.offset(), error.column()), (12, 11));
}
