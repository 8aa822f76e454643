//! A secret that never shows itself.

use std::fmt;

use subtle::ConstantTimeEq as _;

/// A secret. It is compared in constant time and is not in any debug text.
#[derive(Clone)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// A secret of these bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into().into())
    }

    /// Whether this was said. How long it takes tells the secret's length at most.
    #[must_use]
    pub fn is(&self, said: &[u8]) -> bool {
        self.0.ct_eq(said).into()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.is(&other.0)
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret")
    }
}
