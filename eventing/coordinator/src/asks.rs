//! What a function asks when it suspends a call: read, checked, kept to the letter.

use bytes::Bytes;
use dormouse_broker::Asks;
use dormouse_contract::suspension::{
    Ask, Awaited, ELICIT, EVENT, LIST_ROOTS, SAMPLE, Suspended, is_name,
};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The most asks of one round: each is compared with those that were answered before.
const MOST: usize = 256;

/// Reads the data of a `task.suspended` reply, or says what is wrong with it.
pub(crate) fn read(data: &Bytes) -> Result<Asks, String> {
    #[derive(Deserialize)]
    struct Letters<'a> {
        #[serde(borrow)]
        asks: &'a RawValue,
    }

    let unreadable =
        |error: serde_json::Error| format!("its data is not `{{\"asks\": …}}`: {error}");
    let suspended: Suspended<'_> = serde_json::from_slice(data).map_err(unreadable)?;
    check(&suspended)?;
    let letters: Letters<'_> = serde_json::from_slice(data).map_err(unreadable)?;
    Ok(Asks {
        asks: data.slice_ref(letters.asks.get().as_bytes()),
        revision: suspended.revision.map(Into::into),
    })
}

fn check(suspended: &Suspended<'_>) -> Result<(), String> {
    if suspended.asks.is_empty() {
        return Err("there is no ask in it".to_owned());
    }
    if suspended.asks.len() > MOST {
        return Err(format!(
            "there are {} asks in it: ask at most {MOST} things at once",
            suspended.asks.len()
        ));
    }
    for (name, ask) in &suspended.asks {
        if !is_name(name) {
            return Err(format!(
                "`{}` names no ask: names hold 1 to 128 bytes of visible ASCII",
                name.escape_debug()
            ));
        }
        check_params(name, ask)?;
    }
    Ok(())
}

fn check_params(name: &str, ask: &Ask<'_>) -> Result<(), String> {
    let params = ask.params.map_or("{}", RawValue::get);
    match &*ask.method {
        ELICIT | SAMPLE | LIST_ROOTS if params.starts_with('{') => Ok(()),
        ELICIT | SAMPLE | LIST_ROOTS => Err(format!("the params of `{name}` are no object")),
        EVENT => match serde_json::from_str::<Awaited>(params) {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("`{name}` waits for no event: {error}")),
        },
        other => Err(format!(
            "`{name}` asks by `{}`: a client is asked by {ELICIT}, {SAMPLE} or {LIST_ROOTS}, and an \
             event waited for by {EVENT}",
            other.escape_debug()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_are_kept_to_the_letter_or_refused_in_words() {
        let asks = r#"{ "g":{"params":{ "x":1.0 },"method":"elicitation/create","extra":1} }"#;
        let data = Bytes::from(format!(r#"{{"revision":"r","asks":{asks}}}"#));
        let read_back = read(&data).unwrap();
        assert_eq!(read_back.asks, asks);
        assert_eq!(read_back.revision.as_deref(), Some("r"));

        let event = r#"{"asks":{"e":{"method":"dev.dormouse/event","params":{"filters":[]}}}}"#;
        assert!(read(&Bytes::from_static(event.as_bytes())).is_ok());

        let long = format!(
            r#"{{"asks":{{"{}":{{"method":"roots/list"}}}}}}"#,
            "x".repeat(129)
        );
        let many: Vec<_> = (0..=MOST)
            .map(|number| format!(r#""{number}":{{"method":"roots/list"}}"#))
            .collect();
        let many = format!(r#"{{"asks":{{{}}}}}"#, many.join(","));
        for (data, named) in [
            ("[]", "asks"),
            (&many, "at most 256"),
            (r#"{"asks":{}}"#, "no ask"),
            (r#"{"asks":{"":{"method":"roots/list"}}}"#, "128"),
            (&long, "128"),
            (r#"{"asks":{"a":{"method":"tools/call"}}}"#, "`tools/call`"),
            (
                r#"{"asks":{"a":{"method":"roots/list","params":[]}}}"#,
                "`a`",
            ),
            (
                r#"{"asks":{"a":{"method":"dev.dormouse/event","params":{"filters":[{"exactly":{}}]}}}}"#,
                "`exactly`",
            ),
        ] {
            let why = read(&Bytes::copy_from_slice(data.as_bytes())).unwrap_err();
            assert!(why.contains(named), "{data}: {why}");
        }
    }
}
