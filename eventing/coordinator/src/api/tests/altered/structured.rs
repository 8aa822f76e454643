//! Structured and batched mode: media types, bodies and members that are altered.

use std::collections::BTreeMap;

use proptest::sample::{Index, select};
use serde_json::value::RawValue;

use super::any_event::any_event;
use super::*;

/// Other ways to say the same media type; `+json` or `-batch+json` follows the first word.
const SAME: [(&str, &str); 5] = [
    ("Application/CloudEvents", ""),
    ("application/cloudevents", ";charset=utf-8"),
    ("APPLICATION/cloudevents", " ; Charset=\"UTF-8\";"),
    ("application/cloudevents", "; charset=us-ascii; profile=x"),
    ("application/cloudevents", "; x=\"a; charset=utf-16\""),
];

/// Media types that are not read, and what of them the detail names.
const FOREIGN: [(&str, &str); 6] = [
    ("application/cloudevents", "`application/cloudevents`"),
    ("application/cloudevents+avro", "avro"),
    ("application/cloudevents-batch+protobuf", "protobuf"),
    ("Application/CloudEvents+JSON; charset=utf-16", "`utf-16`"),
    (
        "application/cloudevents-batch+json; charset=\"latin1\"",
        "`latin1`",
    ),
    ("application/cloudevents+json charset=utf-8", "charset"),
];

/// A member with a value that it must not have; the status, and what the detail names.
const WRONG: [(&str, &str, u16, &str); 30] = [
    ("specversion", "\"0.3\"", 400, "`specversion`"),
    ("specversion", "1.0", 400, "`specversion`"),
    ("id", "7", 400, "`id`"),
    ("id", "\"\"", 400, "`id`"),
    ("id", "\"\\u0000\"", 400, "`id`"),
    ("source", "\"a b\"", 400, "`source`"),
    ("source", "[]", 400, "`source`"),
    ("type", "{}", 400, "`type`"),
    ("type", "\"\\ufdd0\"", 400, "`type`"),
    ("type", "\"dev.dormouse.x\"", 403, "`dev.dormouse.x`"),
    ("subject", "\"\"", 400, "`subject`"),
    ("subject", "\"\\ud800\"", 400, "`subject`"),
    ("subject", "true", 400, "`subject`"),
    ("time", "\"noon\"", 400, "`time`"),
    ("time", "1700000000", 400, "`time`"),
    ("datacontenttype", "\"json\"", 400, "`datacontenttype`"),
    ("datacontenttype", "\"\"", 400, "`datacontenttype`"),
    ("dataschema", "\"relative\"", 400, "`dataschema`"),
    ("dataschema", "\"\"", 400, "`dataschema`"),
    ("note", "{}", 400, "`note`"),
    ("note", "1.0", 400, "`note`"),
    ("note", "1e3", 400, "`note`"),
    ("note", "2147483648", 400, "`note`"),
    ("note", "\"\\u0085\"", 400, "`note`"),
    ("myOwn", "1", 400, "`myOwn`"),
    ("my_own", "1", 400, "`my_own`"),
    ("", "1", 400, "``"),
    ("data_base64", "\"A\"", 400, "`data_base64`"),
    ("data_base64", "\"AP-_\"", 400, "`data_base64`"),
    ("data_base64", "7", 400, "`data_base64`"),
];

/// Bytes that stand neither before nor after JSON.
const SPOILING: [&[u8]; 5] = [b"\xef\xbb\xbf", b"\xff", b"\0", b"}", b"nul"];

/// An event's members, by their names.
type Members = BTreeMap<String, Box<RawValue>>;

#[derive(Debug, Clone)]
enum Change {
    Lose(Index),
    Null(Index),
    Double(Index),
    /// `data` beside `data_base64`.
    BothPayloads,
    /// Every letter as `\uXXXX`.
    Escape,
    /// White space wherever there may be some.
    Spread,
    Set((&'static str, &'static str, u16, &'static str)),
}

fn any_change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => any::<Index>().prop_map(Change::Lose),
        2 => any::<Index>().prop_map(Change::Null),
        2 => any::<Index>().prop_map(Change::Double),
        1 => Just(Change::BothPayloads),
        2 => Just(Change::Escape),
        2 => Just(Change::Spread),
        9 => select(&WRONG[..]).prop_map(Change::Set),
    ]
}

#[test]
fn a_member_that_is_altered_is_taken_rightly_or_refused_by_its_name() {
    for_each(
        (any_event(), any_change()),
        async |stage, (event, change)| {
            let (body, fate) = alter(unique(event), change);
            check(stage, typed("application/cloudevents+json", body), fate).await
        },
    );
}

#[test]
fn a_batch_is_taken_whole_or_refused_for_the_one_that_is_wrong() {
    let events = vec(any_event(), 1..4);
    for_each(
        (events, any::<Index>(), any_change()),
        async |stage, (events, at, change)| {
            let events: Vec<_> = events.into_iter().map(unique).collect();
            let at = at.index(events.len());
            let mut bodies: Vec<_> = events.iter().map(written).collect();
            let (body, fate) = alter(events[at].clone(), change);
            bodies[at] = body;
            let fate = match fate {
                Fate::Taken(altered) => {
                    let (before, after) = (&events[..at], &events[at + 1..]);
                    Fate::Taken([before, &altered, after].concat())
                }
                Fate::Refused(400, mut named) => {
                    named.push(format!("event {at} of the batch"));
                    Fate::Refused(400, named)
                }
                refused @ Fate::Refused(..) => refused,
            };
            let body = format!("[{}]", bodies.join(","));
            check(
                stage,
                typed("application/cloudevents-batch+json", body),
                fate,
            )
            .await
        },
    );
}

#[derive(Debug, Clone)]
enum Whole {
    Same((&'static str, &'static str)),
    Foreign((&'static str, &'static str)),
    /// The media type of the other mode.
    Swap,
    Cut(Index),
    /// These before or after it.
    Spoil(&'static [u8], Index),
    /// Headers of binary mode beside it.
    Headers,
}

#[test]
fn a_body_or_its_type_that_is_altered_is_taken_rightly_or_refused() {
    let whole = prop_oneof![
        2 => select(&SAME[..]).prop_map(Whole::Same),
        2 => select(&FOREIGN[..]).prop_map(Whole::Foreign),
        1 => Just(Whole::Swap),
        2 => any::<Index>().prop_map(Whole::Cut),
        2 => (select(&SPOILING[..]), any::<Index>())
            .prop_map(|(bytes, at)| Whole::Spoil(bytes, at)),
        1 => Just(Whole::Headers),
    ];
    let case = (vec(any_event(), 1..3), any::<bool>(), whole);
    for_each(case, async |stage, (events, is_batch, whole)| {
        let mut events: Vec<_> = events.into_iter().map(unique).collect();
        let (headers, body) = match is_batch {
            true => http_binding::write_batch(&events),
            false => {
                events.truncate(1);
                http_binding::write_structured(&events[0])
            }
        };
        let mut message = Message::of((headers, body));
        let fate = spoil(&mut message, events, is_batch, whole);
        check(stage, post(&message).unwrap(), fate).await
    });
}

fn spoil(message: &mut Message, events: Vec<Event>, is_batch: bool, whole: Whole) -> Fate {
    let Message { headers, body } = message;
    let mut retype = |media: String| headers[0].1 = media.into_bytes();
    let suffix = |is_batch| if is_batch { "-batch+json" } else { "+json" };
    match whole {
        Whole::Same((media, parameters)) => {
            retype(format!("{media}{}{parameters}", suffix(is_batch)));
        }
        Whole::Foreign((media, named)) => {
            retype(media.to_owned());
            return Fate::refused(415, named);
        }
        Whole::Swap => {
            retype(format!("application/cloudevents{}", suffix(!is_batch)));
            return Fate::refused(400, "JSON");
        }
        Whole::Cut(at) => {
            body.truncate(at.index(body.len()));
            return Fate::refused(400, "JSON");
        }
        Whole::Spoil(bytes, at) => {
            let at = if at.index(2) == 0 { 0 } else { body.len() };
            body.splice(at..at, bytes.iter().copied());
            return Fate::refused(400, "JSON");
        }
        Whole::Headers => {
            for (name, value) in [
                ("ce-id", "other"),
                ("ce-My_Own", "%FF"),
                ("ce-specversion", "0"),
            ] {
                headers.push((name.to_owned(), value.as_bytes().to_vec()));
            }
        }
    }
    Fate::Taken(events)
}

fn typed(media: &str, body: String) -> Request<Body> {
    request(Method::POST, "/events", &[("content-type", media)], &body)
}

fn written(event: &Event) -> String {
    let (_, body) = http_binding::write_structured(event);
    String::from_utf8(body.to_vec()).unwrap()
}

/// The altered event in the JSON event format, and what becomes of it.
fn alter(event: Event, change: Change) -> (String, Fate) {
    let mut members: Members = serde_json::from_str(&written(&event)).unwrap();
    let names: Vec<_> = members.keys().cloned().collect();
    let chosen = |at: Index| names[at.index(names.len())].as_str();
    let fate = match change {
        Change::Lose(at) => {
            members.remove(chosen(at));
            lose(event, chosen(at), &members)
        }
        Change::Null(at) => {
            members.insert(chosen(at).to_owned(), raw("null"));
            lose(event, chosen(at), &members)
        }
        Change::Double(at) => {
            let name = chosen(at);
            let twice = format!(
                "{{{:?}:{},{}",
                name,
                members[name],
                &joined(&members, "")[1..]
            );
            return (twice, Fate::invalid(name));
        }
        Change::BothPayloads => {
            members.insert("data".to_owned(), raw("1"));
            members.insert("data_base64".to_owned(), raw("\"MQ==\""));
            Fate::invalid("data_base64")
        }
        Change::Escape => {
            for (name, value) in &mut members {
                if name != "data"
                    && let Ok(text) = serde_json::from_str::<String>(value.get())
                {
                    *value = raw(&escaped(&text));
                }
            }
            let escaped = members
                .into_iter()
                .map(|(name, value)| format!("{}:{value}", escaped(&name)));
            let body = format!("{{{}}}", escaped.collect::<Vec<_>>().join(","));
            return (body, Fate::Taken(vec![event]));
        }
        Change::Spread => {
            let body = joined(&members, " \r\n\t");
            return (body, Fate::Taken(vec![event]));
        }
        Change::Set((name, value, status, named)) => {
            if name == "data_base64" {
                members.remove("data");
            }
            members.insert(name.to_owned(), raw(value));
            Fate::refused(status, named)
        }
    };
    (joined(&members, ""), fate)
}

/// What is left without a member, or with `null` in its place.
fn lose(mut event: Event, member: &str, left: &Members) -> Fate {
    let data = left
        .get("data")
        .map(|data| Bytes::copy_from_slice(data.get().as_bytes()));
    match member {
        required @ ("specversion" | "id" | "source" | "type") => return Fate::invalid(required),
        "subject" => event.subject = None,
        "time" => event.time = None,
        "dataschema" => event.dataschema = None,
        // A member `data` is JSON where nothing says otherwise, and may be `null`.
        "datacontenttype" => event.datacontenttype = data.map(|_| "application/json".to_owned()),
        "data" | "data_base64" => event.data = data,
        extension => drop(event.extensions.remove(extension)),
    }
    Fate::Taken(vec![event])
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

/// The members as an object, with this white space between all parts.
fn joined(members: &Members, space: &str) -> String {
    let members = members.iter().map(|(name, value)| {
        let name = serde_json::to_string(name).unwrap();
        format!("{space}{name}{space}:{space}{value}{space}")
    });
    format!(
        "{space}{{{}}}{space}",
        members.collect::<Vec<_>>().join(",")
    )
}

/// A JSON string in which each letter is an escape.
fn escaped(text: &str) -> String {
    let units = text.encode_utf16();
    let letters: String = units.map(|unit| format!("\\u{unit:04x}")).collect();
    format!("\"{letters}\"")
}
