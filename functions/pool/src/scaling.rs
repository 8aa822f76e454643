//! How far a pool scales.

use std::time::Duration;

use crate::document::Spec;
use crate::field::{Field, Invalid};

/// No instance is asked to do more than this at a time (Knative's bound of
/// `containerConcurrency`).
const MOST_CONCURRENCY: u32 = 1_000;

/// How far a pool scales: `min` no more than `max`, `max` and `concurrency` at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scaling {
    /// So many instances stay awake. Default 0.
    pub min: usize,
    /// At most so many instances, where the file says it; see [`Scaling::ceiling`].
    pub max: Option<usize>,
    /// So many calls at a time in one instance. Default 10, at most 1000.
    pub concurrency: usize,
    /// After so long without a call an instance goes to sleep. Default 60 s.
    pub idle: Duration,
}

/// A bound and where it is written.
struct Bound {
    count: u32,
    field: Field,
}

impl Scaling {
    /// The most instances: what the file says, or the platform's default, but no fewer than `min`.
    #[must_use]
    pub fn ceiling(&self, default: usize) -> usize {
        self.max.unwrap_or(default.max(self.min))
    }

    /// What `spec.scaling` says and, where it says nothing, `spec.autoscaling` and
    /// `spec.poolSize`.
    pub(crate) fn of(spec: &Spec) -> Result<Self, Invalid> {
        let (min, max) = bounds(spec)?;
        let written = &spec.scaling;
        if !(1..=MOST_CONCURRENCY).contains(&written.concurrency) {
            let field = Field::of(&["spec", "scaling", "concurrency"]);
            return Err(field.invalid(format!(
                "{} is not between 1 and {MOST_CONCURRENCY}",
                written.concurrency
            )));
        }
        let whole = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        Ok(Self {
            min: min.map_or(0, whole),
            max: max.map(whole),
            concurrency: whole(written.concurrency),
            idle: written.idle,
        })
    }
}

fn bounds(spec: &Spec) -> Result<(Option<u32>, Option<u32>), Invalid> {
    let bound = |keys: &[&str], count: Option<u32>| {
        count.map(|count| Bound {
            count,
            field: Field::of(keys),
        })
    };
    let autoscaling = spec.autoscaling.unwrap_or_default();
    let ceilings = [
        bound(&["spec", "scaling", "max"], spec.scaling.max),
        bound(
            &["spec", "autoscaling", "maxReplicas"],
            autoscaling.max_replicas,
        ),
        bound(&["spec", "poolSize"], spec.pool_size),
    ];
    if let Some(none) = ceilings.iter().flatten().find(|it| it.count == 0) {
        let field = none.field.clone();
        return Err(field.invalid("0 instances can answer nothing: at least 1"));
    }
    let [scaling_max, autoscaling_max, pool_size] = ceilings;
    let scaling_min = bound(&["spec", "scaling", "min"], spec.scaling.min);
    let autoscaling_min = bound(
        &["spec", "autoscaling", "minReplicas"],
        autoscaling.min_replicas,
    );
    let holds = |_: &Bound| autoscaling.enabled;
    let min = scaling_min.or(autoscaling_min.filter(holds));
    let max = scaling_max.or(autoscaling_max.filter(holds)).or(pool_size);
    if let (Some(min), Some(max)) = (&min, &max)
        && min.count > max.count
    {
        let field = min.field.clone();
        return Err(field.invalid(format!(
            "{} is more than {}, which is {}",
            min.count, max.field, max.count
        )));
    }
    Ok((min.map(|it| it.count), max.map(|it| it.count)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(spec: &str) -> Result<Scaling, String> {
        let spec: Spec = serde_json::from_str(spec).expect("a spec");
        Scaling::of(&spec).map_err(|invalid| invalid.to_string())
    }

    #[test]
    fn the_other_words_hold_where_scaling_says_nothing() {
        for (spec, min, max) in [
            (r#"{"poolSize": 3}"#, 0, Some(3)),
            (
                r#"{"autoscaling": {"enabled": true, "minReplicas": 1, "maxReplicas": 4}, "poolSize": 3}"#,
                1,
                Some(4),
            ),
            (
                r#"{"autoscaling": {"minReplicas": 1, "maxReplicas": 4}, "poolSize": 3}"#,
                0,
                Some(3),
            ),
            (
                r#"{"scaling": {"min": 0, "max": 2}, "autoscaling": {"enabled": true, "minReplicas": 3}, "poolSize": 1}"#,
                0,
                Some(2),
            ),
            (r#"{"autoscaling": {"enabled": true}}"#, 0, None),
        ] {
            let scaling = read(spec).unwrap();
            assert_eq!((scaling.min, scaling.max), (min, max), "{spec}");
        }
    }

    #[test]
    fn what_contradicts_is_named() {
        for (spec, words) in [
            (r#"{"poolSize": 0}"#, "spec.poolSize: 0 instances"),
            (
                r#"{"autoscaling": {"maxReplicas": 0}}"#,
                "spec.autoscaling.maxReplicas: 0 instances",
            ),
            (
                r#"{"autoscaling": {"enabled": true, "minReplicas": 5}, "scaling": {"max": 4}}"#,
                "spec.autoscaling.minReplicas: 5 is more than spec.scaling.max, which is 4",
            ),
        ] {
            let error = read(spec).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
