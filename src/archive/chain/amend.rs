//! `amend`: what people add between runs. It belongs to no run and to no period, and may stand anywhere in the chain.

use super::{Chain, ChainError, Facts, Sealed};
use crate::archive::{Kind, Staging};

impl Chain {
    /// Seals `amend` with the archive made of `staging`. `salt_key` is 32 random bytes.
    ///
    /// A run that a crash left open stays so: the next run records it.
    ///
    /// # Errors
    /// Where a staged file is unfinished or malformed, or the store or the signer refuses.
    pub fn amend(&mut self, staging: &Staging, facts: &Facts, salt_key: &[u8; 32]) -> Result<Sealed, ChainError> {
        self.append_bag(Kind::Amend, staging, facts, salt_key)
    }
}
