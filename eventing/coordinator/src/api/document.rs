//! The OpenAPI 3.1 document, made of the operations that are served and the types they answer
//! with.
//!
//! Schemas come from the types by `schemars`, whose dialect (JSON Schema 2020-12) is that of
//! OpenAPI 3.1, so they are taken over as they are, but for three things: absent is never `null`
//! here, because the types leave out what they have not; links of Rust's documentation are
//! unwrapped; and the parameters of a query are the members of one type.

mod refine;

use std::collections::BTreeMap;

use axum::http::StatusCode;
use schemars::SchemaGenerator;
use schemars::generate::{Contract, SchemaSettings};
use serde_json::{Map, Value, json};

use refine::{refine, unwrap_links};

use super::operation::{Answer, Body, Content, Guard, Operation, Tag};
use super::problem::{Kind, PROBLEM_JSON, ProblemView, example};

/// The whole document.
pub(super) fn describe(operations: &[Operation]) -> Value {
    let mut schemas = generator(Contract::Serialize);
    let mut paths = Map::new();
    for operation in operations {
        let described = operation_object(operation, &mut schemas);
        let item = paths
            .entry(operation.path)
            .or_insert_with(|| Map::new().into());
        item[operation.method.as_str().to_ascii_lowercase()] = described;
    }
    schemas.subschema_for::<ProblemView>();
    let mut components = Value::Object(schemas.take_definitions(true));
    refine(&mut components);
    components["ProblemView"]["properties"]["type"]["enum"] = problem_types();
    let problems: Map<String, Value> = Kind::ALL
        .iter()
        .map(|kind| (format!("{kind:?}"), problem_example(*kind)))
        .collect();
    let mut document = json!({
        "openapi": "3.1.1",
        "info": {
            "title": "Dormouse coordinator",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Pools, tasks, events and dead letters of a Dormouse platform.",
            "description": INTRODUCTION,
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "this platform"}],
        "security": [{"token": []}],
        "tags": Tag::ALL.map(|tag| json!({"name": tag.name(), "description": tag.description()})),
        "paths": paths,
        "components": {
            "schemas": components,
            "examples": problems,
            "securitySchemes": {"token": {
                "type": "http",
                "scheme": "bearer",
                "description": "The value of DORMOUSE_TOKEN, where the platform has one; without one it asks for none.",
            }},
        },
    });
    unwrap_links(&mut document);
    document
}

const INTRODUCTION: &str = "Everything that the platform knows of pools, tasks, events and dead \
letters, and the way in for events of any producer.\n\nErrors are problem details (RFC 9457): \
`type` names the kind of problem and stays the same, `detail` says what happened this time, why, \
and what to do next. Bodies hold at most 4 MiB, pages at most 100 entries. Times are RFC 3339 in \
UTC, durations texts such as `5s` or `PT5S`. Answers may gain members; a client leaves alone what \
it does not know. Misspelt parameters and members of requests are refused by name.";

fn generator(contract: Contract) -> SchemaGenerator {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    settings.contract = contract;
    settings.into_generator()
}

fn operation_object(operation: &Operation, schemas: &mut SchemaGenerator) -> Value {
    let mut object = json!({
        "operationId": operation.id,
        "tags": [operation.tag.name()],
        "summary": operation.summary,
        "description": operation.description,
    });
    let mut parameters = path_parameters(operation.path);
    parameters.extend(query_parameters(operation, schemas));
    parameters.extend(operation.headers.iter().map(|header| {
        json!({
            "name": header.name,
            "in": "header",
            "description": header.description,
            "required": header.is_required,
            "schema": {"type": "string"},
            "example": header.example,
        })
    }));
    if !parameters.is_empty() {
        object["parameters"] = parameters.into();
    }
    if let Some(body) = &operation.body {
        object["requestBody"] = body_object(body, schemas);
    }
    object["responses"] = responses(operation, schemas);
    match operation.guard {
        Guard::Token | Guard::Producer => {}
        Guard::Open => object["security"] = json!([]),
    }
    object
}

/// What the names in our paths mean. A name that is not here shows as an undescribed parameter,
/// which a test refuses.
fn path_parameters(path: &str) -> Vec<Value> {
    path.split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| {
            let (description, schema) = match name {
                "pool" => (
                    "The pool's name.",
                    json!({"type": "string", "examples": ["educational"]}),
                ),
                "webhook" => (
                    "The event source's name.",
                    json!({"type": "string", "examples": ["github"]}),
                ),
                "token" => (
                    "The token by which Brokers may send events.",
                    json!({"type": "string"}),
                ),
                "id" => (
                    "The task's id.",
                    json!({"type": "string", "format": "uuid", "examples": [super::examples::TASK]}),
                ),
                "seq" => (
                    "The event's place in the log.",
                    json!({"type": "integer", "minimum": 1, "examples": [super::examples::SEQ]}),
                ),
                _ => ("", json!({"type": "string"})),
            };
            json!({
                "name": name,
                "in": "path",
                "required": true,
                "description": description,
                "schema": schema,
            })
        })
        .collect()
}

fn query_parameters(operation: &Operation, schemas: &mut SchemaGenerator) -> Vec<Value> {
    let Some(make) = operation.query else {
        return Vec::new();
    };
    // On a generator of its own, so that the type itself is no schema of the document.
    let mut own = generator(Contract::Deserialize);
    let reference = make(&mut own);
    let mut definitions = own.take_definitions(false);
    let name = reference
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|text| text.rsplit('/').next())
        .unwrap_or_default();
    let mut query = definitions.remove(name).unwrap_or_default();
    // What it refers to is one, though.
    make(schemas);
    schemas.definitions_mut().remove(name);
    refine(&mut query);
    let required = query["required"].as_array().cloned().unwrap_or_default();
    let Some(members) = query["properties"].as_object_mut() else {
        return Vec::new();
    };
    std::mem::take(members)
        .into_iter()
        .map(|(name, mut schema)| {
            let described = schema
                .as_object_mut()
                .and_then(|it| it.remove("description"));
            json!({
                "required": required.iter().any(|it| *it == name),
                "name": name,
                "in": "query",
                "description": described,
                "schema": schema,
            })
        })
        .collect()
}

fn body_object(body: &Body, schemas: &mut SchemaGenerator) -> Value {
    json!({
        "description": body.description,
        "required": body.is_required,
        "content": contents(&body.content, schemas),
    })
}

fn contents(contents: &[Content], schemas: &mut SchemaGenerator) -> Value {
    let one = |content: &Content| {
        // Of what may be anything, and of what is no JSON, nothing is said.
        let schema = content
            .schema
            .map(|make| make(schemas).to_value())
            .filter(Value::is_object)
            .unwrap_or_else(|| opaque(content.media));
        let mut object = json!({"schema": schema});
        if let Some(example) = &content.example {
            object["example"] = example.clone();
        }
        (content.media.to_owned(), object)
    };
    Value::Object(contents.iter().map(one).collect())
}

/// Text is a string; of anything else nothing is said.
fn opaque(media: &str) -> Value {
    match media.starts_with("text/") {
        true => json!({"type": "string"}),
        false => json!({}),
    }
}

fn responses(operation: &Operation, schemas: &mut SchemaGenerator) -> Value {
    let mut responses = Map::new();
    for answer in &operation.answers {
        responses.insert(status(answer.status), answer_object(answer, schemas));
    }
    let mut problems: BTreeMap<StatusCode, Vec<Kind>> = BTreeMap::new();
    for kind in possible_problems(operation) {
        let kinds = problems.entry(kind.status()).or_default();
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    for (code, kinds) in problems {
        responses.insert(status(code), problem_object(&kinds));
    }
    responses.into()
}

fn status(code: StatusCode) -> String {
    code.as_str().to_owned()
}

fn answer_object(answer: &Answer, schemas: &mut SchemaGenerator) -> Value {
    let mut object = json!({"description": answer.description});
    if !answer.content.is_empty() {
        object["content"] = contents(&answer.content, schemas);
    }
    object
}

/// What may be wrong with a request: what the operation says, and what may be wrong with any of
/// its form.
fn possible_problems(operation: &Operation) -> Vec<Kind> {
    let mut kinds = vec![Kind::NotAdmitted];
    kinds.extend_from_slice(match operation.guard {
        Guard::Token => &[Kind::NoToken, Kind::TooOften],
        Guard::Producer => &[Kind::NoToken],
        Guard::Open => &[Kind::TooOften],
    });
    if operation.path.contains('{') {
        kinds.push(Kind::InvalidPath);
    }
    if operation.query.is_some() {
        kinds.push(Kind::InvalidQuery);
    }
    if operation.body.is_some() {
        kinds.extend([Kind::TooLarge, Kind::Unreadable]);
    }
    kinds.extend_from_slice(&operation.problems);
    kinds
}

fn problem_object(kinds: &[Kind]) -> Value {
    let titles: Vec<_> = kinds.iter().map(|kind| kind.title()).collect();
    let examples: Map<String, Value> = kinds
        .iter()
        .map(|kind| {
            let name = format!("{kind:?}");
            let reference = json!({"$ref": format!("#/components/examples/{name}")});
            (name, reference)
        })
        .collect();
    let mut object = json!({
        "description": format!("{}.", titles.join("; ")),
        "content": {PROBLEM_JSON: {
            "schema": {"$ref": "#/components/schemas/ProblemView"},
            "examples": examples,
        }},
    });
    if kinds
        .iter()
        .any(|kind| example(*kind).retry_after().is_some())
    {
        object["headers"] = json!({"Retry-After": {
            "description": "Seconds after which the same request may succeed.",
            "schema": {"type": "integer", "minimum": 1},
        }});
    }
    object
}

fn problem_example(kind: Kind) -> Value {
    json!({
        "summary": kind.title(),
        "value": ProblemView::of(kind, example(kind).to_string()),
    })
}

fn problem_types() -> Value {
    let mut types: Vec<_> = Kind::ALL.iter().map(|kind| kind.uri()).collect();
    types.sort();
    types.dedup();
    types.into()
}
