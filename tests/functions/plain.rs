//! A function of the standard library alone: the least that the contract asks for.

use std::io::{BufRead, BufReader, Read, Result, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};

const SAYS: &str = "first";
const MANIFEST: &str = r#"{"contract":1,"tools":[{"name":"say","inputSchema":{"type":"object"}}]}"#;

fn main() -> Result<()> {
    if std::env::args().any(|argument| argument == "--capabilities") {
        println!("{MANIFEST}");
        return Ok(());
    }
    let listener = UnixListener::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    for connection in listener.incoming() {
        // Whoever hangs up in the middle of a request wants no answer.
        let _ = answer(&mut connection?);
    }
    Ok(())
}

fn answer(connection: &mut UnixStream) -> Result<()> {
    let mut request = BufReader::new(connection.try_clone()?);
    let mut line = String::new();
    request.read_line(&mut line)?;
    let is_call = line.starts_with("POST ");
    let mut length = 0;
    while line.trim() != "" {
        line.clear();
        request.read_line(&mut line)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    std::io::copy(&mut request.take(length), &mut std::io::sink())?;
    let (attributes, body) = if is_call {
        let result = format!(r#"{{"content":[{{"type":"text","text":"{SAYS}"}}]}}"#);
        (
            "ce-specversion: 1.0\r\nce-id: 1\r\nce-source: /plain\r\n\
             ce-type: dev.dormouse.task.completed.v1\r\ncontent-type: application/json\r\n",
            format!(r#"{{"result":{result}}}"#),
        )
    } else {
        ("content-type: text/plain\r\n", String::new())
    };
    let length = body.len();
    write!(
        connection,
        "HTTP/1.1 200 OK\r\n{attributes}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}
