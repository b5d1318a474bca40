//! # orgproof
//!
//! Evidence of an AWS organisation's controls, over an audit period, that an auditor can check without us.

pub mod archive;
pub mod assess;
#[cfg(feature = "aws")]
pub mod aws;
pub mod catalog;
#[cfg(feature = "aws")]
pub mod collect;
#[cfg(feature = "aws")]
pub mod collectors;
pub mod config;
pub mod model;
pub mod observe;
pub mod plan;
pub mod policy;
pub mod report;
pub mod sign;
pub mod spool;
pub mod store;
pub mod verify;
