//! The two eras of MCP, and how a request shows to which it belongs.
//!
//! Legacy (revisions up to 2025-11-25): an `initialize` handshake opens a session. Modern
//! (2026-07-28): each request carries its own version and capabilities in `_meta`. From the edge
//! on the era is a type.

use std::borrow::Cow;
use std::fmt;

use serde_json::value::RawValue;

use crate::error::Fault;
use crate::jsonrpc::{Text, for_each_member};
use crate::level::Level;
use crate::search::ToolsMode;

/// The modern revision that is spoken here.
pub const MODERN: &str = "2026-07-28";

/// A revision with an `initialize` handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Revision {
    /// 2024-11-05
    V2024_11_05,
    /// 2025-03-26, the only one with batches
    V2025_03_26,
    /// 2025-06-18
    V2025_06_18,
    /// 2025-11-25
    V2025_11_25,
}

impl Revision {
    /// The newest one, offered to clients that ask for an unknown one.
    pub const LATEST: Self = Self::V2025_11_25;
    /// All, the newest first.
    pub const ALL: [Self; 4] = [
        Self::V2025_11_25,
        Self::V2025_06_18,
        Self::V2025_03_26,
        Self::V2024_11_05,
    ];

    /// The revision of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|revision| revision.as_str() == name)
    }

    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
        }
    }

    /// Whether clients may follow calls as tasks (experimental).
    #[must_use]
    pub fn has_tasks(self) -> bool {
        self >= Self::V2025_11_25
    }

    /// Whether arrays of messages are part of it.
    #[must_use]
    pub fn has_batches(self) -> bool {
        self == Self::V2025_03_26
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// To which era a request belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// A session's, of this revision.
    Legacy(Revision),
    /// On its own.
    Modern,
}

impl Era {
    /// Its revision's name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Legacy(revision) => revision.as_str(),
            Self::Modern => MODERN,
        }
    }

    /// Whether arguments that break a tool's schema are told as a result that the model sees
    /// (2025-11-25 and later, "Error Handling" of tools) and not as a JSON-RPC error.
    #[must_use]
    pub fn tells_models_of_bad_arguments(self) -> bool {
        match self {
            Self::Legacy(revision) => revision >= Revision::V2025_11_25,
            Self::Modern => true,
        }
    }
}

/// Every revision that is spoken here, the newest first.
#[must_use]
pub fn supported_versions() -> Vec<&'static str> {
    std::iter::once(MODERN)
        .chain(Revision::ALL.map(Revision::as_str))
        .collect()
}

/// What the members of a request's `_meta` say to the gateway.
#[derive(Debug, Default)]
pub struct Meta<'a> {
    /// `io.modelcontextprotocol/protocolVersion`: makes a request modern.
    pub version: Option<Cow<'a, str>>,
    /// `io.modelcontextprotocol/clientCapabilities`
    pub capabilities: Option<&'a RawValue>,
    /// `io.modelcontextprotocol/clientInfo`
    pub info: Option<&'a RawValue>,
    /// `io.modelcontextprotocol/logLevel`: none means no log messages.
    pub log_level: Option<Level>,
    /// `progressToken`, a string or a number, to the letter.
    pub progress_token: Option<&'a RawValue>,
    /// `dev.dormouse/idempotencyKey`
    pub idempotency_key: Option<Cow<'a, str>>,
    /// `dev.dormouse/tools`: what `tools/list` offers.
    pub tools: Option<ToolsMode>,
    /// `traceparent`
    pub traceparent: Option<Cow<'a, str>>,
}

impl<'a> Meta<'a> {
    /// Reads `_meta`.
    ///
    /// # Errors
    /// When it is no object, or a member that is read here has another type than its
    /// specification gives it.
    pub fn parse(raw: &'a RawValue) -> Result<Self, Fault> {
        let mut meta = Self::default();
        let mut wrong = None;
        let mut text = |name: &'static str, value: &'a RawValue| {
            let parsed = serde_json::from_str::<Text<'a>>(value.get());
            if parsed.is_err() {
                wrong = Some(name);
            }
            parsed.ok().map(|Text(text)| text)
        };
        let (mut level, mut tools) = (None, None);
        for_each_member(raw, |name, value| match name {
            "io.modelcontextprotocol/protocolVersion" => {
                meta.version = text("io.modelcontextprotocol/protocolVersion", value);
            }
            "io.modelcontextprotocol/clientCapabilities" => meta.capabilities = Some(value),
            "io.modelcontextprotocol/clientInfo" => meta.info = Some(value),
            "io.modelcontextprotocol/logLevel" => {
                level = text("io.modelcontextprotocol/logLevel", value);
            }
            "progressToken" => meta.progress_token = Some(value),
            "dev.dormouse/idempotencyKey" => {
                meta.idempotency_key = text("dev.dormouse/idempotencyKey", value);
            }
            "dev.dormouse/tools" => tools = text("dev.dormouse/tools", value),
            // A malformed one is overlooked (W3C Trace Context, section 3.2.2.3).
            "traceparent" => {
                let parsed = serde_json::from_str::<Text<'a>>(value.get());
                meta.traceparent = parsed.ok().map(|Text(text)| text);
            }
            _ => {}
        })
        .map_err(|_| Fault::InvalidParams("params._meta must be an object".to_owned()))?;
        if let Some(name) = wrong {
            return Err(Fault::InvalidParams(format!(
                "params._meta[\"{name}\"] must be a string"
            )));
        }
        if let Some(word) = level {
            meta.log_level = Some(Level::parse(&word)?);
        }
        meta.tools = tools.map(|word| word.parse()).transpose()?;
        if let Some(token) = meta.progress_token
            && !matches!(token.get().as_bytes()[0], b'"' | b'-' | b'0'..=b'9')
        {
            return Err(Fault::InvalidParams(
                "params._meta.progressToken must be a string or a number".to_owned(),
            ));
        }
        Ok(meta)
    }

    /// Whether the request means to be modern: it carries a member that only those have.
    #[must_use]
    pub fn is_modern(&self) -> bool {
        self.version.is_some() || self.capabilities.is_some()
    }

    /// Checks that this is a modern request of a revision that is spoken here.
    ///
    /// # Errors
    /// When a required member is missing, or the revision is another.
    pub fn check_modern(&self) -> Result<(), Fault> {
        let Some(version) = &self.version else {
            return Err(Fault::MissingMeta(
                "io.modelcontextprotocol/protocolVersion",
            ));
        };
        if version != MODERN {
            return Err(Fault::UnsupportedVersion(version.to_string()));
        }
        match self.capabilities {
            Some(raw) if raw.get().starts_with('{') => Ok(()),
            Some(_) | None => Err(Fault::MissingMeta(
                "io.modelcontextprotocol/clientCapabilities",
            )),
        }
    }
}

/// The members of a request's params that decide where it goes.
#[derive(Debug, Default)]
pub struct Params<'a> {
    /// `_meta`, read.
    pub meta: Meta<'a>,
    /// `name`, decoded.
    pub name: Option<Cow<'a, str>>,
    /// `name` as it stands in the text.
    pub raw_name: Option<&'a RawValue>,
    /// `uri` as it stands in the text.
    pub raw_uri: Option<&'a RawValue>,
    /// `arguments`, raw.
    pub arguments: Option<&'a RawValue>,
    /// `cursor` of a list, decoded.
    pub cursor: Option<Cow<'a, str>>,
    /// `task`: the client wants to follow the call as a task (2025-11-25).
    pub task: Option<&'a RawValue>,
    /// `requestState` of a retry, decoded (modern).
    pub request_state: Option<Cow<'a, str>>,
    /// `inputResponses` of a retry, raw (modern).
    pub input_responses: Option<&'a RawValue>,
}

impl<'a> Params<'a> {
    /// Reads them.
    ///
    /// # Errors
    /// When a member has another type than its specification gives it.
    pub fn parse(raw: Option<&'a RawValue>) -> Result<Self, Fault> {
        let Some(raw) = raw else {
            return Ok(Self::default());
        };
        let mut params = Self::default();
        let mut meta = None;
        let (mut cursor, mut state) = (None, None);
        for_each_member(raw, |name, value| match name {
            "_meta" => meta = Some(value),
            "name" => params.raw_name = Some(value),
            "uri" => params.raw_uri = Some(value),
            "arguments" => params.arguments = Some(value),
            "cursor" => cursor = Some(value),
            "task" => params.task = Some(value),
            "requestState" => state = Some(value),
            "inputResponses" => params.input_responses = Some(value),
            _ => {}
        })
        .map_err(|error| Fault::InvalidParams(format!("params cannot be read: {error}")))?;
        params.name = text_of("name", params.raw_name)?;
        params.cursor = text_of("cursor", cursor.filter(|cursor| cursor.get() != "null"))?;
        params.request_state = text_of("requestState", state)?;
        params.task = params.task.filter(|task| task.get() != "null");
        params.arguments = params.arguments.filter(|raw| raw.get() != "null");
        if let Some(raw) = meta.filter(|meta| meta.get() != "null") {
            params.meta = Meta::parse(raw)?;
        }
        Ok(params)
    }

    /// `name`, of requests that need one.
    ///
    /// # Errors
    /// When it is missing.
    pub fn needed_name(&self) -> Result<&str, Fault> {
        self.name
            .as_deref()
            .ok_or_else(|| Fault::InvalidParams("params.name is missing".to_owned()))
    }

    /// `uri`, decoded.
    ///
    /// # Errors
    /// When it is no string.
    pub fn uri(&self) -> Result<Option<Cow<'a, str>>, Fault> {
        text_of("uri", self.raw_uri)
    }

    /// `uri`, of requests that need one.
    ///
    /// # Errors
    /// When it is missing, or no string.
    pub fn needed_uri(&self) -> Result<Cow<'a, str>, Fault> {
        self.uri()?
            .ok_or_else(|| Fault::InvalidParams("params.uri is missing".to_owned()))
    }
}

fn text_of<'a>(name: &str, raw: Option<&'a RawValue>) -> Result<Option<Cow<'a, str>>, Fault> {
    let Some(raw) = raw else { return Ok(None) };
    serde_json::from_str::<Text<'a>>(raw.get())
        .map(|Text(text)| Some(text))
        .map_err(|_| Fault::InvalidParams(format!("params.{name} must be a string")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{INVALID_PARAMS, UNSUPPORTED_VERSION};

    fn raw(text: &str) -> &RawValue {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn revisions_are_known_by_name() {
        for revision in Revision::ALL {
            assert_eq!(Revision::parse(revision.as_str()), Some(revision));
        }
        assert_eq!(Revision::parse(MODERN), None);
        assert_eq!(supported_versions().len(), 5);
    }

    #[test]
    fn a_modern_request_shows_itself() {
        let params = Params::parse(Some(raw(
            r#"{"name":"t\u0065st","arguments":{"a":1},"_meta":{
                "io.modelcontextprotocol/protocolVersion":"2026-07-28",
                "io.modelcontextprotocol/clientCapabilities":{},
                "io.modelcontextprotocol/logLevel":"warning",
                "progressToken":1.0,"traceparent":"00-a","x":null}}"#,
        )))
        .unwrap();
        assert_eq!(params.name.as_deref(), Some("test"));
        assert!(params.meta.is_modern());
        assert_eq!(params.meta.check_modern(), Ok(()));
        assert_eq!(params.meta.log_level, Some(Level::Warning));
        assert_eq!(params.meta.progress_token.unwrap().get(), "1.0");
    }

    #[test]
    fn what_a_modern_request_lacks_is_named() {
        for (meta, code) in [
            (
                r#"{"io.modelcontextprotocol/clientCapabilities":{}}"#,
                INVALID_PARAMS,
            ),
            (
                r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#,
                INVALID_PARAMS,
            ),
            (
                r#"{"io.modelcontextprotocol/protocolVersion":"2025-11-25"}"#,
                UNSUPPORTED_VERSION,
            ),
        ] {
            let meta = Meta::parse(raw(meta)).unwrap();
            assert!(meta.is_modern());
            assert_eq!(meta.check_modern().unwrap_err().code(), code);
        }
        assert!(
            !Meta::parse(raw(r#"{"progressToken":"x"}"#))
                .unwrap()
                .is_modern()
        );
    }

    #[test]
    fn members_of_other_types_are_refused() {
        for params in [
            r#"{"name":1}"#,
            r#"{"cursor":1}"#,
            r#"{"_meta":[]}"#,
            r#"{"_meta":{"progressToken":{}}}"#,
            r#"{"_meta":{"io.modelcontextprotocol/logLevel":"loud"}}"#,
        ] {
            let fault = Params::parse(Some(raw(params))).unwrap_err();
            assert_eq!(fault.code(), INVALID_PARAMS, "{params}");
        }
    }
}
