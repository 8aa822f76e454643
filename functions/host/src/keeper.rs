//! Looks after a revision that is awake: puts idle instances to sleep, keeps the wanted ones warm.

use std::future::pending;
use std::sync::Arc;
use std::time::Instant;

use crate::revision::Shared;

/// Runs while there is anything to look after.
pub(crate) async fn keep(shared: Arc<Shared>) {
    loop {
        let now = Instant::now();
        let (expired, next) = {
            let mut state = shared.state();
            let expired = state.rotation.expire(now);
            if state.rotation.is_asleep() {
                state.kept = false;
                return;
            }
            shared.publish(&state);
            (expired, state.rotation.next_look(now))
        };
        expired.iter().for_each(|instance| instance.stop());
        shared.start_missing();
        tokio::select! {
            () = sleep_until(next) => {}
            () = shared.look.notified() => {}
        }
    }
}

async fn sleep_until(next: Option<Instant>) {
    match next {
        Some(next) => tokio::time::sleep_until(next.into()).await,
        None => pending().await,
    }
}
