use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::*;

#[derive(Debug, PartialEq, Eq, Default)]
struct Caller(u32, Rc<Cell<bool>>);

impl Waiting for Caller {
    fn gave_up(&self) -> bool {
        self.1.get()
    }
}

fn caller(number: u32) -> Caller {
    Caller(number, Rc::default())
}

fn rotation(min: usize, max: usize, concurrency: usize) -> Rotation<u64, Caller> {
    let scaling = Scaling {
        min,
        max,
        concurrency,
        idle: Duration::from_secs(60),
    };
    Rotation::new(scaling, Balance::RoundRobin)
}

/// Wakes instances that are ready at once.
fn awake(count: usize, rotation: &mut Rotation<u64, Caller>, now: Instant) {
    for _ in 0..count {
        let id = rotation.waking(now);
        rotation.ready(id, id, now);
    }
}

#[test]
fn calls_that_wait_share_the_instances_that_wake() {
    let now = Instant::now();
    let mut rotation = rotation(0, 3, 2);
    let mut started = 0;
    for number in 0..9 {
        assert_eq!(rotation.admit(None, now), Admission::Wait);
        rotation.enqueue(caller(number));
        for _ in 0..rotation.shortfall(now) {
            rotation.waking(now);
            started += 1;
        }
        assert_eq!(started, (number / 2 + 1).min(3));
    }
    let (calls, stop) = rotation.ready(1, 1, now);
    assert_eq!((calls.len(), stop), (2, false));
    assert_eq!(calls[0], caller(0));
}

#[test]
fn places_are_handed_on_in_the_order_of_arrival() {
    let now = Instant::now();
    let mut rotation = rotation(0, 1, 1);
    awake(1, &mut rotation, now);
    assert_eq!(rotation.admit(None, now), Admission::Here(1));
    for number in 0..3 {
        assert_eq!(rotation.admit(None, now), Admission::Wait);
        rotation.enqueue(caller(number));
    }
    rotation.waiting[0].1.set(true);
    assert_eq!(rotation.shortfall(now), 0);
    assert_eq!(rotation.release(1, true, now), Released::Handed(caller(1)));
    assert_eq!(rotation.release(1, true, now), Released::Handed(caller(2)));
    assert_eq!(rotation.release(1, true, now), Released::Free);
}

#[test]
fn balance_is_in_turn_or_by_load() {
    let now = Instant::now();
    let mut turns = rotation(0, 3, 10);
    awake(3, &mut turns, now);
    let taken: Vec<_> = (0..6).map(|_| turns.admit(None, now)).collect();
    assert_eq!(taken[..3], [2, 3, 1].map(Admission::Here));
    assert_eq!(taken[3..], [2, 3, 1].map(Admission::Here));

    let mut loads = rotation(0, 2, 10);
    loads.balance = Balance::LeastConnections;
    awake(2, &mut loads, now);
    let taken: Vec<_> = (0..3).map(|_| loads.admit(None, now)).collect();
    assert_eq!(taken, [1, 2, 1].map(Admission::Here));
    loads.release(1, true, now);
    loads.release(1, true, now);
    assert_eq!(loads.admit(None, now), Admission::Here(1));
}

#[test]
fn calls_of_one_session_meet_while_there_is_room() {
    let now = Instant::now();
    let mut sessions = rotation(0, 3, 2);
    sessions.balance = Balance::SessionAffinity;
    awake(3, &mut sessions, now);
    let mut homes = std::collections::BTreeSet::new();
    for session in 0..20_u8 {
        let Admission::Here(home) = sessions.admit(Some(&[session]), now) else {
            panic!("there is room");
        };
        homes.insert(home);
        assert_eq!(sessions.admit(Some(&[session]), now), Admission::Here(home));
        assert_ne!(sessions.admit(Some(&[session]), now), Admission::Here(home));
        let elsewhere = sessions.slots.iter().find(|slot| slot.in_flight == 1);
        let elsewhere = elsewhere.unwrap().id;
        for instance in [home, home, elsewhere] {
            sessions.release(instance, true, now);
        }
    }
    assert_eq!(homes.len(), 3, "every instance has sessions");
    // Without a session they take turns.
    let taken: Vec<_> = (0..3).map(|_| sessions.admit(None, now)).collect();
    let mut places: Vec<_> = taken.iter().map(|taken| format!("{taken:?}")).collect();
    places.sort();
    places.dedup();
    assert_eq!(places.len(), 3);
}

#[test]
fn idle_instances_expire_down_to_the_minimum() {
    let now = Instant::now();
    let later = now + Duration::from_secs(60);
    let mut rotation = rotation(1, 3, 1);
    awake(3, &mut rotation, now);
    assert_eq!(rotation.next_look(now), Some(later));
    assert!(rotation.expire(now).is_empty());
    assert_eq!(rotation.admit(None, now), Admission::Here(2));
    assert_eq!(rotation.expire(later), [3, 1]);
    assert_eq!(rotation.next_look(later), None);
    assert!(!rotation.is_asleep());
    assert_eq!(rotation.instances().stopping, 2);
}

#[test]
fn a_failed_start_refuses_those_who_wait_and_holds_the_next_one() {
    let now = Instant::now();
    let mut rotation = rotation(0, 2, 1);
    rotation.enqueue(caller(0));
    let id = rotation.waking(now);
    assert_eq!(rotation.gone(id, Some("boom"), now), [caller(0)]);
    assert_eq!(rotation.admit(None, now), Admission::Refused("boom".into()));
    assert_eq!(rotation.instances().failure.as_deref(), Some("boom"));
    let later = now + Duration::from_secs(1);
    assert_eq!(rotation.admit(None, later), Admission::Wait);
    rotation.enqueue(caller(1));
    assert_eq!((rotation.shortfall(now), rotation.shortfall(later)), (0, 1));
    let id = rotation.waking(later);
    rotation.ready(id, id, later);
    assert_eq!(rotation.instances().failure, None);
}

#[test]
fn a_failed_start_leaves_hope_while_others_are_awake() {
    let now = Instant::now();
    let mut rotation = rotation(0, 2, 1);
    awake(1, &mut rotation, now);
    rotation.admit(None, now);
    rotation.enqueue(caller(0));
    let id = rotation.waking(now);
    assert!(rotation.gone(id, Some("boom"), now).is_empty());
    assert_eq!(rotation.admit(None, now), Admission::Wait);
    assert_eq!(rotation.release(1, true, now), Released::Handed(caller(0)));
}

#[test]
fn a_kept_minimum_is_started_again_after_a_delay() {
    let now = Instant::now();
    let mut rotation = rotation(1, 2, 1);
    assert_eq!(rotation.shortfall(now), 1);
    let id = rotation.waking(now);
    rotation.gone(id, Some("boom"), now);
    assert_eq!(rotation.shortfall(now), 0);
    let again = rotation.next_look(now).unwrap();
    assert_eq!(rotation.shortfall(again), 1);
}

#[test]
fn retiring_serves_those_who_wait_and_stops_the_rest() {
    let now = Instant::now();
    let mut rotation = rotation(2, 2, 1);
    awake(2, &mut rotation, now);
    assert_eq!(rotation.admit(None, now), Admission::Here(2));
    assert_eq!(rotation.retire(), [1]);
    assert!(matches!(rotation.admit(None, now), Admission::Refused(_)));
    assert_eq!(rotation.shortfall(now), 0);
    assert_eq!(rotation.release(2, true, now), Released::Drained);
    rotation.gone(1, None, now);
    rotation.gone(2, None, now);
    assert!(rotation.is_asleep());
}

#[test]
fn who_wakes_after_retirement_for_nobody_stops_at_once() {
    let now = Instant::now();
    let mut rotation = rotation(0, 2, 1);
    rotation.enqueue(caller(0));
    let first = rotation.waking(now);
    let second = rotation.waking(now);
    assert!(rotation.retire().is_empty());
    assert_eq!(rotation.ready(first, first, now), (vec![caller(0)], false));
    assert_eq!(rotation.ready(second, second, now), (vec![], true));
    assert_eq!(rotation.release(first, true, now), Released::Drained);
}

#[test]
fn a_withdrawn_instance_gets_no_more_calls_and_stops_when_drained() {
    let now = Instant::now();
    let mut rotation = rotation(0, 2, 2);
    awake(1, &mut rotation, now);
    rotation.admit(None, now);
    assert!(!rotation.withdraw(1));
    assert_eq!(rotation.admit(None, now), Admission::Wait);
    assert_eq!(rotation.release(1, false, now), Released::Drained);
}
