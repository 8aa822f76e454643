//! Requests of the modern era: each on its own, with its revision and capabilities in `_meta`.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::{Line, Outcome, check_introduction, page_of, tasks};
use crate::admission;
use crate::answer::Reply;
use crate::core::Core;
use crate::era::{Era, MODERN, Params};
use crate::error::Fault;
use crate::feature::Feature;
use crate::headers;
use crate::hears::Hears;
use crate::jsonrpc::RequestId;
use crate::listening::Listening;
use crate::method::{Method, TaskMethod};
use crate::search::ToolsMode;
use crate::session::client_json;

impl Core {
    pub(super) fn serve_modern(
        self: &Arc<Self>,
        line: &Line<'_>,
        id: &RequestId,
        method: &str,
        raw: Option<&RawValue>,
        params: &Params<'_>,
    ) -> Result<Outcome, Fault> {
        if let (Some(headers), Some(version)) = (line.headers(), &params.meta.version) {
            headers::check_version(headers, version)?;
        }
        params.meta.check_modern()?;
        let known = Method::parse(method);
        if let Some(headers) = line.headers() {
            let name = mirrored_name(known, raw, params)?;
            headers::check_standard(headers, method, name.as_deref())?;
        }
        match known {
            Some(Method::Discover) => Ok(Outcome::Reply(Reply::members(id, &[self.discovery()]))),
            Some(Method::Listen) => {
                let flight = match line.flights() {
                    Some(flights) if flights.count() >= self.config.max_in_flight => {
                        return Err(Fault::OutOfPlace(
                            "too many requests are in flight on this connection: cancel a \
                             subscription, or wait for an answer",
                        ));
                    }
                    Some(flights) => Some(flights.begin(id)?),
                    None => None,
                };
                let listening =
                    Listening::of_request(self, id, raw, params.meta.capabilities, flight)?;
                Ok(Outcome::Listen(Box::new(listening)))
            }
            Some(Method::List(kind)) => {
                let catalogue = self.catalogue();
                let mode = self.request_mode(line, params)?;
                let page = page_of(&catalogue, kind, mode, params.cursor.as_deref())?;
                let members = [self.modern_list(), page];
                Ok(Outcome::Reply(Reply::members(id, &members)))
            }
            Some(Method::Ask(feature)) => {
                let meta = &params.meta;
                check_introduction(meta.capabilities, meta.info)?;
                let request = admission::Request {
                    feature,
                    id: id.clone(),
                    era: Era::Modern,
                    raw,
                    params,
                    headers: line.headers(),
                    mirrors: true,
                    client: &client_json(MODERN, meta.capabilities, meta.info),
                    hears: Hears {
                        progress_token: meta.progress_token.map(|token| token.get().into()),
                        log_level: meta.log_level,
                    },
                    session: None,
                    principal: &self.principal,
                };
                self.admit(request, self.request_mode(line, params)?, line.flights())
            }
            Some(Method::Task(task)) => {
                let asked = tasks::Asked {
                    era: Era::Modern,
                    id,
                    name: method,
                    raw,
                    params,
                };
                tasks::serve(asked, task, Hears::default(), line.flights())
            }
            Some(
                Method::Initialize
                | Method::Ping
                | Method::SetLogLevel
                | Method::Subscribe
                | Method::Unsubscribe,
            )
            | None => Err(Fault::UnknownMethod(method.to_owned())),
        }
    }
}

impl Core {
    /// What `tools/list` offers: as the request says, else its connection, else the configuration.
    fn request_mode(&self, line: &Line<'_>, params: &Params<'_>) -> Result<ToolsMode, Fault> {
        let said = params.meta.tools.or(line.tools()?);
        Ok(said.unwrap_or(self.config.tools))
    }
}

/// What the header `Mcp-Name` mirrors.
fn mirrored_name<'a>(
    method: Option<Method>,
    raw: Option<&RawValue>,
    params: &'a Params<'_>,
) -> Result<Option<Cow<'a, str>>, Fault> {
    Ok(match method {
        Some(Method::Ask(Feature::Tool | Feature::Prompt)) => {
            params.name.as_deref().map(Cow::Borrowed)
        }
        Some(Method::Ask(Feature::Resource)) => params.uri()?,
        Some(Method::Task(TaskMethod::Get | TaskMethod::Update | TaskMethod::Cancel)) => {
            tasks::name_of(raw).map(Cow::Owned)
        }
        Some(
            Method::Ask(Feature::Completion)
            // The era has neither, so nothing says that they were mirrored.
            | Method::Task(TaskMethod::List | TaskMethod::Result)
            | Method::Initialize
            | Method::Ping
            | Method::SetLogLevel
            | Method::Subscribe
            | Method::Unsubscribe
            | Method::Discover
            | Method::Listen
            | Method::List(_),
        )
        | None => None,
    })
}
