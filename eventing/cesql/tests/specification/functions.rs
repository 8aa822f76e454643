//! Section 3.5: built-in functions.

use dormouse_cesql::ErrorKind;

use crate::{fails, gives};

/// "Returns the character length of the String x."
#[test]
fn length_counts_characters() {
    gives("LENGTH('abc')", 3);
    gives("LENGTH('')", 0);
    gives("LENGTH('äö日')", 3);
    gives("LENGTH(TRUE)", 4);
    gives("LENGTH(-12)", 3);
}

/// `n >= 0`: "Returns the concatenation of x1 up to xN."
#[test]
fn concat_joins() {
    gives("CONCAT()", "");
    gives("CONCAT('a')", "a");
    gives("CONCAT('a', 1, TRUE)", "a1true");
}

/// "using the delimiter between each string, but not before x1 or after xN"
#[test]
fn concat_ws_joins_with_a_delimiter() {
    gives("CONCAT_WS(',')", "");
    gives("CONCAT_WS(',', 'a')", "a");
    gives("CONCAT_WS(',', 'a', 'b', 'c')", "a,b,c");
    gives("CONCAT_WS(0, '', '')", "0");
    fails("CONCAT_WS()", ErrorKind::MissingFunction, false);
}

#[test]
fn lower_and_upper_change_the_case() {
    gives("LOWER('AbC')", "abc");
    gives("LOWER('ÄÖ')", "äö");
    gives("UPPER('AbC')", "ABC");
    gives("UPPER('straße')", "STRASSE");
    gives("LOWER('abc')", "abc");
    gives("UPPER(TRUE)", "TRUE");
}

/// "leading and trailing whitespaces (as defined by unicode) trimmed. This does not remove any
/// characters which are not unicode whitespace characters, such as control characters."
#[test]
fn trim_takes_white_space_off() {
    gives("TRIM('   a b c   ')", "a b c");
    gives("TRIM('a b c')", "a b c");
    gives("TRIM('\u{2003}\u{a0}\t\na\u{3000}')", "a");
    gives("TRIM('\u{1}a\u{200b}')", "\u{1}a\u{200b}");
    gives("TRIM('  ')", "");
    gives("TRIM(CONCAT(' a', ' '))", "a");
}

/// "the first y characters of x, or returns x if LENGTH(x) <= y. Returns x if y < 0 and a
/// FunctionEvaluationError."
#[test]
fn left_takes_from_the_start() {
    gives("LEFT('abc', 2)", "ab");
    gives("LEFT('äöü', 2)", "äö");
    gives("LEFT('abc', 3)", "abc");
    gives("LEFT('abc', 10)", "abc");
    gives("LEFT('abc', 0)", "");
    gives("LEFT('', 0)", "");
    gives("LEFT(CONCAT('ab', 'c'), 2)", "ab");
    fails("LEFT('abc', -2)", ErrorKind::FunctionEvaluation, "abc");
}

/// The same for the last `y` characters.
#[test]
fn right_takes_from_the_end() {
    gives("RIGHT('abc', 2)", "bc");
    gives("RIGHT('äöü', 2)", "öü");
    gives("RIGHT('abc', 3)", "abc");
    gives("RIGHT('abc', 10)", "abc");
    gives("RIGHT('abc', 0)", "");
    gives("RIGHT('', 0)", "");
    fails("RIGHT('abc', -2)", ErrorKind::FunctionEvaluation, "abc");
}

/// "starting from index pos (included) up to the end of x. Characters' index starts from 1. If pos
/// is negative, the beginning of the substring is pos characters from the end of the string. If
/// pos is 0, then returns the empty string."
#[test]
fn substring_starts_at_a_position() {
    gives("SUBSTRING('abcdef', 1)", "abcdef");
    gives("SUBSTRING('abcdef', 6)", "f");
    gives("SUBSTRING('Quadratically', 5)", "ratically");
    gives("SUBSTRING('Sakila', -3)", "ila");
    gives("SUBSTRING('Sakila', -6)", "Sakila");
    gives("SUBSTRING('äöü', 2)", "öü");
    gives("SUBSTRING('abc', 0)", "");
    gives("SUBSTRING('', 0)", "");
}

/// "Returns the empty string and a FunctionEvaluationError if pos > LENGTH(x) OR pos < -LENGTH(x)"
#[test]
fn substring_refuses_a_position_outside() {
    for position in ["7", "-7", "2147483647", "-2147483648"] {
        let outside = ErrorKind::FunctionEvaluation;
        fails(&format!("SUBSTRING('abcdef', {position})"), outside, "");
        fails(&format!("SUBSTRING('abcdef', {position}, 1)"), outside, "");
    }
    fails("SUBSTRING('', 1)", ErrorKind::FunctionEvaluation, "");
}

/// "of length len", "If len is greater than the maximum substring starting at pos, then return the
/// maximum substring", and an error "if len is negative".
#[test]
fn substring_takes_a_length() {
    gives("SUBSTRING('abcdef', 1, 6)", "abcdef");
    gives("SUBSTRING('abcdef', 2, 4)", "bcde");
    gives("SUBSTRING('Sakila', -5, 3)", "aki");
    gives("SUBSTRING('äöü', -2, 1)", "ö");
    gives("SUBSTRING('abc', 2, 0)", "");
    gives("SUBSTRING('abc', 2, 2147483647)", "bc");
    gives("SUBSTRING('abc', 0, 1)", "");
    fails("SUBSTRING('abc', 1, -1)", ErrorKind::FunctionEvaluation, "");
    fails("SUBSTRING('abc', 0, -1)", ErrorKind::FunctionEvaluation, "");
}

/// "If the value of x is -2147483648, then this returns 2147483647 as well as a MathError."
#[test]
fn abs_gives_the_absolute_value() {
    gives("ABS(10)", 10);
    gives("ABS(-10)", 10);
    gives("ABS('-10')", 10);
    gives("ABS(0)", 0);
    fails("ABS(-2147483648)", ErrorKind::Math, i32::MAX);
}

/// The casts as functions, which the text of the specification uses.
#[test]
fn casts_are_functions_too() {
    gives("INT('1')", 1);
    gives("INT(-1)", -1);
    gives("INT(TRUE)", 1);
    gives("BOOL('TRUE')", true);
    gives("BOOL(0)", false);
    gives("BOOL(-50)", true);
    gives("STRING(FALSE)", "false");
    gives("STRING(-1)", "-1");
    fails("INT('ABC')", ErrorKind::Cast, 0);
    fails("BOOL('ABC')", ErrorKind::Cast, false);
    gives("IS_INT('12')", true);
    gives("IS_INT('a')", false);
    gives("IS_INT(TRUE)", true);
    gives("IS_BOOL('False')", true);
    gives("IS_BOOL('a')", false);
    gives("IS_BOOL(7)", true);
}

/// "When a function invocation cannot be dispatched, the return value is `false`, and a
/// MissingFunctionError is also returned."
#[test]
fn a_call_that_nothing_takes_is_false() {
    fails("NO_SUCH()", ErrorKind::MissingFunction, false);
    fails("LENGTH()", ErrorKind::MissingFunction, false);
    fails("LENGTH('a', 'b')", ErrorKind::MissingFunction, false);
    fails("LENGTH(NO_SUCH())", ErrorKind::MissingFunction, 0);
}

/// Ours: no expression fills the memory.
#[test]
fn concatenations_are_bounded() {
    let doubled =
        "CONCAT(".repeat(6) + "LEFT(type, 0)" + &format!("{})", ", type".repeat(500)).repeat(6);
    gives(&format!("LENGTH({doubled}) > 0"), true);
    let event = [("big", "a".repeat(1_000_000).into())];
    let expression = dormouse_cesql::Expression::parse("CONCAT(big, big)").unwrap();
    let evaluation = expression.evaluate(&event);
    assert_eq!(evaluation.value, "".into());
    assert_eq!(
        evaluation.error.unwrap().to_string(),
        "CONCAT: the text would be longer than 1048576 bytes"
    );
}
