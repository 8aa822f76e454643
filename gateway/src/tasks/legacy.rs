//! Experimental tasks of revision 2025-11-25: `tasks/get|list|result|cancel`, and `task` in
//! `tools/call`.

use dormouse_broker::{Ending, Standing, TaskId};
use serde_json::value::RawValue;

use super::{POLL_INTERVAL, Status, View};
use crate::jsonrpc::{for_each_member, replace};
use crate::suspension::asks::relate;

/// A task as this revision shows it: one whose tool answered `isError` has failed here
/// ("Task Status": `failed`).
pub(crate) fn view(task: TaskId, standing: &Standing) -> View {
    let mut view = View::of(task, standing);
    if let Some(Ending::Completed(result)) = &standing.ending
        && says_error(result)
    {
        view.status = Status::Failed;
        view.message = Some("the tool answered that it failed".to_owned());
    }
    view
}

fn says_error(result: &[u8]) -> bool {
    let Ok(result) = serde_json::from_slice::<&RawValue>(result) else {
        return false;
    };
    let mut error = false;
    let read = for_each_member(result, |name, value| {
        if name == "isError" {
            error = value.get() == "true";
        }
    });
    read.is_ok() && error
}

impl View {
    /// A `Task`, JSON text; ended ones are `kept` for so many milliseconds.
    pub(crate) fn legacy(&self, kept: u64) -> String {
        format!(
            r#"{{{},"ttl":{},"pollInterval":{POLL_INTERVAL}}}"#,
            self.members(),
            self.ttl(kept)
        )
    }
}

/// A `CreateTaskResult`, JSON text.
pub(crate) fn created(view: &View, kept: u64) -> String {
    format!(r#"{{"task":{}}}"#, view.legacy(kept))
}

/// A `ListTasksResult`, JSON text; `next` is where the next page begins.
pub(crate) fn list(views: &[View], next: Option<TaskId>, kept: u64) -> String {
    let tasks: Vec<_> = views.iter().map(|view| view.legacy(kept)).collect();
    let next = next.map_or_else(String::new, |task| format!(r#","nextCursor":"{task}""#));
    format!(r#"{{"tasks":[{}]{next}}}"#, tasks.join(","))
}

/// A `notifications/tasks/status`, ready for the wire.
pub(crate) fn notice(view: &View, kept: u64) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{}}}"#,
        view.legacy(kept)
    )
}

/// A notification about a call that is followed as a task: its `_meta` names the task.
pub(crate) fn related_notice(notice: &str, task: TaskId) -> String {
    let mut params = None;
    let Ok(whole) = serde_json::from_str::<&RawValue>(notice) else {
        return notice.to_owned();
    };
    let read = for_each_member(whole, |name, value| {
        if name == "params" {
            params = Some(value);
        }
    });
    match (read, params) {
        (Ok(()), Some(params)) => replace(whole, params, &relate(params.get(), task)),
        (Ok(()) | Err(_), _) => notice.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use dormouse_broker::State;
    use serde_json::Value;

    use super::super::tests::standing;
    use super::*;

    #[test]
    fn a_tool_that_says_error_has_failed() {
        let status = |result: &'static str| {
            let ending = Ending::Completed(Bytes::from_static(result.as_bytes()));
            view(TaskId::new(), &standing(State::Completed, Some(ending))).status
        };
        assert_eq!(status(r#"{"content":[],"isError":true}"#), Status::Failed);
        assert_eq!(
            status(r#"{"content":[],"isError":false}"#),
            Status::Completed
        );
        assert_eq!(
            status(r#"{"content":[{"isError":true}]}"#),
            Status::Completed
        );
    }

    #[test]
    fn tasks_have_the_members_of_their_revision() {
        let one = view(TaskId::new(), &standing(State::Running, None));
        let created: Value = serde_json::from_str(&created(&one, 60_000)).unwrap();
        assert_eq!(created["task"]["status"], "working");
        assert!(created["task"]["ttl"].is_null(), "it has not ended");
        assert!(created["task"]["pollInterval"].is_u64());
        let next = TaskId::new();
        let page: Value =
            serde_json::from_str(&list(std::slice::from_ref(&one), Some(next), 1)).unwrap();
        assert_eq!(page["tasks"][0]["taskId"], one.task.to_string());
        assert_eq!(page["nextCursor"], next.to_string());
        let notice: Value = serde_json::from_str(&notice(&one, 1)).unwrap();
        assert_eq!(notice["params"]["status"], "working");
    }

    #[test]
    fn notices_about_a_task_name_it() {
        let task = TaskId::new();
        let notice = r#"{"jsonrpc":"2.0","method":"m","params":{ "progress":1.0 }}"#;
        let related = related_notice(notice, task);
        assert!(related.contains(r#""progress":1.0"#), "{related}");
        let related: Value = serde_json::from_str(&related).unwrap();
        let named = &related["params"]["_meta"]["io.modelcontextprotocol/related-task"];
        assert_eq!(named["taskId"], task.to_string());
    }
}
