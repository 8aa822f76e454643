//! Tools ranked by the words that they share with a query: BM25 over stems (Robertson and
//! Zaragoza, "The Probabilistic Relevance Framework", 2009).

use bm25::{Document, Language, SearchEngine, SearchEngineBuilder};
use serde_json::Value;

/// How deep into a schema arguments are looked for.
const DEPTH: usize = 4;

/// What every tool is about.
pub(super) struct Index {
    engine: SearchEngine<usize>,
}

impl std::fmt::Debug for Index {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Index")
    }
}

impl Index {
    /// The index of these MCP `Tool` objects.
    pub fn of(objects: &[&str]) -> Self {
        let documents: Vec<Document<usize>> = objects
            .iter()
            .enumerate()
            .map(|(place, object)| Document::new(place, words(object)))
            .collect();
        let engine = SearchEngineBuilder::with_documents(Language::English, documents).build();
        Self { engine }
    }

    /// The places of the best objects, the best first; equal ones in their order.
    pub fn search(&self, query: &str, limit: usize) -> Vec<usize> {
        let mut found = self.engine.search(&parted(query), None);
        found.sort_by(|one, two| {
            two.score
                .total_cmp(&one.score)
                .then(one.document.id.cmp(&two.document.id))
        });
        found
            .into_iter()
            .take(limit)
            .map(|hit| hit.document.id)
            .collect()
    }
}

/// A tool in words: its name and title (which count twice), its description, its arguments.
fn words(object: &str) -> String {
    let tool: Value = serde_json::from_str(object).unwrap_or_default();
    let mut text = String::new();
    for name in ["name", "title", "name", "title", "description"] {
        add(&tool[name], &mut text);
    }
    add_arguments(&tool["inputSchema"], DEPTH, &mut text);
    text
}

fn add_arguments(schema: &Value, depth: usize, text: &mut String) {
    let Some(deeper) = depth.checked_sub(1) else {
        return;
    };
    let properties = schema["properties"].as_object().into_iter().flatten();
    for (name, property) in properties {
        text.push_str(&parted(name));
        text.push(' ');
        add(&property["title"], text);
        add(&property["description"], text);
        add_arguments(property, deeper, text);
        add_arguments(&property["items"], deeper, text);
    }
}

fn add(value: &Value, text: &mut String) {
    if let Some(words) = value.as_str() {
        text.push_str(&parted(words));
        text.push(' ');
    }
}

/// The words of a text, those of `snake_case` and `camelCase` names among them.
fn parted(text: &str) -> String {
    let mut parted = String::with_capacity(text.len() + 8);
    let mut before = ' ';
    for letter in text.chars() {
        if letter.is_uppercase() && before.is_lowercase() {
            parted.push(' ');
        }
        parted.push(if matches!(letter, '_' | '-' | '.' | '/') {
            ' '
        } else {
            letter
        });
        before = letter;
    }
    parted
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOLS: [&str; 4] = [
        r#"{"name":"create_issue","description":"Open a new issue in a repository."}"#,
        r#"{"name":"sendMail","title":"Mail","description":"Send a message to a person."}"#,
        r#"{"name":"query","description":"Run SQL.","inputSchema":{"properties":{
            "database":{"description":"which database to read"}}}}"#,
        r#"{"name":"weather.forecast","description":"What the sky will do."}"#,
    ];

    fn search(query: &str) -> Vec<usize> {
        Index::of(&TOOLS).search(query, 10)
    }

    #[test]
    fn names_descriptions_and_arguments_are_searched() {
        assert_eq!(search("issues"), [0]);
        assert_eq!(search("send an email or mail"), [1]);
        assert_eq!(search("databases"), [2]);
        assert_eq!(search("forecasting"), [3]);
        assert_eq!(search("create"), [0]);
        assert!(search("volcano").is_empty() && search("").is_empty());
    }

    #[test]
    fn equals_keep_their_order_and_the_limit_holds() {
        let twins = [TOOLS[0]; 6];
        assert_eq!(Index::of(&twins).search("issue", 3), [0, 1, 2]);
        assert!(Index::of(&[]).search("issue", 3).is_empty());
    }
}
