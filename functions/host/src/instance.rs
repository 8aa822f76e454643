//! One process: woken, ready, put to sleep, buried.

use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{io, process};

use bytes::Bytes;
use dormouse_contract::task::HOST_PID_ENV;
use http::{Request, Response};
use rustix::process::Signal;
use tokio::process::Child;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::command::{self, ending, not_started, signal, sweep};
use crate::connection::{Connection, Failure};
use crate::launch::Listen;
use crate::output::Output;
use crate::probe::until_ready;
use crate::revision::Shared;
use crate::socket::{self, Address, Port};
use crate::spawner::spawn;

/// Programs that only know `PORT` close kept connections as they please, the strictest common
/// ones after two seconds: ours are not kept as long.
const KEPT_TO_STRANGERS: Duration = Duration::from_secs(1);

/// How long a call whose connection broke waits to hear how the process ended.
const WAKE_KEEPING: Duration = Duration::from_millis(100);

/// A ready process, as its calls see it.
pub(crate) struct Instance {
    pub(crate) id: u64,
    pub(crate) name: String,
    address: Address,
    /// How long an idle connection is good for; `None` for ever.
    kept_for: Option<Duration>,
    idle: Mutex<Vec<Connection>>,
    stop: CancellationToken,
    obituary: watch::Sender<Option<String>>,
}

impl Instance {
    /// Stops the process; it must be out of rotation.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// One call. An idle connection that turns out to be closed is passed over.
    pub(crate) async fn exchange(
        &self,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, Failure> {
        let mut request = request;
        loop {
            let connection = match self.take_idle() {
                Some(connection) => connection,
                None => match Connection::open(&self.address).await {
                    Ok(connection) => connection,
                    Err(error) => {
                        let words = format!("it cannot be connected to: {error}");
                        return Err(match error.kind() {
                            io::ErrorKind::ConnectionRefused
                            | io::ErrorKind::ConnectionReset
                            | io::ErrorKind::NotFound => Failure::Unsent(Box::new(request), words),
                            // Out of descriptors, say: not its fault, and surely not run.
                            _ => Failure::Unwritten(words),
                        });
                    }
                },
            };
            let used = connection.is_used();
            match connection.exchange(request).await {
                Ok((response, kept)) => {
                    self.keep(kept);
                    return Ok(response);
                }
                Err(Failure::Unsent(unsent, _)) if used => request = *unsent,
                Err(failure) => return Err(failure),
            }
        }
    }

    /// How the process ended, if it does soon.
    pub(crate) async fn obituary(&self) -> Option<String> {
        let mut obituary = self.obituary.subscribe();
        let ended = obituary.wait_for(Option::is_some);
        let ended = tokio::time::timeout(WAKE_KEEPING, ended).await.ok()?.ok()?;
        ended.clone()
    }

    fn take_idle(&self) -> Option<Connection> {
        let connection = self.idle().pop()?;
        let fresh = self
            .kept_for
            .is_none_or(|kept_for| connection.idle_since().elapsed() < kept_for);
        if !fresh {
            // Those below it are older still.
            self.idle().clear();
            return None;
        }
        Some(connection)
    }

    fn keep(&self, connection: Option<Connection>) {
        if let Some(connection) = connection
            && !self.stop.is_cancelled()
        {
            self.idle().push(connection);
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Started {
    instance: Arc<Instance>,
    child: Child,
    output: Output,
    /// Held as long as the program may use it.
    _port: Option<Port>,
}

enum NotStarted {
    Failed(String),
    Cut,
}

/// The whole life of an instance, from its place in the rotation until it is gone.
pub(crate) async fn live(shared: Arc<Shared>, id: u64) {
    let begun = Instant::now();
    let mut started = match start(&shared, id).await {
        Ok(started) => started,
        Err(NotStarted::Failed(words)) => {
            tracing::warn!(pool = %shared.launch.pool, reason = words, "cannot wake");
            return shared.gone(id, Some(&words));
        }
        Err(NotStarted::Cut) => return shared.gone(id, None),
    };
    let instance = Arc::clone(&started.instance);
    let pool = &shared.launch.pool;
    metrics::counter!("dormouse_wakes_total", "pool" => pool.to_string()).increment(1);
    timed(&shared, "total", begun);
    tracing::debug!(%pool, instance = instance.name, pid = started.child.id(), "awake");
    shared.ready(&instance);
    let pid = started.child.id();
    tokio::select! {
        status = started.child.wait() => {
            let words = bury(&mut started, pid, &status).await;
            tracing::warn!(%pool, instance = instance.name, reason = words, "ended by itself");
            instance.obituary.send_replace(Some(words.clone()));
            shared.gone(id, Some(&words));
        }
        () = instance.stop.cancelled() => put_to_sleep(&shared, &mut started).await,
        () = shared.cut.cancelled() => {
            shared.withdraw(&instance);
            put_to_sleep(&shared, &mut started).await;
        }
    }
}

async fn start(shared: &Shared, id: u64) -> Result<Started, NotStarted> {
    let begun = Instant::now();
    let launch = &shared.launch;
    let name = format!("{}-{id}", launch.revision);
    let (command, address, port) = prepare(shared).map_err(|error| {
        NotStarted::Failed(format!("no listener could be made for it: {error}"))
    })?;
    let early = async {
        match launch.listen {
            Listen::Stdin => Connection::open(&address).await.ok(),
            Listen::Port => None,
        }
    };
    let (child, connection) = tokio::join!(spawn(command), early);
    let mut child =
        child.map_err(|error| NotStarted::Failed(not_started(&launch.program, &error)))?;
    timed(shared, "spawn", begun);
    let spawned = Instant::now();
    let output = Output::follow(&mut child, &launch.pool, &name);
    let pid = child.id();
    let ready = tokio::select! {
        biased;
        status = child.wait() => Err(Some(format!("it exited at start ({})", ending(&status)))),
        kept = until_ready(&address, connection) => Ok(kept),
        () = tokio::time::sleep(launch.start_timeout) => Err(Some(format!(
            "it did not get ready within {}",
            dormouse_contract::duration::format(launch.start_timeout)
        ))),
        () = shared.cut.cancelled() => Err(None),
    };
    let instance = |kept: Option<Connection>| Instance {
        id,
        name,
        address,
        kept_for: match launch.listen {
            Listen::Stdin => None,
            Listen::Port => Some(KEPT_TO_STRANGERS),
        },
        idle: Mutex::new(kept.into_iter().collect()),
        stop: CancellationToken::new(),
        obituary: watch::Sender::new(None),
    };
    match ready {
        Ok(kept) => {
            timed(shared, "ready", spawned);
            Ok(Started {
                instance: Arc::new(instance(kept)),
                child,
                output,
                _port: port,
            })
        }
        Err(words) => Err(give_up(child, pid, output, words).await),
    }
}

fn prepare(shared: &Shared) -> io::Result<(process::Command, Address, Option<Port>)> {
    let launch = &shared.launch;
    match launch.listen {
        Listen::Stdin => {
            let (listener, address) = socket::listen()?;
            let mut command = command::command(&launch.program, &launch.args, &shared.env);
            command
                .stdin(listener)
                .env(HOST_PID_ENV, process::id().to_string());
            Ok((command, address, None))
        }
        Listen::Port => {
            let port = Port::choose()?;
            let args = crate::exec::arguments(&launch.program, &launch.args);
            let mut command = command::command(&shared.launcher, args, &shared.env);
            command.env("PORT", port.number().to_string());
            Ok((command, Address::of_port(&port), Some(port)))
        }
    }
}

async fn give_up(
    mut child: Child,
    pid: Option<u32>,
    mut output: Output,
    words: Option<String>,
) -> NotStarted {
    signal(&child, Signal::KILL);
    let _ = child.wait().await;
    sweep(pid);
    match words {
        Some(words) => NotStarted::Failed(output.after(&words).await),
        None => NotStarted::Cut,
    }
}

/// What is to be said of a process that ended by itself.
async fn bury(started: &mut Started, pid: Option<u32>, status: &io::Result<ExitStatus>) -> String {
    sweep(pid);
    started.instance.idle().clear();
    let words = format!("it exited ({})", ending(status));
    started.output.after(&words).await
}

async fn put_to_sleep(shared: &Arc<Shared>, started: &mut Started) {
    // A server that is asked to stop waits for its kept connections.
    started.instance.idle().clear();
    let pid = started.child.id();
    signal(&started.child, Signal::TERM);
    let patience = shared.launch.stop_timeout;
    if tokio::time::timeout(patience, started.child.wait())
        .await
        .is_err()
    {
        tracing::warn!(
            pool = %shared.launch.pool,
            instance = started.instance.name,
            "did not stop in time: killed"
        );
        signal(&started.child, Signal::KILL);
        let _ = started.child.wait().await;
    }
    sweep(pid);
    tracing::debug!(pool = %shared.launch.pool, instance = started.instance.name, "asleep");
    shared.gone(started.instance.id, None);
}

fn timed(shared: &Shared, phase: &'static str, since: Instant) {
    let pool = shared.launch.pool.to_string();
    metrics::histogram!("dormouse_wake_seconds", "pool" => pool, "phase" => phase)
        .record(since.elapsed().as_secs_f64());
}
