//! Resources: what a client can read at a URI.

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::contents::{Contents, IntoContents};
use crate::context::Context;
use crate::error::{StartError, ToolError};
use crate::sampling::Role;
use crate::shown::{Audience, Icon};

/// The handler at work.
pub(crate) type Reading = BoxFuture<'static, Result<Vec<Contents>, ToolError>>;

/// What is said of a resource or a template, beside where it is.
#[derive(Default)]
pub(crate) struct About {
    pub name: String,
    pub title: Option<String>,
    pub description: Option<String>,
    pub mime_type: Option<String>,
    pub icons: Vec<Icon>,
    pub audience: Audience,
    pub size: Option<u64>,
}

/// MCP `Resource` and `ResourceTemplate`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri_template: Option<&'a str>,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mime_type: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    icons: &'a [Icon],
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<&'a Audience>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
}

impl About {
    pub(crate) fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// The MCP object of a resource, or of a template.
    pub(crate) fn describe(
        &self,
        uri: Option<&str>,
        uri_template: Option<&str>,
    ) -> serde_json::Result<Box<RawValue>> {
        to_raw_value(&Object {
            uri,
            uri_template,
            name: &self.name,
            title: self.title.as_deref(),
            description: self.description.as_deref(),
            mime_type: self.mime_type.as_deref(),
            icons: &self.icons,
            annotations: self.audience.said(),
            size: self.size,
        })
    }
}

/// A resource with everything that can be said about it.
///
/// ```
/// use dormouse_function::{Context, Function, Resource, Role, ToolError};
///
/// async fn rules(_: Context) -> Result<&'static str, ToolError> {
///     Ok("# Rules\nBe quiet.")
/// }
///
/// let resource = Resource::new("school://rules", "rules", rules)
///     .description("What holds for everybody.")
///     .mime_type("text/markdown")
///     .audience([Role::User])
///     .priority(0.8);
/// let function = Function::new("school").with_resource(resource);
/// # assert!(function.manifest().is_ok());
/// ```
pub struct Resource {
    uri: String,
    pub(crate) about: About,
    pub(crate) hidden: bool,
    read: Box<dyn Fn(Context) -> Reading + Send + Sync>,
}

impl Resource {
    /// A resource: its URI, its name, and its handler, an async function of a [`Context`].
    pub fn new<R, F, Fut>(uri: impl Into<String>, name: impl Into<String>, handler: F) -> Self
    where
        R: IntoContents,
        F: Fn(Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, ToolError>> + Send + 'static,
    {
        let read = move |cx: Context| -> Reading {
            let reading = handler(cx);
            Box::pin(async move { Ok(reading.await?.into_contents()) })
        };
        Self {
            uri: uri.into(),
            about: About::named(name),
            hidden: false,
            read: Box::new(read),
        }
    }

    /// What a person reads in place of the name.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.about.title = Some(title.into());
        self
    }

    /// What it is, in words for a model.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.about.description = Some(description.into());
        self
    }

    /// Its media type, which its contents have too unless they say otherwise.
    #[must_use]
    pub fn mime_type(mut self, mime_type: impl Into<String>) -> Self {
        self.about.mime_type = Some(mime_type.into());
        self
    }

    /// A picture; may be said more than once.
    #[must_use]
    pub fn icon(mut self, icon: Icon) -> Self {
        self.about.icons.push(icon);
        self
    }

    /// Whom it is for.
    #[must_use]
    pub fn audience(mut self, roles: impl IntoIterator<Item = Role>) -> Self {
        self.about.audience.roles = roles.into_iter().collect();
        self
    }

    /// How much it matters: 1 means that nothing goes without it, 0 that it may be left out.
    #[must_use]
    pub fn priority(mut self, priority: f64) -> Self {
        self.about.audience.priority = Some(priority);
        self
    }

    /// When it last changed, RFC 3339: `2026-11-22T10:00:00Z`.
    #[must_use]
    pub fn last_modified(mut self, time: impl Into<String>) -> Self {
        self.about.audience.last_modified = Some(time.into());
        self
    }

    /// How many bytes it has.
    #[must_use]
    pub fn size(mut self, bytes: u64) -> Self {
        self.about.size = Some(bytes);
        self
    }

    /// Not offered until a handler says so, by [`Context::offer`].
    #[must_use]
    pub fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }

    pub(crate) fn read(&self, cx: Context) -> Reading {
        (self.read)(cx)
    }

    /// Whether clients could read it.
    pub(crate) fn check(&self) -> Result<(), StartError> {
        let has_scheme = self.uri.split_once(':').is_some_and(|(scheme, _)| {
            let rest = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
            scheme.starts_with(|letter: char| letter.is_ascii_alphabetic())
                && scheme.bytes().all(rest)
        });
        let visible = self.uri.bytes().all(|byte| byte.is_ascii_graphic());
        match has_scheme && visible {
            true => Ok(()),
            false => Err(self.unfit("it is no absolute URI (RFC 3986)")),
        }
    }

    /// The MCP `Resource` object.
    pub(crate) fn describe(&self) -> Result<Box<RawValue>, StartError> {
        let described = self.about.describe(Some(&self.uri), None);
        described.map_err(|error| self.unfit(&error.to_string()))
    }

    fn unfit(&self, reason: &str) -> StartError {
        StartError::Capability {
            what: "resource",
            name: self.uri.clone(),
            reason: reason.to_owned(),
        }
    }
}
