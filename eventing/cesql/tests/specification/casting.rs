//! Section 3.7: type casting.

use dormouse_cesql::{ErrorKind, Type, Value};

use crate::{fails, gives};

#[test]
fn integer_to_string_is_base_10_without_leading_zeros() {
    for (value, text) in [(0, "0"), (7, "7"), (-7, "-7"), (i32::MIN, "-2147483648")] {
        assert_eq!(Value::Integer(value).cast(Type::String), Ok(text.into()));
    }
    gives("STRING(007)", "7");
}

#[test]
fn integer_to_boolean_is_whether_it_is_not_0() {
    for (value, truth) in [(0, false), (1, true), (-1, true), (100, true)] {
        assert_eq!(Value::Integer(value).cast(Type::Boolean), Ok(truth.into()));
    }
}

/// "The string MAY begin with a leading sign '+' or '-'. If the result will overflow or the string
/// is not a valid integer an error is returned along with a value of 0."
#[test]
fn string_to_integer_is_base_10_with_a_sign() {
    for (text, value) in [
        ("0", 0),
        ("+5", 5),
        ("-5", -5),
        ("007", 7),
        ("2147483647", i32::MAX),
        ("-2147483648", i32::MIN),
    ] {
        assert_eq!(Value::from(text).cast(Type::Integer), Ok(value.into()));
    }
    for text in [
        "",
        "+",
        "-",
        " 1",
        "1 ",
        "1.0",
        "0x1",
        "abc",
        "--1",
        "2147483648",
        "-2147483649",
        "١",
    ] {
        fails(&format!("INT('{text}')"), ErrorKind::Cast, 0);
    }
}

/// "Returns true or false if the lower case representation of the string is exactly "true" or
/// "false", respectively. Otherwise returns an error along with a value of false"
#[test]
fn string_to_boolean_takes_any_case() {
    for (text, value) in [
        ("true", true),
        ("TRUE", true),
        ("tRuE", true),
        ("False", false),
    ] {
        assert_eq!(Value::from(text).cast(Type::Boolean), Ok(value.into()));
    }
    for text in ["", "1", "yes", " true", "t"] {
        fails(&format!("BOOL('{text}')"), ErrorKind::Cast, false);
    }
}

#[test]
fn boolean_to_integer_and_string() {
    for (value, number, text) in [(true, 1, "true"), (false, 0, "false")] {
        assert_eq!(Value::Boolean(value).cast(Type::Integer), Ok(number.into()));
        assert_eq!(Value::Boolean(value).cast(Type::String), Ok(text.into()));
    }
}

#[test]
fn a_cast_to_its_own_type_changes_nothing() {
    for value in [Value::from(true), Value::from(-1), Value::from("abc")] {
        assert_eq!(value.clone().cast(value.ty()), Ok(value));
    }
}

/// The examples of the section.
#[test]
fn booleans_as_strings_are_in_lower_case() {
    gives(r#"TRUE = "true" AND FALSE = "false""#, true);
    gives(r#"TRUE = "TRUE" OR FALSE = "FALSE""#, false);
}

/// "If it's ambiguous, use the y type to search [...] If such operator definition exists and is
/// unique, cast x to the type of the left parameter": for `=`, the left is cast to the type of the
/// right, and `sequence = 10` compares Integers.
#[test]
fn equality_casts_the_left_operand_to_the_type_of_the_right() {
    gives("sequence = 10", true);
    gives("sequence = '010'", false);
    gives("'010' = 10", true);
    gives("10 = '010'", false);
    gives("true = 'TRUE'", false);
    gives("'TRUE' = true", true);
    gives("1 = TRUE", true);
    gives("2 = TRUE", true);
    gives("TRUE = 2", false);
    gives("myint = '10'", true);
    fails("'x' = 1", ErrorKind::Cast, false);
    fails("'x' != 1", ErrorKind::Cast, false);
    fails("subject = TRUE", ErrorKind::Cast, false);
}

/// "If it's not ambiguous, cast x and y to the corresponding parameter types" and "Cast all the
/// arguments to the corresponding parameter types".
#[test]
fn what_is_not_ambiguous_casts_to_its_parameters() {
    gives("'1' < '10'", true);
    gives("'9' < '10'", true);
    gives("LEFT(12345, '2')", "12");
    gives("SUBSTRING(TRUE, '2', TRUE)", "r");
    fails("LEFT('abc', 'x')", ErrorKind::Cast, "");
    fails("ABS('x')", ErrorKind::Cast, 0);
}
