//! An MCPServer's spec, checked.

use std::collections::BTreeMap;

use dormouse_contract::registration::is_pool_name;
use dormouse_pool::{Field, Invalid, Quantity, Resources};

use super::{
    Autoscaling, BrokerRef, Doors, Limits, McpServer, SecretKey, ServerType, Spec, StorageSpec,
};

/// A StatefulSet's pods carry its name and 11 more characters in a label, which has at most 63.
const LONGEST_NAME: usize = 52;

const MOST_REPLICAS: u8 = 10;

/// What runs where an MCPServer names no image.
const IMAGE: &str = concat!("dormouse/dormouse:", env!("CARGO_PKG_VERSION"));

/// What is to run for an MCPServer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    /// The image.
    pub image: String,
    /// Which pools it offers.
    pub server_type: ServerType,
    /// How many pods: 1 to 10, exactly 1 on a volume.
    pub replicas: u8,
    /// More pods while they are busy, at least `replicas`.
    pub autoscaling: Option<Autoscaling>,
    /// Where it keeps what it must not lose.
    pub storage: Storage,
    /// Where its bearer token is; `None`: one is to be generated.
    pub token: Option<SecretKey>,
    /// How much it takes on.
    pub limits: Limits,
    /// How it is reached.
    pub doors: Doors,
    /// The Knative Broker, where one is named.
    pub broker: Option<BrokerRef>,
    /// The processor time and memory of one pod.
    pub resources: Resources,
    /// The labels of the nodes that its pods may run on.
    pub node_selector: BTreeMap<String, String>,
}

/// Where a platform keeps what it must not lose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// On a volume of its one pod.
    Volume {
        /// How large it is.
        size: Quantity,
        /// Its storage class; `None`: the cluster's default.
        class: Option<String>,
    },
    /// In databases elsewhere.
    Databases {
        /// Where PostgreSQL's URL is.
        postgres: SecretKey,
        /// Where Redis' URL is.
        redis: SecretKey,
    },
}

impl McpServer {
    /// The platform, read and checked.
    ///
    /// # Errors
    /// The first field that cannot be used, and what is allowed there.
    pub fn platform(&self) -> Result<Platform, Invalid> {
        check_name(self.name())?;
        let spec = self.spec()?;
        let storage = storage(spec.storage.clone())?;
        check_replicas(&spec, &storage)?;
        check_doors(&spec.doors)?;
        if let Some(zero) = zero_limit(&spec.limits) {
            return Err(field("limits")
                .key(zero)
                .invalid("0 would allow nothing: at least 1"));
        }
        Ok(Platform {
            image: image(spec.image)?,
            server_type: spec.server_type,
            replicas: spec.replicas,
            autoscaling: spec.autoscaling,
            storage,
            token: spec.auth.token_secret_ref,
            limits: spec.limits,
            doors: spec.doors,
            broker: spec.broker,
            resources: spec.resources,
            node_selector: spec.node_selector,
        })
    }
}

fn field(key: &str) -> Field {
    Field::of(&["spec"]).key(key)
}

fn image(written: Option<String>) -> Result<String, Invalid> {
    let image = written.unwrap_or_else(|| IMAGE.to_owned());
    if image.is_empty() || image.contains(char::is_whitespace) {
        return Err(field("image").invalid(format!(
            "`{}` names no image: write `[REGISTRY/]NAME[:TAG][@DIGEST]`",
            image.escape_debug()
        )));
    }
    Ok(image)
}

fn check_name(name: &str) -> Result<(), Invalid> {
    let starts_well = name.starts_with(|first: char| first.is_ascii_lowercase());
    if starts_well && name.len() <= LONGEST_NAME && is_pool_name(name) {
        return Ok(());
    }
    Err(Field::of(&["metadata", "name"]).invalid(format!(
        "`{}` is no name of an MCPServer: 1 to {LONGEST_NAME} lower-case letters, digits and `-`, \
         starting with a letter and ending with a letter or digit",
        name.escape_debug()
    )))
}

fn storage(written: StorageSpec) -> Result<Storage, Invalid> {
    let wrong = |given: &str| {
        Err(field("storage").invalid(format!(
            "has {given}: write `volume` alone, or `postgres` and `redis` together"
        )))
    };
    match (written.volume, written.postgres, written.redis) {
        (volume, None, None) => {
            let volume = volume.unwrap_or_default();
            Ok(Storage::Volume {
                size: volume.size,
                class: volume.storage_class_name,
            })
        }
        (None, Some(postgres), Some(redis)) => Ok(Storage::Databases {
            postgres: postgres.secret_key_ref,
            redis: redis.secret_key_ref,
        }),
        (None, Some(_), None) => wrong("`postgres` without `redis`"),
        (None, None, Some(_)) => wrong("`redis` without `postgres`"),
        (Some(_), _, _) => wrong("`volume` and databases"),
    }
}

fn check_replicas(spec: &Spec, storage: &Storage) -> Result<(), Invalid> {
    let replicas = spec.replicas;
    if !(1..=MOST_REPLICAS).contains(&replicas) {
        return Err(
            field("replicas").invalid(format!("{replicas} is not between 1 and {MOST_REPLICAS}"))
        );
    }
    let on_volume = match storage {
        Storage::Volume { .. } => true,
        Storage::Databases { .. } => false,
    };
    if on_volume && replicas > 1 {
        return Err(field("replicas").invalid(format!(
            "{replicas} pods cannot share a volume: 1, or name `storage.postgres` and \
             `storage.redis`"
        )));
    }
    let Some(autoscaling) = spec.autoscaling else {
        return Ok(());
    };
    if on_volume {
        return Err(field("autoscaling").invalid(
            "pods cannot share a volume: leave it out, or name `storage.postgres` and \
             `storage.redis`",
        ));
    }
    let most = autoscaling.max_replicas;
    if most > MOST_REPLICAS || most < replicas {
        return Err(field("autoscaling").key("maxReplicas").invalid(format!(
            "{most} is not between `replicas`, which is {replicas}, and {MOST_REPLICAS}"
        )));
    }
    let target = autoscaling.target_cpu_percent;
    if !(1..=100).contains(&target) {
        return Err(field("autoscaling")
            .key("targetCpuPercent")
            .invalid(format!("{target} is not between 1 and 100")));
    }
    Ok(())
}

fn check_doors(doors: &Doors) -> Result<(), Invalid> {
    let known = |letter: char| letter.is_ascii_alphanumeric() || ".-".contains(letter);
    let wrong = doors
        .allow_hosts
        .iter()
        .position(|host| host.is_empty() || host.len() > 253 || !host.chars().all(known));
    match wrong {
        Some(index) => Err(field("doors")
            .key("allowHosts")
            .index(index)
            .invalid(format!(
                "`{}` is no host name: write it without scheme, port and path, such as \
             `mcp.example.com`",
                doors.allow_hosts[index].escape_debug()
            ))),
        None => Ok(()),
    }
}

fn zero_limit(limits: &Limits) -> Option<&'static str> {
    let counts = [
        ("maxTasks", limits.max_tasks),
        ("maxAgents", u32::from(limits.max_agents)),
    ];
    let zero = counts.iter().find(|(_, count)| *count == 0);
    zero.map(|(key, _)| *key)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn platform(spec: Value) -> Result<Platform, String> {
        McpServer::new("mcp", spec)
            .platform()
            .map_err(|invalid| invalid.to_string())
    }

    fn databases() -> Value {
        json!({
            "postgres": {"secretKeyRef": {"name": "db", "key": "url"}},
            "redis": {"secretKeyRef": {"name": "redis", "key": "url"}},
        })
    }

    #[test]
    fn nothing_at_all_is_a_whole_platform() {
        let platform = platform(json!({})).unwrap();
        assert_eq!(platform.image, IMAGE);
        assert_eq!((platform.replicas, platform.limits.max_tasks), (1, 50));
        let volume = Storage::Volume {
            size: Quantity::gibi(1),
            class: None,
        };
        assert_eq!(platform.storage, volume);
        assert!(platform.server_type.offers("educational") && platform.server_type.offers("x"));
    }

    #[test]
    fn several_pods_need_databases() {
        let wanted = json!({
            "replicas": 2, "storage": databases(), "autoscaling": {"maxReplicas": 5},
        });
        let platform = platform(wanted).unwrap();
        assert_eq!(
            platform.autoscaling.map(|it| it.target_cpu_percent),
            Some(70)
        );
        assert!(matches!(platform.storage, Storage::Databases { .. }));
    }

    #[test]
    fn what_cannot_be_is_named() {
        let mut postgres_alone = databases();
        postgres_alone.as_object_mut().unwrap().remove("redis");
        for (spec, words) in [
            (json!({"replicas": 0}), "spec.replicas: 0 is not between"),
            (json!({"replicas": 2}), "spec.replicas: 2 pods cannot share"),
            (
                json!({"storage": {"volume": {}, "redis": databases()["redis"]}}),
                "spec.storage: has `volume` and databases",
            ),
            (
                json!({"storage": postgres_alone}),
                "spec.storage: has `postgres` without",
            ),
            (
                json!({"autoscaling": {}}),
                "spec.autoscaling: pods cannot share",
            ),
            (
                json!({"replicas": 4, "storage": databases(), "autoscaling": {"maxReplicas": 3}}),
                "spec.autoscaling.maxReplicas: 3 is not between",
            ),
            (
                json!({"doors": {"allowHosts": ["a.example", "http://b.example"]}}),
                "spec.doors.allowHosts[1]: `http://b.example` is no host name",
            ),
            (
                json!({"limits": {"maxTasks": 0}}),
                "spec.limits.maxTasks: 0 would",
            ),
            (
                json!({"limits": {"drain": "soon"}}),
                "spec.limits.drain: `soon` is no",
            ),
            (
                json!({"serverType": "all"}),
                "spec.serverType: unknown variant `all`",
            ),
            (json!({"image": ""}), "spec.image: `` names no image"),
        ] {
            let error = platform(spec).unwrap_err();
            assert!(error.starts_with(words), "{error}");
        }
        let error = McpServer::new("3d", json!({})).platform().unwrap_err();
        assert_eq!(error.field.to_string(), "metadata.name");
    }
}
