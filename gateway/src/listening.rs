//! What a client hears without asking at the moment: changed lists, changed resources.
//!
//! A legacy session hears of all lists on its standing stream or socket, and of the resources it
//! subscribed to. A modern client opens as many streams as it likes by `subscriptions/listen`,
//! and says for each what it wants (2026-07-28, "Subscriptions"). Nothing is queued here: what
//! has changed is seen when the client can take the next message.

use std::sync::Arc;

use dormouse_broker::TaskId;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::catalogue::Fingerprints;
use crate::core::Core;
use crate::ears::Ear;
use crate::error::Fault;
use crate::flights::Flight;
use crate::jsonrpc::RequestId;
use crate::session::Session;
use crate::tasks;
use crate::tasks::status::{Watch, Words};

/// The most tasks that one subscription hears of; the acknowledgement says which.
const MOST_TASKS: usize = 100;

/// What a listener wants to hear.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Filter {
    tools_list_changed: bool,
    prompts_list_changed: bool,
    resources_list_changed: bool,
    resource_subscriptions: Vec<String>,
    task_ids: Vec<TaskId>,
}

/// One listener: a legacy session's stream, or a modern subscription.
#[derive(Debug)]
pub(crate) struct Listening {
    filter: Filter,
    lists: watch::Receiver<Fingerprints>,
    /// What was told last of the lists.
    told: Fingerprints,
    ear: Arc<Ear>,
    subscription: Option<Subscription>,
}

/// What only modern subscriptions have.
#[derive(Debug)]
struct Subscription {
    /// The id of the request, which is the subscription's too.
    id: RequestId,
    acknowledged: bool,
    /// By which the client ends it, where it does not just close the stream.
    flight: Option<Flight>,
}

/// What is to be done next for a listener.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Send this, then go on.
    Message(String),
    /// The server ends it; a modern subscription with this answer.
    Ended(Option<String>),
    /// The client has ended it.
    Unwanted,
}

impl Listening {
    /// What a legacy session hears on its stream or socket.
    pub fn of_session(core: &Core, session: &Session) -> Self {
        let filter = Filter {
            tools_list_changed: true,
            prompts_list_changed: true,
            resources_list_changed: true,
            ..Filter::default()
        };
        let ear = Arc::clone(session.ear(&core.ears));
        Self::new(core, filter, ear, None)
    }

    /// A modern subscription, as its request asks for it.
    ///
    /// # Errors
    /// When the filter is none, or names too many resources.
    pub fn of_request(
        core: &Arc<Core>,
        id: &RequestId,
        raw: Option<&RawValue>,
        capabilities: Option<&RawValue>,
        flight: Option<Flight>,
    ) -> Result<Self, Fault> {
        #[derive(Deserialize)]
        struct Params<'a> {
            #[serde(borrow)]
            notifications: &'a RawValue,
        }
        let text = raw.map_or("{}", RawValue::get);
        let read = serde_json::from_str::<Params<'_>>(text).and_then(|params| {
            let filter = params.notifications.get();
            // A derived reader would take a list too.
            match filter.starts_with('{') {
                true => serde_json::from_str::<Filter>(filter),
                false => Err(serde::de::Error::custom("it is no object")),
            }
        });
        let filter = read.map_err(|error| {
            Fault::InvalidParams(format!("params.notifications is no filter: {error}"))
        })?;
        if !filter.task_ids.is_empty() && !tasks::modern::is_declared(capabilities) {
            return Err(tasks::modern::missing());
        }
        let ear = core.ears.grow();
        for task in filter.task_ids.iter().take(MOST_TASKS) {
            let words = Words::Modern(id.clone());
            Watch::new(core, *task, &ear, words).start(core.broker.wait(*task));
        }
        for uri in &filter.resource_subscriptions {
            ear.want(uri)?;
        }
        let subscription = Subscription {
            id: id.clone(),
            acknowledged: false,
            flight,
        };
        Ok(Self::new(core, filter, ear, Some(subscription)))
    }

    fn new(core: &Core, filter: Filter, ear: Arc<Ear>, subscription: Option<Subscription>) -> Self {
        let mut lists = core.lists();
        let told = *lists.borrow_and_update();
        Self {
            filter,
            lists,
            told,
            ear,
            subscription,
        }
    }

    /// Takes all that is listened for as changed: nobody knows.
    pub fn doubt(&mut self) {
        let now = *self.lists.borrow();
        self.told = now.others();
        self.ear.doubt();
    }

    /// Waits for what is next. Nothing is lost when it is dropped while it waits.
    pub async fn next(&mut self, stop: &CancellationToken) -> Heard {
        loop {
            if let Some(message) = self.take() {
                return Heard::Message(message);
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return Heard::Ended(self.farewell()),
                () = asked_to_stop(self.subscription.as_ref()) => return Heard::Unwanted,
                changed = self.lists.changed() => if changed.is_err() {
                    return Heard::Ended(self.farewell());
                },
                () = self.ear.listen() => {}
            }
        }
    }

    fn take(&mut self) -> Option<String> {
        if let Some(subscription) = &mut self.subscription
            && !subscription.acknowledged
        {
            subscription.acknowledged = true;
            let granted = json!({"notifications": self.filter.granted()});
            let method = "notifications/subscriptions/acknowledged";
            return Some(self.message(method, Some(granted)));
        }
        if let Some(method) = self.changed_list() {
            return Some(self.message(method, None));
        }
        if let Some(message) = self.ear.take_said() {
            return Some(message);
        }
        let uri = self.ear.take()?;
        let params = json!({"uri": &*uri});
        Some(self.message("notifications/resources/updated", Some(params)))
    }

    /// A list that is another than was last told, as the notification that tells it.
    fn changed_list(&mut self) -> Option<&'static str> {
        let now = *self.lists.borrow_and_update();
        let told = &mut self.told;
        if self.filter.tools_list_changed && told.tools != now.tools {
            told.tools = now.tools;
            return Some("notifications/tools/list_changed");
        }
        if self.filter.prompts_list_changed && told.prompts != now.prompts {
            told.prompts = now.prompts;
            return Some("notifications/prompts/list_changed");
        }
        if self.filter.resources_list_changed && told.resources != now.resources {
            told.resources = now.resources;
            return Some("notifications/resources/list_changed");
        }
        None
    }

    fn message(&self, method: &str, params: Option<Value>) -> String {
        let params = params.map(|params| params.to_string());
        let members = params
            .as_deref()
            .and_then(|text| text.strip_prefix('{')?.strip_suffix('}'));
        let meta = self.subscription.as_ref().map(|one| label(&one.id));
        let params = match (&meta, members) {
            (Some(meta), Some(members)) => format!(r#","params":{{{meta},{members}}}"#),
            (Some(meta), None) => format!(r#","params":{{{meta}}}"#),
            (None, Some(members)) => format!(r#","params":{{{members}}}"#),
            (None, None) => String::new(),
        };
        format!(r#"{{"jsonrpc":"2.0","method":"{method}"{params}}}"#)
    }

    /// The answer by which the server ends a modern subscription.
    fn farewell(&self) -> Option<String> {
        let id = &self.subscription.as_ref()?.id;
        let meta = label(id);
        Some(format!(
            r#"{{"jsonrpc":"2.0","id":{id},"result":{{"resultType":"complete",{meta}}}}}"#
        ))
    }
}

impl Filter {
    /// The filter as it is kept to: all of it, in the words of the request.
    fn granted(&self) -> Value {
        let mut granted = serde_json::Map::new();
        for (name, wanted) in [
            ("toolsListChanged", self.tools_list_changed),
            ("promptsListChanged", self.prompts_list_changed),
            ("resourcesListChanged", self.resources_list_changed),
        ] {
            if wanted {
                granted.insert(name.to_owned(), true.into());
            }
        }
        if !self.resource_subscriptions.is_empty() {
            granted.insert(
                "resourceSubscriptions".to_owned(),
                self.resource_subscriptions.as_slice().into(),
            );
        }
        if !self.task_ids.is_empty() {
            let ids = self.task_ids.iter().take(MOST_TASKS);
            let ids: Vec<_> = ids.map(ToString::to_string).collect();
            granted.insert("taskIds".to_owned(), ids.into());
        }
        Value::Object(granted)
    }
}

/// The `_meta` member that says to which subscription a message belongs.
pub(crate) fn label(id: &RequestId) -> String {
    format!(r#""_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}"#)
}

async fn asked_to_stop(subscription: Option<&Subscription>) {
    match subscription.and_then(|one| one.flight.as_ref()) {
        Some(flight) => flight.cancelled.cancelled().await,
        None => std::future::pending().await,
    }
}
