//! `resources/read`: somebody offers this URI, by itself or by a template.

use super::{Found, Request};
use crate::catalogue::Catalogue;
use crate::error::Fault;

/// The longest URI, in bytes.
pub(crate) const LONGEST_URI: usize = 8 << 10;

pub(super) fn check<'a>(catalogue: &Catalogue, request: &Request<'a>) -> Result<Found<'a>, Fault> {
    let uri = request.params.needed_uri()?;
    if uri.len() > LONGEST_URI {
        return Err(Fault::InvalidParams(format!(
            "params.uri has at most {LONGEST_URI} bytes"
        )));
    }
    match catalogue.resource(&uri) {
        Some(resource) => Ok(Found {
            capability: uri.into(),
            ..Found::named(&resource.target, None)
        }),
        None => Err(Fault::UnknownResource {
            uri: uri.into_owned(),
            era: request.era,
        }),
    }
}
