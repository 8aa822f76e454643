//! `dormouse tasks`: what was asked, where it stands, and its cancellation.

use bytes::Bytes;
use clap::{Args, Subcommand};
use dormouse_broker::{EventRecord, Seq, TaskId, TaskRecord};
use dormouse_coordinator::api::{CancelRequest, Cancelled, EventPage, TaskPage};
use http::header::HeaderMap;
use jiff::Timestamp;

use super::coordinator::{self, Coordinator};
use super::failure::Failure;
use super::readable::{plain, since, table};
use super::timeline::render;
use super::{Connection, Output, print};

/// What is typed after `tasks`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct TasksArgs {
    #[command(subcommand)]
    command: Option<TasksCommand>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Subcommand)]
enum TasksCommand {
    /// List tasks, the newest first (the default)
    List(ListArgs),
    /// Show one task and all that happened to it
    Show {
        /// The task's id
        id: TaskId,
        /// How the task is printed
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
    /// Cancel a task
    Cancel {
        /// The task's id
        id: TaskId,
        /// Why, for the task's history
        #[arg(long)]
        reason: Option<String>,
        /// How the answer is printed
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Only tasks of this pool
    #[arg(long)]
    pool: Option<String>,
    /// Only tasks in this state
    #[arg(
        long,
        value_parser = ["accepted", "running", "suspended", "completed", "failed", "cancelled"]
    )]
    state: Option<String>,
    /// Only dead letters: failed tasks whose attempts are used up
    #[arg(long)]
    dead: bool,
    /// Only tasks older than this one
    #[arg(long, value_name = "ID")]
    before: Option<TaskId>,
    /// At most so many
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u8).range(1..=100))]
    limit: u8,
    /// How the tasks are printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

pub(super) async fn run(args: TasksArgs, connection: &Connection) -> Result<(), Failure> {
    let coordinator = Coordinator::new(connection)?;
    match args.command.unwrap_or(TasksCommand::List(args.list)) {
        TasksCommand::List(args) => list(&args, &coordinator).await,
        TasksCommand::Show { id, output } => show(id, output, &coordinator).await,
        TasksCommand::Cancel { id, reason, output } => {
            cancel(id, reason, output, &coordinator).await
        }
    }
}

async fn list(args: &ListArgs, coordinator: &Coordinator) -> Result<(), Failure> {
    let answer = coordinator.get(&format!("/tasks?{}", query(args))).await?;
    if args.output == Output::Json {
        return print::lines(answer);
    }
    let page: TaskPage = coordinator.read(&answer)?;
    print::lines(overview(&page, Timestamp::now()))
}

fn query(args: &ListArgs) -> String {
    coordinator::query(
        args.limit,
        [
            ("pool", args.pool.clone()),
            ("state", args.state.clone()),
            ("dead", args.dead.then(|| "true".to_owned())),
            ("before", args.before.map(|id| id.to_string())),
        ],
    )
}

fn overview(page: &TaskPage, now: Timestamp) -> String {
    if page.tasks.is_empty() {
        return "no task matches".to_owned();
    }
    let rows: Vec<_> = page.tasks.iter().map(|task| row(task, now)).collect();
    let mut text = table(
        ["TASK", "ACCEPTED", "STATE", "POOL", "CAPABILITY", "CALLER"],
        &rows,
    );
    if let Some(next) = page.next {
        text.push_str(&format!("\nolder ones: --before {next}\n"));
    }
    text
}

fn row(task: &TaskRecord, now: Timestamp) -> [String; 6] {
    [
        task.id.to_string(),
        since(&task.accepted_at, now),
        task.state.name().to_owned(),
        plain(&task.pool),
        plain(&task.capability),
        plain(&task.principal),
    ]
}

async fn show(id: TaskId, output: Output, coordinator: &Coordinator) -> Result<(), Failure> {
    let answer = coordinator.get(&format!("/tasks/{id}")).await?;
    if output == Output::Json {
        return print::lines(answer);
    }
    let task = coordinator.read(&answer)?;
    let event = event_of(&task, coordinator).await?;
    print::lines(render(&task, event.as_ref(), Timestamp::now()))
}

/// What the log says of the event that a task handles.
pub(super) async fn event_of(
    task: &TaskRecord,
    coordinator: &Coordinator,
) -> Result<Option<EventRecord>, Failure> {
    let Some(Seq(seq)) = task.event else {
        return Ok(None);
    };
    let (after, before) = (seq.saturating_sub(1), seq.saturating_add(1));
    let path = format!("/events?after={after}&before={before}&limit=1");
    let page: EventPage = coordinator.read(&coordinator.get(&path).await?)?;
    Ok(page.events.into_iter().next())
}

async fn cancel(
    id: TaskId,
    reason: Option<String>,
    output: Output,
    coordinator: &Coordinator,
) -> Result<(), Failure> {
    let body = serde_json::to_vec(&CancelRequest { reason })
        .map_err(|error| Failure::Usage(error.to_string()))?;
    let answer = coordinator
        .post(
            &format!("/tasks/{id}/cancel"),
            HeaderMap::new(),
            Bytes::from(body),
        )
        .await?;
    match output {
        Output::Json => print::lines(answer),
        Output::Text => {
            let cancelled: Cancelled = coordinator.read(&answer)?;
            print::lines(format!(
                "task {} is {}",
                cancelled.id,
                cancelled.state.name()
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use dormouse_broker::State;

    use super::super::timeline::samples;
    use super::*;

    fn args() -> ListArgs {
        ListArgs {
            pool: Some("a&b".into()),
            state: Some("failed".into()),
            dead: true,
            before: None,
            limit: 5,
            output: Output::Text,
        }
    }

    #[test]
    fn the_query_holds_what_was_asked_and_nothing_more() {
        assert_eq!(query(&args()), "limit=5&pool=a%26b&state=failed&dead=true");
    }

    #[test]
    fn the_list_says_how_to_go_on() {
        let task = TaskRecord {
            state: State::Running,
            ..samples::failed()
        };
        let page = TaskPage {
            next: Some(task.id),
            tasks: vec![task],
        };
        let text = overview(&page, "2026-03-01T12:02:00Z".parse().unwrap());
        assert!(text.contains("2 min ago") && text.contains("running"));
        assert!(text.contains("--before"));
    }
}
