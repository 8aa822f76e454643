//! `completion/complete`: what is referred to is offered, and the argument has a name and a value.

use std::borrow::Cow;

use serde_json::Value;
use serde_json::value::RawValue;

use super::{Found, Request, prompt};
use crate::catalogue::Catalogue;
use crate::error::Fault;
use crate::jsonrpc::{Text, for_each_member};

pub(super) fn check<'a>(catalogue: &Catalogue, request: &Request<'a>) -> Result<Found<'a>, Fault> {
    let [reference, argument, context] = match request.raw {
        Some(raw) => members(raw, "params", ["ref", "argument", "context"])?,
        None => [None; 3],
    };
    let reference = reference.ok_or_else(|| missing("params.ref"))?;
    let argument = argument.ok_or_else(|| missing("params.argument"))?;
    let [name, value] = members(argument, "params.argument", ["name", "value"])?;
    text(name, "params.argument.name")?;
    text(value, "params.argument.value")?;
    if let Some(context) = context {
        check_context(context)?;
    }
    let [kind, name, uri] = members(reference, "params.ref", ["type", "name", "uri"])?;
    match &*text(kind, "params.ref.type")? {
        "ref/prompt" => {
            let offered = text(name, "params.ref.name")?;
            let prompt = catalogue
                .prompt(&offered)
                .ok_or_else(|| Fault::UnknownPrompt(offered.into_owned()))?;
            Ok(Found::named(&prompt.completion, name))
        }
        "ref/resource" => {
            let uri = text(uri, "params.ref.uri")?;
            let resource = catalogue.resource_reference(&uri).ok_or_else(|| {
                Fault::InvalidParams(format!("no resource and no template is at `{uri}`"))
            })?;
            Ok(Found::named(&resource.completion, None))
        }
        other => Err(Fault::InvalidParams(format!(
            "params.ref.type is `{other}`: completions are for `ref/prompt` and `ref/resource`"
        ))),
    }
}

/// What was typed of the argument, once the request is checked.
pub(super) fn typed(request: &Request<'_>) -> Option<String> {
    let [argument] = members(request.raw?, "params", ["argument"]).ok()?;
    let [value] = members(argument?, "params.argument", ["value"]).ok()?;
    text(value, "params.argument.value")
        .ok()
        .map(Cow::into_owned)
}

/// Arguments that are known already, each a string.
fn check_context(context: &RawValue) -> Result<(), Fault> {
    let [arguments] = members(context, "params.context", ["arguments"])?;
    let Some(arguments) = arguments else {
        return Ok(());
    };
    let arguments: Value = serde_json::from_str(arguments.get())
        .map_err(|error| Fault::InvalidParams(format!("params.context cannot be read: {error}")))?;
    if !arguments.is_object() {
        return Err(Fault::InvalidParams(
            "params.context.arguments must be an object".to_owned(),
        ));
    }
    match prompt::no_strings(&arguments).as_slice() {
        [] => Ok(()),
        problems => Err(Fault::InvalidParams(format!(
            "params.context.arguments: {}",
            problems.join("; ")
        ))),
    }
}

/// These members of an object, where they are there and not null.
fn members<'a, const N: usize>(
    object: &'a RawValue,
    place: &str,
    names: [&str; N],
) -> Result<[Option<&'a RawValue>; N], Fault> {
    let mut found = [None; N];
    for_each_member(object, |member, value| {
        if let Some(place) = names.iter().position(|name| *name == member) {
            found[place] = Some(value).filter(|value| value.get() != "null");
        }
    })
    .map_err(|_| Fault::InvalidParams(format!("{place} must be an object")))?;
    Ok(found)
}

fn text<'a>(raw: Option<&'a RawValue>, place: &str) -> Result<Cow<'a, str>, Fault> {
    let raw = raw.ok_or_else(|| missing(place))?;
    serde_json::from_str::<Text<'a>>(raw.get())
        .map(|Text(text)| text)
        .map_err(|_| Fault::InvalidParams(format!("{place} must be a string")))
}

fn missing(place: &str) -> Fault {
    Fault::InvalidParams(format!("{place} is missing"))
}
