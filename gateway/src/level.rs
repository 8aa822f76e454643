//! Severities of log messages (MCP `LoggingLevel`, after RFC 5424).

use std::fmt;

use crate::error::Fault;

/// How severe a log message is; ordered, the least severe first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Level {
    /// Details for debugging.
    Debug,
    /// The course of events.
    Info,
    /// Normal but significant.
    Notice,
    /// Something is odd.
    Warning,
    /// Something failed.
    Error,
    /// A component failed.
    Critical,
    /// Someone must act at once.
    Alert,
    /// Nothing works.
    Emergency,
}

impl Level {
    const ALL: [Self; 8] = [
        Self::Debug,
        Self::Info,
        Self::Notice,
        Self::Warning,
        Self::Error,
        Self::Critical,
        Self::Alert,
        Self::Emergency,
    ];

    /// The level of this name.
    ///
    /// # Errors
    /// When there is none, naming those that there are.
    pub fn parse(name: &str) -> Result<Self, Fault> {
        Self::ALL
            .into_iter()
            .find(|level| level.as_str() == name)
            .ok_or_else(|| {
                Fault::InvalidParams(format!(
                    "`{name}` is no log level: use debug, info, notice, warning, error, \
                     critical, alert or emergency"
                ))
            })
    }

    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
            Self::Alert => "alert",
            Self::Emergency => "emergency",
        }
    }

    /// Its place in the order, from 0.
    #[must_use]
    pub fn rank(self) -> u8 {
        self as u8
    }

    /// The level of this rank; beyond the last, the last.
    #[must_use]
    pub fn of_rank(rank: u8) -> Self {
        let place = usize::from(rank).min(Self::ALL.len() - 1);
        Self::ALL[place]
    }
}

impl fmt::Display for Level {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_ranks_and_order_agree() {
        for level in Level::ALL {
            assert_eq!(Level::parse(level.as_str()), Ok(level));
            assert_eq!(Level::of_rank(level.rank()), level);
        }
        assert!(Level::Debug < Level::Emergency);
        assert!(Level::parse("loud").is_err());
    }
}
