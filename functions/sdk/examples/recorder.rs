//! A function without tools that takes every event and notes it, to the letter, in the file that
//! `RECORD` names: one line of JSON each. What the platform's tests send events to.

use std::io::Write as _;
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use dormouse_contract::http_binding;
use dormouse_function::{Context, Event, Function, ToolError};
use serde_json::{Value, json};

fn main() -> ExitCode {
    Function::new("recorder").on("", record).main()
}

async fn record(_: Context, mut event: Event) -> Result<(), ToolError> {
    let data = event.data.take().map(|data| BASE64.encode(data));
    let (_, attributes) = http_binding::write_structured(&event);
    let attributes: Value = serde_json::from_slice(&attributes)?;
    let line = json!({"attributes": attributes, "data": data});
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .append(true)
        .create(true)
        .open(std::env::var("RECORD")?)?;
    // One write, so that lines of several processes do not mix.
    file.write_all(format!("{line}\n").as_bytes())?;
    Ok(())
}
