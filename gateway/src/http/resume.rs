//! The stream of a call, for a client that comes back to it: from memory, or from what the broker
//! knows of its task, which outlives the process.

use std::sync::Arc;

use dormouse_broker::TaskId;

use crate::core::Core;
use crate::http::stream::{self, Reader};
use crate::outbox::Outbox;
use crate::regain;
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
    let outbox = Arc::<Outbox>::default();
    let answer = regain::call(core, session, task, Arc::clone(&outbox)).await?;
    let fresh = Arc::new(Channel::new(outbox, number));
    let channel = session.keep_call_stream(task, Arc::clone(&fresh));
    // Another connection may have come back for it at the same moment.
    if Arc::ptr_eq(&channel, &fresh) {
        stream::follow(fresh, session.revision(), answer);
    }
    Some(Reader::of_call(core, session, channel, task, number))
}
