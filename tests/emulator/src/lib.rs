//! An AWS look-alike on loopback, for orgproof's tests, benches and demo. Never part of the product.
//!
//! It serves Organizations, STS, Config, Security Hub and Account Management as the auditor sees them, from an
//! organisation that is declared in a file ([`Organization`]) or made by the [`generator`]. Signatures, sessions, trust
//! and policies are checked; answers are computed when asked, never stored, so that thousands of accounts cost nothing.
//!
//! ```no_run
//! use orgproof_emulator::{Emulator, Options, Organization};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let organization = Organization::read("organizations/healthy.toml".as_ref())?;
//! let emulator = Emulator::start(organization, Options::default())?;
//! for (name, value) in emulator.environment() {
//!     // give these to the process under test
//!     # let _ = (name, value);
//! }
//! assert!(emulator.unserved().is_empty());
//! # Ok(())
//! # }
//! ```

mod authorize;
mod call;
mod control;
mod controls;
mod door;
mod estate;
mod fault;
pub mod generator;
mod hash;
mod identity;
mod load;
mod organization;
mod quota;
mod server;
mod services;
mod signature;
mod state;
mod wire;
mod world;

pub use fault::{Fault, FaultKind};
pub use load::OrganizationError;
pub use organization::*;
pub use server::{Emulator, Handle};
pub use services::s3::Version as ObjectVersion;
pub use state::{Options, RequestRecord};
