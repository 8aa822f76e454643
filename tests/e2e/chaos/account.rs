//! Drawing up the account: what the producers sent, what the platform says became of it, and what
//! the functions saw.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::producers::Sent;
use super::{ATTEMPTS, EVENTS, Takes};
use crate::http::get;

/// What a history says of attempts that were answered.
const ANSWERS: [&str; 3] = ["failed with", "refused with", "is no reply"];

/// How many lines are in a file.
pub fn lines(file: &Path) -> usize {
    let written = fs::read(file).unwrap_or_default();
    written.iter().filter(|byte| **byte == b'\n').count()
}

/// What a pool's functions noted: their deliveries, in order.
#[derive(Debug)]
pub struct Journal {
    deliveries: Vec<Delivery>,
}

/// One delivery of one event.
#[derive(Debug, Clone)]
struct Delivery {
    event: String,
    task: String,
    attempt: u64,
    mood: String,
}

impl Journal {
    pub fn read(file: &Path) -> Self {
        let written = fs::read_to_string(file).expect("a journal");
        let delivery = |line: &str| {
            let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
            let [event, task, attempt, mood] = words.try_into().expect("four words");
            Delivery {
                event,
                task,
                attempt: attempt.parse().expect("a number"),
                mood,
            }
        };
        Self {
            deliveries: written.lines().map(delivery).collect(),
        }
    }
}

/// Each event is in the log once, and those of a producer in the order in which it sent them.
pub fn check_log(sent: &[Sent]) {
    let places: BTreeSet<_> = sent.iter().map(|event| event.seq).collect();
    assert_eq!(sent.len(), EVENTS);
    assert_eq!(places.len(), EVENTS, "two events have the same place");
    let last = places.last().copied();
    assert_eq!(last, u64::try_from(EVENTS).ok(), "an event was taken twice");
    for [one, next] in sent.array_windows() {
        let in_order = one.producer != next.producer || one.seq < next.seq;
        assert!(in_order, "{one:?} came before {next:?}");
    }
}

/// What became of the events that a pool takes.
pub async fn check_pool(door: &str, pool: (&str, Takes), sent: &[Sent], journal: &Journal) {
    let (name, takes) = pool;
    let taken: BTreeMap<u64, &Sent> = sent
        .iter()
        .filter(|event| takes.is_for(event))
        .map(|event| (event.seq, event))
        .collect();
    let tasks = all(door, &format!("/tasks?pool={name}")).await;
    let places: Vec<_> = tasks.iter().map(|task| task["event"].as_u64()).collect();
    let once: BTreeSet<_> = places.iter().flatten().copied().collect();
    assert_eq!(places.len(), once.len(), "{name}: one task an event");
    assert!(once.iter().eq(taken.keys()), "{name}: events got lost");

    let dead = all(door, &format!("/dead-letters?pool={name}")).await;
    let dead: HashSet<&str> = dead.iter().map(id).collect();
    let mut deliveries: HashMap<&str, Vec<&Delivery>> = HashMap::new();
    for delivery in &journal.deliveries {
        let of_task = deliveries.entry(&delivery.task).or_default();
        of_task.push(delivery);
    }
    let mut again = 0;
    for task in &tasks {
        let deliveries = deliveries.remove(id(task)).unwrap_or_default();
        let seq = task["event"].as_u64().expect("its event");
        let is_its = |delivery: &&&Delivery| delivery.event == taken[&seq].id;
        assert_eq!(deliveries.iter().filter(is_its).count(), deliveries.len());
        check_task(task, &deliveries, dead.contains(id(task)));
        again += check_cuts(door, task, &deliveries).await;
    }
    assert!(deliveries.is_empty(), "{name}: of no task: {deliveries:?}");
    if takes == Takes::Ordered {
        check_order(&taken, journal);
    }
    println!(
        "{name}: {} events in {} deliveries, {again} of them again after a cut, {} dead letters",
        taken.len(),
        journal.deliveries.len(),
        dead.len()
    );
}

/// A task has ended, and the function has seen as much of it as the platform says.
fn check_task(task: &Value, deliveries: &[&Delivery], is_dead: bool) {
    let context = || format!("{task}\n{deliveries:?}");
    let attempts = task["attempt"].as_u64().expect("a number");
    let seen: HashSet<_> = deliveries.iter().map(|delivery| delivery.attempt).collect();
    assert_eq!(
        seen.len(),
        deliveries.len(),
        "an attempt came twice: {}",
        context()
    );
    let known = seen.iter().all(|attempt| (1..=attempts).contains(attempt));
    assert!(known, "attempts that nobody made: {}", context());
    let last = deliveries
        .iter()
        .find(|delivery| delivery.attempt == attempts);
    match task["state"].as_str() {
        Some("completed") => {
            assert!(!is_dead, "{}", context());
            let last = last.map(|delivery| &*delivery.mood);
            assert_eq!(last, Some("well"), "{}", context());
        }
        Some("failed") => {
            assert!(is_dead && task["failure"].is_object(), "{}", context());
            let is_refused = last.is_some_and(|delivery| delivery.mood == "refuse");
            assert!(is_refused || attempts == ATTEMPTS, "{}", context());
        }
        _ => panic!("it has not ended: {}", context()),
    }
}

/// What the function took and got again was cut in between, as its task's history says. How often
/// that was.
async fn check_cuts(door: &str, task: &Value, deliveries: &[&Delivery]) -> usize {
    let taken = deliveries.iter().filter(|delivery| delivery.mood == "well");
    let last = task["attempt"].as_u64().expect("a number");
    let cut: Vec<_> = taken.filter(|delivery| delivery.attempt < last).collect();
    if cut.is_empty() {
        return 0;
    }
    let shown = get(door, &format!("/tasks/{}", id(task))).await.json();
    let history = shown["history"].as_array().expect("a history");
    for delivery in &cut {
        let began = format!("attempt {}", delivery.attempt);
        let mut places = (0..history.len()).filter(|place| history[*place]["why"] == *began);
        let place = places.next();
        assert_eq!(places.next(), None, "{began} began twice: {shown}");
        let ended = place.and_then(|place| history.get(place + 1));
        let why = ended.and_then(|entry| entry["why"].as_str());
        let why = why.unwrap_or_else(|| panic!("no end of {began}: {shown}"));
        let is_answer = ANSWERS.iter().any(|words| why.contains(words));
        assert!(
            !is_answer,
            "it came again although it was answered: {shown}"
        );
    }
    cut.len()
}

/// Those of one source and subject came in the order of the log, each after the one before had
/// ended.
fn check_order(taken: &BTreeMap<u64, &Sent>, journal: &Journal) {
    let by_id: HashMap<&str, &Sent> = taken.values().map(|it| (&*it.id, *it)).collect();
    let mut newest: HashMap<(usize, &str), u64> = HashMap::new();
    for delivery in &journal.deliveries {
        let event = by_id[&*delivery.event];
        let newest = newest.entry((event.producer, &event.subject)).or_default();
        assert!(
            event.seq >= *newest,
            "after {newest} came {event:?}: {delivery:?}"
        );
        *newest = event.seq;
    }
}

/// All pages of a list of tasks.
async fn all(door: &str, query: &str) -> Vec<Value> {
    let mut tasks = Vec::new();
    let mut before = String::new();
    loop {
        let mut page = get(door, &format!("{query}{before}")).await.json();
        match page["tasks"].take() {
            Value::Array(listed) => tasks.extend(listed),
            other => panic!("no page of tasks: {other}"),
        }
        match page["next"].as_str() {
            Some(next) => before = format!("&before={next}"),
            None => return tasks,
        }
    }
}

fn id(task: &Value) -> &str {
    task["id"].as_str().expect("an id")
}
