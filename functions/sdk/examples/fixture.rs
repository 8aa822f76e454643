//! A function that behaves and misbehaves on demand: what the platform's tests call.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use dormouse_function::{
    Answer, Context, Event, Function, Level, NoArguments, Structured, Tool, ToolError,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

fn main() -> ExitCode {
    function().main()
}

/// Everything the fixture offers.
pub fn function() -> Function {
    Function::new("fixture")
        .agent_type("fixture")
        .version(env!("CARGO_PKG_VERSION"))
        .with_tool(Tool::new("echo", "Say the text again.", echo).read_only())
        .with_tool(Tool::new("add", "Add two numbers.", add).read_only())
        .tool("sleep", "Sleep for so many milliseconds.", sleep)
        .tool("count", "Append the key to the file.", count)
        .with_tool(
            Tool::new("count_idempotent", "The same, fit for repetition.", count).idempotent(),
        )
        .tool(
            "knock",
            "Say the key at a door, and wait for the answer.",
            knock,
        )
        .with_tool(
            Tool::new("knock_idempotent", "The same, fit for repetition.", knock).idempotent(),
        )
        .with_tool(Tool::new("progress", "Tell three steps of progress.", progress).read_only())
        .tool("panic", "Panic.", panics)
        .tool("fail", "Fail in a way that may pass.", fail)
        .tool("broken", "Fail in a way that will not pass.", broken)
        .tool("wrong", "Find the caller mistaken.", wrong)
        .tool("exit", "End the process in the middle of the call.", exit)
        .tool("hang", "Never answer.", hang)
        .tool("client", "Say what is known of the client.", client)
        .tool("trace", "Say the call's traceparent.", trace)
        .tool("env", "Say which variables the platform set.", env)
        .tool("big", "Answer with so many bytes.", big)
        .tool("quiz", "Ask for so many grades, one after the other.", quiz)
        .tool("await", "Wait for so many events of a type.", awaits)
        .on("org.example.ping", pong)
        .on("com.", take)
}

#[derive(Deserialize, JsonSchema)]
struct Echo {
    /// What comes back.
    text: String,
}

async fn echo(_: Context, args: Echo) -> Result<String, ToolError> {
    Ok(args.text)
}

#[derive(Deserialize, JsonSchema)]
struct Add {
    a: f64,
    b: f64,
}

#[derive(Serialize, JsonSchema)]
struct Sum {
    sum: f64,
}

async fn add(_: Context, args: Add) -> Result<Structured<Sum>, ToolError> {
    let sum = args.a + args.b;
    Ok(Structured(Sum { sum }))
}

#[derive(Deserialize, JsonSchema)]
struct Sleep {
    ms: u32,
}

async fn sleep(cx: Context, args: Sleep) -> Result<String, ToolError> {
    const STEP: u32 = 50;
    let mut slept = 0;
    while slept < args.ms {
        let step = STEP.min(args.ms - slept);
        tokio::select! {
            () = cx.cancelled() => {
                tracing::info!(slept, "woken by cancellation");
                return Err(ToolError::internal("cancelled"));
            }
            () = tokio::time::sleep(Duration::from_millis(step.into())) => slept += step,
        }
        cx.progress(slept.into(), f64::from(args.ms), "sleeping");
    }
    Ok(format!("slept {} ms", args.ms))
}

#[derive(Deserialize, JsonSchema)]
struct Count {
    /// The file that keeps count.
    file: std::path::PathBuf,
    /// What is counted.
    key: String,
    /// A file without which it does not end.
    until: Option<std::path::PathBuf>,
}

async fn count(_: Context, args: Count) -> Result<String, ToolError> {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.append(true).create(true).open(args.file)?;
    // One write, so that lines of several processes do not mix.
    file.write_all(format!("{}\n", args.key).as_bytes())?;
    while args.until.as_ref().is_some_and(|file| !file.exists()) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(format!("counted {}", args.key))
}

#[derive(Deserialize, JsonSchema)]
struct Knock {
    /// Where somebody listens, `host:port`.
    at: String,
    /// What is said there.
    key: String,
}

/// Who listens there knows that this runs, and decides when it ends: for functions that share no
/// files with a test.
async fn knock(_: Context, args: Knock) -> Result<String, ToolError> {
    let mut door = BufReader::new(TcpStream::connect(args.at).await?);
    let line = format!("{}\n", args.key);
    door.write_all(line.as_bytes()).await?;
    let mut answer = String::new();
    door.read_line(&mut answer).await?;
    Ok(answer.trim_end().to_owned())
}

async fn progress(cx: Context, _: NoArguments) -> Result<&'static str, ToolError> {
    for (step, what) in [(1.0, "one"), (2.0, "two"), (3.0, "three")] {
        cx.progress(step, 3.0, what);
        cx.log(Level::Info, what);
        // Each one shall arrive; unflushed, a newer one takes an older one's place.
        cx.flush().await;
    }
    Ok("done")
}

async fn panics(_: Context, _: NoArguments) -> Result<(), ToolError> {
    panic!("the fixture panics as asked")
}

async fn fail(_: Context, _: NoArguments) -> Result<(), ToolError> {
    Err(ToolError::retryable("the fixture fails as asked"))
}

async fn broken(_: Context, _: NoArguments) -> Result<(), ToolError> {
    Err(ToolError::internal("the fixture is broken as asked"))
}

async fn wrong(_: Context, _: NoArguments) -> Result<(), ToolError> {
    Err(ToolError::caller("the fixture finds you mistaken as asked"))
}

async fn exit(_: Context, _: NoArguments) -> Result<(), ToolError> {
    std::process::exit(3)
}

async fn hang(_: Context, _: NoArguments) -> Result<(), ToolError> {
    std::future::pending().await
}

async fn client(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    Ok(serde_json::to_string(cx.client())?)
}

async fn trace(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    Ok(cx.traceparent().to_string())
}

#[derive(Serialize, JsonSchema)]
struct Present {
    present: std::collections::BTreeMap<&'static str, bool>,
}

async fn env(_: Context, _: NoArguments) -> Result<Structured<Present>, ToolError> {
    let names = [
        "K_SERVICE",
        "K_REVISION",
        "K_CONFIGURATION",
        "K_SINK",
        "PORT",
    ];
    let present = names.map(|name| (name, std::env::var_os(name).is_some()));
    Ok(Structured(Present {
        present: present.into(),
    }))
}

#[derive(Deserialize, JsonSchema)]
struct Big {
    #[schemars(range(max = 16_777_216))]
    bytes: usize,
}

async fn big(_: Context, args: Big) -> Result<String, ToolError> {
    Ok("x".repeat(args.bytes))
}

#[derive(Deserialize, JsonSchema)]
struct Quiz {
    /// The file that keeps count of the preparations.
    file: std::path::PathBuf,
    /// How many questions.
    questions: u32,
}

#[derive(Deserialize, JsonSchema)]
struct Grade {
    grade: u8,
}

async fn quiz(cx: Context, args: Quiz) -> Result<String, ToolError> {
    let prepared: String = cx
        .step("prepare", async |key| {
            let (file, key) = (args.file, key);
            let count = Count {
                file,
                key,
                until: None,
            };
            Ok(format!(
                "prepared, {}",
                self::count(Context::detached(), count).await?
            ))
        })
        .await?;
    let mut grades = Vec::new();
    for question in 1..=args.questions {
        let asked = cx.elicit::<Grade>(format!("grade-{question}"), "Which grade?");
        grades.push(match asked.await? {
            Answer::Accepted(answer) => answer.grade.to_string(),
            Answer::Declined => "declined".to_owned(),
            Answer::Cancelled => "cancelled".to_owned(),
        });
    }
    Ok(format!("{prepared}; grades {}", grades.join(" ")))
}

#[derive(Deserialize, JsonSchema)]
struct Await {
    /// What their types begin with.
    types: String,
    /// How many are waited for, one after the other.
    events: u32,
}

async fn awaits(cx: Context, args: Await) -> Result<String, ToolError> {
    let mut ids = Vec::new();
    for event in 1..=args.events {
        let arrival = cx.event(format!("event-{event}"), args.types.as_str());
        ids.push(arrival.await?.event.id);
    }
    Ok(ids.join(" "))
}

async fn take(_: Context, _: Event) -> Result<(), ToolError> {
    Ok(())
}

async fn pong(cx: Context, event: Event) -> Result<Option<Event>, ToolError> {
    if event.subject.as_deref() == Some("quiet") {
        return Ok(None);
    }
    let id = format!("pong-{}", cx.task_id());
    let mut pong = Event::new(id, "/fixture", "org.example.pong");
    pong.data = event.data;
    pong.datacontenttype = event.datacontenttype;
    Ok(Some(pong))
}
