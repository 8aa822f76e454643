//! Candidates under the starts, or read backwards the ends, of texts: a tree with a branch for each
//! byte, so that meeting all starts of a text takes no longer than reading it.

use super::Candidate;

/// The tree; a node is named by its place in the list, the root is the first.
#[derive(Debug, Clone)]
pub(super) struct Affixes {
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, Default)]
struct Node {
    /// By the byte that leads there, rising.
    branches: Vec<(u8, usize)>,
    waiting: Vec<Candidate>,
}

impl Default for Affixes {
    fn default() -> Self {
        let nodes = vec![Node::default()];
        Self { nodes }
    }
}

impl Affixes {
    /// What waits under exactly these bytes.
    pub(super) fn entry(&mut self, bytes: impl Iterator<Item = u8>) -> &mut Vec<Candidate> {
        let mut at = 0;
        for byte in bytes {
            let new = self.nodes.len();
            let branches = &mut self.nodes[at].branches;
            at = match branches.binary_search_by_key(&byte, |(byte, _)| *byte) {
                Ok(found) => branches[found].1,
                Err(place) => {
                    branches.insert(place, (byte, new));
                    self.nodes.push(Node::default());
                    new
                }
            };
        }
        &mut self.nodes[at].waiting
    }

    /// Calls `visit` with what waits under each start of these bytes.
    pub(super) fn visit(
        &self,
        bytes: impl Iterator<Item = u8>,
        visit: &mut impl FnMut(&[Candidate]),
    ) {
        let mut node = &self.nodes[0];
        visit(&node.waiting);
        for byte in bytes {
            let found = node.branches.binary_search_by_key(&byte, |(byte, _)| *byte);
            let Ok(found) = found else { return };
            node = &self.nodes[node.branches[found].1];
            visit(&node.waiting);
        }
    }
}
