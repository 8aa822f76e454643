//! What a teacher would be asked before writing begins: for which grade, how long, in which
//! language. Only what the call leaves open is asked, in one form, and only of clients that show
//! forms; who declines gets what suits most.

use dormouse_function::{AskError, Context, ToolError};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::grade::Grade;

/// The name under which the form is asked.
const NAME: &str = "wishes";

/// A number that a call leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount {
    /// What the number counts, as the form says it.
    pub title: &'static str,
    /// The least and the most that is allowed.
    pub range: (u32, u32),
    /// What is taken when nobody says.
    pub default: u32,
}

/// What a call leaves open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Open {
    /// Nobody said for which grade.
    pub grade: bool,
    /// Nobody said how much.
    pub amount: Option<Amount>,
    /// Nobody said in which language.
    pub language: bool,
}

/// What was wished for; what is absent was left to us.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Wishes {
    /// For which grade.
    #[serde(default)]
    pub grade: Option<Grade>,
    /// How much, within the range that was asked for.
    #[serde(default)]
    pub amount: Option<u32>,
    /// In which language.
    #[serde(default)]
    pub language: Option<String>,
}

/// Asks for what is open, where there is somebody to ask.
///
/// # Errors
/// Only when asking itself goes wrong: refusals and useless answers leave everything to us.
pub async fn ask(cx: &Context, open: Open) -> Result<Wishes, ToolError> {
    if open == Open::default() || !cx.client().can_elicit() {
        return Ok(Wishes::default());
    }
    match cx.elicit_with::<Wishes>(NAME, &form(open)).await {
        Ok(answer) => Ok(answer.accepted().unwrap_or_default().within(open)),
        Err(error @ (AskError::Refused { .. } | AskError::Unusable(_))) => {
            tracing::info!(%error, "nobody said what is wished for");
            Ok(Wishes::default())
        }
        Err(error @ (AskError::Missing { .. } | AskError::Misused(_))) => Err(error.into()),
    }
}

/// The params of the elicitation.
fn form(open: Open) -> Value {
    let mut fields = Map::new();
    if open.grade {
        let description = "For example 4, 6-8 or K. Leave it empty for a general class.";
        let field = json!({"type": "string", "title": "Grade", "description": description});
        fields.insert("grade".to_owned(), field);
    }
    if let Some(amount) = open.amount {
        let field = json!({
            "type": "integer", "title": amount.title,
            "minimum": amount.range.0, "maximum": amount.range.1, "default": amount.default,
        });
        fields.insert("amount".to_owned(), field);
    }
    if open.language {
        let description = "Leave it empty for the language of the topic.";
        let field = json!({
            "type": "string", "title": "Language", "description": description, "maxLength": 100,
        });
        fields.insert("language".to_owned(), field);
    }
    json!({
        "mode": "form",
        "message": "A few things were left open. Whatever you leave out gets what suits most.",
        "requestedSchema": {"type": "object", "properties": fields},
    })
}

impl Wishes {
    /// What was asked for and filled in, and nothing else.
    fn within(self, open: Open) -> Self {
        let amount = open.amount.zip(self.amount);
        let language = self
            .language
            .filter(|language| open.language && !language.trim().is_empty());
        Self {
            grade: self.grade.filter(|grade| open.grade && !grade.is_empty()),
            amount: amount.map(|(asked, wished)| wished.clamp(asked.range.0, asked.range.1)),
            language: language.map(|language| language.trim().chars().take(100).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: Amount = Amount {
        title: "Words",
        range: (50, 5_000),
        default: 400,
    };

    #[test]
    fn only_what_is_open_is_asked() {
        let open = Open {
            amount: Some(WORDS),
            ..Open::default()
        };
        let expected = json!({"amount": {
            "type": "integer", "title": "Words", "minimum": 50, "maximum": 5_000, "default": 400,
        }});
        assert_eq!(form(open)["requestedSchema"]["properties"], expected);
        let open = Open {
            grade: true,
            language: true,
            ..Open::default()
        };
        let fields = form(open)["requestedSchema"]["properties"].clone();
        let names: Vec<_> = fields.as_object().unwrap().keys().cloned().collect();
        assert_eq!(names, ["grade", "language"]);
    }

    #[test]
    fn answers_stay_within_what_was_asked() {
        let open = Open {
            grade: true,
            amount: Some(WORDS),
            language: false,
        };
        let wishes: Wishes =
            serde_json::from_value(json!({"grade": " ", "amount": 9, "language": "x"})).unwrap();
        let expected = Wishes {
            amount: Some(50),
            ..Wishes::default()
        };
        assert_eq!(wishes.within(open), expected);
    }
}
