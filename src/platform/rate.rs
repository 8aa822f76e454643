//! How often one principal may ask.

use std::num::NonZeroU32;
use std::sync::Arc;

use dormouse_contract::door::Rate;
use governor::clock::{Clock as _, DefaultClock};
use governor::{Quota, RateLimiter};

/// So many requests a minute for each principal, all at once if they like (GCRA); `None` for 0.
pub fn limit(per_minute: u32) -> Option<Rate> {
    let quota = Quota::per_minute(NonZeroU32::new(per_minute)?);
    let limiter = RateLimiter::<String, _, _, _>::hashmap(quota);
    let clock = DefaultClock::default();
    Some(Arc::new(move |principal| {
        let asked = limiter.check_key(&principal.to_owned());
        asked.map_err(|not_until| not_until.wait_time_from(clock.now()))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principals_have_a_minutes_requests_each() {
        assert!(limit(0).is_none());
        let limit = limit(2).unwrap();
        for principal in ["a", "b"] {
            assert_eq!((limit(principal), limit(principal)), (Ok(()), Ok(())));
            let wait = limit(principal).unwrap_err();
            assert!(wait.as_secs() <= 30, "{wait:?}");
        }
    }
}
