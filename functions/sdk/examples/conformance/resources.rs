//! Resources, and a template of them.

use dormouse_function::{
    Contents, Context, Function, NoArguments, Resource, ResourceTemplate, ToolError,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::content::PNG;

const WATCHED: &str = "test://watched-resource";

/// What this module has.
pub fn offer(function: Function) -> Function {
    let text = Resource::new("test://static-text", "Static Text Resource", text)
        .description("A text.")
        .mime_type("text/plain");
    let binary = Resource::new("test://static-binary", "Static Binary Resource", binary)
        .description("A picture.")
        .mime_type("image/png");
    let watched = Resource::new(WATCHED, "Watched Resource", watched)
        .description("A text that changes when `test_trigger_resource_change` is called.")
        .mime_type("text/plain");
    let template = ResourceTemplate::new("test://template/{id}/data", "Data by ID", data)
        .description("What there is under an ID.")
        .mime_type("application/json");
    function
        .with_resource(text)
        .with_resource(binary)
        .with_resource(watched)
        .with_template(template)
        .tool(
            "test_trigger_resource_change",
            "Say that the watched resource has changed.",
            trigger_change,
        )
}

async fn text(_: Context) -> Result<&'static str, ToolError> {
    Ok("This is the content of the static text resource.")
}

async fn binary(_: Context) -> Result<Contents, ToolError> {
    Ok(Contents::base64(PNG))
}

async fn watched(_: Context) -> Result<&'static str, ToolError> {
    Ok("Watched resource content")
}

#[derive(Deserialize, JsonSchema)]
struct Key {
    id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    id: String,
    template_test: bool,
    data: String,
}

async fn data(_: Context, Key { id }: Key) -> Result<String, ToolError> {
    let data = format!("Data for ID: {id}");
    Ok(serde_json::to_string(&Data {
        id,
        template_test: true,
        data,
    })?)
}

async fn trigger_change(cx: Context, _: NoArguments) -> Result<&'static str, ToolError> {
    cx.resource_updated(WATCHED).await?;
    Ok("changed")
}
