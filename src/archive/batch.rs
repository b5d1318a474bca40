//! Inclusion of many leaves of one tree at once: the hashes that are needed beside the leaves themselves, each of them once.
//!
//! The tree of RFC 6962 over `size` leaves is walked from its root, left before right. A subtree without a disclosed leaf is one
//! hash; a disclosed leaf is computed from what is disclosed; every other node is computed from its two children. Prover and
//! verifier walk alike, so the hashes need no places: they are used up in the order in which the walk meets them.

use std::{iter::Peekable, slice};

use super::merkle::{self, node_hash};
use crate::model::Sha256Digest;

/// Larger trees are not walked: what a JSON reader in a browser can count.
pub const MAX_SIZE: u64 = 1 << 53;

/// Returns how many of `size` leaves (two or more) lie in the left subtree: the largest power of two below `size`.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// Walks the tree over `leaves` and returns the hashes beside the leaves `wanted` (ascending, each once), and the root.
pub fn prove(leaves: &[Sha256Digest], wanted: &[u64]) -> (Vec<Sha256Digest>, Sha256Digest) {
    let mut walk = Prover { wanted: wanted.iter().peekable(), hashes: Vec::new() };
    let root = walk.node(0, leaves);
    (walk.hashes, root)
}

struct Prover<'a> {
    wanted: Peekable<slice::Iter<'a, u64>>,
    hashes: Vec<Sha256Digest>,
}

impl Prover<'_> {
    fn node(&mut self, first: u64, leaves: &[Sha256Digest]) -> Sha256Digest {
        let size = leaves.len() as u64;
        if self.wanted.peek().is_none_or(|at| **at >= first + size) {
            let root = merkle::root(leaves);
            self.hashes.push(root);
            return root;
        }
        if let [leaf] = leaves {
            self.wanted.next();
            return *leaf;
        }
        let half = split(size);
        let (left, right) = leaves.split_at(half as usize);
        node_hash(&self.node(first, left), &self.node(first + half, right))
    }
}

/// Computes the root of a tree of `size` leaves from the `disclosed` ones (index and leaf hash, ascending, each once) and the
/// hashes beside them; `None` where they do not make up such a tree, or something is left over.
pub fn root(size: u64, disclosed: &[(u64, Sha256Digest)], hashes: &[Sha256Digest]) -> Option<Sha256Digest> {
    if size == 0 || size > MAX_SIZE || disclosed.is_empty() {
        return None;
    }
    let mut walk = Folder { disclosed: disclosed.iter().peekable(), hashes: hashes.iter() };
    let root = walk.node(0, size)?;
    (walk.disclosed.peek().is_none() && walk.hashes.next().is_none()).then_some(root)
}

struct Folder<'a> {
    disclosed: Peekable<slice::Iter<'a, (u64, Sha256Digest)>>,
    hashes: slice::Iter<'a, Sha256Digest>,
}

impl Folder<'_> {
    // At most 54 deep, and every call uses up a hash, a leaf, or the way to one of them.
    fn node(&mut self, first: u64, size: u64) -> Option<Sha256Digest> {
        let next = self.disclosed.peek().filter(|(at, _)| *at < first + size);
        let Some((at, leaf)) = next else { return self.hashes.next().copied() };
        if size == 1 {
            let here = (*at == first).then_some(*leaf);
            self.disclosed.next();
            return here;
        }
        let half = split(size);
        let left = self.node(first, half)?;
        let right = self.node(first + half, size - half)?;
        Some(node_hash(&left, &right))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::archive::merkle::leaf_hash;

    fn leaves(n: u64) -> Vec<Sha256Digest> {
        (0..n).map(|i| leaf_hash(&i.to_be_bytes())).collect()
    }

    proptest! {
        #[test]
        fn any_selection_leads_to_the_root_of_the_rfc_and_nothing_else_does(
            n in 1u64..150, picks in proptest::collection::btree_set(0u64..150, 1..12), spoil in 0usize..400,
        ) {
            let leaves = leaves(n);
            let wanted: Vec<u64> = picks.into_iter().map(|p| p % n).collect::<BTreeSet<_>>().into_iter().collect();
            let (hashes, top) = prove(&leaves, &wanted);
            prop_assert_eq!(top, merkle::root(&leaves));
            let disclosed: Vec<_> = wanted.iter().map(|at| (*at, leaves[*at as usize])).collect();
            prop_assert_eq!(root(n, &disclosed, &hashes), Some(top));

            // One thing changed: a leaf, an index, a hash, the size, one more or less.
            let mut other = disclosed.clone();
            let at = spoil % other.len();
            other[at].1 = leaf_hash(b"another");
            prop_assert_ne!(root(n, &other, &hashes), Some(top));
            let mut other = disclosed.clone();
            other[at].0 = (other[at].0 + 1) % (n + 1);
            prop_assert_ne!(root(n, &other, &hashes), Some(top));
            let mut more = hashes.clone();
            more.push(top);
            prop_assert_eq!(root(n, &disclosed, &more), None);
            if !hashes.is_empty() {
                let mut other = hashes.clone();
                other[spoil % hashes.len()] = leaf_hash(b"another");
                prop_assert_ne!(root(n, &disclosed, &other), Some(top));
                prop_assert_ne!(root(n, &disclosed, &hashes[1..]), Some(top));
            }
            prop_assert_eq!(root(n, &[disclosed.clone(), disclosed.clone()].concat(), &hashes), None);
        }
    }

    #[test]
    fn one_leaf_needs_what_its_inclusion_path_holds_and_no_more() {
        let leaves = leaves(100);
        for at in 0..100u64 {
            let mut batch = prove(&leaves, &[at]).0;
            let mut path = merkle::inclusion_path(&leaves, at as usize).unwrap();
            batch.sort_unstable();
            path.sort_unstable();
            assert_eq!(batch, path);
        }
        let all: Vec<u64> = (0..100).collect();
        assert_eq!(prove(&leaves, &all).0, []);
    }

    #[test]
    fn no_size_and_no_order_makes_the_walk_panic_or_run_away() {
        let leaf = leaf_hash(b"x");
        for size in [0, 1, 2, 3, MAX_SIZE, MAX_SIZE + 1, u64::MAX] {
            for at in [0, 1, 2, MAX_SIZE - 1, u64::MAX] {
                assert_eq!(root(size, &[(at, leaf), (0, leaf)], &[leaf; 200]), None);
            }
            assert_eq!(root(size, &[], &[leaf]), None);
        }
    }
}
