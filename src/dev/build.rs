//! Building what AgentPool files declare with `run.cargo`, and knowing which files that depends on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, anyhow, bail};
use serde::Deserialize;
use tokio::process::Command;

/// The cargo workspace that the pools' binaries come from.
#[derive(Debug, Clone)]
pub struct Workspace {
    root: PathBuf,
    no_build: bool,
}

impl Workspace {
    /// The workspace that a pools folder belongs to: the nearest `Cargo.toml` above it, else the
    /// current folder.
    pub fn of(pools: &Path, no_build: bool) -> Self {
        let start = pools.canonicalize().unwrap_or_else(|_| pools.to_owned());
        let root = start
            .ancestors()
            .find(|folder| folder.join("Cargo.toml").is_file())
            .map_or_else(|| PathBuf::from("."), Path::to_owned);
        Self { root, no_build }
    }

    /// Builds these binaries, with cargo's own progress on stderr. Returns where each is.
    pub async fn build(
        &self,
        binaries: &BTreeSet<String>,
    ) -> anyhow::Result<BTreeMap<String, PathBuf>> {
        if binaries.is_empty() {
            return Ok(BTreeMap::new());
        }
        if self.no_build {
            return binaries
                .iter()
                .map(|name| Ok((name.clone(), built(name)?)))
                .collect();
        }
        let metadata = self.metadata().await?;
        let mut cargo = self.cargo("build");
        cargo.arg("--message-format=json-render-diagnostics");
        if !metadata.are_default(binaries) {
            cargo.arg("--workspace");
        }
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        cargo.args(binaries.iter().flat_map(|name| ["--bin", name]));
        let output = cargo
            .stdout(Stdio::piped())
            .spawn()
            .with_context(no_cargo)?;
        let output = output.wait_with_output().await?;
        if !output.status.success() {
            bail!(
                "cargo build failed ({}): see its messages above",
                output.status
            );
        }
        let found = executables(&output.stdout);
        binaries
            .iter()
            .map(|name| match found.get(name) {
                Some(path) => Ok((name.clone(), path.clone())),
                None => Err(anyhow!("cargo built no binary `{name}`")),
            })
            .collect()
    }

    /// The folders whose files these binaries are made of: their packages and the packages of
    /// this workspace that those depend on.
    pub async fn sources(&self, binaries: &BTreeSet<String>) -> anyhow::Result<BTreeSet<PathBuf>> {
        if binaries.is_empty() || self.no_build {
            return Ok(BTreeSet::new());
        }
        let metadata = self.metadata().await?;
        Ok(closure(&metadata.packages, binaries))
    }

    async fn metadata(&self) -> anyhow::Result<Metadata> {
        let mut cargo = self.cargo("metadata");
        cargo.args(["--no-deps", "--format-version=1"]);
        let output = cargo
            .stdout(Stdio::piped())
            .spawn()
            .with_context(no_cargo)?;
        let output = output.wait_with_output().await?;
        if !output.status.success() {
            bail!("cargo metadata failed ({})", output.status);
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    fn cargo(&self, command: &str) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .arg(command)
            .current_dir(&self.root)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        cargo
    }
}

fn no_cargo() -> String {
    "cargo could not be started: install Rust, or use --no-build with binaries that are built"
        .to_owned()
}

/// Where a binary is when nothing is to be built: beside this one.
fn built(name: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    if path.is_file() {
        return Ok(path);
    }
    bail!("there is no `{name}` beside this program: build it first, or leave --no-build out")
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    #[serde(default)]
    workspace_default_members: Vec<String>,
}

impl Metadata {
    /// Whether cargo finds these binaries without being told where to look.
    fn are_default(&self, binaries: &BTreeSet<String>) -> bool {
        self.packages
            .iter()
            .filter(|package| package.builds_any(binaries))
            .all(|package| self.workspace_default_members.contains(&package.id))
    }
}

#[derive(Deserialize)]
struct Package {
    #[serde(default)]
    id: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
    dependencies: Vec<Dependency>,
}

impl Package {
    fn builds_any(&self, binaries: &BTreeSet<String>) -> bool {
        self.targets.iter().any(|target| {
            target.kind.iter().any(|kind| kind == "bin") && binaries.contains(&target.name)
        })
    }
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Dependency {
    path: Option<PathBuf>,
    kind: Option<String>,
}

/// One line of cargo's messages, as far as it names an executable.
#[derive(Deserialize)]
struct Message {
    target: Option<Target>,
    executable: Option<PathBuf>,
}

fn executables(messages: &[u8]) -> BTreeMap<String, PathBuf> {
    messages
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Message>(line).ok())
        .filter_map(|message| Some((message.target?.name, message.executable?)))
        .collect()
}

fn closure(packages: &[Package], binaries: &BTreeSet<String>) -> BTreeSet<PathBuf> {
    let folder = |package: &Package| package.manifest_path.parent().map(Path::to_owned);
    let mut next: Vec<_> = packages
        .iter()
        .filter(|package| package.builds_any(binaries))
        .filter_map(folder)
        .collect();
    let mut folders = BTreeSet::new();
    while let Some(found) = next.pop() {
        if !folders.insert(found.clone()) {
            continue;
        }
        let package = packages
            .iter()
            .find(|package| folder(package).as_ref() == Some(&found));
        let dependencies = package
            .into_iter()
            .flat_map(|package| &package.dependencies);
        next.extend(
            dependencies
                .filter(|dependency| dependency.kind.as_deref() != Some("dev"))
                .filter_map(|dependency| dependency.path.clone()),
        );
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_follow_path_dependencies_but_not_those_of_tests() {
        let metadata: Metadata = serde_json::from_str(
            r#"{"packages": [
                {"manifest_path": "/w/a/Cargo.toml", "targets": [{"name": "a", "kind": ["bin"]}],
                 "dependencies": [{"path": "/w/b", "kind": null}, {"path": "/w/t", "kind": "dev"},
                                  {"path": null, "kind": null}]},
                {"manifest_path": "/w/b/Cargo.toml", "targets": [{"name": "b", "kind": ["lib"]}],
                 "dependencies": [{"path": "/w/a", "kind": null}]},
                {"manifest_path": "/w/c/Cargo.toml", "targets": [{"name": "c", "kind": ["bin"]}],
                 "dependencies": []}
            ]}"#,
        )
        .unwrap();
        let found = closure(&metadata.packages, &BTreeSet::from(["a".to_owned()]));
        assert_eq!(found, ["/w/a", "/w/b"].map(PathBuf::from).into());
    }

    #[test]
    fn executables_are_read_from_cargos_messages() {
        let messages = b"{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"a\",\"kind\":[\"bin\"]},\"executable\":\"/t/a\"}\n{\"reason\":\"build-finished\"}\n";
        assert_eq!(executables(messages).get("a"), Some(&PathBuf::from("/t/a")));
    }
}
