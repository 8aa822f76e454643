//! Ranks short documents by the words that they share with a text: BM25 over stems.
//!
//! The document side (term saturation, length, rarity) is the `bm25` crate's, with its defaults
//! k1 = 1.2 and b = 0.75. How often the *text* says a word counts by Okapi's query weight,
//! `(k3 + 1) qtf / (k3 + qtf)` (Robertson and Zaragoza, "The Probabilistic Relevance Framework",
//! 2009, section 3.4): a lesson is a long query, and a word that it repeats must not drown the rest.

use std::collections::BTreeMap;
use std::collections::HashMap;

use bm25::{
    DefaultTokenizer, EmbedderBuilder, Embedding, Language, Scorer, TokenEmbedder, TokenEmbedding,
    Tokenizer as _,
};
use unicode_segmentation::UnicodeSegmentation as _;

/// Okapi's k3; 7 to 8 is the customary value for long queries.
const K3: f32 = 8.0;

/// A document that shares words with the text.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    /// The document's place in the given list.
    pub index: usize,
    /// Above zero, without an upper bound, to four decimals; comparable within one ranking only.
    pub score: f64,
    /// The shared words as the text writes them, the weightiest first.
    pub terms: Vec<String>,
}

/// The documents that share a word with `text`, best first; equal scores keep the given order.
///
/// Words are compared by their English stems, without stop words, case and accents.
pub fn rank(text: &str, documents: &[&str]) -> Vec<Ranked> {
    let embedder =
        EmbedderBuilder::<Stem>::with_fit_to_corpus(Language::English, documents).build();
    let mut scorer = Scorer::<usize, Stem>::new();
    for (index, document) in documents.iter().enumerate() {
        scorer.upsert(&index, embedder.embed(document));
    }
    let mut shares: BTreeMap<usize, Vec<(f32, &str)>> = BTreeMap::new();
    for term in terms(text) {
        let weight = (K3 + 1.0) * term.count / (K3 + term.count);
        for hit in scorer.matches(&single(term.stem)) {
            let share = (hit.score * weight, term.word);
            shares.entry(hit.id).or_default().push(share);
        }
    }
    let mut ranked: Vec<Ranked> = shares.into_iter().map(sum).collect();
    ranked.sort_by(|one, two| two.score.total_cmp(&one.score));
    ranked
}

fn sum((index, mut shares): (usize, Vec<(f32, &str)>)) -> Ranked {
    let score: f32 = shares.iter().map(|(share, _)| share).sum();
    shares.sort_by(|(one, _), (two, _)| two.total_cmp(one));
    Ranked {
        index,
        score: (f64::from(score) * 1e4).round() / 1e4,
        terms: shares
            .into_iter()
            .map(|(_, word)| word.to_owned())
            .collect(),
    }
}

/// A stem of the text, the word that first showed it, and how often the text has it.
struct Term<'a> {
    stem: String,
    word: &'a str,
    count: f32,
}

/// The text's stems in the order of their first appearance.
fn terms(text: &str) -> Vec<Term<'_>> {
    let tokenizer = DefaultTokenizer::new(Language::English);
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut terms: Vec<Term<'_>> = Vec::new();
    for word in text.unicode_words() {
        for stem in tokenizer.tokenize(word) {
            match places.get(&stem) {
                Some(&place) => terms[place].count += 1.0,
                None => {
                    places.insert(stem.clone(), terms.len());
                    let count = 1.0;
                    terms.push(Term { stem, word, count });
                }
            }
        }
    }
    terms
}

fn single(stem: String) -> Embedding<Stem> {
    Embedding(vec![TokenEmbedding {
        index: Stem(stem),
        value: 1.0,
    }])
}

/// A stem as its own index: the crate's hashed ones could collide and show words that are not there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Stem(String);

impl TokenEmbedder for Stem {
    type EmbeddingSpace = Self;

    fn embed(token: &str) -> Self {
        Self(token.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENTS: [&str; 4] = [
        "Compare a fraction with another fraction.",
        "Model the water cycle.",
        "Read a poem about water and light.",
        "Tell the time.",
    ];

    fn order(text: &str) -> Vec<usize> {
        rank(text, &DOCUMENTS).iter().map(|hit| hit.index).collect()
    }

    #[test]
    fn inflected_words_meet_and_are_shown_as_the_text_has_them() {
        let ranked = rank("Today: Comparing FRACTIONS!", &DOCUMENTS);
        assert_eq!(ranked[0].index, 0);
        assert_eq!(ranked[0].terms, ["FRACTIONS", "Comparing"]);
    }

    #[test]
    fn more_and_rarer_shared_words_rank_higher() {
        assert_eq!(order("Light falls on water in the poem"), [2, 1]);
        assert_eq!(order("The cycle of water"), [1, 2]);
    }

    #[test]
    fn what_shares_nothing_is_not_returned() {
        assert!(order("the and of with").is_empty());
        assert!(order("volcano").is_empty());
        assert!(order("").is_empty());
        assert!(rank("fractions", &[]).is_empty());
    }

    #[test]
    fn equal_scores_keep_the_given_order_every_time() {
        let twins = ["solve equations", "solve equations", "solve equations"];
        for _ in 0..20 {
            let ranked = rank("equations to solve", &twins);
            let order: Vec<_> = ranked.iter().map(|hit| hit.index).collect();
            assert_eq!(order, [0, 1, 2]);
        }
    }

    #[test]
    fn a_repeated_word_counts_more_but_not_without_end() {
        let score = |text: &str| rank(text, &DOCUMENTS)[0].score;
        let (once, twice) = (score("fraction"), score("fraction fractions"));
        let often = score(&"fraction ".repeat(1_000));
        assert!(once < twice && twice < 2.0 * once);
        assert!(often < 9.0 * once);
    }
}
