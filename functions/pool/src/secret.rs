//! The secret of a source: where it is written, and how it becomes a value.

use std::io;

use dormouse_source::{Secret, Source};
use serde::Deserialize;

use crate::document::SecretKeySelector;
use crate::env::{SecretRef, valid_secret};
use crate::field::{Field, Invalid};

/// Where a secret is: one of these.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SecretSource {
    /// In the file itself; for trying.
    Value(String),
    /// In a variable of the platform's environment.
    Env(String),
    /// In a key of a secret, as pools have them.
    SecretKeyRef(SecretKeySelector),
}

/// The secret that a source needs could not be had.
#[derive(Debug, thiserror::Error)]
pub enum NoSecret {
    /// There is no such variable, or it is empty.
    #[error("variable {0} is not set, which has the secret: set it where the platform is started")]
    Variable(String),
    /// There is no such secret, or it is empty.
    #[error(
        "secret `{name}` has no key `{key}`: write the value into secrets/{name}/{key} of the data \
         directory"
    )]
    Key {
        /// The secret.
        name: String,
        /// The key.
        key: String,
    },
    /// It is there and cannot be read.
    #[error("key `{key}` of secret `{name}` cannot be read: {source}")]
    Unreadable {
        /// The secret.
        name: String,
        /// The key.
        key: String,
        /// Why.
        source: io::Error,
    },
}

/// A source with its secrets looked up: `inherited` looks into the platform's own environment,
/// `secret` finds secrets (see [`read_secret`](crate::read_secret)).
///
/// # Errors
/// The first secret that cannot be had.
pub fn with_secrets(
    source: Source<SecretSource>,
    inherited: impl Fn(&str) -> Option<String>,
    secret: impl Fn(&SecretRef) -> io::Result<Option<String>>,
) -> Result<Source, NoSecret> {
    source.with_secrets(|written| {
        let found = match written {
            SecretSource::Value(text) => text,
            SecretSource::Env(name) => inherited(&name)
                .filter(|text| !text.is_empty())
                .ok_or(NoSecret::Variable(name))?,
            SecretSource::SecretKeyRef(selector) => find(selector, &secret)?,
        };
        Ok(Secret::new(found))
    })
}

fn find(
    selector: SecretKeySelector,
    secret: impl Fn(&SecretRef) -> io::Result<Option<String>>,
) -> Result<String, NoSecret> {
    let SecretKeySelector { name, key, .. } = selector;
    let wanted = SecretRef {
        name,
        key,
        optional: false,
    };
    let found = secret(&wanted);
    let SecretRef { name, key, .. } = wanted;
    match found {
        Ok(Some(text)) if !text.is_empty() => Ok(text),
        Ok(_) => Err(NoSecret::Key { name, key }),
        Err(source) => Err(NoSecret::Unreadable { name, key, source }),
    }
}

/// Checks a secret as it is written.
pub(crate) fn check(written: SecretSource, field: &Field) -> Result<SecretSource, Invalid> {
    match &written {
        SecretSource::Value(text) | SecretSource::Env(text) if text.is_empty() => {
            Err(field.clone().invalid("is empty: anybody could send"))
        }
        SecretSource::Value(_) | SecretSource::Env(_) => Ok(written),
        SecretSource::SecretKeyRef(selector) if selector.optional => Err(field
            .clone()
            .invalid("is `optional`, but without it anybody could send: remove that")),
        SecretSource::SecretKeyRef(selector) => {
            valid_secret(selector.clone(), &field.clone().key("secretKeyRef"))?;
            Ok(written)
        }
    }
}
