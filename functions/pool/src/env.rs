//! A function's environment: what is written in the file, and how it becomes values.

use std::io;
use std::path::Path;

use crate::document::{EnvSpec, SecretKeySelector};
use crate::field::{Field, Invalid};

/// The variables that the platform sets for every function; a pool cannot.
pub const RESERVED_VARIABLES: [&str; 7] = [
    "PORT",
    "K_SERVICE",
    "K_CONFIGURATION",
    "K_REVISION",
    "K_SINK",
    "K_CE_OVERRIDES",
    dormouse_contract::task::DELIVERY_SECRET_ENV,
];

/// One environment variable of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvVar {
    /// Its name; unique in a pool.
    pub name: String,
    /// Where its value comes from.
    pub value: EnvValue,
}

/// Where a variable's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvValue {
    /// The file itself.
    Literal(String),
    /// The platform's own environment; left out when it has no such variable.
    Inherited,
    /// A secret.
    Secret(SecretRef),
}

/// A key of a secret. Both names are safe as names of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRef {
    /// The secret.
    pub name: String,
    /// The key.
    pub key: String,
    /// Whether the variable is left out when the secret is missing.
    pub optional: bool,
}

/// A secret that a variable needs could not be had.
#[derive(Debug, thiserror::Error)]
pub enum MissingSecret {
    /// There is none.
    #[error(
        "secret `{secret}` has no key `{key}`, which variable {variable} needs: write the value \
         into secrets/{secret}/{key} of the data directory, or say `optional: true`"
    )]
    Absent {
        /// The variable.
        variable: String,
        /// The secret.
        secret: String,
        /// The key.
        key: String,
    },
    /// It is there and cannot be read.
    #[error(
        "key `{key}` of secret `{secret}`, which variable {variable} needs, cannot be read: {source}"
    )]
    Unreadable {
        /// The variable.
        variable: String,
        /// The secret.
        secret: String,
        /// The key.
        key: String,
        /// Why.
        source: io::Error,
    },
}

/// Reads a secret from `DATA_DIR/secrets/NAME/KEY`, without the newline that editors put at the
/// end; `None` when there is no such file.
///
/// # Errors
/// When the file is there and cannot be read, or is not UTF-8.
pub fn read_secret(data_dir: &Path, secret: &SecretRef) -> io::Result<Option<String>> {
    let path = data_dir
        .join("secrets")
        .join(&secret.name)
        .join(&secret.key);
    match std::fs::read_to_string(path) {
        Ok(mut text) => {
            let kept = text.trim_end_matches(['\r', '\n']).len();
            text.truncate(kept);
            Ok(Some(text))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The variables with their values: `inherited` looks into the platform's own environment,
/// `secret` finds secrets.
pub(crate) fn resolve(
    variables: &[EnvVar],
    inherited: impl Fn(&str) -> Option<String>,
    secret: impl Fn(&SecretRef) -> io::Result<Option<String>>,
) -> Result<Vec<(String, String)>, MissingSecret> {
    let mut resolved = Vec::with_capacity(variables.len());
    for variable in variables {
        let value = match &variable.value {
            EnvValue::Literal(text) => Some(text.clone()),
            EnvValue::Inherited => inherited(&variable.name),
            EnvValue::Secret(wanted) => find(&variable.name, wanted, &secret)?,
        };
        resolved.extend(value.map(|value| (variable.name.clone(), value)));
    }
    Ok(resolved)
}

fn find(
    variable: &str,
    wanted: &SecretRef,
    secret: impl Fn(&SecretRef) -> io::Result<Option<String>>,
) -> Result<Option<String>, MissingSecret> {
    let (variable, name, key) = (variable.to_owned(), wanted.name.clone(), wanted.key.clone());
    match secret(wanted) {
        Ok(None) if !wanted.optional => Err(MissingSecret::Absent {
            variable,
            secret: name,
            key,
        }),
        Ok(found) => Ok(found),
        Err(source) => Err(MissingSecret::Unreadable {
            variable,
            secret: name,
            key,
            source,
        }),
    }
}

/// Checks `spec.env`.
pub(crate) fn validate(written: Vec<EnvSpec>) -> Result<Vec<EnvVar>, Invalid> {
    let mut variables: Vec<EnvVar> = Vec::with_capacity(written.len());
    for (index, entry) in written.into_iter().enumerate() {
        let field = Field::of(&["spec", "env"]).index(index);
        let name = valid_name(entry.name, &field, &variables)?;
        let value = match (entry.value, entry.value_from) {
            (Some(_), Some(_)) => {
                return Err(field.invalid("has both `value` and `valueFrom`: keep one"));
            }
            (Some(text), None) if text.contains('\0') => {
                return Err(field.key("value").invalid("contains a NUL character"));
            }
            (Some(text), None) => EnvValue::Literal(text),
            (None, Some(source)) => EnvValue::Secret(valid_secret(
                source.secret_key_ref,
                &field.key("valueFrom").key("secretKeyRef"),
            )?),
            (None, None) => EnvValue::Inherited,
        };
        variables.push(EnvVar { name, value });
    }
    Ok(variables)
}

fn valid_name(name: String, field: &Field, before: &[EnvVar]) -> Result<String, Invalid> {
    let invalid = |reason: &str| field.clone().key("name").invalid(reason);
    let starts_well = |letter: char| letter.is_ascii_alphabetic() || letter == '_';
    let goes_on_well = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
    if !name.starts_with(starts_well) || !name.chars().all(goes_on_well) {
        return Err(invalid(&format!(
            "`{}` is no name of a variable: letters, digits, `_`, `-` and `.`, not starting with \
             a digit",
            name.escape_debug()
        )));
    }
    if RESERVED_VARIABLES.contains(&name.as_str()) {
        return Err(invalid(&format!(
            "{name} is set by the platform: choose another name"
        )));
    }
    if before.iter().any(|variable| variable.name == name) {
        return Err(invalid(&format!("{name} is there twice: keep one")));
    }
    Ok(name)
}

pub(crate) fn valid_secret(
    written: SecretKeySelector,
    field: &Field,
) -> Result<SecretRef, Invalid> {
    for (key, text) in [("name", &written.name), ("key", &written.key)] {
        let known = |letter: char| letter.is_ascii_alphanumeric() || "-._".contains(letter);
        let usable = !text.is_empty()
            && text.len() <= 253
            && text.chars().all(known)
            && !text.starts_with("..")
            && text != ".";
        if !usable {
            return Err(field.clone().key(key).invalid(format!(
                "`{}` names no secret: letters, digits, `-`, `_` and `.`, at most 253",
                text.escape_debug()
            )));
        }
    }
    Ok(SecretRef {
        name: written.name,
        key: written.key,
        optional: written.optional,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(name: &str, optional: bool) -> EnvVar {
        EnvVar {
            name: name.to_owned(),
            value: EnvValue::Secret(SecretRef {
                name: "openai".to_owned(),
                key: "key".to_owned(),
                optional,
            }),
        }
    }

    fn variable(name: &str, value: EnvValue) -> EnvVar {
        EnvVar {
            name: name.to_owned(),
            value,
        }
    }

    #[test]
    fn each_value_comes_from_its_source() {
        let variables = [
            variable("A", EnvValue::Literal(String::new())),
            variable("HERE", EnvValue::Inherited),
            variable("NOT_HERE", EnvValue::Inherited),
            secret("KEY", false),
        ];
        let inherited = |name: &str| (name == "HERE").then(|| "yes".to_owned());
        let resolved = resolve(&variables, inherited, |_| Ok(Some("hush".to_owned()))).unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            resolved,
            [pair("A", ""), pair("HERE", "yes"), pair("KEY", "hush")]
        );
    }

    #[test]
    fn a_missing_secret_is_an_error_unless_optional() {
        let resolve = |variable| resolve(&[variable], |_| None, |_| Ok(None));
        assert_eq!(resolve(secret("KEY", true)).unwrap(), []);
        let error = resolve(secret("KEY", false)).unwrap_err().to_string();
        assert!(
            error.contains("KEY") && error.contains("secrets/openai/key"),
            "{error}"
        );
    }

    #[test]
    fn names_of_secrets_cannot_leave_their_folder() {
        for name in ["", ".", "..", "../x", "a/b", "..a", "ä"] {
            let written = SecretKeySelector {
                name: name.to_owned(),
                key: "key".to_owned(),
                optional: false,
            };
            assert!(valid_secret(written, &Field::default()).is_err(), "{name}");
        }
    }
}
