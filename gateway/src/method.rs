//! The methods that are served, and in which era.

use crate::catalogue::Kind;
use crate::feature::Feature;

/// A request's method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `initialize`, legacy: opens a session.
    Initialize,
    /// `ping`, legacy.
    Ping,
    /// `logging/setLevel`, legacy.
    SetLogLevel,
    /// `resources/subscribe`, legacy.
    Subscribe,
    /// `resources/unsubscribe`, legacy.
    Unsubscribe,
    /// `server/discover`, modern.
    Discover,
    /// `subscriptions/listen`, modern.
    Listen,
    /// A list of the catalogue.
    List(Kind),
    /// What a function serves.
    Ask(Feature),
    /// `tasks/*`
    Task(TaskMethod),
}

/// What a client does with its tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskMethod {
    /// `tasks/get`
    Get,
    /// `tasks/list`, legacy.
    List,
    /// `tasks/result`, legacy.
    Result,
    /// `tasks/cancel`
    Cancel,
    /// `tasks/update`, modern.
    Update,
}

impl Method {
    /// The method of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "initialize" => Self::Initialize,
            "ping" => Self::Ping,
            "logging/setLevel" => Self::SetLogLevel,
            "resources/subscribe" => Self::Subscribe,
            "resources/unsubscribe" => Self::Unsubscribe,
            "server/discover" => Self::Discover,
            "subscriptions/listen" => Self::Listen,
            "tools/list" => Self::List(Kind::Tools),
            "prompts/list" => Self::List(Kind::Prompts),
            "resources/list" => Self::List(Kind::Resources),
            "resources/templates/list" => Self::List(Kind::Templates),
            "tools/call" => Self::Ask(Feature::Tool),
            "prompts/get" => Self::Ask(Feature::Prompt),
            "resources/read" => Self::Ask(Feature::Resource),
            "completion/complete" => Self::Ask(Feature::Completion),
            "tasks/get" => Self::Task(TaskMethod::Get),
            "tasks/list" => Self::Task(TaskMethod::List),
            "tasks/result" => Self::Task(TaskMethod::Result),
            "tasks/cancel" => Self::Task(TaskMethod::Cancel),
            "tasks/update" => Self::Task(TaskMethod::Update),
            _ => return None,
        })
    }
}

/// What a client may tell without being answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// `notifications/cancelled`
    Cancelled,
    /// `notifications/initialized`, and whatever else needs nothing done.
    Noted,
}

impl Notice {
    /// The notice of this name.
    #[must_use]
    pub fn parse(name: &str) -> Self {
        match name {
            "notifications/cancelled" => Self::Cancelled,
            _ => Self::Noted,
        }
    }
}
