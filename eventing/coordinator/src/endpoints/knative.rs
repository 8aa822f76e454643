//! Who answered behind Knative: the function, or something on the way to it?
//!
//! Between the dispatcher and a function stand an ingress (Envoy in all that are in use), the
//! activator while there is no pod, and queue-proxy in the pod. Each answers in place of the
//! function when it cannot pass a call on. An answer that carries the [mark](CONTRACT_HEADER) is the
//! function's. One without it is not, if the function marks all of its answers; of other functions
//! only Envoy's own words are believed, because Envoy says which answers came from behind it.
//!
//! What is listed here proves that nothing ran, by the source of Knative Serving 1.21 and of
//! Envoy. It rests on one thing: nobody on the way repeats a call, for then an earlier try may have
//! run. Kourier does not, and routes of a mesh have to say `attempts: 0`. Whatever is not listed is
//! unknown.

use bytes::Bytes;
use dormouse_contract::registration::CallError;
use dormouse_contract::task::CONTRACT_HEADER;
use http::header::{HeaderMap, SERVER};
use http::{Response, StatusCode};

use crate::breaker::did_not_run;

/// Envoy's words for a call whose upstream went away, before the reason. "retried and the latest
/// reset reason" is another text: there, an earlier try may have run.
const RESET: &str = "upstream connect error or disconnect/reset before headers. reset reason: ";

/// Why a stream was reset that was never begun (`Http::Utility::resetReasonToString`).
const NEVER_BEGUN: [&str; 6] = [
    // No connection, so nothing was written; the first one is what older versions say.
    "connection failure",
    "local connection failure",
    "remote connection failure",
    "connection timeout",
    // The circuit breaker let no connection or stream be made.
    "overflow",
    // Refused streams are guaranteed not to have been processed (RFC 9113, section 8.7).
    "remote refused stream reset",
];

/// What the answer says of the call, if it is not the function's. `is_marked`: the function marks
/// all of its answers.
pub(crate) fn in_its_place(is_marked: bool, answer: &Response<Bytes>) -> Option<CallError> {
    let (status, headers) = (answer.status(), answer.headers());
    // By a success or the not-run header it would speak the function's language.
    if headers.contains_key(CONTRACT_HEADER) || did_not_run(headers) || status.is_success() {
        return None;
    }
    if !is_marked && !is_envoys(headers) {
        return None;
    }
    let said = String::from_utf8_lossy(answer.body());
    let said = said.trim();
    let reason = envoy(status, said).or_else(|| match is_marked {
        true => behind_envoy(status, said),
        false => None,
    });
    let quoted: String = said.chars().take(200).collect();
    Some(match reason {
        Some(reason) => CallError::NotRun(format!(
            "the call did not reach the function: {reason} (Knative answered {status}: {quoted})"
        )),
        None => CallError::Unknown(format!(
            "Knative answered in place of the function with {status}: {quoted}; whether the call \
             took effect is not known"
        )),
    })
}

/// Whether Envoy made this answer itself: it puts its name on every answer, and on those that came
/// from behind it how long they took.
fn is_envoys(headers: &HeaderMap) -> bool {
    let server = headers.get(SERVER).map(|value| value.as_bytes());
    matches!(server, Some(b"envoy" | b"istio-envoy"))
        && !headers.contains_key("x-envoy-upstream-service-time")
}

/// Why nothing ran, when Envoy says this.
fn envoy(status: StatusCode, said: &str) -> Option<&'static str> {
    match (status, said) {
        // The load balancer found no host to connect to.
        (StatusCode::SERVICE_UNAVAILABLE, "no healthy upstream") => {
            Some("there is no pod and no activator to take it")
        }
        // The connection manager takes no requests at all.
        (StatusCode::SERVICE_UNAVAILABLE, "envoy overloaded") => Some("the ingress is overloaded"),
        (StatusCode::SERVICE_UNAVAILABLE, said) => {
            let reason = said.strip_prefix(RESET)?;
            let reason = reason.split(", transport failure reason").next()?;
            NEVER_BEGUN
                .contains(&reason)
                .then_some("the ingress could not connect to what takes it")
        }
        (_, _) => None,
    }
}

/// Why nothing ran, when it is known that the function does not say this.
fn behind_envoy(status: StatusCode, said: &str) -> Option<&'static str> {
    match status {
        // Envoy has no route of this name: it looks for one before it looks for a host.
        StatusCode::NOT_FOUND if said.is_empty() => Some("the ingress does not know the service"),
        // Said by the activator before it looks for a pod (activator/handler/context_handler.go).
        StatusCode::NOT_FOUND | StatusCode::INTERNAL_SERVER_ERROR
            if said.starts_with("Error getting active endpoint: ") =>
        {
            Some("the activator does not know the revision")
        }
        // The breakers of activator and queue-proxy, before they pass a call on (queue/breaker.go:
        // where `Maybe` returns an error, the thunk was not called).
        StatusCode::SERVICE_UNAVAILABLE
            if matches!(
                said,
                "pending request queue full" | "context deadline exceeded"
            ) =>
        {
            Some("too many calls wait for its pods")
        }
        // Go's dialer, in activator or queue-proxy: there was no connection to write to. Their
        // transports repeat a POST only when nothing of it was written.
        StatusCode::BAD_GATEWAY
            if said.starts_with("dial tcp ") || said.starts_with("timed out dialing ") =>
        {
            Some("nothing listens in the pod")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is known of a call by an answer.
    #[derive(Debug, PartialEq, Eq)]
    enum Known {
        /// As the function says.
        Said,
        NotRun,
        Unknown,
    }

    fn known(is_marked: bool, answer: &Response<Bytes>) -> Known {
        match in_its_place(is_marked, answer) {
            None => Known::Said,
            Some(CallError::NotRun(_)) => Known::NotRun,
            Some(CallError::Unknown(_)) => Known::Unknown,
            Some(CallError::Held { .. }) => panic!("nobody holds it"),
        }
    }

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Response<Bytes> {
        let mut answer = Response::builder().status(status);
        for (name, value) in headers {
            answer = answer.header(*name, *value);
        }
        answer
            .body(Bytes::copy_from_slice(body.as_bytes()))
            .unwrap()
    }

    /// Envoy's own answer, as it looks on the wire.
    fn envoys(status: u16, body: &str) -> Response<Bytes> {
        let headers = [("server", "envoy"), ("content-type", "text/plain")];
        answer(status, &headers, body)
    }

    /// What Go's `http.Error` writes, as it comes out of Envoy.
    fn gos(status: u16, body: &str) -> Response<Bytes> {
        let headers = [
            ("server", "envoy"),
            ("x-envoy-upstream-service-time", "3"),
            ("content-type", "text/plain; charset=utf-8"),
            ("x-content-type-options", "nosniff"),
        ];
        answer(status, &headers, &format!("{body}\n"))
    }

    #[test]
    fn envoy_is_believed_of_every_function() {
        let refused = "remote connection failure, transport failure reason: delayed connect \
                       error: Connection refused";
        for (body, expected) in [
            ("no healthy upstream".to_owned(), Known::NotRun),
            ("envoy overloaded".to_owned(), Known::NotRun),
            (format!("{RESET}{refused}"), Known::NotRun),
            (format!("{RESET}local connection failure"), Known::NotRun),
            (format!("{RESET}connection failure"), Known::NotRun),
            (format!("{RESET}connection timeout"), Known::NotRun),
            (format!("{RESET}overflow"), Known::NotRun),
            (format!("{RESET}remote refused stream reset"), Known::NotRun),
            (format!("{RESET}connection termination"), Known::Unknown),
            (format!("{RESET}remote reset"), Known::Unknown),
            (format!("{RESET}local reset"), Known::Unknown),
            (format!("{RESET}protocol error"), Known::Unknown),
            (format!("{RESET}overload manager reset"), Known::Unknown),
            (
                format!(
                    "upstream connect error or disconnect/reset before headers. retried and the \
                     latest reset reason: {refused}"
                ),
                Known::Unknown,
            ),
        ] {
            for is_marked in [true, false] {
                assert_eq!(known(is_marked, &envoys(503, &body)), expected, "{body}");
            }
        }
        let late = envoys(504, "upstream request timeout");
        assert_eq!(known(false, &late), Known::Unknown);
        let istio = [("server", "istio-envoy")];
        let istio = answer(503, &istio, "no healthy upstream");
        assert_eq!(known(false, &istio), Known::NotRun);
    }

    #[test]
    fn what_is_behind_envoy_is_told_apart_by_the_mark() {
        for (status, body, expected) in [
            (503, "pending request queue full", Known::NotRun),
            (503, "context deadline exceeded", Known::NotRun),
            (
                404,
                "Error getting active endpoint: revision.serving.knative.dev \"p-00001\" not found",
                Known::NotRun,
            ),
            (500, "Error getting active endpoint: etcd", Known::NotRun),
            (
                502,
                "dial tcp 127.0.0.1:8080: connect: connection refused",
                Known::NotRun,
            ),
            (502, "dial tcp 10.1.0.9:8012: i/o timeout", Known::NotRun),
            (
                502,
                "timed out dialing 10.1.0.9:8012 after 12.30s",
                Known::NotRun,
            ),
            // A container that was killed at work.
            (502, "EOF", Known::Unknown),
            (502, "unexpected EOF", Known::Unknown),
            (502, "http: server closed idle connection", Known::Unknown),
            (
                502,
                "read tcp 127.0.0.1:1->127.0.0.1:8080: read: connection reset by peer",
                Known::Unknown,
            ),
            (502, "context deadline exceeded", Known::Unknown),
            (504, "request timeout", Known::Unknown),
            (504, "activator request timeout", Known::Unknown),
            (503, "shutting down", Known::Unknown),
            (500, "", Known::Unknown),
            (413, "", Known::Unknown),
        ] {
            let answer = gos(status, body);
            assert_eq!(known(true, &answer), expected, "{status} {body}");
            // Another function may have said it, be it by passing on what it got from Knative.
            assert_eq!(known(false, &answer), Known::Said, "{status} {body}");
        }
        assert_eq!(known(true, &envoys(404, "")), Known::NotRun);
        assert_eq!(known(false, &envoys(404, "")), Known::Unknown);
    }

    #[test]
    fn a_function_that_marks_its_answer_has_said_it() {
        for body in ["no healthy upstream", "pending request queue full", ""] {
            let mut answer = envoys(503, body);
            let headers = answer.headers_mut();
            headers.insert(CONTRACT_HEADER, "1".parse().unwrap());
            assert_eq!(known(true, &answer), Known::Said);
        }
        let not_run = answer(503, &[("dormouse-not-run", "true")], "no healthy upstream");
        assert_eq!(known(true, &not_run), Known::Said);
        assert_eq!(known(true, &answer(200, &[], "x")), Known::Said);
    }
}
