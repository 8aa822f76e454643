//! `dormouse events tail`: events as they come in, over lost connections and restarts.
//!
//! The log numbers events, so whoever comes back says which it heard last and gets the rest: a
//! connection that broke costs nothing, nor does one that was too slow. What the platform no longer
//! tells is counted and said.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use dormouse_broker::Seq;
use dormouse_coordinator::api::{EventChange, EventPage, Missed};
use futures_util::{Stream, StreamExt as _};
use http::header::HeaderValue;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use sse_stream::{Sse, SseByteStream};

use super::super::coordinator::Coordinator;
use super::super::failure::Failure;
use super::super::readable::plain;
use super::super::{Output, print};
use super::Which;

const PATH: &str = "/changes?type=event";

/// A comment comes every 15 s when nothing else does: a connection that is silent for so long is
/// dead.
const SILENCE: Duration = Duration::from_secs(45);

/// How long to wait before the first attempt to come back; doubled up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(super) struct TailArgs {
    #[command(flatten)]
    which: Which,
    /// Begin with the events after this place in the log
    #[arg(long, value_name = "SEQ")]
    after: Option<Seq>,
    /// How events are printed; as JSON, one a line
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

/// Where lines go.
type Print<'a> = dyn FnMut(String) -> Result<(), Failure> + Send + 'a;

/// Why a connection ended.
enum Ended {
    /// The command does.
    Whole(Failure),
    /// The connection does, for this reason; another is worth a try.
    Connection(String),
    /// Something was not told; a new connection tells it from the log.
    Behind,
}

/// What was printed so far.
struct Tail<'a> {
    args: &'a TailArgs,
    /// The event heard last.
    heard: Seq,
    /// Where this connection began.
    since: Seq,
    out: &'a mut Print<'a>,
}

pub(super) async fn run(args: &TailArgs, coordinator: &Coordinator) -> Result<(), Failure> {
    follow(args, coordinator, &mut |line| print::lines(line)).await
}

async fn follow(
    args: &TailArgs,
    coordinator: &Coordinator,
    out: &mut Print<'_>,
) -> Result<(), Failure> {
    let heard = match args.after {
        Some(after) => after,
        None => newest(coordinator).await?,
    };
    let mut tail = Tail {
        args,
        heard,
        since: heard,
        out,
    };
    let mut body = tail.open(coordinator).await?;
    loop {
        match tail.read(body).await {
            Ended::Whole(failure) => return Err(failure),
            Ended::Behind => body = tail.come_back(coordinator).await?,
            Ended::Connection(reason) => {
                print::note(&format!("dormouse: {reason}; trying to connect again"));
                body = tail.come_back(coordinator).await?;
                print::note("dormouse: connected again");
            }
        }
    }
}

/// The last place of the log; from there on nothing is missed, even if the connection breaks before
/// the first event.
async fn newest(coordinator: &Coordinator) -> Result<Seq, Failure> {
    let answer = coordinator.get("/events?limit=1").await?;
    let page: EventPage = coordinator.read(&answer)?;
    Ok(page
        .events
        .first()
        .map_or(Seq::default(), |event| event.seq))
}

impl Tail<'_> {
    async fn open(&mut self, coordinator: &Coordinator) -> Result<Incoming, Failure> {
        self.since = self.heard;
        let heard = HeaderValue::from(self.heard.0);
        coordinator.listen(PATH, heard).await
    }

    /// Tries until it works, or until it is clear that it never will.
    async fn come_back(&mut self, coordinator: &Coordinator) -> Result<Incoming, Failure> {
        let mut pause = PAUSE;
        loop {
            tokio::time::sleep(pause).await;
            match self.open(coordinator).await {
                Err(failure) if may_pass(&failure) => pause = (pause * 2).min(LONGEST_PAUSE),
                opened_or_hopeless => return opened_or_hopeless,
            }
        }
    }

    /// Prints what comes, until the connection ends.
    async fn read(&mut self, body: Incoming) -> Ended {
        let mut events = SseByteStream::new(Box::pin(chunks(body)));
        loop {
            let ended = match events.next().await {
                Some(Ok(event)) => self.take(&event),
                Some(Err(error)) => {
                    let reason = format!("the connection is lost: {error}");
                    Some(Ended::Connection(reason))
                }
                None => Some(Ended::Connection("the platform closed the stream".into())),
            };
            if let Some(ended) = ended {
                return ended;
            }
        }
    }

    fn take(&mut self, told: &Sse) -> Option<Ended> {
        let data = told.data.as_deref().unwrap_or_default();
        match told.event.as_deref() {
            Some("event") => {
                let change: EventChange = serde_json::from_str(data).ok()?;
                self.heard = change.seq;
                if !wants(&self.args.which, &change) {
                    return None;
                }
                let line = match self.args.output {
                    Output::Json => data.to_owned(),
                    Output::Text => line(&change),
                };
                (self.out)(line).err().map(Ended::Whole)
            }
            Some("missed") => {
                // The log tells it, unless the log was just asked.
                if self.heard > self.since {
                    return Some(Ended::Behind);
                }
                let Missed { missed } = serde_json::from_str(data).ok()?;
                print::note(&format!(
                    "dormouse: {missed} changes were missed; `dormouse events` lists what the log still has"
                ));
                None
            }
            // A newer platform may tell more than this command knows.
            Some(_) | None => None,
        }
    }
}

/// Whether it may be otherwise in a moment.
fn may_pass(failure: &Failure) -> bool {
    match failure {
        Failure::Unreachable { .. } | Failure::Slow { .. } | Failure::Strange { .. } => true,
        Failure::Refused { status, .. } => *status >= 500 || *status == 429,
        Failure::Url { .. }
        | Failure::Token
        | Failure::Rpc { .. }
        | Failure::Lost { .. }
        | Failure::TimedOut(_)
        | Failure::Usage(_)
        | Failure::Output(_)
        | Failure::SomeRefused { .. }
        | Failure::Tool
        | Failure::Interrupted
        | Failure::PipeClosed => false,
    }
}

/// The bytes of an endless answer; silence ends it.
fn chunks(body: Incoming) -> impl Stream<Item = io::Result<Bytes>> {
    futures_util::stream::unfold(Some(body), async |body| {
        let mut body = body?;
        match tokio::time::timeout(SILENCE, body.frame()).await {
            Ok(Some(Ok(frame))) => Some((Ok(frame.into_data().unwrap_or_default()), Some(body))),
            Ok(Some(Err(error))) => Some((Err(io::Error::other(error)), None)),
            Ok(None) => None,
            Err(_) => Some((Err(io::ErrorKind::TimedOut.into()), None)),
        }
    })
}

fn wants(which: &Which, change: &EventChange) -> bool {
    let fits = |wanted: &Option<String>, value: Option<&str>| match wanted {
        Some(wanted) => Some(wanted.as_str()) == value,
        None => true,
    };
    fits(&which.ty, Some(&change.ty))
        && fits(&which.source, Some(&change.source))
        && fits(&which.subject, change.subject.as_deref())
}

fn line(change: &EventChange) -> String {
    let subject = change.subject.as_deref().map_or_else(String::new, plain);
    let line = format!(
        "{:>6}  {:<32}  {:<20}  {subject}",
        change.seq.0,
        plain(&change.ty),
        plain(&change.source),
    );
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests;
