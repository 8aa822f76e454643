//! `dormouse pools`: what is registered, and whether it sleeps.

use clap::Args;
use dormouse_coordinator::EndpointState;
use dormouse_coordinator::api::{PoolPage, PoolView};
use dormouse_gateway::CatalogueView;

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
    if let Output::Json = args.output {
        return print::lines(answer);
    }
    let offered = offered(connection).await;
    if args.pool.is_some() {
        return print::lines(describe(&coordinator.read(&answer)?, offered.as_ref()));
    }
    let page: PoolPage = coordinator.read(&answer)?;
    let mut text = overview(&page.pools, offered.as_ref());
    if offered.is_none() && !page.pools.is_empty() {
        text.push_str(&format!(
            "\nwhat is offered under which name is not known: the admin door at {} does not \
             answer (--admin-url)\n",
            connection.admin_url
        ));
    }
    print::lines(text)
}

/// What the gateway makes of the pools' capabilities; `None` when it cannot be asked.
async fn offered(connection: &Connection) -> Option<CatalogueView> {
    let admin = Coordinator::admin(connection).ok()?;
    let answer = admin.get("/catalogue").await.ok()?;
    admin.read(&answer).ok()
}

fn overview(pools: &[PoolView], offered: Option<&CatalogueView>) -> String {
    if pools.is_empty() {
        return "no pool is there: put an AgentPool file into the --pools folder of `dormouse dev`, or register one with `POST /pools`"
            .to_owned();
    }
    let rows: Vec<_> = pools.iter().map(|pool| row(pool, offered)).collect();
    let mut text = table(
        [
            "POOL",
            "STATE",
            "INSTANCES",
            "RUNNING",
            "QUEUED",
            "PROMPTS",
            "RESOURCES",
            "TOOLS",
        ],
        &rows,
    );
    for pool in pools {
        if let Some(failure) = &pool.failure {
            text.push_str(&format!("\n{} fails: {}\n", pool.name, plain(failure)));
        }
    }
    for remark in offered.iter().flat_map(|offered| &offered.remarks) {
        let (about, words) = (remark.about.to_string(), &remark.remark);
        let line = format!("\n{}: {}: {}\n", remark.pool, plain(&about), plain(words));
        text.push_str(&line);
    }
    text
}

/// How many of these are the pool's.
fn count<T>(all: &[T], pool: &PoolView, owner: fn(&T) -> &str) -> usize {
    all.iter().filter(|one| owner(one) == pool.name).count()
}

fn prompts(pool: &PoolView, offered: &CatalogueView) -> usize {
    count(&offered.prompts, pool, |one| &one.pool)
}

fn resources(pool: &PoolView, offered: &CatalogueView) -> usize {
    count(&offered.resources, pool, |one| &one.pool)
        + count(&offered.resource_templates, pool, |one| &one.pool)
}

fn row(pool: &PoolView, offered: Option<&CatalogueView>) -> [String; 8] {
    let number = |counted: fn(&PoolView, &CatalogueView) -> usize| {
        offered.map_or_else(
            || "-".to_owned(),
            |offered| counted(pool, offered).to_string(),
        )
    };
    let tools: Vec<_> = pool.tools.iter().map(|tool| tool.name.as_str()).collect();
    [
        pool.name.clone(),
        pool.state.clone(),
        instances(pool),
        format!("{} of {}", pool.running, pool.slots),
        pool.queued.to_string(),
        number(prompts),
        number(resources),
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

/// What else than tools a pool offers, and what is remarked about it.
fn describe_offered(pool: &PoolView, offered: &CatalogueView) -> String {
    let mut text = String::new();
    let mut line = |kind: &str, words: &str| {
        text.push_str(&format!("  {kind:<9}  {}\n", plain(words)));
    };
    for prompt in offered.prompts.iter().filter(|one| one.pool == pool.name) {
        line("prompt", &prompt.name);
    }
    for resource in offered.resources.iter().filter(|one| one.pool == pool.name) {
        line("resource", &resource.uri);
    }
    let templates = offered.resource_templates.iter();
    for template in templates.filter(|one| one.pool == pool.name) {
        line("template", &template.uri);
    }
    for remark in offered.remarks.iter().filter(|one| one.pool == pool.name) {
        line("remark", &format!("{}: {}", remark.about, remark.remark));
    }
    text
}

fn describe(pool: &PoolView, offered: Option<&CatalogueView>) -> String {
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
    for endpoint in &pool.endpoints {
        let state = match endpoint.state {
            EndpointState::Unknown => "not probed yet",
            EndpointState::Well => "well",
            EndpointState::Failing => "failing",
            EndpointState::Unprobed => "never probed",
        };
        let address = plain(&endpoint.endpoint);
        text.push_str(&format!("  endpoint   {address}  {state}\n"));
    }
    for tool in &pool.tools {
        let title = tool.title.as_deref().map_or_else(String::new, plain);
        let line = format!("  tool       {}  {title}", plain(&tool.name));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    if let Some(offered) = offered {
        text.push_str(&describe_offered(pool, offered));
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
    use dormouse_contract::balance::Balance;
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
            balance: Balance::default(),
            breaker: None,
            endpoints: vec![],
            declared: vec![],
            tools: vec![ToolView {
                name: "curriculum-alignment".into(),
                title: Some("Align".into()),
            }],
            prompts: vec![],
            resources: vec![],
            resource_templates: vec![],
            triggers: vec![],
            drained: false,
            slots: 100,
            queue_limit: 1_000,
            queued: 2,
            running: 1,
        }
    }

    #[test]
    fn the_overview_is_a_line_a_pool_and_says_what_fails() {
        let text = overview(&[pool()], None);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[1].contains("0 +1 waking") && lines[1].contains("1 of 100"));
        assert_eq!(lines[3], "educational fails: exit code 1: no such file");
        assert!(overview(&[], None).contains("--pools"));
    }

    #[test]
    fn prompts_resources_and_collisions_are_shown() {
        let offered: CatalogueView = serde_json::from_value(serde_json::json!({
            "tools": [],
            "prompts": [{"name": "educational__greet", "declared": "greet", "pool": "educational"}],
            "resources": [{"uri": "x://1", "pool": "educational"}, {"uri": "x://2", "pool": "b"}],
            "resourceTemplates": [{"uri": "x://{id}", "pool": "educational"}],
            "remarks": [{"pool": "educational", "prompt": "greet", "remark": "offered as that"}],
        }))
        .unwrap();
        let text = overview(&[pool()], Some(&offered));
        let row: Vec<_> = text.lines().nth(1).unwrap().split_whitespace().collect();
        assert!(row.ends_with(&["1", "2", "curriculum-alignment"]), "{text}");
        assert!(text.contains("educational: prompt greet: offered as that"));
        let text = describe(&pool(), Some(&offered));
        assert!(text.contains("prompt     educational__greet"));
        assert!(text.contains("template   x://{id}") && !text.contains("x://2"));
        assert!(text.contains("remark     prompt greet: offered as that"));
    }

    #[test]
    fn one_pool_shows_its_tools() {
        let text = describe(&pool(), None);
        assert!(text.contains("tool       curriculum-alignment  Align"));
        assert!(text.contains("2 of 1000 waiting"));
    }
}
