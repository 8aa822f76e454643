//! A trigger's filters in words.

use std::collections::BTreeMap;

use dormouse_contract::filter::Filter;

/// What a trigger takes.
pub(super) fn of_trigger(filters: &[Filter]) -> String {
    match filters {
        [] => "every event".to_owned(),
        filters => joined(filters, " and "),
    }
}

fn of(filter: &Filter) -> String {
    match filter {
        Filter::All(filters) if filters.is_empty() => "every event".to_owned(),
        Filter::All(filters) => joined(filters, " and "),
        Filter::Any(filters) => joined(filters, " or "),
        Filter::Not(filter) => format!("not ({})", of(filter)),
        Filter::Exact(wanted) => compared(wanted, "is"),
        Filter::Prefix(wanted) => compared(wanted, "starts with"),
        Filter::Suffix(wanted) => compared(wanted, "ends with"),
        Filter::Cesql(expression) => expression.text().to_owned(),
    }
}

/// In brackets where another word than the one that joins could stand in them.
fn joined(filters: &[Filter], word: &str) -> String {
    let parts = filters.iter().map(|filter| {
        let is_compound = match filter {
            Filter::All(inner) | Filter::Any(inner) => inner.len() > 1,
            Filter::Exact(wanted) | Filter::Prefix(wanted) | Filter::Suffix(wanted) => {
                wanted.len() > 1
            }
            Filter::Cesql(_) => true,
            Filter::Not(_) => false,
        };
        match is_compound && filters.len() > 1 {
            true => format!("({})", of(filter)),
            false => of(filter),
        }
    });
    parts.collect::<Vec<_>>().join(word)
}

fn compared(wanted: &BTreeMap<String, String>, how: &str) -> String {
    let parts = wanted
        .iter()
        .map(|(name, value)| format!("{name} {how} {value:?}"));
    parts.collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn filters_are_told_in_words() {
        for (filters, words) in [
            (json!([]), "every event"),
            (json!([{}]), "every event"),
            (json!([{"exact": {"type": "t"}}]), r#"type is "t""#),
            (
                json!([{"prefix": {"type": "com."}}, {"not": {"suffix": {"source": "/x"}}}]),
                r#"type starts with "com." and not (source ends with "/x")"#,
            ),
            (
                json!([
                    {"any": [{"exact": {"type": "a"}}, {"exact": {"type": "b", "subject": "s"}}]},
                    {"cesql": "n > 1"},
                ]),
                r#"(type is "a" or (subject is "s" and type is "b")) and (n > 1)"#,
            ),
        ] {
            let filters: Vec<Filter> = serde_json::from_value(filters).unwrap();
            assert_eq!(of_trigger(&filters), words);
        }
    }
}
