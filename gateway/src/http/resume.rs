//! The stream of a call, for a client that comes back to it: from memory, or from what the broker
//! knows of its task, which outlives the process.

use std::sync::Arc;

use dormouse_broker::{Standing, TaskId, Work};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::abandoned::Abandoned;
use crate::core::Core;
use crate::era::Era;
use crate::feature::Feature;
use crate::follow::{Asking, Follow};
use crate::hears::Hears;
use crate::http::stream::{self, Answer, Reader};
use crate::jsonrpc::RequestId;
use crate::outbox::Outbox;
use crate::session::Session;
use crate::session::channel::Channel;

/// Goes on with the stream of this task behind this event; `None` when it is not this session's.
pub(crate) async fn call(
    core: &Arc<Core>,
    session: &Arc<Session>,
    task: TaskId,
    number: u64,
) -> Option<Reader> {
    let known = session.call_stream(task);
    if let Some(channel) = known.filter(|channel| !channel.is_spent()) {
        return Some(Reader::of_call(core, session, channel, task, number));
    }
    let standing = match core.broker.standing(task).await {
        Ok(standing) => standing?,
        Err(error) => {
            tracing::error!(%task, %error, "a task could not be looked up");
            return None;
        }
    };
    let id = request_of(&standing, session)?;
    let outbox = Arc::<Outbox>::default();
    let fresh = Arc::new(Channel::new(Arc::clone(&outbox), number));
    let channel = session.keep_call_stream(task, Arc::clone(&fresh));
    // Another connection may have come back for it at the same moment.
    if Arc::ptr_eq(&channel, &fresh) {
        stream::follow(fresh, answer(core, session, id, task, &standing, outbox));
    }
    Some(Reader::of_call(core, session, channel, task, number))
}

/// The request that a task of this session answers.
fn request_of(standing: &Standing, session: &Session) -> Option<RequestId> {
    #[derive(Deserialize)]
    struct ReplyTo<'a> {
        session: &'a str,
        #[serde(borrow)]
        id: &'a RawValue,
    }
    let reply_to: ReplyTo<'_> = serde_json::from_slice(standing.reply_to.as_ref()?).ok()?;
    let is_ours =
        reply_to.session == &**session.handle() && standing.principal == *session.principal();
    RequestId::from_json(reply_to.id).filter(|_| is_ours)
}

fn answer(
    core: &Arc<Core>,
    session: &Session,
    id: RequestId,
    task: TaskId,
    standing: &Standing,
    outbox: Arc<Outbox>,
) -> Answer {
    let follow = Follow {
        // Where its client has used the id again, it is that request which can be cancelled.
        flight: session.flights().begin(&id).ok(),
        id,
        era: Era::Legacy(session.revision()),
        feature: Feature::of_work(&standing.work),
        hears: Hears {
            progress_token: progress_token(&standing.work),
            log_level: Some(session.log_level()),
        },
        outbox,
        asking: Asking::Requests { as_task: false },
    };
    let core = Arc::clone(core);
    Box::pin(async move {
        let abandoned = Abandoned::resumed(&core, task, false);
        follow.resume(&core, task, abandoned).await.0
    })
}

/// The token that the request gave, which stands in what its function was sent.
fn progress_token(work: &Work) -> Option<Box<str>> {
    #[derive(Deserialize)]
    struct Requested<'a> {
        #[serde(borrow)]
        params: Params<'a>,
    }
    #[derive(Deserialize)]
    struct Params<'a> {
        #[serde(borrow, rename = "_meta")]
        meta: Meta<'a>,
    }
    #[derive(Deserialize)]
    struct Meta<'a> {
        #[serde(borrow, rename = "progressToken")]
        token: &'a RawValue,
    }
    let Work::Call(data) = work else { return None };
    let requested: Requested<'_> = serde_json::from_slice(data).ok()?;
    Some(requested.params.meta.token.get().into())
}
