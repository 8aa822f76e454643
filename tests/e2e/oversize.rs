//! Bodies and frames that nobody should send: refused early, and the platform goes on.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::protocol::{Message, frame::coding::CloseCode};

use crate::platform::Platform;
use crate::pools::Pool;
use crate::session::Session;

const HUGE: usize = 64 << 20;

#[tokio::test]
async fn frames_that_are_no_text_or_too_large_end_the_connection() {
    let platform = Platform::start([Pool::fixture("fixture")]).await;
    let cases = [
        (
            "binary",
            Message::binary(vec![1, 2, 3]),
            CloseCode::Unsupported,
        ),
        ("64 MiB", Message::text("x".repeat(HUGE)), CloseCode::Size),
    ];
    for (what, frame, code) in cases {
        let session = Session::open(platform.mcp()).await;
        session.send(frame);
        assert_eq!(session.farewell().await, Some(code), "{what}");
        platform.check_alive(what).await;
    }
}

#[tokio::test]
async fn bodies_that_are_too_large_are_refused() {
    let platform = Platform::start([Pool::fixture("fixture")]).await;
    let doors = platform.doors();
    for (address, path) in [(&doors.mcp, "/mcp"), (&doors.coordinator, "/events")] {
        for framing in [Framing::Declared, Framing::Chunked] {
            let status = post_huge(address, path, framing).await;
            assert!(
                status.starts_with("HTTP/1.1 413"),
                "{path}, {framing:?}: {status}"
            );
            platform.check_alive(path).await;
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Framing {
    Declared,
    Chunked,
}

/// Posts 64 MiB and reads meanwhile: the refusal may come before the end. Returns the status line.
async fn post_huge(address: &str, path: &str, framing: Framing) -> String {
    let stream = tokio::net::TcpStream::connect(address)
        .await
        .expect("a connection");
    let (mut reader, mut writer) = stream.into_split();
    let length = match framing {
        Framing::Declared => format!("content-length: {HUGE}"),
        Framing::Chunked => "transfer-encoding: chunked".to_owned(),
    };
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\n{length}\r\n\r\n"
    );
    let sending = tokio::spawn(async move {
        writer.write_all(head.as_bytes()).await?;
        let piece = vec![b' '; 1 << 20];
        for _ in 0..HUGE / piece.len() {
            match framing {
                Framing::Declared => writer.write_all(&piece).await?,
                Framing::Chunked => {
                    writer.write_all(b"100000\r\n").await?;
                    writer.write_all(&piece).await?;
                    writer.write_all(b"\r\n").await?;
                }
            }
        }
        if matches!(framing, Framing::Chunked) {
            writer.write_all(b"0\r\n\r\n").await?;
        }
        // Kept open until the answer is read.
        Ok::<_, std::io::Error>(writer)
    });
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while !answer.contains(&b'\n') {
        match reader.read(&mut piece).await {
            Ok(0) | Err(_) => break,
            Ok(length) => answer.extend_from_slice(&piece[..length]),
        }
    }
    sending.abort();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    answer.lines().next().unwrap_or_default().to_owned()
}
