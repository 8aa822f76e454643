//! The bare two hops: client -> proxy -> echo, axum and HTTP all the way, nothing stored. Each
//! hop is a process of its own, as gateway and function are.

use std::process::{Child, Command, Stdio};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The two processes; they end with this.
pub struct Hops {
    children: [Child; 2],
    pub address: String,
}

impl Hops {
    pub fn start() -> Self {
        let (echo, echo_address) = spawn(&["echo"]);
        let (proxy, address) = spawn(&["proxy", &echo_address]);
        Self {
            children: [echo, proxy],
            address,
        }
    }
}

impl Drop for Hops {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn spawn(arguments: &[&str]) -> (Child, String) {
    use std::io::BufRead as _;
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    (child, line.trim().to_owned())
}

/// Becomes a hop when the arguments ask for one.
pub fn become_hop(arguments: &[String]) {
    let app = match arguments {
        [role] if role == "echo" => Router::new().route("/", post(echo)),
        [role, target] if role == "proxy" => {
            let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
            Router::new()
                .route("/", post(proxy))
                .with_state((client, format!("http://{target}/")))
        }
        _ => return,
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
            let _ = stream.set_nodelay(true);
        });
        axum::serve(listener, app).await.unwrap();
    });
    std::process::exit(0);
}

type Upstream = (Client<HttpConnector, Body>, String);

async fn proxy(State((client, target)): State<Upstream>, body: Bytes) -> Response {
    let request = http::Request::post(target)
        .header("content-type", "application/json")
        .body(Body::from(body))
        .unwrap();
    client.request(request).await.unwrap().map(Body::new)
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    params: Params,
}

#[derive(Deserialize)]
struct Params {
    arguments: Arguments,
}

#[derive(Deserialize)]
struct Arguments {
    text: String,
}

async fn echo(body: Bytes) -> Response {
    let request: Request<'_> = serde_json::from_slice(&body).unwrap();
    let text = serde_json::to_string(&request.params.arguments.text).unwrap();
    let answer = format!(
        r#"{{"jsonrpc":"2.0","id":{},"result":{{"content":[{{"type":"text","text":{text}}}]}}}}"#,
        request.id
    );
    Response::builder()
        .header("content-type", "application/json")
        .body(Body::from(answer))
        .unwrap()
}
