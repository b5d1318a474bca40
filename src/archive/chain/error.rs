//! Why a chain cannot be read or continued.

use crate::{archive::ArchiveError, model::Sha256Digest, store::StoreError};

/// Why the chain cannot be read or continued.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// A link is broken; nothing is ever appended to a broken chain.
    #[error(
        "the chain in {store} is broken at seal {sequence}: {why}. Nothing was appended; run orgproof verify on the store"
    )]
    Broken {
        /// The store.
        store: String,
        /// Sequence number.
        sequence: u64,
        /// The fault.
        why: String,
    },
    /// The chain was begun with another key.
    #[error(
        "the chain in {store} was sealed with key {sealed}, the configured key is {ours}; use the first, go from the first to the \
         second with orgproof keys rotate, or use another store"
    )]
    OtherKey {
        /// The store.
        store: String,
        /// Id of the key of the newest seal.
        sealed: Sha256Digest,
        /// Id of the configured key.
        ours: Sha256Digest,
    },
    /// The configured key sealed once, and another followed it.
    #[error(
        "the chain in {store} goes on with key {sealed} since the rotation at seal {sequence}; the configured key {ours} seals no more: \
         set [signing] key to the new one"
    )]
    Retired {
        /// The store.
        store: String,
        /// Id of the key of the newest seal.
        sealed: Sha256Digest,
        /// Id of the configured key.
        ours: Sha256Digest,
        /// The rotation that ended it.
        sequence: u64,
    },
    /// The step does not follow from the chain's state.
    #[error("{0}")]
    Order(String),
    /// Writing or reading an archive failed.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<crate::sign::SignError> for ChainError {
    fn from(e: crate::sign::SignError) -> Self {
        Self::Archive(e.into())
    }
}
