//! The request itself: another method, another path, too much of a body.

use super::*;

fn in_each_mode(event: &Event) -> [Message; 3] {
    let events = std::slice::from_ref(event);
    [
        http_binding::write_binary(event.clone()),
        http_binding::write_structured(event),
        http_binding::write_batch(events),
    ]
    .map(Message::of)
}

fn event() -> Event {
    unique(Event::new("", "/repos/x", "com.example.note").with_json("{}"))
}

async fn ask(stage: &Stage, method: Method, path: &str, message: &Message) -> Answer {
    let mut request = post(message).unwrap();
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().unwrap();
    let answer = stage.ask(request).await;
    let stored = stored_after(stage, None).await;
    assert_eq!(stored, [], "{path}: {:?}", answer.body);
    answer
}

#[tokio::test]
async fn another_method_or_path_takes_no_event() {
    let stage = Stage::open(10).await;
    for message in in_each_mode(&event()) {
        for method in ["PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let answer = ask(&stage, method, "/events", &message).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
            assert!(answer.header("allow").contains("POST"));
            check_problem(&answer, &["Allow".to_owned()]).unwrap();
        }
        for path in [
            "/",
            "/event",
            "/events/",
            "/Events",
            "//events",
            "/events%20",
            "/events/1",
        ] {
            let answer = ask(&stage, Method::POST, path, &message).await;
            let is_there = ["/", "/events/1"].contains(&path);
            let status = if is_there { 405 } else { 404 };
            assert_eq!(answer.status, status, "{path}");
            check_problem(&answer, &[]).unwrap();
        }
    }
}

#[tokio::test]
async fn a_query_changes_nothing() {
    let stage = Stage::open(10).await;
    for mode in 0..3 {
        let event = event();
        let mut request = post(&in_each_mode(&event)[mode]).unwrap();
        *request.uri_mut() = "/events?ce-id=other&x".parse().unwrap();
        check(&stage, request, Fate::Taken(vec![event]))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn too_much_is_refused_in_each_mode() {
    let stage = Stage::open(10).await;
    let large = Event {
        data: Some(vec![b'1'; BODY_LIMIT + 1].into()),
        ..event()
    };
    for message in in_each_mode(&large) {
        let answer = ask(&stage, Method::POST, "/events", &message).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
        check_problem(&answer, &["4 MiB".to_owned()]).unwrap();
    }
    let many: Vec<_> = (0..=http_binding::BATCH_LIMIT).map(|_| event()).collect();
    let many = Message::of(http_binding::write_batch(&many));
    let answer = ask(&stage, Method::POST, "/events", &many).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    check_problem(&answer, &["1000 events".to_owned()]).unwrap();
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_taken() {
    let stage = Stage::open(10).await;
    let event = Event {
        data: Some(vec![b'1'; BODY_LIMIT].into()),
        ..event()
    };
    let request = post(&in_each_mode(&event)[0]).unwrap();
    check(&stage, request, Fate::Taken(vec![event]))
        .await
        .unwrap();
}

#[tokio::test]
async fn what_says_nothing_of_an_event_is_told_what_to_send() {
    let stage = Stage::open(10).await;
    for media in [
        "application/json",
        "text/plain",
        "application/x-www-form-urlencoded",
    ] {
        let request = request(Method::POST, "/events", &[("content-type", media)], "{}");
        let fate = Fate::refused(400, "`ce-specversion`");
        check(&stage, request, fate).await.unwrap();
    }
}
