//! Waiting for an event: an ask that the platform answers, from its log of events.

use std::time::Duration;

use bytes::Bytes;
use dormouse_contract::http_binding::{self, STRUCTURED};
use dormouse_contract::suspension::{Arrived, Awaited};
use dormouse_contract::{Event, filter::Filter};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use crate::ask::{Ask, Question, Read, written};
use crate::context::Context;
use crate::error::ToolError;
use crate::event::FromEvent;
use crate::reaction::IntoFilter;
use crate::replay::Kind;

/// An event that was waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The event, as it came.
    pub event: Event,
    /// Its place in the platform's log of events: rises with each event that is taken.
    pub seq: u64,
}

impl Arrival {
    /// The event in the type of the CloudEvents SDK, or any other that handlers of events take.
    ///
    /// # Errors
    /// [`ToolError::Internal`], naming the attribute that the type cannot hold.
    ///
    /// ```
    /// use dormouse_function::cloudevents::{AttributesReader, Event};
    /// use dormouse_function::{Context, NoArguments, ToolError};
    ///
    /// async fn payment(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    ///     let paid: Event = cx.event("paid", "com.example.paid").await?.read()?;
    ///     Ok(paid.subject().unwrap_or("nobody").to_owned())
    /// }
    /// # let _ = payment;
    /// ```
    pub fn read<E: FromEvent>(self) -> Result<E, ToolError> {
        E::from_event(self.event).map_err(ToolError::internal)
    }
}

impl Context {
    /// Waits for the next event that matches: a [`Filter`], or the start of the event's type as
    /// text. While none has come the function may sleep, as with every other ask; no client is
    /// needed for the answer.
    ///
    /// *Next* counts from the last event that this handler got, else from the moment at which the
    /// call was accepted: what happens between two waits is not missed. Two waits that are made
    /// before either has its event count from the same place, so both may get the same one. The
    /// platform keeps events for a day unless it is told otherwise, and what it no longer has
    /// cannot be waited for.
    ///
    /// The call waits for as long as the pool's `suspensionExpiry`;
    /// [`event_within`](Self::event_within) gives up earlier. In a task of an event, and wherever
    /// no platform calls, this fails: let the other event be a reaction of its own.
    ///
    /// ```
    /// use dormouse_function::{Context, Filter, NoArguments, ToolError};
    ///
    /// async fn order(cx: Context, _: NoArguments) -> Result<String, ToolError> {
    ///     let number: String = cx.step("order", async |key| Ok(key)).await?;
    ///     let paid = Filter::Exact(
    ///         [("type", "com.example.paid"), ("subject", &number)]
    ///             .map(|(name, value)| (name.to_owned(), value.to_owned()))
    ///             .into(),
    ///     );
    ///     let paid = cx.event("paid", paid).await?;
    ///     Ok(format!("Order {number} was paid by {}.", paid.event.source))
    /// }
    /// # let _ = order;
    /// ```
    pub fn event(&self, name: impl Into<String>, filter: impl IntoFilter) -> Ask<Arrival> {
        let read =
            |arrival: Option<Arrival>| arrival.ok_or_else(|| "it brought no event".to_owned());
        self.await_event(name.into(), filter.into_filter(), None, read)
    }

    /// The same for at most so long, counted from when the call goes to sleep over it: `None` when
    /// nothing came in time.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use dormouse_function::{Context, NoArguments, ToolError};
    /// async fn deploy(cx: Context, _: NoArguments) -> Result<&'static str, ToolError> {
    ///     let hour = Duration::from_secs(3_600);
    ///     match cx.event_within("build", "com.example.build.done", hour).await? {
    ///         Some(_) => Ok("deployed"),
    ///         None => Err(ToolError::caller("the build did not end within an hour")),
    ///     }
    /// }
    /// # let _ = deploy;
    /// ```
    pub fn event_within(
        &self,
        name: impl Into<String>,
        filter: impl IntoFilter,
        timeout: Duration,
    ) -> Ask<Option<Arrival>> {
        self.await_event(name.into(), filter.into_filter(), Some(timeout), Ok)
    }

    /// Lets the waits that this handler makes from now on count from a place in the log, if it is
    /// behind the last event that it got: [`Arrival::seq`], as the handler may know it from an
    /// earlier call.
    pub fn events_after(&self, seq: u64) {
        self.replay().saw(seq);
    }

    fn await_event<T: 'static>(
        &self,
        name: String,
        filter: Filter,
        timeout: Option<Duration>,
        read: fn(Option<Arrival>) -> Result<T, String>,
    ) -> Ask<T> {
        let question = |cx: &Self, _: &str| Question {
            kind: Kind::Event,
            missing: None,
            params: written(&Awaited {
                filters: vec![filter],
                after: cx.replay().seen(),
                timeout,
            }),
        };
        let cx = self.clone();
        let read: Read<T> = Box::new(move |result| {
            let arrival = read_arrived(result)?;
            if let Some(arrival) = &arrival {
                cx.replay().saw(arrival.seq);
            }
            read(arrival)
        });
        Ask::new(self, name, question, read)
    }
}

fn read_arrived(result: &str) -> Result<Option<Arrival>, String> {
    let Arrived { event, seq, .. } =
        serde_json::from_str(result).map_err(|error| error.to_string())?;
    let Some(event) = event else {
        return Ok(None);
    };
    let mut headers = HeaderMap::with_capacity(1);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(STRUCTURED));
    let event = Bytes::copy_from_slice(event.get().as_bytes());
    let event = http_binding::read(&headers, event).map_err(|error| error.to_string())?;
    let seq = seq.unwrap_or_default();
    Ok(Some(Arrival { event, seq }))
}
