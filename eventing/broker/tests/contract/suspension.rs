//! Calls that ask and sleep: questions, answers, steps, and what comes between.

use std::time::Duration;

use bytes::Bytes;
use dormouse_broker::{
    Accepted, Answered, Ending, Error, NewTask, Replay, State, TaskId, Way, Work,
};
use dormouse_contract::task::Outcome;

use crate::asking::*;
use crate::stage::*;

#[tokio::test]
async fn a_question_frees_the_slot_and_its_answer_begins_the_next_round() {
    let mut bench = bench(1, 10).await;
    let (task, other) = (task(), task());
    let (mut waiter, first) = suspended(&mut bench, &task).await;
    assert_eq!(bench.state(task.id).await, State::Suspended);
    // The slot is free for another.
    bench.broker.accept(other.clone()).await.unwrap();
    let claim = bench.claim().await;
    assert_eq!((claim.task, claim.replay.clone()), (other.id, None));
    bench.settle(&claim, done()).await;

    let answered = answer(&bench.broker, task.id, 1, SEVEN).await;
    assert_eq!(answered, Answered::Continued);
    let second = bench.claim().await;
    assert_eq!((second.task, second.round, second.attempt), (task.id, 2, 1));
    let replay = Replay {
        answers: Bytes::from_static(SEVEN.as_bytes()),
        steps: Bytes::from_static(b"{}"),
        revision: Some("r1".to_owned()),
    };
    assert_eq!(second.replay.as_deref(), Some(&replay));
    // What the round before still says is of no interest any more.
    assert_eq!(bench.settle(&first, done()).await, None);
    assert_eq!(bench.settle(&first, asking(&[MODEL])).await, None);
    assert_eq!(bench.settle(&second, done()).await, Some(State::Completed));
    assert!(matches!(ending(&mut waiter).await.1, Ending::Completed(_)));

    let history = bench.broker.task(task.id).await.unwrap().unwrap().history;
    let states: Vec<_> = history.iter().map(|entry| entry.to).collect();
    use State::{Accepted, Completed, Running, Suspended};
    assert_eq!(
        states,
        [Accepted, Running, Suspended, Accepted, Running, Completed]
    );
    assert_eq!(history[2].why, "asks `grade` (elicitation/create)");
    assert_eq!(history[3].why, "`grade` answered: round 2 follows");
}

#[tokio::test]
async fn several_asks_are_answered_one_by_one_and_the_first_answer_holds() {
    let mut bench = bench(1, 10).await;
    let task = task();
    let mut waiter = bench.broker.wait(task.id);
    bench.broker.accept(task.clone()).await.unwrap();
    let claim = bench.claim().await;
    bench.settle(&claim, asking(&[GRADE, MODEL])).await;
    assert_eq!(asked(&mut waiter).await.2, object(&[GRADE, MODEL]));

    let broker = &bench.broker;
    let stranger = answer(broker, task.id, 1, r#"{"other":{"result":{}}}"#).await;
    assert_eq!(stranger, Answered::Open(object(&[GRADE, MODEL])));
    let open = answer(broker, task.id, 1, SEVEN).await;
    assert_eq!(open, Answered::Open(object(&[MODEL])));
    let open = answer(broker, task.id, 1, r#"{"grade":{"result":{}}}"#).await;
    assert_eq!(open, Answered::Open(object(&[MODEL])));
    let standing = broker.standing(task.id).await.unwrap().unwrap();
    assert_eq!(
        (standing.state, standing.round, standing.asks),
        (State::Suspended, 1, Some(object(&[MODEL])))
    );
    let shown = broker.task(task.id).await.unwrap().unwrap().asks;
    assert_eq!(
        (shown.len(), &*shown[0].name, &*shown[0].method),
        (1, "model", "sampling/createMessage")
    );

    let refused = r#"{"grade":{"result":1},"model":{"error":{ "code":-1, "message":"no model" }}}"#;
    let answered = answer(broker, task.id, 1, refused).await;
    assert_eq!(answered, Answered::Continued);
    let expected = SEVEN.strip_suffix('}').unwrap().to_owned()
        + r#","model":{"error":{ "code":-1, "message":"no model" }}}"#;
    let claim = bench.claim().await;
    assert_eq!(claim.replay.unwrap().answers, expected);
}

#[tokio::test]
async fn answers_of_the_wrong_round_or_person_change_nothing() {
    let mut bench = bench(1, 10).await;
    let task = task();
    let (_waiter, _) = suspended(&mut bench, &task).await;
    let broker = bench.broker.clone();
    let seven = Bytes::from_static(SEVEN.as_bytes());
    let stranger = broker
        .answer(task.id, Some("someone/else"), 1, seven.clone())
        .await;
    assert_eq!(stranger.unwrap(), Answered::Unknown);
    assert_eq!(
        answer(&broker, TaskId::new(), 1, SEVEN).await,
        Answered::Unknown
    );
    let early = answer(&broker, task.id, 2, SEVEN).await;
    assert_eq!(early, Answered::TooLate(State::Suspended));
    for broken in ["", "[]", r#"{"grade":7}"#, r#"{"grade":{"other":1}}"#] {
        let answers = Bytes::from_static(broken.as_bytes());
        let refused = broker.answer(task.id, None, 1, answers).await;
        assert!(matches!(refused, Err(Error::Answers(_))), "{broken}");
    }
    assert_eq!(bench.state(task.id).await, State::Suspended);

    // An operator may answer; who answers again joins.
    let answered = broker.answer(task.id, None, 1, seven).await.unwrap();
    assert_eq!(answered, Answered::Continued);
    assert_eq!(answer(&broker, task.id, 1, SEVEN).await, Answered::Before);
    let claim = bench.claim().await;
    let too_early = answer(&broker, task.id, 2, SEVEN).await;
    assert_eq!(too_early, Answered::TooLate(State::Running));
    bench.settle(&claim, done()).await;
    assert_eq!(answer(&broker, task.id, 1, SEVEN).await, Answered::Before);
    let ended = answer(&broker, task.id, 2, SEVEN).await;
    assert_eq!(ended, Answered::TooLate(State::Completed));
}

#[tokio::test]
async fn an_answer_long_after_the_platform_died_continues_the_task() {
    let mut bench = bench(1, 10).await;
    let task = task();
    let (_waiter, claim) = suspended(&mut bench, &task).await;
    let mut bench = bench.crash(1, 10).await;
    assert_eq!(bench.state(task.id).await, State::Suspended);
    assert_eq!(bench.settle(&claim, done()).await, None);
    let mut waiter = bench.broker.wait(task.id);
    let answered = answer(&bench.broker, task.id, 1, SEVEN).await;
    assert_eq!(answered, Answered::Continued);
    let claim = bench.claim().await;
    assert_eq!((claim.round, claim.replay.is_some()), (2, true));
    bench.settle(&claim, done()).await;
    assert!(matches!(ending(&mut waiter).await.1, Ending::Completed(_)));
}

#[tokio::test]
async fn an_answer_that_was_promised_outlives_the_platform() {
    let mut bench = bench(1, 10).await;
    let (task, other) = (task(), task());
    suspended(&mut bench, &task).await;
    bench.broker.accept(other).await.unwrap();
    bench.claim().await;
    let answered = answer(&bench.broker, task.id, 1, SEVEN).await;
    assert_eq!(answered, Answered::Continued);
    assert_eq!(bench.state(task.id).await, State::Accepted);
    let mut bench = bench.crash(1, 10).await;
    let claim = bench.claim().await;
    assert_eq!((claim.task, claim.round, claim.attempt), (task.id, 2, 1));
    assert_eq!(claim.replay.unwrap().answers, SEVEN);
}

#[tokio::test]
async fn nobody_answers_in_time() {
    let mut bench = bench(1, 10).await;
    let mut late = keyed("k");
    policy(&mut late).suspension_expiry = Duration::from_millis(1);
    let (mut waiter, _) = suspended(&mut bench, &late).await;
    let (_, Ending::Failed(failed)) = ending(&mut waiter).await else {
        panic!("it must have failed");
    };
    assert_eq!(failed.outcome, Outcome::Failed);
    assert!(
        failed
            .error
            .message
            .contains("nobody answered in time: `grade`"),
        "{}",
        failed.error.message
    );
    let too_late = answer(&bench.broker, late.id, 1, SEVEN).await;
    assert_eq!(too_late, Answered::TooLate(State::Failed));
    // It ran until it asked: its key stands for it.
    let again = bench.broker.accept(keyed("k")).await;
    assert_eq!(again, Ok(Accepted::Repeated(late.id)));
}

#[tokio::test]
async fn what_expired_while_nothing_ran_fails_after_the_restart() {
    let mut bench = bench(1, 10).await;
    let (mut soon, later) = (task(), task());
    policy(&mut soon).suspension_expiry = Duration::from_millis(50);
    suspended(&mut bench, &later).await;
    suspended(&mut bench, &soon).await;
    let bench = bench.crash(1, 10).await;
    let expired = async {
        while bench.state(soon.id).await != State::Failed {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), expired)
        .await
        .unwrap();
    assert_eq!(bench.state(later.id).await, State::Suspended);
}

#[tokio::test]
async fn a_suspended_task_can_be_cancelled_and_then_not_be_answered() {
    let mut bench = bench(1, 10).await;
    let task = task();
    let (mut waiter, _) = suspended(&mut bench, &task).await;
    let cancelled = bench.broker.cancel(task.id, None, "enough").await.unwrap();
    assert_eq!(cancelled, Some(State::Cancelled));
    assert!(matches!(ending(&mut waiter).await.1, Ending::Cancelled(_)));
    let too_late = answer(&bench.broker, task.id, 1, SEVEN).await;
    assert_eq!(too_late, Answered::TooLate(State::Cancelled));
    let standing = bench.broker.standing(task.id).await.unwrap().unwrap();
    assert_eq!(standing.asks, None);
}

#[tokio::test]
async fn who_joins_by_the_key_takes_over_the_questions() {
    let mut bench = bench(1, 10).await;
    let first = keyed("k");
    let (mut waiter, _) = suspended(&mut bench, &first).await;
    let joiner = keyed("k");
    let mut joined = bench.broker.wait(joiner.id);
    let accepted = bench.broker.accept(joiner).await;
    assert_eq!(accepted, Ok(Accepted::Joined(first.id)));
    let expected = (first.id, 1, object(&[GRADE]));
    assert_eq!(asked(&mut joined).await, expected);
    answer(&bench.broker, first.id, 1, SEVEN).await;
    let claim = bench.claim().await;
    bench.settle(&claim, done()).await;
    for waiter in [&mut waiter, &mut joined] {
        assert_eq!(ending(waiter).await.0, first.id);
    }
}

#[tokio::test]
async fn who_asks_nobody_or_nothing_new_fails_for_good() {
    let mut bench = bench(1, 10).await;
    let event = repeatable(NewTask {
        work: Work::Event {
            attributes: Bytes::from_static(b"{}"),
            data: Bytes::new(),
            way: Way::default(),
        },
        ..task()
    });
    let mut waiter = bench.broker.wait(event.id);
    bench.broker.accept(event).await.unwrap();
    let claim = bench.claim().await;
    let state = bench.settle(&claim, asking(&[GRADE])).await;
    assert_eq!(state, Some(State::Failed));
    let (_, Ending::Failed(failed)) = ending(&mut waiter).await else {
        panic!("it must have failed");
    };
    assert!(failed.error.message.contains("nobody to ask"), "{failed:?}");

    let task = task();
    suspended(&mut bench, &task).await;
    answer(&bench.broker, task.id, 1, SEVEN).await;
    // Of two asks only the new one is open; one that was answered is no question.
    let claim = bench.claim().await;
    bench.settle(&claim, asking(&[GRADE, MODEL])).await;
    let standing = bench.broker.standing(task.id).await.unwrap().unwrap();
    assert_eq!((standing.round, standing.asks), (2, Some(object(&[MODEL]))));
    let model = r#"{"model":{"result":{}}}"#;
    assert_eq!(
        answer(&bench.broker, task.id, 2, model).await,
        Answered::Continued
    );
    let claim = bench.claim().await;
    let state = bench.settle(&claim, asking(&[GRADE])).await;
    assert_eq!(state, Some(State::Failed));
}

#[tokio::test]
async fn a_round_that_did_not_start_is_not_told_as_a_call_that_did_not_run() {
    let mut bench = bench(1, 10).await;
    let mut task = keyed("k");
    policy(&mut task).retries = 0;
    let (mut waiter, _) = suspended(&mut bench, &task).await;
    answer(&bench.broker, task.id, 1, SEVEN).await;
    let claim = bench.claim().await;
    bench.settle(&claim, failed(Outcome::NotRun)).await;
    let (_, Ending::Failed(failed)) = ending(&mut waiter).await else {
        panic!("its attempts are used up");
    };
    assert_eq!(failed.outcome, Outcome::Unknown);
    let again = bench.broker.accept(keyed("k")).await;
    assert_eq!(again, Ok(Accepted::Repeated(task.id)));
}
