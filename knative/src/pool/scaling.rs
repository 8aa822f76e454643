//! How far and how fast a pool scales, in the annotations of Knative's autoscaler.

use std::time::Duration;

use dormouse_pool::Scaling;
use serde_json::{Map, Value};

use super::timeout::whole_seconds;

/// Knative's bounds of the autoscaler's window (Knative Serving,
/// `pkg/apis/autoscaling/annotation_validation.go`).
const WINDOW: (Duration, Duration) = (Duration::from_secs(6), Duration::from_secs(3_600));

/// The autoscaler averages over no more than this; the rest of a longer `idle` only keeps the last
/// pod, so that a pool which sleeps late still follows its calls.
const AVERAGED: Duration = Duration::from_secs(60);

/// The annotations of the revision's template. `ceiling` is the most instances of a pool that says
/// nothing.
#[must_use]
pub fn annotations(scaling: &Scaling, ceiling: usize) -> Map<String, Value> {
    let idle = honoured_idle(scaling.idle);
    let window = idle.min(AVERAGED);
    let mut annotations = Map::new();
    let mut say = |name: &str, value: String| {
        annotations.insert(format!("autoscaling.knative.dev/{name}"), value.into());
    };
    say("min-scale", scaling.min.to_string());
    say("max-scale", scaling.ceiling(ceiling).to_string());
    // One pod of each new revision starts at once, whatever the cluster's default is: it is asked
    // for its manifest.
    say("initial-scale", "1".to_owned());
    say("window", format!("{}s", whole_seconds(window)));
    let kept = idle.saturating_sub(window);
    if scaling.min == 0 && !kept.is_zero() {
        let kept = format!("{}s", whole_seconds(kept));
        say("scale-to-zero-pod-retention-period", kept);
    }
    annotations
}

/// What of `spec.scaling` is done in another way than it is written.
#[must_use]
pub fn not_honoured(scaling: &Scaling) -> Option<String> {
    let honoured = honoured_idle(scaling.idle);
    (honoured != scaling.idle).then(|| {
        format!(
            "spec.scaling.idle: Knative lets a pool sleep after 6 s to 1 h, so here it is {} s",
            honoured.as_secs()
        )
    })
}

fn honoured_idle(idle: Duration) -> Duration {
    let (least, most) = WINDOW;
    Duration::from_secs(whole_seconds(idle)).clamp(least, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaling(idle: u64) -> Scaling {
        Scaling {
            min: 0,
            max: None,
            concurrency: 10,
            idle: Duration::from_secs(idle),
        }
    }

    fn annotation(scaling: &Scaling, name: &str) -> Option<String> {
        let annotations = annotations(scaling, 10);
        let value = annotations.get(&format!("autoscaling.knative.dev/{name}"))?;
        value.as_str().map(str::to_owned)
    }

    #[test]
    fn idle_becomes_a_window_and_what_the_last_pod_is_kept_for() {
        const KEPT: &str = "scale-to-zero-pod-retention-period";
        for (idle, window, kept) in [
            (1, "6s", None),
            (30, "30s", None),
            (60, "60s", None),
            (600, "60s", Some("540s")),
            (90_000, "60s", Some("3540s")),
        ] {
            let scaling = scaling(idle);
            assert_eq!(annotation(&scaling, "window").as_deref(), Some(window));
            assert_eq!(annotation(&scaling, KEPT).as_deref(), kept, "{idle}");
        }
        let awake = Scaling {
            min: 2,
            ..scaling(600)
        };
        assert_eq!(annotation(&awake, KEPT), None);
        assert_eq!(annotation(&awake, "min-scale").as_deref(), Some("2"));
    }

    #[test]
    fn what_knative_cannot_do_is_named() {
        assert_eq!(not_honoured(&scaling(60)), None);
        for idle in [5, 3_601] {
            let named = not_honoured(&scaling(idle)).unwrap();
            assert!(named.starts_with("spec.scaling.idle: "), "{named}");
        }
    }

    #[test]
    fn a_pool_that_says_nothing_has_as_many_instances_as_its_platform_says() {
        assert_eq!(annotation(&scaling(60), "max-scale").as_deref(), Some("10"));
        let many = Scaling {
            min: 12,
            ..scaling(60)
        };
        assert_eq!(annotation(&many, "max-scale").as_deref(), Some("12"));
    }
}
