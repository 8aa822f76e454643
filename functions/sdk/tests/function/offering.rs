//! Tools whose schemas an author wrote, and results that are checked.

use dormouse_function::{
    Context, Function, Icon, NoArguments, Settings, Structured, TaskSupport, Tool, ToolError,
    ToolResult,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::harness::{Running, start};

const INPUT: &str = r##"{ "$schema":"https://json-schema.org/draft/2020-12/schema","type":"object",
  "$defs":{"street":{"type":"string","minLength":2}},
  "properties":{"z":{"$ref":"#/$defs/street"},"a":{"type":"number","minimum":1.0}},
  "required":["z"],"additionalProperties":false }"##;

const OUTPUT: &str =
    r#"{"type":"object","properties":{"sum":{"type":"integer"}},"required":["sum"]}"#;

async fn address(_: Context, args: Map<String, Value>) -> Result<String, ToolError> {
    Ok(Value::Object(args).to_string())
}

#[derive(Serialize, JsonSchema)]
struct Share {
    #[schemars(range(min = 0, max = 1))]
    share: f64,
}

async fn share(_: Context, _: NoArguments) -> Result<Structured<Share>, ToolError> {
    Ok(Structured(Share { share: 2.0 }))
}

#[derive(serde::Deserialize, JsonSchema)]
struct Say {
    json: Option<String>,
    #[serde(default)]
    mistaken: bool,
}

async fn say(_: Context, args: Say) -> Result<ToolResult, ToolError> {
    if args.mistaken {
        return Err(ToolError::caller("mistaken"));
    }
    let structured_content = args.json.map(RawValue::from_string).transpose()?;
    Ok(ToolResult {
        structured_content,
        ..ToolResult::text("said")
    })
}

fn offering() -> Function {
    let address = Tool::new("address", "", address)
        .with_input_schema(INPUT)
        .icon(Icon::new("https://example.org/i.png"))
        .task_support(TaskSupport::Required);
    let say = Tool::new("say", "", say).with_output_schema(OUTPUT);
    Function::new("offering")
        .with_tool(address)
        .with_tool(say)
        .tool("share", "", share)
}

async fn function() -> Running {
    start(offering(), Settings::default()).await
}

#[test]
fn an_authors_schema_is_offered_to_the_letter() {
    let manifest = offering().manifest().unwrap();
    assert!(manifest.tools[0].get().contains(INPUT));
    assert!(manifest.tools[1].get().contains(OUTPUT));
    let tool: Value = serde_json::from_str(manifest.tools[0].get()).unwrap();
    assert_eq!(tool["execution"], json!({"taskSupport": "required"}));
    assert_eq!(tool["icons"], json!([{"src": "https://example.org/i.png"}]));
}

#[test]
fn a_schema_that_is_none_is_told_at_the_start() {
    for schema in ["{", r#"{"type":"array"}"#, "[]"] {
        let tool = Tool::new("t", "", address).with_input_schema(schema);
        let error = Function::new("f").with_tool(tool).manifest().unwrap_err();
        assert!(error.to_string().contains("`t`"), "{error}");
    }
}

#[tokio::test]
async fn arguments_are_checked_against_it() {
    let function = function().await;
    let arguments = json!({"z": "street", "a": 1.5});
    let text = function.call("address", arguments.clone()).await.text();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), arguments);
    for (arguments, named) in [
        (json!({"z": "s"}), "`z`"),
        (json!({}), "\"z\""),
        (json!({"z": "street", "other": 1}), "other"),
    ] {
        let answer = function.call("address", arguments).await;
        assert_eq!(answer.result()["isError"], true);
        assert!(answer.text().contains(named), "{}", answer.text());
    }
}

#[tokio::test]
async fn results_that_break_their_promise_are_failures() {
    let function = function().await;
    let good = function.call("say", json!({"json": "{\"sum\":3}"})).await;
    assert_eq!(good.result()["structuredContent"], json!({"sum": 3}));
    let mistake = function.call("say", json!({"mistaken": true})).await;
    assert_eq!(mistake.result()["isError"], true);
    for (tool, arguments, said) in [
        ("say", json!({"json": "{\"sum\":\"three\"}"}), "`sum`"),
        ("say", json!({}), "no structured content"),
        ("share", json!({}), "`share`"),
    ] {
        let failed = function.call(tool, arguments).await.failed();
        assert_eq!(failed.error.code, -32_603);
        assert!(failed.error.message.contains(said), "{failed:?}");
    }
}
