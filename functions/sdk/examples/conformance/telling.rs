//! Tools that tell something while they run.

use std::time::Duration;

use dormouse_function::{Context, Function, Level, NoArguments, Tool, ToolError};

/// The suite wants this long between two messages.
const PAUSE: Duration = Duration::from_millis(50);

/// What this module has.
pub fn offer(function: Function) -> Function {
    let reconnection = Tool::new(
        "test_reconnection",
        "Take longer than a client need stay connected.",
        reconnection,
    );
    function
        .tool(
            "test_tool_with_logging",
            "Log three messages.",
            with_logging,
        )
        .tool(
            "test_tool_with_progress",
            "Tell three steps of progress.",
            with_progress,
        )
        .tool(
            "test_logging_tool",
            "Log a message of every level.",
            with_every_level,
        )
        .with_tool(reconnection.read_only())
}

async fn with_logging(cx: Context, _: NoArguments) -> Result<&'static str, ToolError> {
    cx.log(Level::Info, "Tool execution started");
    tokio::time::sleep(PAUSE).await;
    cx.log(Level::Info, "Tool processing data");
    tokio::time::sleep(PAUSE).await;
    cx.log(Level::Info, "Tool execution completed");
    Ok("Tool execution completed")
}

async fn with_progress(cx: Context, _: NoArguments) -> Result<&'static str, ToolError> {
    for done in [0.0, 50.0, 100.0] {
        cx.progress(done, 100.0, "");
        // Each one shall arrive; unflushed, a newer one takes an older one's place.
        cx.flush().await;
        tokio::time::sleep(PAUSE).await;
    }
    Ok("Progress reported")
}

async fn with_every_level(cx: Context, _: NoArguments) -> Result<&'static str, ToolError> {
    for level in [Level::Debug, Level::Info, Level::Warning, Level::Error] {
        cx.log(level, "This is a message for testing.");
    }
    Ok("Logged")
}

async fn reconnection(cx: Context, _: NoArguments) -> Result<&'static str, ToolError> {
    cx.progress(1.0, 2.0, "now you may go");
    tokio::time::sleep(Duration::from_secs(2)).await;
    Ok("Reconnected")
}
