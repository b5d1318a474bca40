//! # orgproof
//!
//! Evidence of an AWS organisation's controls, over an audit period, that an auditor can check without us.
//!
//! ## The route of the data
//!
//! ```text
//!  open the run ── seal: configuration, catalogue, previous seal          (before the first call)
//!     │
//!  discover ────── accounts, OUs, policies            Organizations ─┐
//!     │                                                              │ every attempt: raw bytes, hash,
//!  plan ────────── accounts x Regions x collectors; seal             │ request id, principal, time
//!     │                                                              │        -> spool
//!  collect ─────── each task ends in exactly one state ──────────────┘
//!     │
//!  evidence archive: plan, coverage, calls, bodies. No verdicts. Sealed, never touched again.
//!     ┆                                             everything below here needs no network and no AWS
//!  observe ─────── raw bytes -> observations (independent of the catalogue)
//!     │
//!  assess ──────── observations + coverage + catalogue -> findings, each with its reason
//!     │
//!  assessment archive: inputs, results, reports. Sealed; names the evidence seals it read.
//!     │
//!  verify ──────── the same reader that an auditor runs; rebuilds the results byte for byte
//! ```
//!
//! ## The rooms
//!
//! Imports go downward only. `aws_sdk_*` is named in [`aws`], [`collectors`] alone; printing, clock, environment and terminal
//! in [`cli`] alone.
//!
//! | room | does |
//! | --- | --- |
//! | [`cli`] | arguments, commands, terminal, exit codes |
//! | [`audit`] | the route above, in order |
//! | [`collect`] | the engine: bounded, fair, nothing lost |
//! | [`collectors`], [`aws`] | what is asked of which service; sessions, quotas, raw capture (feature `aws`) |
//! | [`report`] | an assessment -> bytes |
//! | [`archive`], [`sign`], [`store`] | the format, signatures, where archives live |
//! | [`crypt`] | encryption for named recipients (feature `age`) |
//! | [`verify`] | everything that an auditor may doubt, checked |
//! | [`period`] | observations of many runs -> what held when; not on the route yet |
//! | [`assess`], [`observe`], [`policy`], [`catalog`] | what the evidence says, held against what is required |
//! | [`plan`], [`config`], [`spool`], [`sorted`] | what a run undertakes, what the user typed, where raw bytes lie meanwhile, more records than memory holds |
//! | [`model`] | the words |
//!
//! ## Laws
//!
//! - Fetch raw, judge later. What AWS answered is stored byte for byte; [`observe`] reads it with lenient types of its own.
//! - Every task ends in the ledger as evidence, as a gap, or both. A gap never becomes "satisfied" (property test number one).
//! - Sort before sealing: completion order changes nothing. The same evidence and catalogue give the same bytes.
//! - Clock and randomness are arguments. An overridden clock, endpoint or proxy is written into the seal.
//! - Evidence archives hold no verdicts: a changed catalogue or a mended engine makes a new assessment, never new evidence.
//!
//! ## What is guarded against, and what cannot be
//!
//! Hostile text from AWS (names, tags, policies) is data: it never becomes a path, and is escaped wherever it is shown. An archive
//! is hostile until verified. Someone who holds the sealing key can rewrite history unnoticed only where no checkpoint was kept
//! outside; evidence invented before it was sealed no verifier can find, but its request ids can be held against CloudTrail.

pub mod archive;
pub mod assess;
pub mod audit;
#[cfg(feature = "aws")]
pub mod aws;
pub mod catalog;
pub mod cli;
#[cfg(feature = "aws")]
pub mod collect;
#[cfg(feature = "aws")]
pub mod collectors;
pub mod config;
#[cfg(feature = "age")]
pub mod crypt;
pub mod model;
pub mod observe;
pub mod period;
pub mod plan;
pub mod policy;
pub mod report;
pub mod sign;
pub mod sorted;
pub mod spool;
pub mod store;
pub mod verify;
