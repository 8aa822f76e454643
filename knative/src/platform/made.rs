//! What the operator has made for MCPServers, as the watches bring it.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::runtime::reflector::Store;
use kube::runtime::watcher;
use kube::{Client, Resource};
use tokio::task::JoinSet;

use super::neighbours::{ServiceMonitor, VirtualService};
use crate::controller::{ForeignKinds, Requests, api, names, watch};

/// The objects that belong to MCPServers, but for their Secrets, which are with those of the pools.
pub struct Made {
    /// Their pods.
    pub sets: Store<StatefulSet>,
    /// How they are reached.
    pub services: Store<Service>,
    /// By whom.
    pub policies: Store<NetworkPolicy>,
    /// As whom they run.
    pub accounts: Store<ServiceAccount>,
    /// How they may be disturbed.
    pub budgets: Store<PodDisruptionBudget>,
    /// What Prometheus reads; `None` without its operator.
    pub monitors: Option<Store<ServiceMonitor>>,
    /// How a mesh treats them; `None` without Istio.
    pub routes: Option<Store<VirtualService>>,
}

impl Made {
    /// Begins to watch.
    pub fn watch(
        client: &Client,
        namespace: Option<&str>,
        kinds: ForeignKinds,
        requests: &Requests,
        watches: &mut JoinSet<()>,
    ) -> Self {
        let selector = format!("{}={},{}", names::MANAGED_BY, names::MANAGER, names::SERVER);
        let ours = || watcher::Config::default().labels(&selector);
        macro_rules! made {
            () => {{
                let to = requests.clone();
                watch(watches, api(client, namespace), ours(), move |it| {
                    to.makers_of(it);
                })
            }};
        }
        Self {
            sets: made!(),
            services: made!(),
            policies: made!(),
            accounts: made!(),
            budgets: made!(),
            monitors: kinds.monitors.then(|| made!()),
            routes: kinds.routes.then(|| made!()),
        }
    }

    /// Returns when everything that is there has been brought once.
    pub async fn ready(&self) {
        // An error would mean that a watch has ended, which none does.
        let _ = tokio::join!(
            self.sets.wait_until_ready(),
            self.services.wait_until_ready(),
            self.policies.wait_until_ready(),
            self.accounts.wait_until_ready(),
            self.budgets.wait_until_ready(),
            await_if_there(self.monitors.as_ref()),
            await_if_there(self.routes.as_ref()),
        );
    }
}

async fn await_if_there<K>(store: Option<&Store<K>>)
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    if let Some(store) = store {
        // As above.
        let _ = store.wait_until_ready().await;
    }
}
