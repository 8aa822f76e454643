//! What the whole path costs beside a plain request to the same Knative Service: both sides in one
//! run, interleaved. Not among the tests, because it asserts on nothing: `run measure` runs it, and
//! programs that are built for a release make it mean something (`PROGRAMS`).

use std::fmt;
use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use crate::deployment::Deployment;
use crate::kourier;
use crate::kubectl::eventually;
use crate::pools::educational;
use crate::programs;
use crate::session::Session;

/// One pair is measured while the pools of others fall asleep again.
const POOLS: usize = 6;
const COLD_PAIRS: usize = 30;
const WARM_PAIRS: usize = 1_000;

const TOOL: &str = "curriculum-alignment";

/// The middle of many figures, and between what it is in 19 of 20 runs, by the ranks of a binomial
/// distribution.
struct Middle {
    p50: f64,
    interval: [f64; 2],
}

impl Middle {
    fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut figures: Vec<_> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let count = figures.len();
        let half_width = ((count as f64).sqrt() * 0.98).ceil() as usize;
        let below = (count / 2).saturating_sub(half_width);
        let above = (count / 2 + half_width).min(count - 1);
        Self {
            p50: figures[count / 2],
            interval: [figures[below], figures[above]],
        }
    }
}

impl fmt::Display for Middle {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [below, above] = self.interval;
        write!(out, "{:.2} (95 %: {below:.2} to {above:.2})", self.p50)
    }
}

/// Milliseconds by both ways, of every pair.
#[derive(Default)]
struct Pairs(Vec<[f64; 2]>);

impl Pairs {
    fn print(&self, what: &str) {
        let side = |side: usize| Middle::of(self.0.iter().map(|pair| pair[side]));
        let ratio = Middle::of(self.0.iter().map(|[ours, plain]| ours / plain));
        println!("{what}, {} pairs:", self.0.len());
        println!("  through gateway, broker and coordinator: {} ms", side(0));
        println!("  a plain request to the service:          {} ms", side(1));
        println!("  ratio of each pair:                      {ratio}");
    }
}

/// A pool, both ways, each over a connection that stays open.
struct Way<'a> {
    session: &'a Session,
    client: Client<HttpConnector, Full<Bytes>>,
    door: String,
    tool: String,
    host: String,
    secret: String,
}

impl Way<'_> {
    /// A call over the session that is open.
    async fn ours(&self) -> f64 {
        let begin = Instant::now();
        let result = self.session.call(&self.tool, arguments()).await;
        let time = begin.elapsed().as_secs_f64() * 1e3;
        assert_ne!(result["isError"], true, "{result}");
        time
    }

    /// The same work for whoever knows the secret, through Knative's door.
    async fn plain(&self) -> f64 {
        let params = json!({"name": TOOL, "arguments": arguments()});
        let call = json!({"method": "tools/call", "params": params, "client": {}}).to_string();
        let request = Request::post(&self.door)
            .header("host", &self.host)
            .header("content-type", "application/json")
            .header("prefer", "reply")
            .header("ce-specversion", "1.0")
            .header("ce-id", "1")
            .header("ce-source", "/plain")
            .header("ce-type", "dev.dormouse.task.requested.v1")
            .header("dormouse-delivery-secret", &self.secret)
            .body(Full::from(call))
            .expect("a request");
        let begin = Instant::now();
        let answer = self.client.request(request).await.expect("an answer");
        let (head, body) = answer.into_parts();
        let body = body.collect().await.expect("its body").to_bytes();
        let time = begin.elapsed().as_secs_f64() * 1e3;
        assert_eq!(head.status, StatusCode::OK, "{body:?}");
        time
    }

    async fn side(&self, side: usize) -> f64 {
        match side {
            0 => self.ours().await,
            _ => self.plain().await,
        }
    }
}

fn arguments() -> Value {
    json!({"text": "Children add fractions with unlike denominators by drawing them."})
}

/// No pod is there that is not ending: the next request waits in the activator for a new one.
async fn at_zero(deployment: &Deployment, pool: &str) {
    eventually(&format!("{pool} at zero"), async || {
        let pods = deployment.namespace.pods(pool).await;
        let is_ending = |pod: &Value| pod["metadata"].get("deletionTimestamp").is_some();
        pods.iter().all(is_ending).then_some(())
    })
    .await;
    deployment.told_asleep(pool).await;
}

#[tokio::test]
#[ignore = "needs a cluster: tests/cluster/run measure"]
async fn calls_beside_plain_requests() {
    let deployment = Deployment::with(json!({"limits": {"rateLimit": 0}})).await;
    let session = deployment.session().await;
    let mut ways = Vec::new();
    for number in 0..POOLS {
        let pool = format!("lesson-{number}");
        deployment.deploy_pool(&educational(&pool)).await;
        let secret = format!("{pool}-dormouse");
        // The name is the first pool's; the others' tools have their pool before it.
        let tool = match number {
            0 => TOOL.to_owned(),
            1.. => format!("{pool}__{TOOL}"),
        };
        ways.push(Way {
            session: &session,
            client: Client::builder(TokioExecutor::new()).build_http(),
            door: format!("http://{}/", kourier::address().await),
            tool,
            host: deployment.namespace.host(&pool),
            secret: deployment
                .namespace
                .secret(&secret, "delivery-secret")
                .await,
        });
    }

    let mut cold = Pairs::default();
    // In rounds: a pool's second side comes when the others have had their first.
    while cold.0.len() < COLD_PAIRS {
        let mut pairs = vec![[0.0; 2]; POOLS];
        for turn in 0..2 {
            for (number, way) in ways.iter().enumerate() {
                at_zero(&deployment, &format!("lesson-{number}")).await;
                let side = (cold.0.len() / POOLS + number + turn) % 2;
                pairs[number][side] = way.side(side).await;
            }
        }
        cold.0.extend(pairs);
    }
    cold.print("cold, from no pods");

    let way = &ways[0];
    let mut warm = Pairs::default();
    for number in 0..WARM_PAIRS {
        let mut pair = [0.0; 2];
        for side in [number % 2, 1 - number % 2] {
            pair[side] = way.side(side).await;
        }
        warm.0.push(pair);
    }
    // The first ones have woken it.
    warm.0.drain(..WARM_PAIRS / 10);
    warm.print("warm");
    for pod in deployment.namespace.pods("lesson-0").await {
        for process in programs::find(&pod, "dormouse-educational") {
            let resident = programs::status(process, "VmRSS:");
            println!("resident memory of the function afterwards: {resident}");
        }
    }
}
