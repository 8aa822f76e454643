//! Pods of a pool on Knative, as they are counted by whoever watches them.

use dormouse_contract::declaration::RunsOn;
use dormouse_contract::registration::Instances;

use super::OutsideError;
use crate::registry::Coordinator;

impl Coordinator {
    /// So many pods a pool on Knative has from now on, remembered over restarts.
    ///
    /// # Errors
    /// [`OutsideError`]; nothing is changed then.
    pub async fn count_pods(&self, pool: &str, pods: Instances) -> Result<(), OutsideError> {
        let pools = self.outside().lock().await;
        let Some(outside) = pools.get(pool).cloned() else {
            return Err(self.not_outside(pool, OutsideError::NotKnative));
        };
        let mut record = outside.record();
        if record.runs_on != RunsOn::Knative {
            return Err(OutsideError::NotKnative(pool.to_owned()));
        }
        if record.instances != pods {
            record.instances = pods;
            self.remember(pool, Some(&record)).await?;
            outside.adopt(record, self.settings())?;
        }
        Ok(())
    }
}

/// Puts the counts into the metrics.
pub(super) fn measure(pool: &str, pods: &Instances) {
    for (word, count) in [
        ("ready", pods.ready),
        ("waking", pods.waking),
        ("stopping", pods.stopping),
    ] {
        let pool = pool.to_owned();
        metrics::gauge!("dormouse_instances", "pool" => pool, "state" => word).set(count as f64);
    }
}
