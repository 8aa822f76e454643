//! The three tools as the platform sees them: names, hints, policies, and handlers that join the
//! plain functions of the other modules to a call.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dormouse_function::{Context, Structured, Tool, ToolError};

use crate::alignment::{self, Alignment};
use crate::assessment::{self, Assessment, Failure, Plan};
use crate::content;
use crate::model::{self, After, Error, Model};
use crate::wishes;
use crate::writer::{WriteError, Writer};

/// How long a model may write before the platform stops waiting; pools say otherwise at will.
const WRITING: Duration = Duration::from_secs(120);

/// A wait that the platform does for the caller. For more, the caller gets an answer at once.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How many characters come between two reports of progress.
const STRIDE: usize = 40;

/// `curriculum-alignment`, reading files below `root` only, if there is one.
pub fn curriculum_alignment(root: Option<PathBuf>) -> Tool {
    let handler = move |_: Context, args: alignment::Args| {
        let root = root.clone();
        async move {
            // Files and large sets must not hold up the probes.
            let aligning =
                tokio::task::spawn_blocking(move || alignment::align(args, root.as_deref()));
            let aligned: Result<Alignment, alignment::Error> = aligning.await?;
            aligned
                .map(Structured)
                .map_err(|error| ToolError::caller(error.to_string()))
        }
    };
    Tool::new("curriculum-alignment", alignment::DESCRIPTION, handler)
        .title("Curriculum alignment")
        .read_only()
        .idempotent()
        .open_world(false)
}

/// `content-generation`, written by `model`.
pub fn content_generation(model: Arc<Model>) -> Tool {
    const NAME: &str = "content-generation";
    let handler = move |cx: Context, args: content::Args| {
        let model = Arc::clone(&model);
        async move {
            // Nobody is asked for wishes that could not be met.
            let writer = Writer::of(&model, &cx).map_err(|missing| unconfigured(NAME, missing))?;
            let wishes = wishes::ask(&cx, args.open()).await?;
            let args = args.with(wishes);
            let mut writer = writer.at_most(args.max_tokens());
            let mut progress = Progress::of(cx.clone());
            let messages = content::messages(&args);
            let mut on_text = |text: &str| progress.tell(text);
            let written = or_cancelled(&cx, writer.write(&messages, &mut on_text)).await?;
            written
                .map(content::finished)
                .map_err(|error| unwritten(&error))
        }
    };
    Tool::new(NAME, content::DESCRIPTION, handler)
        .title("Content generation")
        .read_only()
        .open_world(true)
        .timeout(WRITING)
}

/// `assessment-design`, written by `model`.
pub fn assessment_design(model: Arc<Model>) -> Tool {
    const NAME: &str = "assessment-design";
    let handler = move |cx: Context, args: assessment::Args| {
        let model = Arc::clone(&model);
        async move {
            // Nobody is asked for wishes that could not be met.
            Plan::new(&args).map_err(|failure| refuse(&failure))?;
            let writer = Writer::of(&model, &cx).map_err(|missing| unconfigured(NAME, missing))?;
            let wishes = wishes::ask(&cx, args.open()).await?;
            let plan = Plan::new(&args.with(wishes)).map_err(|failure| refuse(&failure))?;
            let writer = writer.at_most(plan.max_tokens());
            let mut progress = Progress::of(cx.clone());
            let mut on_text = |text: &str| progress.tell(text);
            let designed: Result<Assessment, Failure> =
                or_cancelled(&cx, plan.carry_out(writer, &mut on_text)).await?;
            designed.map(Structured).map_err(|failure| refuse(&failure))
        }
    };
    Tool::new(NAME, assessment::DESCRIPTION, handler)
        .title("Assessment design")
        .read_only()
        .open_world(true)
        // Its model may be asked twice.
        .timeout(2 * WRITING)
}

/// Drops `work`, and with it the request to the model, when nobody waits any more.
async fn or_cancelled<W: Future>(cx: &Context, work: W) -> Result<W::Output, ToolError> {
    tokio::select! {
        done = work => Ok(done),
        () = cx.cancelled() => Err(ToolError::caller(
            "the call was cancelled or its time was up; the request to the model was dropped, \
             and calling again is safe",
        )),
    }
}

fn unconfigured(tool: &str, missing: &model::Unconfigured) -> ToolError {
    ToolError::caller(format!(
        "{}\n\nOr call from a client that lends its own model (MCP sampling).",
        missing.in_words(tool)
    ))
}

fn refuse(failure: &Failure) -> ToolError {
    match failure {
        Failure::Writing(error) => unwritten(error),
        Failure::Arguments(_) | Failure::Unusable(_) => ToolError::caller(failure.to_string()),
    }
}

fn unwritten(error: &WriteError) -> ToolError {
    match error {
        WriteError::Endpoint(error) => to_tool_error(error),
        WriteError::Client(error) => error.clone().into(),
        WriteError::Wordless => ToolError::caller(error.to_string()),
    }
}

/// What passes soon is left to the platform's retries; about everything else the caller is told
/// at once, because only people or other arguments can mend it.
fn to_tool_error(error: &Error) -> ToolError {
    let words = error.in_words();
    match error {
        Error::Cut { .. } | Error::Reported(_) => ToolError::retryable(words),
        Error::Limited { after, .. } | Error::Broken { after, .. } => match after {
            After::Unsaid => ToolError::retryable(words),
            After::Seconds(seconds) if Duration::from_secs(*seconds) <= LONGEST_WAIT => {
                ToolError::retryable(words).after(Duration::from_secs(*seconds))
            }
            After::Seconds(_) | After::Date(_) => ToolError::caller(words),
        },
        Error::Setup(_)
        | Error::Unreachable { .. }
        | Error::Unauthorized { .. }
        | Error::NotFound { .. }
        | Error::Quota(_)
        | Error::Refused { .. }
        | Error::Redirected { .. }
        | Error::Silent(_)
        | Error::Rubbish(_)
        | Error::Declined(_)
        | Error::TooLong(_)
        | Error::Silence => ToolError::caller(words),
    }
}

/// Tells how many characters are written. It only rises, also when the model starts anew.
struct Progress {
    cx: Context,
    earlier: usize,
    written: usize,
    told: usize,
}

impl Progress {
    fn of(cx: Context) -> Self {
        Self {
            cx,
            earlier: 0,
            written: 0,
            told: 0,
        }
    }

    fn tell(&mut self, text: &str) {
        let written = text.chars().count();
        if written < self.written {
            self.earlier += self.written;
        }
        self.written = written;
        let all = self.earlier + written;
        if self.told == 0 || all >= self.told + STRIDE {
            self.told = all;
            let message = format!("{all} characters written");
            self.cx.progress(all as f64, None, &message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_passes_soon_is_left_to_the_platform() {
        let limited = |after: &str| {
            to_tool_error(&Error::Limited {
                after: After::read(Some(after)),
                detail: model::Detail::default(),
            })
        };
        let wait = Some(Duration::from_secs(7));
        assert!(matches!(limited("7"), ToolError::Retryable { after, .. } if after == wait));
        assert!(matches!(limited("3600"), ToolError::Caller(_)));
        let silent = to_tool_error(&Error::Silent(WRITING));
        assert!(matches!(silent, ToolError::Caller(words) if words.contains("safe")));
    }

    #[test]
    fn progress_rises_when_the_model_starts_anew() {
        let mut progress = Progress::of(Context::detached());
        let mut told = Vec::new();
        for text in ["ab", &"x".repeat(60), "y", &"y".repeat(50)] {
            progress.tell(text);
            told.push(progress.told);
        }
        assert_eq!(told, [2, 60, 60, 110]);
    }
}
