//! Finds the line and column of a field, for errors that are found after the YAML was read.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

use crate::field::{Field, Step};

/// Line and column of a field of a document, both from 1. A field that is absent is located at its
/// nearest ancestor.
pub(crate) fn locate(document: &str, field: &Field) -> (u64, u64) {
    let Ok(root) = serde_saphyr::from_str::<Spanned<Node>>(document) else {
        return (1, 1);
    };
    let mut at = &root;
    for step in field.steps() {
        let next = match (&at.value, step) {
            (Node::Map(members), Step::Key(key)) => members.get(key),
            (Node::List(elements), Step::Index(index)) => elements.get(*index),
            (Node::Map(_) | Node::List(_) | Node::Scalar, Step::Key(_) | Step::Index(_)) => None,
        };
        match next {
            Some(node) => at = node,
            None => break,
        }
    }
    (at.referenced.line().max(1), at.referenced.column().max(1))
}

/// The way to the value that starts at a line and column of a document; `None` when nothing starts
/// there, or the text is no YAML.
pub(crate) fn field_at(document: &str, line: u64, column: u64) -> Option<Field> {
    let root = serde_saphyr::from_str::<Spanned<Node>>(document).ok()?;
    search(&root, (line, column), Field::default())
}

fn search(node: &Spanned<Node>, place: (u64, u64), field: Field) -> Option<Field> {
    let deeper = match &node.value {
        Node::Map(members) => members
            .iter()
            .find_map(|(key, member)| search(member, place, field.clone().key(key))),
        Node::List(elements) => elements
            .iter()
            .enumerate()
            .find_map(|(index, element)| search(element, place, field.clone().index(index))),
        Node::Scalar => None,
    };
    let here = (node.referenced.line(), node.referenced.column()) == place;
    deeper.or_else(|| here.then_some(field))
}

enum Node {
    Map(BTreeMap<String, Spanned<Node>>),
    List(Vec<Spanned<Node>>),
    Scalar,
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Node;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("any YAML")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((key, value)) = map.next_entry()? {
            members.insert(key, value);
        }
        Ok(Node::Map(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = list.next_element()? {
            elements.push(element);
        }
        Ok(Node::List(elements))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_str<E>(self, _: &str) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
---
list:
  - name: x
  - name: y
other: true
";

    #[test]
    fn fields_are_found() {
        let at = |field| locate(TEXT, &field);
        assert_eq!(locate("a: {b: 1}", &Field::of(&["a", "b"])), (1, 8));
        assert_eq!(at(Field::of(&["list"]).index(1).key("name")), (5, 11));
        assert_eq!(at(Field::of(&["other"])), (6, 8));
    }

    #[test]
    fn an_absent_field_is_at_its_nearest_ancestor() {
        let (line, _) = locate(TEXT, &Field::of(&["list"]).index(0).key("value"));
        assert_eq!(line, 4);
        assert_eq!(locate("{", &Field::of(&["a"])), (1, 1));
    }

    #[test]
    fn the_field_at_a_place_is_found() {
        let field = field_at(TEXT, 5, 11).map(|field| field.to_string());
        assert_eq!(field.as_deref(), Some("list[1].name"));
        assert_eq!(field_at(TEXT, 9, 1), None);
    }
}
