//! The host: revisions, and how they end together.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::command::environment;
use crate::launch::Launch;
use crate::revision::{Revision, Shared};

/// The host's settings.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The program that has [`exec::run`](crate::exec::run) behind its `exec` subcommand, through
    /// which programs without the SDK are started. Default: the one that is running.
    pub launcher: Option<PathBuf>,
}

/// A host of local processes. Clones share it.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

struct Inner {
    launcher: PathBuf,
    revisions: Mutex<Vec<Weak<Shared>>>,
}

impl Host {
    /// A host with nothing deployed.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self(Arc::new(Inner {
            launcher: config.launcher.unwrap_or_else(running_program),
            revisions: Mutex::default(),
        }))
    }

    /// Deploys a revision. Nothing is started before the first call, unless `scaling.min` says so.
    ///
    /// # Panics
    /// Outside of a Tokio runtime, when `scaling.min` is not 0.
    #[must_use]
    pub fn deploy(&self, launch: Launch) -> Revision {
        let env = environment(&launch, |name| std::env::var_os(name));
        let shared = Arc::new(Shared::new(launch, self.0.launcher.clone(), env));
        let mut revisions = self.revisions();
        revisions.retain(|revision| revision.strong_count() > 0);
        revisions.push(Arc::downgrade(&shared));
        drop(revisions);
        shared.start_missing();
        Revision(shared)
    }

    /// Retires every revision at the same time. Calls that still run after the revision's
    /// `stop_timeout` are cut off. Returns when no process is left.
    pub async fn shutdown(&self) {
        let revisions: Vec<_> = self.revisions().iter().filter_map(Weak::upgrade).collect();
        let ended = revisions.iter().map(|revision| async move {
            let patience = revision.launch.stop_timeout;
            if tokio::time::timeout(patience, revision.retire())
                .await
                .is_err()
            {
                tracing::warn!(pool = %revision.launch.pool, "calls were cut off by the shutdown");
                revision.cut().await;
            }
        });
        futures_util::future::join_all(ended).await;
    }

    fn revisions(&self) -> std::sync::MutexGuard<'_, Vec<Weak<Shared>>> {
        self.0
            .revisions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// On Linux the link that stays right when the file is replaced by a new build.
fn running_program() -> PathBuf {
    if cfg!(target_os = "linux") {
        return PathBuf::from("/proc/self/exe");
    }
    std::env::current_exe().unwrap_or_else(|_| PathBuf::from("dormouse"))
}
