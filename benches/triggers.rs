//! Which triggers take an event: the index against asking each trigger, on one core.
//!
//! First with the triggers that a busy platform may have, 940 that name a `type`, 40 that name how
//! it starts or ends, 15 nested ones and 5 CESQL expressions; then with nothing but exact ones, to
//! see how the cost grows with their number. Both sides run in turn, several rounds. Time is that of
//! the thread on its core, so other work on the machine is not counted.
//! `cargo bench -p dormouse-contract --bench triggers`

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark may stop at the first surprise"
)]

#[path = "load/core_time.rs"]
mod core_time;

use std::hint::black_box;

use dormouse_contract::Event;
use dormouse_contract::filter::Trigger;
use dormouse_contract::trigger_index::TriggerIndex;

const ROUNDS: usize = 7;

fn main() {
    let index = TriggerIndex::new(mixed());
    let events = events(940);
    check(&index, &events);
    let takers: usize = events.iter().map(|it| index.matching(it).len()).sum();
    let (mut indexed, mut asked, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let ours = nanoseconds(&events, 200, |event| index.matching(event).len());
        let each = nanoseconds(&events, 2, |event| ask_each(&index, event).len());
        indexed.push(ours);
        asked.push(each);
        ratios.push(each / ours);
    }
    println!(
        "1,000 triggers, {:.2} takers an event: index {:>9.0} events/s   asking each {:>7.0}/s   ratio {:.0}",
        takers as f64 / events.len() as f64,
        1e9 / middle(&mut indexed),
        1e9 / middle(&mut asked),
        middle(&mut ratios),
    );
    println!("bar: 200,000 events/s");
    println!("exact triggers only: their number, and the cost an event");
    let mut first = None;
    for count in [10, 100, 1_000, 10_000] {
        let index = TriggerIndex::new((0..count).map(exact).collect());
        let events = self::events(count);
        check(&index, &events);
        let (mut indexed, mut asked) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            indexed.push(nanoseconds(&events, 200, |event| {
                index.matching(event).len()
            }));
            asked.push(nanoseconds(&events[..100], 1, |event| {
                ask_each(&index, event).len()
            }));
        }
        let (indexed, asked) = (middle(&mut indexed), middle(&mut asked));
        let (first_indexed, first_asked) = *first.get_or_insert((indexed, asked));
        println!(
            "{count:>6}   index {indexed:>6.0} ns ({:>4.1} x that of 10)   asking each {asked:>8.0} ns ({:>6.1} x)",
            indexed / first_indexed,
            asked / first_asked,
        );
    }
}

fn ty(number: usize) -> String {
    let domain = [
        "com.github",
        "org.example.shop",
        "dev.dormouse.lessons",
        "io.sensors",
    ];
    format!("{}.kind{}.v{number}", domain[number % 4], number % 37)
}

fn trigger(filter: &str) -> Trigger {
    serde_json::from_str(&format!(r#"{{"filters":[{filter}]}}"#)).unwrap()
}

fn exact(number: usize) -> Trigger {
    trigger(&format!(r#"{{"exact":{{"type":"{}"}}}}"#, ty(number)))
}

/// Of the nested ones a third says nothing about the type, and no CESQL expression does.
fn mixed() -> Vec<Trigger> {
    let mut triggers: Vec<_> = (0..940).map(exact).collect();
    for number in 0..20 {
        let prefix = format!(r#"{{"prefix":{{"type":"com.github.kind{number}."}}}}"#);
        let suffix = format!(r#"{{"suffix":{{"type":".v{}"}}}}"#, number * 7);
        triggers.extend([trigger(&prefix), trigger(&suffix)]);
    }
    for number in 0..5 {
        let (one, other) = (ty(number), ty(number + 100));
        let with_type = format!(
            r#"{{"all":[{{"any":[{{"exact":{{"type":"{one}"}}}},{{"exact":{{"type":"{other}"}}}}]}},{{"not":{{"exact":{{"branch":"main"}}}}}}]}}"#
        );
        let starting = format!(
            r#"{{"all":[{{"prefix":{{"type":"io.sensors."}}}},{{"suffix":{{"source":"/{number}"}}}}]}}"#
        );
        let without = format!(
            r#"{{"any":[{{"exact":{{"tenant":"t{number}"}}}},{{"all":[{{"prefix":{{"source":"/shop/{number}"}}}},{{"not":{{"exact":{{"branch":"dev"}}}}}}]}}]}}"#
        );
        triggers.extend([with_type, starting, without].map(|it| trigger(&it)));
        triggers.push(trigger(&format!(
            r#"{{"cesql":"branch = 'main' AND source LIKE '/repos/%' AND attempt > {number}"}}"#
        )));
    }
    triggers.rotate_left(300);
    assert_eq!(triggers.len(), 1_000);
    triggers
}

/// Nine in ten have a type that an exact trigger names.
fn events(types: usize) -> Vec<Event> {
    let event = |number: usize| {
        let ty = match number % 10 {
            9 => format!("net.unknown.v{number}"),
            _ => ty(number * 7 % types),
        };
        let source = ["/repos/dormouse", "/shop/3", "/plant/2"][number % 3];
        let branch = ["main", "dev"][number % 2];
        Event::new(number.to_string(), source, ty)
            .with_extension("branch", branch)
            .with_extension("attempt", "1")
            .with_extension("tenant", "t9")
    };
    (0..1_000).map(event).collect()
}

fn ask_each(index: &TriggerIndex, event: &Event) -> Vec<usize> {
    let triggers = index.triggers().iter().enumerate();
    let takers = triggers.filter(|(_, trigger)| trigger.matches(event));
    takers.map(|(place, _)| place).collect()
}

/// Both sides find the same.
fn check(index: &TriggerIndex, events: &[Event]) {
    for event in events {
        assert_eq!(index.matching(event), ask_each(index, event), "{event:?}");
    }
}

/// Nanoseconds an event.
fn nanoseconds(events: &[Event], times: usize, mut find: impl FnMut(&Event) -> usize) -> f64 {
    let spent = core_time::spent(|| {
        for _ in 0..times {
            for event in events {
                black_box(find(black_box(event)));
            }
        }
    });
    spent / (events.len() * times) as f64
}

/// Sorts the figures and gives the one in the middle.
fn middle(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
