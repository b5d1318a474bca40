//! Which keys sealed a chain, one after the other, and how far each is to be believed.
//!
//! Trust comes from outside and is carried along the chain by rotations that hold, for both keys signed them:
//! - forward: whoever trusts a key believes its word about who follows it ("trusted by succession");
//! - backward: a trusted key vouches for the seals that stood before it as they stood at its rotation. They have not changed since; who
//!   made them still rests on the earlier key, and that is said as something that could not be checked.

use serde::Serialize;

use super::{Options, Problem, Report, Trust};
use crate::{
    archive::{Kind, chain::Link},
    model::Sha256Digest,
};

/// How far a key is to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It was given with `--trust`.
    Direct,
    /// A believed key handed over to it.
    Succession,
    /// A believed key took over from it: what it sealed before is fixed, by whom is open.
    Predecessor,
    /// None of these.
    None,
}

impl Standing {
    /// Returns whether seals by such a key are believed.
    pub fn is_trusted(self) -> bool {
        matches!(self, Self::Direct | Self::Succession)
    }
}

/// The seals that one key made, in a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChainKey {
    /// Its fingerprint.
    pub key: Sha256Digest,
    /// Where the private half lives, as its seals say.
    pub assurance: String,
    /// Sequence number of its first seal; the rotation, but for the first key.
    pub first: u64,
    /// Sequence number of its last seal.
    pub last: u64,
    /// How far it is to be believed.
    pub trust: Standing,
    /// Whether both keys signed the rotation that it began with.
    #[serde(skip)]
    handed_over: bool,
}

/// A seal of the chain, with what was found of its signatures.
pub(super) struct Signed<'a> {
    pub(super) link: &'a Link,
    /// The key by which both signatures hold.
    pub(super) key: Option<Sha256Digest>,
    /// Whether it is a rotation that holds.
    pub(super) handed_over: bool,
}

/// The keys of one chain, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Keys {
    pub(super) log: String,
    pub(super) keys: Vec<ChainKey>,
    /// Digests of its seals.
    pub(super) seals: Vec<Sha256Digest>,
}

impl Keys {
    /// Groups the seals of a chain by the key that made them, and carries trust along.
    pub(super) fn of(seals: &[Signed<'_>], trust: &Trust) -> Self {
        let log = seals.first().map(|s| s.link.seal().log.clone()).unwrap_or_default();
        let mut keys: Vec<ChainKey> = Vec::new();
        for signed in seals {
            let seal = signed.link.seal();
            let key = signed.key.unwrap_or(seal.key.id);
            match keys.last_mut() {
                Some(last) if last.key == key && !signed.handed_over => last.last = seal.sequence,
                _ => keys.push(ChainKey {
                    key,
                    assurance: seal.key.assurance.clone(),
                    first: seal.sequence,
                    last: seal.sequence,
                    trust: if trust.has(key) { Standing::Direct } else { Standing::None },
                    handed_over: signed.handed_over,
                }),
            }
        }
        for at in 1..keys.len() {
            if keys[at].trust == Standing::None && keys[at].handed_over && keys[at - 1].trust.is_trusted() {
                keys[at].trust = Standing::Succession;
            }
        }
        for at in (1..keys.len()).rev() {
            if keys[at - 1].trust == Standing::None && keys[at].handed_over && keys[at].trust != Standing::None {
                keys[at - 1].trust = Standing::Predecessor;
            }
        }
        Self { log, keys, seals: seals.iter().map(|s| s.link.digest).collect() }
    }

    /// Says of each key what follows from its standing.
    pub(super) fn report(&self, input: &str, options: &Options, report: &mut Report) {
        if options.trust.is_empty() {
            return;
        }
        for (at, key) in self.keys.iter().enumerate() {
            let seals = if key.first == key.last {
                format!("seal {}", key.first)
            } else {
                format!("seals {} to {}", key.first, key.last)
            };
            match key.trust {
                Standing::Direct => {}
                Standing::Succession => report.notice(format!(
                    "{input}: {seals} are by key {}, which is trusted by succession only: key {}, which sealed before, handed over to it \
                     with seal {}",
                    key.key,
                    self.keys[at - 1].key,
                    key.first
                )),
                Standing::Predecessor => report.unchecked(
                    "earlier-key-not-trusted",
                    input,
                    format!(
                        "{seals} are by key {}, which was not given with --trust. A later key that is trusted took over from it: these \
                         seals have not changed since then, but who made them is open. Give --trust for that key too, if you were \
                         handed its fingerprint",
                        key.key
                    ),
                ),
                Standing::None => report.problem(
                    Problem::new(
                        "untrusted-key",
                        input,
                        format!("not signed by a trusted key: {seals} were made by key {}", key.key),
                    )
                    .values("a key given with --trust, or one that it handed over to", key.key),
                ),
            }
        }
    }

    /// Returns the key that made the seal at `sequence`; the newest key also makes what follows.
    pub(super) fn at(&self, sequence: u64) -> Option<&ChainKey> {
        self.keys.iter().rev().find(|key| key.first <= sequence)
    }
}

/// Names a key that follows another without a rotation.
pub(super) fn changed(input: &str, before: Option<&Link>, link: &Link) -> Option<Problem> {
    let (before, seal) = (before?.seal(), link.seal());
    if seal.kind == Kind::KeyRotation || before.key.id == seal.key.id {
        return None;
    }
    let message = format!("the key changes at seal {} without a rotation that both keys signed", seal.sequence);
    Some(Problem::new("key-changed", input, message).values(before.key.id, seal.key.id))
}
