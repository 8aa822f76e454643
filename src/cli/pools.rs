//! `dormouse pools`: what is registered, and whether it sleeps.

use clap::Args;
use dormouse_coordinator::api::{PoolPage, PoolView};

use super::coordinator::{Coordinator, encoded};
use super::failure::Failure;
use super::readable::{plain, table};
use super::{Connection, Output, print};

/// What is typed after `pools`.
#[derive(Debug, Args)]
pub struct PoolsArgs {
    /// Only this pool, with its tools and triggers
    pool: Option<String>,
    /// How the pools are printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

pub(super) async fn run(args: PoolsArgs, connection: &Connection) -> Result<(), Failure> {
    let coordinator = Coordinator::new(connection)?;
    let path = match &args.pool {
        Some(pool) => format!("/pools/{}", encoded(pool)),
        None => "/pools".to_owned(),
    };
    let answer = coordinator.get(&path).await?;
    match (args.output, args.pool) {
        (Output::Json, _) => print::lines(answer),
        (Output::Text, Some(_)) => print::lines(describe(&coordinator.read(&answer)?)),
        (Output::Text, None) => {
            let page: PoolPage = coordinator.read(&answer)?;
            print::lines(overview(&page.pools))
        }
    }
}

fn overview(pools: &[PoolView]) -> String {
    if pools.is_empty() {
        return "no pool is registered: put an AgentPool file into the platform's --pools folder"
            .to_owned();
    }
    let rows: Vec<_> = pools.iter().map(row).collect();
    let mut text = table(
        ["POOL", "STATE", "INSTANCES", "RUNNING", "QUEUED", "TOOLS"],
        &rows,
    );
    for pool in pools {
        if let Some(failure) = &pool.failure {
            text.push_str(&format!("\n{} fails: {}\n", pool.name, plain(failure)));
        }
    }
    text
}

fn row(pool: &PoolView) -> [String; 6] {
    let tools: Vec<_> = pool.tools.iter().map(|tool| tool.name.as_str()).collect();
    [
        pool.name.clone(),
        pool.state.clone(),
        instances(pool),
        format!("{} of {}", pool.running, pool.slots),
        pool.queued.to_string(),
        plain(&tools.join(", ")),
    ]
}

fn instances(pool: &PoolView) -> String {
    let counts = pool.instances;
    let mut text = counts.ready.to_string();
    if counts.waking > 0 {
        text.push_str(&format!(" +{} waking", counts.waking));
    }
    if counts.stopping > 0 {
        text.push_str(&format!(" +{} stopping", counts.stopping));
    }
    text
}

fn describe(pool: &PoolView) -> String {
    let mut text = format!(
        "{}\n  state      {}\n  type       {}\n  revision   {}\n  instances  {}\n  tasks      {} of {} running, {} of {} waiting\n",
        pool.name,
        pool.state,
        plain(&pool.agent_type),
        pool.revision,
        instances(pool),
        pool.running,
        pool.slots,
        pool.queued,
        pool.queue_limit,
    );
    if let Some(failure) = &pool.failure {
        text.push_str(&format!("  fails      {}\n", plain(failure)));
    }
    for tool in &pool.tools {
        let title = tool.title.as_deref().map_or_else(String::new, plain);
        let line = format!("  tool       {}  {title}", plain(&tool.name));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    for trigger in &pool.triggers {
        // A trigger is plain data: writing it down does not fail.
        let filters = serde_json::to_string(&trigger.filters).unwrap_or_default();
        text.push_str(&format!("  trigger    {filters}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use dormouse_coordinator::api::{InstanceCounts, ToolView};

    use super::*;

    fn pool() -> PoolView {
        PoolView {
            name: "educational".into(),
            agent_type: "educational".into(),
            revision: "r1".into(),
            state: "waking".into(),
            instances: InstanceCounts {
                ready: 0,
                waking: 1,
                stopping: 0,
            },
            failure: Some("exit code 1:\nno such file".into()),
            tools: vec![ToolView {
                name: "curriculum-alignment".into(),
                title: Some("Align".into()),
            }],
            triggers: vec![],
            slots: 100,
            queue_limit: 1_000,
            queued: 2,
            running: 1,
        }
    }

    #[test]
    fn the_overview_is_a_line_a_pool_and_says_what_fails() {
        let text = overview(&[pool()]);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[1].contains("0 +1 waking") && lines[1].contains("1 of 100"));
        assert_eq!(lines[3], "educational fails: exit code 1: no such file");
        assert!(overview(&[]).contains("--pools"));
    }

    #[test]
    fn one_pool_shows_its_tools() {
        let text = describe(&pool());
        assert!(text.contains("tool       curriculum-alignment  Align"));
        assert!(text.contains("2 of 1000 waiting"));
    }
}
