//! What becomes of each answer.

use super::*;

fn report(kind: Kind, pool: &str, response: Response<Bytes>) -> Report {
    match read(kind, &format!("pool `{pool}`"), response) {
        Answer::Report(report) => report,
        Answer::Reply { reply, .. } => Report::Completed(reply),
    }
}

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Response<Bytes> {
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder
        .body(Bytes::copy_from_slice(body.as_bytes()))
        .unwrap()
}

fn reply(ty: &str, data: &'static str) -> Response<Bytes> {
    let (headers, body) = http_binding::write_binary(Event::new("1", "/p", ty).with_json(data));
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    response
}

fn outcome(report: &Report) -> Option<(Outcome, bool)> {
    match report {
        Report::Completed(_)
        | Report::Replied { .. }
        | Report::Suspended(_)
        | Report::Held { .. } => None,
        Report::Failed { failure, last, .. } => Some((failure.outcome, *last)),
    }
}

#[test]
fn a_result_passes_to_the_letter() {
    let response = reply(COMPLETED, r#"{"result": {"b" : 1.0, "a":[ ]} }"#);
    let expected = Report::Completed(Bytes::from_static(br#"{"b" : 1.0, "a":[ ]}"#));
    assert_eq!(report(Kind::Call, "p", response), expected);
}

#[test]
fn questions_pass_to_the_letter() {
    let response = reply(
        SUSPENDED,
        r#"{"asks":{ "g":{"method":"roots/list"} },"revision":"r1"}"#,
    );
    let Report::Suspended(asks) = report(Kind::Call, "p", response) else {
        panic!("it suspends");
    };
    assert_eq!(asks.asks, r#"{ "g":{"method":"roots/list"} }"#);
    assert_eq!(asks.revision.as_deref(), Some("r1"));
}

#[test]
fn each_answer_is_classified_as_the_contract_says() {
    use Outcome::{Failed, NotRun, Unknown};
    let not_run = [("dormouse-not-run", "true"), ("retry-after", "2")];
    for (kind, response, expected) in [
        (
            Kind::Call,
            answer(503, &not_run, "busy"),
            Some((NotRun, false)),
        ),
        (Kind::Call, answer(500, &[], ""), Some((Unknown, false))),
        (Kind::Call, answer(429, &[], ""), Some((Unknown, false))),
        (Kind::Call, answer(400, &[], "no"), Some((Failed, true))),
        (Kind::Call, answer(404, &[], ""), Some((Failed, true))),
        (Kind::Event, answer(404, &[], ""), Some((Unknown, false))),
        (Kind::Call, answer(301, &[], ""), Some((Failed, true))),
        (
            Kind::Call,
            answer(200, &[], "rubbish"),
            Some((Unknown, false)),
        ),
        (Kind::Call, answer(204, &[], ""), Some((Failed, true))),
        (Kind::Event, answer(204, &[], ""), None),
        (Kind::Event, reply("org.example.done", "{}"), None),
        (
            Kind::Call,
            reply("org.example.done", "{}"),
            Some((Unknown, false)),
        ),
        (Kind::Call, reply(COMPLETED, "[]"), Some((Unknown, false))),
        (
            Kind::Call,
            reply(SUSPENDED, r#"{"asks":{}}"#),
            Some((Failed, true)),
        ),
    ] {
        let shown = format!("{kind:?} {response:?}");
        assert_eq!(outcome(&report(kind, "p", response)), expected, "{shown}");
    }
}

#[test]
fn an_event_without_data_is_a_reply() {
    let (headers, body) = http_binding::write_binary(Event::new("1", "/p", "org.example.done"));
    for status in [StatusCode::OK, StatusCode::ACCEPTED, StatusCode::NO_CONTENT] {
        let mut response = Response::new(body.clone());
        *response.status_mut() = status;
        *response.headers_mut() = headers.clone();
        let Answer::Reply { event, .. } = read(Kind::Event, "p", response) else {
            panic!("{status} with attributes is a reply");
        };
        assert_eq!(event, Event::new("1", "/p", "org.example.done"));
    }
}

#[test]
fn a_functions_own_failure_is_final_unless_it_did_not_run() {
    for (word, last) in [("failed", true), ("not-run", false), ("unknown", false)] {
        let data = format!(r#"{{"error":{{"code":1,"message":"m"}},"outcome":"{word}"}}"#);
        let response = reply(FAILED, Box::leak(data.into_boxed_str()));
        assert_eq!(
            outcome(&report(Kind::Call, "p", response)).map(|seen| seen.1),
            Some(last)
        );
    }
}

#[test]
fn how_long_a_function_asks_to_be_left_alone() {
    let now: Timestamp = "1994-11-06T08:49:00Z".parse().unwrap();
    for (text, seconds) in [
        ("120", Some(120)),
        (" 86400 ", Some(86_400)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", Some(37)),
        ("Sun, 06 Nov 1994 08:48:00 GMT", Some(0)),
        ("soon", None),
        ("-1", None),
    ] {
        let headers = [(RETRY_AFTER, text.parse().unwrap())];
        let asked = retry_after(&HeaderMap::from_iter(headers), now);
        assert_eq!(asked, seconds.map(Duration::from_secs), "{text}");
    }
    let none = retry_after(&HeaderMap::new(), now);
    assert_eq!(none, None);
}
