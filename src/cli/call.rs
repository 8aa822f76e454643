//! `dormouse call`: one tool, called over MCP like any client does.

use std::time::Duration;

use clap::Args;
use serde_json::value::{RawValue, to_raw_value};

use super::content::ToolResult;
use super::failure::Failure;
use super::mcp::Session;
use super::message::{Call, CallMeta, Heard};
use super::progress::Meter;
use super::{Connection, Output, arguments, input, print};

/// What is typed after `call`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dormouse call curriculum-alignment --arg text=@lesson.md
  dormouse call content-generation --json '{\"topic\": \"photosynthesis\"}' -o json")]
pub struct CallArgs {
    /// The tool's name
    tool: String,
    /// An argument; its type is the one that the tool declares. @FILE reads a file, @- reads
    /// stdin; repeat a list argument once an element
    #[arg(long = "arg", value_name = "NAME=VALUE", value_parser = input::name_and_value)]
    args: Vec<(String, String)>,
    /// All arguments as one JSON object; @FILE reads a file, @- reads stdin
    #[arg(long, value_name = "JSON", conflicts_with = "args")]
    json: Option<String>,
    /// How the result is printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// How long to wait before the call is cancelled, e.g. 30s or 5m; for ever when absent
    #[arg(long, value_name = "DURATION", value_parser = dormouse_contract::duration::parse)]
    timeout: Option<Duration>,
    /// A key by which the same call is recognised: asking again joins it, or gets its answer
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

enum Outcome {
    Answered(Result<Box<RawValue>, Failure>),
    Interrupted,
    TimedOut(Duration),
}

pub(super) async fn run(args: CallArgs, connection: &Connection) -> Result<(), Failure> {
    let given = read_arguments(&args)?;
    let mut session = Session::open(connection).await?;
    let arguments = match given {
        Given::Whole(arguments) => arguments,
        Given::Named(named) => {
            let tool = session.find_tool(&args.tool).await?;
            let typed = arguments::typed(&tool.input_schema, &named)
                .map_err(|misfit| Failure::Usage(format!("{}: {misfit}", tool.name)))?;
            to_raw_value(&typed).map_err(|error| Failure::Usage(error.to_string()))?
        }
    };
    let id = session.next_id();
    let call = Call {
        name: &args.tool,
        arguments,
        meta: CallMeta {
            progress_token: id,
            idempotency_key: args.idempotency_key.as_deref(),
        },
    };
    match wait(&mut session, id, &call, args.timeout).await {
        Outcome::Answered(answer) => {
            let result = answer?;
            session.close().await;
            show(&result, args.output)
        }
        Outcome::Interrupted => {
            session.cancel(id, "interrupted by the user").await;
            Err(Failure::Interrupted)
        }
        Outcome::TimedOut(after) => {
            session.cancel(id, "the client's time is up").await;
            Err(Failure::TimedOut(after))
        }
    }
}

enum Given {
    Whole(Box<RawValue>),
    Named(Vec<(String, String)>),
}

/// Reads what was given, files included, before anything is connected.
fn read_arguments(args: &CallArgs) -> Result<Given, Failure> {
    let Some(json) = &args.json else {
        let named = args
            .args
            .iter()
            .map(|(name, value)| Ok((name.clone(), input::read_text(value)?)));
        return Ok(Given::Named(named.collect::<Result<_, Failure>>()?));
    };
    let text = input::read_text(json)?;
    match serde_json::from_str::<Box<RawValue>>(&text) {
        Ok(object) if object.get().starts_with('{') => Ok(Given::Whole(object)),
        Ok(_) => Err(Failure::Usage(
            "--json takes an object, such as '{\"text\": \"…\"}'".to_owned(),
        )),
        Err(error) => Err(Failure::Usage(format!(
            "--json is not valid JSON: {error}; put it in single quotes, so that the shell leaves it alone"
        ))),
    }
}

async fn wait(
    session: &mut Session,
    id: u64,
    call: &Call<'_>,
    timeout: Option<Duration>,
) -> Outcome {
    let mut meter = Meter::new();
    let mut heard = |news| match news {
        Heard::Progress(progress) => meter.show(&progress),
        Heard::Log(log) => meter.tell(&log),
    };
    tokio::select! {
        answer = session.request(id, "tools/call", call, &mut heard) => Outcome::Answered(answer),
        Ok(()) = tokio::signal::ctrl_c() => Outcome::Interrupted,
        after = elapsed(timeout) => Outcome::TimedOut(after),
    }
}

async fn elapsed(timeout: Option<Duration>) -> Duration {
    match timeout {
        Some(after) => {
            tokio::time::sleep(after).await;
            after
        }
        None => std::future::pending().await,
    }
}

/// Prints the result: as JSON to the letter, or as text, a failure's text on stderr.
fn show(result: &RawValue, output: Output) -> Result<(), Failure> {
    let read: ToolResult = serde_json::from_str(result.get()).map_err(|error| Failure::Rpc {
        code: 0,
        message: format!("the result is no tool result: {error}"),
    })?;
    match output {
        Output::Json => print::lines(result.get())?,
        Output::Text if read.is_error => print::note(&read.to_text()),
        Output::Text => print::lines(read.to_text())?,
    }
    if read.is_error {
        return Err(Failure::Tool);
    }
    Ok(())
}
