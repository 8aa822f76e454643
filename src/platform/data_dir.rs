//! The data directory, which belongs to one process at a time.
//!
//! In a rolling update the process before may still be finishing what runs: the next one waits for
//! it instead of ending and being started again with growing pauses.

use std::time::Duration;

use dormouse_broker::Broker;
use dormouse_contract::duration;
use dormouse_gateway::{Store, StoreError};
use tokio::time::Instant;

use super::PlatformArgs;

/// How often the lock is tried.
const TRY: Duration = Duration::from_millis(100);

/// How often it is told that it is waited for.
const TELL: Duration = Duration::from_secs(10);

/// Opens both stores; waits at most `patience` for another process to let go of them.
pub async fn open(args: &PlatformArgs, patience: Duration) -> anyhow::Result<(Broker, Store)> {
    let end = Instant::now() + patience;
    let is_locked = |error: &_| matches!(error, dormouse_broker::Error::Locked(_));
    let broker = once_free(end, || Broker::open(args.broker()), is_locked).await?;
    let is_locked = |error: &_| matches!(error, StoreError::Locked(_));
    let store = once_free(end, || Store::open(&args.data_dir), is_locked).await?;
    Ok((broker, store))
}

async fn once_free<T, E>(
    end: Instant,
    mut open: impl FnMut() -> Result<T, E>,
    is_locked: impl Fn(&E) -> bool,
) -> Result<T, E> {
    let mut tell = Instant::now();
    loop {
        let opened = open();
        let now = Instant::now();
        if now >= end || !opened.as_ref().is_err_and(&is_locked) {
            return opened;
        }
        if now >= tell {
            let left = duration::format(Duration::from_secs((end - now).as_secs()));
            tracing::info!(
                left,
                "another process has the data directory: waiting for its end"
            );
            tell = now + TELL;
        }
        tokio::time::sleep(TRY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Opens what is free from the third try on.
    async fn open_third(patience: Duration) -> Result<usize, &'static str> {
        let mut tries = 0;
        let open = || {
            tries += 1;
            if tries < 3 { Err("locked") } else { Ok(tries) }
        };
        once_free(Instant::now() + patience, open, |error| *error == "locked").await
    }

    #[tokio::test]
    async fn a_lock_is_waited_for_and_other_errors_are_not() {
        assert_eq!(open_third(Duration::from_secs(60)).await, Ok(3));
        assert_eq!(open_third(Duration::ZERO).await, Err("locked"));
        let end = Instant::now() + Duration::from_secs(60);
        let broken = once_free(end, || Err::<(), _>("broken"), |error| *error == "locked");
        assert_eq!(broken.await, Err("broken"));
        assert!(Instant::now() < end);
    }
}
