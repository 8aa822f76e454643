//! Small contexts: instead of the whole catalogue, `tools/list` offers one tool that finds tools
//! and one that calls them.
//!
//! Off by default. Chosen by the request (`_meta["dev.dormouse/tools"]`, or the header
//! `Dormouse-Tools`), by the session (the same in `initialize`, or in the WebSocket's upgrade), or
//! by configuration, in this order. A call through `call_tool` is admitted as the named tool's:
//! schema, policy, idempotency and meters are its own.

mod index;

use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::answer::Reply;
use crate::era::{Era, Params};
use crate::error::Fault;
use crate::jsonrpc::{RequestId, for_each_member};
use crate::names;
use index::Index;

/// How many tools are found when the model does not say.
const USUAL: usize = 5;

/// The most tools that are found at once.
const MOST: usize = 50;

/// The pool in whose name the two tools are offered where their own names are taken.
const POOL: &str = "dormouse";

/// What `tools/list` offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ToolsMode {
    /// Every tool.
    #[default]
    All,
    /// `find_tools` and `call_tool`.
    Search,
}

impl ToolsMode {
    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Search => "search",
        }
    }
}

impl std::str::FromStr for ToolsMode {
    type Err = Fault;

    fn from_str(word: &str) -> Result<Self, Fault> {
        match word {
            "all" => Ok(Self::All),
            "search" => Ok(Self::Search),
            other => Err(Fault::InvalidParams(format!(
                "tools are offered in the modes `all` and `search`, not `{other}`"
            ))),
        }
    }
}

/// The two tools, and what they know of the others.
#[derive(Debug)]
pub struct Search {
    /// The names that they are offered under.
    find: String,
    call: String,
    /// The members of a `tools/list` result.
    page: String,
    /// Built when somebody searches.
    index: OnceLock<Index>,
}

/// What becomes of a call in search mode.
pub(crate) enum Redirected {
    /// It is one of the tools' own.
    No,
    /// Tools were found.
    Found(Reply),
    /// The params of the call that is meant.
    Call(Box<RawValue>),
}

impl Search {
    /// The two tools beside these names; and those of them that had to give way, with the name
    /// that they are offered under.
    #[must_use]
    pub fn beside(taken: &[(&str, &str)]) -> (Self, Vec<(&'static str, String)>) {
        const NAMES: [&str; 2] = ["find_tools", "call_tool"];
        let mut all = taken.to_vec();
        all.extend(NAMES.map(|name| (POOL, name)));
        let mut offered = names::offer(&all).split_off(taken.len());
        let renamed = NAMES
            .into_iter()
            .zip(offered.clone())
            .filter(|(name, offered)| name != offered)
            .collect();
        let (call, find) = (
            offered.pop().unwrap_or_default(),
            offered.pop().unwrap_or_default(),
        );
        let tools = [find_object(&find, &call), call_object(&call, &find)];
        let search = Self {
            page: format!(r#""tools":{}"#, Value::from(tools.to_vec())),
            find,
            call,
            index: OnceLock::new(),
        };
        (search, renamed)
    }

    /// The members of a `tools/list` result.
    #[must_use]
    pub fn page(&self) -> &str {
        &self.page
    }

    /// What a call with these params means; `objects` are all tools as they are listed.
    ///
    /// # Errors
    /// When a call of `call_tool` names no tool.
    pub(crate) fn redirect<'a>(
        &self,
        id: &RequestId,
        era: Era,
        raw: Option<&RawValue>,
        params: &Params<'_>,
        objects: impl Fn() -> Vec<&'a str>,
    ) -> Result<Redirected, Fault> {
        match params.name.as_deref() {
            Some(name) if name == self.find => {
                let reply = match Wanted::read(params.arguments) {
                    Ok(wanted) => Reply::result(id, &self.find(&wanted, &objects(), era)),
                    Err(why) => Reply::tool_error(id, &why, None, era),
                };
                Ok(Redirected::Found(reply))
            }
            Some(name) if name == self.call => meant(raw, params.arguments).map(Redirected::Call),
            Some(_) | None => Ok(Redirected::No),
        }
    }

    /// A `tools/call` result: the objects of the best tools, and the same as text.
    fn find(&self, wanted: &Wanted, objects: &[&str], era: Era) -> String {
        let index = self.index.get_or_init(|| Index::of(objects));
        let found: Vec<&str> = index
            .search(&wanted.query, wanted.limit)
            .into_iter()
            .filter_map(|place| objects.get(place).copied())
            .collect();
        let structured = format!(r#"{{"tools":[{}]}}"#, found.join(","));
        let text = match found.as_slice() {
            [] => "No tool matches these words: try others, or fewer.",
            _ => &structured,
        };
        let kind = match era {
            Era::Modern => r#""resultType":"complete","#,
            Era::Legacy(_) => "",
        };
        format!(
            r#"{{{kind}"content":[{{"type":"text","text":{}}}],"structuredContent":{structured}}}"#,
            Value::from(text)
        )
    }
}

/// The arguments of `find_tools`.
struct Wanted {
    query: String,
    limit: usize,
}

impl Wanted {
    fn read(arguments: Option<&RawValue>) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Arguments {
            query: String,
            limit: Option<usize>,
        }
        let text = arguments.map_or("{}", RawValue::get);
        let Arguments { query, limit } = serde_json::from_str(text)
            .map_err(|error| format!("Invalid arguments for tool find_tools: {error}"))?;
        Ok(Self {
            query,
            limit: limit.unwrap_or(USUAL).clamp(1, MOST),
        })
    }
}

/// The params of the call that `call_tool` is asked for: name and arguments are those of its
/// arguments, everything else stays, to the letter.
fn meant(raw: Option<&RawValue>, arguments: Option<&RawValue>) -> Result<Box<RawValue>, Fault> {
    let unreadable =
        |error| Fault::InvalidParams(format!("params.arguments cannot be read: {error}"));
    let (mut name, mut inner) = (None, None);
    if let Some(arguments) = arguments {
        for_each_member(arguments, |member, value| match member {
            "name" => name = Some(value),
            "arguments" => inner = Some(value),
            _ => {}
        })
        .map_err(unreadable)?;
    }
    let name = name.ok_or_else(|| {
        Fault::InvalidParams("params.arguments.name is missing: it names the tool".to_owned())
    })?;
    let mut params = format!(r#"{{"name":{}"#, name.get());
    if let Some(inner) = inner {
        params.push_str(r#","arguments":"#);
        params.push_str(inner.get());
    }
    if let Some(raw) = raw {
        for_each_member(raw, |member, value| {
            if !matches!(member, "name" | "arguments") {
                params.push_str(&format!(",{}:{}", Value::from(member), value.get()));
            }
        })
        .map_err(unreadable)?;
    }
    params.push('}');
    RawValue::from_string(params).map_err(unreadable)
}

fn find_object(name: &str, call: &str) -> Value {
    json!({
        "name": name,
        "title": "Find tools",
        "description": format!(
            "Finds tools by what they do and returns their full definitions, the best match \
             first. Many tools are available here that are not listed: describe the task in a few \
             words, then call a tool that was found by `{call}`."
        ),
        "inputSchema": {
            "type": "object",
            "properties": {
                "query": {"type": "string", "description": "What the tool should do, in words."},
                "limit": {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL,
                          "description": "How many tools at most."},
            },
            "required": ["query"],
        },
        "outputSchema": {
            "type": "object",
            "properties": {"tools": {"type": "array", "items": {"type": "object"}}},
            "required": ["tools"],
        },
        "annotations": {"readOnlyHint": true, "openWorldHint": false},
    })
}

fn call_object(name: &str, find: &str) -> Value {
    json!({
        "name": name,
        "title": "Call a tool",
        "description": format!(
            "Calls a tool that `{find}` has found. The arguments must match the tool's inputSchema."
        ),
        "inputSchema": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "description": "The tool's name."},
                "arguments": {"type": "object", "description": "The tool's arguments."},
            },
            "required": ["name"],
        },
        "execution": {"taskSupport": "optional"},
    })
}

#[cfg(test)]
mod tests;
