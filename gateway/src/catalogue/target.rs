//! Where a request goes: a capability of a pool, and how its tasks are treated.

use std::collections::HashSet;
use std::sync::Arc;

use dormouse_contract::policy::{Delivery, Stored};
use dormouse_contract::registration::Registration;
use serde_json::Value;
use serde_json::value::RawValue;

use super::remark::{About, Remark};
use crate::feature::Feature;
use crate::jsonrpc::{for_each_member, replace};
use crate::meters::Meters;

/// A capability that can be asked for.
#[derive(Debug)]
pub struct Target {
    /// What is asked of it.
    pub feature: Feature,
    /// The name (or URI, or template of URIs) it is offered under.
    pub name: Arc<str>,
    /// The one its function knows it by.
    pub declared: Arc<str>,
    /// Its pool.
    pub pool: Arc<str>,
    /// The policy of its tasks.
    pub delivery: Arc<Delivery>,
    /// Its meters.
    pub meters: Meters,
}

impl Target {
    /// A target that is cheap to ask again: its tasks are stored when they must be, and repeated
    /// when nobody knows whether they ran.
    pub fn repeatable(
        feature: Feature,
        registration: &Registration,
        name: &str,
        declared: &str,
    ) -> Arc<Self> {
        Arc::new(Self {
            feature,
            name: name.into(),
            declared: declared.into(),
            pool: registration.pool.clone(),
            delivery: Arc::new(Delivery {
                stored: Stored::Lazily,
                repeatable: true,
                ..registration.delivery.clone()
            }),
            meters: Meters::of_requests(feature, &registration.pool),
        })
    }

    /// Whether it is offered under another name than its function knows.
    #[must_use]
    pub fn is_renamed(&self) -> bool {
        self.name != self.declared
    }
}

/// What one pool has declared of one kind, and what is remarked about it.
pub(super) struct Intake<'a> {
    registration: &'a Registration,
    about: fn(String) -> About,
    seen: HashSet<String>,
    remarks: &'a mut Vec<Remark>,
}

impl<'a> Intake<'a> {
    pub fn new(
        registration: &'a Registration,
        about: fn(String) -> About,
        remarks: &'a mut Vec<Remark>,
    ) -> Self {
        Self {
            registration,
            about,
            seen: HashSet::new(),
            remarks,
        }
    }

    /// Remarks something about what has this name.
    pub fn remark(&mut self, name: &str, remark: String) {
        self.remarks.push(Remark {
            pool: self.registration.pool.to_string(),
            about: (self.about)(name.to_owned()),
            remark,
        });
    }

    /// Leaves out what has this name.
    pub fn leave_out(&mut self, name: &str, why: &str) {
        self.remark(name, format!("left out: {why}"));
    }

    /// Whether a declared name can be offered: it is not empty, and declared once.
    pub fn takes(&mut self, index: usize, name: &str) -> bool {
        if name.is_empty() {
            self.leave_out(&format!("#{index}"), "it has no name");
            return false;
        }
        if !self.seen.insert(name.to_owned()) {
            self.leave_out(name, "its pool declares it twice");
            return false;
        }
        true
    }

    /// Tells of a name that had to give way.
    pub fn renamed(&mut self, declared: &str, name: &str) {
        self.remark(
            declared,
            format!("offered as `{name}`: another pool registered `{declared}` before"),
        );
    }
}

/// An object to the letter; only its `name` is replaced, and only when it must be.
pub(super) fn offered_object(raw: &RawValue, declared: &str, name: &str) -> String {
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
