//! How the sender of a webhook proves itself, checked before anything of the body is read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{KeyInit as _, Mac as _};
use http::header::{AUTHORIZATION, HeaderMap, HeaderName};
use serde::{Deserialize, Deserializer, de};
use sha2::Sha256;

use crate::Secret;

/// What a sender has to show.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Proof<S = Secret> {
    /// A signature of the body.
    Hmac(Hmac<S>),
    /// The secret itself, in a header of its own.
    Token {
        /// The header.
        #[serde(deserialize_with = "header::deserialize")]
        header: HeaderName,
        /// What it holds.
        secret: S,
    },
    /// The secret itself, as `Authorization: Bearer SECRET`.
    Bearer {
        /// The token.
        secret: S,
    },
    /// Name and password, as `Authorization: Basic …` (RFC 7617).
    Basic {
        /// The name.
        user: String,
        /// The password.
        secret: S,
    },
    /// Nothing: whoever reaches the door may send.
    None,
}

/// A signature of the body by HMAC (RFC 2104), in a header.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hmac<S = Secret> {
    /// The header.
    #[serde(deserialize_with = "header::deserialize")]
    pub header: HeaderName,
    /// What stands before the signature. Default: nothing.
    #[serde(default)]
    pub prefix: String,
    /// The hash. Default: SHA-256.
    #[serde(default)]
    pub algorithm: Algorithm,
    /// How the signature's bytes are written. Default: hex.
    #[serde(default)]
    pub encoding: Encoding,
    /// The key.
    pub secret: S,
}

/// The hash of a signature.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// SHA-256.
    #[default]
    Sha256,
}

/// How a signature's bytes are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Hexadecimal digits, large or small.
    #[default]
    Hex,
    /// Base64 (RFC 4648, section 4), padded.
    Base64,
}

/// Why a sender is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    /// It shows nothing.
    #[error(
        "header `{0}` is missing, by which this webhook's sender proves itself: set the secret at the sender"
    )]
    Missing(HeaderName),
    /// What it shows is wrong.
    #[error(
        "header `{0}` does not prove the sender: the secret there and the one here differ, or something on the way changed the body"
    )]
    Wrong(HeaderName),
}

impl<S> Proof<S> {
    /// The proof of GitHub ("Validating webhook deliveries"): SHA-256, in hex, over the body.
    #[must_use]
    pub fn github(secret: S) -> Self {
        Self::Hmac(Hmac {
            header: HeaderName::from_static("x-hub-signature-256"),
            prefix: "sha256=".to_owned(),
            algorithm: Algorithm::Sha256,
            encoding: Encoding::Hex,
            secret,
        })
    }

    /// The same with the secret looked up.
    ///
    /// # Errors
    /// That of the lookup.
    pub fn with_secret<T, E>(self, mut find: impl FnMut(S) -> Result<T, E>) -> Result<Proof<T>, E> {
        Ok(match self {
            Self::Hmac(hmac) => Proof::Hmac(Hmac {
                header: hmac.header,
                prefix: hmac.prefix,
                algorithm: hmac.algorithm,
                encoding: hmac.encoding,
                secret: find(hmac.secret)?,
            }),
            Self::Token { header, secret } => Proof::Token {
                header,
                secret: find(secret)?,
            },
            Self::Bearer { secret } => Proof::Bearer {
                secret: find(secret)?,
            },
            Self::Basic { user, secret } => Proof::Basic {
                user,
                secret: find(secret)?,
            },
            Self::None => Proof::None,
        })
    }
}

impl Proof {
    /// Whether a request's sender is believed.
    ///
    /// # Errors
    /// [`Unproven`]: answer 401 when the proof is missing and 403 when it is wrong.
    pub fn check(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Unproven> {
        match self {
            Self::Hmac(hmac) => hmac.check(headers, body),
            Self::Token { header, secret } => {
                believe(header, secret.is(shown(headers, header)?.as_bytes()))
            }
            Self::Bearer { secret } => {
                let token = authorization(headers, "bearer")?;
                believe(&AUTHORIZATION, secret.is(token.as_bytes()))
            }
            Self::Basic { user, secret } => {
                let said = BASE64.decode(authorization(headers, "basic")?);
                let said = said.map_err(|_| Unproven::Wrong(AUTHORIZATION))?;
                let expected = [user.as_bytes(), b":", secret.bytes()].concat();
                believe(&AUTHORIZATION, Secret::new(expected).is(&said))
            }
            Self::None => Ok(()),
        }
    }
}

impl Hmac {
    fn check(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Unproven> {
        let wrong = || Unproven::Wrong(self.header.clone());
        let said = shown(headers, &self.header)?;
        let said = said.strip_prefix(&self.prefix).ok_or_else(wrong)?;
        let said = match self.encoding {
            Encoding::Hex => unhex(said),
            Encoding::Base64 => BASE64.decode(said).ok(),
        };
        let said = said.ok_or_else(wrong)?;
        let Algorithm::Sha256 = self.algorithm;
        let mut mac =
            hmac::Hmac::<Sha256>::new_from_slice(self.secret.bytes()).map_err(|_| wrong())?;
        mac.update(body);
        mac.verify_slice(&said).map_err(|_| wrong())
    }
}

fn believe(header: &HeaderName, is_right: bool) -> Result<(), Unproven> {
    match is_right {
        true => Ok(()),
        false => Err(Unproven::Wrong(header.clone())),
    }
}

/// The one value of a header: two could be read in two ways.
fn shown<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a str, Unproven> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Err(Unproven::Missing(name.clone())),
        (Some(value), None) => value.to_str().map_err(|_| Unproven::Wrong(name.clone())),
        (Some(_), Some(_)) => Err(Unproven::Wrong(name.clone())),
    }
}

fn authorization<'a>(headers: &'a HeaderMap, scheme: &str) -> Result<&'a str, Unproven> {
    let shown = shown(headers, &AUTHORIZATION)?;
    match shown.split_once(' ') {
        Some((said, rest)) if said.eq_ignore_ascii_case(scheme) => Ok(rest.trim()),
        Some(_) | None => Err(Unproven::Wrong(AUTHORIZATION)),
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let bytes = pairs.iter().map(|[high, low]| {
        let byte = digit(*high)? * 16 + digit(*low)?;
        u8::try_from(byte).ok()
    });
    bytes.collect()
}

/// The name of a header, for serde.
pub(crate) mod header {
    use super::{Deserialize, Deserializer, HeaderName, de};

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<HeaderName, D::Error> {
        let name = String::deserialize(from)?;
        HeaderName::try_from(&name).map_err(|_| {
            de::Error::custom(format!(
                "`{}` is no name of an HTTP header",
                name.escape_debug()
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn check(proof: &Proof, pairs: &[(&'static str, &str)], body: &str) -> &'static str {
        match proof.check(&headers(pairs), body.as_bytes()) {
            Ok(()) => "right",
            Err(Unproven::Missing(_)) => "missing",
            Err(Unproven::Wrong(_)) => "wrong",
        }
    }

    #[test]
    fn githubs_own_example_is_right_and_every_change_of_it_wrong() {
        // Secret, payload and signature of GitHub's guide "Validating webhook deliveries".
        let proof = Proof::github(Secret::new("It's a Secret to Everybody"));
        let digits = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let signed = format!("sha256={digits}");
        let name = "x-hub-signature-256";
        assert_eq!(check(&proof, &[(name, &signed)], "Hello, World!"), "right");
        let large = format!("sha256={}", digits.to_uppercase());
        assert_eq!(check(&proof, &[(name, &large)], "Hello, World!"), "right");
        for (shown, body) in [
            (signed.as_str(), "Hello, World"),
            (digits, "Hello, World!"),
            ("sha256=", "Hello, World!"),
            (&signed[..signed.len() - 2], "Hello, World!"),
            (&signed[..signed.len() - 1], "Hello, World!"),
            ("sha256=zz", "Hello, World!"),
        ] {
            assert_eq!(check(&proof, &[(name, shown)], body), "wrong", "{shown}");
        }
        assert_eq!(check(&proof, &[], "Hello, World!"), "missing");
        let twice = [(name, &*signed), (name, &*signed)];
        assert_eq!(check(&proof, &twice, "Hello, World!"), "wrong");
    }

    #[test]
    fn a_signature_may_be_written_in_base64() {
        let proof: Proof<String> = serde_json::from_str(
            r#"{"hmac": {"header": "X-Signature", "encoding": "base64", "secret": "key"}}"#,
        )
        .unwrap();
        let proof = proof
            .with_secret(|key| Ok::<_, ()>(Secret::new(key)))
            .unwrap();
        // RFC 2104 over SHA-256 of the well-known pangram.
        let signed = [(
            "x-signature",
            "97yD9DBThCSxMpjmqm+xQ+9NWaFJRhdZl0edvC0aPNg=",
        )];
        let said = "The quick brown fox jumps over the lazy dog";
        assert_eq!(check(&proof, &signed, said), "right");
        assert_eq!(check(&proof, &signed, "The quick brown"), "wrong");
    }

    #[test]
    fn secrets_may_be_shown_as_they_are() {
        let secret = Secret::new("s3cret");
        let basic = Proof::Basic {
            user: "me".into(),
            secret: secret.clone(),
        };
        let token = Proof::Token {
            header: HeaderName::from_static("x-gitlab-token"),
            secret: secret.clone(),
        };
        let bearer = Proof::Bearer { secret };
        for (proof, shown, verdict) in [
            (&bearer, ("authorization", "bearer s3cret"), "right"),
            (&bearer, ("authorization", "Bearer s3cre"), "wrong"),
            (&bearer, ("authorization", "Basic bWU6czNjcmV0"), "wrong"),
            (&bearer, ("x-other", "s3cret"), "missing"),
            (&basic, ("authorization", "Basic bWU6czNjcmV0"), "right"),
            (&basic, ("authorization", "Basic bWU6"), "wrong"),
            (&basic, ("authorization", "Basic ***"), "wrong"),
            (&token, ("x-gitlab-token", "s3cret"), "right"),
            (&token, ("x-gitlab-token", "S3cret"), "wrong"),
            (&Proof::None, ("x-other", ""), "right"),
        ] {
            assert_eq!(check(proof, &[shown], ""), verdict, "{shown:?}");
        }
        assert!(!format!("{bearer:?}{basic:?}").contains("s3cret"));
    }
}
