//! The operations on dead letters, as people read of them.

use axum::http::StatusCode;

use super::{
    DeadLetterFilter, DiscardRequest, Discarded, DiscardedPage, RedrivenPage, discard,
    discard_matching, list, redrive, redrive_matching, show,
};
use crate::api::examples;
use crate::api::operation::{Content, Operation, Tag, get, post};
use crate::api::problem::Kind;
use crate::api::tasks::{ListQuery, TaskPage};

pub(in crate::api) fn operations() -> Vec<Operation> {
    let mut operations = looks();
    operations.extend(one());
    operations.extend(many());
    operations
}

fn looks() -> Vec<Operation> {
    vec![
        get("/dead-letters", list)
            .named(
                Tag::DeadLetters,
                "listDeadLetters",
                "List dead letters",
                "Tasks whose attempts are used up and of which nobody has disposed yet, the \
                 newest first.",
            )
            .query::<ListQuery>()
            .answers(
                StatusCode::OK,
                "The dead letters.",
                Content::json(TaskPage {
                    tasks: vec![examples::dead_letter()],
                    next: None,
                }),
            ),
        get("/dead-letters/{id}", show)
            .named(
                Tag::DeadLetters,
                "getDeadLetter",
                "Show a dead letter",
                "What it was about, with every attempt and its error. Those that were redriven, \
                 discarded or sent on are shown as well.",
            )
            .answers(
                StatusCode::OK,
                "The dead letter.",
                Content::json(examples::dead_letter_view()),
            )
            .problems(&[Kind::InvalidTaskId, Kind::UnknownTask, Kind::NotDeadLetter]),
    ]
}

fn one() -> [Operation; 2] {
    let kinds = [Kind::InvalidTaskId, Kind::UnknownTask, Kind::NotDeadLetter];
    [
        post("/dead-letters/{id}/redrive", redrive)
            .named(
                Tag::DeadLetters,
                "redriveDeadLetter",
                "Redrive a dead letter",
                "Runs it again as a new task with the same work, what it had asked and stepped, \
                 and its idempotency key. The old one stays as it ended; both name each other.",
            )
            .answers(
                StatusCode::OK,
                "It runs again.",
                Content::json(examples::redriven()),
            )
            .problems(&kinds)
            .problems(&[
                Kind::Busy,
                Kind::DiskFull,
                Kind::UnknownPool,
                Kind::Stopping,
            ]),
        post("/dead-letters/{id}/discard", discard)
            .named(
                Tag::DeadLetters,
                "discardDeadLetter",
                "Discard a dead letter",
                "Takes it off the list. It stays a failed task, with the reason in its history.",
            )
            .may_take(
                "Why, for the task's history.",
                Content::json(DiscardRequest {
                    reason: Some("the repository is gone".to_owned()),
                }),
            )
            .answers(
                StatusCode::OK,
                "It is discarded.",
                Content::json(Discarded {
                    id: examples::task_id(),
                }),
            )
            .problems(&kinds)
            .problems(&[Kind::InvalidBody]),
    ]
}

fn many() -> [Operation; 2] {
    let filter = || {
        Content::json(DeadLetterFilter {
            pool: Some("educational".to_owned()),
            ..DeadLetterFilter::default()
        })
    };
    let words = "Which ones. An empty filter is refused; `{\"all\": true}` is all of them.";
    [
        post("/dead-letters/redrive", redrive_matching)
            .named(
                Tag::DeadLetters,
                "redriveDeadLetters",
                "Redrive dead letters",
                "Runs all that fit again, the oldest first, at most 100 in a request. When the \
                 platform can take no more of them it stops there, and the answer says how many \
                 are left.",
            )
            .takes(words, vec![filter()])
            .answers(
                StatusCode::OK,
                "They run again.",
                Content::json(RedrivenPage {
                    redriven: vec![examples::redriven()],
                    left: 0,
                }),
            )
            .problems(&[
                Kind::InvalidBody,
                Kind::EmptyFilter,
                Kind::Busy,
                Kind::DiskFull,
            ])
            .problems(&[Kind::UnknownPool, Kind::Stopping]),
        post("/dead-letters/discard", discard_matching)
            .named(
                Tag::DeadLetters,
                "discardDeadLetters",
                "Discard dead letters",
                "Takes all that fit off the list, the oldest first, at most 100 in a request.",
            )
            .takes(words, vec![filter()])
            .answers(
                StatusCode::OK,
                "They are discarded.",
                Content::json(DiscardedPage {
                    discarded: vec![Discarded {
                        id: examples::task_id(),
                    }],
                    left: 0,
                }),
            )
            .problems(&[Kind::InvalidBody, Kind::EmptyFilter]),
    ]
}
