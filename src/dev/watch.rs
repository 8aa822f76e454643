//! Telling that a pool file or a source file was saved.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

/// Editors save in several steps; they are over after so long.
const QUIET: Duration = Duration::from_millis(150);

/// Where something is saved all the time, nobody waits longer for quiet.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Files of a package, besides those in `src`, that decide what is built.
const PACKAGE_FILES: [&str; 3] = ["Cargo.toml", "Cargo.lock", "build.rs"];

/// What is watched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Root {
    /// A folder of AgentPool files, whole.
    Pools(PathBuf),
    /// A cargo package: its `src` and the files that cargo reads beside it. Whatever else lies
    /// there, such as a data directory, is no source.
    Package(PathBuf),
}

/// Watches folders; [`Sources::changed`] tells of changes.
pub struct Sources {
    watcher: RecommendedWatcher,
    roots: Arc<Mutex<BTreeSet<Root>>>,
    changes: mpsc::UnboundedReceiver<()>,
}

impl Sources {
    /// A watcher of nothing yet.
    pub fn new() -> notify::Result<Self> {
        let (sender, changes) = mpsc::unbounded_channel();
        let roots = Arc::<Mutex<BTreeSet<Root>>>::default();
        let known = Arc::clone(&roots);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| matters(&event, &lock(&known))) {
                // The receiver is gone only when the platform stops.
                let _ = sender.send(());
            }
        })?;
        Ok(Self {
            watcher,
            roots,
            changes,
        })
    }

    /// Watches these besides those watched already.
    pub fn watch(&mut self, roots: impl IntoIterator<Item = Root>) {
        for root in roots {
            let root = root.canonical();
            if !lock(&self.roots).insert(root.clone()) {
                continue;
            }
            let watched = match &root {
                Root::Pools(folder) => self.watcher.watch(folder, RecursiveMode::Recursive),
                Root::Package(folder) => self
                    .watcher
                    .watch(&folder.join("src"), RecursiveMode::Recursive)
                    .and_then(|()| self.watcher.watch(folder, RecursiveMode::NonRecursive)),
            };
            if let Err(error) = watched {
                lock(&self.roots).remove(&root);
                tracing::warn!(%error, ?root, "changes here are not noticed");
            }
        }
    }

    /// Waits for a change, and until the saving is over.
    pub async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
        let quiet = async {
            let mut more = true;
            while more {
                let next = tokio::time::timeout(QUIET, self.changes.recv()).await;
                more = next.is_ok_and(|change| change.is_some());
            }
        };
        // Elapsed: there is no quiet, so it is built as it is.
        let _ = tokio::time::timeout(LONGEST_WAIT, quiet).await;
    }
}

fn lock(roots: &Mutex<BTreeSet<Root>>) -> MutexGuard<'_, BTreeSet<Root>> {
    roots.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Root {
    /// Changes are told by whole paths.
    fn canonical(self) -> Self {
        let whole = |folder: PathBuf| folder.canonicalize().unwrap_or(folder);
        match self {
            Self::Pools(folder) => Self::Pools(whole(folder)),
            Self::Package(folder) => Self::Package(whole(folder)),
        }
    }

    /// Whether a file is one of those that are watched for. Where the root itself lies does not
    /// matter; hidden files and folders below it do not count.
    fn holds(&self, path: &Path) -> bool {
        match self {
            Self::Pools(folder) => path.strip_prefix(folder).is_ok_and(is_visible),
            Self::Package(folder) => path.strip_prefix(folder).is_ok_and(|below| {
                let is_source = below.starts_with("src") && is_visible(below);
                is_source || PACKAGE_FILES.iter().any(|file| below == Path::new(file))
            }),
        }
    }
}

fn is_visible(below: &Path) -> bool {
    let is_hidden = |part: &OsStr| part.to_string_lossy().starts_with('.');
    below.iter().all(|part| !is_hidden(part))
}

/// Reading a file is no change.
fn matters(event: &Event, roots: &BTreeSet<Root>) -> bool {
    let changes = match event.kind {
        EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) => true,
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        EventKind::Any | EventKind::Other => false,
    };
    changes
        && event
            .paths
            .iter()
            .any(|path| roots.iter().any(|root| root.holds(path)))
}

#[cfg(test)]
mod tests {
    use notify::event::{CreateKind, ModifyKind};

    use super::*;

    #[test]
    fn saving_matters_and_reading_or_building_does_not() {
        let roots = BTreeSet::from([
            Root::Package("/w/functions/a".into()),
            Root::Pools("/home/a/.config/pools".into()),
        ]);
        let seen = |kind, path: &str| matters(&Event::new(kind).add_path(path.into()), &roots);
        let saved = EventKind::Modify(ModifyKind::Any);
        assert!(seen(saved, "/w/functions/a/src/main.rs"));
        assert!(seen(saved, "/w/functions/a/Cargo.toml"));
        assert!(seen(
            EventKind::Create(CreateKind::File),
            "/home/a/.config/pools/b.yaml"
        ));
        for path in [
            "/w/functions/a/target/debug/a",
            "/w/functions/a/data/broker.db-wal",
            "/w/functions/a/src/.main.rs.swp",
            "/w/functions/b/src/main.rs",
            "/home/a/.config/pools/.b.yaml.swp",
        ] {
            assert!(!seen(saved, path), "{path}");
        }
        let read = EventKind::Access(AccessKind::Open(AccessMode::Read));
        assert!(!seen(read, "/w/functions/a/src/main.rs"));
    }
}
