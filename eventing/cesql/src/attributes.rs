//! What an expression reads: the attributes of an event.

use alloc::collections::BTreeMap;
use core::borrow::Borrow;

use crate::value::Value;

/// The context attributes of one event, extensions included.
///
/// ```
/// use dormouse_cesql::{Attributes, Expression, Value};
///
/// struct Event {
///     id: String,
///     hops: i32,
/// }
///
/// impl Attributes for Event {
///     fn get(&self, name: &str) -> Option<Value<'_>> {
///         match name {
///             "id" => Some(self.id.as_str().into()),
///             "hops" => Some(self.hops.into()),
///             _ => None,
///         }
///     }
/// }
///
/// let expression = Expression::parse("hops < 16 AND id LIKE 'a-%'")?;
/// assert!(expression.matches(&Event { id: "a-1".to_owned(), hops: 3 }));
/// # Ok::<(), dormouse_cesql::ParseError>(())
/// ```
pub trait Attributes {
    /// The attribute of this lower-case name; `None` when the event does not have it.
    ///
    /// Booleans and integers keep their type, everything else is a String: URIs, timestamps and
    /// binary values in the canonical form that CloudEvents gives them (section 3.2).
    fn get(&self, name: &str) -> Option<Value<'_>>;
}

impl<A: Attributes + ?Sized> Attributes for &A {
    fn get(&self, name: &str) -> Option<Value<'_>> {
        (**self).get(name)
    }
}

impl<K: Borrow<str> + Ord> Attributes for BTreeMap<K, Value<'_>> {
    fn get(&self, name: &str) -> Option<Value<'_>> {
        BTreeMap::get(self, name).map(Value::as_borrowed)
    }
}

impl<K: AsRef<str>> Attributes for [(K, Value<'_>)] {
    fn get(&self, name: &str) -> Option<Value<'_>> {
        let found = self.iter().find(|(key, _)| key.as_ref() == name);
        found.map(|(_, value)| value.as_borrowed())
    }
}

impl<K: AsRef<str>, const N: usize> Attributes for [(K, Value<'_>); N] {
    fn get(&self, name: &str) -> Option<Value<'_>> {
        Attributes::get(self.as_slice(), name)
    }
}
