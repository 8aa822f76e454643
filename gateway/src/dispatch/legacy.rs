//! Requests of the legacy era: those of a session, and `initialize`, which opens it.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::{Line, Outcome, check_introduction, page_of, tasks};
use crate::admission::{self, LONGEST_URI};
use crate::answer::Reply;
use crate::core::Core;
use crate::era::{Era, Params, Revision};
use crate::error::Fault;
use crate::hears::Hears;
use crate::jsonrpc::{RequestId, Text, for_each_member};
use crate::level::Level;
use crate::method::Method;
use crate::run::Run;
use crate::search::ToolsMode;
use crate::session::{Introduction, Session};

impl Core {
    pub(super) fn serve_legacy(
        &self,
        line: &Line<'_>,
        id: &RequestId,
        method: &str,
        raw: Option<&RawValue>,
        params: &Params<'_>,
    ) -> Result<Outcome, Fault> {
        let known = Method::parse(method);
        match known {
            Some(Method::Initialize) => return self.initialize(line, id, raw, params),
            Some(Method::Discover) => {
                return Err(Fault::MissingMeta(
                    "io.modelcontextprotocol/protocolVersion",
                ));
            }
            Some(Method::Ping) if matches!(line, Line::Socket { session: None, .. }) => {
                return Ok(Outcome::Reply(Reply::result(id, "{}")));
            }
            Some(_) | None => {}
        }
        line.check_legacy_version()?;
        let session = line.session()?;
        session.touch();
        match known {
            Some(Method::Ping) => Ok(Outcome::Reply(Reply::result(id, "{}"))),
            Some(Method::SetLogLevel) => {
                session.set_log_level(level_of(raw)?);
                self.sessions.note(session);
                Ok(Outcome::Reply(Reply::result(id, "{}")))
            }
            Some(Method::Subscribe) => {
                self.subscribe(session, params)?;
                Ok(Outcome::Reply(Reply::result(id, "{}")))
            }
            Some(Method::Unsubscribe) => {
                let uri = params.needed_uri()?;
                session.ear(&self.ears).ignore(&uri);
                session.subscriptions_changed();
                self.sessions.note(session);
                Ok(Outcome::Reply(Reply::result(id, "{}")))
            }
            Some(Method::List(kind)) => {
                let catalogue = self.catalogue();
                let mode = self.session_mode(line, session, params)?;
                let page = page_of(&catalogue, kind, mode, params.cursor.as_deref())?;
                Ok(Outcome::Reply(Reply::members(id, &[page])))
            }
            Some(Method::Ask(feature)) => {
                let request = admission::Request {
                    feature,
                    id: id.clone(),
                    era: Era::Legacy(session.revision()),
                    raw,
                    params,
                    headers: line.headers(),
                    mirrors: true,
                    client: session.client(),
                    hears: Hears {
                        progress_token: params.meta.progress_token.map(|token| token.get().into()),
                        log_level: Some(session.log_level()),
                    },
                    session: Some(session.handle()),
                    principal: &self.principal,
                };
                let mode = self.session_mode(line, session, params)?;
                let outcome = self.admit(request, mode, Some(session.flights()))?;
                Ok(match outcome {
                    Outcome::Run(Run::Call(call)) => Outcome::Run(Run::Call(
                        call.heard_by(|| Arc::clone(session.ear(&self.ears))),
                    )),
                    other => other,
                })
            }
            Some(Method::Task(task)) => {
                let asked = tasks::Asked {
                    era: Era::Legacy(session.revision()),
                    id,
                    name: method,
                    raw,
                    params,
                };
                let hears = Hears {
                    progress_token: params.meta.progress_token.map(|token| token.get().into()),
                    log_level: Some(session.log_level()),
                };
                tasks::serve(asked, task, hears, Some(session.flights()))
            }
            Some(Method::Initialize | Method::Discover | Method::Listen) | None => {
                Err(Fault::UnknownMethod(method.to_owned()))
            }
        }
    }

    /// What `tools/list` offers: as the request says, else its session, else the configuration.
    fn session_mode(
        &self,
        line: &Line<'_>,
        session: &Session,
        params: &Params<'_>,
    ) -> Result<ToolsMode, Fault> {
        let of_request = match line {
            // What the upgrade said is the session's.
            Line::Socket { .. } => None,
            Line::Http { .. } => line.tools()?,
        };
        let said = params.meta.tools.or(of_request).or(session.tools());
        Ok(said.unwrap_or(self.config.tools))
    }

    fn subscribe(&self, session: &Session, params: &Params<'_>) -> Result<(), Fault> {
        let uri = params.needed_uri()?;
        if uri.len() > LONGEST_URI || self.catalogue().resource(&uri).is_none() {
            return Err(Fault::UnknownResource {
                uri: uri.into_owned(),
                era: Era::Legacy(session.revision()),
            });
        }
        session.ear(&self.ears).want(&uri)?;
        session.subscriptions_changed();
        self.sessions.note(session);
        Ok(())
    }

    fn initialize(
        &self,
        line: &Line<'_>,
        id: &RequestId,
        raw: Option<&RawValue>,
        params: &Params<'_>,
    ) -> Result<Outcome, Fault> {
        let introduction = Introduction {
            tools: params.meta.tools.or(line.tools()?),
            ..introduction(raw)?
        };
        let mut welcome = self.welcome(introduction.revision);
        let session = match line {
            Line::Socket {
                session: Some(_), ..
            } => {
                return Err(Fault::OutOfPlace(
                    "this connection is initialized already: open another one for another session",
                ));
            }
            Line::Socket {
                flights, id: known, ..
            } => {
                if let Some(id) = known {
                    // Ids are base64url: nothing to escape.
                    let meta = format!(r#""_meta":{{"dev.dormouse/session":"{id}"}},"#);
                    welcome.insert_str(1, &meta);
                }
                self.sessions.open_socket(
                    known.cloned(),
                    &self.principal,
                    introduction,
                    Arc::clone(flights),
                )
            }
            Line::Http { .. } => self.sessions.open(&self.principal, introduction)?,
        };
        let reply = Reply::result(id, &welcome);
        tracing::debug!(revision = %session.revision(), "session opened");
        Ok(Outcome::Opened(session, reply))
    }
}

/// A client's `initialize` params. An unknown revision is answered with our newest ("Version
/// Negotiation" of the legacy lifecycle).
fn introduction(raw: Option<&RawValue>) -> Result<Introduction<'_>, Fault> {
    let (mut version, mut capabilities, mut info) = (None, None, None);
    if let Some(raw) = raw {
        for_each_member(raw, |name, value| match name {
            "protocolVersion" => version = serde_json::from_str::<Text<'_>>(value.get()).ok(),
            "capabilities" => capabilities = Some(value),
            "clientInfo" => info = Some(value),
            _ => {}
        })
        .map_err(|error| Fault::InvalidParams(format!("params cannot be read: {error}")))?;
    }
    let Some(Text(version)) = version else {
        return Err(Fault::InvalidParams(
            "params.protocolVersion is missing or no string".to_owned(),
        ));
    };
    check_introduction(capabilities, info)?;
    Ok(Introduction {
        revision: Revision::parse(&version).unwrap_or(Revision::LATEST),
        capabilities: capabilities.filter(|raw| raw.get().starts_with('{')),
        info: info.filter(|raw| raw.get().starts_with('{')),
        tools: None,
    })
}

fn level_of(raw: Option<&RawValue>) -> Result<Level, Fault> {
    let mut level = None;
    if let Some(raw) = raw {
        for_each_member(raw, |name, value| {
            if name == "level" {
                level = serde_json::from_str::<Text<'_>>(value.get()).ok();
            }
        })
        .map_err(|error| Fault::InvalidParams(format!("params cannot be read: {error}")))?;
    }
    match level {
        Some(Text(level)) => Level::parse(&level),
        None => Err(Fault::InvalidParams(
            "params.level is missing or no string".to_owned(),
        )),
    }
}
