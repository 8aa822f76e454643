//! Adds what earlier rounds left to a stored request, which stays to the letter.

use bytes::Bytes;
use dormouse_broker::Replay;

const NONE: &[u8] = b"{}";

/// The request, an object, with answers, steps and revision before its closing brace.
pub(crate) fn replay(request: &Bytes, replay: &Replay) -> Bytes {
    let Some(end) = request.iter().rposition(|byte| *byte == b'}') else {
        return request.clone();
    };
    let head = request[..end].trim_ascii_end();
    let mut data =
        Vec::with_capacity(request.len() + replay.answers.len() + replay.steps.len() + 64);
    data.extend_from_slice(head);
    let mut is_first = head.ends_with(b"{");
    let mut member = |name: &str, value: &[u8]| {
        if !std::mem::take(&mut is_first) {
            data.push(b',');
        }
        data.extend_from_slice(format!("\"{name}\":").as_bytes());
        data.extend_from_slice(value);
    };
    for (name, object) in [("answers", &replay.answers), ("steps", &replay.steps)] {
        if **object != *NONE {
            member(name, object);
        }
    }
    if let Some(revision) = &replay.revision {
        // A string always serializes.
        let revision = serde_json::to_string(revision).unwrap_or_default();
        member("revision", revision.as_bytes());
    }
    data.extend_from_slice(&request[end..]);
    data.into()
}

#[cfg(test)]
mod tests {
    use dormouse_contract::task::Requested;

    use super::*;

    #[test]
    fn what_is_left_stands_behind_the_request_to_the_letter() {
        let request = Bytes::from_static(br#"{"method":"tools/call", "params":{ "n":1.0 } } "#);
        let left = Replay {
            answers: Bytes::from_static(br#"{"g":{"result":{ "x":2.0 }}}"#),
            steps: Bytes::from_static(br#"{"s":[ 1 ]}"#),
            revision: Some("r\"1".to_owned()),
        };
        let spliced = replay(&request, &left);
        assert_eq!(
            spliced,
            concat!(
                r#"{"method":"tools/call", "params":{ "n":1.0 },"answers":{"g":{"result":{ "x":2.0 }}}"#,
                r#","steps":{"s":[ 1 ]},"revision":"r\"1"} "#
            )
        );
        let read: Requested<'_> = serde_json::from_slice(&spliced).unwrap();
        assert_eq!((read.answers.len(), read.steps["s"].get()), (1, "[ 1 ]"));
        assert_eq!(read.revision.as_deref(), Some("r\"1"));
    }

    #[test]
    fn nothing_left_adds_nothing() {
        let left = Replay {
            answers: Bytes::from_static(NONE),
            steps: Bytes::from_static(NONE),
            revision: None,
        };
        for request in ["{}", r#"{"method":"x"}"#] {
            assert_eq!(replay(&Bytes::from(request), &left), request);
        }
        let left = Replay {
            steps: Bytes::from_static(br#"{"s":1}"#),
            ..left
        };
        assert_eq!(replay(&Bytes::from("{ }"), &left), r#"{"steps":{"s":1}}"#);
    }
}
