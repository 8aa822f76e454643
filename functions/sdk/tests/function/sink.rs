//! A sink on a loopback port: what the platform's ingress is to a function.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use dormouse_contract::{Event, http_binding};
use http::{Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

pub type Taken = Arc<Mutex<Vec<Event>>>;

/// A sink that takes every event.
pub async fn sink() -> (http::Uri, Taken) {
    answering(StatusCode::ACCEPTED).await
}

/// A sink that notes every event and answers with this status.
pub async fn answering(status: StatusCode) -> (http::Uri, Taken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/events", listener.local_addr().unwrap());
    let taken = Taken::default();
    let into = Arc::clone(&taken);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let into = Arc::clone(&into);
            let service = service_fn(move |request: http::Request<Incoming>| {
                let into = Arc::clone(&into);
                async move {
                    let (head, body) = request.into_parts();
                    let body = body.collect().await.unwrap().to_bytes();
                    into.lock()
                        .unwrap()
                        .push(http_binding::read(&head.headers, body).unwrap());
                    let mut taken = Response::new(Full::new(Bytes::new()));
                    *taken.status_mut() = status;
                    Ok::<_, Infallible>(taken)
                }
            });
            let server = hyper::server::conn::http1::Builder::new();
            tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
        }
    });
    (uri.parse().unwrap(), taken)
}
