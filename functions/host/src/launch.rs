//! What is started, and how far it scales.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dormouse_contract::balance::Balance;

/// One revision of a pool: what to start and how.
#[derive(Clone)]
pub struct Launch {
    /// The pool's name.
    pub pool: Arc<str>,
    /// The revision's name, e.g. `educational-00001`.
    pub revision: String,
    /// The program: a path, or a name that is looked up in `PATH`.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its environment, besides what every function gets and the few inherited variables.
    pub env: Vec<(String, String)>,
    /// How it gets its listener.
    pub listen: Listen,
    /// How far it scales.
    pub scaling: Scaling,
    /// Which instance takes a call.
    pub balance: Balance,
    /// How long it may take to become ready. Default 10 s.
    pub start_timeout: Duration,
    /// How long it may take to stop after SIGTERM, before SIGKILL. Default 10 s.
    pub stop_timeout: Duration,
    /// `K_SINK`: where it sends events; empty leaves it out.
    pub sink: String,
    /// `K_CE_OVERRIDES`: what those events carry (Knative SinkBinding); empty leaves it out.
    pub overrides: String,
    /// What deliveries carry and the function checks; empty leaves it out.
    pub delivery_secret: String,
}

impl Launch {
    /// A launch of this program with the defaults: SDK program, no arguments, no environment, no
    /// sink, no secret.
    pub fn new(
        pool: impl Into<Arc<str>>,
        revision: impl Into<String>,
        program: impl Into<PathBuf>,
    ) -> Self {
        Self {
            pool: pool.into(),
            revision: revision.into(),
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            listen: Listen::Stdin,
            scaling: Scaling::default(),
            balance: Balance::default(),
            start_timeout: Duration::from_secs(10),
            stop_timeout: Duration::from_secs(10),
            sink: String::new(),
            overrides: String::new(),
            delivery_secret: String::new(),
        }
    }
}

/// Without values of the environment and secrets.
impl fmt::Debug for Launch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.env.iter().map(|(name, _)| name).collect();
        out.debug_struct("Launch")
            .field("pool", &self.pool)
            .field("revision", &self.revision)
            .field("program", &self.program)
            .field("args", &self.args)
            .field("env", &names)
            .field("listen", &self.listen)
            .field("scaling", &self.scaling)
            .field("balance", &self.balance)
            .finish_non_exhaustive()
    }
}

/// How a program gets its listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listen {
    /// A listening socket as standard input, as programs of the SDK take it. The program sets its
    /// own parent-death signal.
    Stdin,
    /// A free port of 127.0.0.1 in `PORT`, probed until it answers.
    Port,
}

/// How far a revision scales. Numbers below 1 where they make no sense are taken as 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scaling {
    /// So many instances stay awake. Default 0.
    pub min: usize,
    /// At most so many are awake; those that are stopping do not count. Default 10.
    pub max: usize,
    /// So many calls at a time in one instance. Default 10.
    pub concurrency: usize,
    /// After so long without a call an instance is stopped. Default 60 s.
    pub idle: Duration,
}

impl Default for Scaling {
    fn default() -> Self {
        Self {
            min: 0,
            max: 10,
            concurrency: 10,
            idle: Duration::from_secs(60),
        }
    }
}
