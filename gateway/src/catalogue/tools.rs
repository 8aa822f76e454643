//! The tools of the catalogue.

use std::collections::HashMap;
use std::sync::Arc;

use dormouse_contract::manifest::{self, TaskSupport};
use dormouse_contract::registration::Registration;
use serde_json::Value;
use serde_json::value::RawValue;

use super::list::{Kind, List};
use super::remark::{About, Remark};
use super::target::{Intake, Target, offered_object};
use crate::feature::Feature;
use crate::headers::Mirrored;
use crate::meters::Meters;
use crate::names;
use crate::schema::Schema;

/// A tool that can be called.
#[derive(Debug)]
pub struct Tool {
    /// Its MCP object, as it is listed.
    pub object: Arc<str>,
    /// Where its calls go.
    pub target: Arc<Target>,
    /// What its arguments must be.
    pub schema: Arc<Schema>,
    /// Whether its calls may be tasks of the client's.
    pub task_support: TaskSupport,
    /// Which arguments modern HTTP requests mirror in headers.
    pub mirrored: Vec<Mirrored>,
}

/// All tools.
#[derive(Debug)]
pub struct Tools {
    pub(super) all: Vec<Arc<Tool>>,
    by_name: HashMap<Arc<str>, Arc<Tool>>,
    pub(super) list: List,
}

struct Candidate<'a> {
    registration: &'a Registration,
    raw: &'a RawValue,
    tool: manifest::Tool,
    schema: Arc<Schema>,
    mirrored: Vec<Mirrored>,
}

impl Tools {
    pub(super) fn build(
        registrations: &[Arc<Registration>],
        page_size: usize,
        before: Option<&Self>,
        remarks: &mut Vec<Remark>,
    ) -> Self {
        let known = before.map(Self::schemas).unwrap_or_default();
        let mut candidates = Vec::new();
        for registration in registrations {
            collect(registration, &known, &mut candidates, remarks);
        }
        let pairs: Vec<_> = candidates
            .iter()
            .map(|one| (&*one.registration.pool, one.tool.name.as_str()))
            .collect();
        let names = names::offer(&pairs);
        let mut all = Vec::with_capacity(candidates.len());
        let mut objects = Vec::with_capacity(candidates.len());
        for (candidate, name) in candidates.into_iter().zip(names) {
            objects.push(offered_object(candidate.raw, &candidate.tool.name, &name));
            let object = objects[objects.len() - 1].as_str().into();
            all.push(Arc::new(candidate.into_tool(object, &name, remarks)));
        }
        Self {
            by_name: all
                .iter()
                .map(|tool| (tool.target.name.clone(), tool.clone()))
                .collect(),
            list: List::new(Kind::Tools, &objects, page_size),
            all,
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Arc<Tool>> {
        self.by_name.get(name)
    }

    /// The compiled schemas by pool and declared name.
    fn schemas(&self) -> HashMap<(&str, &str), &Arc<Schema>> {
        self.all
            .iter()
            .map(|tool| {
                let Target { pool, declared, .. } = &*tool.target;
                ((&**pool, &**declared), &tool.schema)
            })
            .collect()
    }
}

fn collect<'a>(
    registration: &'a Registration,
    known: &HashMap<(&str, &str), &Arc<Schema>>,
    candidates: &mut Vec<Candidate<'a>>,
    remarks: &mut Vec<Remark>,
) {
    let mut intake = Intake::new(registration, About::Tool, remarks);
    for (index, raw) in registration.manifest.tools.iter().enumerate() {
        let tool: manifest::Tool = match serde_json::from_str(raw.get()) {
            Ok(tool) => tool,
            Err(error) => {
                intake.leave_out(&format!("#{index}"), &format!("it is no MCP tool: {error}"));
                continue;
            }
        };
        if !intake.takes(index, &tool.name) {
            continue;
        }
        let compiled = known
            .get(&(&*registration.pool, &*tool.name))
            .filter(|schema| schema.is_of(&tool.input_schema))
            .map_or_else(
                || Schema::compile(&tool.input_schema).map(Arc::new),
                |schema| Ok(Arc::clone(schema)),
            );
        match compiled {
            Ok(schema) => {
                let mirrored = mirrored(&tool, &mut intake);
                candidates.push(Candidate {
                    registration,
                    raw,
                    tool,
                    schema,
                    mirrored,
                });
            }
            Err(why) => {
                intake.leave_out(&tool.name, &format!("its inputSchema is not usable: {why}"));
            }
        }
    }
}

fn mirrored(tool: &manifest::Tool, intake: &mut Intake<'_>) -> Vec<Mirrored> {
    if !tool.input_schema.get().contains("x-mcp-header") {
        return Vec::new();
    }
    let schema: Value = serde_json::from_str(tool.input_schema.get()).unwrap_or_default();
    Mirrored::of_schema(&schema).unwrap_or_else(|why| {
        let why = format!("modern HTTP clients will leave it out: {why}");
        intake.remark(&tool.name, why);
        Vec::new()
    })
}

impl Candidate<'_> {
    fn into_tool(self, object: Arc<str>, name: &str, remarks: &mut Vec<Remark>) -> Tool {
        let Self {
            registration, tool, ..
        } = self;
        if name != tool.name {
            Intake::new(registration, About::Tool, remarks).renamed(&tool.name, name);
        }
        let operators = registration.tools.get(&tool.name);
        Tool {
            object,
            target: Arc::new(Target {
                feature: Feature::Tool,
                name: name.into(),
                delivery: Arc::new(tool.delivery(&registration.delivery, operators)),
                declared: tool.name.as_str().into(),
                pool: registration.pool.clone(),
                meters: Meters::of_tool(name),
            }),
            schema: self.schema,
            task_support: tool.execution.task_support,
            mirrored: self.mirrored,
        }
    }
}
