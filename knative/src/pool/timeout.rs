//! How long a request to a pool may take, as Knative has to know it.

use std::collections::BTreeMap;
use std::time::Duration;

use dormouse_contract::policy::Delivery;
use dormouse_pool::{Container, Pool};

/// The key of ConfigMap `knative-serving/config-defaults` with the longest time that a revision
/// may say, in seconds.
const MOST: &str = "max-revision-timeout-seconds";

/// What holds where that key says nothing (Knative Serving, `pkg/apis/config/defaults.go`).
pub const DEFAULT_MOST: u64 = 600;

/// A delivery may take longer than the cluster lets a request take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{field}: {} s is longer than a request may take in this cluster, which is {most} s: say less, \
     or have `{MOST}` raised in ConfigMap knative-serving/config-defaults",
    .wanted.as_secs()
)]
pub struct TooLong {
    /// The field that says it.
    pub field: String,
    /// How long a delivery may take.
    pub wanted: Duration,
    /// The cluster's bound, in seconds.
    pub most: u64,
}

/// The longest time that a revision may say, by the data of `knative-serving/config-defaults`.
#[must_use]
pub fn most(defaults: Option<&BTreeMap<String, String>>) -> u64 {
    defaults
        .and_then(|data| data.get(MOST)?.parse().ok())
        .unwrap_or(DEFAULT_MOST)
}

/// The longest delivery that the pool's file allows, in seconds, rounded up.
///
/// # Errors
/// When the cluster does not let a request take so long.
pub fn seconds(pool: &Pool<Container>, most: u64) -> Result<u64, TooLong> {
    let base = Delivery::default().with(&pool.delivery);
    let tools = pool.tools.iter().map(|(tool, spec)| {
        let timeout = base.clone().with(spec).timeout;
        (format!("spec.tools.{tool}.timeout"), timeout)
    });
    let triggers = pool.triggers.iter().enumerate().map(|(index, trigger)| {
        let spec = trigger.delivery.clone().unwrap_or_default();
        let timeout = base.clone().with(&spec).timeout;
        (format!("spec.triggers[{index}].delivery.timeout"), timeout)
    });
    let own = ("spec.delivery.timeout".to_owned(), base.timeout);
    let (field, wanted) =
        tools
            .chain(triggers)
            .fold(own, |longest, next| match next.1 > longest.1 {
                true => next,
                false => longest,
            });
    match whole_seconds(wanted) {
        seconds if seconds <= most => Ok(seconds),
        _ => Err(TooLong {
            field,
            wanted,
            most,
        }),
    }
}

/// A time in seconds, rounded up.
#[must_use]
pub(super) fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::super::tests::pool;
    use super::*;

    #[test]
    fn the_longest_of_pool_tools_and_triggers_counts() {
        assert_eq!(seconds(&pool(""), DEFAULT_MOST), Ok(300));
        let file = "
  delivery: {timeout: 2500ms}
  tools: {slow: {timeout: 90s}, quick: {timeout: 1s}}
  triggers: [{delivery: {timeout: 91s}}]";
        assert_eq!(seconds(&pool(file), DEFAULT_MOST), Ok(91));
        assert_eq!(
            seconds(&pool("\n  delivery: {timeout: 2500ms}"), DEFAULT_MOST),
            Ok(3)
        );
    }

    #[test]
    fn what_the_cluster_cannot_honour_names_its_field() {
        let file = "\n  tools: {slow: {timeout: 601s}}";
        let error = seconds(&pool(file), DEFAULT_MOST).unwrap_err();
        assert_eq!(error.field, "spec.tools.slow.timeout");
        assert!(error.to_string().contains("601 s"), "{error}");
        assert_eq!(seconds(&pool(file), 3_600), Ok(601));
        let defaults = [(MOST.to_owned(), "1200".to_owned())].into();
        assert_eq!(most(Some(&defaults)), 1_200);
        assert_eq!(most(None), DEFAULT_MOST);
    }
}
