//! The operator's logs, metrics and health.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Bounds of the buckets of all `*_seconds` histograms.
const SECONDS: [f64; 8] = [0.001, 0.005, 0.025, 0.1, 0.5, 2.0, 10.0, 60.0];

/// How often the recorder folds what its histograms have collected.
const UPKEEP: Duration = Duration::from_secs(15);

/// Starts logging to stderr; `RUST_LOG` says how much (default `info`).
pub fn start_logging(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // An error means that a subscriber is set already, as in tests.
    let _ = match format {
        LogFormat::Text => lines.with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}

/// Whether the operator does its work, or stands by for it.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<AtomicBool>);

impl Health {
    /// Says so.
    pub fn set_ready(&self, ready: bool) {
        self.0.store(ready, Ordering::Relaxed);
    }

    fn is_ready(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Opens the port with `/health/liveness`, `/health/readiness` and `/metrics`, and serves it from
/// then on.
///
/// # Errors
/// When the port cannot be opened, or a recorder of metrics is installed already.
pub async fn serve(address: SocketAddr, health: Health) -> anyhow::Result<()> {
    let render = start_metrics()?;
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("{address} cannot be opened for health and metrics: choose another with --listen")
    })?;
    let readiness = move || {
        let status = match health.is_ready() {
            true => StatusCode::OK,
            false => StatusCode::SERVICE_UNAVAILABLE,
        };
        std::future::ready(status)
    };
    let router = Router::new()
        .route("/health/liveness", get(async || StatusCode::OK))
        .route("/health/readiness", get(readiness))
        .route("/metrics", get(move || std::future::ready(render.render())));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(())
}

fn start_metrics() -> anyhow::Result<PrometheusHandle> {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder)?;
    let upkeep = handle.clone();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(UPKEEP);
        loop {
            ticks.tick().await;
            upkeep.run_upkeep();
        }
    });
    Ok(handle)
}
