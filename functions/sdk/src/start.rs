//! How a function is started, and how it ends.

use std::io::Write as _;
use std::process::ExitCode;

use crate::error::StartError;
use crate::function::Function;
use crate::listener::Listener;
use crate::settings::Settings;
use crate::{logging, process, server};

/// The flag that prints the manifest in place of serving.
const CAPABILITIES_FLAG: &str = "--capabilities";

impl Function {
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
