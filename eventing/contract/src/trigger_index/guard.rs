//! What a trigger demands of an event's `type`, read off its filters.

use std::collections::BTreeMap;

use crate::filter::{Filter, Trigger};

const TYPE: &str = "type";

/// A demand on the `type`; an event that does not meet it is not taken.
#[derive(Debug, Clone, Copy)]
pub(super) enum Guard<'t> {
    /// It ends so.
    Suffix(&'t str),
    /// It starts so.
    Prefix(&'t str),
    /// It is this.
    Exact(&'t str),
}

/// The demands of which an event must meet one, and whether that is enough. `None` when a trigger
/// says nothing about the type.
pub(super) fn of(trigger: &Trigger) -> Option<(Vec<Guard<'_>>, bool)> {
    let guards = of_all(&trigger.filters)?;
    let is_decided = match &trigger.filters[..] {
        [filter] => is_decided(filter),
        _ => false,
    };
    Some((guards, is_decided))
}

/// The sharpest of what several filters demand together.
fn of_all(filters: &[Filter]) -> Option<Vec<Guard<'_>>> {
    let demands = filters.iter().filter_map(of_filter);
    // Of several alternatives the bluntest one decides how sharp they are together.
    demands.max_by_key(|guards| guards.iter().map(sharpness).min())
}

fn sharpness(guard: &Guard<'_>) -> (u8, usize) {
    match guard {
        Guard::Suffix(text) => (0, text.len()),
        Guard::Prefix(text) => (1, text.len()),
        Guard::Exact(text) => (2, text.len()),
    }
}

fn of_filter(filter: &Filter) -> Option<Vec<Guard<'_>>> {
    match filter {
        Filter::All(filters) => of_all(filters),
        Filter::Any(filters) => {
            let demands = filters.iter().map(of_filter);
            demands.collect::<Option<Vec<_>>>().map(|it| it.concat())
        }
        Filter::Exact(wanted) => in_map(wanted, Guard::Exact),
        Filter::Prefix(wanted) => in_map(wanted, Guard::Prefix),
        Filter::Suffix(wanted) => in_map(wanted, Guard::Suffix),
        Filter::Cesql(expression) => {
            let texts = expression.required_texts(TYPE)?;
            Some(texts.into_iter().map(Guard::Exact).collect())
        }
        Filter::Not(_) => None,
    }
}

fn in_map<'t>(
    wanted: &'t BTreeMap<String, String>,
    guard: fn(&'t str) -> Guard<'t>,
) -> Option<Vec<Guard<'t>>> {
    wanted.get(TYPE).map(|text| vec![guard(text)])
}

/// Whether an event that meets a demand of the filter is taken by it.
fn is_decided(filter: &Filter) -> bool {
    match filter {
        Filter::Exact(wanted) | Filter::Prefix(wanted) | Filter::Suffix(wanted) => {
            wanted.len() == 1
        }
        Filter::Any(filters) => filters.iter().all(is_decided),
        Filter::All(filters) => matches!(&filters[..], [only] if is_decided(only)),
        Filter::Not(_) | Filter::Cesql(_) => false,
    }
}
