//! Filters as they are written: in pool files, manifests and the API.

use std::collections::BTreeMap;

use dormouse_cesql::Expression;
use schemars::Schema;
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::{Map, Value};

use super::{Filter, Ordering, Trigger};
use crate::policy::DeliverySpec;

/// Why a filter cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFilter {
    /// More than one dialect.
    #[error(
        "a filter has one of all, any, not, exact, prefix, suffix and cesql, this one has {0}: \
         write several filters, or put them under `all`"
    )]
    Dialects(String),
    /// A list or map with nothing in it.
    #[error("`{0}` is empty: give it at least one entry, or leave the filter out")]
    Empty(&'static str),
    /// Not the name of an attribute.
    #[error(
        "`{0}` is no attribute name: those start with a letter and have lower-case letters and \
         digits only"
    )]
    Name(String),
    /// Nothing to compare an attribute with.
    #[error("the value of `{0}` is empty: write what it has to be, or `cesql: EXISTS {0}`")]
    Value(String),
    /// Not an expression.
    #[error(
        "the CESQL expression `{text}` is not valid: {} (character {})",
        error.message(),
        error.column()
    )]
    Expression {
        /// What was written.
        text: String,
        /// Where it goes wrong, and how.
        error: dormouse_cesql::ParseError,
    },
    /// An expression that cannot be evaluated.
    #[error("the CESQL expression `{text}` cannot be evaluated: {error}")]
    Function {
        /// What was written.
        text: String,
        /// Which function is not there.
        error: dormouse_cesql::Error<'static>,
    },
}

/// A trigger as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WrittenTrigger {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    filters: Vec<Filter>,
    #[serde(default)]
    filter: Option<LegacyFilter>,
    #[serde(default)]
    ordering: Option<Ordering>,
    #[serde(default)]
    delivery: Option<DeliverySpec>,
    #[serde(default)]
    direct: bool,
}

/// Knative's older filter.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LegacyFilter {
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

impl TryFrom<WrittenTrigger> for Trigger {
    type Error = InvalidFilter;

    fn try_from(written: WrittenTrigger) -> Result<Self, InvalidFilter> {
        let mut filters = written.filters;
        if filters.is_empty()
            && let Some(LegacyFilter { attributes }) = written.filter
        {
            filters = attributes
                .into_iter()
                .map(|(name, value)| read_legacy(name, value))
                .collect::<Result<_, _>>()?;
        }
        Ok(Self {
            name: written.name,
            filters,
            ordering: written.ordering,
            delivery: written.delivery,
            direct: written.direct,
        })
    }
}

/// The empty value stands for any that is not empty.
fn read_legacy(name: String, value: String) -> Result<Filter, InvalidFilter> {
    check_name(&name)?;
    if value.is_empty() {
        return read_expression(&format!("EXISTS {name} AND {name} != ''"));
    }
    Ok(Filter::Exact(BTreeMap::from([(name, value)])))
}

/// A filter as it is written: with the dialects that it has.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WrittenFilter {
    all: Option<Vec<Filter>>,
    any: Option<Vec<Filter>>,
    not: Option<Box<Filter>>,
    exact: Option<BTreeMap<String, String>>,
    prefix: Option<BTreeMap<String, String>>,
    suffix: Option<BTreeMap<String, String>>,
    cesql: Option<WrittenExpression>,
}

/// An expression that is checked where it is written, so that the error tells that place.
struct WrittenExpression(Filter);

impl<'de> Deserialize<'de> for WrittenExpression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        read_expression(&text).map(Self).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Filter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = WrittenFilter::deserialize(deserializer)?;
        written.read().map_err(D::Error::custom)
    }
}

impl WrittenFilter {
    fn read(self) -> Result<Filter, InvalidFilter> {
        let dialects = [
            self.all.map(|list| read_list("all", list, Filter::All)),
            self.any.map(|list| read_list("any", list, Filter::Any)),
            self.not.map(|filter| Ok(("not", Filter::Not(filter)))),
            self.exact.map(|map| read_map("exact", map, Filter::Exact)),
            self.prefix
                .map(|map| read_map("prefix", map, Filter::Prefix)),
            self.suffix
                .map(|map| read_map("suffix", map, Filter::Suffix)),
            self.cesql
                .map(|WrittenExpression(filter)| Ok(("cesql", filter))),
        ];
        let mut found = dialects
            .into_iter()
            .flatten()
            .collect::<Result<Vec<_>, _>>()?;
        if found.len() > 1 {
            let names: Vec<_> = found.iter().map(|(name, _)| *name).collect();
            return Err(InvalidFilter::Dialects(names.join(" and ")));
        }
        let always = Filter::All(Vec::new());
        Ok(found.pop().map_or(always, |(_, filter)| filter))
    }
}

type Dialect = Result<(&'static str, Filter), InvalidFilter>;

fn read_list(name: &'static str, list: Vec<Filter>, filter: fn(Vec<Filter>) -> Filter) -> Dialect {
    if list.is_empty() {
        return Err(InvalidFilter::Empty(name));
    }
    Ok((name, filter(list)))
}

fn read_map(
    name: &'static str,
    map: BTreeMap<String, String>,
    filter: fn(BTreeMap<String, String>) -> Filter,
) -> Dialect {
    if map.is_empty() {
        return Err(InvalidFilter::Empty(name));
    }
    for (attribute, value) in &map {
        check_name(attribute)?;
        if value.is_empty() {
            return Err(InvalidFilter::Value(attribute.clone()));
        }
    }
    Ok((name, filter(map)))
}

/// Knative's rule: an attribute whose name starts with a digit is only reached by CESQL.
fn check_name(name: &str) -> Result<(), InvalidFilter> {
    let is_valid = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    match is_valid {
        true => Ok(()),
        false => Err(InvalidFilter::Name(name.to_owned())),
    }
}

pub(super) fn read_expression(text: &str) -> Result<Filter, InvalidFilter> {
    let invalid = |error| InvalidFilter::Expression {
        text: text.to_owned(),
        error,
    };
    let expression = Expression::parse(text).map_err(invalid)?;
    match expression.missing_functions().into_iter().next() {
        Some(missing) => Err(InvalidFilter::Function {
            text: text.to_owned(),
            error: missing.into_owned(),
        }),
        None => Ok(Filter::Cesql(expression)),
    }
}

impl Serialize for Filter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::All(filters) if filters.is_empty() => {}
            Self::All(filters) => map.serialize_entry("all", filters)?,
            Self::Any(filters) => map.serialize_entry("any", filters)?,
            Self::Not(filter) => map.serialize_entry("not", filter)?,
            Self::Exact(wanted) => map.serialize_entry("exact", wanted)?,
            Self::Prefix(wanted) => map.serialize_entry("prefix", wanted)?,
            Self::Suffix(wanted) => map.serialize_entry("suffix", wanted)?,
            Self::Cesql(expression) => map.serialize_entry("cesql", expression.text())?,
        }
        map.end()
    }
}

/// Makes of a schema that lists the dialects one of what is written: an object with at most one of
/// them, for `{}` is a filter too.
pub(super) fn describe(schema: &mut Schema) {
    let Some(Value::Array(dialects)) = schema.remove("oneOf") else {
        return;
    };
    let mut members = Map::new();
    for mut dialect in dialects {
        let description = dialect["description"].take();
        let Value::Object(member) = dialect["properties"].take() else {
            continue;
        };
        for (name, mut value) in member {
            value["description"] = description.clone();
            members.insert(name, value);
        }
    }
    schema.insert("type".to_owned(), "object".into());
    schema.insert("properties".to_owned(), members.into());
    schema.insert("maxProperties".to_owned(), 1.into());
    schema.insert("additionalProperties".to_owned(), false.into());
}
