//! Merkle trees as RFC 6962, section 2.1, defines them, over seals and over salted records.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::model::Sha256Digest;

/// Returns the hash of a leaf: SHA-256(0x00 || data).
pub fn leaf_hash(data: &[u8]) -> Sha256Digest {
    Sha256Digest::from(Sha256::new().chain_update([0]).chain_update(data))
}

/// Returns the hash of a node: SHA-256(0x01 || left || right).
pub fn node_hash(left: &Sha256Digest, right: &Sha256Digest) -> Sha256Digest {
    Sha256Digest::from(Sha256::new().chain_update([1]).chain_update(left.0).chain_update(right.0))
}

/// Computes a tree's root from its leaves in order, keeping one hash per level.
#[derive(Debug, Clone, Default)]
pub struct TreeHasher {
    size: u64,
    // Roots of the complete subtrees, largest first: one per set bit of `size`.
    stack: Vec<Sha256Digest>,
}

impl TreeHasher {
    /// Starts with no leaf.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a leaf by its hash.
    pub fn push(&mut self, leaf: Sha256Digest) {
        let mut hash = leaf;
        let mut bits = self.size;
        while bits & 1 == 1 {
            if let Some(left) = self.stack.pop() {
                hash = node_hash(&left, &hash);
            }
            bits >>= 1;
        }
        self.stack.push(hash);
        self.size += 1;
    }

    /// Returns how many leaves there are.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the root; of no leaves, SHA-256 of nothing.
    pub fn root(&self) -> Sha256Digest {
        let mut hashes = self.stack.iter().rev();
        let Some(last) = hashes.next() else { return Sha256Digest::of("") };
        hashes.fold(*last, |right, left| node_hash(left, &right))
    }
}

/// Returns the root over `leaves` (leaf hashes).
pub fn root(leaves: &[Sha256Digest]) -> Sha256Digest {
    let mut tree = TreeHasher::new();
    leaves.iter().for_each(|leaf| tree.push(*leaf));
    tree.root()
}

/// Returns the inclusion path (RFC 6962, section 2.1.1) of leaf `index`, from the leaf up; `None` where there is no such leaf.
pub fn inclusion_path(leaves: &[Sha256Digest], index: usize) -> Option<Vec<Sha256Digest>> {
    if index >= leaves.len() {
        return None;
    }
    let mut path = Vec::new();
    let (mut span, mut at) = (leaves, index);
    while span.len() > 1 {
        let split = span.len().next_power_of_two() / 2;
        let (left, right) = span.split_at(split);
        if at < split {
            path.push(root(right));
            span = left;
        } else {
            path.push(root(left));
            span = right;
            at -= split;
        }
    }
    path.reverse();
    Some(path)
}

/// Checks an inclusion path (RFC 9162, section 2.1.3.2).
pub fn verify_inclusion(leaf: Sha256Digest, index: u64, size: u64, path: &[Sha256Digest], root: Sha256Digest) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, leaf);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == root
}

/// Returns the salt of record `index`: HMAC-SHA256(key, index in decimal).
pub fn salt(key: &[u8; 32], index: u64) -> [u8; 32] {
    derived(key, &index.to_string())
}

/// Returns the salt of line `index` of the tally: HMAC-SHA256(key, `tally ` and the index in decimal). Never that of a record,
/// which a tally's proof would give away.
pub fn tally_salt(key: &[u8; 32], index: u64) -> [u8; 32] {
    derived(key, &format!("tally {index}"))
}

fn derived(key: &[u8; 32], label: &str) -> [u8; 32] {
    // HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    mac.update(label.as_bytes());
    mac.finalize().into_bytes().into()
}

/// Returns the hash of a record's leaf.
///
/// SHA-256(0x00 || `evr1 <salt> <SHA-256 of the path> <line> <SHA-256 of the record>` LF), all in lower-case hexadecimal
/// but the line, which is decimal, from 1.
pub fn record_leaf(salt: &[u8; 32], path: &str, line: u64, record: Sha256Digest) -> Sha256Digest {
    let text = format!("evr1 {} {} {line} {record}\n", Sha256Digest(*salt), Sha256Digest::of(path));
    leaf_hash(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// MTH of RFC 6962, section 2.1, word by word.
    fn definition(leaves: &[Sha256Digest]) -> Sha256Digest {
        match leaves {
            [] => Sha256Digest::of(""),
            [one] => *one,
            many => {
                let mut k = 1;
                while k * 2 < many.len() {
                    k *= 2;
                }
                node_hash(&definition(&many[..k]), &definition(&many[k..]))
            }
        }
    }

    fn leaves(n: usize) -> Vec<Sha256Digest> {
        (0..n).map(|i| leaf_hash(&i.to_be_bytes())).collect()
    }

    #[test]
    fn the_root_is_that_of_the_rfc_for_every_small_size() {
        for n in 0..130 {
            assert_eq!(root(&leaves(n)), definition(&leaves(n)), "{n}");
        }
    }

    #[test]
    fn known_answers_of_certificate_transparency() {
        // The first entries of the test vectors that every RFC 6962 implementation carries.
        let inputs: [&[u8]; 3] = [b"", b"\x00", b"\x10"];
        let hashes: Vec<_> = inputs.iter().map(|i| leaf_hash(i)).collect();
        assert_eq!(hashes[0].to_string(), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        assert_eq!(root(&hashes[..2]).to_string(), "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
        assert_eq!(root(&hashes).to_string(), "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77");
    }

    proptest! {
        #[test]
        fn a_path_proves_its_own_leaf_and_no_other(n in 1usize..200, at in 0usize..200, other in 0usize..200) {
            let leaves = leaves(n);
            let (at, other) = (at % n, other % n);
            let (root, size) = (root(&leaves), n as u64);
            let path = inclusion_path(&leaves, at).unwrap();
            prop_assert!(verify_inclusion(leaves[at], at as u64, size, &path, root));
            if other != at {
                prop_assert!(!verify_inclusion(leaves[other], at as u64, size, &path, root));
                prop_assert!(!verify_inclusion(leaves[at], other as u64, size, &path, root));
            }
            prop_assert!(!verify_inclusion(leaves[at], at as u64, size, &path, Sha256Digest::of("x")));
            if !path.is_empty() {
                prop_assert!(!verify_inclusion(leaves[at], at as u64, size, &path[1..], root));
            }
            let mut longer = path.clone();
            longer.push(root);
            prop_assert!(!verify_inclusion(leaves[at], at as u64, size, &longer, root));
        }
    }

    #[test]
    fn a_record_leaf_is_what_a_shell_computes() {
        // printf '\0evr1 %s %s %d %s\n' salt path-hash line record-hash | sha256sum
        let salt = salt(&[7; 32], 12);
        let leaf = record_leaf(&salt, "data/x.ndjson", 3, Sha256Digest::of("{}"));
        let mut text = vec![0u8];
        text.extend_from_slice(
            format!("evr1 {} {} 3 {}\n", Sha256Digest(salt), Sha256Digest::of("data/x.ndjson"), Sha256Digest::of("{}"))
                .as_bytes(),
        );
        assert_eq!(leaf, Sha256Digest::of(text));
    }
}
