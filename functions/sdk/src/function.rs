//! The function: what it offers, and how it is started.

use std::io::Write as _;
use std::process::ExitCode;

use dormouse_contract::{Event, Manifest};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::context::Context;
use crate::error::{StartError, ToolError};
use crate::listener::Listener;
use crate::reaction::{IntoFilter, IntoReply, Reaction};
use crate::result::IntoToolResult;
use crate::settings::Settings;
use crate::tool::Tool;
use crate::{logging, manifest, process, server};

/// The flag that prints the manifest in place of serving.
const CAPABILITIES_FLAG: &str = "--capabilities";

/// One program that offers capabilities over HTTP and sleeps when idle.
pub struct Function {
    pub(crate) name: String,
    pub(crate) agent_type: String,
    pub(crate) version: String,
    pub(crate) tools: Vec<Tool>,
    pub(crate) reactions: Vec<Reaction>,
    threads: usize,
}

impl Function {
    /// A function that offers nothing yet. Its name (at most 63 lower-case letters, digits and
    /// hyphens) is what it calls itself; the platform may deploy it under another.
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            agent_type: name.clone(),
            name,
            version: String::new(),
            tools: Vec::new(),
            reactions: Vec::new(),
            threads: 0,
        }
    }

    /// The agent type: `educational`, `github`, `database` or any other word. Default: the name.
    #[must_use]
    pub fn agent_type(mut self, agent_type: impl Into<String>) -> Self {
        self.agent_type = agent_type.into();
        self
    }

    /// The version, usually `env!("CARGO_PKG_VERSION")`. Default: none.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// How many threads run handlers when [`Function::main`] builds the runtime. Default: the
    /// main thread alone, which starts fastest; a handler that computes for long belongs on
    /// `tokio::task::spawn_blocking` all the same, so that others are not held up.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Offers a tool; see [`Tool::new`] for what the parts mean.
    #[must_use]
    pub fn tool<T, R, F, Fut>(
        self,
        name: impl Into<String>,
        description: impl Into<String>,
        handler: F,
    ) -> Self
    where
        T: DeserializeOwned + JsonSchema + 'static,
        R: IntoToolResult + 'static,
        F: Fn(Context, T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, ToolError>> + Send + 'static,
    {
        self.with_tool(Tool::new(name, description, handler))
    }

    /// Offers a tool with hints or a policy.
    #[must_use]
    pub fn with_tool(mut self, tool: Tool) -> Self {
        self.tools.push(tool);
        self
    }

    /// Reacts to events of a type that starts with a text, or that match a
    /// [`Filter`](crate::Filter). The first reaction that takes an event gets it; its reply, if
    /// any, is published.
    ///
    /// ```
    /// use dormouse_function::{Context, Event, Function, ToolError};
    ///
    /// async fn pushed(cx: Context, event: Event) -> Result<Event, ToolError> {
    ///     Ok(Event::new(cx.task_id(), "/reviews", "org.example.review.wanted")
    ///         .with_json(event.data.unwrap_or_default()))
    /// }
    ///
    /// let function = Function::new("reviews").on_event("com.github.push", pushed);
    /// ```
    #[must_use]
    pub fn on_event<R, F, Fut>(mut self, filter: impl IntoFilter, handler: F) -> Self
    where
        R: IntoReply,
        F: Fn(Context, Event) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, ToolError>> + Send + 'static,
    {
        self.reactions.push(Reaction::new(filter, handler));
        self
    }

    /// How the function describes itself.
    ///
    /// # Errors
    /// A tool that no client could call.
    pub fn manifest(&self) -> Result<Manifest, StartError> {
        self.check()?;
        manifest::describe(self)
    }

    /// Serves until the process is told to stop, on a runtime of its own: the whole `main` of a
    /// function. With `--capabilities` it prints the manifest and ends.
    pub fn main(self) -> ExitCode {
        if wants_capabilities() {
            return self.print_capabilities();
        }
        let mut builder = match self.threads {
            0 => tokio::runtime::Builder::new_current_thread(),
            threads => {
                let mut builder = tokio::runtime::Builder::new_multi_thread();
                builder.worker_threads(threads);
                builder
            }
        };
        let runtime = match builder.enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return report(&StartError::System(error)),
        };
        let code = runtime.block_on(self.run());
        // What runs has finished; a blocking thread that somebody left behind must not hold us up.
        runtime.shutdown_background();
        code
    }

    /// The same as [`Function::main`] inside a runtime that the program already has.
    pub async fn run(self) -> ExitCode {
        if wants_capabilities() {
            return self.print_capabilities();
        }
        match self.start().await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => report(&error),
        }
    }

    async fn start(self) -> Result<(), StartError> {
        let settings = Settings::from_env()?;
        logging::init(settings.json_logs);
        let listener = match Listener::inherited().map_err(StartError::Inherited)? {
            Some(listener) => {
                process::follow_host(settings.host)?;
                let stop = process::stop_signal(process::Interrupt::Ignore)?;
                return self.serve(listener, settings, stop).await;
            }
            None => {
                // Started by hand, nobody knows a secret: it is not for the network.
                let deployed = settings.pool.is_some() || settings.secret.is_some();
                Listener::bind(settings.port, deployed).await?
            }
        };
        tracing::info!(address = %listener, "listening");
        let stop = process::stop_signal(process::Interrupt::Stop)?;
        self.serve(listener, settings, stop).await
    }

    /// Serves on a listener until `stop` resolves, then finishes what runs and refuses what is
    /// new. For tests, and for programs that do more than this; others use [`Function::main`].
    ///
    /// # Errors
    /// When the function's name or a tool's could not be called.
    pub async fn serve(
        self,
        listener: impl Into<Listener>,
        settings: Settings,
        stop: impl Future<Output = ()>,
    ) -> Result<(), StartError> {
        self.check()?;
        let service = server::Service::new(self, settings)?;
        server::serve(service, listener.into(), stop).await;
        Ok(())
    }

    /// What can be checked without making schemas.
    fn check(&self) -> Result<(), StartError> {
        check_name(&self.name)?;
        let mut seen = std::collections::HashSet::new();
        for tool in &self.tools {
            tool.check_name()?;
            if !seen.insert(tool.name()) {
                return Err(StartError::Tool {
                    tool: tool.name().to_owned(),
                    reason: "there are two of this name".to_owned(),
                });
            }
        }
        Ok(())
    }

    fn print_capabilities(&self) -> ExitCode {
        let printed = self.manifest().and_then(|manifest| {
            let mut line = serde_json::to_vec(&manifest).map_err(std::io::Error::from)?;
            line.push(b'\n');
            Ok(std::io::stdout().write_all(&line)?)
        });
        match printed {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => report(&error),
        }
    }
}

/// Whether the name can be part of a URL, and of a Kubernetes object's name.
pub(crate) fn check_name(name: &str) -> Result<(), StartError> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    match (1..=63).contains(&name.len()) && name.bytes().all(allowed) {
        true => Ok(()),
        false => Err(StartError::Name(name.to_owned())),
    }
}

fn wants_capabilities() -> bool {
    std::env::args_os()
        .skip(1)
        .any(|argument| argument == CAPABILITIES_FLAG)
}

/// Tells on stderr why nothing starts: there may be no log yet.
fn report(error: &StartError) -> ExitCode {
    // Nobody is left to tell when stderr is gone too.
    let _ = writeln!(std::io::stderr(), "error: {error}");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NoArguments;

    async fn nothing(_: Context, _: NoArguments) -> Result<(), ToolError> {
        Ok(())
    }

    #[test]
    fn the_manifest_is_one_that_the_platform_reads() {
        let function = Function::new("hello")
            .agent_type("educational")
            .version("1.2.3")
            .tool("one", "One.", nothing)
            .on_event("com.github.", async |_cx: Context, _event: Event| Ok(()));
        let json = serde_json::to_vec(&function.manifest().unwrap()).unwrap();
        let manifest = Manifest::parse(&json).unwrap();
        assert_eq!(
            (manifest.agent_type.as_str(), manifest.version.as_str()),
            ("educational", "1.2.3")
        );
        assert_eq!(manifest.parsed_tools().unwrap()[0].name, "one");
        assert_eq!(
            manifest.triggers[0].get(),
            r#"{"filters":[{"prefix":{"type":"com.github."}}]}"#
        );
    }

    #[test]
    fn names_that_cannot_be_called_are_told() {
        let twice = Function::new("f")
            .tool("t", "", nothing)
            .tool("t", "", nothing);
        assert!(
            twice
                .manifest()
                .unwrap_err()
                .to_string()
                .contains("two of this name")
        );
        let shouted = Function::new("Hello World");
        assert!(
            shouted
                .manifest()
                .unwrap_err()
                .to_string()
                .contains("`Hello World`")
        );
    }
}
