use dormouse_broker::{Asks, Broker, NewTask, Report, Work};
use dormouse_contract::door::Door;
use dormouse_contract::policy::Delivery;
use dormouse_contract::trace::TraceParent;

use super::*;
use crate::config::Config;
use crate::era::Revision;
use crate::store::Store;

fn new_task(core: &Core) -> NewTask {
    NewTask {
        id: TaskId::new(),
        pool: "p".into(),
        capability: "t".into(),
        work: Work::Call(Bytes::from_static(b"{}")),
        principal: Arc::clone(&core.principal),
        reply_to: None,
        affinity: None,
        trace: TraceParent::random(),
        idempotency: None,
        delivery: Delivery::default().into(),
    }
}

/// What goes to who waits for a task since before it asks, and has seen what rounds up to `told`
/// ask; the task is cancelled while it asks.
async fn told_of(told: u32) -> Vec<String> {
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::open(dormouse_broker::Config::new(data.path())).unwrap();
    broker.open_pool("p".into(), 1, 1).await.unwrap();
    let store = Store::open(data.path()).unwrap();
    let config = Config::new(Door::default());
    let core = Arc::new(Core::new(config, broker.clone(), store, &Arc::default()));
    let new_task = new_task(&core);
    let task = new_task.id;
    let mut waiter = broker.wait(task);
    broker.accept(new_task).await.unwrap();
    let claim = broker.claims().recv().await.unwrap();
    let asks = Asks {
        asks: Bytes::from_static(br#"{"where":{"method":"roots/list"}}"#),
        revision: None,
    };
    let suspended = broker.settle(task, claim.token, Report::Suspended(asks));
    suspended.await.unwrap();
    broker.cancel(task, None, "enough").await.unwrap();
    let outbox = Arc::<Outbox>::default();
    let follow = Follow {
        id: RequestId::from_json(serde_json::from_str("1").unwrap()).unwrap(),
        era: Era::Legacy(Revision::LATEST),
        feature: Feature::Tool,
        hears: Hears::default(),
        outbox: Arc::clone(&outbox),
        flight: None,
        asking: Asking::Requests { as_task: false },
        asked: Vec::new(),
    };
    let abandoned = Abandoned::resumed(&core, task, false);
    let (_, outcome) = follow.run(&core, task, &mut waiter, abandoned, told).await;
    assert_eq!(outcome, CallOutcome::Cancelled);
    std::iter::from_fn(|| outbox.pop()).collect()
}

#[tokio::test]
async fn what_was_asked_already_is_no_news() {
    assert_eq!(told_of(1).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_asked_is_taken_back_when_the_call_ends_otherwise() {
    let told = told_of(0).await;
    let [request, cancelled] =
        [&told[0], &told[1]].map(|text| serde_json::from_str::<serde_json::Value>(text).unwrap());
    assert_eq!((told.len(), &request["method"]), (2, &"roots/list".into()));
    assert_eq!(cancelled["method"], "notifications/cancelled");
    assert_eq!(cancelled["params"]["requestId"], request["id"]);
}
