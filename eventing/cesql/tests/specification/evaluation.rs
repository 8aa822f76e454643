//! Section 3.6: order of evaluation, and the examples of section 5.

use dormouse_cesql::Expression;

use crate::gives;

/// The list of precedences, neighbour by neighbour: what is written without parentheses is what
/// is written with them.
#[test]
fn operators_bind_in_the_order_of_the_list() {
    for (plain, explicit) in [
        ("NOT LENGTH(a)", "NOT (LENGTH(a))"),
        ("-ABS(a)", "-(ABS(a))"),
        ("NOT -a", "NOT (-a)"),
        ("-NOT a", "-(NOT a)"),
        ("NOT a LIKE 'x'", "(NOT a) LIKE 'x'"),
        ("-a LIKE 'x'", "(-a) LIKE 'x'"),
        ("NOT a IN (1)", "(NOT a) IN (1)"),
        ("NOT EXISTS a", "NOT (EXISTS a)"),
        ("NOT a = b", "(NOT a) = b"),
        ("-a * b", "(-a) * b"),
        ("-a + b", "(-a) + b"),
        ("a LIKE 'x' IN (TRUE)", "(a LIKE 'x') IN (TRUE)"),
        ("EXISTS a LIKE 'true'", "(EXISTS a) LIKE 'true'"),
        ("a * b IN (1)", "a * (b IN (1))"),
        ("a = b LIKE 'x'", "a = (b LIKE 'x')"),
        ("a * b + c", "(a * b) + c"),
        ("a + b * c", "a + (b * c)"),
        ("a + b % c - d / e", "a + (b % c) - (d / e)"),
        ("a + b = c - d", "(a + b) = (c - d)"),
        ("a < b AND c >= d", "(a < b) AND (c >= d)"),
        ("a = b OR c != d", "(a = b) OR (c != d)"),
    ] {
        let parsed = |text: &str| Expression::parse(text).unwrap();
        assert_eq!(parsed(plain), parsed(explicit), "{plain}");
    }
}

/// "MUST be evaluated left to right when the precedence is equal"
#[test]
fn equal_precedence_goes_from_left_to_right() {
    gives("10 - 4 - 3", 3);
    gives("100 / 10 / 5", 2);
    gives("7 / 2 * 2", 6);
    gives("7 % 4 * 2", 6);
    gives("10 - 4 + 3", 9);
    gives("3 > 2 > 1", false);
    gives("1 < 2 = TRUE", true);
    gives("TRUE OR FALSE AND FALSE", false);
    gives("TRUE OR TRUE XOR TRUE", false);
    gives("FALSE AND FALSE OR TRUE", true);
}

#[test]
fn parentheses_go_first() {
    gives("4 * 2 + 4 / 2", 10);
    gives("4 * (2 + 4) / 2", 12);
    gives("10 - (4 - 3)", 9);
    gives("TRUE OR (FALSE AND FALSE)", true);
    gives("NOT (1 = 2)", true);
}

/// Section 5.
#[test]
fn the_examples_hold() {
    let both = [
        ("firstname", "Francesco".into()),
        ("lastname", "Guardiani".into()),
        ("sequence", "10".into()),
        ("hop", "5".into()),
        ("ttl", 9.into()),
    ];
    let subject = [
        ("subject", "Francesco Guardiani".into()),
        ("firstname", "Doug".into()),
        ("lastname", "Davis".into()),
        ("sequence", "11".into()),
        ("hop", 9.into()),
        ("ttl", "9".into()),
    ];
    let whole_name =
        "(firstname = 'Francesco' AND lastname = 'Guardiani') OR subject = 'Francesco Guardiani'";
    for (text, of_both, of_subject) in [
        ("EXISTS subject", false, true),
        ("firstname = 'Francesco'", true, false),
        (
            "firstname = 'Francesco' OR subject = 'Francesco'",
            true,
            false,
        ),
        (whole_name, true, true),
        ("sequence = 10", true, false),
        ("hop < ttl", true, false),
    ] {
        let expression = Expression::parse(text).unwrap();
        assert_eq!(expression.matches(&both), of_both, "{text}");
        assert_eq!(expression.matches(&subject), of_subject, "{text}");
    }
}

/// A long chain is evaluated without recursion.
#[test]
fn long_chains_are_evaluated() {
    gives(&vec!["1"; 30_000].join("+"), 30_000);
    gives(&vec!["FALSE"; 7_000].join(" OR "), false);
}
