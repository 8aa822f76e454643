//! Round trips of generated trees, and of what tends to go wrong.

use alloc::boxed::Box;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use proptest::prelude::*;

use super::is_writable_in;
use crate::expression::Expression;
use crate::function::Functions;
use crate::node::{Call, Chain, Comparison, In, Like, Logic, Node, Product, Sum};
use crate::parse::{self, MAX_DEPTH};
use crate::pattern::Pattern;

/// Texts that can be written in at least one kind of quotes; no other can be parsed.
fn text() -> impl Strategy<Value = String> {
    "[ab%_'\"\\\\ é]{0,6}".prop_filter("cannot be written", |text| {
        is_writable_in(text, '\'') || is_writable_in(text, '"')
    })
}

fn name() -> impl Strategy<Value = Box<str>> {
    "[a-z0-9]{0,6}[a-z][0-9]?"
        .prop_filter("a keyword", |name| {
            let parsed = parse::parse(name, &Functions::default());
            matches!(parsed, Ok(Node::Attribute(_)))
        })
        .prop_map(String::into_boxed_str)
}

fn leaf() -> impl Strategy<Value = Node> {
    prop_oneof![
        any::<bool>().prop_map(Node::Boolean),
        any::<i32>().prop_map(Node::Integer),
        text().prop_map(|text| Node::String(text.into())),
        name().prop_map(Node::Attribute),
        name().prop_map(Node::Exists),
    ]
}

fn chain<Operator: Clone + core::fmt::Debug + 'static>(
    operators: &'static [Operator],
    node: BoxedStrategy<Node>,
) -> impl Strategy<Value = Box<Chain<Operator>>> {
    let operator = prop::sample::select(operators);
    let rest = prop::collection::vec((operator, node.clone()), 1..4);
    (node, rest).prop_map(|(first, rest)| {
        let rest = rest.into();
        Box::new(Chain { first, rest })
    })
}

fn call((name, arguments): (&str, Vec<Node>)) -> Node {
    Node::Call(Box::new(Call {
        name: name.into(),
        target: Functions::default().resolve(name, arguments.len()),
        arguments: arguments.into(),
    }))
}

fn tree() -> impl Strategy<Value = Node> {
    leaf().prop_recursive(6, 64, 4, |node| {
        let node = node.boxed();
        let nodes = |at_least| prop::collection::vec(node.clone(), at_least..4);
        let like = (node.clone(), any::<bool>(), text()).prop_map(|(operand, negated, pattern)| {
            let pattern = Pattern::new(&pattern);
            Node::Like(Box::new(Like {
                operand,
                negated,
                pattern,
            }))
        });
        let within = (node.clone(), any::<bool>(), nodes(1)).prop_map(|(operand, negated, set)| {
            let set = set.into();
            Node::In(Box::new(In {
                operand,
                negated,
                set,
            }))
        });
        let names = prop::sample::select(&["LEFT", "CONCAT", "NO_SUCH"][..]);
        prop_oneof![
            node.clone().prop_map(|it| Node::Not(it.into())),
            node.clone().prop_map(|it| Node::Negate(it.into())),
            like,
            within,
            chain(
                &[Product::Times, Product::Divide, Product::Remainder],
                node.clone()
            )
            .prop_map(Node::Product),
            chain(&[Sum::Plus, Sum::Minus], node.clone()).prop_map(Node::Sum),
            chain(
                &[
                    Comparison::Equal,
                    Comparison::NotEqual,
                    Comparison::Less,
                    Comparison::LessOrEqual,
                    Comparison::Greater,
                    Comparison::GreaterOrEqual,
                ],
                node.clone(),
            )
            .prop_map(Node::Comparison),
            chain(&[Logic::And, Logic::Or, Logic::Xor], node.clone()).prop_map(Node::Logic),
            (names, nodes(0)).prop_map(call),
        ]
    })
}

proptest! {
    #[test]
    fn a_printed_tree_parses_to_itself(tree in tree()) {
        let printed = tree.to_string();
        let parsed = parse::parse(&printed, &Functions::default());
        prop_assert_eq!(parsed, Ok(tree), "{}", printed);
    }
}

#[test]
fn only_needed_parentheses_are_printed() {
    for (written, printed) in [
        ("((a))", "a"),
        ("(a and b) or c", "(a AND b) OR c"),
        ("a and b or c", "a AND b OR c"),
        ("a or (b and c)", "a OR (b AND c)"),
        ("a*b+c", "a * b + c"),
        ("a*(b+c)", "a * (b + c)"),
        ("not (a = b)", "NOT (a = b)"),
        ("(not a) = b", "NOT a = b"),
        ("(a like 'x') in (1,2)", "a LIKE 'x' IN (1, 2)"),
        ("- 5", "-(5)"),
        ("-5", "-5"),
        ("--5", "-(-5)"),
        ("a <> b", "a != b"),
        ("exists Subject", "EXISTS subject"),
        ("left(a , 1)", "LEFT(a, 1)"),
        (r#"'it\'s'"#, r#"'it\'s'"#),
        (r#""\'""#, r#""\'""#),
        (r#"'\\'"#, r#"'\\'"#),
    ] {
        let expression = Expression::parse(written).unwrap();
        assert_eq!(expression.to_string(), printed);
        assert_eq!(expression.text(), written);
        assert_eq!(Expression::parse(printed).unwrap(), expression);
    }
}

#[test]
fn the_deepest_tree_parses_again() {
    for written in [
        "-".repeat(MAX_DEPTH - 1) + " 5",
        "NOT ".repeat(MAX_DEPTH - 1) + "a",
        "(1 + ".repeat(MAX_DEPTH - 1) + "1" + &")".repeat(MAX_DEPTH - 1),
        "ABS(".repeat(MAX_DEPTH - 1) + "1" + &")".repeat(MAX_DEPTH - 1),
        "a".to_string() + &" LIKE 'x'".repeat(MAX_DEPTH - 1),
    ] {
        let expression = Expression::parse(&written).unwrap();
        let again = Expression::parse(&expression.to_string()).unwrap();
        assert_eq!(again, expression);
    }
}
