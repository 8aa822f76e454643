//! Section 2: language syntax.

use dormouse_cesql::{Expression, MAX_DEPTH, MAX_LENGTH};

use crate::{gives, refused};

/// "Although in the EBNF keywords are defined using uppercase characters, they are
/// case-insensitive", with the example of the section.
#[test]
fn keywords_are_taken_in_any_case() {
    let lower = Expression::parse("int(hop) < int(ttl) and int(hop) < 1000").unwrap();
    let upper = Expression::parse("INT(hop) < INT(ttl) AND INT(hop) < 1000").unwrap();
    assert_eq!(lower, upper);
    gives("int(hop) < int(ttl) and int(hop) < 1000", true);
    gives("Not eXists nothing", true);
    gives("1 iN (1) xOr fAlSe oR false", true);
    gives("type Not Like 'x%'", true);
}

/// `expression ::= value-identifier | literal | unary-operation | binary-operation |
/// function-invocation | like-operation | exists-operation | in-operation | "(" expression ")"`
#[test]
fn each_form_of_expression_is_one_by_itself() {
    gives("subject", "main");
    gives("1", 1);
    gives("NOT TRUE", false);
    gives("1 + 1", 2);
    gives("LENGTH('abc')", 3);
    gives("subject LIKE 'm%'", true);
    gives("EXISTS subject", true);
    gives("1 IN (1)", true);
    gives("(1)", 1);
    refused(
        "",
        "at character 1: expected a value: an attribute, a literal, a function call or `(`, found the end",
    );
    refused(
        "1 2",
        "at character 3: expected an operator or the end, found `2`",
    );
    refused(
        "TRUE AND",
        "at character 9: expected a value: an attribute, a literal, a function call or `(`, found the end",
    );
    refused(
        "TRUE AND OR FALSE",
        "at character 10: expected a value: an attribute, a literal, a function call or `(`, found `OR`",
    );
}

/// "Nested expressions MUST be correctly parenthesized."
#[test]
fn parentheses_come_in_pairs() {
    gives("((1 + (2)) * (3))", 9);
    refused(
        "((1)",
        "at character 5: expected an operator or `)`, found the end",
    );
    refused(
        "(1))",
        "at character 4: expected an operator or the end, found `)`",
    );
    refused(
        "()",
        "at character 2: expected a value: an attribute, a literal, a function call or `(`, found `)`",
    );
    refused(
        "ABC(",
        "at character 5: expected a value: an attribute, a literal, a function call or `(`, found the end",
    );
    refused(
        "LENGTH('a'",
        "at character 11: expected an operator, `,` or `)`, found the end",
    );
}

/// "Value identifiers in CESQL MUST follow the same restrictions of the Attribute Naming
/// Convention": `value-identifier ::= ( lowercase-char | digit )+`. The examples of section 3.2
/// have capitals in them, which are read as the small letters.
#[test]
fn identifiers_are_letters_and_digits() {
    let event = [("my1ext", "a".into()), ("1st", "b".into())];
    let value = |text: &str| {
        Expression::parse(text)
            .unwrap()
            .evaluate(&event)
            .value
            .into_owned()
    };
    assert_eq!(value("my1ext"), "a".into());
    assert_eq!(value("1st"), "b".into());
    assert_eq!(value("My1Ext"), "a".into());
    refused(
        "my_ext = 1",
        "at character 1: attribute names have letters and digits only",
    );
    refused("my-ext$ = 1", "at character 7: `$` has no meaning here");
    refused("ä = 1", "at character 1: `ä` has no meaning here");
}

/// "A value identifier SHOULD NOT be greater than 20 characters in length": longer ones are taken.
#[test]
fn long_identifiers_are_taken() {
    gives("EXISTS anattributewhosenameisverylong", false);
}

/// `integer-literal ::= ( '+' | '-' )? digit+`, and "Integer literals MUST be valid 32 bit signed
/// integer values".
#[test]
fn integer_literals_have_32_bits() {
    gives("0", 0);
    gives("+7", 7);
    gives("-7", -7);
    gives("007", 7);
    gives("2147483647", i32::MAX);
    gives("-2147483648", i32::MIN);
    let out_of_range =
        "at character 1: the number is out of range: integers go from -2147483648 to 2147483647";
    refused("2147483648", out_of_range);
    refused("-2147483649", out_of_range);
    refused("99999999999999999999", out_of_range);
    refused(
        "+ 7",
        "at character 1: expected a value: an attribute, a literal, a function call or `(`, found `+`",
    );
}

/// The grammar takes a sign for an operator where an operator can stand.
#[test]
fn a_sign_behind_a_value_is_an_operator() {
    gives("5-3", 2);
    gives("5 -3", 2);
    gives("5+3", 8);
    gives("5 - -3", 8);
    gives("5--3", 8);
    gives("4 + -1", 3);
}

/// `boolean-literal ::= "true" | "false" (* Case insensitive *)`
#[test]
fn boolean_literals_are_taken_in_any_case() {
    for (literal, value) in [
        ("true", true),
        ("TRUE", true),
        ("tRuE", true),
        ("False", false),
    ] {
        gives(literal, value);
    }
}

/// `string-literal ::= ( "'" ( [^'] | "\'" )* "'" ) | ( '"' ( [^"] | '\"' )* '"')`
#[test]
fn strings_stand_in_either_quotes() {
    gives("'abc'", "abc");
    gives(r#""abc""#, "abc");
    gives("''", "");
    gives("'aBc Ünï 日本'", "aBc Ünï 日本");
    gives("'AND ( 1'", "AND ( 1");
    gives("'two\nlines'", "two\nlines");
    refused(
        "'abc",
        "at character 1: the string that starts here has no closing '",
    );
    refused(
        r#"1 = "abc'"#,
        "at character 5: the string that starts here has no closing \"",
    );
    refused(
        "'it''s'",
        "at character 5: expected an operator or the end, found a string",
    );
}

/// "in the former case, the `'` character has to be escaped if it is to be used in the string
/// literal, while in the latter the `"` has to be escaped"
#[test]
fn only_the_delimiter_is_escaped() {
    gives(r#"'a"b\'c'"#, r#"a"b'c"#);
    gives(r#""a'b\"c""#, r#"a'b"c"#);
    gives(r"'\'\''", "''");
    gives(r#"'a\"b'"#, r#"a\"b"#);
    gives(r"'C:\new'", r"C:\new");
    gives(r"'a\\'", r"a\\");
    gives(r"'a\\\'b'", r"a\\'b");
    refused(
        r"'a\'",
        "at character 1: the string that starts here has no closing '",
    );
}

/// The operators of section 2.3, each as written there.
#[test]
fn every_operator_is_known() {
    for (expression, value) in [
        ("TRUE AND TRUE", true),
        ("FALSE OR TRUE", true),
        ("TRUE XOR TRUE", false),
        ("1 = 1", true),
        ("1 != 1", false),
        ("1 <> 1", false),
        ("2 >= 1", true),
        ("2 <= 1", false),
        ("2 < 1", false),
        ("2 > 1", true),
    ] {
        gives(expression, value);
    }
    for (expression, value) in [("7+2", 9), ("7-2", 5), ("7*2", 14), ("7/2", 3), ("7%2", 1)] {
        gives(expression, value);
    }
    refused(
        "1 == 1",
        "at character 4: expected a value: an attribute, a literal, a function call or `(`, found `=`",
    );
    refused(
        "TRUE && TRUE",
        "at character 6: `&` has no meaning here: write AND",
    );
    refused(
        "TRUE || TRUE",
        "at character 6: `|` has no meaning here: write OR",
    );
    refused(
        "!TRUE",
        "at character 1: `!` has no meaning here: write NOT, or != between two values",
    );
}

/// `like-operation ::= expression not-operator? like-operator string-literal`
#[test]
fn like_takes_a_string_literal() {
    refused(
        "subject LIKE 123",
        "at character 14: expected a string after LIKE, found `123`",
    );
    refused(
        "subject LIKE ('a')",
        "at character 14: expected a string after LIKE, found `(`",
    );
    refused(
        "subject NOT 'a'",
        "at character 13: expected LIKE or IN after NOT, found a string",
    );
}

/// `exists-operation ::= exists-operator value-identifier`
#[test]
fn exists_takes_an_identifier() {
    gives("EXISTS subject", true);
    refused(
        "EXISTS 'subject'",
        "at character 8: expected an attribute's name after EXISTS, found a string",
    );
    refused(
        "EXISTS 12",
        "at character 8: expected an attribute's name, found `12`",
    );
    refused(
        "EXISTS not",
        "at character 8: expected an attribute's name, found `not`",
    );
}

/// `set-expression ::= "(" expression ("," expression)* ")"`
#[test]
fn in_takes_a_set_that_is_not_empty() {
    gives("1 IN (1 + 0, 'x')", true);
    refused("1 IN 1", "at character 6: expected `(` after IN, found `1`");
    refused(
        "1 IN ()",
        "at character 7: expected a value: an attribute, a literal, a function call or `(`, found `)`",
    );
    refused(
        "1 IN (1,)",
        "at character 9: expected a value: an attribute, a literal, a function call or `(`, found `)`",
    );
}

/// `function-identifier ::= char ( "_" | char )*`, `argument-list ::= argument ("," argument)*`
#[test]
fn calls_have_a_name_and_arguments() {
    gives("CONCAT()", "");
    gives("concat ( 'a' , 'b' )", "ab");
    gives("Concat_Ws('-', 'a', 'b')", "a-b");
    let message =
        "at character 1: function names start with a letter and have letters and `_` only";
    refused("F1(1)", message);
    refused("_F(1)", message);
    refused(
        "CONCAT('a' 'b')",
        "at character 12: expected an operator, `,` or `)`, found a string",
    );
}

/// White space may stand between tokens and has no meaning.
#[test]
fn white_space_separates() {
    gives(" \t\r\n1\n+\t1 ", 2);
}

/// Ours: what comes from others is bounded.
#[test]
fn length_and_depth_are_bounded() {
    let chain = |terms: usize| vec!["1"; terms].join("=");
    assert!(Expression::parse(&chain(MAX_LENGTH / 2)).is_ok());
    refused(
        &chain(MAX_LENGTH / 2 + 1),
        "at character 65537: the expression is longer than 65536 bytes",
    );
    for (open, close) in [
        ("(", ")"),
        ("NOT ", ""),
        ("-", ""),
        ("ABS(", ")"),
        ("1 IN (", ")"),
    ] {
        let nested = |depth| open.repeat(depth) + "a" + &close.repeat(depth);
        assert!(Expression::parse(&nested(MAX_DEPTH - 1)).is_ok(), "{open}");
        for depth in [MAX_DEPTH + 1, MAX_LENGTH / 8] {
            let error = Expression::parse(&nested(depth)).unwrap_err();
            let message = "the expression is nested more than 64 levels deep";
            assert_eq!(error.message(), message, "{open}");
        }
    }
    let postfix = "a".to_owned() + &" LIKE 'a'".repeat(MAX_LENGTH / 10);
    assert!(Expression::parse(&postfix).is_err());
}
