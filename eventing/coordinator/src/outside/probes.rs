//! Looking after one endpoint: is it there, and when it was not, is it there again?

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;

use super::OutsidePool;
use crate::Settings;
use crate::clock;
use crate::endpoints::Endpoint;
use crate::endpoints::client::Outside;
use crate::endpoints::health::Moment;

/// However often deliveries miss it, an endpoint is not probed more often than this.
const LEAST_PAUSE: Duration = Duration::from_millis(200);

/// What the probes of one endpoint need.
pub(super) struct Probes {
    pub(super) pool: Arc<OutsidePool>,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) client: Outside,
    pub(super) health: Url,
    pub(super) settings: Settings,
}

impl Probes {
    /// Probes for as long as the pool has this endpoint: as often as the settings say, at once
    /// when a delivery missed it, and with a growing delay while it does not answer.
    pub(super) async fn run(self) {
        let usual = self.settings.probe_every;
        loop {
            let next = self
                .endpoint
                .health
                .borrow()
                .next_probe(clock::now(), usual);
            tokio::select! {
                () = tokio::time::sleep_until(next.into()) => {}
                () = self.endpoint.missed.notified() => {}
            }
            self.probe().await;
            tokio::time::sleep(LEAST_PAUSE.min(usual)).await;
        }
    }

    async fn probe(&self) {
        let answer = self.client.get(&self.health, self.settings.patience).await;
        let before = self.endpoint.health.borrow().clone();
        let probe = answer.map(drop);
        let (name, is_well) = (self.endpoint.name(), probe.is_ok());
        let pool = &self.pool;
        metrics::counter!(
            "dormouse_endpoint_probes_total",
            "pool" => pool.name.to_string(),
            "endpoint" => name.to_owned(),
            "outcome" => if is_well { "well" } else { "failing" },
        )
        .increment(1);
        match (&probe, before.is_failing()) {
            (Ok(()), true) => {
                tracing::info!(pool = &*pool.name, endpoint = name, "answers again");
                self.client.reset();
                self.endpoint.gate().clear();
                // It may have come back as another version.
                pool.look.notify_one();
            }
            (Err(why), false) => {
                tracing::warn!(pool = &*pool.name, endpoint = name, why, "left out");
                self.client.reset();
            }
            (Ok(()), false) | (Err(_), true) => {}
        }
        let after = before.after(probe, Moment::now(), self.settings.probe_every);
        self.endpoint.health.send_replace(after);
        pool.publish();
    }
}
