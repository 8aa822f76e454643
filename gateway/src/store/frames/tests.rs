use super::*;

async fn stage() -> (tempfile::TempDir, Store, Owner) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let session = StoredSession {
        handle: "h".into(),
        principal: "p".into(),
        transport: "websocket".into(),
        revision: "2025-11-25".into(),
        client: "{".into(),
        level: "info".into(),
        tools: String::new(),
        subscriptions: "[]".into(),
        created: 0,
        used: 0,
    };
    store.add_session(session).await.unwrap();
    let owner = take(&store, 0).await.unwrap().owner;
    (folder, store, owner)
}

async fn take(store: &Store, has: u64) -> Option<Resumed> {
    let taken = store.take_over("h".into(), "p".into(), has, None).await;
    taken.unwrap()
}

fn text(number: u64, request: Option<&str>) -> StoredFrame {
    StoredFrame {
        number,
        content: StoredContent::Text {
            text: number.to_string(),
            request: request.map(str::to_owned),
        },
    }
}

fn flight(request: &str) -> StoredFlight {
    StoredFlight {
        request: request.into(),
        task: None,
    }
}

#[tokio::test]
async fn what_is_left_is_numbered_on_from_what_the_client_has() {
    let (_folder, store, owner) = stage().await;
    let frames = [2, 5, 6, 9].map(|number| text(number, None)).to_vec();
    store.add_frames(owner, frames, 3).await.unwrap();
    let resumed = take(&store, 4).await.unwrap();
    assert_eq!(resumed.received, 3);
    let left: Vec<_> = resumed
        .frames
        .iter()
        .map(|frame| (frame.number, frame.content.clone()))
        .collect();
    let expected = [(5, 5), (6, 6), (7, 9)].map(|(now, was)| (now, text(was, None).content));
    assert_eq!(left, expected);
    // Numbers are those of the frames that were left in memory, where there are more of those.
    let left = Some(vec![6, 7]);
    let again = store.take_over("h".into(), "p".into(), 5, left).await;
    let numbers: Vec<_> = again.unwrap().unwrap().frames;
    assert_eq!(
        numbers.iter().map(|frame| frame.number).collect::<Vec<_>>(),
        [6, 7]
    );
    assert_eq!(take(&store, 3).await, None, "frame 4 has been forgotten");
}

#[tokio::test]
async fn who_was_taken_over_writes_no_more() {
    let (_folder, store, older) = stage().await;
    let newer = take(&store, 0).await.unwrap().owner;
    let refused = store
        .add_frames(older.clone(), vec![text(1, None)], 0)
        .await;
    assert!(matches!(refused, Err(Error::Fenced)));
    let refused = store.begin_flight(older.clone(), flight("1"), 0).await;
    assert!(matches!(refused, Err(Error::Fenced)));
    store
        .add_frames(newer, vec![text(1, None)], 0)
        .await
        .unwrap();
    store.acknowledge(older, 1);
    assert_eq!(take(&store, 0).await.unwrap().frames.len(), 1);
}

#[tokio::test]
async fn a_request_waits_until_its_answer_is_stored() {
    let (_folder, store, owner) = stage().await;
    for request in ["1", "2"] {
        store
            .begin_flight(owner.clone(), flight(request), 2)
            .await
            .unwrap();
    }
    let frames = vec![text(1, Some("1"))];
    store.add_frames(owner, frames, 2).await.unwrap();
    let resumed = take(&store, 0).await.unwrap();
    assert_eq!(resumed.flights, [flight("2")]);
    assert_eq!(resumed.frames, [text(1, Some("1"))]);
}

#[tokio::test]
async fn nobody_else_takes_it_over() {
    let (_folder, store, _) = stage().await;
    for (handle, principal) in [("h", "q"), ("x", "p")] {
        let taken = store.take_over(handle.into(), principal.into(), 0, None);
        assert_eq!(taken.await.unwrap(), None);
    }
}

#[tokio::test]
async fn what_the_client_has_is_forgotten() {
    let (_folder, store, owner) = stage().await;
    let frames = (1..=4).map(|number| text(number, None)).collect();
    store.add_frames(owner.clone(), frames, 0).await.unwrap();
    store.acknowledge(owner, 3);
    assert_eq!(take(&store, 2).await, None);
    assert_eq!(take(&store, 3).await.unwrap().frames, [text(4, None)]);
}
