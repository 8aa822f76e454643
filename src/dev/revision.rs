//! A revision of a pool: the program and all that decides how it runs, under one name.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use dormouse_contract::Manifest;
use dormouse_host::{Launch, Listen, Scaling};
use dormouse_pool::{Listen as DeclaredListen, Pool, Run, read_secret};
use sha2::{Digest as _, Sha256};

use super::deploy::{Defaults, Secrets};

/// How long a program may take to print its manifest.
const DESCRIBE_TIMEOUT: Duration = Duration::from_secs(10);

/// What one pool file asks for, ready to be deployed.
pub struct Revision {
    /// `POOL-HASH`: the same program with the same settings has the same name.
    pub name: String,
    /// The program; for `run.cargo` a copy of its own.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its environment.
    pub env: Vec<(String, String)>,
    /// How it gets its listener.
    pub listen: Listen,
}

impl Revision {
    /// Works out the revision of a pool: `binary` is where cargo put it, for `run.cargo`.
    pub fn of(pool: &Pool, binary: Option<&Path>, data_dir: &Path) -> anyhow::Result<Self> {
        let secrets = |secret: &_| read_secret(data_dir, secret);
        let env = pool.environment(|name| std::env::var(name).ok(), secrets)?;
        let mut hash = Sha256::new();
        hash.update(format!("{pool:?}"));
        env.iter()
            .for_each(|(name, value)| hash.update(format!("{name}={value}\n")));
        let (program, args, listen) = match &pool.run {
            Run::Cargo {
                binary: name,
                listen,
            } => {
                let built = binary.with_context(|| format!("`{name}` was not built"))?;
                hash.update(std::fs::read(built).with_context(|| built.display().to_string())?);
                (built.to_owned(), Vec::new(), listen)
            }
            Run::Command {
                program,
                args,
                listen,
            } => {
                let program = PathBuf::from(program);
                hash.update(changed(&program));
                (program, args.clone(), listen)
            }
            Run::Mcp(_) => {
                bail!("`run.mcp` is not run yet: give the pool a `cargo` or `command` function")
            }
        };
        let digest: String = hash
            .finalize()
            .iter()
            .take(5)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let name = format!("{}-{digest}", pool.name);
        let program = match &pool.run {
            Run::Cargo { .. } => keep(&program, &data_dir.join("revisions").join(&name))?,
            Run::Command { .. } | Run::Mcp(_) => program,
        };
        let listen = match listen {
            DeclaredListen::Stdin => Listen::Stdin,
            DeclaredListen::Port => Listen::Port,
        };
        Ok(Self {
            name,
            program,
            args,
            env,
            listen,
        })
    }

    /// Asks the program what it offers. Programs without `--capabilities` are asked over HTTP
    /// once they run; see [`super::deploy`].
    pub async fn describe(&self) -> anyhow::Result<Manifest> {
        Ok(dormouse_host::describe(&self.program, &self.args, &self.env, DESCRIBE_TIMEOUT).await?)
    }

    /// What the host is asked to run.
    pub fn launch(
        &self,
        pool: &Pool,
        secrets: &Secrets,
        sink: String,
        defaults: Defaults,
    ) -> Launch {
        let mut launch = Launch::new(pool.name.as_str(), self.name.clone(), self.program.clone());
        launch.args.clone_from(&self.args);
        launch.env.clone_from(&self.env);
        launch.listen = self.listen;
        launch.scaling = Scaling {
            min: pool.scaling.min,
            max: pool.scaling.ceiling(defaults.most_instances),
            concurrency: pool.scaling.concurrency,
            idle: pool.scaling.idle,
        };
        launch.balance = pool.balance;
        launch.sink = sink;
        launch.overrides =
            serde_json::json!({"extensions": {"pooltoken": &*secrets.events}}).to_string();
        launch.delivery_secret = secrets.delivery.to_string();
        launch
    }
}

/// When a program that is not copied was last changed, as far as that can be seen.
fn changed(program: &Path) -> String {
    let modified = program.metadata().and_then(|metadata| metadata.modified());
    modified.map(|time| format!("{time:?}")).unwrap_or_default()
}

/// Copies a binary into a folder of its own, so that the next build does not touch it.
fn keep(binary: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    let file = binary.file_name().context("the binary has no file name")?;
    let kept = folder.join(file);
    if kept.is_file() {
        return Ok(kept);
    }
    std::fs::create_dir_all(folder)?;
    let partial = folder.join(".partial");
    std::fs::copy(binary, &partial).with_context(|| format!("copying {}", binary.display()))?;
    std::fs::rename(&partial, &kept)?;
    Ok(kept)
}

/// Removes the copies of revisions that are not `current`.
pub fn forget_others(data_dir: &Path, current: &[String]) {
    let Ok(folders) = std::fs::read_dir(data_dir.join("revisions")) else {
        return;
    };
    for folder in folders.flatten() {
        let name = folder.file_name();
        if !current.iter().any(|current| *name == **current)
            && let Err(error) = std::fs::remove_dir_all(folder.path())
        {
            tracing::warn!(%error, folder = %folder.path().display(), "an old revision stays");
        }
    }
}
