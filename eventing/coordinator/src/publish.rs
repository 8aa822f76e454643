//! Taking events in: from doors, from functions, and as replies.

use dormouse_broker::{NewEvent, Note, Published, Refusal, Route, TaskId, Way};
use dormouse_contract::Event;
use dormouse_contract::task::{
    ATTEMPT, ATTEMPT_TOKEN, DEADLINE, HOPS, POOL, POOL_TOKEN, PRINCIPAL, ROUND, TASK_ID,
    TRACEPARENT,
};
use dormouse_contract::trace::TraceParent;

use crate::registry::Coordinator;

/// What goes no further than the door.
const KEPT_BACK: [&str; 3] = [ATTEMPT_TOKEN, POOL_TOKEN, HOPS];

/// What else the platform puts on its deliveries. A function that sends on what it got sends these
/// too, and they say nothing of the new event.
const OF_DELIVERIES: [&str; 6] = [ATTEMPT, DEADLINE, POOL, PRINCIPAL, ROUND, TASK_ID];

/// Where an event comes from.
#[derive(Debug, Clone, Default)]
pub struct Sender {
    /// The task whose function sends it, or replies with it.
    pub cause: Option<TaskId>,
    /// The way that it came; `None`: what the event itself says in `dormousehops`.
    pub way: Option<Way>,
    /// A function of this platform sends it.
    pub is_function: bool,
    /// The trace of the request; the event's own goes first.
    pub trace: Option<TraceParent>,
}

/// What became of an event, and the routes that its tasks took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// What the broker says.
    pub published: Published,
    /// One for each task.
    pub routes: Vec<Route>,
}

impl Coordinator {
    /// Takes events in, each with a task for each trigger that takes it: all of them or none, and
    /// stored when this returns. A note is kept in the same commit. Waits while events are
    /// [held](Coordinator::hold).
    ///
    /// # Errors
    /// [`Refusal`]: nothing is stored.
    pub async fn publish(
        &self,
        events: Vec<(Event, Sender)>,
        note: Option<Note>,
    ) -> Result<Vec<Taken>, Refusal> {
        self.admitted().await;
        let new: Vec<_> = events
            .into_iter()
            .map(|(event, sender)| self.incoming(event, &sender))
            .collect();
        let routes: Vec<_> = new.iter().map(|new| new.routes.clone()).collect();
        let published = self.broker().publish(new, note).await?;
        let taken = published.into_iter().zip(routes);
        let taken: Vec<_> = taken
            .map(|(published, routes)| Taken { published, routes })
            .collect();
        for taken in &taken {
            tracing::debug!(
                seq = %taken.published.seq,
                takers = taken.published.tasks.len(),
                duplicate = taken.published.is_duplicate,
                "event taken"
            );
        }
        let new = taken.iter().filter(|it| !it.published.is_duplicate).count();
        metrics::counter!("dormouse_events_total").increment(count(new));
        metrics::counter!("dormouse_events_duplicate_total").increment(count(taken.len() - new));
        Ok(taken)
    }

    /// An event as the broker takes it: without what is ours, and with its routes.
    pub(crate) fn incoming(&self, mut event: Event, sender: &Sender) -> NewEvent {
        let trace = trace_of(&event, sender);
        let way = sender.way.clone().unwrap_or_else(|| way_of(&event));
        for name in KEPT_BACK {
            event.extensions.remove(name);
        }
        if sender.cause.is_some() {
            for name in OF_DELIVERIES {
                event.extensions.remove(name);
            }
        }
        let mut routes = self.routes(&event);
        if sender.is_function {
            routes.extend(self.onward());
        }
        NewEvent {
            routes,
            event,
            trace,
            way,
            cause: sender.cause,
        }
    }
}

/// The trace that the event says it belongs to, else the request's, else a new one.
fn trace_of(event: &Event, sender: &Sender) -> TraceParent {
    let in_event = event
        .extension(TRACEPARENT)
        .and_then(|text| text.parse().ok());
    in_event
        .or(sender.trace)
        .unwrap_or_else(TraceParent::random)
}

/// What an event from outside says of its way: someone may have passed on what we delivered.
fn way_of(event: &Event) -> Way {
    let hops = event.extension(HOPS).and_then(|text| text.parse().ok());
    Way {
        hops: hops.unwrap_or_default(),
        via: None,
    }
}

fn count(events: usize) -> u64 {
    u64::try_from(events).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_events_trace_comes_before_the_requests() {
        let (ours, theirs) = (TraceParent::random(), TraceParent::random());
        let sender = Sender {
            trace: Some(theirs),
            ..Sender::default()
        };
        let event = Event::new("1", "/s", "t");
        assert_eq!(trace_of(&event, &sender), theirs);
        let event = event.with_extension(TRACEPARENT, ours.to_string());
        assert_eq!(trace_of(&event, &sender), ours);
        let broken = Event::new("1", "/s", "t").with_extension(TRACEPARENT, "x");
        assert_eq!(trace_of(&broken, &sender), theirs);
    }

    #[test]
    fn hops_are_read_from_an_event_that_was_passed_on() {
        let event = Event::new("1", "/s", "t").with_extension(HOPS, "7");
        assert_eq!(way_of(&event).hops, 7);
        for broken in ["-1", "x", "", "99999999999"] {
            let event = Event::new("1", "/s", "t").with_extension(HOPS, broken);
            assert_eq!(way_of(&event).hops, 0, "{broken}");
        }
    }
}
