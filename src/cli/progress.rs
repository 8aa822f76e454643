//! How far a long call is: a bar on stderr, where a person watches.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::message::{Log, Progress};
use super::print;
use super::readable::plain;

/// The bar's full length; progress is a fraction of it.
const LENGTH: u64 = 1_000;
const TICK: Duration = Duration::from_millis(100);

/// The bar of one call; it appears with the first news and disappears in the end.
pub(super) struct Meter {
    bar: Option<ProgressBar>,
    is_watched: bool,
}

impl Meter {
    pub(super) fn new() -> Self {
        Self {
            bar: None,
            is_watched: std::io::stderr().is_terminal(),
        }
    }

    /// Shows how far the call is; nothing where nobody watches.
    pub(super) fn show(&mut self, news: &Progress) {
        if !self.is_watched {
            return;
        }
        let bar = self.bar.get_or_insert_with(start);
        bar.set_style(style(fraction(news).is_some()));
        if let Some(fraction) = fraction(news) {
            bar.set_length(LENGTH);
            bar.set_position(fraction);
        }
        if let Some(message) = &news.message {
            bar.set_message(plain(message));
        }
    }

    /// Prints a log message above the bar.
    pub(super) fn tell(&self, log: &Log) {
        let text = match &log.data {
            serde_json::Value::String(text) => plain(text),
            other => other.to_string(),
        };
        let line = format!("[{}] {text}", plain(&log.level));
        match &self.bar {
            Some(bar) => bar.println(line),
            None => print::note(&line),
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn start() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.enable_steady_tick(TICK);
    bar
}

fn style(has_total: bool) -> ProgressStyle {
    let template = if has_total {
        "{bar:30} {percent:>3} %  {elapsed}  {msg}"
    } else {
        "{spinner} {elapsed}  {msg}"
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// The part that is done, of [`LENGTH`]; `None` where the total is unknown.
fn fraction(news: &Progress) -> Option<u64> {
    let total = news.total.filter(|total| *total > 0.0)?;
    let done = (news.progress / total).clamp(0.0, 1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "the fraction is between 0 and 1"
    )]
    let position = (done * LENGTH as f64) as u64;
    Some(position)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_numbers_stay_on_the_bar() {
        for (progress, total, expected) in [
            (1.0, Some(4.0), Some(250)),
            (9.0, Some(4.0), Some(LENGTH)),
            (-1.0, Some(4.0), Some(0)),
            (1.0, Some(0.0), None),
            (1.0, None, None),
            (f64::NAN, Some(1.0), Some(0)),
        ] {
            let news = Progress {
                progress,
                total,
                message: None,
            };
            assert_eq!(fraction(&news), expected, "{progress} of {total:?}");
        }
    }

    #[test]
    fn both_styles_are_valid_templates() {
        for template in [
            "{bar:30} {percent:>3} %  {elapsed}  {msg}",
            "{spinner} {elapsed}  {msg}",
        ] {
            assert!(ProgressStyle::with_template(template).is_ok());
        }
    }
}
