//! Choices between endpoints that are plain functions: who is asked, how often, and who is left alone.
//! The clock stands still but for what is slept.

use std::sync::Mutex;
use std::time::Duration;

use dormouse_contract::balance::AFFINITY_HEADER;
use dormouse_contract::task::NOT_RUN_HEADER;
use http::StatusCode;
use tower::Service as _;

use super::*;
use crate::breaker::{BreakerState, Deadline};
use crate::endpoints::health::Moment;

const PAUSE: Duration = Duration::from_secs(15);
const POLICY: BreakerPolicy = BreakerPolicy {
    failures: 3,
    pause: PAUSE,
};

/// What an endpoint does with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Answer(u16),
    /// 503 with the header by which a function says that it did not run.
    Overload,
    Refuse,
    Break,
    Hang,
}

/// An endpoint that behaves as it is told and counts its calls.
#[derive(Clone)]
struct Stand {
    endpoint: Arc<Endpoint>,
    way: Arc<Mutex<Way>>,
    calls: Arc<AtomicUsize>,
}

impl Stand {
    fn new(name: &str, way: Way) -> Self {
        let way = Arc::new(Mutex::new(way));
        let calls = Arc::<AtomicUsize>::default();
        let (told, counted) = (Arc::clone(&way), Arc::clone(&calls));
        let service = tower::service_fn(move |_: Request<Bytes>| {
            counted.fetch_add(1, Ordering::Relaxed);
            let way = *told.lock().unwrap();
            async move { behave(way).await }
        });
        let service = PoolService::new(service);
        Self {
            endpoint: Arc::new(Endpoint::new(&"p".into(), &name.into(), service, POLICY)),
            way,
            calls,
        }
    }

    fn turn(&self, way: Way) {
        *self.way.lock().unwrap() = way;
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    fn breaker(&self) -> BreakerState {
        self.endpoint.gate().view().state
    }
}

async fn behave(way: Way) -> Result<Response<Bytes>, CallError> {
    let mut response = Response::new(Bytes::new());
    match way {
        Way::Answer(status) => *response.status_mut() = StatusCode::from_u16(status).unwrap(),
        Way::Overload => {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            let headers = response.headers_mut();
            headers.insert(NOT_RUN_HEADER, "true".parse().unwrap());
        }
        Way::Refuse => return Err(CallError::NotRun("refused".into())),
        Way::Break => return Err(CallError::Unknown("broken".into())),
        Way::Hang => std::future::pending().await,
    }
    Ok(response)
}

fn endpoints(balance: Balance, stands: &[&Stand]) -> Endpoints {
    let all = stands.iter().map(|stand| Arc::clone(&stand.endpoint));
    Endpoints::new(&"p".into(), balance, all.collect())
}

async fn call(endpoints: &Endpoints) -> Result<u16, CallError> {
    let answer = endpoints.clone().call(Request::default()).await;
    answer.map(|response| response.status().as_u16())
}

fn held(answer: Result<u16, CallError>) -> Duration {
    match answer {
        Err(CallError::Held { retry_after, .. }) => retry_after,
        other => panic!("it should be turned away: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn what_counts_against_an_endpoint_and_what_does_not() {
    for (way, counts) in [
        (Way::Answer(200), false),
        (Way::Answer(400), false),
        (Way::Answer(429), false),
        (Way::Overload, false),
        (Way::Answer(500), true),
        (Way::Answer(502), true),
        (Way::Answer(503), true),
        (Way::Refuse, true),
        (Way::Break, true),
    ] {
        let stand = Stand::new("a", way);
        let endpoints = endpoints(Balance::RoundRobin, &[&stand]);
        for _ in 0..5 {
            let _ = call(&endpoints).await;
        }
        let expected = if counts { 3 } else { 5 };
        assert_eq!(stand.calls(), expected, "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_counts_and_a_caller_who_leaves_does_not() {
    for (late, expected) in [(true, BreakerState::Open), (false, BreakerState::Closed)] {
        let stand = Stand::new("a", Way::Hang);
        let mut endpoints = endpoints(Balance::RoundRobin, &[&stand]);
        for _ in 0..3 {
            let mut request = Request::new(Bytes::new());
            let now = tokio::time::Instant::now();
            let deadline = match late {
                true => now + Duration::from_millis(1),
                false => now + Duration::from_secs(3_600),
            };
            request.extensions_mut().insert(Deadline(deadline));
            let patience = now + Duration::from_millis(1);
            let answer = tokio::time::timeout_at(patience, endpoints.call(request)).await;
            assert!(answer.is_err());
        }
        assert_eq!(stand.breaker(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_says_how_long_and_the_first_call_after_it_decides() {
    let stand = Stand::new("a", Way::Answer(502));
    let endpoints = endpoints(Balance::RoundRobin, &[&stand]);
    for _ in 0..3 {
        assert_eq!(call(&endpoints).await, Ok(502));
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    // Whole seconds, rounded up: nobody comes back too early.
    assert_eq!(held(call(&endpoints).await), PAUSE);
    let Err(CallError::Held { why, .. }) = call(&endpoints).await else {
        panic!("it stays open");
    };
    assert!(why.contains("502") && why.contains("pool `p`"), "{why}");
    assert_eq!(stand.calls(), 3, "nothing reached it");

    tokio::time::sleep(PAUSE).await;
    assert_eq!(call(&endpoints).await, Ok(502));
    assert_eq!(stand.breaker(), BreakerState::Open);
    tokio::time::sleep(PAUSE).await;
    stand.turn(Way::Answer(200));
    assert_eq!(call(&endpoints).await, Ok(200));
    assert_eq!(stand.breaker(), BreakerState::Closed);
    assert_eq!(stand.endpoint.gate().view().error, None);
}

#[tokio::test(start_paused = true)]
async fn calls_wait_for_the_one_that_tries() {
    let stand = Stand::new("a", Way::Answer(502));
    let endpoints = endpoints(Balance::RoundRobin, &[&stand]);
    for _ in 0..3 {
        call(&endpoints).await.unwrap();
    }
    tokio::time::sleep(PAUSE).await;
    stand.turn(Way::Answer(200));
    let calls = (0..20).map(|_| call(&endpoints));
    for answer in futures_util::future::join_all(calls).await {
        assert_eq!(answer, Ok(200), "nobody is turned away while one tries");
    }
}

#[tokio::test(start_paused = true)]
async fn with_one_endpoint_dead_nothing_is_lost() {
    for balance in [
        Balance::RoundRobin,
        Balance::LeastConnections,
        Balance::SessionAffinity,
    ] {
        let (dead, alive) = (
            Stand::new("dead", Way::Refuse),
            Stand::new("alive", Way::Answer(200)),
        );
        let endpoints = endpoints(balance, &[&dead, &alive]);
        for number in 0..200 {
            let mut request = Request::new(Bytes::new());
            let session = http::HeaderValue::from(number % 10);
            request.headers_mut().insert(AFFINITY_HEADER, session);
            let answer = endpoints.clone().call(request).await;
            assert_eq!(answer.unwrap().status(), 200, "{balance:?}");
        }
        assert_eq!(alive.calls(), 200);
        assert_eq!(dead.calls(), 3, "then it is left alone");
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_surely_did_not_run_goes_on_to_the_next() {
    for (way, expected, asked) in [
        (Way::Refuse, Ok(200), 1),
        (Way::Overload, Ok(200), 1),
        (Way::Answer(500), Ok(500), 0),
        (Way::Answer(404), Ok(404), 0),
        (Way::Break, Err(CallError::Unknown("broken".into())), 0),
    ] {
        let (first, second) = (Stand::new("a", way), Stand::new("b", Way::Answer(200)));
        let endpoints = endpoints(Balance::RoundRobin, &[&first, &second]);
        assert_eq!(call(&endpoints).await, expected, "{way:?}");
        assert_eq!((first.calls(), second.calls()), (1, asked), "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn when_nobody_runs_it_the_last_refusal_is_told() {
    let (first, second) = (Stand::new("a", Way::Refuse), Stand::new("b", Way::Overload));
    let endpoints = endpoints(Balance::RoundRobin, &[&first, &second]);
    assert_eq!(call(&endpoints).await, Ok(503));
    assert_eq!((first.calls(), second.calls()), (1, 1), "each once");
}

#[tokio::test(start_paused = true)]
async fn a_failing_endpoint_gets_nothing_until_it_answers_its_probe() {
    let stand = Stand::new("a", Way::Answer(200));
    let endpoints = endpoints(Balance::RoundRobin, &[&stand]);
    let usual = Duration::from_secs(60);
    let probe = |probe| Health::default().after(probe, Moment::now(), usual);
    stand
        .endpoint
        .health
        .send_replace(probe(Err("refused".into())));
    assert_eq!(held(call(&endpoints).await), Duration::from_secs(1));
    assert_eq!(stand.calls(), 0);
    stand.endpoint.health.send_replace(probe(Ok(())));
    assert_eq!(call(&endpoints).await, Ok(200));
}

#[tokio::test(start_paused = true)]
async fn sessions_meet_at_one_endpoint() {
    let stands: Vec<_> = ["a", "b", "c"]
        .map(|name| Stand::new(name, Way::Answer(200)))
        .into();
    let endpoints = endpoints(Balance::SessionAffinity, &stands.iter().collect::<Vec<_>>());
    for _ in 0..30 {
        let mut request = Request::new(Bytes::new());
        let session = http::HeaderValue::from_static("session-1");
        request.headers_mut().insert(AFFINITY_HEADER, session);
        endpoints.clone().call(request).await.unwrap();
    }
    let mut calls: Vec<_> = stands.iter().map(Stand::calls).collect();
    calls.sort_unstable();
    assert_eq!(calls, [0, 0, 30]);
}
