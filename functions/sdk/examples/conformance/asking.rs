//! Tools that ask the client, whichever way its era has for that.

use dormouse_function::{Answer, Context, Function, NoArguments, SampleRequest, ToolError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What this module has.
pub fn offer(function: Function) -> Function {
    function
        .tool("test_sampling", "Ask the client's model.", sampling)
        .tool("test_elicitation", "Ask who it is.", elicitation)
        .tool(
            "test_elicitation_sep1034_defaults",
            "Ask with a form that is filled in already.",
            defaults,
        )
        .tool(
            "test_elicitation_sep1330_enums",
            "Ask with a form of choices.",
            choices,
        )
        .tool(
            "test_streaming_elicitation",
            "Tell of progress, then ask.",
            streaming,
        )
        .tool(
            "test_missing_capability",
            "Ask the client's model, which this client need not have.",
            missing_capability,
        )
}

#[derive(Deserialize, JsonSchema)]
struct Sampling {
    /// What the model is asked.
    prompt: String,
}

async fn sampling(cx: Context, args: Sampling) -> Result<String, ToolError> {
    let request = SampleRequest::new(100).user(args.prompt);
    let sampled = cx.sample("completion", request).await?;
    Ok(format!("LLM response: {}", sampled.text()))
}

#[derive(Deserialize, JsonSchema)]
struct Elicitation {
    /// What the person reads.
    message: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct User {
    /// User's response
    username: String,
    /// User's email address
    email: String,
}

async fn elicitation(cx: Context, args: Elicitation) -> Result<String, ToolError> {
    let answer = cx.elicit::<User>("user", args.message).await?;
    Ok(format!("User response: {}", told(&answer)?))
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(default)]
struct Profile {
    name: String,
    age: u8,
    score: f64,
    status: Status,
    verified: bool,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Status {
    Active,
    Inactive,
    Pending,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            name: "John Doe".to_owned(),
            age: 30,
            score: 95.5,
            status: Status::Active,
            verified: true,
        }
    }
}

async fn defaults(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    let message = "Please review and update the form fields with defaults";
    let answer = cx.elicit::<Profile>("profile", message).await?;
    Ok(format!("Elicitation completed: {}", told(&answer)?))
}

async fn choices(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    let plain = json!({"type": "string", "enum": ["option1", "option2", "option3"]});
    let titled = |ordinals: [&str; 3], noun: &str| -> Vec<Value> {
        (1..)
            .zip(ordinals)
            .map(|(n, ordinal)| json!({"const": format!("value{n}"), "title": format!("{ordinal} {noun}")}))
            .collect()
    };
    let ordinals = ["First", "Second", "Third"];
    // Written out, because one of the five is deprecated: no type makes it any more.
    let params = json!({
        "mode": "form",
        "message": "Please select options from the enum fields",
        "requestedSchema": {
            "type": "object",
            "properties": {
                "untitledSingle": plain,
                "titledSingle": {"type": "string", "oneOf": titled(ordinals, "Option")},
                "legacyEnum": {
                    "type": "string",
                    "enum": ["opt1", "opt2", "opt3"],
                    "enumNames": ["Option One", "Option Two", "Option Three"],
                },
                "untitledMulti": {"type": "array", "items": plain},
                "titledMulti": {"type": "array", "items": {"anyOf": titled(ordinals, "Choice")}},
            },
        },
    });
    let answer = cx
        .elicit_with::<Map<String, Value>>("choices", &params)
        .await?;
    Ok(format!("Elicitation completed: {}", told(&answer)?))
}

async fn streaming(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    cx.progress(1.0, 2.0, "about to ask");
    let answer = cx.elicit::<User>("user", "Who is it?").await?;
    Ok(format!("User response: {}", told(&answer)?))
}

async fn missing_capability(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    let request = SampleRequest::new(100).user("Say something.");
    Ok(cx.sample("something", request).await?.text())
}

/// What the person did, in the words of MCP.
fn told<T: Serialize>(answer: &Answer<T>) -> Result<String, ToolError> {
    let (action, content) = match answer {
        Answer::Accepted(content) => ("accept", serde_json::to_string(content)?),
        Answer::Declined => ("decline", "{}".to_owned()),
        Answer::Cancelled => ("cancel", "{}".to_owned()),
    };
    Ok(format!("action={action}, content={content}"))
}
