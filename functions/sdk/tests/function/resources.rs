//! Resources and their templates.

use dormouse_contract::task::Outcome;
use dormouse_function::{
    Contents, Context, Function, Resource, ResourceTemplate, Role, Settings, ToolError, Typed,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::harness::{Running, able, requested_by, start};

#[derive(Deserialize, JsonSchema)]
struct Lesson {
    grade: u8,
    topic: String,
}

async fn text(_: Context) -> Result<&'static str, ToolError> {
    Ok("the text")
}

async fn bytes(_: Context) -> Result<Vec<Contents>, ToolError> {
    let part = Contents::text("part")
        .uri("test://bytes/part")
        .mime_type("text/plain");
    Ok(vec![Contents::blob([1, 2, 3]), part])
}

async fn lesson(cx: Context, lesson: Lesson) -> Result<String, ToolError> {
    match lesson.topic.as_str() {
        "missing" => Err(ToolError::caller("there is no such lesson")),
        topic => Ok(format!(
            "{topic} for {} at {}",
            lesson.grade,
            cx.capability()
        )),
    }
}

async fn special(_: Context, lesson: Lesson) -> Result<String, ToolError> {
    Ok(format!("special {}", lesson.topic))
}

async fn topics(_: Context, typed: Typed) -> Result<Vec<&'static str>, ToolError> {
    Ok(match typed.value.as_str() {
        "m" => vec!["mice"],
        _ => vec![],
    })
}

fn resources() -> Function {
    let text = Resource::new("test://text", "text", text)
        .title("Text")
        .description("A text.")
        .mime_type("text/plain")
        .audience([Role::User, Role::Assistant])
        .priority(0.5)
        .last_modified("2026-11-22T10:00:00Z")
        .size(8);
    let lesson = ResourceTemplate::new("test://{grade}/{topic}", "lesson", lesson)
        .mime_type("text/markdown")
        .complete("topic", topics);
    Function::new("resources")
        .with_resource(text)
        .resource("test://bytes", "bytes", bytes)
        .with_template(lesson)
        .with_template(ResourceTemplate::new(
            "test://{grade}/special-{topic}",
            "s",
            special,
        ))
}

async fn function() -> Running {
    start(resources(), Settings::default()).await
}

async fn read(function: &Running, uri: &str) -> crate::harness::Answer {
    let event = requested_by(able(), "resources/read", json!({"uri": uri}));
    function.deliver(event).await
}

#[test]
fn the_manifest_has_them_as_mcp_does() {
    let manifest = serde_json::to_value(resources().manifest().unwrap()).unwrap();
    let annotations = json!({"audience": ["user", "assistant"], "priority": 0.5,
        "lastModified": "2026-11-22T10:00:00Z"});
    let text = json!({"uri": "test://text", "name": "text", "title": "Text",
        "description": "A text.", "mimeType": "text/plain", "annotations": annotations, "size": 8});
    let bytes = json!({"uri": "test://bytes", "name": "bytes"});
    assert_eq!(manifest["resources"], json!([text, bytes]));
    let lesson = json!({"uriTemplate": "test://{grade}/{topic}", "name": "lesson",
        "mimeType": "text/markdown"});
    assert_eq!(manifest["resourceTemplates"][0], lesson);
    let reference = json!({"type": "ref/resource", "uri": "test://{grade}/{topic}"});
    assert_eq!(
        manifest["completions"],
        json!([{"ref": reference, "argument": "topic"}])
    );
}

#[tokio::test]
async fn texts_and_bytes_are_read() {
    let function = function().await;
    let text = read(&function, "test://text").await.result();
    let expected = json!({"uri": "test://text", "mimeType": "text/plain", "text": "the text"});
    assert_eq!(text, json!({"contents": [expected]}));
    let bytes = read(&function, "test://bytes").await.result();
    let expected = json!([
        {"uri": "test://bytes", "blob": "AQID"},
        {"uri": "test://bytes/part", "mimeType": "text/plain", "text": "part"},
    ]);
    assert_eq!(bytes["contents"], expected);
}

#[tokio::test]
async fn templates_hand_their_variables_to_the_handler() {
    let function = function().await;
    for (uri, text) in [
        ("test://4/mice", "mice for 4 at test://4/mice"),
        ("test://4/b%20c", "b c for 4 at test://4/b%20c"),
        ("test://4/special-x", "special x"),
    ] {
        let result = read(&function, uri).await.result();
        assert_eq!(result["contents"][0]["text"], text);
        assert_eq!(result["contents"][0]["uri"], uri);
    }
}

#[tokio::test]
async fn what_is_not_there_is_named_by_its_uri() {
    let function = function().await;
    for (uri, outcome) in [
        ("test://nothing", Outcome::NotRun),
        ("test://4/missing", Outcome::Failed),
        ("test://four/mice", Outcome::Failed),
    ] {
        let failed = read(&function, uri).await.failed();
        assert_eq!((failed.error.code, failed.outcome), (-32_602, outcome));
        assert_eq!(failed.error.data, Some(json!({"uri": uri})));
    }
}

#[tokio::test]
async fn variables_are_completed() {
    let function = function().await;
    let complete = async |uri: &str, value: &str| -> Value {
        let params = json!({"ref": {"type": "ref/resource", "uri": uri},
            "argument": {"name": "topic", "value": value}});
        let event = requested_by(able(), "completion/complete", params);
        function.deliver(event).await.data()
    };
    let completed = complete("test://{grade}/{topic}", "m").await;
    assert_eq!(completed["result"]["completion"]["values"], json!(["mice"]));
    let plain = complete("test://text", "m").await;
    assert_eq!(plain["result"]["completion"], json!({"values": []}));
    assert_eq!(complete("test://{x}", "m").await["error"]["code"], -32_602);
}

#[test]
fn what_no_client_could_use_is_refused_by_name() {
    let refused = |function: Function| function.manifest().unwrap_err().to_string();
    let cases = [
        (Function::new("f").resource("no uri", "n", text), "`no uri`"),
        (
            Function::new("f")
                .resource("a:b", "n", text)
                .resource("a:b", "m", text),
            "two of this name",
        ),
        (
            Function::new("f").with_template(ResourceTemplate::new("a:{x", "n", lesson)),
            "brace",
        ),
        (
            Function::new("f").with_template(ResourceTemplate::new("a:{grade}", "n", lesson)),
            "`topic`",
        ),
    ];
    for (function, named) in cases {
        let words = refused(function);
        assert!(words.contains(named), "{words}");
    }
}
