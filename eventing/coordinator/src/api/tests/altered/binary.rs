//! Binary mode: headers that are lost, doubled, written otherwise, or wrong.

use proptest::sample::{Index, select};

use super::any_event::{any_event, as_text};
use super::damaged::plain;
use super::*;

/// A header with a value that it must not have; the status, and what the detail names.
const WRONG: [(&str, &str, u16, &str); 30] = [
    ("ce-specversion", "0.3", 400, "`specversion`"),
    ("ce-specversion", "1.0.2", 400, "`specversion`"),
    ("ce-specversion", "", 400, "`specversion`"),
    ("ce-id", "", 400, "`id`"),
    ("ce-id", "a%00b", 400, "`id`"),
    ("ce-source", "", 400, "`source`"),
    ("ce-source", "a b", 400, "`source`"),
    ("ce-source", "a%20b", 400, "`source`"),
    ("ce-source", "http://[::1", 400, "`source`"),
    ("ce-type", "", 400, "`type`"),
    ("ce-type", "%0A", 400, "`type`"),
    ("ce-type", "dev.dormouse.x", 403, "`dev.dormouse.x`"),
    ("ce-subject", "", 400, "`subject`"),
    ("ce-subject", "a%C2%85b", 400, "`subject`"),
    ("ce-time", "noon", 400, "`time`"),
    ("ce-time", "2018-04-05 17:31:00Z", 400, "`time`"),
    ("ce-time", "2023-02-29T00:00:00Z", 400, "`time`"),
    ("ce-dataschema", "/relative", 400, "`dataschema`"),
    ("ce-dataschema", "https://h/s#part", 400, "`dataschema`"),
    ("ce-datacontenttype", "text/plain", 400, "`datacontenttype`"),
    ("ce-data", "x", 400, "`data`"),
    ("ce-my_own", "x", 400, "`my_own`"),
    ("ce-my.own", "x", 400, "`my.own`"),
    ("ce-", "x", 400, "``"),
    ("ce-note", "%EF%BF%BF", 400, "`note`"),
    ("content-type", "json", 400, "`datacontenttype`"),
    (
        "content-type",
        "text/plain; charset",
        400,
        "`datacontenttype`",
    ),
    (
        "content-type",
        "application/cloudevents",
        415,
        "`application/cloudevents`",
    ),
    (
        "content-type",
        "Application/CloudEvents+Avro",
        415,
        "Application/CloudEvents+Avro",
    ),
    (
        "content-type",
        "application/cloudevents+json; charset=utf-16",
        415,
        "`utf-16`",
    ),
];

#[derive(Debug, Clone)]
enum Change {
    Lose(Index),
    Double(Index),
    /// Every byte percent-encoded, in lower case.
    Encode,
    /// Values as quoted strings.
    Quote,
    /// Bytes that are no UTF-8.
    Garble(Index),
    /// A value of 100 KiB.
    Lengthen,
    Set((&'static str, &'static str, u16, &'static str)),
}

fn any_change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => any::<Index>().prop_map(Change::Lose),
        2 => any::<Index>().prop_map(Change::Double),
        2 => Just(Change::Encode),
        2 => Just(Change::Quote),
        2 => any::<Index>().prop_map(Change::Garble),
        1 => Just(Change::Lengthen),
        9 => select(&WRONG[..]).prop_map(Change::Set),
    ]
}

#[test]
fn a_header_that_is_altered_is_taken_rightly_or_refused_by_its_name() {
    for_each(
        (any_event(), any_change()),
        async |stage, (event, change)| {
            let event = as_text(unique(plain(event)));
            let mut message = Message::of(http_binding::write_binary(event.clone()));
            let fate = alter(&mut message, event, change);
            check(stage, post(&message).unwrap(), fate).await
        },
    );
}

fn alter(message: &mut Message, mut event: Event, change: Change) -> Fate {
    let headers = &mut message.headers;
    match change {
        Change::Lose(at) => {
            let (name, _) = headers.remove(at.index(headers.len()));
            return lose(event, &name);
        }
        Change::Double(at) => {
            let (name, value) = headers[at.index(headers.len())].clone();
            let fate = Fate::invalid(attribute(&name));
            headers.push((name, value));
            return fate;
        }
        Change::Encode => attributes(headers).for_each(|value| *value = encoded(value)),
        Change::Quote => attributes(headers).for_each(|value| {
            let text = String::from_utf8(value.clone()).unwrap();
            *value = format!("\"{}\"", text.replace('\\', "\\\\")).into_bytes();
        }),
        Change::Garble(at) => {
            let mut named: Vec<_> = headers
                .iter_mut()
                .filter(|(name, _)| is_attribute(name))
                .collect();
            let at = at.index(named.len());
            named[at].1 = b"a%ffb".to_vec();
            return Fate::refused(400, &format!("`{}`", named[at].0));
        }
        Change::Lengthen => {
            let long = "x".repeat(100 << 10);
            headers.retain(|(name, _)| name != "ce-long");
            headers.push(("ce-long".to_owned(), long.clone().into_bytes()));
            event = event.with_extension("long", long);
        }
        Change::Set((name, value, status, named)) => {
            headers.retain(|(other, _)| other != name);
            headers.push((name.to_owned(), value.as_bytes().to_vec()));
            return Fate::refused(status, named);
        }
    }
    Fate::Taken(vec![event])
}

fn is_attribute(header: &str) -> bool {
    header.starts_with("ce-")
}

fn attributes(headers: &mut [(String, Vec<u8>)]) -> impl Iterator<Item = &mut Vec<u8>> {
    let attributes = headers.iter_mut().filter(|(name, _)| is_attribute(name));
    attributes.map(|(_, value)| value)
}

fn attribute(header: &str) -> &str {
    match header {
        "content-type" => "datacontenttype",
        header => header.trim_start_matches("ce-"),
    }
}

/// What is left without a header.
fn lose(mut event: Event, header: &str) -> Fate {
    match attribute(header) {
        required @ ("specversion" | "id" | "source" | "type") => return Fate::invalid(required),
        "subject" => event.subject = None,
        "time" => event.time = None,
        "datacontenttype" => event.datacontenttype = None,
        "dataschema" => event.dataschema = None,
        extension => drop(event.extensions.remove(extension)),
    }
    Fate::Taken(vec![event])
}

/// Percent-encodes what is not, and writes what is in lower case.
fn encoded(value: &[u8]) -> Vec<u8> {
    let encode = |text: &str| -> String {
        let bytes = text.bytes();
        bytes.map(|byte| format!("%{byte:02x}")).collect()
    };
    let mut parts = std::str::from_utf8(value).unwrap().split('%');
    let mut out = encode(parts.next().unwrap());
    for part in parts {
        let (escape, rest) = part.split_at(2);
        out += &format!("%{}{}", escape.to_ascii_lowercase(), encode(rest));
    }
    out.into_bytes()
}
