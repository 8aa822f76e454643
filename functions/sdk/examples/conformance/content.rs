//! Tools that answer at once, with every kind of content.

use dormouse_function::{Content, Context, Function, NoArguments, ToolError, ToolResult};

/// One grey pixel.
pub const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNoAAAAggCB2kUIOwAAAABJRU5ErkJggg==";
/// Two samples of silence.
pub const WAV: &str = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQIAAACAgA==";

/// What this module has.
pub fn offer(function: Function) -> Function {
    function
        .tool("test_simple_text", "Answer with a text.", simple_text)
        .tool("test_image_content", "Answer with a picture.", image)
        .tool("test_audio_content", "Answer with a sound.", audio)
        .tool(
            "test_embedded_resource",
            "Answer with a resource.",
            embedded_resource,
        )
        .tool(
            "test_multiple_content_types",
            "Answer with a text, a picture and a resource.",
            multiple_content_types,
        )
        .tool(
            "test_error_handling",
            "Find the caller mistaken.",
            error_handling,
        )
}

async fn simple_text(_: Context, _: NoArguments) -> Result<&'static str, ToolError> {
    Ok("This is a simple text response for testing.")
}

async fn image(_: Context, _: NoArguments) -> Result<Content, ToolError> {
    Ok(Content::image("image/png", PNG))
}

async fn audio(_: Context, _: NoArguments) -> Result<Content, ToolError> {
    Ok(Content::audio("audio/wav", WAV))
}

async fn embedded_resource(_: Context, _: NoArguments) -> Result<Content, ToolError> {
    Ok(Content::resource(
        "test://embedded-resource",
        "text/plain",
        "This is an embedded resource content.",
    ))
}

async fn multiple_content_types(_: Context, _: NoArguments) -> Result<ToolResult, ToolError> {
    let json = r#"{"test":"data","value":123}"#;
    Ok(ToolResult::text("Multiple content types test:")
        .with(Content::image("image/png", PNG))
        .with(Content::resource(
            "test://mixed-content-resource",
            "application/json",
            json,
        )))
}

async fn error_handling(_: Context, _: NoArguments) -> Result<(), ToolError> {
    Err(ToolError::caller(
        "This tool intentionally returns an error for testing",
    ))
}
