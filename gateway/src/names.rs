//! The names under which tools are offered: bare while unique, `pool__tool` on a collision.
//!
//! Declared names stay verbatim; generated ones are made of `[A-Za-z0-9_-]` and have at most 64
//! characters, as model providers demand.

use std::collections::HashSet;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// The most characters of a generated name.
pub const LONGEST: usize = 64;

/// Offers names for (pool, declared name) pairs, in the order of registration: the first keeps a
/// bare name, later ones get a generated one. Bare names go before generated ones, whatever the
/// order.
#[must_use]
pub fn offer<'a>(declared: &[(&'a str, &'a str)]) -> Vec<String> {
    let mut taken: HashSet<String> = HashSet::new();
    let first: Vec<bool> = declared
        .iter()
        .map(|(_, tool)| taken.insert((*tool).to_owned()))
        .collect();
    declared
        .iter()
        .zip(first)
        .map(|((pool, tool), first)| {
            if first {
                (*tool).to_owned()
            } else {
                generate(pool, tool, &mut taken)
            }
        })
        .collect()
}

fn generate(pool: &str, tool: &str, taken: &mut HashSet<String>) -> String {
    let plain: String = format!("{pool}__{tool}")
        .chars()
        .map(|letter| match letter {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' => letter,
            _ => '_',
        })
        .collect();
    let faithful = plain == format!("{pool}__{tool}") && plain.len() <= LONGEST;
    if faithful && taken.insert(plain.clone()) {
        return plain;
    }
    let mut salt = 0_u32;
    loop {
        let hash = hash_of(pool, tool, salt);
        let mut name: String = plain.chars().take(LONGEST - hash.len() - 1).collect();
        let _ = write!(name, "_{hash}");
        if taken.insert(name.clone()) {
            return name;
        }
        salt += 1;
    }
}

fn hash_of(pool: &str, tool: &str, salt: u32) -> String {
    let mut hash = Sha256::new();
    hash.update(pool.as_bytes());
    hash.update([0]);
    hash.update(tool.as_bytes());
    hash.update(salt.to_le_bytes());
    hash.finalize()[..4]
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_older_registration_keeps_the_name() {
        assert_eq!(
            offer(&[
                ("a", "search"),
                ("b", "search"),
                ("b", "own"),
                ("c", "search")
            ]),
            ["search", "b__search", "own", "c__search"]
        );
    }

    #[test]
    fn a_declared_name_goes_before_a_generated_one() {
        let names = offer(&[("a", "t"), ("b", "t"), ("c", "b__t")]);
        assert_eq!(names[0], "t");
        assert!(names[1].starts_with("b__t_"), "{}", names[1]);
        assert_eq!(names[2], "b__t");
    }

    #[test]
    fn odd_letters_and_long_names_are_cut_with_a_hash() {
        let long = "x".repeat(80);
        let names = offer(&[
            ("a", &long),
            ("b", &long),
            ("a", "é"),
            ("b", "é"),
            ("c", "é"),
        ]);
        assert_eq!(names[0], long, "declared names stay verbatim");
        assert_eq!(names[1].len(), LONGEST);
        assert_ne!(names[3], names[4]);
        assert!(names[3].is_ascii());
    }

    proptest! {
        #[test]
        fn every_name_is_unique_and_stable(
            tools in proptest::collection::vec(("[a-c]{1,2}", "[a-c_é]{1,3}"), 0..20)
        ) {
            let pairs: Vec<(&str, &str)> =
                tools.iter().map(|(pool, tool)| (pool.as_str(), tool.as_str())).collect();
            let names = offer(&pairs);
            let unique: HashSet<&String> = names.iter().collect();
            prop_assert_eq!(unique.len(), names.len());
            prop_assert_eq!(offer(&pairs), names);
        }
    }
}
