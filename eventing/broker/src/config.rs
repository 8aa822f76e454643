//! The broker's settings.

use std::path::PathBuf;
use std::time::Duration;

/// What an answered `accept` survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// The death of the process (`kill -9`): commits reach the kernel (SQLite
    /// `synchronous=NORMAL` with WAL). A power cut may lose the last moments, never consistency.
    #[default]
    Process,
    /// A power cut: commits reach the disk before they are answered (`synchronous=FULL`).
    Power,
}

/// The broker's settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where `broker.db` lives; created when absent.
    pub data_dir: PathBuf,
    /// What an answered accept survives.
    pub durability: Durability,
    /// `MCP_MAX_CONCURRENT_TASKS`: how many tasks run at the same time; the rest queue.
    /// Default 50.
    pub max_running: usize,
    /// How long completed and cancelled tasks are kept. Default 24 h.
    pub keep_ended: Duration,
    /// How long failed tasks (dead letters among them) are kept. Default 7 days.
    pub keep_failed: Duration,
    /// How long an idempotency key is remembered. Default 24 h.
    pub keep_keys: Duration,
}

impl Config {
    /// The defaults, in this data directory.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3_600);
        Self {
            data_dir: data_dir.into(),
            durability: Durability::default(),
            max_running: 50,
            keep_ended: DAY,
            keep_failed: DAY * 7,
            keep_keys: DAY,
        }
    }
}
