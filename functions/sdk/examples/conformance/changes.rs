//! Tools that change what the function offers.

use std::sync::atomic::{AtomicBool, Ordering};

use dormouse_function::{Context, Function, NoArguments, Offer, Prompt, Tool, ToolError};

const TOOL: &str = "test_changing_tool";
const PROMPT: &str = "test_changing_prompt";

/// What this module has.
pub fn offer(function: Function) -> Function {
    function
        .tool(
            "test_trigger_tool_change",
            "Offer another tool, or no longer.",
            trigger_tool_change,
        )
        .tool(
            "test_trigger_prompt_change",
            "Offer another prompt, or no longer.",
            trigger_prompt_change,
        )
        .with_tool(Tool::new(TOOL, "A tool that comes and goes.", here).hidden())
        .with_prompt(Prompt::new(PROMPT, "A prompt that comes and goes.", here).hidden())
}

async fn here(_: Context, _: NoArguments) -> Result<&'static str, ToolError> {
    Ok("here")
}

async fn trigger_tool_change(cx: Context, _: NoArguments) -> Result<&'static str, ToolError> {
    static OFFERED: AtomicBool = AtomicBool::new(false);
    let was_offered = OFFERED.fetch_not(Ordering::Relaxed);
    cx.offer(TOOL, !was_offered).await?;
    Ok("changed")
}

async fn trigger_prompt_change(cx: Context, _: NoArguments) -> Result<&'static str, ToolError> {
    static OFFERED: AtomicBool = AtomicBool::new(false);
    let was_offered = OFFERED.fetch_not(Ordering::Relaxed);
    cx.offer(Offer::Prompt(PROMPT), !was_offered).await?;
    Ok("changed")
}
