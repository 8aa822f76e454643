//! Waits until an instance is ready.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};

use crate::connection::Connection;
use crate::socket::Address;

/// The pause after the first failed look; it grows by half with each that follows.
const FIRST_PAUSE: Duration = Duration::from_millis(2);

/// The pause grows no further.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Asks until the instance says that it is ready, first on `connection` if there is one; returns
/// the connection on which it did, when that can carry more. Never ends by itself: whoever waits knows how long, and sees the process
/// die.
///
/// A 404 counts as ready: the program answers, and knows of no probe.
pub(crate) async fn until_ready(
    address: &Address,
    mut connection: Option<Connection>,
) -> Option<Connection> {
    let mut pause = FIRST_PAUSE;
    loop {
        match look(address, connection.take()).await {
            Look::Ready(connection) => return connection,
            Look::NotYet(kept) => connection = kept,
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
    }
}

enum Look {
    Ready(Option<Connection>),
    NotYet(Option<Connection>),
}

async fn look(address: &Address, connection: Option<Connection>) -> Look {
    let connection = match connection {
        Some(connection) => connection,
        None => match Connection::open(address).await {
            Ok(connection) => connection,
            Err(_) => return Look::NotYet(None),
        },
    };
    let mut request = Request::new(Bytes::new());
    *request.uri_mut() = http::Uri::from_static("/health/readiness");
    let host = HeaderValue::from_static("localhost");
    request.headers_mut().insert(header::HOST, host);
    match connection.exchange(request).await {
        Ok((response, kept)) => match response.status() {
            StatusCode::NOT_FOUND => Look::Ready(kept),
            status if status.is_success() => Look::Ready(kept),
            _ => Look::NotYet(kept),
        },
        Err(_) => Look::NotYet(None),
    }
}
