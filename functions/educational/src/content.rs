//! The tool `content-generation`: a lesson outline, a text or an exercise, written by a model.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::grade::Grade;
use crate::model::{Completion, Finish, Message};
use crate::wishes::{Amount, Open, Wishes};

/// What an agent reads about the tool.
pub const DESCRIPTION: &str = "Writes a lesson outline, a text for learners or an exercise on a \
    topic, with the language model that the operator has configured or, where none is, with the \
    client's own. Asks the person for grade, length and language where these are left open and \
    the client can ask. Reports progress while it writes.";

/// Arguments of `content-generation`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Args {
    /// What it is about.
    #[schemars(length(min = 1, max = 2_000))]
    topic: String,
    /// What to write.
    kind: Kind,
    /// For which grade, e.g. `4` or `"6-8"`.
    grade: Option<Grade>,
    /// About how many words.
    #[schemars(range(min = 50, max = 5_000))]
    length: Option<u32>,
    /// In which language; without it, in that of the topic.
    #[schemars(length(max = 100))]
    language: Option<String>,
    /// Anything else that matters: what the class knows, what to leave out, a style.
    #[schemars(length(max = 10_000))]
    notes: Option<String>,
}

/// What can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Kind {
    /// A plan for a teacher: goals, phases with times, materials, a check at the end.
    LessonOutline,
    /// A text for learners to read.
    Text,
    /// Tasks for learners, with a key.
    Exercise,
}

impl Kind {
    fn brief(self) -> &'static str {
        match self {
            Self::LessonOutline => {
                "Write a lesson outline for a teacher: two to four learning goals that can be \
                 observed, the materials, the phases of the lesson with minutes and what teacher \
                 and learners do in each, one idea for those who need more help and one for those \
                 who need more challenge, and a short check of the goals at the end."
            }
            Self::Text => {
                "Write a text for learners to read: clear, correct, with examples from their \
                 world, new words explained where they first stand, and headings if it is long."
            }
            Self::Exercise => {
                "Write an exercise for learners: what to do in one sentence, then numbered tasks \
                 from easy to hard, then under the heading of an answer key the solution of each."
            }
        }
    }

    fn default_length(self) -> u32 {
        match self {
            Self::LessonOutline => 500,
            Self::Text => 400,
            Self::Exercise => 350,
        }
    }
}

impl Args {
    /// What is left open, and would be asked of a teacher.
    pub fn open(&self) -> Open {
        let words = Amount {
            title: "Length in words",
            range: (50, 5_000),
            default: self.kind.default_length(),
        };
        Open {
            grade: self.grade.is_none(),
            amount: self.length.is_none().then_some(words),
            language: self.language.is_none(),
        }
    }

    /// The same call with what was wished for where it left something open.
    #[must_use]
    pub fn with(mut self, wishes: Wishes) -> Self {
        self.grade = self.grade.or(wishes.grade);
        self.length = self.length.or(wishes.amount);
        self.language = self.language.or(wishes.language);
        self
    }

    /// How long a model's answer may get: words are tokens and a half or two, with room for form.
    pub fn max_tokens(&self) -> u32 {
        500 + 2 * self.length.unwrap_or(self.kind.default_length())
    }
}

/// What the model is told.
pub fn messages(args: &Args) -> Vec<Message> {
    let length = args.length.unwrap_or(args.kind.default_length());
    let mut task = format!("{}\n\nTopic: {}", args.kind.brief(), args.topic.trim());
    match &args.grade {
        Some(grade) => task.push_str(&format!("\nGrade: {grade}; suit its words and ideas.")),
        None => task.push_str("\nGrade: not said; write for a general class."),
    }
    match &args.language {
        Some(language) => task.push_str(&format!("\nLanguage: {}.", language.trim())),
        None => task.push_str("\nLanguage: that of the topic."),
    }
    task.push_str(&format!("\nLength: about {length} words."));
    if let Some(notes) = &args.notes {
        task.push_str(&format!("\nAlso mind: {}", notes.trim()));
    }
    vec![
        Message::system(
            "You write teaching material that teachers use as it is. Facts must be right; leave \
             out what you are not sure of. Answer with the material only, in Markdown, without a \
             word before or after it.",
        ),
        Message::user(task),
    ]
}

/// The finished text, with a note where it did not end by itself.
pub fn finished(completion: Completion) -> String {
    let Completion { text, finish } = completion;
    match finish {
        Finish::Done => text,
        Finish::Length => format!(
            "{text}\n\n[Note: the model's token limit cut this text off. Ask for a smaller \
             `length`, or raise the limit where the model runs.]"
        ),
        Finish::Filtered => format!(
            "{text}\n\n[Note: the endpoint's content filter cut this text off. Rephrase the topic.]"
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn task(args: serde_json::Value) -> String {
        let args = serde_json::from_value(args).unwrap();
        messages(&args)[1].content().to_owned()
    }

    #[test]
    fn the_task_names_what_was_asked_for() {
        let task = task(json!({
            "topic": "Photosynthesis", "kind": "lesson-outline", "grade": 6, "length": 800,
            "language": "German", "notes": "no lab",
        }));
        for part in [
            "lesson outline",
            "Topic: Photosynthesis",
            "Grade: 6",
            "about 800 words",
            "Language: German",
            "Also mind: no lab",
        ] {
            assert!(task.contains(part), "{part}: {task}");
        }
    }

    #[test]
    fn what_was_not_asked_for_has_defaults() {
        let task = task(json!({"topic": "Rain", "kind": "exercise"}));
        assert!(task.contains("about 350 words") && task.contains("that of the topic"));
        assert!(!task.contains("Also mind"));
    }

    #[test]
    fn a_text_that_was_cut_says_so() {
        let finished = |finish| {
            let text = "Rain falls".to_owned();
            super::finished(Completion { text, finish })
        };
        assert_eq!(finished(Finish::Done), "Rain falls");
        assert!(finished(Finish::Length).contains("token limit"));
        assert!(finished(Finish::Filtered).contains("filter"));
    }
}
