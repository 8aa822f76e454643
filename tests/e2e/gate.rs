//! Calls that run for as long as a test wants, however slow the machine is.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::platform::Platform;
use crate::session::Session;

/// What calls of the fixture's `count` wait at.
pub struct Gate {
    file: PathBuf,
    counter: PathBuf,
}

impl Gate {
    /// Shut: what is called from now on does not end.
    pub fn shut(platform: &Platform) -> Self {
        let file = platform.folder().join("gate");
        let _ = fs::remove_file(&file);
        Self {
            file,
            counter: platform.folder().join("through-gate"),
        }
    }

    /// Calls `count`; the whole response message comes through the receiver.
    pub fn call(&self, session: &Session) -> oneshot::Receiver<Value> {
        let arguments = json!({"file": self.counter, "key": "held", "until": self.file});
        let call = json!({"name": "count", "arguments": arguments});
        session.start("tools/call", call).1
    }

    /// Lets what was called end.
    pub fn open(self) {
        fs::write(self.file, "").expect("a file");
    }
}
