//! AgentPool files of the fixture function, and of programs that misbehave.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::leftovers::MARK;

/// An AgentPool that a test writes.
#[derive(Debug, Clone)]
pub struct Pool {
    name: String,
    spec: Value,
}

impl Pool {
    /// The SDK's fixture function, with its listener as standard input.
    pub fn fixture(name: &str) -> Self {
        Self::example(name, "fixture")
    }

    /// The SDK's function for the conformance suite, with its listener as standard input.
    pub fn conformance(name: &str) -> Self {
        Self::example(name, "conformance")
    }

    /// The SDK's function that notes every event in a file; it has no tools.
    pub fn recorder(name: &str, file: &Path) -> Self {
        Self::example(name, "recorder").with_env("RECORD", &file.to_string_lossy())
    }

    /// The SDK's function that replies to every event with the same one, under an id of its own and
    /// a type that starts with `mirrored/`; it has no tools, and takes its own replies too.
    pub fn mirror(name: &str) -> Self {
        Self::example(name, "mirror")
    }

    /// The SDK's function of many moods, which notes every delivery.
    pub fn moody(name: &str) -> Self {
        Self::example(name, "moody")
    }

    fn example(name: &str, program: &str) -> Self {
        let program = examples().join(program);
        Self::command(name, &[program.to_str().expect("a path in UTF-8")])
    }

    /// `tests/functions/broken.py`, misbehaving in this way; it offers one tool, `misbehave`.
    pub fn broken(name: &str, mode: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/functions/broken.py");
        Self::command(name, &["python3", &script.to_string_lossy(), mode])
    }

    /// Any program, with its listener as standard input.
    pub fn command(name: &str, words: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            spec: json!({
                "agentType": "test",
                "run": {"command": words, "listen": "stdin"},
                "env": [],
                "scaling": {"max": 4, "concurrency": 8, "idle": "60s"},
            }),
        }
    }

    /// A binary of the cargo workspace that the pools' folder is in.
    pub fn cargo(name: &str, binary: &str) -> Self {
        Self::command(name, &[]).with("run", json!({"cargo": binary}))
    }

    /// With this member of `spec`, or of an object in it (`scaling.idle`).
    pub fn with(mut self, path: &str, value: Value) -> Self {
        let place = path
            .split('.')
            .fold(&mut self.spec, |object, name| &mut object[name]);
        *place = value;
        self
    }

    /// With this environment variable.
    pub fn with_env(mut self, name: &str, value: &str) -> Self {
        let variables = self.spec["env"].as_array_mut().expect("a list");
        variables.push(json!({"name": name, "value": value}));
        self
    }

    /// The file's name in the pools directory.
    pub fn file_name(&self) -> String {
        format!("{}.yaml", self.name)
    }

    /// The file, marking its processes as those of this test run. JSON is YAML, too.
    pub fn document(&self, run: &str) -> String {
        let marked = self.clone().with_env(MARK, run);
        json!({
            "apiVersion": "dormouse.dev/v1alpha1",
            "kind": "AgentPool",
            "metadata": {"name": self.name},
            "spec": marked.spec,
        })
        .to_string()
    }
}

/// The SDK's fixture function, for who starts it by hand.
pub fn fixture_program() -> PathBuf {
    examples().join("fixture")
}

/// Where the SDK's examples are. They are built first, so that no test runs against old ones.
fn examples() -> &'static Path {
    static EXAMPLES: OnceLock<PathBuf> = OnceLock::new();
    EXAMPLES.get_or_init(|| {
        let program = Path::new(env!("CARGO_BIN_EXE_dormouse"));
        let folder = program.parent().expect("the binary is in a folder");
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--workspace"]);
        for example in ["fixture", "conformance", "mirror", "moody", "recorder"] {
            build.args(["--example", example]);
        }
        if folder.ends_with("release") {
            build.arg("--release");
        }
        let built = build.status().expect("cargo starts");
        assert!(built.success(), "the SDK's examples do not build");
        folder.join("examples")
    })
}
