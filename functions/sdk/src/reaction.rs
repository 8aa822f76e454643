//! Reactions: what a function does when an event of some producer comes.

use std::collections::BTreeMap;

use dormouse_contract::Event;
use dormouse_contract::filter::{Filter, Trigger};
use futures_util::future::BoxFuture;

use crate::context::Context;
use crate::error::ToolError;
use crate::event::{FromEvent, IntoEvents};

/// Which events are meant: a [`Filter`], or the start of the event's type as text.
pub trait IntoFilter {
    /// The filter.
    fn into_filter(self) -> Filter;
}

impl IntoFilter for Filter {
    fn into_filter(self) -> Filter {
        self
    }
}

impl IntoFilter for &str {
    fn into_filter(self) -> Filter {
        if self.is_empty() {
            return Filter::All(Vec::new());
        }
        Filter::Prefix(BTreeMap::from([("type".to_owned(), self.to_owned())]))
    }
}

/// Which events a reaction takes, and how: a [`Filter`], the start of the event's type as text, or a
/// [`Trigger`] with an order or a delivery policy of its own.
pub trait IntoTrigger {
    /// The trigger.
    fn into_trigger(self) -> Trigger;
}

impl<F: IntoFilter> IntoTrigger for F {
    fn into_trigger(self) -> Trigger {
        Trigger {
            filters: vec![self.into_filter()],
            ..Trigger::default()
        }
    }
}

impl IntoTrigger for Trigger {
    fn into_trigger(self) -> Trigger {
        self
    }
}

/// The handler at work.
pub(crate) type Reacting = BoxFuture<'static, Result<Vec<Event>, ToolError>>;

pub(crate) struct Reaction {
    trigger: Trigger,
    react: Box<dyn Fn(Context, Event) -> Reacting + Send + Sync>,
}

impl Reaction {
    pub(crate) fn new<E, R, F, Fut>(trigger: impl IntoTrigger, handler: F) -> Self
    where
        E: FromEvent,
        R: IntoEvents,
        F: Fn(Context, E) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, ToolError>> + Send + 'static,
    {
        let react = move |cx: Context, event: Event| -> Reacting {
            match E::from_event(event) {
                Ok(event) => {
                    let reacting = handler(cx, event);
                    Box::pin(async move { reacting.await?.into_events() })
                }
                Err(words) => Box::pin(async move { Err(ToolError::caller(words)) }),
            }
        };
        Self {
            trigger: trigger.into_trigger(),
            react: Box::new(react),
        }
    }

    pub(crate) fn takes(&self, event: &Event) -> bool {
        self.trigger.matches(event)
    }

    pub(crate) fn react(&self, cx: Context, event: Event) -> Reacting {
        (self.react)(cx, event)
    }
}

/// The triggers of a function's reactions. An event is a task for each trigger that takes it, and
/// the first reaction that takes it reacts: so each trigger leaves out what one before it takes, and
/// behind one that takes everything there is none.
pub(crate) fn triggers(reactions: &[Reaction]) -> Vec<Trigger> {
    let mut triggers = Vec::with_capacity(reactions.len());
    let mut earlier: Vec<&Trigger> = Vec::with_capacity(reactions.len());
    for own in reactions.iter().map(|reaction| &reaction.trigger) {
        let mut trigger = own.clone();
        let taken = earlier.iter().filter(|earlier| !are_apart(earlier, own));
        trigger.filters.extend(taken.map(|earlier| not(earlier)));
        triggers.push(trigger);
        if own.filters.iter().all(is_empty) {
            break;
        }
        earlier.push(own);
    }
    triggers
}

fn is_empty(filter: &Filter) -> bool {
    matches!(filter, Filter::All(filters) if filters.iter().all(is_empty))
}

fn not(trigger: &Trigger) -> Filter {
    Filter::Not(Box::new(match &trigger.filters[..] {
        [only] => only.clone(),
        several => Filter::All(several.to_vec()),
    }))
}

/// Whether it is plain that no event matches both.
fn are_apart(one: &Trigger, other: &Trigger) -> bool {
    let starts = |trigger: &Trigger| -> Vec<(String, String, bool)> {
        let conditions = trigger.filters.iter().filter_map(|filter| match filter {
            Filter::Exact(values) => Some((values, true)),
            Filter::Prefix(values) => Some((values, false)),
            Filter::All(_)
            | Filter::Any(_)
            | Filter::Not(_)
            | Filter::Suffix(_)
            | Filter::Cesql(_) => None,
        });
        conditions
            .flat_map(|(values, whole)| {
                let values = values.iter();
                values.map(move |(name, value)| (name.clone(), value.clone(), whole))
            })
            .collect()
    };
    let others = starts(other);
    starts(one).iter().any(|(name, value, is_whole)| {
        let same = others.iter().filter(|(other, ..)| other == name);
        same.into_iter().any(|(_, other, is_other_whole)| {
            let may_be_value = other == value || (!is_other_whole && value.starts_with(other));
            let may_be_other = other == value || (!is_whole && other.starts_with(value.as_str()));
            !may_be_value && !may_be_other
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reaction(trigger: impl IntoTrigger) -> Reaction {
        Reaction::new(trigger, async |_: Context, _: Event| Ok(()))
    }

    fn exact(ty: &str) -> Filter {
        Filter::Exact(BTreeMap::from([("type".to_owned(), ty.to_owned())]))
    }

    #[test]
    fn a_text_takes_the_types_that_start_so() {
        let reaction = reaction("com.github.");
        assert!(reaction.takes(&Event::new("1", "/r", "com.github.push")));
        assert!(!reaction.takes(&Event::new("1", "/r", "com.gitlab.push")));
    }

    #[test]
    fn an_event_is_taken_by_one_trigger_and_that_is_the_first_reactions() {
        let reactions = [
            reaction(exact("com.github.push")),
            reaction("com.github."),
            reaction("com.git"),
            reaction(exact("org.example")),
            reaction(""),
            reaction("never"),
        ];
        let triggers = triggers(&reactions);
        for (ty, taker) in [
            ("com.github.push", 0),
            ("com.github.pull", 1),
            ("com.gitlab", 2),
            ("org.example", 3),
            ("org.example.other", 4),
        ] {
            let event = Event::new("1", "/r", ty);
            let takers: Vec<_> = (0..5).filter(|it| triggers[*it].matches(&event)).collect();
            assert_eq!(takers, [taker], "{ty}");
            assert_eq!(
                reactions.iter().position(|it| it.takes(&event)),
                Some(taker)
            );
        }
        // What is plainly apart needs no word about the other.
        assert_eq!(triggers[3].filters, [exact("org.example")]);
        assert_eq!(triggers[1].filters.len(), 2);
    }
}
