//! The header rules of modern HTTP (2026-07-28, "Request Metadata"): headers mirror members of
//! the body, and what is missing or differs is refused with -32020.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use serde_json::Value;

use crate::error::Fault;

/// The revision, on every request.
pub const PROTOCOL_VERSION: &str = "mcp-protocol-version";
/// The method, on every modern request.
pub const METHOD: &str = "mcp-method";
/// `params.name` or `params.uri`, on requests that have one.
pub const NAME: &str = "mcp-name";
/// The session of legacy requests.
pub const SESSION_ID: &str = "mcp-session-id";
/// Where a client of the legacy era goes on with a stream.
pub const LAST_EVENT_ID: &str = "last-event-id";
/// On a WebSocket's upgrade: `new` for a session that can be resumed.
pub const RESUME: &str = "dormouse-resume";
/// How many text frames one side of such a session has received.
pub const RECEIVED: &str = "dormouse-received";
/// By which a repeated call is recognised.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// What `tools/list` offers: `all` or `search`.
pub const TOOLS: &str = "dormouse-tools";

const PARAM: &str = "mcp-param-";

/// A tool's argument that is mirrored in a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirrored {
    /// The header's name, lower case.
    header: String,
    /// The members that lead to the argument.
    path: Vec<String>,
}

impl Mirrored {
    /// The arguments that a schema marks with `x-mcp-header`.
    ///
    /// # Errors
    /// In words, when a mark breaks a rule; clients then leave the tool out.
    pub fn of_schema(schema: &Value) -> Result<Vec<Self>, String> {
        let mut found = Vec::new();
        collect(schema, &mut Vec::new(), &mut found)?;
        for (place, one) in found.iter().enumerate() {
            if found[..place]
                .iter()
                .any(|other| other.header == one.header)
            {
                return Err(format!("x-mcp-header `{}` is used twice", one.header));
            }
        }
        Ok(found)
    }
}

fn collect(
    schema: &Value,
    path: &mut Vec<String>,
    found: &mut Vec<Mirrored>,
) -> Result<(), String> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return Ok(());
    };
    for (name, property) in properties {
        path.push(name.clone());
        if let Some(mark) = property.get("x-mcp-header") {
            let header = mark
                .as_str()
                .filter(|mark| !mark.is_empty() && mark.bytes().all(is_token))
                .ok_or_else(|| format!("x-mcp-header {mark} is no header name"))?;
            let kind = property.get("type").and_then(Value::as_str);
            if !matches!(kind, Some("string" | "integer" | "boolean")) {
                return Err(format!(
                    "x-mcp-header `{header}` marks a property that is no string, integer or boolean"
                ));
            }
            found.push(Mirrored {
                header: format!("{PARAM}{}", header.to_ascii_lowercase()),
                path: path.clone(),
            });
        }
        collect(property, path, found)?;
        path.pop();
    }
    Ok(())
}

/// `tchar` of RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The value of a header that may be there once.
///
/// # Errors
/// When it is there more than once, or holds other than visible ASCII.
pub fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Fault> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Fault::HeaderMismatch(format!("{name} is there twice")));
    }
    value
        .to_str()
        .map(|text| Some(text.trim_matches([' ', '\t'])))
        .map_err(|_| Fault::HeaderMismatch(format!("{name} holds invalid characters")))
}

/// Checks the revision that header and body name.
///
/// # Errors
/// When they differ, or the header is missing.
pub fn check_version(headers: &HeaderMap, body: &str) -> Result<(), Fault> {
    mirror(headers, PROTOCOL_VERSION, body)
}

/// Checks `Mcp-Method`, and `Mcp-Name` where the body has a name.
///
/// # Errors
/// When one differs from the body or is missing.
pub fn check_standard(headers: &HeaderMap, method: &str, name: Option<&str>) -> Result<(), Fault> {
    mirror(headers, METHOD, method)?;
    match name {
        None => Ok(()),
        Some(name) => mirror_decoded(headers, NAME, name),
    }
}

fn mirror(headers: &HeaderMap, header: &str, body: &str) -> Result<(), Fault> {
    match single(headers, header)? {
        Some(value) if value == body => Ok(()),
        Some(value) => Err(differs(header, value, body)),
        None => Err(Fault::HeaderMismatch(format!("{header} is missing"))),
    }
}

fn mirror_decoded(headers: &HeaderMap, header: &str, body: &str) -> Result<(), Fault> {
    let Some(value) = single(headers, header)? else {
        return Err(Fault::HeaderMismatch(format!("{header} is missing")));
    };
    let value = decode(header, value)?;
    if value == body {
        Ok(())
    } else {
        Err(differs(header, &value, body))
    }
}

fn differs(header: &str, value: &str, body: &str) -> Fault {
    Fault::HeaderMismatch(format!(
        "{header} is `{value}` where the body says `{body}`"
    ))
}

/// Checks the `Mcp-Param-*` headers of a tool's marked arguments.
///
/// # Errors
/// When one differs from the argument, is missing, or is there without an argument.
pub fn check_params(
    headers: &HeaderMap,
    mirrored: &[Mirrored],
    arguments: &Value,
) -> Result<(), Fault> {
    for one in mirrored {
        let argument = one
            .path
            .iter()
            .try_fold(arguments, |value, name| value.get(name))
            .filter(|value| !value.is_null());
        let sent = single(headers, &one.header)?
            .map(|value| decode(&one.header, value))
            .transpose()?;
        match (argument, sent) {
            (None, None) => {}
            (Some(argument), Some(sent)) if same(argument, &sent) => {}
            // The argument may be one that the sender would not show in an error: not named.
            (Some(_), Some(_)) => {
                return Err(Fault::HeaderMismatch(format!(
                    "{} differs from the argument `{}`",
                    one.header,
                    one.path.join(".")
                )));
            }
            (Some(_), None) => {
                return Err(Fault::HeaderMismatch(format!("{} is missing", one.header)));
            }
            (None, Some(_)) => {
                return Err(Fault::HeaderMismatch(format!(
                    "{} is there, but the arguments hold no `{}`",
                    one.header,
                    one.path.join(".")
                )));
            }
        }
    }
    Ok(())
}

fn same(argument: &Value, sent: &str) -> bool {
    match argument {
        Value::String(text) => text == sent,
        Value::Bool(truth) => sent == if *truth { "true" } else { "false" },
        // Numbers are compared as numbers: `42.0` is `42`.
        Value::Number(number) => {
            let exact = number.as_i64().zip(sent.parse::<i64>().ok());
            match exact {
                Some((one, other)) => one == other,
                None => number
                    .as_f64()
                    .zip(sent.parse::<f64>().ok())
                    .is_some_and(|(one, other)| (one - other).abs() < f64::EPSILON),
            }
        }
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

/// Decodes `=?base64?…?=`; other values are themselves.
fn decode<'a>(header: &str, value: &'a str) -> Result<Cow<'a, str>, Fault> {
    let Some(encoded) = value
        .strip_prefix("=?base64?")
        .and_then(|rest| rest.strip_suffix("?="))
    else {
        return Ok(Cow::Borrowed(value));
    };
    STANDARD
        .decode(encoded)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .map(Cow::Owned)
        .ok_or_else(|| Fault::HeaderMismatch(format!("{header} holds invalid base64")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::HEADER_MISMATCH;
    use http::{HeaderName, HeaderValue};
    use serde_json::json;

    fn headers(pairs: &[(&'static str, &[u8])]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_bytes(value).unwrap(),
                )
            })
            .collect()
    }

    #[test]
    fn standard_headers_mirror_the_body() {
        type Case = (
            &'static [(&'static str, &'static [u8])],
            Option<&'static str>,
            bool,
        );
        let cases: [Case; 9] = [
            (&[(METHOD, b"tools/call"), (NAME, b"t")], Some("t"), true),
            (&[(METHOD, b"tools/call")], None, true),
            (&[(METHOD, b"tools/call"), (NAME, b" t ")], Some("t"), true),
            (
                &[(METHOD, b"tools/call"), (NAME, b"=?base64?w6k=?=")],
                Some("é"),
                true,
            ),
            (&[(METHOD, b"TOOLS/CALL")], None, false),
            (&[(NAME, b"t")], Some("t"), false),
            (&[(METHOD, b"tools/call")], Some("t"), false),
            (
                &[(METHOD, b"tools/call"), (NAME, b"=?base64?*?=")],
                Some("t"),
                false,
            ),
            (
                &[(METHOD, b"tools/call"), (NAME, b"\xe9")],
                Some("é"),
                false,
            ),
        ];
        for (sent, name, good) in cases {
            let checked = check_standard(&headers(sent), "tools/call", name);
            assert_eq!(checked.is_ok(), good, "{sent:?}");
            if let Err(fault) = checked {
                assert_eq!(fault.code(), HEADER_MISMATCH);
            }
        }
        let twice = headers(&[(METHOD, b"a"), (METHOD, b"a")]);
        assert!(check_standard(&twice, "a", None).is_err());
    }

    #[test]
    fn marked_arguments_mirror_their_headers() {
        let schema = json!({"properties": {
            "region": {"type":"string","x-mcp-header":"Region"},
            "in": {"type":"object","properties":{"n":{"type":"integer","x-mcp-header":"N"}}},
        }});
        let mirrored = Mirrored::of_schema(&schema).unwrap();
        assert_eq!(mirrored.len(), 2);
        type Case = (&'static [(&'static str, &'static [u8])], Value, bool);
        let cases: [Case; 9] = [
            (&[], json!({}), true),
            (&[], json!({"region": null}), true),
            (&[("mcp-param-region", b"eu")], json!({"region":"eu"}), true),
            (&[("mcp-param-n", b"42.0")], json!({"in":{"n":42}}), true),
            (&[("mcp-param-other", b"x")], json!({}), true),
            (&[], json!({"region":"eu"}), false),
            (
                &[("mcp-param-region", b"us")],
                json!({"region":"eu"}),
                false,
            ),
            (&[("mcp-param-region", b"eu")], json!({}), false),
            (
                &[("mcp-param-region", b"=?base64?!?=")],
                json!({"region":"eu"}),
                false,
            ),
        ];
        for (sent, arguments, good) in cases {
            let checked = check_params(&headers(sent), &mirrored, &arguments);
            assert_eq!(checked.is_ok(), good, "{sent:?} {arguments}");
        }
    }

    #[test]
    fn marks_that_break_a_rule_are_named() {
        for property in [
            json!({"type":"string","x-mcp-header":""}),
            json!({"type":"string","x-mcp-header":"a b"}),
            json!({"type":"number","x-mcp-header":"N"}),
        ] {
            assert!(Mirrored::of_schema(&json!({"properties":{"p":property}})).is_err());
        }
        let twice = json!({"properties":{
            "a":{"type":"string","x-mcp-header":"X"},"b":{"type":"string","x-mcp-header":"x"}}});
        assert!(Mirrored::of_schema(&twice).is_err());
    }
}
