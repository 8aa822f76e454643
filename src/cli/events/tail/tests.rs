//! Following against a scripted platform on a real socket.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::super::super::Connection;
use super::*;

fn change(seq: u64, ty: &str) -> EventChange {
    EventChange {
        seq: Seq(seq),
        id: seq.to_string(),
        source: "/s".into(),
        ty: ty.into(),
        subject: None,
    }
}

fn told(seq: u64, ty: &str) -> String {
    let data = serde_json::to_string(&change(seq, ty)).unwrap();
    format!("event: event\nid: {seq}\ndata: {data}\n\n")
}

/// Takes a connection and returns the `Last-Event-ID` that it asks with.
async fn asked(listener: &TcpListener) -> (TcpStream, String) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = String::new();
    while !request.contains("\r\n\r\n") {
        let mut bytes = [0; 1_024];
        let count = stream.read(&mut bytes).await.unwrap();
        request.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
    }
    assert!(request.starts_with("GET /changes?type=event "), "{request}");
    let heard = request
        .lines()
        .find_map(|it| it.strip_prefix("last-event-id: "));
    (stream, heard.unwrap_or_default().to_owned())
}

/// Answers with these server-sent events and hangs up.
async fn tell(mut stream: TcpStream, events: &[String]) {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    let answer = format!("{head}: listening\n\n{}", events.concat());
    stream.write_all(answer.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
}

fn args(ty: Option<&str>) -> TailArgs {
    TailArgs {
        which: Which {
            ty: ty.map(str::to_owned),
            ..Which::default()
        },
        after: Some(Seq(4)),
        output: Output::Text,
    }
}

fn coordinator(listener: &TcpListener) -> Coordinator {
    let url = format!("http://{}", listener.local_addr().unwrap());
    let connection = Connection::to_coordinator(&url);
    Coordinator::new(&connection).unwrap()
}

/// What is printed, up to so many lines.
async fn printed(args: TailArgs, coordinator: Coordinator, count: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut print = |line| {
        lines.push(line);
        match lines.len() == count {
            true => Err(Failure::PipeClosed),
            false => Ok(()),
        }
    };
    let ended = follow(&args, &coordinator, &mut print).await;
    assert!(matches!(ended, Err(Failure::PipeClosed)));
    lines
}

#[tokio::test]
async fn whoever_comes_back_gets_what_it_missed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let printing = tokio::spawn(printed(args(None), coordinator(&listener), 3));
    let (stream, heard) = asked(&listener).await;
    assert_eq!(heard, "4");
    tell(stream, &[told(5, "a")]).await;
    let (stream, heard) = asked(&listener).await;
    assert_eq!(heard, "5");
    // Too slow: what was left out is asked for.
    let missed = "event: missed\ndata: {\"missed\":2}\n\n".to_owned();
    tell(stream, &[told(6, "b"), missed.clone()]).await;
    let (stream, heard) = asked(&listener).await;
    assert_eq!(heard, "6");
    // What even the log does not have any more is only counted.
    tell(stream, &[missed, told(9, "c")]).await;
    let lines = printing.await.unwrap();
    for (line, (seq, ty)) in lines.iter().zip([("5", "a"), ("6", "b"), ("9", "c")]) {
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(words, [seq, ty, "/s"]);
    }
}

#[tokio::test]
async fn what_was_not_asked_for_is_not_printed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let printing = tokio::spawn(printed(args(Some("b")), coordinator(&listener), 1));
    let (stream, _) = asked(&listener).await;
    tell(stream, &[told(5, "a"), told(6, "b")]).await;
    assert!(printing.await.unwrap()[0].contains("  b "));
}

#[tokio::test]
async fn a_refusal_ends_it_when_it_will_not_pass() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let coordinator = coordinator(&listener);
    let following =
        tokio::spawn(async move { follow(&args(None), &coordinator, &mut |_| Ok(())).await });
    let (mut stream, _) = asked(&listener).await;
    let refusal = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n";
    stream.write_all(refusal.as_bytes()).await.unwrap();
    assert!(matches!(following.await.unwrap(), Err(Failure::Token)));
}
