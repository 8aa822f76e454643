//! The educational agent pool: curriculum alignment, content generation, assessment design.
//!
//! `alignment` ranks standards and needs nothing; `content` and `assessment` word what a `model`
//! is asked and check what it answers; `wishes` asks what the call leaves open; `writer` says which
//! model writes, the operator's or the client's; `tools` joins them to the platform.
//!
//! Environment, besides what every function reads: `OPENAI_BASE_URL`, `OPENAI_MODEL`,
//! `OPENAI_API_KEY` and `OPENAI_TIMEOUT` for the model; `STANDARDS_DIR`, the folder that standards
//! files are read from (default: the working directory, and any file that the process may read).

mod alignment;
mod assessment;
mod content;
mod grade;
mod model;
mod tools;
mod wishes;
mod writer;

#[cfg(test)]
mod asking_tests;
#[cfg(test)]
mod endpoint;
#[cfg(test)]
mod serving;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use dormouse_function::Function;

use model::{Model, Settings};

fn main() -> ExitCode {
    function(|name| std::env::var(name).ok()).main()
}

/// The pool's function. A wrong setting is told by the tools that need it: the others work
/// without.
fn function(variable: impl Fn(&str) -> Option<String>) -> Function {
    let standards = variable("STANDARDS_DIR").filter(|dir| !dir.is_empty());
    let model = Arc::new(Model::new(Settings::read(variable)));
    Function::new("educational")
        .agent_type("educational")
        .version(env!("CARGO_PKG_VERSION"))
        .with_tool(tools::curriculum_alignment(standards.map(PathBuf::from)))
        .with_tool(tools::content_generation(Arc::clone(&model)))
        .with_tool(tools::assessment_design(model))
}
