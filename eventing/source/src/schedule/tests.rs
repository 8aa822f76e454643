//! Runs are told once, in order, and none that counts is lost, whatever the clock does.

use proptest::prelude::*;

use super::*;

fn schedule(cron: &str, zone: &str, missed: Missed) -> Schedule {
    Schedule {
        cron: cron.parse().unwrap(),
        zone: zone.parse().unwrap(),
        missed,
        ..Schedule::hourly("t", "/s")
    }
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// All runs of a day and a bit, as times in UTC.
fn runs(cron: &str, zone: &str, from: &str, until: &str) -> Vec<String> {
    let schedule = schedule(cron, zone, Missed::All);
    let mut runs = Vec::new();
    let mut at = time(from);
    while let Some(next) = schedule.next_after(at).filter(|next| *next < time(until)) {
        runs.push(next.to_string());
        at = next;
    }
    runs
}

#[test]
fn a_skipped_hour_moves_times_of_day_and_thins_out_intervals() {
    // Berlin, 29 March 2026: 2:00 becomes 3:00 (1:00 UTC).
    let (from, until) = ("2026-03-28T23:30:00Z", "2026-03-29T02:30:00Z");
    let berlin = |cron| runs(cron, "Europe/Berlin", from, until);
    assert_eq!(berlin("30 2 * * *"), ["2026-03-29T01:00:00Z"]);
    let intervals = [
        "2026-03-29T00:00:00Z",
        "2026-03-29T00:30:00Z",
        "2026-03-29T01:00:00Z",
        "2026-03-29T01:30:00Z",
        "2026-03-29T02:00:00Z",
    ];
    assert_eq!(berlin("*/30 * * * *"), intervals);
    assert_eq!(berlin("*/30 2 * * *"), Vec::<String>::new());
}

#[test]
fn a_doubled_hour_runs_times_of_day_once_and_intervals_twice() {
    // Berlin, 25 October 2026: 3:00 becomes 2:00 (1:00 UTC).
    let (from, until) = ("2026-10-24T23:30:00Z", "2026-10-25T02:30:00Z");
    let berlin = |cron| runs(cron, "Europe/Berlin", from, until);
    assert_eq!(berlin("30 2 * * *"), ["2026-10-25T00:30:00Z"]);
    let twice = [
        "2026-10-25T00:00:00Z",
        "2026-10-25T00:30:00Z",
        "2026-10-25T01:00:00Z",
        "2026-10-25T01:30:00Z",
    ];
    assert_eq!(berlin("*/30 2 * * *"), twice);
    let events: Vec<_> = twice
        .iter()
        .map(|at| {
            schedule("*/30 2 * * *", "Europe/Berlin", Missed::All)
                .event("half", time(at))
                .id
        })
        .collect();
    assert_eq!(events[1], "half-2026-10-25T00:30:00Z");
    assert_ne!(
        events[1], events[3],
        "the same hour on the wall, another run"
    );
}

#[test]
fn what_was_missed_goes_by_the_policy() {
    let (mark, since, now) = (
        time("2026-01-01T00:00:00Z"),
        time("2026-01-01T03:30:00Z"),
        time("2026-01-01T03:30:00.7Z"),
    );
    let hours = |due: Due| -> Vec<_> {
        due.runs
            .iter()
            .map(|run| run.as_second() / 3600 % 24)
            .collect()
    };
    let due = |missed| schedule("@hourly", "UTC", missed).due(mark, since, now);
    for (missed, expected, leaves_out) in [
        (Missed::Skip, vec![], true),
        (Missed::Once, vec![3], true),
        (Missed::All, vec![1, 2, 3], false),
    ] {
        let due = due(missed);
        assert_eq!(due.mark, time("2026-01-01T03:00:00Z"), "{missed:?}");
        assert_eq!(due.leaves_out, leaves_out, "{missed:?}");
        assert_eq!(hours(due), expected, "{missed:?}");
    }
}

#[test]
fn what_is_a_little_late_is_not_missed_and_what_is_very_late_is() {
    let minutely = schedule("* * * * *", "UTC", Missed::Skip);
    let (mark, since) = (time("2026-01-01T00:00:00Z"), time("2025-01-01T00:00:00Z"));
    let due = minutely.due(mark, since, time("2026-01-01T00:01:59Z"));
    assert_eq!(due.runs, [time("2026-01-01T00:01:00Z")]);
    let due = minutely.due(mark, since, time("2026-01-01T00:05:30Z"));
    assert_eq!(
        (due.runs, due.leaves_out),
        (vec![time("2026-01-01T00:05:00Z")], true)
    );
}

#[test]
fn a_long_absence_costs_no_more_than_the_bound() {
    let secondly = schedule("* * * * * *", "UTC", Missed::All);
    let now = time("2026-01-01T00:00:00Z");
    let due = secondly.due(time("2020-01-01T00:00:00Z"), now, now);
    assert_eq!(
        (due.runs.len(), due.leaves_out, due.mark),
        (MOST_MISSED, true, now)
    );
}

#[test]
fn an_event_says_what_the_schedule_says() {
    let schedule = Schedule {
        subject: Some("all".into()),
        extensions: BTreeMap::from([("team".into(), "night".into())]),
        content_type: Some("text/plain".into()),
        data: Some(Bytes::from_static(b"go")),
        ..Schedule::hourly("com.example.nightly", "/sources/nightly")
    };
    let event = schedule.event("nightly", time("2026-01-01T02:00:00Z"));
    assert_eq!(event.id, "nightly-2026-01-01T02:00:00Z");
    assert_eq!(event.time.as_deref(), Some("2026-01-01T02:00:00Z"));
    assert_eq!(event.extension("team").as_deref(), Some("night"));
    assert_eq!(
        (event.subject.as_deref(), event.data.as_deref()),
        (Some("all"), Some(&b"go"[..]))
    );
    event.validate().unwrap();
}

/// What happens to a platform that follows a schedule.
#[derive(Debug, Clone)]
enum Step {
    /// Time passes, so many seconds, and the schedule is looked at.
    Pass(i64),
    /// The clock is put back.
    Back(i64),
    /// The platform is down for so long, then starts.
    Down(i64),
    /// It looks, publishes nothing because the commit fails, and time passes.
    Fail(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..50_i64).prop_map(Step::Pass),
        1 => (0..20_000_i64).prop_map(Step::Pass),
        1 => (0..9_000_i64).prop_map(Step::Back),
        2 => (0..20_000_i64).prop_map(Step::Down),
        1 => (0..50_i64).prop_map(Step::Fail),
    ];
    prop::collection::vec(step, 1..25)
}

/// Zones and times at which clocks change.
fn place() -> impl Strategy<Value = (&'static str, Timestamp)> {
    let places = [
        ("Europe/Berlin", "2026-03-28T22:00:00Z"),
        ("Europe/Berlin", "2026-10-24T22:00:00Z"),
        ("America/New_York", "2026-11-01T03:00:00Z"),
        ("Australia/Lord_Howe", "2026-04-04T13:00:00Z"),
        ("Australia/Lord_Howe", "2026-10-03T13:00:00Z"),
        ("Africa/Cairo", "2026-04-23T20:00:00Z"),
        ("UTC", "2026-02-28T22:00:00Z"),
    ];
    prop::sample::select(places.to_vec()).prop_map(|(zone, from)| (zone, time(from)))
}

const CRONS: [&str; 8] = [
    "*/7 * * * *",
    "*/20 * * * * *",
    "30 2 * * *",
    "0 0 * * *",
    "15,45 1-3 * * *",
    "*/30 2 * * *",
    "59 23 * * *",
    "30 0 * * *",
];

proptest! {
    /// Looking back finds what looking forward finds, over changes of the clock too.
    #[test]
    fn both_directions_agree((zone, from) in place(), cron in prop::sample::select(CRONS.to_vec())) {
        let schedule = schedule(cron, zone, Missed::All);
        let until = from + SignedDuration::from_hours(30);
        let mut forward = Vec::new();
        let mut at = from;
        while let Some(next) = schedule.next_after(at).filter(|next| *next <= until) {
            forward.push(next);
            at = next;
        }
        let mut backward = Vec::new();
        let mut at = schedule.cron.previous(until, true, &schedule.zone);
        while let Some(run) = at.filter(|run| *run > from) {
            backward.push(run);
            at = schedule.cron.previous(run, false, &schedule.zone);
        }
        backward.reverse();
        prop_assert_eq!(forward, backward);
    }

    #[test]
    fn no_run_comes_twice_and_none_that_counts_is_lost(
        (zone, from) in place(),
        cron in prop::sample::select(CRONS.to_vec()),
        missed in prop::sample::select(vec![Missed::Skip, Missed::Once, Missed::All]),
        steps in steps(),
    ) {
        let schedule = schedule(cron, zone, missed);
        let (mut mark, mut since, mut now) = (from, from, from);
        let mut latest = from;
        let mut told = Vec::new();
        let mut is_whole = true;
        for step in steps {
            let seconds = SignedDuration::from_secs;
            let is_committed = match step {
                Step::Pass(passed) => { now += seconds(passed); true }
                Step::Back(passed) => { now -= seconds(passed); true }
                Step::Down(passed) => { now += seconds(passed); since = now; true }
                Step::Fail(passed) => { now += seconds(passed); false }
            };
            latest = latest.max(now);
            let due = schedule.due(mark, since, now);
            prop_assert!(due.mark >= mark && due.runs.iter().all(|run| *run <= now));
            prop_assert!(due.runs.last().is_none_or(|run| *run <= due.mark));
            if is_committed {
                is_whole &= !due.leaves_out;
                told.extend(due.runs);
                mark = due.mark;
            }
        }
        let rising = told.windows(2).all(|pair| pair[0] < pair[1]);
        prop_assert!(rising, "{:?}", told);

        let mut expected = Vec::new();
        let mut at = from;
        while let Some(next) = schedule.next_after(at).filter(|next| *next <= mark) {
            expected.push(next);
            at = next;
        }
        prop_assert!(told.iter().all(|run| expected.contains(run)));
        if is_whole {
            prop_assert_eq!(told, expected);
        }
    }
}
