//! What earlier rounds of a task left, and what this one has asked and stepped so far.
//!
//! The platform runs a handler from the top in every round. Answers and steps are found by their
//! names; a handler that goes another way than before is told apart here, where nothing waits and
//! nothing is sent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use dormouse_contract::suspension::{Answer, Ask, ELICIT, EVENT, LIST_ROOTS, SAMPLE, Suspended};
use dormouse_contract::task::{Requested, TaskError};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// Who is there to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// The MCP client that called.
    Client,
    /// Nobody: an event came, or a test calls the handler as a plain function.
    Nobody,
}

/// The kinds of asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Elicit,
    Sample,
    Roots,
    Event,
}

impl Kind {
    pub(crate) fn method(self) -> &'static str {
        match self {
            Self::Elicit => ELICIT,
            Self::Sample => SAMPLE,
            Self::Roots => LIST_ROOTS,
            Self::Event => EVENT,
        }
    }

    /// What kind of ask a result answers, told by the member that only it must have.
    fn answered_by(result: &RawValue) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Members {
            #[serde(default)]
            action: Option<IgnoredAny>,
            #[serde(default)]
            model: Option<IgnoredAny>,
            #[serde(default)]
            role: Option<IgnoredAny>,
            #[serde(default)]
            roots: Option<IgnoredAny>,
            #[serde(default)]
            event: Option<IgnoredAny>,
            #[serde(default)]
            timed_out: Option<IgnoredAny>,
        }
        let members: Members = serde_json::from_str(result.get()).ok()?;
        if members.action.is_some() {
            Some(Self::Elicit)
        } else if members.model.is_some() || members.role.is_some() {
            Some(Self::Sample)
        } else if members.roots.is_some() {
            Some(Self::Roots)
        } else {
            members.event.or(members.timed_out).map(|_| Self::Event)
        }
    }
}

/// What came of an ask, owned.
#[derive(Debug, Clone)]
pub(crate) enum Given {
    Result(Box<RawValue>),
    Error(TaskError),
}

/// How an ask stands when it is polled.
pub(crate) enum Look {
    Answered(Given),
    Open,
    /// It cannot be asked, for this reason.
    Misused(String),
}

struct OpenAsk {
    ticket: u64,
    kind: Kind,
    params: Option<Box<RawValue>>,
    polled: u64,
}

#[derive(Default)]
struct State {
    tickets: u64,
    polls: u64,
    open: BTreeMap<String, OpenAsk>,
    /// Names that the handler has come by, answered or not.
    asked: BTreeSet<String>,
    /// Names whose answer was handed out.
    taken: BTreeSet<String>,
    stepped: BTreeSet<String>,
    /// The place in the event log of the last event that the handler got.
    seen: Option<u64>,
    differs: Option<String>,
}

/// One round of one task.
pub(crate) struct Replay {
    audience: Audience,
    answers: BTreeMap<String, Given>,
    steps: BTreeMap<String, Box<RawValue>>,
    before: Option<String>,
    here: Option<String>,
    /// Where the data of the handler's own waker lies; the highest address before it is polled.
    waker: AtomicUsize,
    state: Mutex<State>,
}

impl Replay {
    /// The round that a request begins; `here` is this function's revision.
    pub(crate) fn of(requested: &Requested<'_>, here: Option<&str>) -> Self {
        let answer = |(name, answer): (&std::borrow::Cow<'_, str>, &Answer<'_>)| {
            let given = match answer {
                Answer::Result(result) => Given::Result((*result).to_owned()),
                Answer::Error(error) => Given::Error(error.clone()),
            };
            (name.to_string(), given)
        };
        let steps = requested.steps.iter();
        Self {
            answers: requested.answers.iter().map(answer).collect(),
            steps: steps
                .map(|(name, result)| (name.to_string(), (*result).to_owned()))
                .collect(),
            before: requested.revision.as_deref().map(str::to_owned),
            here: here.map(str::to_owned),
            ..Self::nobodys(Audience::Client)
        }
    }

    /// A round without a past.
    pub(crate) fn nobodys(audience: Audience) -> Self {
        Self {
            audience,
            answers: BTreeMap::new(),
            steps: BTreeMap::new(),
            before: None,
            here: None,
            waker: AtomicUsize::new(usize::MAX),
            state: Mutex::default(),
        }
    }

    /// The same in a test that plays the client.
    pub(crate) fn rehearsed(answers: BTreeMap<String, Given>) -> Self {
        Self {
            answers,
            ..Self::nobodys(Audience::Nobody)
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn audience(&self) -> Audience {
        self.audience
    }

    /// The handler comes by an ask: gives its ticket, and whether its answer is there.
    pub(crate) fn meet(&self, name: &str) -> (u64, bool) {
        let mut state = self.state();
        state.asked.insert(name.to_owned());
        state.tickets += 1;
        (state.tickets, self.answers.contains_key(name))
    }

    /// An ask is polled.
    pub(crate) fn look(
        &self,
        name: &str,
        ticket: u64,
        kind: Kind,
        params: Option<&RawValue>,
    ) -> Look {
        let mut state = self.state();
        if let Some(given) = self.answers.get(name) {
            return match given {
                Given::Result(result)
                    if Kind::answered_by(result).is_some_and(|answered| answered != kind) =>
                {
                    let words = format!("`{name}` was answered as another kind of ask");
                    // The round ends with the difference, whatever the handler makes of it.
                    state.differs.get_or_insert_with(|| words.clone());
                    Look::Misused(words)
                }
                Given::Result(_) | Given::Error(_) if state.taken.insert(name.to_owned()) => {
                    Look::Answered(given.clone())
                }
                Given::Result(_) | Given::Error(_) => Look::Misused(format!(
                    "two asks of one task are named `{name}`: give each a name of its own, for \
                     instance with a number"
                )),
            };
        }
        let polled = state.polls;
        match state.open.get_mut(name) {
            Some(open) if open.ticket == ticket => open.polled = polled,
            Some(_) => {
                return Look::Misused(format!(
                    "two asks that are open at the same time are named `{name}`: give each a \
                     name of its own"
                ));
            }
            None => {
                let ask = OpenAsk {
                    ticket,
                    kind,
                    params: params.map(ToOwned::to_owned),
                    polled,
                };
                state.open.insert(name.to_owned(), ask);
            }
        }
        Look::Open
    }

    /// The handler gets the event at this place in the log.
    pub(crate) fn saw(&self, seq: u64) {
        let mut state = self.state();
        state.seen = state.seen.max(Some(seq));
    }

    /// The place in the event log of the last event that the handler got.
    pub(crate) fn seen(&self) -> Option<u64> {
        self.state().seen
    }

    /// The handler has dropped an ask.
    pub(crate) fn forget(&self, name: &str, ticket: u64) {
        let mut state = self.state();
        if state.open.get(name).is_some_and(|ask| ask.ticket == ticket) {
            state.open.remove(name);
        }
    }

    /// The handler comes by a step: its stored result, if it has one.
    ///
    /// # Errors
    /// There was a step of this name already.
    pub(crate) fn step(&self, name: &str) -> Result<Option<&RawValue>, String> {
        match self.state().stepped.insert(name.to_owned()) {
            true => Ok(self.steps.get(name).map(AsRef::as_ref)),
            false => Err(format!(
                "two steps of one task are named `{name}`: give each a name of its own, for \
                 instance with a number"
            )),
        }
    }

    /// Says that this round went another way than those before.
    pub(crate) fn differ(&self, words: String) {
        self.state().differs.get_or_insert(words);
    }

    /// The handler is about to be polled with this waker.
    pub(crate) fn polling(&self, waker: &Waker) {
        self.waker.store(waker.data().addr(), Ordering::Relaxed);
        self.state().polls += 1;
    }

    /// Whether a waker is the one that the handler itself is polled with.
    pub(crate) fn is_handlers(&self, waker: &Waker) -> bool {
        self.waker.load(Ordering::Relaxed) == waker.data().addr()
    }

    /// Whether the last poll of the handler came to an open ask.
    pub(crate) fn is_asking(&self) -> bool {
        let state = self.state();
        let mut open = state.open.values();
        open.any(|ask| ask.polled == state.polls)
    }

    /// All open asks, as the data of a `task.suspended` event.
    pub(crate) fn suspended(&self) -> serde_json::Result<Vec<u8>> {
        let state = self.state();
        let asks = state.open.iter().map(|(name, ask)| {
            let asked = Ask {
                method: ask.kind.method().into(),
                params: ask.params.as_deref(),
            };
            (name.as_str().into(), asked)
        });
        serde_json::to_vec(&Suspended {
            asks: asks.collect(),
            revision: self.here.as_deref().map(Into::into),
        })
    }

    /// How this round differs from those before, if it does.
    pub(crate) fn difference(&self) -> Option<String> {
        let differs = self.state().differs.clone();
        differs.map(|words| self.in_words(&words))
    }

    /// The same at the end of a round, when everything that was answered and stored must have
    /// been met again.
    pub(crate) fn difference_at_end(&self) -> Option<String> {
        let state = self.state();
        let ask = || {
            let mut names = self.answers.keys();
            let unmet = names.find(|name| !state.asked.contains(*name))?;
            Some(format!("it did not ask for `{unmet}`, which was answered"))
        };
        let step = || {
            let mut names = self.steps.keys();
            let unmet = names.find(|name| !state.stepped.contains(*name))?;
            Some(format!("it did not come by step `{unmet}`, which was done"))
        };
        let words = state.differs.clone().or_else(ask).or_else(step);
        words.map(|words| self.in_words(&words))
    }

    fn in_words(&self, what: &str) -> String {
        let named = |revision: &Option<String>| match revision {
            Some(revision) => format!("revision `{revision}`"),
            None => "a revision without a name".to_owned(),
        };
        format!(
            "the handler went another way than in the rounds before: {what}. The rounds before \
             ran {}, this one ran {}. Deploy the earlier revision again and redrive the task, or \
             call anew",
            named(&self.before),
            named(&self.here)
        )
    }
}
