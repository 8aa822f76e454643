//! Requests of the modern era: each on its own, with its revision and capabilities in `_meta`.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{Line, Outcome, check_introduction, tasks};
use crate::answer::{Hears, Reply};
use crate::call;
use crate::core::Core;
use crate::era::{Era, MODERN, Params};
use crate::error::Fault;
use crate::headers;
use crate::jsonrpc::RequestId;
use crate::method::Method;
use crate::session::client_json;

impl Core {
    pub(super) fn serve_modern(
        &self,
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
            let name = match known {
                Some(Method::CallTool) => params.name.clone(),
                Some(Method::Task(_)) => tasks::name_of(raw).map(Cow::Owned),
                _ => None,
            };
            headers::check_standard(headers, method, name.as_deref())?;
        }
        match known {
            Some(Method::Discover) => Ok(Outcome::Reply(Reply::members(id, &[self.discovery()]))),
            Some(Method::ListTools) => {
                let catalogue = self.catalogue();
                let page = catalogue.page(params.cursor.as_deref())?;
                let members = [self.modern_list(), page];
                Ok(Outcome::Reply(Reply::members(id, &members)))
            }
            Some(Method::CallTool) => {
                let meta = &params.meta;
                check_introduction(meta.capabilities, meta.info)?;
                let request = call::Request {
                    id: id.clone(),
                    era: Era::Modern,
                    raw,
                    params,
                    headers: line.headers(),
                    client: &client_json(MODERN, meta.capabilities, meta.info),
                    hears: Hears {
                        progress_token: meta.progress_token.map(|token| token.get().into()),
                        log_level: meta.log_level,
                    },
                    session: None,
                    principal: &self.principal,
                };
                self.admit(request, line.flights())
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
            Some(Method::Initialize | Method::Ping | Method::SetLogLevel) | None => {
                Err(Fault::UnknownMethod(method.to_owned()))
            }
        }
    }
}
