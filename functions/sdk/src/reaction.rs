//! Reactions: what a function does when an event of some producer comes.

use std::collections::BTreeMap;

use dormouse_contract::Event;
use dormouse_contract::filter::{Filter, Trigger};
use futures_util::future::BoxFuture;

use crate::context::Context;
use crate::error::ToolError;

/// Which events a reaction takes: a [`Filter`], or the start of the event's type as text.
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
        Filter::Prefix(BTreeMap::from([("type".to_owned(), self.to_owned())]))
    }
}

/// What a reaction may return: `()`, an [`Event`] as the reply, or an `Option` of one.
pub trait IntoReply {
    /// The reply, if there is one.
    fn into_reply(self) -> Option<Event>;
}

impl IntoReply for () {
    fn into_reply(self) -> Option<Event> {
        None
    }
}

impl IntoReply for Event {
    fn into_reply(self) -> Option<Event> {
        Some(self)
    }
}

impl IntoReply for Option<Event> {
    fn into_reply(self) -> Option<Event> {
        self
    }
}

/// The handler at work.
pub(crate) type Reacting = BoxFuture<'static, Result<Option<Event>, ToolError>>;

pub(crate) struct Reaction {
    trigger: Trigger,
    react: Box<dyn Fn(Context, Event) -> Reacting + Send + Sync>,
}

impl Reaction {
    pub(crate) fn new<R, F, Fut>(filter: impl IntoFilter, handler: F) -> Self
    where
        R: IntoReply,
        F: Fn(Context, Event) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, ToolError>> + Send + 'static,
    {
        let react = move |cx: Context, event: Event| -> Reacting {
            let reacting = handler(cx, event);
            Box::pin(async move { Ok(reacting.await?.into_reply()) })
        };
        Self {
            trigger: Trigger {
                filters: vec![filter.into_filter()],
                ..Trigger::default()
            },
            react: Box::new(react),
        }
    }

    pub(crate) fn takes(&self, event: &Event) -> bool {
        self.trigger.matches(event)
    }

    pub(crate) fn trigger(&self) -> &Trigger {
        &self.trigger
    }

    pub(crate) fn react(&self, cx: Context, event: Event) -> Reacting {
        (self.react)(cx, event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_takes_the_types_that_start_so() {
        let reaction = Reaction::new("com.github.", async |_cx: Context, _event: Event| Ok(()));
        assert!(reaction.takes(&Event::new("1", "/r", "com.github.push")));
        assert!(!reaction.takes(&Event::new("1", "/r", "com.gitlab.push")));
    }
}
