//! What the client's model is asked, and what it says (MCP `sampling/createMessage`).

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};

use crate::ask::AskError;
use crate::result::Content;

/// Who says something in a conversation (MCP `Role`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The person.
    User,
    /// The model.
    Assistant,
}

/// Whether the model is to use the tools that it is given (MCP `ToolChoice`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToolChoice {
    /// As it likes.
    Auto,
    /// At least one.
    Required,
    /// Not now.
    None,
}

/// What the client's model is asked: the params of `sampling/createMessage`.
///
/// ```
/// use dormouse_function::SampleRequest;
///
/// let request = SampleRequest::new(500)
///     .system("You are terse.")
///     .user("Name a river.")
///     .assistant("The Elbe.")
///     .user("Another.")
///     .temperature(0.2);
/// # let _ = request;
/// ```
#[derive(Debug, Clone)]
pub struct SampleRequest(Params);

#[derive(Debug, Clone)]
enum Params {
    Built(Map<String, Value>),
    Verbatim(Box<RawValue>),
    Unwritable(String),
}

impl SampleRequest {
    /// A request without messages, for an answer of at most so many tokens.
    #[must_use]
    pub fn new(max_tokens: u32) -> Self {
        let params = Map::from_iter([
            ("messages".to_owned(), json!([])),
            ("maxTokens".to_owned(), max_tokens.into()),
        ]);
        Self(Params::Built(params))
    }

    /// These params, to the letter: what else is set on it is not.
    #[must_use]
    pub fn verbatim(params: Box<RawValue>) -> Self {
        Self(Params::Verbatim(params))
    }

    /// A text of the person.
    #[must_use]
    pub fn user(self, text: impl Into<String>) -> Self {
        self.message(Role::User, Content::text(text))
    }

    /// A text that the model said before.
    #[must_use]
    pub fn assistant(self, text: impl Into<String>) -> Self {
        self.message(Role::Assistant, Content::text(text))
    }

    /// Any other message: a picture, a sound, the result of a tool.
    #[must_use]
    pub fn message(mut self, role: Role, content: Content) -> Self {
        let message = serde_json::to_value(json!({"role": role, "content": content}));
        if let (Params::Built(params), Ok(message)) = (&mut self.0, message)
            && let Some(Value::Array(messages)) = params.get_mut("messages")
        {
            messages.push(message);
        }
        self
    }

    /// What the model is to be.
    #[must_use]
    pub fn system(self, prompt: impl Into<String>) -> Self {
        self.with("systemPrompt", prompt.into())
    }

    /// How freely it may choose its words.
    #[must_use]
    pub fn temperature(self, temperature: f64) -> Self {
        self.with("temperature", temperature)
    }

    /// Texts at which it stops.
    #[must_use]
    pub fn stop_at<S: Into<String>>(self, sequences: impl IntoIterator<Item = S>) -> Self {
        let sequences: Vec<String> = sequences.into_iter().map(Into::into).collect();
        self.with("stopSequences", sequences)
    }

    /// Parts of names of models that would be good, the best first.
    #[must_use]
    pub fn prefer<S: Into<String>>(self, models: impl IntoIterator<Item = S>) -> Self {
        let hints: Vec<Value> = models
            .into_iter()
            .map(|model| json!({"name": model.into()}))
            .collect();
        self.with("modelPreferences", json!({"hints": hints}))
    }

    /// Tools that the model may ask for (MCP `Tool` objects), and whether it shall. The client
    /// must have the capability `sampling.tools`.
    #[must_use]
    pub fn tools(self, tools: Vec<Value>, choice: ToolChoice) -> Self {
        self.with("tools", tools)
            .with("toolChoice", json!({"mode": choice}))
    }

    /// Any other member of the params.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Serialize) -> Self {
        if let Params::Built(params) = &mut self.0 {
            match serde_json::to_value(value) {
                Ok(value) => drop(params.insert(member.to_owned(), value)),
                Err(error) => self.0 = Params::Unwritable(format!("`{member}`: {error}")),
            }
        }
        self
    }

    pub(crate) fn has_tools(&self) -> bool {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Tools {
            #[serde(default)]
            tools: Option<serde::de::IgnoredAny>,
            #[serde(default)]
            tool_choice: Option<serde::de::IgnoredAny>,
        }
        match &self.0 {
            Params::Built(params) => {
                params.contains_key("tools") || params.contains_key("toolChoice")
            }
            Params::Verbatim(raw) => serde_json::from_str(raw.get())
                .is_ok_and(|asked: Tools| asked.tools.is_some() || asked.tool_choice.is_some()),
            Params::Unwritable(_) => false,
        }
    }

    pub(crate) fn written(self) -> Result<Option<Box<RawValue>>, AskError> {
        let unwritable = |why: &dyn std::fmt::Display| {
            AskError::Misused(format!(
                "a request for the client's model is not JSON: {why}"
            ))
        };
        match self.0 {
            Params::Built(params) => to_raw_value(&params)
                .map(Some)
                .map_err(|error| unwritable(&error)),
            Params::Verbatim(raw) => Ok(Some(raw)),
            Params::Unwritable(why) => Err(unwritable(&why)),
        }
    }
}

/// A tool that the model wants used (MCP `ToolUseContent`).
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ToolUse {
    /// By which its result is told.
    pub id: String,
    /// The tool.
    pub name: String,
    /// Its arguments, an object.
    #[serde(default)]
    pub input: Value,
}

/// What the client's model said (MCP `CreateMessageResult`).
#[derive(Debug, Clone)]
pub struct Sampled {
    /// Which model it was.
    pub model: String,
    /// Why it stopped: `endTurn`, `stopSequence`, `maxTokens`, `toolUse`, or a word of its own.
    pub stop_reason: Option<String>,
    /// Each block of what it said, to the letter.
    pub content: Vec<Content>,
}

impl Sampled {
    pub(crate) fn read(result: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Result<'a> {
            #[serde(default)]
            model: String,
            #[serde(default)]
            stop_reason: Option<String>,
            #[serde(borrow)]
            content: &'a RawValue,
        }
        let result: Result<'_> = serde_json::from_str(result).map_err(|error| error.to_string())?;
        let blocks: Vec<Box<RawValue>> = match result.content.get().starts_with('[') {
            true => {
                serde_json::from_str(result.content.get()).map_err(|error| error.to_string())?
            }
            false => vec![result.content.to_owned()],
        };
        Ok(Self {
            model: result.model,
            stop_reason: result.stop_reason,
            content: blocks.into_iter().map(Content::raw).collect(),
        })
    }

    /// All that it said in text, block after block.
    #[must_use]
    pub fn text(&self) -> String {
        #[derive(Deserialize)]
        struct Text {
            #[serde(rename = "type")]
            ty: String,
            #[serde(default)]
            text: String,
        }
        let texts = self.content.iter().filter_map(|block| {
            let block: Text = serde_json::from_str(block.as_json()).ok()?;
            (block.ty == "text").then_some(block.text)
        });
        texts.collect()
    }

    /// The tools that it wants used.
    #[must_use]
    pub fn tool_uses(&self) -> Vec<ToolUse> {
        let uses = self.content.iter().filter_map(|block| {
            let block: Value = serde_json::from_str(block.as_json()).ok()?;
            (block.get("type")? == "tool_use").then(|| serde_json::from_value(block).ok())?
        });
        uses.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_written_as_mcp_has_it() {
        let request = SampleRequest::new(50)
            .system("S")
            .user("U")
            .assistant("A")
            .temperature(0.5)
            .stop_at(["."])
            .prefer(["sonnet"]);
        assert!(!request.has_tools());
        let request = request.tools(vec![json!({"name": "t"})], ToolChoice::Required);
        assert!(request.has_tools());
        let written: Value =
            serde_json::from_str(request.written().unwrap().unwrap().get()).unwrap();
        let expected = json!({
            "messages": [
                {"role": "user", "content": {"type": "text", "text": "U"}},
                {"role": "assistant", "content": {"type": "text", "text": "A"}},
            ],
            "maxTokens": 50, "systemPrompt": "S", "temperature": 0.5, "stopSequences": ["."],
            "modelPreferences": {"hints": [{"name": "sonnet"}]},
            "tools": [{"name": "t"}], "toolChoice": {"mode": "required"},
        });
        assert_eq!(written, expected);
        let raw = RawValue::from_string(r#"{ "tools":[] }"#.to_owned()).unwrap();
        let verbatim = SampleRequest::verbatim(raw).user("lost");
        assert!(verbatim.has_tools());
        assert_eq!(
            verbatim.written().unwrap().unwrap().get(),
            r#"{ "tools":[] }"#
        );
    }

    #[test]
    fn one_block_and_many_read_the_same() {
        let one = r#"{"role":"assistant","model":"m","stopReason":"endTurn",
            "content":{"type":"text","text":"hi"}}"#;
        let many = r#"{"role":"assistant","model":"m","content":[{"type":"text","text":"h"},
            {"type":"tool_use","id":"1","name":"t","input":{"a":1}},{"type":"text","text":"i"}]}"#;
        let (one, many) = (Sampled::read(one).unwrap(), Sampled::read(many).unwrap());
        assert_eq!(
            (one.text(), many.text()),
            ("hi".to_owned(), "hi".to_owned())
        );
        assert_eq!(
            (one.model.as_str(), one.stop_reason.as_deref()),
            ("m", Some("endTurn"))
        );
        let uses = many.tool_uses();
        assert_eq!((uses.len(), &uses[0].input), (1, &json!({"a": 1})));
        assert!(Sampled::read("{}").is_err());
    }
}
