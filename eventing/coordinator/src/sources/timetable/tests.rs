//! Marks over a real broker: what is missed is made up for once.

use dormouse_broker::{Broker, Config, EventFilter};
use dormouse_source::{Kind, Missed, Source};
use jiff::SignedDuration;

use super::*;
use crate::SourceDeclaration;

/// So many hours and some minutes before now are so many runs.
const HOURS: i64 = 5;

fn hourly(missed: Missed) -> Schedule {
    Schedule {
        missed,
        ..Schedule::hourly("com.example.hourly", "/sources/hourly")
    }
}

fn declare(coordinator: &Coordinator, schedule: Schedule) {
    coordinator.sources().put(SourceDeclaration {
        name: "hourly".to_owned(),
        word: "schedule",
        source: Ok(Source {
            name: "hourly".to_owned(),
            kind: Kind::Schedule(Box::new(schedule)),
        }),
    });
}

async fn told(broker: &Broker) -> Vec<String> {
    let events = broker.events(EventFilter::default()).await.unwrap();
    events.into_iter().map(|event| event.id).collect()
}

/// Looks at the schedules once, as after a start, with the mark that the last start left.
async fn start(broker: &Broker, schedule: Schedule) -> Timetable {
    let coordinator = Coordinator::new(broker.clone());
    declare(&coordinator, schedule);
    let left = marks(&coordinator).await.unwrap();
    let mut timetable = Timetable {
        coordinator,
        followed: BTreeMap::new(),
        left,
    };
    assert!(timetable.look().await.is_ok());
    timetable
}

#[tokio::test]
async fn what_was_missed_is_made_up_for_once_over_any_number_of_starts() {
    for (missed, count) in [(Missed::Skip, 0), (Missed::Once, 1), (Missed::All, 5)] {
        let data = tempfile::tempdir().unwrap();
        let broker = Broker::open(Config::new(data.path())).unwrap();
        let now = Timestamp::now();
        let hour = now.as_second() - now.as_second() % 3_600;
        let before = Timestamp::from_second(hour).unwrap() - SignedDuration::from_hours(HOURS);
        let mark = Mark::new(before, &hourly(missed)).note("hourly");
        broker.note(mark).await.unwrap();
        for _ in 0..3 {
            start(&broker, hourly(missed)).await;
        }
        let ids = told(&broker).await;
        // An hour may have begun meanwhile.
        assert!(
            ids.len() == count || ids.len() == count + 1,
            "{missed:?}: {ids:?}"
        );
        broker.stop().await;
    }
}

#[tokio::test]
async fn a_schedule_that_is_new_changed_or_back_has_missed_nothing() {
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::open(Config::new(data.path())).unwrap();
    let long_ago: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let other = Schedule {
        cron: "30 * * * *".parse().unwrap(),
        ..hourly(Missed::All)
    };
    let mark = Mark::new(long_ago, &other).note("hourly");
    broker.note(mark).await.unwrap();
    let mut timetable = start(&broker, hourly(Missed::All)).await;
    declare(&timetable.coordinator, other);
    assert!(timetable.look().await.is_ok());
    timetable.coordinator.sources().keep_only(|_| false);
    assert!(timetable.look().await.is_ok_and(|wait| wait.is_none()));
    assert_eq!(broker.notes(MARKS).await.unwrap(), []);
    let ids = told(&broker).await;
    assert!(ids.len() <= 1, "{ids:?}");
    broker.stop().await;
    assert!(timetable.look().await.is_ok(), "nothing is followed");
    declare(&timetable.coordinator, hourly(Missed::All));
    assert!(timetable.look().await.is_err(), "the broker has stopped");
}

#[tokio::test]
async fn a_schedule_that_went_while_nobody_looked_is_forgotten_once_all_files_are_read() {
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::open(Config::new(data.path())).unwrap();
    let long_ago: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let mark = Mark::new(long_ago, &hourly(Missed::All)).note("gone");
    broker.note(mark).await.unwrap();
    let mut timetable = start(&broker, hourly(Missed::All)).await;
    let names = async || {
        let notes = broker.notes(MARKS).await.unwrap().into_iter();
        notes.map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["gone", "hourly"], "its file may be broken");
    let sources = timetable.coordinator.sources();
    sources.keep_only(|name| name == "hourly");
    assert!(timetable.look().await.is_ok());
    assert_eq!(names().await, ["hourly"]);
    broker.stop().await;
}

#[test]
fn a_mark_is_of_the_schedule_that_it_was_made_for() {
    let hourly = Schedule::hourly("t", "/s");
    let at: Timestamp = "2026-01-01T01:00:00Z".parse().unwrap();
    let note = Mark::new(at, &hourly).note("n");
    let read: Mark = serde_json::from_slice(&note.value.unwrap()).unwrap();
    assert_eq!(read.of(&hourly), Some(at));
    let louder = Schedule {
        subject: Some("loud".into()),
        ..hourly.clone()
    };
    assert_eq!(read.of(&louder), Some(at));
    let elsewhere = Schedule {
        zone: "Europe/Berlin".parse().unwrap(),
        ..hourly
    };
    assert_eq!(read.of(&elsewhere), None);
}
