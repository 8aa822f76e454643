//! Tools whose calls a client may follow as tasks of its own.

use std::time::Duration;

use dormouse_function::{Answer, Context, Function, NoArguments, TaskSupport, Tool, ToolError};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::rounds::name_in;

/// Work that takes longer than the platform lets a client wait that can follow tasks.
const WORK: Duration = Duration::from_secs(1);

/// What this module has.
pub fn offer(function: Function) -> Function {
    let greet = Tool::new("greet", "Greet someone.", greet);
    let slow = Tool::new("slow_compute", "Take so many seconds.", slow_compute);
    let failing = Tool::new("failing_job", "Work, and find an error.", failing_job);
    let broken = Tool::new("protocol_error_job", "Work, and break.", protocol_error_job);
    let confirm = Tool::new(
        "confirm_delete",
        "Work, ask whether to delete, and do not delete.",
        confirm_delete,
    );
    let multi = Tool::new("multi_input", "Work, and ask twice at once.", multi_input);
    let asking = Tool::new(
        "test_tool_with_task",
        "Ask for a name, and work.",
        with_task,
    );
    function
        .with_tool(greet.task_support(TaskSupport::Forbidden))
        .with_tool(slow)
        .with_tool(failing.task_support(TaskSupport::Required))
        .with_tool(broken.task_support(TaskSupport::Required))
        .with_tool(confirm)
        .with_tool(multi)
        .with_tool(asking.task_support(TaskSupport::Required))
}

#[derive(Deserialize, JsonSchema)]
struct Greet {
    /// Who is greeted.
    name: String,
}

async fn greet(_: Context, args: Greet) -> Result<String, ToolError> {
    Ok(format!("Hello, {}!", args.name))
}

#[derive(Deserialize, JsonSchema)]
struct SlowCompute {
    /// How long it takes.
    seconds: u32,
    /// What it is for.
    #[serde(default)]
    label: String,
}

async fn slow_compute(cx: Context, args: SlowCompute) -> Result<String, ToolError> {
    let work = Duration::from_secs(args.seconds.into());
    tokio::select! {
        () = cx.cancelled() => Err(ToolError::internal("cancelled")),
        () = tokio::time::sleep(work) => {
            Ok(format!("{} computed in {} s", args.label, args.seconds))
        }
    }
}

async fn failing_job(_: Context, _: NoArguments) -> Result<(), ToolError> {
    tokio::time::sleep(WORK).await;
    Err(ToolError::caller("The job found an error, as it should."))
}

async fn protocol_error_job(_: Context, _: NoArguments) -> Result<(), ToolError> {
    tokio::time::sleep(WORK).await;
    Err(ToolError::internal("the job broke, as it should"))
}

#[derive(Deserialize, JsonSchema)]
struct ConfirmDelete {
    /// What would be deleted.
    filename: String,
}

#[derive(Deserialize, JsonSchema)]
struct Confirmation {
    confirm: bool,
}

async fn confirm_delete(cx: Context, args: ConfirmDelete) -> Result<String, ToolError> {
    work(&cx).await?;
    let message = format!("Delete {}?", args.filename);
    match cx.elicit("confirm", message).await? {
        Answer::Accepted(Confirmation { confirm: true }) => {
            Ok(format!("Deleted {}", args.filename))
        }
        Answer::Accepted(Confirmation { confirm: false })
        | Answer::Declined
        | Answer::Cancelled => Ok(format!("Kept {}", args.filename)),
    }
}

async fn multi_input(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    work(&cx).await?;
    let (name, confirmed) = tokio::join!(
        cx.elicit("name", "What is your name?"),
        cx.elicit::<Confirmation>("confirm", "Are you sure?"),
    );
    let is_sure = confirmed?.accepted().is_some_and(|answer| answer.confirm);
    Ok(format!("{} is sure: {is_sure}", name_in(name?)))
}

async fn with_task(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    let name = name_in(cx.elicit("user_name", "What is your name?").await?);
    work(&cx).await?;
    Ok(format!("Hello, {name}!"))
}

/// Done once, however often the answers make the handler run again.
async fn work(cx: &Context) -> Result<(), ToolError> {
    let work = async |_| {
        tokio::time::sleep(WORK).await;
        Ok(())
    };
    cx.step("work", work).await
}
