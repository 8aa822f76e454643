//! MCP over Streamable HTTP, and the way to the WebSocket.
//!
//! | request | legacy | modern |
//! |---|---|---|
//! | `POST /mcp` | a message of the session in `Mcp-Session-Id`; `initialize` opens one | a request on its own |
//! | `GET /mcp` | the standing stream of the session | 405 |
//! | `DELETE /mcp` | ends the session | 405 |
//! | `GET /mcp` or `/` with an upgrade | a WebSocket, both eras | |
//! | `GET /health` | open to all | |

mod body;
mod get;
mod listen;
mod post;
mod resume;
mod sse;
mod stream;

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::{ALLOW, CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::answer::Reply;
use crate::core::Core;
use crate::dispatch::Presented;
use crate::era::{Era, MODERN, Revision};
use crate::error::Fault;
use crate::headers;
use crate::websocket;

pub(crate) use body::Body;

/// How long a client may take over a request's head, and a connection may rest.
const HEAD_PATIENCE: Duration = Duration::from_secs(75);

/// Where a request leaves its connection when it is upgraded.
type Upgrade = Arc<Mutex<Option<OnUpgrade>>>;

/// Serves one TCP connection, whatever it turns out to be.
pub(crate) async fn serve(core: Arc<Core>, stream: TcpStream, stop: CancellationToken) {
    let upgrade = Upgrade::default();
    // Boxed, so that an upgraded connection does not keep the room of what it was before.
    Box::pin(serve_http(&core, stream, &upgrade, &stop)).await;
    let pending = upgrade
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    drop(upgrade);
    if let Some(pending) = pending
        && let Some(upgraded) = Box::pin(websocket::Upgraded::take(pending)).await
    {
        Box::pin(websocket::serve(core, upgraded, stop)).await;
    }
}

async fn serve_http(
    core: &Arc<Core>,
    stream: TcpStream,
    upgrade: &Upgrade,
    stop: &CancellationToken,
) {
    let service = service_fn(|request| {
        let (core, upgrade, stop) = (core.clone(), upgrade.clone(), stop.clone());
        async move { Ok::<_, Infallible>(route(&core, request, &upgrade, &stop).await) }
    });
    let mut connection = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_PATIENCE)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP connection ended");
    }
}

async fn route(
    core: &Arc<Core>,
    mut request: Request<Incoming>,
    upgrade: &Upgrade,
    stop: &CancellationToken,
) -> Response<Body> {
    let path = request.uri().path();
    if path == "/health" {
        return match *request.method() {
            Method::GET | Method::HEAD => json(StatusCode::OK, r#"{"status":"ok"}"#.to_owned()),
            _ => not_allowed("GET, HEAD"),
        };
    }
    if let Err(refused) = core.config.door.admit(request.headers()) {
        return refuse(refused);
    }
    let endpoint = path == "/mcp";
    if (endpoint || path == "/")
        && request.method() == Method::GET
        && websocket::asks(request.headers())
    {
        let response = websocket::respond(request.headers());
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let pending = hyper::upgrade::on(&mut request);
            *upgrade.lock().unwrap_or_else(PoisonError::into_inner) = Some(pending);
        }
        return response;
    }
    if !endpoint {
        return error(
            StatusCode::NOT_FOUND,
            &Fault::OutOfPlace("nothing is served at this path: MCP is at /mcp"),
        );
    }
    match *request.method() {
        Method::POST => post::serve(core, request, stop).await,
        Method::GET => get::serve(core, request.headers(), stop).await,
        Method::DELETE => end_session(core, request.headers()).await,
        _ => not_allowed("POST, GET, DELETE"),
    }
}

async fn end_session(core: &Core, headers: &HeaderMap) -> Response<Body> {
    if is_modern(headers) {
        return not_allowed("POST");
    }
    match session_of(core, headers).await {
        Presented::Open(session) => {
            core.sessions.end(&session).await;
            tracing::debug!("session ended by its client");
            empty(StatusCode::NO_CONTENT)
        }
        Presented::Unknown => reply(Reply::error(None, &Fault::UnknownSession, LEGACY)),
        Presented::Nothing => error(
            StatusCode::BAD_REQUEST,
            &Fault::OutOfPlace("the header Mcp-Session-Id is missing: it names what to end"),
        ),
    }
}

/// The era in which errors are told before one is known.
const LEGACY: Era = Era::Legacy(Revision::LATEST);

fn is_modern(headers: &HeaderMap) -> bool {
    headers
        .get(headers::PROTOCOL_VERSION)
        .is_some_and(|version| version.as_bytes() == MODERN.as_bytes())
}

async fn session_of(core: &Core, headers: &HeaderMap) -> Presented {
    let Some(id) = headers.get(headers::SESSION_ID) else {
        return Presented::Nothing;
    };
    let Ok(id) = id.to_str() else {
        return Presented::Unknown;
    };
    let found = core.sessions.find(id, &core.principal).await;
    found.map_or(Presented::Unknown, Presented::Open)
}

fn refuse(refused: dormouse_contract::door::Refused) -> Response<Body> {
    let fault = Fault::Door(refused);
    let mut response = error(refused.status(), &fault);
    if refused.status() == StatusCode::UNAUTHORIZED {
        response
            .headers_mut()
            .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

fn not_allowed(allowed: &'static str) -> Response<Body> {
    let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn json(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::full(text));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn reply(reply: Reply) -> Response<Body> {
    json(reply.status, reply.text)
}

/// An error that has its own status and no id.
fn error(status: StatusCode, fault: &Fault) -> Response<Body> {
    json(status, Reply::error(None, fault, LEGACY).text)
}
