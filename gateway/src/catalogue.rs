//! The catalogue: every tool of every pool, under unique names, in pages ready to be sent.
//!
//! Built when the registrations change, never on the way of a call. What is wrong with one tool
//! is told and leaves that tool out, not the others.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dormouse_contract::manifest::{self, TaskSupport};
use dormouse_contract::policy::Delivery;
use dormouse_contract::registration::Registration;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use crate::error::Fault;
use crate::headers::Mirrored;
use crate::jsonrpc::{for_each_member, replace};
use crate::meters::Meters;
use crate::names;
use crate::schema::Schema;

/// A tool that can be called.
#[derive(Debug)]
pub struct Tool {
    /// The name it is offered under.
    pub name: Arc<str>,
    /// The name its function knows it by.
    pub declared: Arc<str>,
    /// Its pool.
    pub pool: Arc<str>,
    /// The policy of its tasks.
    pub delivery: Delivery,
    /// What its arguments must be.
    pub schema: Arc<Schema>,
    /// Whether its calls may be tasks of the client's.
    pub task_support: TaskSupport,
    /// Which arguments modern HTTP requests mirror in headers.
    pub mirrored: Vec<Mirrored>,
    /// Its meters.
    pub meters: Meters,
}

impl Tool {
    /// Whether it is offered under another name than its function knows.
    #[must_use]
    pub fn is_renamed(&self) -> bool {
        self.name != self.declared
    }
}

/// Something that people should know about the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Remark {
    /// The pool.
    pub pool: String,
    /// The tool's declared name, or its place in the manifest where it has none.
    pub tool: String,
    /// What is the matter and what came of it.
    pub remark: String,
}

/// One line of the catalogue as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The name it is offered under.
    pub name: String,
    /// The name its function knows it by.
    pub declared: String,
    /// Its pool.
    pub pool: String,
}

/// All tools at one moment.
#[derive(Debug)]
pub struct Catalogue {
    tools: Vec<Arc<Tool>>,
    by_name: HashMap<Arc<str>, Arc<Tool>>,
    pages: Vec<String>,
    fingerprint: u64,
    remarks: Vec<Remark>,
}

struct Candidate<'a> {
    registration: &'a Registration,
    raw: &'a RawValue,
    tool: manifest::Tool,
    schema: Arc<Schema>,
    mirrored: Vec<Mirrored>,
}

impl Catalogue {
    /// The catalogue of these registrations, with at most `page_size` tools a page; schemas that
    /// `before` has compiled are taken over.
    #[must_use]
    pub fn build(
        registrations: &[Arc<Registration>],
        page_size: usize,
        before: Option<&Self>,
    ) -> Self {
        let mut remarks = Vec::new();
        let mut candidates = Vec::new();
        for registration in registrations {
            collect(registration, before, &mut candidates, &mut remarks);
        }
        let pairs: Vec<_> = candidates
            .iter()
            .map(|one| (&*one.registration.pool, one.tool.name.as_str()))
            .collect();
        let names = names::offer(&pairs);
        let mut tools = Vec::with_capacity(candidates.len());
        let mut objects = Vec::with_capacity(candidates.len());
        for (candidate, name) in candidates.into_iter().zip(names) {
            objects.push(offered_object(candidate.raw, &candidate.tool.name, &name));
            tools.push(Arc::new(candidate.into_tool(&name, &mut remarks)));
        }
        let fingerprint = fingerprint(&objects);
        Self {
            by_name: tools
                .iter()
                .map(|tool| (tool.name.clone(), tool.clone()))
                .collect(),
            pages: pages(&objects, page_size.max(1), fingerprint),
            tools,
            fingerprint,
            remarks,
        }
    }

    /// The tool that is offered under this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Tool>> {
        self.by_name.get(name)
    }

    /// The members of a `tools/list` result: `"tools":[…]`, and `"nextCursor"` when more follow.
    ///
    /// # Errors
    /// When the cursor is none of this catalogue's.
    pub fn page(&self, cursor: Option<&str>) -> Result<&str, Fault> {
        let place = match cursor {
            None => Some(0),
            Some(cursor) => place_of(cursor, self.fingerprint),
        };
        place
            .and_then(|place| self.pages.get(place))
            .map(String::as_str)
            .ok_or_else(|| {
                Fault::InvalidParams(
                    "params.cursor is not a cursor of this list, or the list has changed since: \
                     list again from the start"
                        .to_owned(),
                )
            })
    }

    /// Two catalogues with the same fingerprint list the same tools in the same words.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Every tool, in the order of registration.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        let entry = |tool: &Arc<Tool>| Entry {
            name: tool.name.to_string(),
            declared: tool.declared.to_string(),
            pool: tool.pool.to_string(),
        };
        self.tools.iter().map(entry).collect()
    }

    /// What people should know: names that collided, tools that were left out.
    #[must_use]
    pub fn remarks(&self) -> &[Remark] {
        &self.remarks
    }
}

fn collect<'a>(
    registration: &'a Registration,
    before: Option<&Catalogue>,
    candidates: &mut Vec<Candidate<'a>>,
    remarks: &mut Vec<Remark>,
) {
    for (index, raw) in registration.manifest.tools.iter().enumerate() {
        let mut left_out = |tool: String, why: String| {
            remarks.push(Remark {
                pool: registration.pool.to_string(),
                tool,
                remark: format!("left out: {why}"),
            });
        };
        let tool: manifest::Tool = match serde_json::from_str(raw.get()) {
            Ok(tool) => tool,
            Err(error) => {
                left_out(format!("#{index}"), format!("it is no MCP tool: {error}"));
                continue;
            }
        };
        if tool.name.is_empty() {
            left_out(format!("#{index}"), "its name is empty".to_owned());
            continue;
        }
        let twice = candidates
            .iter()
            .rev()
            .any(|one| one.registration.pool == registration.pool && one.tool.name == tool.name);
        if twice {
            left_out(tool.name, "its pool declares it twice".to_owned());
            continue;
        }
        let known = before
            .and_then(|before| before.known(&registration.pool, &tool))
            .map_or_else(|| Schema::compile(&tool.input_schema).map(Arc::new), Ok);
        match known {
            Ok(schema) => {
                let mirrored = mirrored(registration, &tool, remarks);
                candidates.push(Candidate {
                    registration,
                    raw,
                    tool,
                    schema,
                    mirrored,
                });
            }
            Err(why) => left_out(tool.name, format!("its inputSchema is not usable: {why}")),
        }
    }
}

fn mirrored(
    registration: &Registration,
    tool: &manifest::Tool,
    remarks: &mut Vec<Remark>,
) -> Vec<Mirrored> {
    if !tool.input_schema.get().contains("x-mcp-header") {
        return Vec::new();
    }
    let schema: Value = serde_json::from_str(tool.input_schema.get()).unwrap_or_default();
    Mirrored::of_schema(&schema).unwrap_or_else(|why| {
        remarks.push(Remark {
            pool: registration.pool.to_string(),
            tool: tool.name.clone(),
            remark: format!("modern HTTP clients will leave it out: {why}"),
        });
        Vec::new()
    })
}

impl Candidate<'_> {
    fn into_tool(self, name: &str, remarks: &mut Vec<Remark>) -> Tool {
        let Self {
            registration, tool, ..
        } = self;
        if name != tool.name {
            remarks.push(Remark {
                pool: registration.pool.to_string(),
                tool: tool.name.clone(),
                remark: format!(
                    "offered as `{name}`: another pool registered `{}` before",
                    tool.name
                ),
            });
        }
        let operators = registration.tools.get(&tool.name);
        Tool {
            name: name.into(),
            delivery: tool.delivery(&registration.delivery, operators),
            task_support: tool.execution.task_support,
            declared: tool.name.as_str().into(),
            pool: registration.pool.clone(),
            schema: self.schema,
            mirrored: self.mirrored,
            meters: Meters::new(name),
        }
    }
}

impl Catalogue {
    fn known(&self, pool: &str, tool: &manifest::Tool) -> Option<Arc<Schema>> {
        self.tools
            .iter()
            .find(|one| *one.pool == *pool && *one.declared == *tool.name)
            .filter(|one| one.schema.is_of(&tool.input_schema))
            .map(|one| one.schema.clone())
    }
}

/// The tool's object to the letter; only `name` is replaced, and only when it must be.
fn offered_object(raw: &RawValue, declared: &str, name: &str) -> String {
    if declared == name {
        return raw.get().to_owned();
    }
    let mut at = None;
    let found = for_each_member(raw, |member, value| {
        if member == "name" {
            at = Some(value);
        }
    });
    match (found, at) {
        (Ok(()), Some(at)) => replace(raw, at, &Value::from(name).to_string()),
        (Ok(()) | Err(_), _) => raw.get().to_owned(),
    }
}

fn fingerprint(objects: &[String]) -> u64 {
    let mut hash = Sha256::new();
    for object in objects {
        hash.update(object.len().to_le_bytes());
        hash.update(object.as_bytes());
    }
    let digest: [u8; 32] = hash.finalize().into();
    digest[..8]
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn pages(objects: &[String], size: usize, fingerprint: u64) -> Vec<String> {
    let mut pages: Vec<String> = objects
        .chunks(size)
        .map(|objects| format!(r#""tools":[{}]"#, objects.join(",")))
        .collect();
    if pages.is_empty() {
        pages.push(r#""tools":[]"#.to_owned());
    }
    let last = pages.len() - 1;
    for (place, page) in pages.iter_mut().enumerate().take(last) {
        page.push_str(&format!(
            r#","nextCursor":"{}""#,
            cursor_of(place + 1, fingerprint)
        ));
    }
    pages
}

/// A cursor names a page of one list; it means nothing once the list has changed.
fn cursor_of(place: usize, fingerprint: u64) -> String {
    let place = u32::try_from(place).unwrap_or(u32::MAX);
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&fingerprint.to_be_bytes());
    bytes[8..].copy_from_slice(&place.to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn place_of(cursor: &str, fingerprint: u64) -> Option<usize> {
    let bytes: [u8; 12] = URL_SAFE_NO_PAD.decode(cursor).ok()?.try_into().ok()?;
    let (list, place) = bytes.split_at(8);
    (list == fingerprint.to_be_bytes()).then_some(())?;
    usize::try_from(u32::from_be_bytes(place.try_into().ok()?)).ok()
}

#[cfg(test)]
mod tests;
