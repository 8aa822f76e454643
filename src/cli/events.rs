//! `dormouse events`: what came in, what became of it, and what comes in now.

pub(super) mod page;
mod tail;

use clap::{Args, Subcommand};
use dormouse_broker::{EventRecord, Seq};
use dormouse_coordinator::api::{EventPage, EventTypePage};
use jiff::Timestamp;

use super::coordinator::{self, Coordinator};
use super::failure::Failure;
use super::readable::{plain, since, table};
use super::{Connection, Output, print};

/// What is typed after `events`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct EventsArgs {
    #[command(subcommand)]
    command: Option<EventsCommand>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Subcommand)]
enum EventsCommand {
    /// List events, the newest first (the default)
    List(ListArgs),
    /// Print events as they come in, until Ctrl-C
    Tail(tail::TailArgs),
    /// Show one event, its data and its deliveries
    Show {
        /// The event's place in the log
        seq: Seq,
        /// How the event is printed
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
    /// List the types of which there are events
    Types {
        /// How the types are printed
        #[arg(short, long, value_enum, default_value_t)]
        output: Output,
    },
}

/// Which events are meant: those that fit everything that is given.
#[derive(Debug, Clone, Default, Args)]
struct Which {
    /// Only events of this type
    #[arg(long = "type", value_name = "TYPE")]
    ty: Option<String>,
    /// Only events from this source
    #[arg(long)]
    source: Option<String>,
    /// Only events with this subject
    #[arg(long)]
    subject: Option<String>,
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    which: Which,
    /// Only events with this id
    #[arg(long)]
    id: Option<String>,
    /// Only events before this place in the log
    #[arg(long, value_name = "SEQ")]
    before: Option<Seq>,
    /// Only events after this place in the log
    #[arg(long, value_name = "SEQ")]
    after: Option<Seq>,
    /// At most so many
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u8).range(1..=100))]
    limit: u8,
    /// How the events are printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

pub(super) async fn run(args: EventsArgs, connection: &Connection) -> Result<(), Failure> {
    let coordinator = Coordinator::new(connection)?;
    match args.command.unwrap_or(EventsCommand::List(args.list)) {
        EventsCommand::List(args) => list(&args, &coordinator).await,
        EventsCommand::Tail(args) => tail::run(&args, &coordinator).await,
        EventsCommand::Show { seq, output } => show(seq, output, &coordinator).await,
        EventsCommand::Types { output } => types(output, &coordinator).await,
    }
}

async fn list(args: &ListArgs, coordinator: &Coordinator) -> Result<(), Failure> {
    let answer = coordinator.get(&format!("/events?{}", query(args))).await?;
    if args.output == Output::Json {
        return print::lines(answer);
    }
    let page: EventPage = coordinator.read(&answer)?;
    print::lines(overview(&page, Timestamp::now()))
}

fn query(args: &ListArgs) -> String {
    let which = args.which.clone();
    let place = |seq: Option<Seq>| seq.map(|seq| seq.to_string());
    coordinator::query(
        args.limit,
        [
            ("type", which.ty),
            ("source", which.source),
            ("subject", which.subject),
            ("id", args.id.clone()),
            ("before", place(args.before)),
            ("after", place(args.after)),
        ],
    )
}

fn overview(page: &EventPage, now: Timestamp) -> String {
    if page.events.is_empty() {
        return "no event matches".to_owned();
    }
    let rows: Vec<_> = page.events.iter().map(|event| row(event, now)).collect();
    let heading = ["SEQ", "RECEIVED", "TYPE", "SOURCE", "SUBJECT", "TASKS"];
    let mut text = table(heading, &rows);
    if let Some(next) = page.next {
        text.push_str(&format!("\nolder ones: --before {next}\n"));
    }
    text
}

fn row(event: &EventRecord, now: Timestamp) -> [String; 6] {
    [
        event.seq.to_string(),
        since(&event.received_at, now),
        plain(&event.ty),
        plain(&event.source),
        event
            .subject
            .as_deref()
            .map_or_else(|| "-".to_owned(), plain),
        event.tasks.to_string(),
    ]
}

async fn show(seq: Seq, output: Output, coordinator: &Coordinator) -> Result<(), Failure> {
    let answer = coordinator.get(&format!("/events/{seq}")).await?;
    match output {
        Output::Json => print::lines(answer),
        Output::Text => print::lines(page::render(&coordinator.read(&answer)?, Timestamp::now())),
    }
}

async fn types(output: Output, coordinator: &Coordinator) -> Result<(), Failure> {
    let answer = coordinator.get("/event-types").await?;
    if output == Output::Json {
        return print::lines(answer);
    }
    let page: EventTypePage = coordinator.read(&answer)?;
    if page.types.is_empty() {
        return print::lines("there are no events yet");
    }
    let now = Timestamp::now();
    let rows: Vec<_> = page
        .types
        .iter()
        .map(|it| [plain(&it.ty), since(&it.last_at, now), it.last.to_string()])
        .collect();
    print::lines(table(["TYPE", "NEWEST", "SEQ"], &rows))
}

#[cfg(test)]
mod tests {
    use super::super::timeline::samples;
    use super::*;

    #[test]
    fn the_query_holds_what_was_asked_and_nothing_more() {
        let args = ListArgs {
            which: Which {
                ty: Some("a&b".into()),
                ..Which::default()
            },
            id: None,
            before: Some(Seq(9)),
            after: None,
            limit: 5,
            output: Output::Text,
        };
        assert_eq!(query(&args), "limit=5&type=a%26b&before=9");
    }

    #[test]
    fn the_list_is_a_line_an_event_and_says_how_to_go_on() {
        let page = EventPage {
            events: vec![samples::event()],
            next: Some(Seq(17)),
        };
        let text = overview(&page, "2026-03-01T12:02:00Z".parse().unwrap());
        let row: Vec<_> = text.lines().nth(1).unwrap().split("  ").collect();
        assert!(text.lines().nth(1).unwrap().starts_with("17   2 min ago"));
        assert!(row.iter().any(|cell| cell.trim() == "lesson/7"), "{text}");
        assert!(text.ends_with("older ones: --before 17\n"));
    }
}
