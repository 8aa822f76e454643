//! What the MCP conformance suite (`@modelcontextprotocol/conformance`) wants a server to offer,
//! written with this crate. Names, texts and schemas are the suite's; each of its scenarios says
//! which ones it needs.

use std::process::ExitCode;

use dormouse_function::Function;

mod asking;
mod changes;
mod content;
mod prompts;
mod resources;
mod rounds;
mod schemas;
mod tasks;
mod telling;

fn main() -> ExitCode {
    let function = Function::new("conformance")
        .agent_type("conformance")
        .version(env!("CARGO_PKG_VERSION"));
    [
        content::offer,
        telling::offer,
        schemas::offer,
        asking::offer,
        rounds::offer,
        tasks::offer,
        prompts::offer,
        resources::offer,
        changes::offer,
    ]
    .into_iter()
    .fold(function, |function, offer| offer(function))
    .main()
}
