//! A function without tools that replies to every event with the same event, under an id and a type
//! of its own: the task's id (outside of a task the event's, with `-mirrored` behind it), and
//! `mirrored/` before the type. What the platform's tests hold against what they sent. Where its
//! trigger takes its own replies too, it is a loop.

use std::process::ExitCode;

use dormouse_function::{Context, Event, Function, ToolError};

fn main() -> ExitCode {
    Function::new("mirror").on("", mirror).main()
}

async fn mirror(cx: Context, mut event: Event) -> Result<Event, ToolError> {
    match cx.task_id() == event.id {
        true => event.id.push_str("-mirrored"),
        false => event.id = cx.task_id().to_owned(),
    }
    event.ty.insert_str(0, "mirrored/");
    Ok(event)
}
