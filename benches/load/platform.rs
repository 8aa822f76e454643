//! `dormouse dev` as a process, with the fixture function as its only pool.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A running platform; dropping it ends it.
pub struct Platform {
    child: Child,
    _folder: TempDir,
    pub mcp: String,
    pub coordinator: String,
}

impl Platform {
    /// Starts it with further arguments and this `scaling` of the pool.
    pub fn start(arguments: &[&str], scaling: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pools = folder.path().join("pools");
        std::fs::create_dir(&pools).unwrap();
        let pool = format!(
            "apiVersion: dormouse.dev/v1alpha1\nkind: AgentPool\nmetadata: {{name: fixture}}\n\
             spec:\n  run: {{command: [{}], listen: stdin}}\n  scaling: {scaling}\n",
            function().display()
        );
        std::fs::write(pools.join("fixture.yaml"), pool).unwrap();
        let ready = folder.path().join("ready");
        let child = Command::new(env!("CARGO_BIN_EXE_dormouse"))
            .args([
                "dev",
                "--port=0",
                "--admin-port=0",
                "--coordinator-port=0",
                "--no-build",
            ])
            .arg("--data-dir")
            .arg(folder.path().join("data"))
            .arg("--pools")
            .arg(&pools)
            .arg("--ready-file")
            .arg(&ready)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begin = Instant::now();
        let doors: serde_json::Value = loop {
            if let Ok(written) = std::fs::read(&ready) {
                break serde_json::from_slice(&written).unwrap();
            }
            assert!(
                begin.elapsed() < Duration::from_secs(30),
                "the platform does not start"
            );
            std::thread::sleep(Duration::from_millis(5));
        };
        Self {
            child,
            _folder: folder,
            mcp: doors["mcp"].as_str().unwrap().to_owned(),
            coordinator: doors["coordinator"].as_str().unwrap().to_owned(),
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

/// The SDK's fixture function, built beside the platform:
/// `cargo build --release -p dormouse-function --example fixture`
pub fn function() -> PathBuf {
    let path = PathBuf::from(env!("CARGO_BIN_EXE_dormouse")).with_file_name("examples/fixture");
    assert!(
        path.is_file(),
        "build it first: cargo build --release -p dormouse-function --example fixture"
    );
    path
}
