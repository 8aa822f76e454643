//! What a person sees when the platform is up.

use std::fmt::Write as _;

use super::deploy::Round;
use crate::platform::{Addresses, local};

/// The text: pools with their tools, the addresses, one line for a client, one for the shell.
pub fn greeting(round: &Round, addresses: &Addresses, guarded: bool) -> String {
    let mut text = String::from("\nDormouse is up, and everything sleeps until it is called.\n\n");
    for pool in &round.pools {
        // Writing to a String cannot fail.
        let _ = match &pool.tools {
            Ok(tools) if tools.is_empty() => {
                writeln!(text, "  {:<14} asleep   no tools", pool.pool)
            }
            Ok(tools) => writeln!(text, "  {:<14} asleep   {}", pool.pool, tools.join(", ")),
            Err(why) => writeln!(text, "  {:<14} FAILED   {why}", pool.pool),
        };
    }
    for source in &round.event_sources {
        let _ = match &source.what {
            Ok(what) => writeln!(text, "  {:<14} source   {what}", source.name),
            Err(why) => writeln!(text, "  {:<14} FAILED   {why}", source.name),
        };
    }
    for broken in &round.broken {
        let _ = writeln!(text, "  not used: {broken}");
    }
    if round.pools.is_empty() && round.broken.is_empty() {
        text.push_str("  no pools yet: put an AgentPool file into the pools folder\n");
    }
    let (mcp, admin, coordinator) = (
        local(addresses.mcp),
        local(addresses.admin),
        local(addresses.coordinator),
    );
    let _ = write!(
        text,
        "\n  MCP          ws://{mcp}/mcp   http://{mcp}/mcp\n  \
           metrics      http://{admin}/metrics\n  \
           coordinator  http://{coordinator}\n\n\
         Connect Claude Code:\n  claude mcp add --transport http dormouse http://{mcp}/mcp{}\n",
        if guarded {
            " --header \"Authorization: Bearer $DORMOUSE_TOKEN\""
        } else {
            ""
        }
    );
    if let Some(line) = example(round, &mcp) {
        let _ = write!(text, "Try it in another shell:\n  {line}\n");
    }
    text.push_str("Stop with Ctrl-C.\n");
    text
}

/// One line that calls something, on the default port without naming it.
fn example(round: &Round, mcp: &str) -> Option<String> {
    let tools: Vec<_> = round
        .pools
        .iter()
        .flat_map(|pool| pool.tools.iter().flatten())
        .collect();
    let tool = tools
        .iter()
        .find(|tool| **tool == "curriculum-alignment")
        .or(tools.first())?;
    let arguments = match tool.as_str() {
        "curriculum-alignment" => " --arg text='Add fractions with unlike denominators'",
        _ => "",
    };
    let program = std::env::args()
        .next()
        .unwrap_or_else(|| "dormouse".to_owned());
    let url = if mcp.ends_with(":9876") {
        String::new()
    } else {
        format!(" --mcp-url ws://{mcp}")
    };
    Some(format!("{program} call {tool}{arguments}{url}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dev::deploy::Outcome;
    use crate::dev::event_sources::SourceOutcome;

    #[test]
    fn it_names_pools_tools_failures_and_both_lines() {
        let round = Round {
            pools: vec![
                Outcome {
                    pool: "a".into(),
                    tools: Ok(vec!["greet".into()]),
                },
                Outcome {
                    pool: "b".into(),
                    tools: Err("no such program".into()),
                },
            ],
            event_sources: vec![SourceOutcome {
                name: "github".into(),
                what: Ok("POST /webhooks/github".into()),
            }],
            broken: vec!["c.yaml:1:1: not a pool".into()],
            ..Round::default()
        };
        let address = "127.0.0.1:9876".parse().unwrap();
        let addresses = Addresses {
            mcp: address,
            admin: address,
            coordinator: address,
        };
        let text = greeting(&round, &addresses, false);
        for part in [
            "greet",
            "no such program",
            "c.yaml",
            "/webhooks/github",
            "claude mcp add",
            "call greet",
            "ws://",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
