//! The members of a body that declares a pool, read one by one, so that every wrong one is named.

use std::collections::BTreeMap;

use dormouse_contract::declaration::Terms;
use dormouse_contract::registration::is_pool_name;
use reqwest::Url;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::error::Category;
use serde_json::value::RawValue;
use serde_path_to_error::{Path, Segment};

use super::WrongField;

/// Where a function of our contract answers probes.
const READINESS: &str = "health/readiness";

/// What is left of a body, to the letter, and what was wrong so far.
pub(super) struct Members {
    left: BTreeMap<String, Box<RawValue>>,
    wrong: Vec<WrongField>,
}

impl Members {
    /// The members of a JSON object.
    pub(super) fn read(json: &[u8]) -> Result<Self, Vec<WrongField>> {
        let left = serde_json::from_slice(json).map_err(|error| {
            vec![match error.classify() {
                Category::Data => wrong("#", "a JSON object is expected"),
                Category::Io | Category::Syntax | Category::Eof => wrong("#", error),
            }]
        })?;
        let wrong = Vec::new();
        Ok(Self { left, wrong })
    }

    pub(super) fn required<T>(
        &mut self,
        name: &str,
        check: fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        if !self.left.contains_key(name) {
            self.complain(name, "it is missing");
            return None;
        }
        let text: String = self.optional(name)?;
        self.checked_value(name, check(&text))
    }

    pub(super) fn checked<T: DeserializeOwned>(
        &mut self,
        name: &str,
        check: fn(T) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.optional(name)?;
        self.checked_value(name, check(value))
    }

    /// `null` is as good as absent.
    pub(super) fn optional<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let written = self.left.remove(name)?;
        // By way of a value: its errors tell no place, which would be one in the member alone.
        let value: Value = self.checked_value(name, serde_json::from_str(written.get()))?;
        serde_path_to_error::deserialize::<_, Option<T>>(value).unwrap_or_else(|error| {
            let pointer = format!("{}{}", pointer(name), inside(error.path()));
            self.wrong.push(wrong(&pointer, error.inner()));
            None
        })
    }

    /// A member to the letter; `null` is as good as absent.
    pub(super) fn verbatim(&mut self, name: &str) -> Option<Box<RawValue>> {
        self.left.remove(name).filter(|json| json.get() != "null")
    }

    /// Whether the member is there and no `null`.
    pub(super) fn says(&self, name: &str) -> bool {
        let written = self.left.get(name);
        written.is_some_and(|written| written.get() != "null")
    }

    /// A member that has no place here.
    pub(super) fn refuse(&mut self, name: &str, why: &str) {
        if self.says(name) {
            self.complain(name, why);
        }
        self.left.remove(name);
    }

    pub(super) fn health(&mut self, endpoint: &Url, written: Option<String>) -> Option<Url> {
        let Some(written) = written else {
            return Some(below(endpoint, READINESS));
        };
        let whole = match written.starts_with('/') {
            true => endpoint
                .join(&written)
                .map_err(|error| error.to_string())
                .and_then(|joined| address(joined.as_str())),
            false => address(&written),
        };
        self.checked_value("health_endpoint", whole)
    }

    pub(super) fn terms(&mut self) -> Terms {
        Terms {
            agent_type: self.optional("agent_type"),
            capabilities: self.optional("capabilities"),
            triggers: self.optional("triggers"),
            delivery: self.optional("delivery"),
            tools: self.optional("tools"),
            balance: self.optional("balance"),
            breaker: self.optional("breaker"),
            connections: self.checked("connections", connections),
            delivery_secret: self.checked("delivery_secret", secret),
            pool_token: self.checked("pool_token", secret),
        }
    }

    /// What was wrong; what nobody asked for is.
    pub(super) fn finish(mut self) -> Vec<WrongField> {
        for name in std::mem::take(&mut self.left).into_keys() {
            self.complain(&name, "this member is not known here");
        }
        self.wrong
    }

    pub(super) fn checked_value<T>(
        &mut self,
        name: &str,
        value: Result<T, impl ToString>,
    ) -> Option<T> {
        value.map_err(|why| self.complain(name, why)).ok()
    }

    pub(super) fn complain(&mut self, name: &str, why: impl ToString) {
        self.wrong.push(wrong(&pointer(name), why));
    }

    /// Something is wrong deeper inside.
    pub(super) fn complain_at(&mut self, pointer: &str, why: impl ToString) {
        self.wrong.push(wrong(pointer, why));
    }
}

fn pointer(member: &str) -> String {
    format!("#/{}", member.replace('~', "~0").replace('/', "~1"))
}

/// The rest of a pointer, to a place inside of a member.
fn inside(path: &Path) -> String {
    let known = path.iter().map_while(|segment| match segment {
        Segment::Seq { index } => Some(format!("/{index}")),
        Segment::Map { key } => Some(pointer(key).split_off(1)),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    known.collect()
}

fn wrong(pointer: &str, why: impl ToString) -> WrongField {
    WrongField {
        pointer: pointer.to_owned(),
        detail: why.to_string(),
    }
}

/// A page below an endpoint.
pub(super) fn below(endpoint: &Url, page: &str) -> Url {
    let mut url = endpoint.clone();
    url.set_path(&format!("{}/{page}", endpoint.path().trim_end_matches('/')));
    url
}

pub(crate) fn pool_name(name: &str) -> Result<String, String> {
    match is_pool_name(name) {
        true => Ok(name.to_owned()),
        false => Err(format!(
            "`{}` is no name of a pool: 1 to 63 lower-case letters, digits and `-`, with a letter \
             or digit at both ends",
            name.escape_debug()
        )),
    }
}

/// An address that deliveries or probes may go to. What could carry a secret is refused, because
/// addresses are shown.
pub(super) fn address(text: &str) -> Result<Url, String> {
    let shown = text.escape_debug();
    let url = Url::parse(text).map_err(|error| {
        format!("`{shown}` is no URL ({error}): write an absolute one, http://HOST:PORT/PATH")
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!(
            "`{shown}` is reached by `{}`, and agents by `http` or `https` only",
            url.scheme()
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "credentials in a URL are shown to everybody: leave them out and give the agent a \
             `delivery_secret` to check"
                .to_owned(),
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!(
            "`{shown}` has a query or a fragment, which is lost on the way: leave it out"
        ));
    }
    Ok(url)
}

fn connections(count: usize) -> Result<usize, String> {
    match count {
        1..=100_000 => Ok(count),
        _ => Err(format!("{count} is not between 1 and 100000")),
    }
}

fn secret(secret: String) -> Result<String, String> {
    match !secret.is_empty() && http::HeaderValue::from_str(&secret).is_ok() {
        true => Ok(secret),
        false => Err("a header cannot carry it: use visible ASCII characters".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_absolute_and_hold_no_secret() {
        for (text, named) in [
            ("agent:9000", "http"),
            ("/agent", "absolute"),
            ("http://", "no URL"),
            ("file:///etc/passwd", "`file`"),
            ("http://me:hush@host/", "delivery_secret"),
            ("http://host/?code=1", "query"),
            ("http://host/#x", "fragment"),
        ] {
            let error = address(text).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }

    #[test]
    fn pages_stand_below_an_endpoint() {
        assert_eq!(
            below(
                &Url::parse("https://agents.example/db/").unwrap(),
                "capabilities"
            )
            .as_str(),
            "https://agents.example/db/capabilities"
        );
    }
}
