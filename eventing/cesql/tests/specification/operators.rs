//! Section 3.4: operators.

use dormouse_cesql::{ErrorKind, Expression};

use crate::{EVENT, fails, gives};

#[test]
fn not_negates() {
    gives("NOT TRUE", false);
    gives("NOT FALSE", true);
    gives("NOT NOT TRUE", true);
}

#[test]
fn minus_gives_the_minus_value() {
    gives("-(5)", -5);
    gives("--5", 5);
    gives("-myint", -10);
    gives("---myint", -10);
}

/// The truth tables of `AND`, `OR` and `XOR`.
#[test]
fn logic_is_logic() {
    for x in [false, true] {
        for y in [false, true] {
            gives(&format!("{x} AND {y}"), x && y);
            gives(&format!("{x} OR {y}"), x || y);
            gives(&format!("{x} XOR {y}"), x != y);
        }
    }
}

/// `=`, `!=` and `<>` for the three types; "Same as NOT (x = y)"; Strings are "case sensitive".
#[test]
fn equality_is_defined_for_all_types() {
    for (x, y, equal) in [
        ("TRUE", "TRUE", true),
        ("TRUE", "FALSE", false),
        ("1", "1", true),
        ("1", "2", false),
        ("'a'", "'a'", true),
        ("'a'", "'A'", false),
        ("'abc'", "'123'", false),
    ] {
        gives(&format!("{x} = {y}"), equal);
        gives(&format!("{x} != {y}"), !equal);
        gives(&format!("{x} <> {y}"), !equal);
        gives(&format!("NOT ({x} = {y})"), !equal);
    }
}

#[test]
fn integers_are_ordered() {
    for x in [-1, 0, 2] {
        for y in [-1, 0, 2] {
            gives(&format!("{x} < {y}"), x < y);
            gives(&format!("{x} <= {y}"), x <= y);
            gives(&format!("{x} > {y}"), x > y);
            gives(&format!("{x} >= {y}"), x >= y);
        }
    }
}

/// `/` is "rounded towards 0", `%` "has the same sign as x", both give "0 and a MathError if
/// y = 0".
#[test]
fn arithmetic_is_that_of_integers() {
    for x in [-7, 7] {
        for y in [-2, 2] {
            gives(&format!("{x} + {y}"), x + y);
            gives(&format!("{x} - {y}"), x - y);
            gives(&format!("{x} * {y}"), x * y);
        }
    }
    for (x, y, quotient, remainder) in [
        (7, 2, 3, 1),
        (-7, 2, -3, -1),
        (7, -2, -3, 1),
        (-7, -2, 3, -1),
    ] {
        gives(&format!("{x} / {y}"), quotient);
        gives(&format!("{x} % {y}"), remainder);
    }
    fails("5 / 0", ErrorKind::Math, 0);
    fails("5 % 0", ErrorKind::Math, 0);
}

/// "When evaluating an operator, a CESQL engine MUST attempt to cast the operands to the specified
/// types."
#[test]
fn operands_are_cast() {
    gives("NOT 'false'", true);
    gives("NOT 0", true);
    gives("-'10'", -10);
    gives("--'10'", 10);
    gives("-TRUE", -1);
    gives("'5' + '3'", 8);
    gives("5 + TRUE", 6);
    gives("'7' * sequence", 70);
    gives("hop < ttl", true);
    gives("TRUE > FALSE", true);
    gives("'true' AND 1", true);
    gives("0 XOR 'FALSE'", false);
    fails("NOT 'x'", ErrorKind::Cast, false);
    fails("-'x'", ErrorKind::Cast, 0);
    fails("'x' + 1", ErrorKind::Cast, 0);
    fails("1 < 'x'", ErrorKind::Cast, false);
    fails("TRUE AND 'x'", ErrorKind::Cast, false);
    fails("'x' OR TRUE", ErrorKind::Cast, false);
}

/// "whenever the left operand of the AND operation evaluates to false, the right operand MUST NOT
/// be evaluated. Similarly, whenever the left operand of the OR operation evaluates to true"
#[test]
fn and_and_or_leave_out_what_changes_nothing() {
    gives("FALSE AND missing", false);
    gives("FALSE AND (1 != 1 / 0)", false);
    gives("TRUE OR missing", true);
    gives("TRUE OR (1 != 1 / 0)", true);
    gives("FALSE AND missing AND missing", false);
    gives("TRUE OR missing OR missing", true);
    fails("TRUE AND (1 != 1 / 0)", ErrorKind::Math, false);
    fails("FALSE OR (1 != 1 / 0)", ErrorKind::Math, false);
    fails("TRUE XOR (1 != 1 / 0)", ErrorKind::Math, false);
    fails("FALSE XOR missing", ErrorKind::MissingAttribute, false);
}

/// "`%` represents zero, one, or multiple characters", "`_` represents a single character", "Any
/// other character, representing exactly that character (case sensitive)"
#[test]
fn like_knows_two_wildcards() {
    for (text, pattern, matches) in [
        ("abc", "abc", true),
        ("abc", "aBc", false),
        ("abc", "ab", false),
        ("abc", "a%", true),
        ("abc", "%c", true),
        ("abc", "%b%", true),
        ("abc", "%", true),
        ("", "%", true),
        ("", "", true),
        ("a", "", false),
        ("", "_", false),
        ("abc", "_b_", true),
        ("abc", "____", false),
        ("äbc", "_bc", true),
        ("日本", "__", true),
        ("abcabc", "%abc", true),
        ("aab", "%ab", true),
        ("ab", "ab%ab", false),
        ("a.c", "a.c", true),
        ("abc", "a.c", false),
        ("abc", "[a-c]%", false),
    ] {
        gives(&format!("'{text}' LIKE '{pattern}'"), matches);
        gives(&format!("'{text}' NOT LIKE '{pattern}'"), !matches);
        gives(&format!("NOT ('{text}' LIKE '{pattern}')"), !matches);
    }
}

/// "the pattern `_b*` will accept values `ab`, `abc`, `abcd1` but won't accept values `b` or `acd`
/// or `aBc`": the example must mean `_b%`, for `*` is any other character.
#[test]
fn the_example_of_like_holds() {
    for (text, matches) in [
        ("ab", true),
        ("abc", true),
        ("abcd1", true),
        ("b", false),
        ("acd", false),
        ("aBc", false),
    ] {
        gives(&format!("'{text}' LIKE '_b%'"), matches);
    }
    gives("'ab*' LIKE '_b*'", true);
}

/// "Both `%` and `_` can be escaped with `\`", with the example of the section.
#[test]
fn wildcards_of_like_are_escaped() {
    gives(r"'abc%' LIKE 'abc\%'", true);
    gives(r"'abcd' LIKE 'abc\%'", false);
    gives(r"'a_c' LIKE 'a\_c'", true);
    gives(r"'abc' LIKE 'a\_c'", false);
    gives(r"'ab\c' LIKE 'ab\c'", true);
    gives(r"'a\b' LIKE 'a\%'", false);
    gives(r"'\x%' LIKE '\\%'", false);
    gives(r"'\\%' LIKE '\\\%'", true);
    gives(r"'it\'s' LIKE 'it\'_'", true);
}

/// "In cases where the left operand is not a String, it MUST be cast to a String before the
/// comparison is made."
#[test]
fn like_casts_its_left_operand() {
    gives("234 LIKE '23_'", true);
    gives("-5 LIKE '-_'", true);
    gives("TRUE LIKE 'tr%'", true);
    gives("TRUE LIKE 'TR%'", false);
}

/// "Returns true if the attribute identifier exists in the input CloudEvent", and "EXISTS MUST
/// always return true for the REQUIRED context attributes".
#[test]
fn exists_tells_whether_there_is_an_attribute() {
    gives("EXISTS subject", true);
    gives("EXISTS dataschema", false);
    gives("NOT EXISTS dataschema", true);
    let nothing: [(&str, _); 0] = [];
    for name in ["id", "source", "specversion", "type"] {
        let expression = Expression::parse(&format!("EXISTS {name}")).unwrap();
        assert!(expression.matches(&nothing), "{name}");
        assert!(expression.matches(&EVENT), "{name}");
    }
}

/// "Returns true if x is equal to an element in the Set of yN elements", `NOT IN` is "Same as NOT
/// (x IN set)".
#[test]
fn in_looks_for_an_element() {
    for (x, set, is_in) in [
        ("123", "(1, 12, 123)", true),
        ("4", "(1, 2, 3)", false),
        ("'abc'", "('abc', \"bcd\")", true),
        ("'aaa'", "('abc')", false),
        ("TRUE", "(FALSE)", false),
        ("subject", "(id, subject)", true),
        ("source", "(id, 'x')", false),
    ] {
        gives(&format!("{x} IN {set}"), is_in);
        gives(&format!("{x} NOT IN {set}"), !is_in);
        gives(&format!("NOT ({x} IN {set})"), !is_in);
    }
}

/// "using the same semantics of the equal `=` operator, but using x type as the target type for
/// the implicit type casting"
#[test]
fn in_casts_elements_to_the_type_of_the_left() {
    gives("'true' IN (TRUE, 'false')", true);
    gives("'TRUE' IN (TRUE, 'false')", false);
    gives("TRUE IN ('TRUE')", true);
    gives("1 IN ('1', '2')", true);
    gives("'1' IN (1, 2)", true);
    gives("1 IN (TRUE)", true);
    fails("1 IN ('x', '1')", ErrorKind::Cast, false);
    gives("1 IN ('1', 'x')", true);
}
