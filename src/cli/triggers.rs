//! `dormouse triggers`: which events go where, and why one does not.

mod specimen;
mod words;

use clap::{Args, Subcommand};
use dormouse_contract::filter::Ordering;
use dormouse_coordinator::api::{
    TestedEvent, TestedTrigger, TriggerPage, TriggerTest, TriggerView,
};

use super::coordinator::{Coordinator, encoded};
use super::failure::Failure;
use super::readable::{hung, plain, table};
use super::{Connection, Output, print};

/// What is typed after `triggers`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct TriggersArgs {
    #[command(subcommand)]
    command: Option<TriggersCommand>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Subcommand)]
enum TriggersCommand {
    /// List the triggers (the default)
    List(ListArgs),
    /// Say which triggers would take an event, and why the others would not; nothing is sent
    Test(TestArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Only triggers of this pool
    #[arg(long)]
    pool: Option<String>,
    /// How the triggers are printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dormouse triggers test --type com.github.push --source /repos/dormouse
  dormouse triggers test event.json
  dormouse triggers test - < events.jsonl")]
struct TestArgs {
    #[command(flatten)]
    specimen: specimen::Specimen,
    /// How the answer is printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

pub(super) async fn run(args: TriggersArgs, connection: &Connection) -> Result<(), Failure> {
    let coordinator = Coordinator::new(connection)?;
    match args.command.unwrap_or(TriggersCommand::List(args.list)) {
        TriggersCommand::List(args) => list(&args, &coordinator).await,
        TriggersCommand::Test(args) => test(args, &coordinator).await,
    }
}

async fn list(args: &ListArgs, coordinator: &Coordinator) -> Result<(), Failure> {
    let path = match &args.pool {
        Some(pool) => format!("/triggers?pool={}", encoded(pool)),
        None => "/triggers".to_owned(),
    };
    let answer = coordinator.get(&path).await?;
    if args.output == Output::Json {
        return print::lines(answer);
    }
    let page: TriggerPage = coordinator.read(&answer)?;
    print::lines(overview(&page))
}

fn overview(page: &TriggerPage) -> String {
    if page.triggers.is_empty() {
        return "there are no triggers: a pool's file or its function says which events it takes"
            .to_owned();
    }
    let rows: Vec<_> = page.triggers.iter().map(row).collect();
    table(["POOL", "TRIGGER", "RETRIES", "ORDER", "TAKES"], &rows)
}

fn row(trigger: &TriggerView) -> [String; 5] {
    let order = match trigger.ordering {
        Some(Ordering::Subject) => "subject",
        None => "-",
    };
    [
        plain(&trigger.pool),
        plain(&trigger.name),
        trigger.delivery.retries.to_string(),
        order.to_owned(),
        plain(&words::of_trigger(&trigger.filters)),
    ]
}

async fn test(args: TestArgs, coordinator: &Coordinator) -> Result<(), Failure> {
    let (headers, body) = args.specimen.read()?;
    let answer = coordinator.post("/triggers/test", headers, body).await?;
    if args.output == Output::Json {
        return print::lines(answer);
    }
    let test: TriggerTest = coordinator.read(&answer)?;
    let pages: Vec<_> = test.events.iter().map(explain).collect();
    print::lines(pages.join("\n"))
}

fn explain(event: &TestedEvent) -> String {
    let takers = match (event.triggers.len(), event.takers) {
        (0, _) => "there are no triggers".to_owned(),
        (1, 1) => "the only trigger takes it".to_owned(),
        (1, _) => "the only trigger does not take it".to_owned(),
        (all, 0) => format!("none of {all} triggers takes it"),
        (all, 1) => format!("1 of {all} triggers takes it"),
        (all, takers) => format!("{takers} of {all} triggers take it"),
    };
    let mut text = hung("", &format!("{} from {}: {takers}", event.ty, event.source));
    for trigger in &event.triggers {
        text.push_str(&judged(trigger));
    }
    text
}

fn judged(trigger: &TestedTrigger) -> String {
    let word = if trigger.matches { "yes" } else { "no" };
    let (pool, name) = (plain(&trigger.pool), plain(&trigger.name));
    let mut text = format!("  {word:<3}  {pool}, trigger {name}\n");
    for reason in &trigger.why {
        text.push_str(&hung("         ", reason));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trigger(pool: &str, why: &[&str]) -> TestedTrigger {
        TestedTrigger {
            pool: pool.into(),
            name: "0".into(),
            matches: why.is_empty(),
            mismatches: vec![],
            why: why.iter().map(|&it| it.to_owned()).collect(),
        }
    }

    #[test]
    fn a_test_says_who_takes_it_and_why_others_do_not() {
        let why = "filters[0].exact.type: `type` is `com.example.flaky`, not `org.example.note`";
        let event = TestedEvent {
            id: "1".into(),
            source: "/test".into(),
            ty: "com.example.flaky".into(),
            takers: 1,
            triggers: vec![trigger("flaky", &[]), trigger("notes", &[why])],
        };
        assert_eq!(
            explain(&event),
            "\
com.example.flaky from /test: 1 of 2 triggers takes it
  yes  flaky, trigger 0
  no   notes, trigger 0
         filters[0].exact.type: `type` is `com.example.flaky`, not
         `org.example.note`
"
        );
    }

    #[test]
    fn the_list_says_what_each_trigger_takes() {
        let page: TriggerPage = serde_json::from_value(serde_json::json!({"triggers": [{
            "pool": "p", "name": "all", "ordering": "subject",
            "filters": [{"prefix": {"type": "com."}}],
            "delivery": {
                "timeout": "1s", "retries": 4, "repeatable": true, "backoffDelay": "1s",
                "backoffPolicy": "linear", "queueExpiry": "1m",
            },
        }]}))
        .unwrap();
        let text = overview(&page);
        let row: Vec<_> = text.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(row[..4], ["p", "all", "4", "subject"]);
        assert!(text.contains("type starts with \"com.\""), "{text}");
        assert!(overview(&TriggerPage { triggers: vec![] }).contains("no triggers"));
    }
}
