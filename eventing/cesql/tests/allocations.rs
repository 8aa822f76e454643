//! An evaluation allocates nothing, unless it makes a new text.

use std::hint::black_box;

use allocation_counter::measure;
use dormouse_cesql::{ErrorKind, Expression, Value};

fn event() -> [(&'static str, Value<'static>); 6] {
    [
        ("type", "com.github.push".into()),
        ("source", "/repos/dormouse".into()),
        ("subject", "refs/heads/main".into()),
        ("attempt", "2".into()),
        ("size", 40.into()),
        ("urgent", true.into()),
    ]
}

/// How many allocations an evaluation makes, in either way of asking for it.
fn allocations(expression: &Expression, event: &[(&str, Value<'static>); 6]) -> u64 {
    let evaluated = measure(|| {
        black_box(expression.evaluate(event));
    });
    let matched = measure(|| {
        black_box(expression.matches(event));
    });
    assert_eq!(evaluated.count_total, matched.count_total, "{expression}");
    evaluated.count_total
}

#[test]
fn what_filters_do_allocates_nothing() {
    let event = event();
    for text in [
        "type",
        "type = 'com.github.push'",
        "type != 'com.github.push' OR source <> '/repos'",
        "type IN ('com.github.issue', 'com.github.push') AND subject NOT IN ('a', 'b')",
        "type LIKE 'com.%' AND subject LIKE '%/main' AND source LIKE '/repos/%mouse'",
        "subject LIKE 'refs/_____/%' AND type LIKE '%g_t%p_s_'",
        "EXISTS subject AND NOT EXISTS tenant XOR urgent",
        "attempt < 3 AND size >= 40 AND attempt * 2 + size % 7 - 1 / 2 > -size",
        "attempt = 2 AND urgent = 'true' AND 'TRUE' = urgent OR 2 IN (attempt)",
        "INT(attempt) = 2 AND BOOL('true') AND IS_INT(attempt) AND NOT IS_BOOL(subject)",
        "STRING(type) = type AND STRING(urgent) = 'true' AND ABS(-3) = 3",
        "LENGTH(LEFT(subject, 4)) = 4 AND RIGHT(subject, 4) = 'main' AND TRIM(' a ') = 'a'",
        "SUBSTRING(subject, 6) = 'heads/main' AND SUBSTRING(subject, -4, 2) = 'ma'",
        "LOWER(type) = type AND UPPER('PUSH') = 'PUSH'",
    ] {
        let expression = Expression::parse(text).unwrap();
        assert_eq!(expression.evaluate(&event).error, None, "{text}");
        assert_eq!(allocations(&expression, &event), 0, "{text}");
    }
}

#[test]
fn neither_does_an_error() {
    let event = event();
    for (text, kind) in [
        ("tenant = 'a'", ErrorKind::MissingAttribute),
        ("subject > 3", ErrorKind::Cast),
        ("NOT type", ErrorKind::Cast),
        ("size / 0 = 1", ErrorKind::Math),
        ("size * 2147483647", ErrorKind::Math),
        ("ABS(-2147483648)", ErrorKind::Math),
        ("NO_SUCH(type)", ErrorKind::MissingFunction),
        ("LEFT(subject, -1)", ErrorKind::FunctionEvaluation),
        ("SUBSTRING(subject, 100)", ErrorKind::FunctionEvaluation),
    ] {
        let expression = Expression::parse(text).unwrap();
        let error = expression.evaluate(&event).error.unwrap();
        assert_eq!(error.kind(), kind, "{text}");
        assert_eq!(allocations(&expression, &event), 0, "{text}");
    }
}

#[test]
fn a_new_text_is_allocated() {
    let event = event();
    for text in [
        "CONCAT(type, '!')",
        "UPPER(type)",
        "STRING(size)",
        "size = '40'",
        "size LIKE '4_'",
    ] {
        let expression = Expression::parse(text).unwrap();
        assert_ne!(allocations(&expression, &event), 0, "{text}");
    }
}
