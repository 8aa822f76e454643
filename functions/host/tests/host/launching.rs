//! Waking, environment, connections, log lines.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use dormouse_host::{DescribeError, Launch, describe};
use tower::Service as _;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::scene::{PATIENCE, asleep, call, example, host, launch, launch_on_port, until};

#[tokio::test]
async fn a_call_wakes_and_is_answered() {
    let host = host();
    for launch in [launch("wake"), launch_on_port("wake-port")] {
        let revision = host.deploy(launch);
        assert!(asleep(&revision.instances().borrow()));
        assert_eq!(call(&revision, "hello").await.unwrap(), "hello");
        assert_eq!(revision.instances().borrow().ready, 1);
    }
    host.shutdown().await;
}

#[tokio::test]
async fn a_function_of_the_sdk_is_woken_and_described() {
    let host = host();
    let program = example("sdk");
    let manifest = describe(&program, &[], &[], PATIENCE).await.unwrap();
    assert_eq!(manifest.tools.len(), 1);
    let mut launch = Launch::new("sdk", "sdk-00001", program);
    launch.delivery_secret = "hush".to_owned();
    let mut revision = host.deploy(launch);
    let request = http::Request::get("/capabilities").body(bytes::Bytes::new());
    let answer = revision.call(request.unwrap()).await.unwrap();
    assert_eq!(answer.status(), http::StatusCode::OK);
    let served = dormouse_contract::Manifest::parse(answer.body()).unwrap();
    assert_eq!(served.pool, manifest.pool);
    revision.retire().await;
    host.shutdown().await;
}

#[tokio::test]
async fn a_program_without_a_probe_counts_as_ready() {
    let mut launch = launch_on_port("no-probe");
    launch.args = vec!["--no-probe".to_owned()];
    let host = host();
    assert_eq!(call(&host.deploy(launch), "hello").await.unwrap(), "hello");
    host.shutdown().await;
}

#[tokio::test]
async fn one_connection_serves_probe_and_calls() {
    let host = host();
    let revision = host.deploy(launch("kept"));
    for _ in 0..5 {
        assert_eq!(call(&revision, "connections").await.unwrap(), "1");
    }
    host.shutdown().await;
}

#[tokio::test]
async fn a_connection_that_the_function_closes_is_not_used_again() {
    let host = host();
    let mut launch = launch("closes");
    launch.args.push("--close".to_owned());
    let revision = host.deploy(launch);
    for number in 2..6 {
        let connections = call(&revision, "connections").await.unwrap();
        assert_eq!(connections, number.to_string());
    }
    host.shutdown().await;
}

#[tokio::test]
async fn the_environment_is_exactly_this() {
    let host = host();
    for (mut launch, on_port) in [(launch("env"), false), (launch_on_port("env-port"), true)] {
        launch.env = vec![("OWN".to_owned(), "a b".to_owned())];
        launch.sink = "http://127.0.0.1:8888/sink".to_owned();
        launch.overrides = r#"{"extensions":{}}"#.to_owned();
        launch.delivery_secret = "hush".to_owned();
        let pool = launch.pool.to_string();
        let revision = host.deploy(launch);
        let printed = call(&revision, "env").await.unwrap();
        let mut env: BTreeMap<_, _> = printed
            .lines()
            .filter_map(|line| line.split_once('='))
            .collect();
        // The platform's own, which differ from place to place.
        for inherited in [
            "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE",
        ] {
            assert_eq!(
                env.remove(inherited).map(str::to_owned),
                std::env::var(inherited).ok()
            );
        }
        for inherited in ["TZ", "TMPDIR", "RUST_LOG", "RUST_BACKTRACE", "NO_COLOR"] {
            env.remove(inherited);
        }
        env.retain(|name, _| !name.contains("PROXY") && !name.ends_with("LIBRARY_PATH"));
        env.retain(|name, _| !name.starts_with("SSL_CERT_") && !name.starts_with("LLVM_"));
        let port = env.remove("PORT");
        assert_eq!(
            port.is_some_and(|port| port.parse::<u16>().is_ok()),
            on_port
        );
        let host_pid = env.remove("DORMOUSE_HOST_PID");
        let own = std::process::id().to_string();
        assert_eq!(host_pid, (!on_port).then_some(&*own));
        let expected = BTreeMap::from([
            ("DORMOUSE_DELIVERY_SECRET", "hush"),
            ("K_CE_OVERRIDES", r#"{"extensions":{}}"#),
            ("K_CONFIGURATION", &pool),
            ("K_REVISION", revision_of(&pool)),
            ("K_SERVICE", &pool),
            ("K_SINK", "http://127.0.0.1:8888/sink"),
            ("OWN", "a b"),
        ]);
        assert_eq!(env, expected);
        assert_eq!(call(&revision, "secret").await.unwrap(), "hush");
    }
    host.shutdown().await;
}

fn revision_of(pool: &str) -> &'static str {
    format!("{pool}-00001").leak()
}

#[tokio::test]
async fn what_a_process_prints_becomes_log_lines() {
    let lines = lines();
    let host = host();
    let revision = host.deploy(launch("prints"));
    call(&revision, "print something").await.unwrap();
    // Sleep comes after everything was read.
    host.shutdown().await;
    until(&revision, asleep).await;
    crate::scene::eventually("both lines", || {
        let lines = lines.lock().unwrap();
        let has = |stream: &str, text: &str| {
            let line = ["prints", "prints-00001-1", stream, text].map(str::to_owned);
            lines.contains(&line)
        };
        has("stdout", "something") && has("stderr", "also something")
    })
    .await;
}

#[tokio::test]
async fn a_program_describes_itself() {
    let manifest = describe(&example("plain"), &[], &[], Duration::from_secs(30)).await;
    assert_eq!(manifest.unwrap().pool, "plain");
}

#[tokio::test]
async fn a_program_that_does_not_describe_itself_is_reported_in_words() {
    let within = |time: Duration, script: &str| {
        let args = ["-c".to_owned(), script.to_owned()];
        async move { describe("/bin/sh".as_ref(), &args, &[], time).await }
    };
    let shell = |script| within(PATIENCE, script);
    let missing = describe("/no/such".as_ref(), &[], &[], Duration::from_secs(1)).await;
    assert!(matches!(missing, Err(DescribeError::NotStarted(words)) if words.contains("/no/such")));
    let error = shell("echo oops >&2; exit 4")
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("exit status: 4") && error.contains("oops"),
        "{error}"
    );
    let error = shell("echo no json").await.unwrap_err();
    assert!(matches!(error, DescribeError::Invalid { .. }), "{error}");
    let error = within(Duration::from_millis(100), "exec sleep 1000")
        .await
        .unwrap_err();
    assert!(matches!(error, DescribeError::TimedOut { .. }), "{error}");
    let error = shell("exec yes").await.unwrap_err();
    assert!(matches!(error, DescribeError::TooLarge(_)), "{error}");
}

/// Log lines of functions, of all tests: pool, instance, stream, text.
type Lines = Mutex<Vec<[String; 4]>>;

fn lines() -> &'static Lines {
    static LINES: OnceLock<Lines> = OnceLock::new();
    LINES.get_or_init(|| {
        let subscriber = tracing_subscriber::registry().with(Collector);
        tracing::subscriber::set_global_default(subscriber).unwrap();
        Lines::default()
    })
}

struct Collector;

impl<S: tracing::Subscriber> Layer<S> for Collector {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "dormouse_host::output" {
            let mut line = Line::default();
            event.record(&mut line);
            lines().lock().unwrap().push(line.0);
        }
    }
}

#[derive(Default)]
struct Line([String; 4]);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let place = ["pool", "instance", "stream", "message"];
        if let Some(place) = place.iter().position(|name| *name == field.name()) {
            self.0[place] = format!("{value:?}").trim_matches('"').to_owned();
        }
    }
}
