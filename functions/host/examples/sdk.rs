//! A function of the SDK: what the host is made for.

use std::process::ExitCode;

use dormouse_function::{Context, Function, NoArguments, ToolError};

fn main() -> ExitCode {
    Function::new("sdk")
        .tool("hello", "Say hello.", hello)
        .main()
}

async fn hello(_: Context, _: NoArguments) -> Result<String, ToolError> {
    Ok("hello".to_owned())
}
