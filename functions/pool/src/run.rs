//! What a laptop runs for a pool.

use crate::document::{CommandSpec, Listen, McpSpec, RunSpec};
use crate::field::{Field, Invalid};

/// What runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Run {
    /// A binary of a cargo workspace, built first.
    Cargo {
        /// The binary's name.
        binary: String,
        /// How it gets its listener; default [`Listen::Stdin`].
        listen: Listen,
    },
    /// A program as it is.
    Command {
        /// A path, or a name that is looked up in `PATH`.
        program: String,
        /// Its arguments.
        args: Vec<String>,
        /// How it gets its listener; default [`Listen::Port`].
        listen: Listen,
    },
    /// An MCP server. Nothing runs these yet.
    Mcp(McpServer),
}

/// An MCP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum McpServer {
    /// A program that speaks MCP on standard input and output.
    Stdio {
        /// The program.
        program: String,
        /// Its arguments.
        args: Vec<String>,
        /// Its environment.
        env: Vec<(String, String)>,
    },
    /// A server elsewhere.
    Http {
        /// Its address.
        url: String,
    },
}

const CHOICE: &str = "say exactly one of `cargo: BINARY`, `command: [PROGRAM, ARGUMENT, …]` and \
                      `mcp: {command | url}`";

/// Checks `spec.run`.
pub(crate) fn validate(written: Option<RunSpec>) -> Result<Run, Invalid> {
    let field = Field::of(&["spec", "run"]);
    let Some(written) = written else {
        return Err(field.invalid(format!("is missing: {CHOICE}")));
    };
    match (written.cargo, written.command, written.mcp) {
        (Some(binary), None, None) => Ok(Run::Cargo {
            binary: valid_binary(binary, field.key("cargo"))?,
            listen: written.listen.unwrap_or(Listen::Stdin),
        }),
        (None, Some(command), None) => {
            let (program, args) = split(command, &field.key("command"))?;
            Ok(Run::Command {
                program,
                args,
                listen: written.listen.unwrap_or(Listen::Port),
            })
        }
        (None, None, Some(_)) if written.listen.is_some() => Err(field
            .key("listen")
            .invalid("has no meaning for an MCP server: leave it out")),
        (None, None, Some(server)) => valid_server(server, field.key("mcp")).map(Run::Mcp),
        (cargo, command, mcp) => {
            let given = [cargo.is_some(), command.is_some(), mcp.is_some()];
            let count = given.into_iter().filter(|given| *given).count();
            Err(field.invalid(format!("has {count} of three ways to run: {CHOICE}")))
        }
    }
}

fn valid_binary(binary: String, field: Field) -> Result<String, Invalid> {
    let known = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    if binary.is_empty() || binary.starts_with('-') || !binary.chars().all(known) {
        return Err(field.invalid(format!(
            "`{}` is no name of a cargo binary: letters, digits, `-` and `_`",
            binary.escape_debug()
        )));
    }
    Ok(binary)
}

fn split(command: CommandSpec, field: &Field) -> Result<(String, Vec<String>), Invalid> {
    let words = match command {
        CommandSpec::Line(line) => {
            if let Some(letter) = line
                .chars()
                .find(|letter| "'\"\\$`|&;<>*".contains(*letter))
            {
                return Err(field.clone().invalid(format!(
                    "contains `{letter}`, and no shell reads it: write a list \
                     `[PROGRAM, ARGUMENT, …]`"
                )));
            }
            line.split_whitespace().map(str::to_owned).collect()
        }
        CommandSpec::Words(words) => words,
    };
    if let Some(index) = words.iter().position(|word| word.contains('\0')) {
        return Err(field
            .clone()
            .index(index)
            .invalid("contains a NUL character"));
    }
    let mut words = words.into_iter();
    match words.next() {
        Some(program) if !program.is_empty() => Ok((program, words.collect())),
        Some(_) | None => Err(field
            .clone()
            .invalid("names no program: write `[PROGRAM, ARGUMENT, …]`")),
    }
}

fn valid_server(written: McpSpec, field: Field) -> Result<McpServer, Invalid> {
    match (written.command, written.url) {
        (Some(program), None) if !program.is_empty() => Ok(McpServer::Stdio {
            program,
            args: written.args,
            env: written.env.into_iter().collect(),
        }),
        (None, Some(url)) if written.args.is_empty() && written.env.is_empty() => {
            if url.starts_with("http://") || url.starts_with("https://") {
                Ok(McpServer::Http { url })
            } else {
                Err(field
                    .key("url")
                    .invalid("is no http:// or https:// address"))
            }
        }
        (Some(_) | None, Some(_) | None) => Err(field.invalid(
            "say either `command` (with `args` and `env`) for a stdio server, or `url` alone",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(written: CommandSpec) -> Result<Run, Invalid> {
        validate(Some(RunSpec {
            command: Some(written),
            ..RunSpec::default()
        }))
    }

    #[test]
    fn a_line_and_a_list_mean_the_same() {
        let line = command(CommandSpec::Line("python  server.py -v".into())).unwrap();
        let list = ["python", "server.py", "-v"].map(str::to_owned).to_vec();
        assert_eq!(line, command(CommandSpec::Words(list)).unwrap());
        assert!(matches!(
            line,
            Run::Command {
                listen: Listen::Port,
                ..
            }
        ));
    }

    #[test]
    fn what_needs_a_shell_is_refused_in_words() {
        for line in ["", "  ", "sh -c 'x'", "a | b", "echo $HOME"] {
            let error = command(CommandSpec::Line(line.into())).unwrap_err();
            assert!(error.to_string().contains("spec.run.command"), "{error}");
        }
    }

    #[test]
    fn exactly_one_way_to_run() {
        let both = RunSpec {
            cargo: Some("a".into()),
            command: Some(CommandSpec::Line("b".into())),
            ..RunSpec::default()
        };
        for (written, named) in [
            (None, "missing"),
            (Some(RunSpec::default()), "has 0 of three"),
            (Some(both), "has 2 of three"),
        ] {
            let error = validate(written).unwrap_err().to_string();
            assert!(
                error.contains(named) && error.contains("exactly one"),
                "{error}"
            );
        }
    }
}
