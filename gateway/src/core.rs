//! What all connections share: the catalogue of the moment, the sessions, the broker.

use std::sync::{Arc, Weak};
use std::time::Duration;

use dormouse_broker::{Answered, Broker, Standing, TaskFilter, TaskId, TaskRecord};
use dormouse_contract::announcement::Announcement;
use dormouse_contract::registration::{Registration, Registrations};
use serde_json::{Value, json};
use tokio::sync::{broadcast, watch};

use crate::capabilities;
use crate::catalogue::{Catalogue, Fingerprints};
use crate::config::Config;
use crate::ears::Ears;
use crate::era::{self, Era, Revision};
use crate::error::Fault;
use crate::meters;
use crate::own;
use crate::own::types::Types;
use crate::session::Sessions;
use crate::store::Store;
use crate::suspension::state::{Keys, Round};

/// How often sessions at rest are looked for.
const SWEEP: Duration = Duration::from_secs(30);

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Core {
    pub config: Config,
    pub broker: Broker,
    pub principal: Arc<str>,
    pub sessions: Sessions,
    pub store: Store,
    /// Who wants to hear of which resource.
    pub ears: Arc<Ears>,
    /// The types of events that are listed as resources.
    pub types: watch::Sender<Types>,
    catalogue: watch::Sender<Arc<Catalogue>>,
    /// Changes when clients should list again.
    lists: watch::Sender<Fingerprints>,
    /// The members that every list of the modern era begins with.
    modern_list: String,
    /// A modern `server/discover` result's members.
    discovery: String,
}

impl Core {
    pub fn new(config: Config, broker: Broker, store: Store, pools: &Registrations) -> Self {
        let catalogue = Arc::new(Catalogue::build(
            &offered(&config, pools, &Types::default()),
            config.page_size,
            None,
        ));
        announce(&catalogue);
        let modern_list = modern_list(&config);
        Self {
            principal: config.principal().into(),
            sessions: Sessions::new(store.clone(), config.max_sessions, meters::sessions()),
            store,
            ears: Arc::default(),
            types: watch::Sender::default(),
            lists: watch::Sender::new(catalogue.fingerprints()),
            catalogue: watch::Sender::new(catalogue),
            discovery: discovery(&config, &modern_list),
            modern_list,
            config,
            broker,
        }
    }

    /// By which `requestState` is sealed and opened.
    pub fn keys(&self) -> &Keys {
        &self.config.state_keys
    }

    /// How long an ended task can be asked for, in milliseconds.
    pub fn task_ttl(&self) -> u64 {
        u64::try_from(self.config.task_ttl.as_millis()).unwrap_or(u64::MAX)
    }

    /// Where a task of the caller stands.
    ///
    /// # Errors
    /// When there is none, or the store cannot be read.
    pub async fn standing(&self, task: TaskId) -> Result<Standing, Fault> {
        let unknown = || Fault::UnknownTask(task.to_string());
        let standing = self.broker.standing(task).await.map_err(|error| {
            tracing::error!(%task, %error, "the store cannot be read");
            Fault::Stopped
        })?;
        standing
            .filter(|standing| standing.principal == self.principal)
            .ok_or_else(unknown)
    }

    /// The caller's newest tasks, those before this one: at most so many.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn tasks(
        &self,
        before: Option<TaskId>,
        limit: usize,
    ) -> Result<Vec<TaskRecord>, Fault> {
        let filter = TaskFilter {
            principal: Some(self.principal.to_string()),
            before,
            limit: Some(limit),
            ..TaskFilter::default()
        };
        self.broker.tasks(filter).await.map_err(|error| {
            tracing::error!(%error, "the store cannot be read");
            Fault::Stopped
        })
    }

    /// Answers asks of a round for the caller; `answers` is an object of answers, JSON text.
    ///
    /// # Errors
    /// When the store failed or has stopped: the answers may be given again.
    pub async fn answer(&self, round: Round, answers: String) -> Result<Answered, Fault> {
        let answered = self
            .broker
            .answer(
                round.task,
                Some(&self.principal),
                round.round,
                answers.into(),
            )
            .await;
        answered.map_err(|error| {
            tracing::warn!(task = %round.task, %error, "answers could not be stored");
            Fault::Stopped
        })
    }

    /// The catalogue of the moment.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.catalogue.borrow().clone()
    }

    /// Changes when clients should list again.
    pub fn lists(&self) -> watch::Receiver<Fingerprints> {
        self.lists.subscribe()
    }

    /// The members that every list of the modern era begins with.
    pub fn modern_list(&self) -> &str {
        &self.modern_list
    }

    /// A modern `server/discover` result's members.
    pub fn discovery(&self) -> &str {
        &self.discovery
    }

    /// A legacy `initialize` result.
    pub fn welcome(&self, revision: Revision) -> String {
        let mut welcome = json!({
            "protocolVersion": revision.as_str(),
            "capabilities": capabilities::of_server(Era::Legacy(revision)),
            "serverInfo": server_info(&self.config),
        });
        if let Some(instructions) = &self.config.instructions {
            welcome["instructions"] = instructions.as_str().into();
        }
        welcome.to_string()
    }

    fn replace(&self, pools: &Registrations) {
        let before = self.catalogue();
        let offered = offered(&self.config, pools, &self.types.borrow());
        let catalogue = Catalogue::build(&offered, self.config.page_size, Some(&before));
        let fingerprints = catalogue.fingerprints();
        if catalogue.remarks() != before.remarks() {
            announce(&catalogue);
        }
        self.catalogue.send_replace(Arc::new(catalogue));
        self.lists.send_if_modified(|known| {
            let changed = *known != fingerprints;
            *known = fingerprints;
            changed
        });
    }

    /// Tells of a changed resource; a pool does not speak of another pool's.
    fn announce(&self, announcement: &Announcement) {
        let Announcement { pool, uri } = announcement;
        match self.catalogue().resource(uri) {
            Some(resource) if resource.target.pool != *pool => {
                let owner = &*resource.target.pool;
                tracing::debug!(
                    pool = &**pool,
                    owner,
                    "a pool announced another pool's resource"
                );
            }
            Some(_) | None => self.ears.tell(uri),
        }
    }
}

/// The pools, and behind them what the platform offers itself.
fn offered(config: &Config, pools: &Registrations, types: &Types) -> Vec<Arc<Registration>> {
    let own = own::registration(config.result_tool, types);
    let mut all: Vec<_> = pools.iter().cloned().chain([own]).collect();
    all.sort_by_key(|registration| registration.pool.starts_with('.'));
    all
}

fn announce(catalogue: &Catalogue) {
    for remark in catalogue.remarks() {
        tracing::warn!(
            pool = remark.pool,
            about = %remark.about,
            remark = remark.remark,
            "something is not offered as declared"
        );
    }
}

fn server_info(config: &Config) -> Value {
    json!({"name": config.name, "version": config.version})
}

fn modern_list(config: &Config) -> String {
    let ttl = u64::try_from(config.list_ttl.as_millis()).unwrap_or(u64::MAX);
    // Behind a token the list belongs to those who have it.
    let scope = if config.door.is_guarded() {
        "private"
    } else {
        "public"
    };
    format!(
        r#""resultType":"complete","ttlMs":{ttl},"cacheScope":"{scope}","_meta":{{"io.modelcontextprotocol/serverInfo":{}}},"#,
        server_info(config)
    )
}

fn discovery(config: &Config, modern_list: &str) -> String {
    let capabilities = capabilities::of_server(Era::Modern);
    let versions = json!(era::supported_versions());
    let instructions = config
        .instructions
        .as_deref()
        .map_or_else(String::new, |text| {
            format!(r#","instructions":{}"#, Value::from(text))
        });
    format!(
        r#"{modern_list}"supportedVersions":{versions},"capabilities":{capabilities}{instructions}"#
    )
}

/// Rebuilds the catalogue when the registrations or the types of events change, for as long as the
/// gateway is there.
pub(crate) async fn follow_pools(
    core: Weak<Core>,
    mut pools: watch::Receiver<Registrations>,
    mut types: watch::Receiver<Types>,
) {
    loop {
        let changed = tokio::select! {
            changed = pools.changed() => changed,
            changed = types.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
        let registrations = pools.borrow_and_update().clone();
        types.mark_unchanged();
        let Some(core) = core.upgrade() else { return };
        // Schemas are compiled here: not on a thread that serves calls.
        let rebuilt = tokio::task::spawn_blocking(move || core.replace(&registrations)).await;
        if let Err(error) = rebuilt {
            tracing::error!(%error, "the catalogue could not be rebuilt: the one before stays");
        }
    }
}

/// Tells of changed resources, for as long as the gateway is there.
pub(crate) async fn follow_announcements(
    core: Weak<Core>,
    mut announcements: broadcast::Receiver<Announcement>,
) {
    use broadcast::error::RecvError;
    loop {
        let heard = announcements.recv().await;
        let Some(core) = core.upgrade() else { return };
        match heard {
            Ok(announcement) => core.announce(&announcement),
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(
                    missed,
                    "announcements came too fast: every subscriber is told"
                );
                core.ears.tell_all();
            }
            Err(RecvError::Closed) => return,
        }
    }
}

/// Forgets sessions at rest, for as long as the gateway is there.
pub(crate) async fn sweep_sessions(core: Weak<Core>) {
    let mut ticks = tokio::time::interval(SWEEP);
    loop {
        ticks.tick().await;
        let Some(core) = core.upgrade() else { return };
        let forgotten = core.sessions.sweep(core.config.session_idle).await;
        if forgotten > 0 {
            tracing::debug!(forgotten, "sessions at rest are forgotten");
        }
    }
}
