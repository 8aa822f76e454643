//! Asleep -> reply: a call over WebSocket to a function that has no process, the whole durable
//! path, against spawn + exec + first byte on stdout of the same binary. Pairs, interleaved.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark may stop at the first surprise"
)]

mod load;

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use load::Spread;
use load::client::{Caller as _, Session, call};
use load::platform::{Platform, function};

const PAIRS: usize = 60;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let platform = Platform::start(&[], "{max: 1, concurrency: 10, idle: 20ms}");
        let mut session = Session::open(&platform.mcp).await;
        let (mut woken, mut floor, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for pair in 0..PAIRS {
            while !asleep(&platform) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let begin = Instant::now();
            session
                .exchange(call(pair, "echo", r#"{"text":"hello, dormouse"}"#))
                .await;
            let ours = begin.elapsed().as_secs_f64() * 1e3;
            let bare = first_byte();
            woken.push(ours);
            floor.push(bare);
            ratios.push(ours / bare);
        }
        println!("asleep -> reply: {} ms", Spread::of(woken));
        println!("spawn + exec + first byte: {} ms", Spread::of(floor));
        println!("ratio {}", Spread::of(ratios));
    });
}

/// Whether the platform has no child process.
fn asleep(platform: &Platform) -> bool {
    let tasks = format!("/proc/{}/task", platform.pid());
    std::fs::read_dir(tasks).unwrap().flatten().all(|task| {
        std::fs::read_to_string(task.path().join("children")).is_ok_and(|list| list.is_empty())
    })
}

/// Milliseconds until the binary has printed its first byte.
fn first_byte() -> f64 {
    let begin = Instant::now();
    let mut child = Command::new(function())
        .arg("--capabilities")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut byte = [0];
    child.stdout.take().unwrap().read_exact(&mut byte).unwrap();
    let elapsed = begin.elapsed();
    child.wait().unwrap();
    elapsed.as_secs_f64() * 1e3
}
