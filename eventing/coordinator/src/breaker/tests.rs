use proptest::prelude::*;

use super::*;

const PAUSE: Duration = Duration::from_secs(15);
const POLICY: BreakerPolicy = BreakerPolicy {
    failures: 3,
    pause: PAUSE,
};

fn failed(times: u32, now: Instant) -> Breaker {
    let mut breaker = Breaker::new(POLICY);
    for _ in 0..times {
        let era = breaker.ask(now).unwrap();
        breaker.end(era, Event::Failed, now);
    }
    breaker
}

#[test]
fn every_event_in_every_state_leads_where_the_table_says() {
    use Event::{Cleared, Failed, GaveUp, Succeeded, Tried};
    let now = Instant::now();
    let (closed, later) = (State::CLOSED, now + PAUSE);
    let once = State::Closed { failures: 1 };
    let twice = State::Closed { failures: 2 };
    let until = now + Duration::from_secs(1);
    let (open, half) = (State::Open { until }, State::HalfOpen { next: until });
    for (state, event, expected) in [
        (closed, Tried, closed),
        (twice, Succeeded, closed),
        (closed, Failed, once),
        (twice, Failed, State::Open { until: later }),
        (twice, GaveUp, twice),
        (twice, Cleared, closed),
        (open, Tried, State::HalfOpen { next: later }),
        (open, Succeeded, open),
        (open, Failed, open),
        (open, GaveUp, open),
        (open, Cleared, closed),
        (half, Tried, State::HalfOpen { next: later }),
        (half, Succeeded, closed),
        (half, Failed, State::Open { until: later }),
        (half, GaveUp, State::HalfOpen { next: now }),
        (half, Cleared, closed),
    ] {
        assert_eq!(
            state.after(event, POLICY, now),
            expected,
            "{state:?} {event:?}"
        );
    }
}

#[test]
fn after_the_pause_one_call_tries_and_decides() {
    let now = Instant::now();
    let back = now + PAUSE;
    for (event, expected) in [
        (Event::Succeeded, State::CLOSED),
        (
            Event::Failed,
            State::Open {
                until: back + PAUSE,
            },
        ),
    ] {
        let mut breaker = failed(3, now);
        let half = Duration::from_secs(7);
        assert_eq!(breaker.ask(now + half), Err(Refusal::Shut(PAUSE - half)));
        let trial = breaker.ask(back).unwrap();
        assert_eq!(breaker.ask(back), Err(Refusal::Wait(back + PAUSE)));
        assert!(breaker.end(trial, event, back));
        assert_eq!(breaker.state(), expected);
    }
}

#[test]
fn a_breaker_without_a_limit_never_opens() {
    let now = Instant::now();
    let mut breaker = Breaker::new(BreakerPolicy {
        failures: 0,
        pause: PAUSE,
    });
    for _ in 0..1_000 {
        let era = breaker.ask(now).unwrap();
        assert!(!breaker.end(era, Event::Failed, now));
    }
}

/// What happens in a run of the property test.
#[derive(Debug, Clone, Copy)]
enum Step {
    Ask,
    /// One of the calls on their way ends.
    End(usize, Event),
    Clear,
    Pass(Duration),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let event = prop_oneof![
        4 => Just(Event::Failed),
        2 => Just(Event::Succeeded),
        1 => Just(Event::GaveUp),
    ];
    let step = prop_oneof![
        6 => Just(Step::Ask),
        6 => (0_usize..4, event).prop_map(|(call, event)| Step::End(call, event)),
        1 => Just(Step::Clear),
        3 => (0_u64..20_000).prop_map(|millis| Step::Pass(Duration::from_millis(millis))),
    ];
    proptest::collection::vec(step, 0..200)
}

proptest! {
    /// Whatever happens in whatever order: an open breaker lets nobody through, it opens only
    /// after enough failures in a row, half-open lets one through in a pause, and it never stays
    /// shut for longer than a pause.
    #[test]
    fn it_protects_and_never_stays_shut(steps in steps()) {
        let mut now = Instant::now();
        let mut breaker = Breaker::new(POLICY);
        let mut calls: Vec<Era> = Vec::new();
        let (mut in_a_row, mut tried_at) = (0_u32, None::<Instant>);
        for step in steps {
            let before = breaker.state();
            match step {
                Step::Pass(time) => now += time,
                Step::Clear => {
                    breaker.clear(now);
                    (in_a_row, tried_at) = (0, None);
                    prop_assert_eq!(breaker.state(), State::CLOSED);
                }
                Step::Ask => match (breaker.ask(now), before) {
                    (Ok(era), State::Closed { .. }) => calls.push(era),
                    (Ok(era), State::Open { until }) => {
                        prop_assert!(now >= until);
                        (in_a_row, tried_at) = (0, Some(now));
                        calls.push(era);
                    }
                    (Ok(era), State::HalfOpen { .. }) => {
                        let freed = tried_at.is_none_or(|at| now >= at + PAUSE);
                        prop_assert!(freed, "a second call tries within a pause");
                        tried_at = Some(now);
                        calls.push(era);
                    }
                    (Err(Refusal::Shut(left)), _) => prop_assert!(left <= PAUSE),
                    (Err(Refusal::Wait(until)), _) => prop_assert!(until <= now + PAUSE),
                },
                Step::End(call, event) if call < calls.len() => {
                    let era = calls.swap_remove(call);
                    let counts = era == Era(breaker.era);
                    breaker.end(era, event, now);
                    if !counts {
                        prop_assert_eq!(breaker.state(), before, "a late verdict changes nothing");
                        continue;
                    }
                    match (event, before) {
                        (Event::Failed, State::Closed { .. }) => in_a_row += 1,
                        (Event::Succeeded, _) => (in_a_row, tried_at) = (0, None),
                        (Event::GaveUp, State::HalfOpen { .. }) => tried_at = None,
                        (_, _) => {}
                    }
                    if let (State::Closed { .. }, State::Open { .. }) = (before, breaker.state()) {
                        prop_assert!(in_a_row >= POLICY.failures);
                    }
                }
                Step::End(..) => {}
            }
            let patient = breaker.clone().ask(now + PAUSE);
            prop_assert!(patient.is_ok(), "after a pause somebody may go");
        }
    }
}
