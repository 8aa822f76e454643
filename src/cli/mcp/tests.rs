//! The client against a scripted server on a real socket.

use tokio::net::TcpListener;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

use super::*;
use crate::cli::message::{Call, CallMeta};

type Served = WebSocketStream<TcpStream>;

/// A server of one connection that asks for the token `secret`, shakes hands and then follows
/// a script.
async fn serve<F: Future<Output = ()> + Send + 'static>(
    script: impl FnOnce(Served) -> F + Send + 'static,
) -> Connection {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let Ok(mut socket) = accept_hdr_async(stream, guard).await else {
            return;
        };
        let hello = hear(&mut socket).await;
        assert_eq!(hello["params"]["protocolVersion"], REVISION);
        say(&mut socket, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#).await;
        assert_eq!(
            hear(&mut socket).await["method"],
            "notifications/initialized"
        );
        script(socket).await;
    });
    connection(&format!("ws://{address}"), "secret")
}

#[expect(
    clippy::result_large_err,
    reason = "the shape that tungstenite asks for"
)]
fn guard(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    if request
        .headers()
        .get("authorization")
        .is_none_or(|it| it != "Bearer secret")
    {
        let mut refusal = ErrorResponse::new(None);
        *refusal.status_mut() = http::StatusCode::UNAUTHORIZED;
        return Err(refusal);
    }
    assert_eq!(request.headers()["sec-websocket-protocol"], "mcp");
    let chosen = http::HeaderValue::from_static("mcp");
    response
        .headers_mut()
        .insert("sec-websocket-protocol", chosen);
    Ok(response)
}

async fn hear(socket: &mut Served) -> Value {
    let message = socket.next().await.unwrap().unwrap();
    serde_json::from_str(message.to_text().unwrap()).unwrap()
}

async fn say(socket: &mut Served, message: &str) {
    socket
        .send(Message::text(message.to_owned()))
        .await
        .unwrap();
}

fn connection(mcp_url: &str, token: &str) -> Connection {
    Connection {
        mcp_url: mcp_url.to_owned(),
        coordinator_url: String::new(),
        admin_url: String::new(),
        token: Some(token.to_owned()),
    }
}

fn call(id: u64) -> Call<'static> {
    Call {
        name: "t",
        arguments: RawValue::from_string(r#"{"n":1.0}"#.to_owned()).unwrap(),
        meta: CallMeta {
            progress_token: id,
            idempotency_key: None,
        },
    }
}

#[tokio::test]
async fn a_call_is_sent_and_answered_to_the_letter_with_news_in_between() {
    let connection = serve(async |mut socket: Served| {
        let asked = hear(&mut socket).await;
        assert_eq!(asked["params"]["arguments"].to_string(), r#"{"n":1.0}"#);
        for news in [
            r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/odd"}"#,
            r#"{"jsonrpc":"2.0","id":2,"result":{ "content":[], "n":1.0 }}"#,
        ] {
            say(&mut socket, news).await;
        }
        assert_eq!(
            hear(&mut socket).await,
            json!({"jsonrpc":"2.0","id":"p","result":{}})
        );
        while let Some(Ok(_)) = socket.next().await {}
    })
    .await;
    let mut session = Session::open(&connection).await.unwrap();
    let (id, mut heard) = (session.next_id(), Vec::new());
    let mut listen = |news| heard.push(news);
    let result = session
        .request(id, "tools/call", &call(id), &mut listen)
        .await
        .unwrap();
    assert_eq!(result.get(), r#"{ "content":[], "n":1.0 }"#);
    assert!(matches!(heard.as_slice(), [Heard::Progress(news)] if news.progress == 1.0));
    session.close().await;
}

#[tokio::test]
async fn the_server_hears_of_a_cancellation_before_the_end() {
    let (tell, told) = tokio::sync::oneshot::channel();
    let connection = serve(async |mut socket: Served| {
        let cancelled = hear(&mut socket).await;
        let goodbye = socket.next().await.unwrap().unwrap();
        tell.send((cancelled, goodbye.is_close())).unwrap();
    })
    .await;
    let session = Session::open(&connection).await.unwrap();
    session.cancel(7, "enough").await;
    let (cancelled, is_close) = told.await.unwrap();
    assert_eq!(cancelled["method"], "notifications/cancelled");
    assert_eq!(
        cancelled["params"],
        json!({"requestId": 7, "reason": "enough"})
    );
    assert!(is_close);
}

#[tokio::test]
async fn tools_are_found_on_later_pages() {
    let connection = serve(async |mut socket: Served| {
        hear(&mut socket).await;
        say(&mut socket, r#"{"jsonrpc":"2.0","id":2,"result":{"tools":[{"name":"a","inputSchema":{}}],"nextCursor":"c"}}"#).await;
        assert_eq!(hear(&mut socket).await["params"]["cursor"], "c");
        say(&mut socket, r#"{"jsonrpc":"2.0","id":3,"result":{"tools":[{"name":"b","inputSchema":{"type":"object"}}]}}"#).await;
    })
    .await;
    let mut session = Session::open(&connection).await.unwrap();
    assert_eq!(
        session.find_tool("b").await.unwrap().input_schema["type"],
        "object"
    );
}

#[tokio::test]
async fn a_closed_door_says_what_to_do() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("ws://{}", listener.local_addr().unwrap());
    drop(listener);
    let failure = Session::open(&connection(&nobody, "secret"))
        .await
        .err()
        .unwrap();
    assert!(failure.to_string().contains("dormouse dev"), "{failure}");

    let mut wrong = serve(async |_| {}).await;
    wrong.token = None;
    let failure = Session::open(&wrong).await.err().unwrap();
    assert!(failure.to_string().contains("DORMOUSE_TOKEN"), "{failure}");
}

#[test]
fn an_unknown_tool_is_answered_with_those_there_are() {
    let names: Vec<_> = (0..25).map(|n| format!("tool-{n}")).collect();
    let text = no_such_tool("x", &names).to_string();
    assert!(text.contains("tool-19 and 5 more") && !text.contains("tool-20"));
    assert!(
        no_such_tool("x", &[])
            .to_string()
            .contains("dormouse pools")
    );
}
