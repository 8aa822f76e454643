//! Going on with a call of a legacy session that an earlier connection began, or an earlier process:
//! what is known of it is what the broker knows.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use dormouse_broker::{Standing, TaskId, Work};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::abandoned::Abandoned;
use crate::answer::Reply;
use crate::core::Core;
use crate::era::Era;
use crate::feature::Feature;
use crate::follow::{Asking, Follow};
use crate::hears::Hears;
use crate::jsonrpc::RequestId;
use crate::outbox::Outbox;
use crate::session::Session;

/// The future of a call's answer; `None` wants none.
pub(crate) type Answer = Pin<Box<dyn Future<Output = Option<Reply>> + Send>>;

/// The answer of this task of the session, when it is there; what it tells meanwhile goes into the
/// outbox. `None` when the session has no such task.
pub(crate) async fn call(
    core: &Arc<Core>,
    session: &Session,
    task: TaskId,
    outbox: Arc<Outbox>,
) -> Option<Answer> {
    let standing = match core.broker.standing(task).await {
        Ok(standing) => standing?,
        Err(error) => {
            tracing::error!(%task, %error, "a task could not be looked up");
            return None;
        }
    };
    let id = request_of(&standing, session)?;
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
        asked: Vec::new(),
    };
    let core = Arc::clone(core);
    Some(Box::pin(async move {
        let abandoned = Abandoned::resumed(&core, task, false);
        follow.resume(&core, task, abandoned).await.0
    }))
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
