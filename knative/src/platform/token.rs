//! The tokens of a platform: the bearer token, where its spec names none, and the one by which its
//! Broker sends it events.
//!
//! Each is made once and kept. Who deletes the Secret gets a new one, which the platform reads
//! without a restart.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};

use super::Place;

/// The key of the Secret, and the name of the file in the pod.
pub const KEY: &str = "token";

/// A bearer token.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A new one, of 192 random bits.
    #[must_use]
    pub fn random() -> Self {
        let bytes = rand::random::<[u8; 24]>();
        Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// That of a Secret; `None` when it has none.
    #[must_use]
    pub fn read(secret: &Secret) -> Option<Self> {
        let token = secret.data.as_ref()?.get(KEY)?.0.clone();
        let token = String::from_utf8(token).ok()?;
        (!token.trim().is_empty()).then_some(Self(token))
    }

    /// The token.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The Secret of this name, as it is applied.
    #[must_use]
    pub fn object(&self, place: Place<'_>, name: &str) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "Opaque",
            "metadata": place.metadata(name),
            "data": {KEY: ByteString(self.0.clone().into_bytes())},
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{owner, place};
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let token = Token::random();
        let object = token.object(place(&owner()), "mcp-token");
        assert_eq!(object["metadata"]["name"], "mcp-token");
        let mut secret: Secret = serde_json::from_value(object).unwrap();
        assert!(Token::read(&secret).as_ref() == Some(&token));
        assert!(Token::random() != token);
        secret.data = Some([(KEY.to_owned(), ByteString(Vec::new()))].into());
        assert!(Token::read(&secret).is_none());
    }
}
