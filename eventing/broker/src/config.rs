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
    /// How long events are kept; those that a task refers to stay as long as it does. Default 24 h.
    pub keep_events: Duration,
    /// For how long an event that comes again (the same `source` and `id`) is known. Default 10
    /// minutes.
    pub duplicate_window: Duration,
    /// Among how many of the newest events it is known. Default 400,000.
    pub most_known: usize,
    /// How many pools an event may come through, from reply to reply. Default 16.
    pub max_hops: u32,
    /// How many tasks of events may wait, in all pools together; then only pools of which less than
    /// a tenth of it waits take more. Default 1,000,000.
    pub max_backlog: usize,
    /// With fewer free bytes on the disk nothing new is taken. Default 128 MiB.
    pub disk_reserve: u64,
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
            keep_events: DAY,
            duplicate_window: Duration::from_secs(600),
            most_known: 400_000,
            max_hops: 16,
            max_backlog: 1_000_000,
            disk_reserve: 128 << 20,
        }
    }
}
