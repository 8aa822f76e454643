//! The door at which the fixture's tool `knock` says what runs: pods share no files with a test.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::kubectl::{eventually, get};

/// Counts what runs, and lets it end when the test wants it to.
pub struct Knocks {
    address: String,
    heard: Arc<Mutex<HashMap<String, usize>>>,
    is_open: watch::Sender<bool>,
}

impl Knocks {
    /// Listens where pods can reach it. Who knocks waits until it is opened.
    pub async fn listen() -> Self {
        let listener = TcpListener::bind("0.0.0.0:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (is_open, watching) = watch::channel(false);
        let heard = Arc::default();
        let shared = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&shared), watching.clone()));
            }
        });
        Self {
            address: format!("{}:{port}", node().await),
            heard,
            is_open,
        }
    }

    /// The arguments of a call that says this.
    pub fn arguments(&self, key: &str) -> Value {
        json!({"at": self.address, "key": key})
    }

    /// Lets everybody end who knocks, now and from now on.
    pub fn open(&self) {
        self.is_open.send_replace(true);
    }

    /// How often this was said.
    pub fn count(&self, key: &str) -> usize {
        let heard = self.heard.lock().expect("not poisoned");
        heard.get(key).copied().unwrap_or_default()
    }

    /// Waits until this was said so often.
    pub async fn heard(&self, key: &str, times: usize) {
        eventually(&format!("{times} times {key}"), async || {
            (self.count(key) >= times).then_some(())
        })
        .await;
    }
}

async fn answer(
    stream: TcpStream,
    heard: Arc<Mutex<HashMap<String, usize>>>,
    mut is_open: watch::Receiver<bool>,
) {
    let mut stream = BufReader::new(stream);
    let mut key = String::new();
    if stream.read_line(&mut key).await.is_err() {
        return;
    }
    let key = key.trim_end();
    *heard
        .lock()
        .expect("not poisoned")
        .entry(key.to_owned())
        .or_default() += 1;
    if is_open.wait_for(|is_open| *is_open).await.is_ok() {
        // Whoever was killed meanwhile hears nothing.
        let _ = stream.write_all(format!("heard {key}\n").as_bytes()).await;
    }
}

/// The node's address, which is also that of the tests.
async fn node() -> String {
    let node = get("/api/v1/nodes/node").await.expect("the node");
    let addresses = node["status"]["addresses"].as_array().expect("addresses");
    let address = addresses.iter().find(|it| it["type"] == "InternalIP");
    let address = address.and_then(|it| it["address"].as_str());
    address.expect("an address").to_owned()
}
