//! What the MCP conformance suite (`@modelcontextprotocol/conformance`) wants a server to offer,
//! written with this crate. Names, texts and schemas are the suite's; each of its scenarios says
//! which ones it needs.

use std::process::ExitCode;

use dormouse_function::Function;

mod asking;
mod content;
mod rounds;
mod schemas;
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
    ]
    .into_iter()
    .fold(function, |function, offer| offer(function))
    .main()
}
