//! A host that is going to be killed: wakes one process of each kind, says so, waits.
//!
//! `orphan PLAIN SDK` with the paths of these two examples.

use bytes::Bytes;
use dormouse_host::{Config, Host, Launch, Listen};
use http::Request;
use tower::{Service as _, ServiceExt as _};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let plain = args.next().ok_or("say where `plain` is")?;
    let sdk = args.next().ok_or("say where `sdk` is")?;
    let host = Host::new(Config {
        launcher: Some(plain.clone().into()),
    });
    for (program, listen, flag) in [
        (&plain, Listen::Stdin, "--stdin"),
        (&plain, Listen::Port, "--ignore-term"),
        (&sdk, Listen::Stdin, ""),
    ] {
        let mut launch = Launch::new("orphan", "orphan-1", program);
        launch.listen = listen;
        if !flag.is_empty() {
            launch.args = vec![flag.to_owned()];
        }
        let mut revision = host.deploy(launch);
        let request = Request::get("/health/liveness").body(Bytes::new())?;
        revision.ready().await?.call(request).await?;
    }
    println!("awake");
    std::future::pending().await
}
