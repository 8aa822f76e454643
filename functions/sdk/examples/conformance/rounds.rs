//! Tools whose calls take several rounds: each asks, and goes on with the answers.

use dormouse_function::{Answer, Context, Function, NoArguments, SampleRequest, ToolError};
use futures_util::future::OptionFuture;
use schemars::JsonSchema;
use serde::Deserialize;

/// What this module has.
pub fn offer(function: Function) -> Function {
    function
        .tool(
            "test_input_required_result_elicitation",
            "Ask for a name.",
            elicitation,
        )
        .tool(
            "test_input_required_result_sampling",
            "Ask the client's model.",
            sampling,
        )
        .tool(
            "test_input_required_result_list_roots",
            "Ask which folders the client works on.",
            list_roots,
        )
        .tool(
            "test_input_required_result_request_state",
            "Ask for a confirmation.",
            request_state,
        )
        .tool(
            "test_input_required_result_multiple_inputs",
            "Ask everything at once.",
            multiple_inputs,
        )
        .tool(
            "test_input_required_result_multi_round",
            "Ask twice.",
            multi_round,
        )
        .tool(
            "test_input_required_result_tampered_state",
            "Ask for a confirmation.",
            request_state,
        )
        .tool(
            "test_input_required_result_capabilities",
            "Ask what the client can be asked.",
            capabilities,
        )
}

#[derive(Deserialize, JsonSchema)]
pub struct Name {
    name: String,
}

#[derive(Deserialize, JsonSchema)]
struct Color {
    color: String,
}

#[derive(Deserialize, JsonSchema)]
struct Confirmation {
    ok: bool,
}

async fn elicitation(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    let name = cx.elicit("user_name", "What is your name?").await?;
    Ok(format!("Hello, {}!", name_in(name)))
}

async fn sampling(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    let question = SampleRequest::new(100).user("What is the capital of France?");
    Ok(cx.sample("capital_question", question).await?.text())
}

async fn list_roots(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    let roots = cx.roots("client_roots").await?;
    let uris: Vec<_> = roots.into_iter().map(|root| root.uri).collect();
    Ok(format!("The client works on {}", uris.join(", ")))
}

async fn request_state(cx: Context, _: NoArguments) -> Result<&'static str, ToolError> {
    match cx.elicit("confirm", "Please confirm").await? {
        Answer::Accepted(Confirmation { ok: true }) => Ok("state-ok"),
        Answer::Accepted(Confirmation { ok: false }) | Answer::Declined | Answer::Cancelled => {
            Ok("not confirmed")
        }
    }
}

async fn multiple_inputs(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    let greeting = SampleRequest::new(50).user("Generate a greeting");
    let (name, greeting, roots) = tokio::join!(
        cx.elicit("user_name", "What is your name?"),
        cx.sample("greeting", greeting),
        cx.roots("client_roots"),
    );
    let (name, greeting, roots) = (name_in(name?), greeting?.text(), roots?.len());
    Ok(format!("{greeting} {name}, {roots} roots"))
}

async fn multi_round(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    let name = cx.elicit("step1", "Step 1: What is your name?").await?;
    let color = cx.elicit("step2", "Step 2: What is your favorite color?");
    let color = match color.await? {
        Answer::Accepted(Color { color }) => color,
        Answer::Declined | Answer::Cancelled => "no color".to_owned(),
    };
    Ok(format!("{} likes {color}", name_in(name)))
}

async fn capabilities(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    let client = cx.client();
    let name = client
        .can_elicit()
        .then(|| cx.elicit("user_name", "What is your name?"));
    let greeting = client.can_sample().then(|| {
        let request = SampleRequest::new(50).user("Generate a greeting");
        cx.sample("greeting", request)
    });
    let (name, greeting) = tokio::join!(OptionFuture::from(name), OptionFuture::from(greeting));
    let name = name.transpose()?.map_or_else(nobody, name_in);
    let greeting = greeting.transpose()?.map(|greeting| greeting.text());
    Ok(format!("{} {name}", greeting.unwrap_or_default()))
}

/// What a person said that their name is.
pub fn name_in(answer: Answer<Name>) -> String {
    answer.accepted().map_or_else(nobody, |given| given.name)
}

fn nobody() -> String {
    "nobody".to_owned()
}
