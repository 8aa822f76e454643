//! One list of the catalogue: its pages ready to be sent, with cursors from each to the next.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::error::Fault;

/// The lists that clients can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `tools/list`
    Tools,
    /// `prompts/list`
    Prompts,
    /// `resources/list`
    Resources,
    /// `resources/templates/list`
    Templates,
}

impl Kind {
    /// The result's member that holds the list.
    fn member(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources => "resources",
            Self::Templates => "resourceTemplates",
        }
    }
}

/// One list.
#[derive(Debug)]
pub struct List {
    pages: Vec<String>,
    fingerprint: u64,
}

impl List {
    /// The list of these JSON objects, with at most `page_size` (1 at least) a page.
    #[must_use]
    pub fn new(kind: Kind, objects: &[String], page_size: usize) -> Self {
        let fingerprint = fingerprint(kind, objects);
        Self {
            pages: pages(kind, objects, page_size.max(1), fingerprint),
            fingerprint,
        }
    }

    /// The members of the result: the objects of this page, and `"nextCursor"` when more follow.
    ///
    /// # Errors
    /// When the cursor is none of this list's.
    pub fn page(&self, cursor: Option<&str>) -> Result<&str, Fault> {
        let place = match cursor {
            None => Some(0),
            Some(cursor) => place_of(cursor, self.fingerprint),
        };
        place
            .and_then(|place| self.pages.get(place))
            .map(String::as_str)
            .ok_or_else(|| {
                Fault::InvalidParams(
                    "params.cursor is not a cursor of this list, or the list has changed since: \
                     list again from the start"
                        .to_owned(),
                )
            })
    }

    /// Two lists with the same fingerprint hold the same objects in the same words.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}

fn fingerprint(kind: Kind, objects: &[String]) -> u64 {
    let mut hash = Sha256::new();
    hash.update(kind.member());
    for object in objects {
        hash.update(object.len().to_le_bytes());
        hash.update(object.as_bytes());
    }
    let digest: [u8; 32] = hash.finalize().into();
    digest[..8]
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn pages(kind: Kind, objects: &[String], size: usize, fingerprint: u64) -> Vec<String> {
    let page = |objects: &[String]| format!(r#""{}":[{}]"#, kind.member(), objects.join(","));
    let mut pages: Vec<String> = objects.chunks(size).map(page).collect();
    if pages.is_empty() {
        pages.push(page(&[]));
    }
    let last = pages.len() - 1;
    for (place, page) in pages.iter_mut().enumerate().take(last) {
        page.push_str(&format!(
            r#","nextCursor":"{}""#,
            cursor_of(place + 1, fingerprint)
        ));
    }
    pages
}

/// A cursor names a page of one list; it means nothing once the list has changed.
fn cursor_of(place: usize, fingerprint: u64) -> String {
    let place = u32::try_from(place).unwrap_or(u32::MAX);
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&fingerprint.to_be_bytes());
    bytes[8..].copy_from_slice(&place.to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn place_of(cursor: &str, fingerprint: u64) -> Option<usize> {
    let bytes: [u8; 12] = URL_SAFE_NO_PAD.decode(cursor).ok()?.try_into().ok()?;
    let (list, place) = bytes.split_at(8);
    (list == fingerprint.to_be_bytes()).then_some(())?;
    usize::try_from(u32::from_be_bytes(place.try_into().ok()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn objects(count: usize) -> Vec<String> {
        (0..count).map(|n| format!(r#"{{"n":{n}}}"#)).collect()
    }

    #[test]
    fn pages_follow_each_other_and_end() {
        let list = List::new(Kind::Prompts, &objects(5), 2);
        let mut cursor: Option<String> = None;
        let mut seen = Vec::new();
        loop {
            let page = format!("{{{}}}", list.page(cursor.as_deref()).unwrap());
            let page: Value = serde_json::from_str(&page).unwrap();
            for object in page["prompts"].as_array().unwrap() {
                seen.push(object["n"].as_u64().unwrap());
            }
            cursor = page["nextCursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, [0, 1, 2, 3, 4]);
        for wrong in ["", "x", "AAAAAAAAAAAAAAAA", "é"] {
            assert!(list.page(Some(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_cursor_is_its_lists_alone() {
        let one = List::new(Kind::Resources, &objects(2), 1);
        let other = List::new(Kind::Templates, &objects(2), 1);
        let cursor = cursor_of(1, one.fingerprint());
        assert!(one.page(Some(&cursor)).is_ok());
        assert!(other.page(Some(&cursor)).is_err());
        assert_eq!(
            List::new(Kind::Templates, &[], 9).page(None).unwrap(),
            r#""resourceTemplates":[]"#
        );
    }
}
