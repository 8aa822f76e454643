//! One operation of the API: how it is served and, beside that, how it is described.
//!
//! The router and the OpenAPI document are made of the same list of these, so there is no route
//! that the document does not know, and nothing in the document that is not served.

use axum::handler::Handler;
use axum::http::{Method, StatusCode};
use axum::routing::{self, MethodRouter};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::Value;

use super::Api;
use super::problem::Kind;

/// What an operation is about; the document groups by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    Pools,
    Tasks,
    Events,
    Triggers,
    DeadLetters,
    Platform,
}

impl Tag {
    /// In the order in which people read them.
    pub(super) const ALL: [Self; 6] = [
        Self::Pools,
        Self::Tasks,
        Self::Events,
        Self::Triggers,
        Self::DeadLetters,
        Self::Platform,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pools => "Pools",
            Self::Tasks => "Tasks",
            Self::Events => "Events",
            Self::Triggers => "Triggers",
            Self::DeadLetters => "Dead letters",
            Self::Platform => "Platform",
        }
    }

    pub(super) fn description(self) -> &'static str {
        match self {
            Self::Pools => "Functions as they are deployed: what they offer and how they are.",
            Self::Tasks => {
                "Calls of capabilities and reactions to events: where each stands, each of its \
                 attempts, how it ended."
            }
            Self::Events => {
                "CloudEvents: in, from any producer; the log of them, and what each became."
            }
            Self::Triggers => "Rules that route events to pools.",
            Self::DeadLetters => {
                "Tasks whose attempts are used up. They wait until somebody runs them again or \
                 discards them."
            }
            Self::Platform => {
                "The platform itself: how it is, what changes, how to drain it, and this document."
            }
        }
    }
}

/// Who is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guard {
    /// Who has the platform's token, where one is set, as often as the rate allows.
    Token,
    /// Who has the token, at any rate: what bounds producers is the backlog.
    Producer,
    /// Anyone; at a sink the event itself proves who sends it, at a webhook the request's signature.
    Open,
}

/// Makes the schema of a type, keeping what it refers to in the generator.
pub(super) type MakeSchema = fn(&mut SchemaGenerator) -> Schema;

/// A request header that an operation reads.
pub(super) struct Header {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) is_required: bool,
    pub(super) example: &'static str,
}

/// One form of a body.
pub(super) struct Content {
    pub(super) media: &'static str,
    pub(super) schema: Option<MakeSchema>,
    pub(super) example: Option<Value>,
}

impl Content {
    /// JSON of this type, with an example of it.
    pub(super) fn json<T: JsonSchema + Serialize>(example: T) -> Self {
        Self {
            media: "application/json",
            schema: Some(schema_of::<T>),
            // What cannot be written as JSON would lack its example, and a test asks for each.
            example: serde_json::to_value(example).ok(),
        }
    }

    /// Something that JSON Schema does not describe.
    pub(super) fn opaque(media: &'static str, example: Option<&str>) -> Self {
        Self {
            media,
            schema: None,
            example: example.map(Value::from),
        }
    }
}

/// What a request's body may be.
pub(super) struct Body {
    pub(super) description: &'static str,
    pub(super) is_required: bool,
    pub(super) content: Vec<Content>,
}

/// One answer that is no problem.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) description: &'static str,
    pub(super) content: Vec<Content>,
}

/// One operation. The path is axum's, which is OpenAPI's too: `/tasks/{id}`.
pub(super) struct Operation {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) handler: MethodRouter<Api>,
    pub(super) guard: Guard,
    pub(super) tag: Tag,
    /// For generated clients, e.g. `listPools`.
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) description: &'static str,
    pub(super) query: Option<MakeSchema>,
    pub(super) headers: Vec<Header>,
    pub(super) body: Option<Body>,
    pub(super) answers: Vec<Answer>,
    pub(super) problems: Vec<Kind>,
}

pub(super) fn get<H, T>(path: &'static str, handler: H) -> Operation
where
    H: Handler<T, Api>,
    T: 'static,
{
    Operation::new(Method::GET, path, routing::get(handler))
}

pub(super) fn post<H, T>(path: &'static str, handler: H) -> Operation
where
    H: Handler<T, Api>,
    T: 'static,
{
    Operation::new(Method::POST, path, routing::post(handler))
}

pub(super) fn put<H, T>(path: &'static str, handler: H) -> Operation
where
    H: Handler<T, Api>,
    T: 'static,
{
    Operation::new(Method::PUT, path, routing::put(handler))
}

pub(super) fn delete<H, T>(path: &'static str, handler: H) -> Operation
where
    H: Handler<T, Api>,
    T: 'static,
{
    Operation::new(Method::DELETE, path, routing::delete(handler))
}

pub(super) fn options<H, T>(path: &'static str, handler: H) -> Operation
where
    H: Handler<T, Api>,
    T: 'static,
{
    Operation::new(Method::OPTIONS, path, routing::options(handler))
}

pub(super) fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

impl Operation {
    fn new(method: Method, path: &'static str, handler: MethodRouter<Api>) -> Self {
        Self {
            method,
            path,
            handler,
            guard: Guard::Token,
            tag: Tag::Platform,
            id: "",
            summary: "",
            description: "",
            query: None,
            headers: Vec::new(),
            body: None,
            answers: Vec::new(),
            problems: Vec::new(),
        }
    }

    pub(super) fn named(
        mut self,
        tag: Tag,
        id: &'static str,
        summary: &'static str,
        description: &'static str,
    ) -> Self {
        (self.tag, self.id) = (tag, id);
        (self.summary, self.description) = (summary, description);
        self
    }

    /// Who is let in may come at any rate.
    pub(super) fn at_any_rate(mut self) -> Self {
        self.guard = Guard::Producer;
        self
    }

    /// Anyone is let in.
    pub(super) fn open(mut self) -> Self {
        self.guard = Guard::Open;
        self
    }

    /// The members of `T` are the query's parameters.
    pub(super) fn query<T: JsonSchema>(mut self) -> Self {
        self.query = Some(schema_of::<T>);
        self
    }

    pub(super) fn header(mut self, header: Header) -> Self {
        self.headers.push(header);
        self
    }

    pub(super) fn takes(mut self, description: &'static str, content: Vec<Content>) -> Self {
        self.body = Some(Body {
            description,
            is_required: true,
            content,
        });
        self
    }

    /// A body that may be left out.
    pub(super) fn may_take(mut self, description: &'static str, content: Content) -> Self {
        self.body = Some(Body {
            description,
            is_required: false,
            content: vec![content],
        });
        self
    }

    pub(super) fn answers(
        mut self,
        status: StatusCode,
        description: &'static str,
        content: Content,
    ) -> Self {
        self.answers.push(Answer {
            status,
            description,
            content: vec![content],
        });
        self
    }

    pub(super) fn answers_empty(mut self, status: StatusCode, description: &'static str) -> Self {
        self.answers.push(Answer {
            status,
            description,
            content: Vec::new(),
        });
        self
    }

    /// What may be wrong, besides what may be wrong with every request.
    pub(super) fn problems(mut self, kinds: &[Kind]) -> Self {
        self.problems.extend_from_slice(kinds);
        self
    }
}
