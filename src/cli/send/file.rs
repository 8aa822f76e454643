//! `dormouse send -f`: the events of a file, one after the other.
//!
//! What the platform has no room for waits here: 429 and 503 are asked again when they say that it
//! is worth it. A batch that is refused is sent again line by line, so that the rest of it is taken
//! and each wrong line is told by its number.

use std::io::IsTerminal as _;
use std::time::Duration;

use bytes::Bytes;
use dormouse_contract::http_binding::{self, BATCH, STRUCTURED};
use dormouse_coordinator::api::{Receipt, Receipts};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::value::RawValue;

use super::super::coordinator::{Answered, Coordinator};
use super::super::failure::Failure;
use super::super::{Connection, Output, print};
use super::lines::{Line, Lines};
use super::{Mode, SendArgs};

/// How often a followed file is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// How long to wait where the platform does not say.
const AGAIN: Duration = Duration::from_secs(1);

pub(super) async fn run(
    path: &str,
    args: &SendArgs,
    connection: &Connection,
) -> Result<(), Failure> {
    let mut lines = Lines::open(path)?;
    let mut sending = Sending {
        coordinator: Coordinator::new(connection)?,
        mode: args.mode.unwrap_or(Mode::Structured),
        output: args.output,
        is_followed: args.watch,
        bar: Bar::new(args.watch),
        taken: 0,
        refused: 0,
    };
    let at_once = match sending.mode {
        Mode::Batch => args.batch_size,
        Mode::Binary | Mode::Structured => 1,
    };
    let interrupted = async {
        match args.watch {
            // Once it is listened to, a Ctrl-C ends nothing else: not between two sends alone.
            true => drop(tokio::signal::ctrl_c().await),
            false => std::future::pending().await,
        }
    };
    tokio::select! {
        sent = send_lines(&mut lines, &mut sending, at_once) => sent?,
        () = interrupted => {}
    }
    sending.end()
}

/// Sends what is in the file, and what comes to it while it is followed.
async fn send_lines(
    lines: &mut Lines,
    sending: &mut Sending,
    at_once: usize,
) -> Result<(), Failure> {
    let is_followed = sending.is_followed;
    let mut batch = Vec::new();
    loop {
        match lines.next(!is_followed)? {
            Some(line) => batch.push(line),
            None if batch.is_empty() && !is_followed => return Ok(()),
            None if batch.is_empty() => {
                tokio::time::sleep(LOOK).await;
                if lines.follow()? {
                    print::note("the file begins anew");
                }
                continue;
            }
            // What there is goes at once.
            None => {
                sending.send(std::mem::take(&mut batch)).await?;
                continue;
            }
        }
        if batch.len() >= at_once {
            sending.send(std::mem::take(&mut batch)).await?;
            sending.bar.show(lines);
        }
    }
}

/// What is sent, and how far it is.
struct Sending {
    coordinator: Coordinator,
    mode: Mode,
    output: Output,
    is_followed: bool,
    bar: Bar,
    taken: u64,
    refused: u64,
}

impl Sending {
    async fn send(&mut self, lines: Vec<Line>) -> Result<(), Failure> {
        match self.mode {
            Mode::Batch => self.send_batch(lines).await,
            Mode::Binary | Mode::Structured => {
                for line in lines {
                    self.send_one(line).await?;
                }
                Ok(())
            }
        }
    }

    async fn send_batch(&mut self, lines: Vec<Line>) -> Result<(), Failure> {
        // What is no JSON would spoil the whole array.
        let is_json = |line: &Line| serde_json::from_slice::<&RawValue>(&line.text).is_ok();
        let (good, wrong): (Vec<_>, Vec<_>) = lines.into_iter().partition(is_json);
        let texts: Vec<_> = good.iter().map(|line| &line.text[..]).collect();
        let body = [b"[", &texts.join(&b","[..])[..], b"]"].concat();
        let mut again = wrong;
        if !good.is_empty() {
            match self.post(head(BATCH), body.into()).await? {
                Ok(answer) => self.take_all(&good, &answer)?,
                Err(_) => again.extend(good),
            }
        }
        again.sort_by_key(|line| line.number);
        for line in again {
            self.send_one(line).await?;
        }
        Ok(())
    }

    async fn send_one(&mut self, line: Line) -> Result<(), Failure> {
        let text = Bytes::from(line.text.clone());
        let (headers, body) = match self.mode {
            Mode::Structured | Mode::Batch => (head(STRUCTURED), text),
            Mode::Binary => match http_binding::read(&head(STRUCTURED), text) {
                Ok(event) => http_binding::write(event),
                Err(error) => {
                    self.refuse(&line, &error.to_string());
                    return Ok(());
                }
            },
        };
        match self.post(headers, body).await? {
            Ok(answer) => self.take_all(&[line], &answer),
            Err(detail) => {
                self.refuse(&line, &detail);
                Ok(())
            }
        }
    }

    /// The answer, or why it is refused, once the platform has room.
    async fn post(
        &self,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Result<Bytes, String>, Failure> {
        let mut has_told = false;
        loop {
            let sent = self
                .coordinator
                .try_post("/events", headers.clone(), body.clone());
            let answered: Answered = sent.await?;
            match answered.status {
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                    if !std::mem::replace(&mut has_told, true) {
                        self.bar.tell(&format!(
                            "waiting for the platform ({}): {}",
                            answered.status.as_u16(),
                            answered.detail()
                        ));
                    }
                    tokio::time::sleep(answered.retry_after.unwrap_or(AGAIN)).await;
                }
                StatusCode::UNAUTHORIZED => return Err(Failure::Token),
                status if status.is_success() => return Ok(Ok(answered.body)),
                _ => return Ok(Err(answered.detail())),
            }
        }
    }

    fn take_all(&mut self, lines: &[Line], answer: &[u8]) -> Result<(), Failure> {
        self.taken += u64::try_from(lines.len()).unwrap_or_default();
        let receipts = match self.coordinator.read(answer)? {
            Receipts::One(receipt) => vec![receipt],
            Receipts::Batch(receipts) => receipts,
        };
        for (line, receipt) in lines.iter().zip(receipts) {
            self.say(line, &receipt)?;
        }
        Ok(())
    }

    fn say(&self, line: &Line, receipt: &Receipt) -> Result<(), Failure> {
        match self.output {
            Output::Json => print::lines(serde_json::to_vec(receipt).unwrap_or_default()),
            Output::Text if self.is_followed => print::lines(format!(
                "line {}: event {}: {}",
                line.number, receipt.id, receipt.detail
            )),
            Output::Text => Ok(()),
        }
    }

    fn refuse(&mut self, line: &Line, why: &str) {
        self.refused += 1;
        self.bar
            .tell(&format!("line {} is refused: {why}", line.number));
    }

    fn end(self) -> Result<(), Failure> {
        drop(self.bar);
        if self.output == Output::Text {
            print::lines(format!("{} events are taken", self.taken))?;
        }
        match self.refused {
            0 => Ok(()),
            refused => Err(Failure::SomeRefused {
                refused,
                of: self.taken + refused,
            }),
        }
    }
}

fn head(media: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media))])
}

/// How far it is, where a person watches a file that has an end.
struct Bar(Option<ProgressBar>);

impl Bar {
    fn new(is_endless: bool) -> Self {
        if is_endless || !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{bar:30} {percent:>3} %  {elapsed}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self(Some(bar))
    }

    fn show(&self, lines: &mut Lines) {
        if let Some(bar) = &self.0
            && let Some((read, length)) = lines.progress()
        {
            bar.set_length(length);
            bar.set_position(read);
        }
    }

    fn tell(&self, text: &str) {
        match &self.0 {
            Some(bar) => bar.suspend(|| print::note(text)),
            None => print::note(text),
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// A platform that gives these answers, one a connection.
    async fn platform(answers: Vec<&'static str>) -> Connection {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 4_096];
                let _ = stream.read(&mut request).await.unwrap();
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Connection::to_coordinator(&format!("http://{address}"))
    }

    const FULL: &str = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 0\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    const TAKEN: &str = "HTTP/1.1 202 Accepted\r\nconnection: close\r\ncontent-length: 44\r\n\r\n{\"id\":\"1\",\"seq\":1,\"takers\":[],\"detail\":\"ok\"}";
    const WRONG: &str =
        "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";

    #[tokio::test]
    async fn what_there_is_no_room_for_is_sent_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        std::fs::write(&path, "{}\n{}\n").unwrap();
        let connection = platform(vec![FULL, FULL, TAKEN, WRONG]).await;
        let args = SendArgs::of_file();
        let sent = run(path.to_str().unwrap(), &args, &connection).await;
        let refused = sent.unwrap_err().to_string();
        assert!(
            refused.starts_with("1 of 2 events are refused"),
            "{refused}"
        );
    }
}
