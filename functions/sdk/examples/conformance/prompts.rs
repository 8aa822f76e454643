//! Prompts, one with arguments that are completed while they are typed.

use dormouse_function::{
    Completion, Content, Context, Function, NoArguments, Prompt, PromptMessage, Role, ToolError,
    Typed,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::content::PNG;

/// What this module has.
pub fn offer(function: Function) -> Function {
    let with_arguments = Prompt::new(
        "test_prompt_with_arguments",
        "A prompt that is filled in.",
        with_arguments,
    );
    function
        .prompt("test_simple_prompt", "A prompt as it stands.", simple)
        .with_prompt(with_arguments.complete("arg1", cities))
        .prompt(
            "test_prompt_with_embedded_resource",
            "A prompt about a resource.",
            with_resource,
        )
        .prompt(
            "test_prompt_with_image",
            "A prompt about a picture.",
            with_image,
        )
        .prompt(
            "test_input_required_result_prompt",
            "A prompt that asks what it is to be about.",
            asking,
        )
}

async fn simple(_: Context, _: NoArguments) -> Result<&'static str, ToolError> {
    Ok("This is a simple prompt for testing.")
}

#[derive(Deserialize, JsonSchema)]
struct WithArguments {
    /// First test argument
    arg1: String,
    /// Second test argument
    arg2: String,
}

async fn with_arguments(_: Context, args: WithArguments) -> Result<String, ToolError> {
    let WithArguments { arg1, arg2 } = args;
    Ok(format!(
        "Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"
    ))
}

async fn cities(_: Context, typed: Typed) -> Result<Completion, ToolError> {
    Ok(typed.pick(["paris", "park", "party"]))
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct WithResource {
    /// URI of the resource to embed
    resource_uri: String,
}

async fn with_resource(_: Context, args: WithResource) -> Result<Vec<PromptMessage>, ToolError> {
    let text = "Embedded resource content for testing.";
    let resource = Content::resource(&args.resource_uri, "text/plain", text);
    Ok(vec![
        PromptMessage::new(Role::User, resource),
        PromptMessage::user("Please process the embedded resource above."),
    ])
}

async fn with_image(_: Context, _: NoArguments) -> Result<Vec<PromptMessage>, ToolError> {
    Ok(vec![
        PromptMessage::new(Role::User, Content::image("image/png", PNG)),
        PromptMessage::user("Please analyze the image above."),
    ])
}

#[derive(Deserialize, JsonSchema)]
struct Topic {
    context: String,
}

async fn asking(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    let message = "What context should the prompt use?";
    let topic = cx.elicit("user_context", message).await?.accepted();
    let Topic { context } = topic.ok_or_else(|| ToolError::caller("no context was given"))?;
    Ok(format!("Work with this context: {context}"))
}
