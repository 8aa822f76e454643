//! Signs of life of a call that takes long: a progress notification now and then, for clients
//! that gave a token. Many give up on a request after a minute without one.

use std::pin::Pin;
use std::time::{Duration, Instant};

use dormouse_contract::task::Notification;
use tokio::time::Sleep;

/// Where progress begins: below everything that functions tell, which count from 0.
const BEGIN: f64 = -1.0;

/// The pulse of one call.
#[derive(Debug)]
pub(crate) struct Pulse {
    every: Duration,
    began: Instant,
    timer: Pin<Box<Sleep>>,
    furthest: f64,
}

impl Pulse {
    /// A pulse that beats when nothing was told for so long.
    pub fn new(every: Duration) -> Self {
        Self {
            every,
            began: Instant::now(),
            timer: Box::pin(tokio::time::sleep(every)),
            furthest: BEGIN,
        }
    }

    /// Takes note of a notification on its way to the client.
    pub fn saw(&mut self, notification: &[u8]) {
        if let Some(progress) = progress_of(notification) {
            self.furthest = self.furthest.max(progress);
        }
        let next = tokio::time::Instant::now() + self.every;
        self.timer.as_mut().reset(next);
    }

    /// Waits for the next beat: `{method, params}` of a progress notification that is a little
    /// further than all before (progress must rise: 2025-11-25, "Progress").
    pub async fn beat(&mut self) -> String {
        self.timer.as_mut().await;
        let next = tokio::time::Instant::now() + self.every;
        self.timer.as_mut().reset(next);
        self.furthest = further(self.furthest);
        let seconds = self.began.elapsed().as_secs();
        format!(
            r#"{{"method":"notifications/progress","params":{{"progress":{},"message":"not done yet, after {seconds} s"}}}}"#,
            self.furthest
        )
    }
}

/// Further, but hardly: whatever the function tells next shall be further still.
fn further(progress: f64) -> f64 {
    progress + (progress.abs() * 1e-9).max(1e-6)
}

fn progress_of(notification: &[u8]) -> Option<f64> {
    #[derive(serde::Deserialize)]
    struct Progress {
        progress: f64,
    }
    let notification: Notification<'_> = serde_json::from_slice(notification).ok()?;
    let progress: Progress = serde_json::from_str(notification.params.get()).ok()?;
    Some(progress.progress)
}

/// The next beat of a call that has a pulse.
pub(crate) async fn beat_of(pulse: Option<&mut Pulse>) -> String {
    match pulse {
        Some(pulse) => pulse.beat().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn beats_rise_and_stay_below_what_functions_tell_next() {
        let mut pulse = Pulse::new(Duration::from_secs(20));
        let (first, second) = (pulse.beat().await, pulse.beat().await);
        let [first, second] = [first, second].map(|beat| progress_of(beat.as_bytes()).unwrap());
        assert!(BEGIN < first && first < second && second < 0.0);
        pulse.saw(br#"{"method":"notifications/progress","params":{"progress":1e9}}"#);
        pulse.saw(br#"{"method":"notifications/message","params":{"level":"info","data":1}}"#);
        let third = progress_of(pulse.beat().await.as_bytes()).unwrap();
        assert!(third > 1e9 && third < 1e9 + 10.0);
    }
}
