//! How long waking takes: spawn + exec + first byte on standard output of a program, against
//! asleep -> answer of the same program through the host.
//!
//! `wake PROGRAM [ROUNDS] [ARGUMENT…]`; build with `--release`.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use dormouse_host::{Config, Host, Launch};
use http::{Method, Request};
use tower::{Service as _, ServiceExt as _};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let program = args.next().ok_or("say which program")?;
    let rounds = args.next().map_or(Ok(200), |rounds| rounds.parse())?;
    let args: Vec<String> = args.collect();

    let mut floor = Vec::new();
    let mut wakes = Vec::new();
    // In turn, so that both sides meet the same weather.
    for _ in 0..rounds {
        floor.push(first_byte(&program)?);
        wakes.push(wake(&program, &args).await?);
    }
    let (floor_p50, floor_p95) = quantiles(&mut floor);
    let (wake_p50, wake_p95) = quantiles(&mut wakes);
    println!("spawn + exec + first byte: p50 {floor_p50:?}, p95 {floor_p95:?}");
    println!("asleep -> answer:          p50 {wake_p50:?}, p95 {wake_p95:?}");
    println!(
        "ratio of the medians:      {:.2}",
        wake_p50.as_secs_f64() / floor_p50.as_secs_f64()
    );
    warm(&program, &args).await
}

fn first_byte(program: &str) -> std::io::Result<Duration> {
    let begun = Instant::now();
    let mut child = Command::new(program)
        .arg("--capabilities")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut byte = [0];
    if let Some(stdout) = &mut child.stdout {
        stdout.read_exact(&mut byte)?;
    }
    let taken = begun.elapsed();
    child.kill()?;
    child.wait()?;
    Ok(taken)
}

async fn wake(program: &str, args: &[String]) -> Result<Duration, Box<dyn std::error::Error>> {
    let host = Host::new(Config::default());
    let mut launch = Launch::new("wake", "wake-1", program);
    launch.args = args.to_vec();
    let mut revision = host.deploy(launch);
    let begun = Instant::now();
    revision.ready().await?.call(ping()?).await?;
    let taken = begun.elapsed();
    revision.retire().await;
    Ok(taken)
}

/// Calls per second of one warm instance, 16 callers.
async fn warm(program: &str, args: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    const CALLS: usize = 4_000;
    const CALLERS: usize = 16;
    let host = Host::new(Config::default());
    let mut launch = Launch::new("wake", "wake-1", program);
    launch.args = args.to_vec();
    launch.scaling.concurrency = CALLERS;
    let revision = host.deploy(launch);
    let begun = Instant::now();
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let mut revision = revision.clone();
            tokio::spawn(async move {
                for _ in 0..CALLS {
                    let Ok(request) = ping() else { return };
                    if let Err(error) = revision.call(request).await {
                        eprintln!("{error}");
                    }
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await?;
    }
    let rate = (CALLS * CALLERS) as f64 / begun.elapsed().as_secs_f64();
    println!("warm, {CALLERS} callers:          {rate:.0} calls/s");
    host.shutdown().await;
    Ok(())
}

fn ping() -> http::Result<Request<Bytes>> {
    Request::builder()
        .method(Method::POST)
        .uri("/")
        .body(Bytes::from("ping"))
}

fn quantiles(times: &mut [Duration]) -> (Duration, Duration) {
    times.sort_unstable();
    let at = |part: usize| {
        let place = (times.len() * part / 100).min(times.len().saturating_sub(1));
        times.get(place).copied().unwrap_or_default()
    };
    (at(50), at(95))
}
