//! What a tool answers: text, structured data, or any list of MCP content.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::error::ToolError;
use crate::schema;

/// What a handler may return: [`String`], `&'static str`, `()`, [`Content`], a `Vec` of it,
/// [`Structured`], or a [`ToolResult`].
pub trait IntoToolResult {
    /// The MCP result.
    ///
    /// # Errors
    /// When the value cannot be written as JSON.
    fn into_tool_result(self) -> Result<ToolResult, ToolError>;

    /// The JSON Schema of `structuredContent`, for those that have one.
    #[must_use]
    fn output_schema() -> Option<serde_json::Value> {
        None
    }
}

/// An MCP `CallToolResult`.
///
/// ```
/// use dormouse_function::{Content, ToolResult};
/// let result = ToolResult::text("a mouse").with(Content::image("image/png", "iVBORw0KGgo="));
/// assert_eq!(result.content.len(), 2);
/// ```
#[derive(Debug, Default, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolResult {
    /// What the model and the person see.
    pub content: Vec<Content>,
    /// Data for programs, a JSON object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub structured_content: Option<Box<RawValue>>,
    /// Whether this tells of a mistake instead of a result.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_error: bool,
    /// The result's `_meta`.
    #[serde(rename = "_meta", skip_serializing_if = "BTreeMap::is_empty")]
    pub meta: BTreeMap<String, serde_json::Value>,
}

impl ToolResult {
    /// A result with one text.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            content: vec![Content::text(text)],
            ..Self::default()
        }
    }

    /// A mistake of the caller, in words; the same as returning [`ToolError::caller`].
    pub fn mistake(text: impl Into<String>) -> Self {
        Self {
            is_error: true,
            ..Self::text(text)
        }
    }

    /// The same result with more content.
    #[must_use]
    pub fn with(mut self, content: Content) -> Self {
        self.content.push(content);
        self
    }

    /// The same result with an entry in `_meta`.
    #[must_use]
    pub fn with_meta(mut self, key: impl Into<String>, value: serde_json::Value) -> Self {
        self.meta.insert(key.into(), value);
        self
    }
}

/// One MCP `ContentBlock`.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct Content(Box<RawValue>);

/// The content blocks that have a constructor, as MCP writes them.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text {
        text: &'a str,
    },
    #[serde(rename_all = "camelCase")]
    Image {
        data: &'a str,
        mime_type: &'a str,
    },
    #[serde(rename_all = "camelCase")]
    Audio {
        data: &'a str,
        mime_type: &'a str,
    },
    ResourceLink {
        uri: &'a str,
        name: &'a str,
    },
    Resource {
        resource: Embedded<'a>,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Embedded<'a> {
    uri: &'a str,
    mime_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blob: Option<&'a str>,
}

impl Content {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        Self::block(&Block::Text { text: &text })
    }

    /// A picture: its media type, and its bytes in base64.
    #[must_use]
    pub fn image(mime_type: &str, data: &str) -> Self {
        Self::block(&Block::Image { data, mime_type })
    }

    /// A sound: its media type, and its bytes in base64.
    #[must_use]
    pub fn audio(mime_type: &str, data: &str) -> Self {
        Self::block(&Block::Audio { data, mime_type })
    }

    /// A pointer to a resource that the client may read.
    #[must_use]
    pub fn resource_link(uri: &str, name: &str) -> Self {
        Self::block(&Block::ResourceLink { uri, name })
    }

    /// A text resource with its content.
    #[must_use]
    pub fn resource(uri: &str, mime_type: &str, text: &str) -> Self {
        Self::block(&Block::Resource {
            resource: Embedded {
                uri,
                mime_type,
                text: Some(text),
                blob: None,
            },
        })
    }

    /// A resource with its bytes, in base64.
    #[must_use]
    pub fn resource_blob(uri: &str, mime_type: &str, blob: &str) -> Self {
        Self::block(&Block::Resource {
            resource: Embedded {
                uri,
                mime_type,
                text: None,
                blob: Some(blob),
            },
        })
    }

    /// Any other block, to the letter.
    #[must_use]
    pub fn raw(block: Box<RawValue>) -> Self {
        Self(block)
    }

    /// The block as JSON.
    #[must_use]
    pub fn as_json(&self) -> &str {
        self.0.get()
    }

    fn block(block: &Block<'_>) -> Self {
        Self(to_raw_value(block).expect("strings in structs are always valid JSON"))
    }
}

/// Data for programs: `structuredContent` with its schema in the tool's `outputSchema`, and the
/// same JSON as text for clients that read only text. `T` must be written as a JSON object.
#[derive(Debug, Clone, Copy)]
pub struct Structured<T>(pub T);

impl<T: Serialize + JsonSchema> IntoToolResult for Structured<T> {
    fn into_tool_result(self) -> Result<ToolResult, ToolError> {
        let json = to_raw_value(&self.0)?;
        Ok(ToolResult {
            content: vec![Content::text(json.get())],
            structured_content: Some(json),
            ..ToolResult::default()
        })
    }

    fn output_schema() -> Option<serde_json::Value> {
        Some(schema::output::<T>())
    }
}

impl IntoToolResult for ToolResult {
    fn into_tool_result(self) -> Result<ToolResult, ToolError> {
        Ok(self)
    }
}

impl IntoToolResult for String {
    fn into_tool_result(self) -> Result<ToolResult, ToolError> {
        Ok(ToolResult::text(self))
    }
}

impl IntoToolResult for &'static str {
    fn into_tool_result(self) -> Result<ToolResult, ToolError> {
        Ok(ToolResult::text(self))
    }
}

impl IntoToolResult for () {
    fn into_tool_result(self) -> Result<ToolResult, ToolError> {
        Ok(ToolResult::default())
    }
}

impl IntoToolResult for Content {
    fn into_tool_result(self) -> Result<ToolResult, ToolError> {
        Ok(ToolResult::default().with(self))
    }
}

impl IntoToolResult for Vec<Content> {
    fn into_tool_result(self) -> Result<ToolResult, ToolError> {
        Ok(ToolResult {
            content: self,
            ..ToolResult::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(value: impl IntoToolResult) -> String {
        serde_json::to_string(&value.into_tool_result().unwrap()).unwrap()
    }

    #[test]
    fn results_are_written_as_mcp_has_them() {
        assert_eq!(json("hi"), r#"{"content":[{"type":"text","text":"hi"}]}"#);
        assert_eq!(json(()), r#"{"content":[]}"#);
        assert_eq!(
            json(ToolResult::mistake("no").with_meta("a/b", 1.into())),
            r#"{"content":[{"type":"text","text":"no"}],"isError":true,"_meta":{"a/b":1}}"#
        );
        assert_eq!(
            json(Content::image("image/png", "AA==")),
            r#"{"content":[{"type":"image","data":"AA==","mimeType":"image/png"}]}"#
        );
        assert_eq!(
            json(vec![Content::resource("test://a", "text/plain", "x")]),
            r#"{"content":[{"type":"resource","resource":{"uri":"test://a","mimeType":"text/plain","text":"x"}}]}"#
        );
    }

    #[test]
    fn structured_data_comes_with_a_copy_as_text() {
        #[derive(Serialize, JsonSchema)]
        struct Sum {
            sum: i64,
        }
        assert_eq!(
            json(Structured(Sum { sum: 3 })),
            r#"{"content":[{"type":"text","text":"{\"sum\":3}"}],"structuredContent":{"sum":3}}"#
        );
        assert!(Structured::<Sum>::output_schema().is_some());
    }
}
