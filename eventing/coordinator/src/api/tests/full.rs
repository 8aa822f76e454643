//! A platform without room on its disk.

use super::*;

#[tokio::test]
async fn a_disk_without_room_says_when_to_come_back() {
    let data = tempfile::tempdir().unwrap();
    let mut config = Config::new(data.path());
    config.disk_reserve = u64::MAX;
    let broker = Broker::open(config).unwrap();
    let admission = Admission {
        door: Door::new(Some(TOKEN.into()), vec![]),
        brokers: None,
    };
    let router = router(
        Coordinator::new(broker.clone()),
        admission,
        Arc::new(String::new),
    );
    let stage = Stage {
        router,
        broker,
        _data: data,
        ..Stage::open(10).await
    };
    let refused = stage.post("/events", &PUSH, "{}").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.header("content-type"), "application/problem+json");
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!(seconds > 0);
    let logged: EventPage = stage.read("/events").await;
    assert_eq!(logged.events, []);
}
