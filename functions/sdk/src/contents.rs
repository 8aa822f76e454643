//! What a resource holds when it is read: texts and bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

/// One piece of a resource (MCP `TextResourceContents`, `BlobResourceContents`).
///
/// ```
/// use dormouse_function::Contents;
/// let page = Contents::text("# Mice").mime_type("text/markdown");
/// let picture = Contents::blob([0x89, 0x50]).mime_type("image/png").uri("test://mice/1.png");
/// # let _ = (page, picture);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    uri: Option<String>,
    mime_type: Option<String>,
    body: Body,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Body {
    Text(String),
    /// In base64.
    Blob(String),
}

impl Contents {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(Body::Text(text.into()))
    }

    /// Bytes.
    pub fn blob(bytes: impl AsRef<[u8]>) -> Self {
        Self::new(Body::Blob(STANDARD.encode(bytes)))
    }

    /// Bytes that are in base64 already.
    pub fn base64(blob: impl Into<String>) -> Self {
        Self::new(Body::Blob(blob.into()))
    }

    fn new(body: Body) -> Self {
        Self {
            uri: None,
            mime_type: None,
            body,
        }
    }

    /// The media type. Default: what was declared of the resource.
    #[must_use]
    pub fn mime_type(mut self, mime_type: impl Into<String>) -> Self {
        self.mime_type = Some(mime_type.into());
        self
    }

    /// Where this piece is. Default: what was read.
    #[must_use]
    pub fn uri(mut self, uri: impl Into<String>) -> Self {
        self.uri = Some(uri.into());
        self
    }
}

/// What a resource's handler may return: a text, bytes, [`Contents`], or a `Vec` of them.
pub trait IntoContents {
    /// The pieces.
    fn into_contents(self) -> Vec<Contents>;
}

impl IntoContents for Vec<Contents> {
    fn into_contents(self) -> Vec<Contents> {
        self
    }
}

impl IntoContents for Contents {
    fn into_contents(self) -> Vec<Contents> {
        vec![self]
    }
}

impl IntoContents for String {
    fn into_contents(self) -> Vec<Contents> {
        vec![Contents::text(self)]
    }
}

impl IntoContents for &'static str {
    fn into_contents(self) -> Vec<Contents> {
        vec![Contents::text(self)]
    }
}

impl IntoContents for Vec<u8> {
    fn into_contents(self) -> Vec<Contents> {
        vec![Contents::blob(self)]
    }
}

/// MCP `ReadResourceResult`.
#[derive(Debug, Serialize)]
pub(crate) struct ReadResult {
    contents: Vec<Piece>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Piece {
    uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mime_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blob: Option<String>,
}

impl ReadResult {
    /// The result of a read at `uri` of something declared as `mime_type`.
    pub(crate) fn of(contents: Vec<Contents>, uri: &str, mime_type: Option<&str>) -> Self {
        let piece = |contents: Contents| {
            let (text, blob) = match contents.body {
                Body::Text(text) => (Some(text), None),
                Body::Blob(blob) => (None, Some(blob)),
            };
            Piece {
                uri: contents.uri.unwrap_or_else(|| uri.to_owned()),
                mime_type: contents.mime_type.or_else(|| mime_type.map(str::to_owned)),
                text,
                blob,
            }
        };
        Self {
            contents: contents.into_iter().map(piece).collect(),
        }
    }
}
