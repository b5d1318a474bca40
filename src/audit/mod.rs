//! The whole route, in order.
//!
//! [`run`] carries out one run (open, discover, plan, collect, seal); [`period`] finds a period's evidence, judges it and
//! closes the period; [`open_assessment`] reads an assessment back out of its archive; [`Reperformance`] lets the verifier rebuild
//! it. Between runs: [`status`], [`diff`], [`sample`]; for others' eyes: [`prove`], [`export`].

pub mod additions;
pub mod amend;
pub mod amendments;
pub mod diff;
#[cfg(feature = "aws")]
mod discover;
pub mod export;
#[cfg(feature = "aws")]
pub mod interrupted;
mod judge;
mod layout;
mod observing;
mod open;
mod organization;
pub mod period;
pub mod prove;
mod results;
#[cfg(feature = "aws")]
pub mod run;
pub mod sample;
pub mod stated;
pub mod status;
pub mod table;

#[cfg(feature = "aws")]
pub use discover::{DiscoverError, Discovered, discover, discovery_task};
pub use judge::{Inputs, JudgeError, as_of, judge, judge_into};
pub use observing::observe;
pub use open::{OpenError, Reperformance, open_archive, open_assessment};
pub use results::{judge_to, to_files as results_files};

/// The signer's name in `allowed_signers` files that this program writes.
pub const SIGNER: &str = "evidence@orgproof";
