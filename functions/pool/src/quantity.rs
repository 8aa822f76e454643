//! Amounts of a resource, in Kubernetes' words.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// An amount of a resource: `500m`, `1Gi`, `2` (Kubernetes' `resource.Quantity`), not negative.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Quantity(String);

/// The text is no amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no amount: write `500m`, `2`, `128Mi` or `1Gi`", .0.escape_debug())]
pub struct InvalidQuantity(String);

const SUFFIXES: [&str; 16] = [
    "", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei",
];

/// The same rule for schemas; it holds for texts, numbers are amounts anyway.
const PATTERN: &str = r"^([0-9]+(\.[0-9]*)?|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?$";

impl Quantity {
    /// Reads an amount.
    ///
    /// # Errors
    /// When the text is none, or a negative one.
    pub fn parse(text: &str) -> Result<Self, InvalidQuantity> {
        let end = text
            .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
            .unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let is_number = number.contains(|letter: char| letter.is_ascii_digit())
            && number.matches('.').count() <= 1;
        match is_number && (SUFFIXES.contains(&suffix) || is_exponent(suffix)) {
            true => Ok(Self(text.to_owned())),
            false => Err(InvalidQuantity(text.to_owned())),
        }
    }

    /// So many thousandths: of a processor, `500m` is half of one.
    #[must_use]
    pub fn milli(count: u32) -> Self {
        Self(format!("{count}m"))
    }

    /// So many mebibytes.
    #[must_use]
    pub fn mebi(count: u32) -> Self {
        Self(format!("{count}Mi"))
    }

    /// So many gibibytes.
    #[must_use]
    pub fn gibi(count: u32) -> Self {
        Self(format!("{count}Gi"))
    }

    /// The amount as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_exponent(suffix: &str) -> bool {
    let digits = suffix.strip_prefix(['e', 'E']).unwrap_or_default();
    let digits = digits.strip_prefix(['+', '-']).unwrap_or(digits);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Display for Quantity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// From a text or a whole number, as the API server takes it for custom resources.
impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Quantity;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an amount such as `500m`, `2`, `128Mi` or `1Gi`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Quantity, E> {
                Quantity::parse(text).map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Quantity, E> {
                Ok(Quantity(number.to_string()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Quantity, E> {
                Quantity::parse(&number.to_string()).map_err(E::custom)
            }
        }
        from.deserialize_any(Either)
    }
}

impl JsonSchema for Quantity {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "An amount of a resource: `500m`, `1Gi`, `2`.",
            "type": ["integer", "string"],
            "minimum": 0,
            "maxLength": 64,
            "pattern": PATTERN,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_kubernetes_reads_them() {
        for text in [
            "0", "2", "500m", "0.5", ".5", "1.", "128Mi", "1Gi", "1e3", "12E-2", "3E",
        ] {
            assert!(Quantity::parse(text).is_ok(), "{text}");
        }
        for text in [
            "", ".", "-1", "+1", "1.2.3", "1 Gi", "1gi", "Gi", "1e", "1ee3", "lots",
        ] {
            let error = Quantity::parse(text).unwrap_err().to_string();
            assert!(error.contains("128Mi"), "{error}");
        }
    }

    #[test]
    fn a_number_is_an_amount() {
        let read: Vec<Quantity> = serde_json::from_str(r#"[2, "1Gi"]"#).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), r#"["2","1Gi"]"#);
        assert!(serde_json::from_str::<Quantity>("-1").is_err());
    }
}
