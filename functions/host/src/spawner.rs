//! The one thread that starts processes.
//!
//! The kernel's parent-death signal is sent when the *thread* that spawned a process ends, not
//! the process (`prctl(2)`, `PR_SET_PDEATHSIG`). So one thread spawns everything and lives as
//! long as this process does.
//!
//! `std::process::Command` uses `posix_spawn` here, which costs the same whatever the size of
//! this process: standard streams, environment and process group are all it is asked for.

use std::io;
use std::process::Command;
use std::sync::{LazyLock, mpsc};
use std::time::Duration;

use tokio::process::Child;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// How often, and how long apart, a program is tried that is open for writing.
const BUSY_TRIES: u32 = 20;
const BUSY_PAUSE: Duration = Duration::from_millis(5);

struct Job {
    command: Command,
    runtime: Handle,
    done: oneshot::Sender<io::Result<Child>>,
}

static JOBS: LazyLock<io::Result<mpsc::Sender<Job>>> = LazyLock::new(|| {
    let (jobs, queue) = mpsc::channel();
    std::thread::Builder::new()
        .name("host-spawner".to_owned())
        .spawn(move || work(&queue))?;
    Ok(jobs)
});

fn work(queue: &mpsc::Receiver<Job>) {
    while let Ok(job) = queue.recv() {
        let Job {
            command,
            runtime,
            done,
        } = job;
        let _inside = runtime.enter();
        let mut command = tokio::process::Command::from(command);
        let spawned = spawn_when_free(command.kill_on_drop(true));
        // Closes this process's copy of what the child got as standard input.
        drop(command);
        // Nobody waits any more: dropping the child kills it.
        drop(done.send(spawned));
    }
}

/// A program that has just been written may still be open for writing in a process that some other
/// thread has forked and that has not yet become its own program.
fn spawn_when_free(command: &mut tokio::process::Command) -> io::Result<Child> {
    for _ in 0..BUSY_TRIES {
        match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                std::thread::sleep(BUSY_PAUSE);
            }
            done => return done,
        }
    }
    command.spawn()
}

/// Starts a process. It is killed when the handle is dropped before it was waited for.
pub(crate) async fn spawn(command: Command) -> io::Result<Child> {
    let jobs = JOBS
        .as_ref()
        .map_err(|error| io::Error::new(error.kind(), error.to_string()))?;
    let (done, result) = oneshot::channel();
    let job = Job {
        command,
        runtime: Handle::current(),
        done,
    };
    let lost = || io::Error::other("the spawning thread has ended");
    jobs.send(job).map_err(|_| lost())?;
    result.await.map_err(|_| lost())?
}
