//! `dormouse send`: one CloudEvent to the ingress.

use bytes::Bytes;
use clap::Args;
use dormouse_contract::Event;
use dormouse_contract::http_binding;
use dormouse_coordinator::api::Receipt;
use serde_json::value::RawValue;

use super::coordinator::Coordinator;
use super::failure::Failure;
use super::{Connection, Output, input, print};

const JSON: &str = "application/json";

/// What is typed after `send`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  dormouse send --type com.github.push --source /repos/dormouse --data '{\"ref\": \"main\"}'")]
pub struct SendArgs {
    /// What kind of occurrence it tells, e.g. com.github.push
    #[arg(long = "type", value_name = "TYPE")]
    ty: String,
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
    /// How the receipt is printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

pub(super) async fn run(args: SendArgs, connection: &Connection) -> Result<(), Failure> {
    let output = args.output;
    let event = compose(args)?;
    let coordinator = Coordinator::new(connection)?;
    let (headers, body) = http_binding::write_binary(event);
    let answer = coordinator.post("/events", headers, body).await?;
    match output {
        Output::Json => print::lines(answer),
        Output::Text => print::lines(describe(&coordinator.read(&answer)?)),
    }
}

fn compose(args: SendArgs) -> Result<Event, Failure> {
    let id = args
        .id
        .unwrap_or_else(|| format!("{:032x}", rand::random::<u128>()));
    let mut event = Event::new(id, args.source, args.ty);
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

    fn args(data: Option<&str>) -> SendArgs {
        SendArgs {
            ty: "t".into(),
            source: "/s".into(),
            subject: None,
            data: data.map(str::to_owned),
            content_type: JSON.into(),
            extensions: vec![("branch".into(), "main".into())],
            id: None,
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
