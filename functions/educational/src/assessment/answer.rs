//! Reads what the model wrote into questions, and says what is wrong with it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Form;
use super::bloom::{Counts, Level};
use crate::model::{Completion, Finish};

/// The fewest and the most options of a multiple-choice question.
const OPTIONS: std::ops::RangeInclusive<usize> = 2..=8;

/// One question of an assessment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Question {
    /// The level of Bloom's taxonomy.
    pub level: Level,
    /// What learners are asked.
    pub question: String,
    /// How it is answered.
    pub kind: Kind,
    /// What to choose from; multiple-choice questions only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<Vec<String>>,
    /// The right option to the letter, or a model answer.
    pub answer: String,
    /// Why that is the answer, and why the question is of its level.
    pub rationale: String,
}

/// How a question is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Kind {
    /// By choosing one option.
    MultipleChoice,
    /// In the learner's own words.
    Open,
}

/// What could be read of one answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// Sound questions, by level, no more of a level than asked for.
    pub questions: Vec<Question>,
    /// What is wrong, in words for the model and for people alike.
    pub problems: Vec<String>,
}

impl Draft {
    /// Reads a completion, of which the rest may be missing.
    pub fn of(completion: &Completion, counts: Counts, form: Form) -> Self {
        let mut draft = Self::read(&completion.text, counts, form);
        let cut = match completion.finish {
            Finish::Done => None,
            Finish::Length => Some("the endpoint's token limit cut the answer off"),
            Finish::Filtered => Some("the endpoint's content filter cut the answer off"),
        };
        if let Some(cut) = cut.filter(|_| !draft.problems.is_empty()) {
            draft.problems.push(cut.to_owned());
        }
        draft
    }

    /// Reads an answer and compares it with what was asked for.
    fn read(answer: &str, counts: Counts, form: Form) -> Self {
        let mut draft = Self::default();
        match entries(answer) {
            Ok(entries) => {
                for (index, entry) in entries.into_iter().enumerate() {
                    match question(entry, form) {
                        Ok(question) => draft.questions.push(question),
                        Err(problem) => {
                            draft
                                .problems
                                .push(format!("question {}: {problem}", index + 1));
                        }
                    }
                }
            }
            Err(problem) => draft.problems.push(problem),
        }
        draft.count(counts);
        draft
    }

    /// Drops what is too much and notes what is too little.
    fn count(&mut self, counts: Counts) {
        self.questions.sort_by_key(|question| question.level);
        for level in Level::ALL {
            let (wanted, mut kept) = (counts.of(level), 0);
            self.questions.retain(|question| {
                let is_kept = question.level != level || kept < wanted;
                kept += usize::from(question.level == level && is_kept);
                is_kept
            });
            if kept < wanted {
                self.problems.push(format!(
                    "questions of the level `{level}`: {wanted} asked for, {kept} usable"
                ));
            }
        }
    }
}

/// The schema of the answer, within the subset of JSON Schema that strict response formats allow:
/// every member required, nothing else allowed.
pub fn schema(counts: Counts, form: Form) -> Value {
    let levels: Vec<_> = counts.wanted().map(|(level, _)| level.name()).collect();
    let kinds: &[&str] = match form {
        Form::MultipleChoice => &["multiple-choice"],
        Form::Open => &["open"],
        Form::Mixed => &["multiple-choice", "open"],
    };
    json!({
        "type": "object",
        "properties": {"questions": {"type": "array", "items": {
            "type": "object",
            "properties": {
                "level": {"type": "string", "enum": levels},
                "question": {"type": "string"},
                "kind": {"type": "string", "enum": kinds},
                "options": {"type": ["array", "null"], "items": {"type": "string"}},
                "answer": {"type": "string"},
                "rationale": {"type": "string"},
            },
            "required": ["level", "question", "kind", "options", "answer", "rationale"],
            "additionalProperties": false,
        }}},
        "required": ["questions"],
        "additionalProperties": false,
    })
}

/// The list in the answer. Models like to wrap JSON into fences or talk around it.
fn entries(answer: &str) -> Result<Vec<Value>, String> {
    let from_start = answer
        .find(['{', '['])
        .map(|start| &answer[start..])
        .ok_or_else(|| "the answer holds no JSON object".to_owned())?;
    // Without an end it was cut off: the parser says so.
    let json = match from_start.rfind(['}', ']']) {
        Some(end) => &from_start[..=end],
        None => from_start,
    };
    let parsed: Value = serde_json::from_str(json)
        .map_err(|error| format!("the answer is not valid JSON: {error}"))?;
    let list = match parsed {
        Value::Array(list) => Some(list),
        Value::Object(mut object) => match object.remove("questions") {
            Some(Value::Array(list)) => Some(list),
            Some(_) | None => None,
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    };
    list.ok_or_else(|| "the answer has no list `questions`".to_owned())
}

fn question(entry: Value, form: Form) -> Result<Question, String> {
    let mut question: Question =
        serde_json::from_value(entry).map_err(|error| error.to_string())?;
    for (name, text) in [
        ("question", &question.question),
        ("answer", &question.answer),
        ("rationale", &question.rationale),
    ] {
        if text.trim().is_empty() {
            return Err(format!("`{name}` is empty"));
        }
    }
    match (form, question.kind) {
        (Form::Open, Kind::MultipleChoice) | (Form::MultipleChoice, Kind::Open) => {
            return Err(format!("only {form} questions were asked for"));
        }
        (Form::Mixed | Form::Open, Kind::Open) => question.options = None,
        (Form::Mixed | Form::MultipleChoice, Kind::MultipleChoice) => {
            question.answer = chosen(&question)?;
        }
    }
    Ok(question)
}

/// The option that the answer means: to the letter, or by its letter (`B`, `B) blue`).
fn chosen(question: &Question) -> Result<String, String> {
    let options = question.options.as_deref().unwrap_or_default();
    if !OPTIONS.contains(&options.len()) {
        return Err(format!(
            "a multiple-choice question has {} to {} `options`, this one has {}",
            OPTIONS.start(),
            OPTIONS.end(),
            options.len()
        ));
    }
    let is_repeated = |(place, option): (usize, &String)| options[..place].contains(option);
    if options.iter().enumerate().any(is_repeated) {
        return Err("two `options` are the same".to_owned());
    }
    let answer = question.answer.trim();
    let same = |option: &&String| option.trim() == answer;
    if let Some(option) = options.iter().find(same) {
        return Ok(option.clone());
    }
    let by_letter = by_letter(answer, options);
    by_letter.ok_or_else(|| "`answer` is none of the `options`".to_owned())
}

fn by_letter(answer: &str, options: &[String]) -> Option<String> {
    let mut letters = answer.chars();
    let letter = letters.next()?.to_ascii_uppercase();
    let rest = letters.as_str();
    let place = ('A'..='Z').position(|known| known == letter)?;
    let option = options.get(place)?;
    let rest = match rest {
        "" => "",
        _ => rest.strip_prefix([')', '.', ':'])?.trim(),
    };
    (rest.is_empty() || rest == option.trim()).then(|| option.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(level: &str) -> Value {
        json!({"level": level, "question": "Q?", "kind": "open", "options": null,
            "answer": "A", "rationale": "R"})
    }

    fn choice(answer: &str, options: &[&str]) -> Value {
        json!({"level": "apply", "question": "Q?", "kind": "multiple-choice",
            "options": options, "answer": answer, "rationale": "R"})
    }

    fn counts(json: Value) -> Counts {
        serde_json::from_value(json).unwrap()
    }

    fn read_one(entry: &Value, form: Form) -> Draft {
        let answer = json!({"questions": [entry]}).to_string();
        Draft::read(&answer, counts(json!({"apply": 1})), form)
    }

    #[test]
    fn json_is_found_in_fences_and_talk() {
        let list = json!([entry("apply")]);
        for answer in [
            format!("Here you are:\n```json\n{{\"questions\": {list}}}\n```\nEnjoy!"),
            list.to_string(),
        ] {
            let draft = Draft::read(&answer, counts(json!({"apply": 1})), Form::Mixed);
            assert_eq!((draft.questions.len(), draft.problems.len()), (1, 0));
        }
    }

    #[test]
    fn questions_are_ordered_trimmed_and_counted() {
        let list = ["create", "apply", "remember", "apply"].map(entry);
        let asked = counts(json!({"remember": 1, "apply": 1, "create": 2}));
        let draft = Draft::read(&json!({"questions": list}).to_string(), asked, Form::Open);
        let levels: Vec<_> = draft.questions.iter().map(|found| found.level).collect();
        assert_eq!(levels, [Level::Remember, Level::Apply, Level::Create]);
        assert_eq!(draft.problems.len(), 1);
        assert!(draft.problems[0].contains("level `create`: 2 asked for, 1 usable"));
    }

    #[test]
    fn the_right_option_is_found_by_text_and_by_letter() {
        let options = ["red", "blue", "B"];
        for (answer, expected) in [
            (" blue ", "blue"),
            ("b) blue", "blue"),
            ("A", "red"),
            ("A.", "red"),
            ("B", "B"),
        ] {
            let draft = read_one(&choice(answer, &options), Form::MultipleChoice);
            assert_eq!(draft.problems, Vec::<String>::new(), "{answer}");
            assert_eq!(draft.questions[0].answer, expected);
        }
    }

    #[test]
    fn unsound_questions_are_refused_in_words() {
        for (entry, form, said) in [
            (
                choice("green", &["red", "blue"]),
                Form::Mixed,
                "none of the",
            ),
            (
                choice("A) blue", &["red", "blue"]),
                Form::Mixed,
                "none of the",
            ),
            (choice("red", &["red"]), Form::Mixed, "this one has 1"),
            (choice("red", &["red", "red"]), Form::Mixed, "the same"),
            (choice("red", &["red", "blue"]), Form::Open, "only open"),
            (entry("apply"), Form::MultipleChoice, "only multiple-choice"),
            (entry("recall"), Form::Mixed, "unknown variant `recall`"),
            (json!({"level": "apply"}), Form::Mixed, "missing field"),
        ] {
            let draft = read_one(&entry, form);
            assert!(draft.questions.is_empty());
            assert!(draft.problems[0].contains(said), "{:?}", draft.problems);
        }
    }

    #[test]
    fn answers_without_questions_are_refused_in_words() {
        for (answer, said) in [
            ("I cannot do that.", "no JSON object"),
            ("{\"questions\": [", "not valid JSON"),
            ("} {", "not valid JSON"),
            ("{\"questions\": 3}", "no list"),
        ] {
            let draft = Draft::read(answer, Counts::spread(1), Form::Mixed);
            assert!(draft.problems[0].contains(said), "{:?}", draft.problems);
        }
    }

    #[test]
    fn an_answer_that_was_cut_says_why() {
        let cut = |text: &str, finish| {
            let text = text.to_owned();
            Draft::of(&Completion { text, finish }, Counts::spread(1), Form::Mixed).problems
        };
        let problems = cut("{\"questions\": [{\"level\"", Finish::Length);
        assert!(
            problems
                .iter()
                .any(|problem| problem.contains("token limit"))
        );
        let sound = json!({"questions": [entry("remember")]}).to_string();
        assert!(cut(&sound, Finish::Filtered).is_empty());
    }

    #[test]
    fn the_schema_is_strict_and_names_what_was_asked_for() {
        let schema = schema(counts(json!({"apply": 1, "create": 2})), Form::Open);
        let items = &schema["properties"]["questions"]["items"];
        assert_eq!(
            items["properties"]["level"]["enum"],
            json!(["apply", "create"])
        );
        assert_eq!(items["properties"]["kind"]["enum"], json!(["open"]));
        let properties = items["properties"].as_object().unwrap();
        assert_eq!(
            items["required"].as_array().unwrap().len(),
            properties.len()
        );
    }
}
