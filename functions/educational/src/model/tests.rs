//! The client against an endpoint on loopback.

use super::error::Retry;
use super::*;
use crate::endpoint::{End, Endpoint, Reply};

fn settings(base_url: &str) -> Settings {
    let value = |name: &str| match name {
        "OPENAI_BASE_URL" => Some(base_url.to_owned()),
        "OPENAI_MODEL" => Some("tiny".to_owned()),
        "OPENAI_API_KEY" => Some("sk-secret".to_owned()),
        _ => None,
    };
    Settings::read(value).ok().unwrap()
}

async fn write_to(settings: Settings) -> (Result<Completion, Error>, Vec<String>) {
    let model = Model::new(Ok(settings));
    let mut seen = Vec::new();
    let asked = [Message::system("be brief"), Message::user("rain?")];
    let mut on_text = |text: &str| seen.push(text.to_owned());
    let written = model.ready().unwrap().write(&asked, &mut on_text).await;
    (written, seen)
}

async fn write(reply: Reply) -> Result<Completion, Error> {
    let endpoint = Endpoint::start([reply]).await;
    write_to(settings(endpoint.base_url())).await.0
}

fn completion(text: &str, finish: Finish) -> Completion {
    let text = text.to_owned();
    Completion { text, finish }
}

#[tokio::test]
async fn a_stream_is_read_as_it_is_written() {
    let endpoint = Endpoint::start([Reply::stream(&["Rain ", "fällt", "."])]).await;
    let (written, seen) = write_to(settings(endpoint.base_url())).await;
    assert_eq!(written, Ok(completion("Rain fällt.", Finish::Done)));
    assert_eq!(seen, ["Rain ", "Rain fällt", "Rain fällt."]);
    let asked = &endpoint.requests()[0];
    assert_eq!(asked.authorization.as_deref(), Some("Bearer sk-secret"));
    assert_eq!(
        asked.body,
        json!({"model": "tiny", "stream": true, "messages": [
            {"role": "system", "content": "be brief"}, {"role": "user", "content": "rain?"},
        ]})
    );
}

#[tokio::test]
async fn answers_in_one_piece_are_understood() {
    let whole = json!({"choices": [{"message": {"content": "Rain."}, "finish_reason": "length"}]});
    let written = write(Reply::new(200, &whole.to_string())).await;
    assert_eq!(written, Ok(completion("Rain.", Finish::Length)));
}

#[tokio::test]
async fn a_finished_stream_needs_no_done() {
    let last = r#"{"choices":[{"delta":{"content":"Rain."},"finish_reason":"stop"}]}"#;
    for end in [End::Complete, End::Cut] {
        let written = write(Reply::events(&[last]).ending(end)).await;
        assert_eq!(written, Ok(completion("Rain.", Finish::Done)));
    }
}

#[tokio::test]
async fn cut_streams_tell_how_far_they_came() {
    for end in [End::Complete, End::Cut] {
        let written = write(Reply::open(&["Reg", "én"]).ending(end)).await;
        assert!(
            matches!(written, Err(Error::Cut { received: 5, .. })),
            "{written:?}"
        );
        assert_eq!(written.unwrap_err().retry(), Retry::Now);
    }
}

#[tokio::test]
async fn silence_ends_the_wait() {
    for reply in [
        Reply::open(&["Rain"]),
        Reply::new(200, "{").header("content-type", "application/json"),
    ] {
        let endpoint = Endpoint::start([reply.ending(End::Hang)]).await;
        let silence = Duration::from_millis(50);
        let settings = Settings {
            silence,
            ..settings(endpoint.base_url())
        };
        assert_eq!(write_to(settings).await.0, Err(Error::Silent(silence)));
        endpoint.hung_up().await;
    }
}

#[tokio::test]
async fn refusals_by_status_are_told_apart() {
    let said = r#"{"error":{"message":"No sk-secret here.","code":"x"}}"#;
    let cases = [
        (
            Reply::new(401, said),
            "check OPENAI_API_KEY",
            Retry::Pointless,
        ),
        (
            Reply::new(403, said),
            "403): No [key] here",
            Retry::Pointless,
        ),
        (Reply::new(404, said), "no model `tiny`", Retry::Pointless),
        (
            Reply::new(400, said),
            "HTTP 400): No [key] here",
            Retry::Pointless,
        ),
        (Reply::new(402, "{}"), "no quota left", Retry::Pointless),
        (
            Reply::new(429, r#"{"error":{"code":"insufficient_quota"}}"#),
            "no quota left",
            Retry::Pointless,
        ),
        (
            Reply::new(429, r#"{"error":"slow"}"#).header("retry-after", "9"),
            "HTTP 429): slow",
            Retry::Later(After::Seconds(9)),
        ),
        (
            Reply::new(503, "<html>busy</html>").header("content-type", "text/html"),
            "HTTP 503)",
            Retry::Later(After::Unsaid),
        ),
        (
            Reply::new(307, "").header("location", "https://b.example/v1"),
            "redirects (HTTP 307) to https://b.example/v1",
            Retry::Pointless,
        ),
    ];
    for (reply, said, retry) in cases {
        let error = write(reply).await.unwrap_err();
        let words = error.in_words();
        assert!(
            words.to_lowercase().contains(&said.to_lowercase()),
            "{words}"
        );
        assert!(!words.contains("sk-secret"), "{words}");
        assert_eq!(error.retry(), retry, "{words}");
    }
}

#[tokio::test]
async fn rubbish_is_called_so() {
    let html = "<html>Welcome</html>";
    for reply in [
        Reply::new(200, html).header("content-type", "text/html"),
        Reply::new(200, html),
        Reply::new(200, "{}"),
        Reply::events(&["no json"]),
        Reply::events(&["[1]"]),
        Reply::events(&[]),
    ] {
        let written = write(reply).await;
        assert!(matches!(written, Err(Error::Rubbish(_))), "{written:?}");
    }
}

#[tokio::test]
async fn what_the_stream_itself_reports_is_passed_on() {
    let choice = |inner: &str| format!(r#"{{"choices":[{{"delta":{{{inner}}}}}]}}"#);
    let (part, declined) = (
        choice(r#""content":"Ra""#),
        choice(r#""refusal":"I must not""#),
    );
    let cases: [(&[&str], &str); 4] = [
        (
            &[&part, r#"{"error":{"message":"overloaded"}}"#],
            "answering: overloaded",
        ),
        (&[&declined, "[DONE]"], "declined to answer: I must not"),
        (&["[DONE]"], "no text"),
        (
            &[r#"{"choices":[{"delta":{},"finish_reason":"content_filter"}]}"#],
            "content filter",
        ),
    ];
    for (events, said) in cases {
        let words = write(Reply::events(events)).await.unwrap_err().to_string();
        assert!(words.contains(said), "{words}");
    }
}

#[tokio::test]
async fn nobody_there_is_told_with_the_address() {
    // Port 1 is reserved, and nothing here listens on it.
    let (written, _) = write_to(settings("http://127.0.0.1:1/v1")).await;
    let words = written.unwrap_err().in_words();
    assert!(
        words.contains("http://127.0.0.1:1/v1/chat/completions"),
        "{words}"
    );
    assert!(
        words.contains("refused") && words.contains("safe"),
        "{words}"
    );
}

#[tokio::test]
async fn an_endless_answer_is_cut() {
    let long = "x".repeat(600 * 1024);
    let written = write(Reply::stream(&[&long, &long])).await;
    assert!(matches!(written, Err(Error::TooLong(_))));
}

#[tokio::test]
async fn dropping_the_future_drops_the_request() {
    let endpoint = Endpoint::start([Reply::open(&["Rain"]).ending(End::Hang)]).await;
    let writing = tokio::spawn(write_to(settings(endpoint.base_url())));
    endpoint.arrived().await;
    writing.abort();
    endpoint.hung_up().await;
}

#[tokio::test]
async fn formats_that_are_refused_are_left_out() {
    let refusal = || Reply::new(400, r#"{"error":"response_format is not supported"}"#);
    let endpoint = Endpoint::start([refusal(), refusal(), Reply::stream(&["{}"])]).await;
    let model = Model::new(Ok(settings(endpoint.base_url())));
    let schema = json!({"type": "object"});
    let asked = [Message::user("rain?")];
    let ready = model.ready().unwrap();
    let written = ready.write_json(&asked, &schema, &mut |_: &str| {}).await;
    assert_eq!(written, Ok(completion("{}", Finish::Done)));
    let formats: Vec<_> = endpoint
        .requests()
        .into_iter()
        .map(|asked| asked.body["response_format"].clone())
        .collect();
    assert_eq!(
        formats,
        [
            json!({"type": "json_schema", "json_schema":
                {"name": "answer", "strict": true, "schema": schema}}),
            json!({"type": "json_object"}),
            Value::Null,
        ]
    );
}
