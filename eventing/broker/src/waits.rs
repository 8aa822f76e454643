//! Which suspended tasks wait for which events: the picture in the writer's memory.
//!
//! The store has the asks; this finds those that an event answers without asking it. Filters that
//! demand one type are found by that type, the others are tried with every event.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use dormouse_contract::Event;
use dormouse_contract::filter::Filter;
use dormouse_contract::suspension::{Ask, Awaited, EVENT};

use serde_json::value::RawValue;

use crate::event::Seq;
use crate::object;
use crate::retry::millis;
use crate::task::{Millis, TaskId};

/// An ask for an event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wait {
    /// The ask's name.
    pub(crate) name: String,
    filters: Vec<Filter>,
    /// Events up to here do not count, or have been looked at.
    pub(crate) after: Seq,
    /// There may be events in the log behind `after` that have not been looked at.
    pub(crate) is_behind: bool,
    due: Option<Millis>,
}

impl Wait {
    /// The waits among the open asks of a task that went to sleep at `asleep`; without a place of
    /// their own they count from `seen`.
    pub(crate) fn among(asks: &[u8], seen: Seq, asleep: Millis) -> Vec<Self> {
        let asks = object::members(asks).unwrap_or_default();
        let waits = asks.into_iter().filter_map(|(name, ask)| {
            let ask: Ask<'_> = serde_json::from_str(ask.get()).ok()?;
            if ask.method != EVENT {
                return None;
            }
            let params = ask.params.map_or("{}", |params| params.get());
            let Awaited {
                filters,
                after,
                timeout,
            } = serde_json::from_str(params).ok()?;
            Some(Self {
                name,
                filters,
                after: after.map_or(seen, Seq),
                is_behind: true,
                due: timeout.map(|timeout| asleep.saturating_add(millis(timeout))),
            })
        });
        waits.collect()
    }

    /// Whether the event answers it.
    pub(crate) fn takes(&self, event: &Event) -> bool {
        self.filters.iter().all(|filter| filter.matches(event))
    }

    /// The only type that it takes, if there is only one.
    pub(crate) fn ty(&self) -> Option<&str> {
        only_type(&self.filters)
    }
}

/// Whether an ask is for an event.
pub(crate) fn is_wait(ask: &RawValue) -> bool {
    serde_json::from_str::<Ask<'_>>(ask.get()).is_ok_and(|ask| ask.method == EVENT)
}

fn only_type(filters: &[Filter]) -> Option<&str> {
    filters.iter().find_map(|filter| match filter {
        Filter::All(filters) => only_type(filters),
        Filter::Exact(attributes) => attributes.get("type").map(String::as_str),
        Filter::Any(_)
        | Filter::Not(_)
        | Filter::Prefix(_)
        | Filter::Suffix(_)
        | Filter::Cesql(_) => None,
    })
}

/// All waits.
#[derive(Debug)]
pub(crate) struct Waits {
    of_task: BTreeMap<TaskId, Vec<Wait>>,
    of_type: HashMap<String, BTreeSet<TaskId>>,
    of_any_type: BTreeSet<TaskId>,
    behind: BTreeSet<TaskId>,
    /// Of those behind, who looked last.
    tended: TaskId,
    due: BTreeSet<(Millis, TaskId)>,
    is_doubted: bool,
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            of_task: BTreeMap::new(),
            of_type: HashMap::new(),
            of_any_type: BTreeSet::new(),
            behind: BTreeSet::new(),
            tended: TaskId::from_bytes([0; 16]),
            due: BTreeSet::new(),
            is_doubted: false,
        }
    }
}

/// Who takes a new event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Taking {
    /// Each task with the names of its waits that the event answers.
    pub(crate) answered: Vec<(TaskId, Vec<String>)>,
    /// Tasks that were not asked.
    pub(crate) left: Vec<TaskId>,
}

impl Waits {
    /// Enters the waits of a task, in place of those that it had.
    pub(crate) fn enter(&mut self, task: TaskId, waits: Vec<Wait>) {
        self.forget(task);
        if waits.is_empty() {
            return;
        }
        for wait in &waits {
            match wait.ty() {
                Some(ty) => {
                    let of_type = self.of_type.entry(ty.to_owned()).or_default();
                    of_type.insert(task);
                }
                None => {
                    self.of_any_type.insert(task);
                }
            }
            if wait.is_behind {
                self.behind.insert(task);
            } else if let Some(due) = wait.due {
                self.due.insert((due, task));
            }
        }
        self.of_task.insert(task, waits);
    }

    /// Takes the waits of a task away.
    pub(crate) fn forget(&mut self, task: TaskId) {
        for wait in self.of_task.remove(&task).unwrap_or_default() {
            if let Some(ty) = wait.ty()
                && let Some(of_type) = self.of_type.get_mut(ty)
            {
                of_type.remove(&task);
                if of_type.is_empty() {
                    self.of_type.remove(ty);
                }
            }
            if let Some(due) = wait.due {
                self.due.remove(&(due, task));
            }
        }
        self.of_any_type.remove(&task);
        self.behind.remove(&task);
    }

    /// Says that all this may not be so: a batch was taken back.
    pub(crate) fn doubt(&mut self) {
        self.is_doubted = true;
    }

    /// Whether the store has to be asked again.
    pub(crate) fn is_doubted(&self) -> bool {
        self.is_doubted
    }

    /// The waits of a task.
    pub(crate) fn of(&self, task: TaskId) -> &[Wait] {
        self.of_task.get(&task).map_or(&[], Vec::as_slice)
    }

    /// Whether an event of this type can answer anything.
    pub(crate) fn may_take(&self, ty: &str) -> bool {
        !self.of_any_type.is_empty() || self.of_type.contains_key(ty)
    }

    /// Each task with the names of its waits that a new event answers. Those that are behind have
    /// earlier events to look at first, and come by this one when they do. When `is_late` says so,
    /// after one task at the soonest, the others are only told: they have to come by it later.
    pub(crate) fn taking(&self, event: &Event, mut is_late: impl FnMut() -> bool) -> Taking {
        let of_type = self.of_type.get(&event.ty).into_iter().flatten();
        let tasks: BTreeSet<TaskId> = of_type.chain(&self.of_any_type).copied().collect();
        let mut tasks = tasks.into_iter();
        let mut answered = Vec::new();
        for task in tasks.by_ref() {
            let waits = self.of(task).iter();
            let taking = waits.filter(|wait| !wait.is_behind && wait.takes(event));
            let names: Vec<_> = taking.map(|wait| wait.name.clone()).collect();
            if !names.is_empty() {
                answered.push((task, names));
            }
            if is_late() {
                break;
            }
        }
        let left = tasks.collect();
        Taking { answered, left }
    }

    /// The next task that has events to look at, by turns.
    pub(crate) fn behind(&mut self) -> Option<TaskId> {
        let after = (Bound::Excluded(self.tended), Bound::Unbounded);
        let next = self.behind.range(after).next();
        let next = next.or(self.behind.first()).copied()?;
        self.tended = next;
        Some(next)
    }

    /// When the next wait has lasted long enough; at once while one is behind.
    pub(crate) fn next_wake(&self) -> Millis {
        match (self.behind.is_empty(), self.due.first()) {
            (false, _) => 0,
            (true, Some((due, _))) => *due,
            (true, None) => Millis::MAX,
        }
    }

    /// Each task with the names of its waits that have lasted long enough.
    pub(crate) fn overdue(&self, now: Millis) -> Vec<(TaskId, Vec<String>)> {
        let is_over = |wait: &&Wait| !wait.is_behind && wait.due.is_some_and(|due| due <= now);
        let due = self.due.iter().take_while(|(due, _)| *due <= now);
        let tasks: BTreeSet<TaskId> = due.map(|(_, task)| *task).collect();
        let named = tasks.into_iter().map(|task| {
            let over = self.of(task).iter().filter(is_over);
            (task, over.map(|wait| wait.name.clone()).collect())
        });
        named.collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn waits(asks: serde_json::Value) -> Vec<Wait> {
        let mut waits = Wait::among(asks.to_string().as_bytes(), Seq(5), 1_000);
        for wait in &mut waits {
            wait.is_behind = false;
        }
        waits
    }

    fn ask(filters: serde_json::Value) -> serde_json::Value {
        json!({"method": EVENT, "params": {"filters": filters}})
    }

    #[test]
    fn the_asks_of_clients_are_no_waits() {
        let waits = waits(json!({
            "form": {"method": "elicitation/create", "params": {}},
            "any": {"method": EVENT},
            "late": {"method": EVENT, "params": {"after": 9, "timeout": "2s"}},
        }));
        let told: Vec<_> = waits
            .iter()
            .map(|wait| (wait.name.as_str(), wait.after, wait.due))
            .collect();
        assert_eq!(told, [("any", Seq(5), None), ("late", Seq(9), Some(3_000))]);
    }

    #[test]
    fn an_event_finds_those_who_wait_for_it() {
        let [one, two, three] = [(); 3].map(|()| TaskId::new());
        let mut all = Waits::default();
        assert!(!all.may_take("a"));
        all.enter(
            one,
            waits(json!({
                "x": ask(json!([{"all": [{"exact": {"type": "a"}}, {"exact": {"subject": "s"}}]}])),
                "y": ask(json!([{"exact": {"type": "b"}}])),
            })),
        );
        all.enter(
            two,
            waits(json!({"x": ask(json!([{"prefix": {"type": "a"}}]))})),
        );
        let mut behind = waits(json!({"x": ask(json!([]))}));
        behind[0].is_behind = true;
        all.enter(three, behind);
        assert_eq!(all.behind(), Some(three));
        let taking = |all: &Waits, ty: &str, subject: &str| {
            let mut event = Event::new("1", "/s", ty);
            event.subject = Some(subject.to_owned());
            let mut taking = all.taking(&event, || false).answered;
            taking.sort();
            taking
        };
        let x = vec!["x".to_owned()];
        let mut both = vec![(one, x.clone()), (two, x.clone())];
        both.sort();
        assert_eq!(taking(&all, "a", "s"), both);
        assert_eq!(taking(&all, "a", "t"), [(two, x)]);
        assert_eq!(taking(&all, "b", "s"), [(one, vec!["y".to_owned()])]);
        all.forget(two);
        all.forget(three);
        assert!(all.may_take("a") && !all.may_take("c"));
        all.forget(one);
        assert!(!all.may_take("a") && all.of_type.is_empty() && all.behind().is_none());
    }

    #[test]
    fn when_it_gets_late_the_others_have_to_look_later_by_turns() {
        let mut tasks = [(); 3].map(|()| TaskId::new());
        tasks.sort();
        let mut all = Waits::default();
        for task in tasks {
            all.enter(task, waits(json!({"x": ask(json!([]))})));
        }
        let taking = all.taking(&Event::new("1", "/s", "a"), || true);
        assert_eq!(taking.answered, [(tasks[0], vec!["x".to_owned()])]);
        assert_eq!(taking.left, tasks[1..]);
        for task in &tasks[1..] {
            let mut waits = all.of(*task).to_vec();
            waits[0].is_behind = true;
            all.enter(*task, waits);
        }
        let turns = [(); 3].map(|()| all.behind());
        assert_eq!(turns, [Some(tasks[1]), Some(tasks[2]), Some(tasks[1])]);
    }

    #[test]
    fn waits_end_when_they_have_lasted_long_enough() {
        let task = TaskId::new();
        let mut all = Waits::default();
        assert_eq!(all.next_wake(), Millis::MAX);
        let late = json!({"method": EVENT, "params": {"timeout": "2s"}});
        all.enter(task, waits(json!({"late": late, "never": ask(json!([]))})));
        assert_eq!(all.next_wake(), 3_000);
        assert!(all.overdue(2_999).is_empty());
        assert_eq!(all.overdue(3_000), [(task, vec!["late".to_owned()])]);
        all.forget(task);
        assert_eq!((all.next_wake(), all.due.len()), (Millis::MAX, 0));
    }
}
