//! MCP over Streamable HTTP, and the way to the WebSocket.
//!
//! | request | legacy | modern |
//! |---|---|---|
//! | `POST /mcp` | a message of the session in `Mcp-Session-Id`; `initialize` opens one | a request on its own |
//! | `GET /mcp` | the standing stream of the session | 405 |
//! | `DELETE /mcp` | ends the session | 405 |
//! | `GET /mcp` or `/` with an upgrade | a WebSocket, both eras | |
//! | `GET /health` | whether the platform takes calls; open to all | |
//! | `GET /health/liveness` | that it runs; open to all | |

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

use dormouse_contract::door::Phase;
use http::header::{
    ALLOW, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE,
};
use http::{Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::answer::Reply;
use crate::core::Core;
use crate::dispatch::{Line, Presented};
use crate::era::{Era, MODERN, Revision};
use crate::error::Fault;
use crate::headers;
use crate::websocket::{self, Desk, Wish};

pub(crate) use body::Body;
use body::{Sent, Serving};

/// How long a client may take over a request's head, and a connection may rest.
const HEAD_PATIENCE: Duration = Duration::from_secs(75);

/// How often a stopping connection looks whether anything is still being served on it.
const STOP_STEP: Duration = Duration::from_millis(50);

/// Where a request leaves its connection when it is upgraded, and what is to go on over it.
type Upgrade = Arc<Mutex<Option<(OnUpgrade, Desk)>>>;

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
    if let Some((pending, desk)) = pending {
        match Box::pin(websocket::Upgraded::take(pending)).await {
            Some(upgraded) => Box::pin(websocket::serve(desk, upgraded)).await,
            None => desk.leave(),
        }
    }
}

async fn serve_http(
    core: &Arc<Core>,
    stream: TcpStream,
    upgrade: &Upgrade,
    stop: &CancellationToken,
) {
    let serving = Serving::default();
    let service = service_fn(|request| {
        let (core, upgrade, stop) = (core.clone(), upgrade.clone(), stop.clone());
        let served = serving.begin();
        async move {
            let response = route(&core, request, &upgrade, &stop).await;
            Ok::<_, Infallible>(response.map(|body| Sent::new(body, served)))
        }
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
            tokio::select! {
                ended = connection.as_mut() => ended,
                // Half a request would hold the stop for as long as its client likes.
                () = all_served(&serving) => Ok(()),
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP connection ended");
    }
}

/// Waits until nothing is being served, and for a moment more, in which the last bytes leave.
async fn all_served(serving: &Serving) {
    let mut idle = 0;
    while idle < 2 {
        tokio::time::sleep(STOP_STEP).await;
        idle = if serving.is_none() { idle + 1 } else { 0 };
    }
}

async fn route(
    core: &Arc<Core>,
    request: Request<Incoming>,
    upgrade: &Upgrade,
    stop: &CancellationToken,
) -> Response<Body> {
    let path = request.uri().path();
    if let Some(phase) = asked_phase(core, path) {
        return match *request.method() {
            Method::GET | Method::HEAD => health(phase),
            _ => not_allowed("GET, HEAD"),
        };
    }
    // "A server MUST respond with a 400" (RFC 9112, section 3.2).
    if request.version() == Version::HTTP_11 && !request.headers().contains_key(HOST) {
        return error(
            StatusCode::BAD_REQUEST,
            &Fault::OutOfPlace("the header Host is missing, which HTTP/1.1 requires"),
        );
    }
    if let Err(refused) = core.config.door.admit(request.headers()) {
        return refuse(refused);
    }
    let endpoint = path == "/mcp";
    if (endpoint || path == "/")
        && request.method() == Method::GET
        && websocket::asks(request.headers())
    {
        return upgrade_to_websocket(core, request, upgrade, stop).await;
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

/// What a question of health is about; `None` when it is none.
fn asked_phase(core: &Core, path: &str) -> Option<Phase> {
    match path {
        "/health" => Some(core.config.door.phase()),
        "/health/liveness" => Some(Phase::Ready),
        _ => None,
    }
}

fn health(phase: Phase) -> Response<Body> {
    json(
        phase.status(),
        format!(r#"{{"status":"{}"}}"#, phase.word()),
    )
}

async fn upgrade_to_websocket(
    core: &Arc<Core>,
    mut request: Request<Incoming>,
    upgrade: &Upgrade,
    stop: &CancellationToken,
) -> Response<Body> {
    let mut response = websocket::respond(request.headers());
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return response;
    }
    let tools = match Line::alone(request.headers()).tools() {
        Ok(tools) => tools,
        Err(fault) => return error(StatusCode::BAD_REQUEST, &fault),
    };
    let wish = match Wish::of(request.headers()) {
        Ok(wish) => wish,
        Err(fault) => return error(StatusCode::BAD_REQUEST, &fault),
    };
    let mut desk = match wish.grant(core, stop).await {
        Ok(desk) => desk,
        Err(fault @ Fault::Refused(_)) => return error(StatusCode::SERVICE_UNAVAILABLE, &fault),
        Err(fault) => return reply(Reply::error(None, &fault, LEGACY)),
    };
    desk.tools = tools;
    if let Some((id, received)) = desk.resumable() {
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::from_str(&id) {
            headers.insert(HeaderName::from_static(headers::SESSION_ID), id);
        }
        let name = HeaderName::from_static(headers::RECEIVED);
        headers.insert(name, HeaderValue::from(received));
    }
    let pending = hyper::upgrade::on(&mut request);
    *upgrade.lock().unwrap_or_else(PoisonError::into_inner) = Some((pending, desk));
    response
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
        Presented::Unknown => {
            let id = headers.get(headers::SESSION_ID);
            let id = id.and_then(|id| id.to_str().ok()).unwrap_or_default();
            if core.sessions.end_socket(id, &core.principal).await {
                return empty(StatusCode::NO_CONTENT);
            }
            reply(Reply::error(None, &Fault::UnknownSession, LEGACY))
        }
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
