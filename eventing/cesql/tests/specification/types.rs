//! Sections 1, 3.1 and 3.2: the value of an expression, types, attributes.

use dormouse_cesql::{Attributes, ErrorKind, Expression, Type, Value};

use crate::{EVENT, fails, gives};

/// "The primary output of a CESQL expression evaluation is always a boolean, an integer or a
/// string."
#[test]
fn an_evaluation_has_a_value_of_three_types() {
    gives("TRUE", true);
    gives("1", 1);
    gives("'a'", "a");
    fails("nothing", ErrorKind::MissingAttribute, false);
}

/// "any part of an expression can be replaced with its output value and the overall result of the
/// expression will be unchanged"
#[test]
fn a_part_can_be_replaced_by_its_value() {
    gives("LENGTH(CONCAT('a', 1 + 1)) = 1 + 1", true);
    gives("LENGTH(CONCAT('a', 2)) = 2", true);
    gives("LENGTH('a2') = 2", true);
}

/// "When used as a filter predicate, the expression output value MUST be a Boolean. If the output
/// value is not a Boolean, or any errors are returned, the event MUST NOT pass the filter."
#[test]
fn only_true_without_an_error_passes_a_filter() {
    let passes = |text: &str| Expression::parse(text).unwrap().matches(&EVENT);
    assert!(passes("TRUE"));
    assert!(passes("mybool"));
    for text in [
        "FALSE",
        "1",
        "'true'",
        "subject",
        "nothing",
        "NOT nothing",
        "INT('a') = 0",
    ] {
        assert!(!passes(text), "{text}");
    }
}

/// "Integer: A whole number in the range -2,147,483,648 to +2,147,483,647 inclusive": what is
/// beyond is no Integer.
#[test]
fn integers_do_not_leave_their_range() {
    gives("2147483646 + 1", i32::MAX);
    gives("-2147483647 - 1", i32::MIN);
    for expression in [
        "2147483647 + 1",
        "-2147483648 - 1",
        "65536 * 65536",
        "-2147483648 / -1",
        "-(-2147483648)",
    ] {
        fails(expression, ErrorKind::Math, 0);
    }
    gives("-2147483648 % -1", 0);
}

/// The table of zero values.
#[test]
fn each_type_has_a_zero_value() {
    assert_eq!(Type::String.zero(), "".into());
    assert_eq!(Type::Integer.zero(), 0.into());
    assert_eq!(Type::Boolean.zero(), false.into());
}

/// "The types URI, URI Reference, and Timestamp are represented as String."
#[test]
fn uris_and_timestamps_are_strings() {
    gives("source", "/repos/dormouse");
    gives("time", "2018-04-26T14:48:09+02:00");
    gives("LEFT(time, 4)", "2018");
}

/// "Each CloudEvent context attribute and extension MUST be addressable from an expression using
/// its identifier"
#[test]
fn every_attribute_is_addressed_by_its_name() {
    for (name, value) in &EVENT {
        gives(name, value.clone());
    }
}

/// "If the value of the attribute or extension is not one of the primitive CESQL types, it MUST be
/// represented by the String type": the primitive ones keep theirs.
#[test]
fn attributes_of_primitive_types_keep_them() {
    gives("mybool", true);
    gives("myint", 10);
    gives("sequence", "10");
}

/// "When addressing an attribute not included in the input event, the subexpression referencing
/// the missing attribute MUST evaluate to the zero value for the return type of the
/// subexpression, along with a MissingAttributeError", with the examples of the section.
#[test]
fn a_missing_attribute_is_an_error_beside_the_zero_value() {
    let missing = ErrorKind::MissingAttribute;
    fails(r#"true AND (missingAttribute = "")"#, missing, false);
    fails("missingattribute * 5", missing, 0);
    fails("1 / missingAttribute", missing, 0);
    fails("missing != 2", missing, false);
    fails("missing <> 2", missing, false);
    fails("missing <= 2", missing, false);
    fails("missing % 0", missing, 0);
    fails("missing / 0", missing, 0);
    fails("'x' * missing", missing, 0);
    fails("-missing", missing, 0);
    fails("NOT missing", missing, false);
    fails("missing LIKE '%'", missing, false);
    fails("missing NOT LIKE 'x'", missing, false);
    fails("missing IN (1)", missing, false);
    fails("missing NOT IN (1)", missing, false);
    fails("1 IN (2, missing)", missing, false);
    fails("missing XOR TRUE", missing, false);
    fails("UPPER(missing)", missing, "");
    fails("LENGTH(missing)", missing, 0);
    fails("IS_INT(missing)", missing, false);
}

/// "In cases where the return type of the subexpression cannot be determined by the CESQL engine,
/// the CESQL engine MUST assume a return type of Boolean."
#[test]
fn a_missing_attribute_alone_is_false() {
    fails("missing", ErrorKind::MissingAttribute, false);
    fails("(missing)", ErrorKind::MissingAttribute, false);
}

#[test]
fn attributes_are_read_from_maps_and_pairs() {
    let map = std::collections::BTreeMap::from([("a".to_owned(), Value::from(1))]);
    let expression = Expression::parse("a = 1").unwrap();
    assert!(expression.matches(&map));
    assert!(expression.matches(&[("a", Value::from(1))][..]));
    assert!(!expression.matches(&&[("b", Value::from(1))]));
    let erased: &dyn Attributes = &map;
    assert!(expression.matches(erased));
    let all = Expression::parse("a = 1 AND EXISTS b AND a > 2").unwrap();
    assert_eq!(all.attributes(), ["a", "b", "a"]);
}

/// Ours: what an index can build on.
#[test]
fn required_texts_are_told_where_the_form_shows_them() {
    let required = |text: &str| {
        let expression = Expression::parse(text).unwrap();
        let texts = expression.required_texts("type");
        texts.map(|texts| texts.join(" "))
    };
    for (text, texts) in [
        ("type = 'a'", "a"),
        ("(type = 'a')", "a"),
        ("type IN ('a', 'b')", "a b"),
        ("EXISTS id AND id != '' AND type = 'a' AND type = 'b'", "a"),
        ("n = 1 AND (type = 'a' AND n = 2)", "a"),
    ] {
        assert_eq!(required(text).as_deref(), Some(texts), "{text}");
    }
    for text in [
        "type != 'a'",
        "'a' = type",
        "type = 1",
        "type = 'a' OR n = 1",
        "type = 'a' AND n = 1 OR n = 2",
        "type NOT IN ('a')",
        "type IN ('a', id)",
        "NOT type = 'a'",
        "id = 'a'",
        "type = 'a' = TRUE",
    ] {
        assert_eq!(required(text), None, "{text}");
    }
}
