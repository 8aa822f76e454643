//! Telling that a pool file or a source file was saved.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

/// Editors save in several steps; they are over after so long.
const QUIET: Duration = Duration::from_millis(150);

/// Watches folders; [`Sources::changed`] tells of changes.
pub struct Sources {
    watcher: RecommendedWatcher,
    watched: Arc<Mutex<BTreeSet<PathBuf>>>,
    changes: mpsc::UnboundedReceiver<()>,
}

impl Sources {
    /// A watcher of nothing yet.
    pub fn new() -> notify::Result<Self> {
        let (sender, changes) = mpsc::unbounded_channel();
        let roots = Arc::<Mutex<BTreeSet<PathBuf>>>::default();
        let watched = Arc::clone(&roots);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let roots = roots.lock().unwrap_or_else(PoisonError::into_inner);
            if event.is_ok_and(|event| matters(&event, &roots)) {
                // The receiver is gone only when the platform stops.
                let _ = sender.send(());
            }
        })?;
        Ok(Self {
            watcher,
            watched,
            changes,
        })
    }

    /// Watches these folders besides those watched already.
    pub fn watch(&mut self, folders: impl IntoIterator<Item = PathBuf>) {
        for folder in folders {
            // Changes are told by whole paths.
            let folder = folder.canonicalize().unwrap_or(folder);
            let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
            let is_new = watched.insert(folder.clone());
            drop(watched);
            if !is_new {
                continue;
            }
            if let Err(error) = self.watcher.watch(&folder, RecursiveMode::Recursive) {
                self.watched
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .remove(&folder);
                tracing::warn!(%error, folder = %folder.display(), "changes here are not noticed");
            }
        }
    }

    /// Waits for a change, and until the saving is over.
    pub async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
        while tokio::time::timeout(QUIET, self.changes.recv())
            .await
            .is_ok_and(|more| more.is_some())
        {}
    }
}

/// Reading a file is no change, and builds write only below `target`.
fn matters(event: &Event, roots: &BTreeSet<PathBuf>) -> bool {
    let changes = match event.kind {
        EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) => true,
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        EventKind::Any | EventKind::Other => false,
    };
    changes && event.paths.iter().any(|path| !is_left_alone(path, roots))
}

/// What lies in a hidden folder, in `target` or in a hidden file below the watched folder. Where
/// that folder itself lies does not matter.
fn is_left_alone(path: &Path, roots: &BTreeSet<PathBuf>) -> bool {
    let below = roots
        .iter()
        .find_map(|root| path.strip_prefix(root).ok())
        .unwrap_or(path);
    below.components().any(|part| {
        let part = part.as_os_str();
        part == "target" || part.to_string_lossy().starts_with('.')
    })
}

#[cfg(test)]
mod tests {
    use notify::event::{CreateKind, ModifyKind};

    use super::*;

    #[test]
    fn saving_matters_and_reading_or_building_does_not() {
        let event = |kind, path: &str| Event::new(kind).add_path(path.into());
        let saved = EventKind::Modify(ModifyKind::Any);
        let roots = BTreeSet::from(["/w".into(), "/home/a/.config/pools".into()]);
        let matters = |event: Event| super::matters(&event, &roots);
        assert!(matters(event(saved, "/w/functions/a/src/main.rs")));
        let created = EventKind::Create(CreateKind::File);
        assert!(matters(event(created, "/w/config/pools/b.yaml")));
        assert!(matters(event(created, "/home/a/.config/pools/b.yaml")));
        assert!(!matters(event(saved, "/w/target/debug/a")));
        assert!(!matters(event(saved, "/w/config/pools/.b.yaml.swp")));
        let read = EventKind::Access(AccessKind::Open(AccessMode::Read));
        assert!(!matters(event(read, "/w/functions/a/src/main.rs")));
    }
}
