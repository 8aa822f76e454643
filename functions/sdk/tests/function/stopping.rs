//! Calls that nobody waits for any more, and functions that are told to stop.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dormouse_contract::http_binding;
use dormouse_function::{Context, Function, NoArguments, Settings, ToolError};
use http::{HeaderMap, Method, Request, Version};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::harness::{Running, requested, start};

/// Tells when the handler has started, when it has seen the cancellation, and waits to be let go.
#[derive(Clone)]
struct Probe {
    started: Arc<Semaphore>,
    cancelled: Arc<Semaphore>,
    release: Arc<Semaphore>,
}

async fn probed(settings: Settings) -> (Running, Probe) {
    let none = || Arc::new(Semaphore::new(0));
    let probe = Probe {
        started: none(),
        cancelled: none(),
        release: none(),
    };
    let Probe {
        started,
        cancelled,
        release,
    } = probe.clone();
    let handler = move |cx: Context, _: NoArguments| {
        let (started, cancelled) = (Arc::clone(&started), Arc::clone(&cancelled));
        let release = Arc::clone(&release);
        async move {
            started.add_permits(1);
            tokio::select! {
                () = cx.cancelled() => {
                    assert!(cx.is_cancelled());
                    cancelled.add_permits(1);
                    Err(ToolError::internal("cancelled"))
                }
                _ = release.acquire() => Ok("released"),
            }
        }
    };
    let function = Function::new("probe").tool("wait", "Wait.", handler);
    (start(function, settings).await, probe)
}

fn request(function: &Running) -> Request<Full<Bytes>> {
    let (headers, body) = http_binding::write_binary(requested("wait", json!({})));
    let mut request = Request::post(format!("http://{}/", function.address))
        .body(Full::new(body))
        .unwrap();
    request.headers_mut().extend(headers);
    request
}

async fn permit(semaphore: &Semaphore) {
    semaphore.acquire().await.unwrap().forget();
}

#[tokio::test]
async fn who_hangs_up_cancels_the_handler() {
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let (function, probe) = probed(Settings::default()).await;
        let mut client = Client::builder(TokioExecutor::new());
        let client = client.http2_only(version == Version::HTTP_2).build_http();
        let call = tokio::spawn(client.request(request(&function)));
        permit(&probe.started).await;
        call.abort();
        permit(&probe.cancelled).await;
        assert_eq!(function.get("/health/liveness").await.status, 200);
    }
}

#[tokio::test]
async fn a_handler_that_does_not_heed_is_dropped_after_its_grace() {
    struct Dropped(Arc<Semaphore>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.add_permits(1);
        }
    }
    let (started, dropped) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (tells, guard) = (Arc::clone(&started), Arc::clone(&dropped));
    let deaf = move |_: Context, _: NoArguments| {
        let (tells, guard) = (Arc::clone(&tells), Dropped(Arc::clone(&guard)));
        async move {
            tells.add_permits(1);
            std::future::pending::<()>().await;
            drop(guard);
            Ok(())
        }
    };
    let settings = Settings {
        grace: Duration::from_millis(5),
        ..Settings::default()
    };
    let function = start(Function::new("probe").tool("wait", "", deaf), settings).await;
    let call = tokio::spawn(function.http.request(request(&function)));
    permit(&started).await;
    call.abort();
    permit(&dropped).await;
}

#[tokio::test]
async fn a_stop_finishes_what_runs_and_refuses_what_is_new() {
    let (mut function, probe) = probed(Settings::default()).await;
    let call = tokio::spawn(function.http.request(request(&function)));
    permit(&probe.started).await;
    function.stop.cancel();
    while function.get("/health/readiness").await.status == 200 {
        tokio::task::yield_now().await;
    }
    assert_eq!(function.get("/health/liveness").await.status, 200);
    let (headers, body) = http_binding::write_binary(requested("wait", json!({})));
    let refused = function.send(Method::POST, "/", headers, body).await;
    assert_eq!((refused.status, refused.not_run()), (503, true));

    probe.release.add_permits(1);
    let answer = crate::harness::Answer::read(call.await.unwrap().unwrap()).await;
    assert_eq!(answer.text(), "released");
    (&mut function.served).await.unwrap().unwrap();
    let gone = Request::get(format!("http://{}/", function.address));
    let gone = gone.body(Full::new(Bytes::new())).unwrap();
    assert!(function.http.request(gone).await.is_err());
}

#[tokio::test]
async fn an_idle_function_stops_although_connections_are_open() {
    let (mut function, _) = probed(Settings::default()).await;
    let idle = function.send(
        Method::GET,
        "/health/readiness",
        HeaderMap::new(),
        Bytes::new(),
    );
    assert_eq!(idle.await.status, 200);
    function.stop.cancel();
    (&mut function.served).await.unwrap().unwrap();
}
