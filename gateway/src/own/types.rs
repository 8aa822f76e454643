//! Which types of events are listed as resources, and who is told of new events.

use std::sync::{Arc, Weak};
use std::time::Duration;

use dormouse_broker::Fact;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::events;
use crate::core::Core;

/// How many types are listed; the others can be read all the same.
const LISTED: usize = 100;

/// How often the list is compared with the log, which forgets.
const REFRESH: Duration = Duration::from_secs(60);

/// The types that are listed. One keeps its place as long as it is listed, so that the list
/// changes only when its members do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Types(Vec<Arc<str>>);

impl Types {
    /// The types in the order of the list.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// Takes up the type of a new event. `false`: nothing changed; when the list is full, the next
    /// [`Self::refresh`] decides.
    fn meet(&mut self, ty: &Arc<str>) -> bool {
        let is_new = self.0.len() < LISTED && !self.0.contains(ty);
        if is_new {
            self.0.insert(0, Arc::clone(ty));
        }
        is_new
    }

    /// Compares the list with the types of the log, the one with the newest event first.
    /// `false`: nothing changed.
    fn refresh(&mut self, log: Vec<Arc<str>>) -> bool {
        let mut log = log;
        log.truncate(LISTED);
        let before = self.0.len();
        self.0.retain(|ty| log.contains(ty));
        log.retain(|ty| !self.0.contains(ty));
        let changed = self.0.len() != before || !log.is_empty();
        self.0.splice(0..0, log);
        changed
    }
}

/// Tells of new events and keeps the list, for as long as the gateway is there.
pub(crate) async fn follow(core: Weak<Core>, mut arrivals: broadcast::Receiver<Fact>) {
    let mut refresh = tokio::time::interval(REFRESH);
    loop {
        let heard = tokio::select! {
            heard = arrivals.recv() => Some(heard),
            _ = refresh.tick() => None,
        };
        let Some(core) = core.upgrade() else { return };
        match heard {
            Some(Ok(Fact::Event { ty, .. })) => {
                for uri in events::uris(&ty) {
                    core.ears.tell(&uri);
                }
                core.types.send_if_modified(|types| types.meet(&ty));
            }
            Some(Ok(Fact::Task { .. })) => {}
            Some(Err(RecvError::Lagged(missed))) => {
                tracing::warn!(
                    missed,
                    "events came too fast: all their subscribers are told"
                );
                core.ears.tell_under(events::SCHEME);
                refresh.reset_immediately();
            }
            Some(Err(RecvError::Closed)) => return,
            None => match core.broker.event_types().await {
                Ok(log) => {
                    let log: Vec<Arc<str>> = log.into_iter().map(|ty| ty.ty.into()).collect();
                    core.types.send_if_modified(|types| types.refresh(log));
                }
                Err(error) => tracing::warn!(%error, "the types of events cannot be read"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(names: &[&str]) -> Vec<Arc<str>> {
        names.iter().map(|name| Arc::from(*name)).collect()
    }

    #[test]
    fn the_list_changes_only_with_its_members() {
        let mut listed = Types::default();
        assert!(listed.refresh(types(&["b", "a"])));
        assert!(!listed.refresh(types(&["a", "b"])));
        assert!(!listed.meet(&"a".into()) && listed.meet(&"c".into()));
        assert_eq!(listed.iter().collect::<Vec<_>>(), ["c", "b", "a"]);
        assert!(listed.refresh(types(&["d", "a", "c"])));
        assert_eq!(listed.iter().collect::<Vec<_>>(), ["d", "c", "a"]);
    }

    #[test]
    fn the_list_is_bounded() {
        let mut listed = Types::default();
        for number in 0..LISTED {
            assert!(listed.meet(&number.to_string().into()));
        }
        assert!(!listed.meet(&"more".into()));
        let mut log = types(&["more"]);
        log.extend((0..LISTED).map(|number| Arc::from(number.to_string())));
        assert!(listed.refresh(log));
        assert_eq!(listed.iter().count(), LISTED);
        assert_eq!(listed.iter().next(), Some("more"));
    }
}
