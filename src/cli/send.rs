//! `dormouse send`: one CloudEvent to the ingress, or those of a file.

mod file;
mod lines;

use bytes::Bytes;
use clap::{Args, ValueEnum};
use dormouse_contract::Event;
use dormouse_contract::http_binding::{self, BATCH_LIMIT};
use dormouse_coordinator::api::{Receipt, Receipts};
use serde_json::value::RawValue;

use super::coordinator::Coordinator;
use super::failure::Failure;
use super::{Connection, Output, input, print};

const JSON: &str = "application/json";

/// What is typed after `send`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  dormouse send --type com.github.push --source /repos/dormouse --data '{\"ref\": \"main\"}'
  dormouse send -f events.jsonl --mode batch
  dormouse send -f events.jsonl --watch")]
pub struct SendArgs {
    /// What kind of occurrence it tells, e.g. com.github.push
    #[arg(long = "type", value_name = "TYPE", required_unless_present = "file")]
    ty: Option<String>,
    /// Who emits it, a URI-reference
    #[arg(long, default_value = "dormouse-cli")]
    source: String,
    /// What in the source it is about
    #[arg(long)]
    subject: Option<String>,
    /// The payload; @FILE reads a file, @- reads stdin
    #[arg(long, value_name = "DATA")]
    data: Option<String>,
    /// The payload's media type
    #[arg(long, value_name = "MEDIA TYPE", default_value = JSON)]
    content_type: String,
    /// An extension attribute
    #[arg(long = "ext", value_name = "NAME=VALUE", value_parser = input::name_and_value)]
    extensions: Vec<(String, String)>,
    /// The event's id; random when absent
    #[arg(long)]
    id: Option<String>,
    /// Send the events of a file instead, one as JSON a line (`-` reads stdin); blank lines and
    /// lines that start with # are left out
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["ty", "source", "subject", "data", "content_type", "extensions", "id"])]
    file: Option<String>,
    /// Go on with what is appended to the file, until Ctrl-C
    #[arg(long, requires = "file")]
    watch: bool,
    /// How events travel [default: binary for one event, structured for a file]
    #[arg(long, value_enum)]
    mode: Option<Mode>,
    /// How many events of a file make a batch
    #[arg(long, value_name = "COUNT", default_value = "100", value_parser = batch_size)]
    batch_size: usize,
    /// How receipts are printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

/// How events travel (CloudEvents HTTP binding, section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// Attributes as headers, the payload as the body; as JSON where headers cannot carry them
    Binary,
    /// The whole event as JSON
    Structured,
    /// Several events as one JSON array, all taken or none
    Batch,
}

/// For clap.
fn batch_size(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(size) if (1..=BATCH_LIMIT).contains(&size) => Ok(size),
        Ok(_) | Err(_) => Err(format!("write a number from 1 to {BATCH_LIMIT}")),
    }
}

pub(super) async fn run(args: SendArgs, connection: &Connection) -> Result<(), Failure> {
    if let Some(path) = &args.file {
        return file::run(path, &args, connection).await;
    }
    let (output, mode) = (args.output, args.mode.unwrap_or(Mode::Binary));
    let event = compose(args)?;
    let coordinator = Coordinator::new(connection)?;
    let (headers, body) = match mode {
        Mode::Binary => http_binding::write(event),
        Mode::Structured => http_binding::write_structured(&event),
        Mode::Batch => http_binding::write_batch(&[event]),
    };
    let answer = coordinator.post("/events", headers, body).await?;
    match output {
        Output::Json => print::lines(answer),
        Output::Text => {
            let receipts = match coordinator.read(&answer)? {
                Receipts::One(receipt) => vec![receipt],
                Receipts::Batch(receipts) => receipts,
            };
            print::lines(receipts.iter().map(describe).collect::<String>())
        }
    }
}

fn compose(args: SendArgs) -> Result<Event, Failure> {
    let id = args
        .id
        .unwrap_or_else(|| format!("{:032x}", rand::random::<u128>()));
    let mut event = Event::new(id, args.source, args.ty.unwrap_or_default());
    event.subject = args.subject;
    event.time = Some(jiff::Timestamp::now().to_string());
    for (name, value) in args.extensions {
        event = event.with_extension(&name, value);
    }
    if let Some(data) = args.data {
        let data = Bytes::from(input::read(&data)?);
        if args.content_type == JSON {
            check_json(&data)?;
        }
        event.datacontenttype = Some(args.content_type);
        event.data = Some(data);
    }
    event
        .validate()
        .map_err(|invalid| Failure::Usage(invalid.to_string()))?;
    Ok(event)
}

fn check_json(data: &[u8]) -> Result<(), Failure> {
    match serde_json::from_slice::<&RawValue>(data) {
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::Usage(format!(
            "--data is not valid JSON: {error}; quote it for the shell, or say what it is with --content-type"
        ))),
    }
}

fn describe(receipt: &Receipt) -> String {
    let mut text = format!("event {}: {}\n", receipt.id, receipt.detail);
    for taker in &receipt.takers {
        text.push_str(&format!("  {}  task {}\n", taker.pool, taker.task));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    impl SendArgs {
        /// What a file is sent with when nothing else is typed.
        pub(super) fn of_file() -> Self {
            args(None)
        }
    }

    fn args(data: Option<&str>) -> SendArgs {
        SendArgs {
            ty: Some("t".into()),
            source: "/s".into(),
            subject: None,
            data: data.map(str::to_owned),
            content_type: JSON.into(),
            extensions: vec![("branch".into(), "main".into())],
            id: None,
            file: None,
            watch: false,
            mode: None,
            batch_size: 100,
            output: Output::Text,
        }
    }

    #[test]
    fn an_event_gets_an_id_and_a_time() {
        let event = compose(args(Some(r#"{"a": 1}"#))).unwrap();
        assert_eq!(event.id.len(), 32);
        assert!(event.time.is_some());
        assert_eq!(event.extension("branch").as_deref(), Some("main"));
        assert_eq!(event.data.unwrap(), r#"{"a": 1}"#);
        let empty = compose(args(None)).unwrap();
        assert_eq!((empty.data, empty.datacontenttype), (None, None));
    }

    #[test]
    fn what_no_receiver_would_take_is_not_sent() {
        let failure = compose(args(Some("plain"))).unwrap_err();
        assert!(failure.to_string().contains("--content-type"));
        let mut wrong = args(None);
        wrong.extensions = vec![("Branch_Name".into(), "x".into())];
        assert!(
            compose(wrong)
                .unwrap_err()
                .to_string()
                .contains("Branch_Name")
        );
        let plain = SendArgs {
            content_type: "text/plain".into(),
            ..args(Some("plain"))
        };
        assert!(compose(plain).is_ok());
    }
}
