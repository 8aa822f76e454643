//! An MCP tool result as text for a terminal.

use serde::Deserialize;
use serde_json::Value;

/// A `CallToolResult`, as far as a terminal shows it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolResult {
    /// MCP content blocks.
    #[serde(default)]
    content: Vec<Value>,
    /// The result as data, where the tool declares a schema of it.
    #[serde(default)]
    structured_content: Option<Value>,
    /// Whether the tool says that it failed.
    #[serde(default)]
    pub is_error: bool,
}

impl ToolResult {
    /// What the tool says, block by block; its data where it says nothing.
    pub(super) fn to_text(&self) -> String {
        if let ([], Some(data)) = (self.content.as_slice(), &self.structured_content) {
            return format!("{data:#}");
        }
        let blocks: Vec<_> = self.content.iter().map(block).collect();
        blocks.join("\n")
    }
}

fn block(block: &Value) -> String {
    let text = |pointer: &str| block.pointer(pointer).and_then(Value::as_str);
    let kind = text("/type").unwrap_or_default();
    match kind {
        "text" => text("/text").unwrap_or_default().to_owned(),
        "image" | "audio" => binary(kind, text("/mimeType"), text("/data")),
        "resource" => match text("/resource/text") {
            Some(content) => content.to_owned(),
            None => binary(
                text("/resource/uri").unwrap_or(kind),
                text("/resource/mimeType"),
                text("/resource/blob"),
            ),
        },
        "resource_link" => {
            let name = text("/title").or(text("/name")).unwrap_or("resource");
            format!("{name}: {}", text("/uri").unwrap_or_default())
        }
        _ => block.to_string(),
    }
}

fn binary(what: &str, media: Option<&str>, base64: Option<&str>) -> String {
    let bytes = base64.map_or(0, |text| text.trim_end_matches('=').len() * 3 / 4);
    let media = media.unwrap_or("of unknown type");
    format!("[{what} {media}, {bytes} bytes: `-o json` prints it]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_content_has_its_text() {
        for (json, expected) in [
            (
                r#"{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}"#,
                "a\nb",
            ),
            (
                r#"{"content":[{"type":"image","mimeType":"image/png","data":"AAAA"}]}"#,
                "[image image/png, 3 bytes: `-o json` prints it]",
            ),
            (
                r#"{"content":[{"type":"resource","resource":{"uri":"test://x","text":"inside"}}]}"#,
                "inside",
            ),
            (
                r#"{"content":[{"type":"resource","resource":{"uri":"test://x","blob":"AAA="}}]}"#,
                "[test://x of unknown type, 2 bytes: `-o json` prints it]",
            ),
            (
                r#"{"content":[{"type":"resource_link","name":"n","uri":"test://x"}]}"#,
                "n: test://x",
            ),
            (r#"{"content":[{"type":"new"}]}"#, r#"{"type":"new"}"#),
            (
                r#"{"content":[],"structuredContent":{"a":1}}"#,
                "{\n  \"a\": 1\n}",
            ),
            ("{}", ""),
        ] {
            let result: ToolResult = serde_json::from_str(json).unwrap();
            assert_eq!(result.to_text(), expected);
        }
    }
}
