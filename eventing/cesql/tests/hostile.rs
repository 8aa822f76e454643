//! Nothing that anybody writes makes the crate panic or work without bound, and whatever parses has
//! a value.

use std::cell::Cell;

use dormouse_cesql::{Attributes, ErrorKind, Expression, Value};
use proptest::prelude::*;

const WORDS: [&str; 50] = [
    "AND",
    "OR",
    "XOR",
    "NOT",
    "LIKE",
    "EXISTS",
    "IN",
    "TRUE",
    "false",
    "(",
    ")",
    ",",
    "+",
    "-",
    "*",
    "/",
    "%",
    "=",
    "!=",
    "<>",
    "<",
    "<=",
    ">",
    ">=",
    "!",
    "'",
    "\"",
    "\\",
    "'a%'",
    "\"_b\"",
    "'\\'",
    "type",
    "subject",
    "missing",
    "n",
    "0",
    "1",
    "-1",
    "2147483648",
    "-2147483648",
    "LENGTH(",
    "LEFT(",
    "SUBSTRING(",
    "CONCAT_WS(",
    "UPPER(",
    "ABS(",
    "NO_SUCH(",
    "é",
    " ",
    "\0",
];

const VALID: [&str; 6] = [
    "type LIKE 'com.github.%' AND NOT EXISTS missing OR n IN (1, '2', TRUE)",
    "SUBSTRING(subject, -3, 2) = LEFT(CONCAT_WS('é', subject, n), 2)",
    "-n * (2 + ABS(-2147483648)) % 7 <= INT('12') XOR UPPER(type) <> LOWER(type)",
    "RIGHT(TRIM(CONCAT(' ', subject)), 5) NOT LIKE '_\\_%\\%'",
    "((n)) = 5 OR BOOL(n) OR STRING(n) = \"\\\"\" OR IS_INT(type) OR IS_BOOL(missing)",
    "n / 0 = 1 OR missing + 1 > 2",
];

/// An event that counts how often it is asked.
#[derive(Default)]
struct Counting(Cell<usize>);

impl Attributes for Counting {
    fn get(&self, name: &str) -> Option<Value<'_>> {
        self.0.set(self.0.get() + 1);
        match name {
            "type" => Some("com.github.push".into()),
            "subject" => Some("äöü%_\\'".into()),
            "n" => Some(5.into()),
            _ => None,
        }
    }
}

fn check(text: &str) {
    let Ok(expression) = Expression::parse(text) else {
        return;
    };
    let event = Counting::default();
    let evaluation = expression.evaluate(&event);
    // Each part is evaluated at most once.
    assert!(event.0.get() <= expression.attributes().len(), "{text}");
    let passes = evaluation.error.is_none() && evaluation.value == Value::Boolean(true);
    assert_eq!(expression.matches(&event), passes, "{text}");
    let printed = expression.to_string();
    let again = Expression::parse(&printed).unwrap_or_else(|error| panic!("{printed}: {error}"));
    assert_eq!(again, expression, "{text}");
    assert_eq!(again.evaluate(&event), evaluation, "{text}");
}

#[test]
fn nesting_does_not_multiply_the_work() {
    for (open, close) in [
        ("(", " < 1)"),
        ("(", " >= n)"),
        ("(", " = 1)"),
        ("(", " != TRUE)"),
        ("(", " = n)"),
        ("(", " = '5')"),
        ("(n = ", ")"),
        ("(", " + 0)"),
        ("(1 * ", ")"),
        ("(", " XOR FALSE)"),
        ("(FALSE OR ", ")"),
        ("(", " LIKE '%')"),
        ("(", " IN (7, n))"),
        ("(n IN (7, ", "))"),
        ("NOT ", ""),
        ("-", ""),
        ("CONCAT(", ")"),
        ("SUBSTRING('abc', 0, ", ")"),
    ] {
        for inner in ["n", "missing"] {
            let nested = open.repeat(30) + inner + &close.repeat(30);
            assert!(Expression::parse(&nested).is_ok(), "{nested}");
            check(&nested);
        }
    }
}

#[test]
fn texts_made_of_nothing_do_not_multiply_the_work() {
    let empty = ", ''".repeat(32);
    let made = (0..4).fold("'ab'".to_owned(), |inner, _| {
        format!("CONCAT_WS({inner}{empty})")
    });
    let hostile = "_a".repeat(500);
    for text in [
        format!("LENGTH({made}) = 0"),
        format!("'{}' LIKE '%{hostile}c%'", "a".repeat(20_000)),
        vec![format!("'{}' LIKE '%{}c%'", "a".repeat(1_000), "_a".repeat(200)); 40].join(" OR "),
        format!("{}type{} = 'a'", "TRIM(".repeat(30), ")".repeat(30)),
    ] {
        let expression = Expression::parse(&text).unwrap();
        let event = [("type", Value::from("a"))];
        let error = expression.evaluate(&event).error;
        let kind = error.map(|error| error.kind());
        let is_cheap = text.starts_with("TRIM");
        assert_eq!(kind, (!is_cheap).then_some(ErrorKind::Generic), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn any_text(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn any_words(words in prop::collection::vec(prop::sample::select(&WORDS[..]), 0..12)) {
        check(&words.concat());
        check(&words.join(" "));
    }

    #[test]
    fn mutated_expressions(
        valid in prop::sample::select(&VALID[..]),
        mutations in prop::collection::vec((any::<prop::sample::Index>(), 0..3, prop::sample::select(&WORDS[..])), 1..4),
    ) {
        let mut letters: Vec<char> = valid.chars().collect();
        for (place, kind, word) in mutations {
            let at = place.index(letters.len() + 1);
            match kind {
                0 => drop(letters.splice(at..at, word.chars())),
                1 => letters.truncate(at),
                _ if at < letters.len() => drop(letters.remove(at)),
                _ => {}
            }
        }
        check(&letters.into_iter().collect::<String>());
    }
}

#[test]
fn what_is_mutated_is_valid() {
    for text in VALID {
        Expression::parse(text).unwrap();
        check(text);
    }
}
