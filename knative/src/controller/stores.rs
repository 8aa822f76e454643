//! What is watched, and whom a change concerns.

use std::sync::{Arc, OnceLock};

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::core::NamespaceResourceScope;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Api, Client, Resource, ResourceExt as _};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::seen::Seen;
use super::watch::{watch, watch_changes};
use super::{ForeignKinds, names};
use crate::mcp_server::Check;
use crate::platform::made::Made;
use crate::pool::knative::{Revision, Service, Trigger};
use crate::{AgentPool, McpServer};

/// Where Knative Serving keeps its settings.
const KNATIVE_SERVING: &str = "knative-serving";

/// Who is to be reconciled.
#[derive(Clone)]
pub struct Requests {
    /// AgentPools.
    pub pools: UnboundedSender<ObjectRef<AgentPool>>,
    /// MCPServers.
    pub servers: UnboundedSender<ObjectRef<McpServer>>,
}

/// The other ends.
pub struct Queues {
    /// AgentPools.
    pub pools: UnboundedReceiver<ObjectRef<AgentPool>>,
    /// MCPServers.
    pub servers: UnboundedReceiver<ObjectRef<McpServer>>,
}

impl Requests {
    /// A pair of ends for each kind.
    #[must_use]
    pub fn new() -> (Self, Queues) {
        let (pools, pool_queue) = unbounded_channel();
        let (servers, server_queue) = unbounded_channel();
        let queues = Queues {
            pools: pool_queue,
            servers: server_queue,
        };
        (Self { pools, servers }, queues)
    }

    /// For whom an object was made, as its labels say.
    pub fn makers_of<K: Resource>(&self, object: &K) {
        let labels = object.labels();
        let namespace = object.namespace().unwrap_or_default();
        if let Some(pool) = labels.get(names::POOL) {
            let namespace = labels.get(names::POOL_NAMESPACE).unwrap_or(&namespace);
            // Nobody listens any more when the operator stops.
            let _ = self.pools.send(ObjectRef::new(pool).within(namespace));
        }
        if let Some(server) = labels.get(names::SERVER) {
            let _ = self.servers.send(ObjectRef::new(server).within(&namespace));
        }
    }

    fn servers_of(&self, servers: &Store<McpServer>, namespace: Option<&str>) {
        for server in servers.state() {
            if server.metadata.namespace.as_deref() == namespace {
                let _ = self.servers.send(ObjectRef::from_obj(server.as_ref()));
            }
        }
    }

    fn pools_of(&self, pools: &Store<AgentPool>, namespace: Option<&str>) {
        for pool in pools.state() {
            if namespace.is_none() || pool.metadata.namespace.as_deref() == namespace {
                let _ = self.pools.send(ObjectRef::from_obj(pool.as_ref()));
            }
        }
    }
}

/// What the watches have brought, without what nobody reads.
pub struct Stores {
    /// Every AgentPool.
    pub pools: Store<AgentPool>,
    /// Every MCPServer.
    pub servers: Store<McpServer>,
    /// The Knative Services that the operator has made.
    pub services: Store<Service>,
    /// Their Revisions.
    pub revisions: Store<Revision>,
    /// The Knative Triggers that the operator has made; `None` without Knative Eventing.
    pub triggers: Option<Store<Trigger>>,
    /// The Secrets that the operator has made.
    pub secrets: Store<Secret>,
    /// The ConfigMaps that the operator has made.
    pub config_maps: Store<ConfigMap>,
    /// What the operator has made for MCPServers, but for their Secrets.
    pub made: Made,
    /// ConfigMap `knative-serving/config-defaults`, if it is there.
    pub knative_defaults: Store<ConfigMap>,
}

impl Stores {
    /// Begins to watch.
    pub fn watch(
        client: &Client,
        namespace: Option<&str>,
        kinds: ForeignKinds,
        requests: &Requests,
        watches: &mut JoinSet<()>,
    ) -> Self {
        let ours = || watcher::Config::default().labels(&made_by_us());
        let makers = || requests.clone();
        let to = requests.clone();
        // Pools and MCPServers ask for each other, and one of them is watched first.
        let known = Arc::new(OnceLock::<Store<McpServer>>::new());
        let (of, seen) = (Arc::clone(&known), Seen::default());
        let pools = watch_changes(watches, api(client, namespace), all(), move |pool, is| {
            let _ = to.pools.send(ObjectRef::from_obj(pool));
            let told = pool.status.as_ref().map(|it| &it.agent_type);
            if let Some(servers) = of.get()
                && seen.is_new(pool, is, told)
            {
                to.servers_of(servers, pool.metadata.namespace.as_deref());
            }
        });
        let (to, of, seen) = (requests.clone(), pools.clone(), Seen::default());
        let servers = watch_changes(watches, api(client, namespace), all(), move |server, is| {
            let _ = to.servers.send(ObjectRef::from_obj(server));
            let told = server.status.as_ref().map(|status| {
                let is_ready = status.conditions.holds(Check::Ready);
                (&status.coordinator_url, is_ready)
            });
            if seen.is_new(server, is, told) {
                to.pools_of(&of, server.metadata.namespace.as_deref());
            }
        });
        // It is set nowhere else.
        let _ = known.set(servers.clone());
        let to = makers();
        let services = watch(watches, api(client, namespace), ours(), move |it| {
            to.makers_of(it);
        });
        let to = makers();
        let revisions = watch(watches, api(client, namespace), ours(), move |it| {
            to.makers_of(it);
        });
        let to = makers();
        let triggers = kinds.triggers.then(|| {
            // Beside a Broker, which may be in any namespace.
            watch(watches, Api::all(client.clone()), ours(), move |it| {
                to.makers_of(it);
            })
        });
        let to = makers();
        let secrets = watch(watches, api(client, namespace), ours(), move |it| {
            to.makers_of(it);
        });
        let to = makers();
        let config_maps = watch(watches, api(client, namespace), ours(), move |it| {
            to.makers_of(it);
        });
        let (to, of) = (requests.clone(), pools.clone());
        let knative_defaults = watch(
            watches,
            Api::namespaced(client.clone(), KNATIVE_SERVING),
            watcher::Config::default().fields("metadata.name=config-defaults"),
            move |_| to.pools_of(&of, None),
        );
        Self {
            pools,
            servers,
            services,
            revisions,
            triggers,
            secrets,
            config_maps,
            made: Made::watch(client, namespace, kinds, requests, watches),
            knative_defaults,
        }
    }

    /// Returns when everything that is there has been brought once.
    pub async fn ready(&self) {
        // An error would mean that a watch has ended, which none does.
        let _ = tokio::join!(
            self.pools.wait_until_ready(),
            self.servers.wait_until_ready(),
            self.services.wait_until_ready(),
            self.revisions.wait_until_ready(),
            self.secrets.wait_until_ready(),
            self.config_maps.wait_until_ready(),
            self.made.ready(),
            self.knative_defaults.wait_until_ready(),
            async {
                match &self.triggers {
                    Some(triggers) => triggers.wait_until_ready().await.is_ok(),
                    None => true,
                }
            },
        );
    }
}

fn all() -> watcher::Config {
    watcher::Config::default()
}

fn made_by_us() -> String {
    format!("{}={}", names::MANAGED_BY, names::MANAGER)
}

/// A kind in one namespace, or in all.
pub fn api<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}
