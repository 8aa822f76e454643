//! Turns, delays and orders of one lane.

use proptest::prelude::*;

use super::*;

pub(crate) fn waiting(principal: &str) -> Waiting {
    Waiting {
        task: TaskId::new(),
        turn: Turn {
            principal: principal.into(),
            is_event: false,
        },
        order: None,
    }
}

pub(crate) fn open(slots: usize) -> Lane {
    Lane {
        open: true,
        slots,
        limit: 10,
        ..Lane::default()
    }
}

fn ordered(number: u8, order: i64) -> Waiting {
    Waiting {
        task: TaskId::from_bytes([number; 16]),
        turn: Turn {
            principal: "source".into(),
            is_event: true,
        },
        order: Some(Order(order)),
    }
}

#[test]
fn principals_take_turns_and_keep_their_own_order() {
    let mut lane = open(1);
    let tasks = [waiting("a"), waiting("a"), waiting("a"), waiting("b")];
    for task in &tasks {
        lane.push(task.clone(), 0, 0);
    }
    let order: Vec<_> = std::iter::from_fn(|| lane.pop()).collect();
    assert_eq!(order, [0, 3, 1, 2].map(|index| tasks[index].clone()));
    assert_eq!(lane.waiting(), 0);
}

#[test]
fn what_is_put_back_comes_first() {
    let mut lane = open(1);
    for _ in 0..2 {
        lane.push(waiting("a"), 0, 0);
    }
    let first = lane.pop().unwrap();
    lane.put_back(first.clone());
    assert_eq!(lane.pop(), Some(first));
}

#[test]
fn tasks_of_one_order_run_one_at_a_time() {
    let mut lane = open(10);
    let first = ordered(1, 7);
    assert_eq!(lane.push(first.clone(), 0, 0), Place::Queued);
    assert_eq!(lane.push(ordered(2, 7), 0, 0), Place::Held);
    assert_eq!(lane.push(ordered(3, 8), 0, 0), Place::Queued);
    assert_eq!((lane.waiting(), lane.events_waiting()), (3, 3));
    let order: Vec<_> = std::iter::from_fn(|| lane.next(0))
        .map(|it| it.task)
        .collect();
    assert_eq!(order, [1, 3].map(|number| TaskId::from_bytes([number; 16])));
    // A retry of the first is not the end of it.
    lane.push_again(first, 100, 0);
    assert_eq!(lane.next(50), None);
    assert_eq!(
        lane.next(100).map(|it| it.task),
        Some(TaskId::from_bytes([1; 16]))
    );
    assert_eq!(
        lane.release(Order(7)).map(|it| it.task),
        Some(TaskId::from_bytes([2; 16]))
    );
    assert!(lane.next(100).is_some() && lane.is_busy(Order(7)));
    assert_eq!(lane.release(Order(7)), None);
    assert!(!lane.is_busy(Order(7)));
    assert_eq!(lane.waiting(), 0);
}

/// What can be seen of a lane, by emptying it.
fn drained(mut lane: Lane) -> Vec<(Vec<TaskId>, usize)> {
    let mut seen = Vec::new();
    let orders: Vec<_> = {
        let mut orders: Vec<_> = lane.held.keys().copied().collect();
        orders.sort_by_key(|order| order.0);
        orders
    };
    for order in orders {
        let held = lane.held[&order].iter().map(|(task, _)| *task).collect();
        seen.push((held, lane.waiting()));
    }
    seen.push((
        std::iter::from_fn(|| lane.pop())
            .map(|it| it.task)
            .collect(),
        0,
    ));
    seen
}

fn built(steps: &[(u8, i64)]) -> Lane {
    let mut lane = open(10);
    for (number, order) in steps {
        lane.push(ordered(*number, *order), 0, 0);
    }
    lane
}

proptest! {
    #[test]
    fn each_step_can_be_taken_back(
        orders in proptest::collection::vec(0_i64..3, 1..12), chosen in 0_usize..12,
    ) {
        let steps: Vec<_> = (1_u8..).zip(orders).collect();
        let (number, order) = steps[chosen % steps.len()];
        let before = drained(built(&steps));

        let mut lane = built(&steps);
        let more = ordered(200, order);
        let place = lane.push(more.clone(), 0, 0);
        lane.unpush(&more, place);
        prop_assert_eq!(&drained(lane), &before);

        let mut lane = built(&steps);
        let (key, waiting) = (Order(order), ordered(number, order));
        if let Some(place) = lane.remove_held(key, waiting.task) {
            lane.hold_again(key, waiting, place);
        }
        prop_assert_eq!(&drained(lane), &before);

        let mut lane = built(&steps);
        let next = lane.release(key);
        lane.unrelease(key, next);
        prop_assert_eq!(&drained(lane), &before);
    }
}
