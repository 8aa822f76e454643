use super::*;
use crate::store::Store;
use metrics::Gauge;

struct Stage {
    sessions: Sessions,
    folder: tempfile::TempDir,
}

impl Stage {
    fn new(most: usize) -> Self {
        Self::of(tempfile::tempdir().unwrap(), most)
    }

    fn of(folder: tempfile::TempDir, most: usize) -> Self {
        let store = Store::open(folder.path()).unwrap();
        Self {
            sessions: Sessions::new(store, most, Gauge::noop()),
            folder,
        }
    }

    /// As after `kill -9` and a new start.
    fn restart(self) -> Self {
        let Self { sessions, folder } = self;
        drop(sessions);
        Self::of(folder, 100)
    }

    async fn open(&self, principal: &str) -> Arc<Session> {
        let session = self.try_open(principal).unwrap();
        self.sessions.store(&session).await;
        session
    }

    fn try_open(&self, principal: &str) -> Result<Arc<Session>, crate::error::Fault> {
        self.sessions.open(&principal.into(), introduction())
    }
}

fn introduction() -> Introduction<'static> {
    Introduction {
        revision: Revision::LATEST,
        capabilities: None,
        info: Some(serde_json::from_str(r#"{"name":"probe","version":"1"}"#).unwrap()),
        tools: None,
    }
}

#[tokio::test]
async fn a_session_is_its_principals_alone() {
    let stage = Stage::new(100);
    let session = stage.open("a").await;
    let id = session.id().clone();
    let stage = stage.restart();
    for _ in 0..2 {
        assert!(stage.sessions.find(&id, "b").await.is_none());
        assert!(stage.sessions.find("other", "a").await.is_none());
        // From the store first, then from memory.
        assert!(stage.sessions.find(&id, "a").await.is_some());
    }
    stage.sessions.end(&session).await;
    assert!(stage.sessions.find(&id, "a").await.is_none());
    assert!(stage.restart().sessions.find(&id, "a").await.is_none());
}

#[tokio::test]
async fn what_a_client_said_survives_a_restart() {
    let stage = Stage::new(100);
    let session = stage.open("a").await;
    session.set_log_level(Level::Error);
    stage.sessions.note(&session);
    let stage = stage.restart();
    let again = stage.sessions.find(session.id(), "a").await.unwrap();
    assert_eq!(again.log_level(), Level::Error);
    assert_eq!(again.client(), session.client());
    assert_eq!(again.handle(), session.handle());
    assert_eq!(again.created, session.created);
}

#[tokio::test]
async fn sessions_at_rest_are_left_to_the_store_and_then_forgotten() {
    let stage = Stage::new(100);
    let resting = stage.open("a").await;
    let streaming = stage.open("a").await;
    let place = streaming.standing().unwrap().channel.read_after(0);
    let _socket = stage
        .sessions
        .open_socket(None, &"a".into(), introduction(), Arc::default());
    assert_eq!(stage.sessions.sweep(Duration::from_secs(3_600)).await, 0);
    assert_eq!(stage.sessions.count(), 3);
    resting.used.fetch_sub(10 * 60_000, Ordering::Relaxed);
    assert_eq!(stage.sessions.sweep(Duration::from_secs(3_600)).await, 0);
    assert_eq!(stage.sessions.count(), 2, "it is in the store alone");
    let back = stage.sessions.find(resting.id(), "a").await.unwrap();
    for session in [&back, &streaming] {
        session.used.fetch_sub(120 * 60_000, Ordering::Relaxed);
    }
    assert_eq!(stage.sessions.sweep(Duration::from_secs(3_600)).await, 1);
    assert!(stage.sessions.find(resting.id(), "a").await.is_none());
    streaming.standing().unwrap().channel.leave(&place);
    assert!(stage.sessions.find(streaming.id(), "a").await.is_some());
}

#[tokio::test]
async fn memory_is_bounded_and_the_longest_idle_make_way() {
    let stage = Stage::new(20);
    let first = stage.open("a").await;
    first.used.fetch_sub(60_000, Ordering::Relaxed);
    let mut busy = Vec::new();
    for _ in 0..40 {
        busy.push(stage.open("a").await);
    }
    assert!(stage.sessions.count() <= 20);
    assert!(stage.sessions.find(first.id(), "a").await.is_some());

    let stage = Stage::new(3);
    for _ in 0..3 {
        let session = stage.open("a").await;
        let _ = session.standing().unwrap().channel.read_after(0);
    }
    let refused = stage.try_open("a").unwrap_err();
    assert_eq!(refused, crate::error::Fault::TooManySessions);
}

#[tokio::test]
async fn a_summary_names_the_client_and_no_secret() {
    let stage = Stage::new(100);
    let session = stage.open("a").await;
    let summary = serde_json::to_string(&stage.sessions.summaries(10)).unwrap();
    assert!(summary.contains("probe"));
    assert!(!summary.contains(&**session.id()));
    assert!(!format!("{:?}", session.handle()).contains(&**session.id()));
}

#[tokio::test]
async fn few_streams_of_ended_calls_are_kept() {
    let stage = Stage::new(100);
    let session = stage.open("a").await;
    let open = TaskId::new();
    session.keep_call_stream(open, Arc::default());
    let tasks: Vec<_> = (0..ENDED_KEPT * 3).map(|_| TaskId::new()).collect();
    for task in &tasks {
        let stream = session.keep_call_stream(*task, Arc::default());
        stream.end(Some("answer".to_owned()));
    }
    let kept = tasks
        .iter()
        .filter(|task| session.call_stream(**task).is_some());
    assert_eq!(kept.count(), ENDED_KEPT);
    assert!(session.call_stream(open).is_some());
    stage.sessions.end(&session).await;
    assert!(session.call_stream(open).is_none());
}
