//! From a message to what is done about it, the same for every transport.
//!
//! A dual-era server takes its era from how a request opens: modern `_meta` (or the modern
//! revision in the HTTP header) is served on its own, everything else belongs to a session that
//! `initialize` opened. Methods that the modern era removed are unknown to modern requests.

mod legacy;
mod modern;
mod tasks;

use std::sync::Arc;

use http::HeaderMap;
use serde_json::value::RawValue;

use crate::admission::{self, Admission};
use crate::answer::Reply;
use crate::catalogue::{Catalogue, Kind};
use crate::core::Core;
use crate::era::{Era, MODERN, Params, Revision};
use crate::error::Fault;
use crate::feature::Feature;
use crate::flights::Flights;
use crate::headers;
use crate::jsonrpc::{Incoming, RequestId, for_each_member};
use crate::listening::Listening;
use crate::method::Notice;
use crate::response::Answering;
use crate::run::Run;
use crate::search::{Redirected, ToolsMode};
use crate::session::Session;

/// The session that a message comes with.
#[derive(Debug, Clone)]
pub(crate) enum Presented {
    /// It names none.
    Nothing,
    /// This one.
    Open(Arc<Session>),
    /// It names one that is not there for this caller.
    Unknown,
}

/// Where a message comes from.
#[derive(Debug)]
pub(crate) enum Line<'a> {
    /// One of several on a WebSocket.
    Socket {
        /// The session that `initialize` opened on it.
        session: Option<&'a Arc<Session>>,
        /// What is in flight on it.
        flights: &'a Arc<Flights>,
        /// The id of the session that can be opened on it and be resumed.
        id: Option<&'a Arc<str>>,
        /// What its upgrade said of the tools that are to be offered.
        tools: Option<ToolsMode>,
    },
    /// Alone in an HTTP request.
    Http {
        /// The request's headers.
        headers: &'a HeaderMap,
        /// The session that it names.
        session: Presented,
    },
}

/// What is to be done about a message.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Send this.
    Reply(Reply),
    /// Run this, then send its answer.
    Run(Run),
    /// A modern subscription was opened: send what it hears until one side ends it.
    Listen(Box<Listening>),
    /// A session was opened: send this with its id.
    Opened(Arc<Session>, Reply),
    /// Nothing: it was a notification or a response.
    Taken,
    /// Nothing can be answered, but over HTTP this says why.
    Refused(Reply),
}

impl<'a> Line<'a> {
    /// An HTTP request that names no session.
    pub fn alone(headers: &'a HeaderMap) -> Self {
        Self::Http {
            headers,
            session: Presented::Nothing,
        }
    }

    /// Where a modern request is entered to be cancelled: over HTTP its stream is closed instead.
    fn flights(&self) -> Option<&'a Arc<Flights>> {
        match self {
            Self::Socket { flights, .. } => Some(flights),
            Self::Http { .. } => None,
        }
    }

    fn headers(&self) -> Option<&HeaderMap> {
        match self {
            Self::Socket { .. } => None,
            Self::Http { headers, .. } => Some(headers),
        }
    }

    /// The session, or why the message cannot be served without one.
    fn session(&self) -> Result<&Arc<Session>, Fault> {
        match self {
            Self::Socket {
                session: Some(session),
                ..
            } => Ok(session),
            Self::Socket { session: None, .. } => Err(Fault::OutOfPlace(
                "no session is open: send `initialize` first, or modern requests with _meta",
            )),
            Self::Http { session, .. } => match session {
                Presented::Open(session) => Ok(session),
                Presented::Unknown => Err(Fault::UnknownSession),
                Presented::Nothing => Err(Fault::OutOfPlace(
                    "the header Mcp-Session-Id is missing: send `initialize` first, or modern \
                     requests with _meta",
                )),
            },
        }
    }

    /// The revision that an HTTP header names.
    fn header_version(&self) -> Result<Option<&str>, Fault> {
        match self.headers() {
            Some(headers) => headers::single(headers, headers::PROTOCOL_VERSION),
            None => Ok(None),
        }
    }

    /// A legacy message over HTTP names no revision, or one of its era.
    fn check_legacy_version(&self) -> Result<(), Fault> {
        match self.header_version()? {
            Some(version) if Revision::parse(version).is_none() => {
                Err(Fault::UnsupportedVersion(version.to_owned()))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// What the connection or the request's header says of the tools that are to be offered.
    pub fn tools(&self) -> Result<Option<ToolsMode>, Fault> {
        match self {
            Self::Socket { tools, .. } => Ok(*tools),
            Self::Http { headers, .. } => headers::single(headers, headers::TOOLS)?
                .map(str::parse)
                .transpose(),
        }
    }

    fn says_modern(&self) -> bool {
        matches!(self.header_version(), Ok(Some(MODERN)))
    }
}

impl Core {
    /// Does what can be done about a message at once.
    pub(crate) fn take(self: &Arc<Self>, line: &Line<'_>, incoming: Incoming<'_>) -> Outcome {
        match incoming {
            Incoming::Request { id, method, params } => {
                let mut era = Era::Legacy(Revision::LATEST);
                let served = Params::parse(params).and_then(|read| {
                    if read.meta.is_modern() || line.says_modern() {
                        era = Era::Modern;
                        self.serve_modern(line, &id, &method, params, &read)
                    } else {
                        self.serve_legacy(line, &id, &method, params, &read)
                    }
                });
                served.unwrap_or_else(|fault| Outcome::Reply(Reply::error(Some(&id), &fault, era)))
            }
            Incoming::Notification { method, params } => {
                note(line, &method, params).map_or_else(refused, |()| Outcome::Taken)
            }
            Incoming::Response(response) => match Answering::of(&response) {
                Some(answering) => Outcome::Run(Run::Answer(Box::new(answering))),
                None => Outcome::Taken,
            },
        }
    }

    fn admit(
        &self,
        request: admission::Request<'_>,
        mode: ToolsMode,
        flights: Option<&Arc<Flights>>,
    ) -> Result<Outcome, Fault> {
        self.config.door.within_rate().map_err(Fault::TooOften)?;
        if (request.feature, mode) != (Feature::Tool, ToolsMode::Search) {
            return self.admit_as_it_is(request, flights);
        }
        let catalogue = self.catalogue();
        let redirected = catalogue.search().redirect(
            &request.id,
            request.era,
            request.raw,
            request.params,
            || catalogue.tool_objects(),
        )?;
        match redirected {
            Redirected::No => self.admit_as_it_is(request, flights),
            Redirected::Found(reply) => Ok(Outcome::Reply(reply)),
            Redirected::Call(raw) => {
                let params = Params::parse(Some(&raw))?;
                self.admit_as_it_is(request.with(&raw, &params), flights)
            }
        }
    }

    fn admit_as_it_is(
        &self,
        request: admission::Request<'_>,
        flights: Option<&Arc<Flights>>,
    ) -> Result<Outcome, Fault> {
        let flight = flights
            .map(|flights| flights.begin(&request.id))
            .transpose()?;
        Ok(
            match admission::admit(&self.catalogue(), self.keys(), request)? {
                Admission::Answered(reply) => Outcome::Reply(reply),
                Admission::Own(request) => Outcome::Run(Run::Own(request)),
                Admission::Call(call) => Outcome::Run(Run::Call(match flight {
                    Some(flight) => call.cancelled_by(flight),
                    None => call,
                })),
                Admission::Retry(retry) => Outcome::Run(Run::Retry(match flight {
                    Some(flight) => retry.cancelled_by(flight),
                    None => retry,
                })),
            },
        )
    }
}

/// A page of a list, as the mode has it.
fn page_of<'a>(
    catalogue: &'a Catalogue,
    kind: Kind,
    mode: ToolsMode,
    cursor: Option<&str>,
) -> Result<&'a str, Fault> {
    if (kind, mode, cursor) == (Kind::Tools, ToolsMode::Search, None) {
        return Ok(catalogue.search().page());
    }
    catalogue.page(kind, cursor)
}

fn refused(fault: Fault) -> Outcome {
    Outcome::Refused(Reply::error(None, &fault, Era::Legacy(Revision::LATEST)))
}

/// What a client says of itself goes with every call, so it is kept short.
fn check_introduction(
    capabilities: Option<&RawValue>,
    info: Option<&RawValue>,
) -> Result<(), Fault> {
    const LONGEST: usize = 16 << 10;
    let size = |raw: Option<&RawValue>| raw.map_or(0, |raw| raw.get().len());
    if size(capabilities) + size(info) > LONGEST {
        return Err(Fault::InvalidParams(format!(
            "the client's capabilities and info have at most {LONGEST} bytes together"
        )));
    }
    Ok(())
}

fn note(line: &Line<'_>, method: &str, raw: Option<&RawValue>) -> Result<(), Fault> {
    let flights = match line {
        Line::Socket { flights, .. } => *flights,
        // Modern HTTP knows no notifications from the client: they are taken and mean nothing.
        Line::Http { .. } if line.says_modern() => return Ok(()),
        Line::Http { .. } => {
            line.check_legacy_version()?;
            line.session()?.flights()
        }
    };
    match Notice::parse(method) {
        Notice::Noted => {}
        Notice::Cancelled => {
            let mut id = None;
            if let Some(raw) = raw {
                // Malformed ones are overlooked, as the specification asks.
                let _ = for_each_member(raw, |name, value| {
                    if name == "requestId" {
                        id = RequestId::from_json(value);
                    }
                });
            }
            if let Some(id) = id {
                flights.cancel(&id);
            }
        }
    }
    Ok(())
}
