//! `dormouse dead-letters`: what could not be delivered; looked at, run again, let go.

use bytes::Bytes;
use clap::{ArgGroup, Args, Subcommand};
use dormouse_broker::{Seq, TaskId, TaskRecord};
use dormouse_coordinator::api::{
    DeadLetterFilter, DeadLetterView, DiscardRequest, Discarded, DiscardedPage, Redriven,
    RedrivenPage, TaskPage,
};
use http::header::HeaderMap;
use jiff::Timestamp;
use serde::Serialize;

use super::coordinator::{self, Coordinator};
use super::events::page;
use super::failure::Failure;
use super::readable::{hung, plain, since, table};
use super::tasks::event_of;
use super::timeline::render;
use super::{Connection, Output, print};

/// What is typed after `dead-letters`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct DeadLettersArgs {
    #[command(subcommand)]
    command: Option<DeadLettersCommand>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Subcommand)]
enum DeadLettersCommand {
    /// List dead letters, the newest first (the default)
    List(ListArgs),
    /// Show one: what it was about, and every attempt with its error
    Show {
        /// The dead letter's id
        id: TaskId,
        /// How it is printed
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
    /// Run dead letters again, each as a new task
    Redrive(RedriveArgs),
    /// Take dead letters off the list; they stay failed tasks
    Discard(DiscardArgs),
}

/// Which dead letters are meant: those that fit everything that is given.
#[derive(Debug, Clone, Default, Args)]
struct Which {
    /// Only of this pool
    #[arg(long)]
    pool: Option<String>,
    /// Only of this tool, or of this type of event
    #[arg(long)]
    capability: Option<String>,
    /// Only of this caller
    #[arg(long)]
    principal: Option<String>,
    /// Only of events from this source
    #[arg(long)]
    source: Option<String>,
    /// Only of this event
    #[arg(long, value_name = "SEQ")]
    event: Option<Seq>,
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    which: Which,
    /// Only dead letters older than this one
    #[arg(long, value_name = "ID")]
    before: Option<TaskId>,
    /// At most so many
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u8).range(1..=100))]
    limit: u8,
    /// How they are printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

/// One dead letter, those that fit, or all: nobody means all by accident.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which ones").required(true).multiple(true)
    .args(["id", "all", "pool", "capability", "principal", "source", "event"]))]
struct Chosen {
    /// This one
    #[arg(conflicts_with_all = ["all", "pool", "capability", "principal", "source", "event", "limit"])]
    id: Option<TaskId>,
    #[command(flatten)]
    which: Which,
    /// All that there are
    #[arg(long, conflicts_with_all = ["pool", "capability", "principal", "source", "event"])]
    all: bool,
    /// At most so many, the oldest first
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u8).range(1..=100))]
    limit: u8,
}

#[derive(Debug, Args)]
struct RedriveArgs {
    #[command(flatten)]
    chosen: Chosen,
    /// How the answer is printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Args)]
struct DiscardArgs {
    #[command(flatten)]
    chosen: Chosen,
    /// Why, for their histories
    #[arg(long)]
    reason: Option<String>,
    /// How the answer is printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

pub(super) async fn run(args: DeadLettersArgs, connection: &Connection) -> Result<(), Failure> {
    let coordinator = Coordinator::new(connection)?;
    match args.command.unwrap_or(DeadLettersCommand::List(args.list)) {
        DeadLettersCommand::List(args) => list(&args, &coordinator).await,
        DeadLettersCommand::Show { id, output } => show(id, output, &coordinator).await,
        DeadLettersCommand::Redrive(args) => redrive(args, &coordinator).await,
        DeadLettersCommand::Discard(args) => discard(args, &coordinator).await,
    }
}

async fn list(args: &ListArgs, coordinator: &Coordinator) -> Result<(), Failure> {
    let path = format!("/dead-letters?{}", query(args));
    let answer = coordinator.get(&path).await?;
    if args.output == Output::Json {
        return print::lines(answer);
    }
    let page: TaskPage = coordinator.read(&answer)?;
    print::lines(overview(&page, Timestamp::now()))
}

fn query(args: &ListArgs) -> String {
    let which = args.which.clone();
    coordinator::query(
        args.limit,
        [
            ("pool", which.pool),
            ("capability", which.capability),
            ("principal", which.principal),
            ("source", which.source),
            ("event", which.event.map(|seq| seq.to_string())),
            ("before", args.before.map(|id| id.to_string())),
        ],
    )
}

/// A line each, and under it what went wrong last.
fn overview(page: &TaskPage, now: Timestamp) -> String {
    if page.tasks.is_empty() {
        return "no dead letter matches".to_owned();
    }
    let rows: Vec<_> = page.tasks.iter().map(|task| row(task, now)).collect();
    let table = table(["DEAD LETTER", "FAILED", "POOL", "CAPABILITY"], &rows);
    let mut lines = table.lines();
    let mut text = format!("{}\n", lines.next().unwrap_or_default());
    for (line, task) in lines.zip(&page.tasks) {
        text.push_str(&format!("{line}\n"));
        if let Some(failure) = &task.failure {
            text.push_str(&hung("  ", &failure.error.message));
        }
    }
    if let Some(next) = page.next {
        text.push_str(&format!("\nolder ones: --before {next}\n"));
    }
    text
}

fn row(task: &TaskRecord, now: Timestamp) -> [String; 4] {
    [
        task.id.to_string(),
        since(&task.changed_at, now),
        plain(&task.pool),
        plain(&task.capability),
    ]
}

async fn show(id: TaskId, output: Output, coordinator: &Coordinator) -> Result<(), Failure> {
    let answer = coordinator.get(&format!("/dead-letters/{id}")).await?;
    if output == Output::Json {
        return print::lines(answer);
    }
    let view: DeadLetterView = coordinator.read(&answer)?;
    let record = event_of(&view.task, coordinator).await?;
    let mut text = render(&view.task, record.as_ref(), Timestamp::now());
    text.push_str(&subject(&view));
    print::lines(text)
}

/// What the dead letter was about: the event that was sent, or the call that was made.
fn subject(view: &DeadLetterView) -> String {
    let mut text = String::new();
    if let Some(event) = &view.event {
        text.push_str(&format!("\n{}", page::describe(event)));
    }
    if let Some(request) = &view.request {
        text.push_str(&format!("\n{}", page::data(request.get().as_bytes())));
    }
    text
}

impl Chosen {
    fn filter(self, reason: Option<String>) -> DeadLetterFilter {
        DeadLetterFilter {
            pool: self.which.pool,
            capability: self.which.capability,
            principal: self.which.principal,
            source: self.which.source,
            event: self.which.event,
            all: self.all,
            limit: Some(self.limit.into()),
            reason,
        }
    }
}

async fn redrive(args: RedriveArgs, coordinator: &Coordinator) -> Result<(), Failure> {
    let output = args.output;
    let (answer, page) = match args.chosen.id {
        Some(id) => {
            let path = format!("/dead-letters/{id}/redrive");
            let answer = coordinator
                .post(&path, HeaderMap::new(), Bytes::new())
                .await?;
            let one: Redriven = coordinator.read(&answer)?;
            (
                answer,
                RedrivenPage {
                    redriven: vec![one],
                    left: 0,
                },
            )
        }
        None => {
            let body = written(&args.chosen.filter(None))?;
            let path = "/dead-letters/redrive";
            let answer = coordinator.post(path, HeaderMap::new(), body).await?;
            let page = coordinator.read(&answer)?;
            (answer, page)
        }
    };
    match output {
        Output::Json => print::lines(answer),
        Output::Text => print::lines(say_redriven(&page)),
    }
}

async fn discard(args: DiscardArgs, coordinator: &Coordinator) -> Result<(), Failure> {
    let output = args.output;
    let (answer, page) = match args.chosen.id {
        Some(id) => {
            let path = format!("/dead-letters/{id}/discard");
            let body = written(&DiscardRequest {
                reason: args.reason,
            })?;
            let answer = coordinator.post(&path, HeaderMap::new(), body).await?;
            let one: Discarded = coordinator.read(&answer)?;
            (
                answer,
                DiscardedPage {
                    discarded: vec![one],
                    left: 0,
                },
            )
        }
        None => {
            let body = written(&args.chosen.filter(args.reason))?;
            let path = "/dead-letters/discard";
            let answer = coordinator.post(path, HeaderMap::new(), body).await?;
            let page = coordinator.read(&answer)?;
            (answer, page)
        }
    };
    match output {
        Output::Json => print::lines(answer),
        Output::Text => print::lines(say_discarded(&page)),
    }
}

fn written(body: &impl Serialize) -> Result<Bytes, Failure> {
    match serde_json::to_vec(body) {
        Ok(body) => Ok(body.into()),
        Err(error) => Err(Failure::Usage(error.to_string())),
    }
}

fn say_redriven(page: &RedrivenPage) -> String {
    let mut text = String::new();
    for Redriven { id, task } in &page.redriven {
        text.push_str(&format!("{id} runs again as {task}\n"));
    }
    text.push_str(&sum(page.redriven.len(), "run again", page.left));
    text
}

fn say_discarded(page: &DiscardedPage) -> String {
    let mut text = String::new();
    for Discarded { id } in &page.discarded {
        text.push_str(&format!("{id} is discarded\n"));
    }
    text.push_str(&sum(page.discarded.len(), "are discarded", page.left));
    text
}

/// What was done and what is left; a single one speaks for itself.
fn sum(done: usize, what: &str, left: u64) -> String {
    match (done, left) {
        (0, 0) => "no dead letter matches\n".to_owned(),
        (0, left) => format!("none of the {left} that fit could be taken now: try again later\n"),
        (1, 0) => String::new(),
        (done, 0) => format!("{done} {what}; none that fits is left\n"),
        (done, left) => format!("{done} {what}; {left} that fit are left: repeat the command\n"),
    }
}

#[cfg(test)]
mod tests;
