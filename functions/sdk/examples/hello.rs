//! The smallest function.

use dormouse_function::{Context, Function, ToolError};

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Greet {
    /// Who is greeted.
    name: String,
}

async fn greet(_: Context, args: Greet) -> Result<String, ToolError> {
    Ok(format!("Hello, {}!", args.name))
}

fn main() -> std::process::ExitCode {
    Function::new("hello")
        .tool("greet", "Greet someone.", greet)
        .main()
}
