//! AgentPools: each becomes a Knative Service that sleeps until it is called, and is made known to
//! the platforms of its namespace.
//!
//! What is wanted is a plain function of what was written ([`service`], [`secret`], [`manifest`],
//! [`trigger`]); what Knative tells is read by [`observe`]; [`reconcile`] does what is left between
//! the two.

mod deploy;
pub mod knative;
mod leave;
pub mod manifest;
pub mod observe;
pub mod reconcile;
mod registrar;
pub mod registration;
pub mod scaling;
pub mod secret;
pub mod servers;
pub mod service;
pub mod status;
mod subscribe;
pub mod timeout;
pub mod trigger;

#[cfg(test)]
mod tests {
    use dormouse_pool::{Container, Pool, Spec};
    use serde::Deserialize;

    /// A pool with further members of its spec, each indented by two.
    pub(super) fn pool(members: &str) -> Pool<Container> {
        #[derive(Deserialize)]
        struct Written {
            spec: Spec,
        }
        let file = format!("spec:\n  image: dormouse/educational:0.1.0{members}\n");
        let written: Written = serde_saphyr::from_str(&file).unwrap();
        Pool::in_cluster("educational", written.spec).unwrap()
    }
}
