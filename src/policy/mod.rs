//! The IAM policy language, and what service control and resource control policies deny along the path root -> OU -> account.
//!
//! # The rules of a chain
//! (Organizations User Guide, "SCP evaluation" and "RCP evaluation"; IAM User Guide, "Policy evaluation logic")
//! - A request gets through only if, at the root, at every OU on the path and at the account, some attached policy has an Allow for it,
//!   and no attached policy anywhere on the path has a Deny for it. Policies at one node unite.
//! - Nothing here grants: the best answer is "not denied".
//! - The management account is exempt; so are service-linked roles everywhere, which no answer about an account can show.
//! - A type that is not enabled at the root has no effect. One that is being enabled or disabled is unknown.
//!
//! # What an answer claims
//! [`Guard::Denied`] and [`Guard::NotDenied`] are claims about *every* action of the query, *every* resource and *every* request; anything
//! between is [`Guard::DeniedConditionally`], with the limits of each cause in words. The decision is exact in this model (see `decide`):
//! - Actions are all strings `service:name` and resources all strings, so no list of real ones can be out of date. Hence
//!   `Resource: "arn:aws:s3:::*"` is a limit, though every bucket lies within it.
//! - Conditions are opaque: equal Condition blocks hold together, unequal ones independently. A condition that can never fail is still
//!   shown as one, and two that exclude each other are still shown as two.
//! - A `${variable}` in a resource may match anything or nothing. Here alone the answer may be "conditionally" where a cleverer one
//!   would be "denied" or "not denied"; it never errs the other way.
//!
//! A query with wildcards (`s3:*`, `*`) is denied only if every action that it matches is: several statements may share in that.
//!
//! [`Guard::Unknown`] is the answer to every hole in the evidence: a document that could not be read or is malformed, a policy whose targets
//! are unknown, an account without a path to the root, a node at which no policy is recorded (Organizations keeps at least one attached
//! wherever the type is enabled). A readable Deny elsewhere does not change that. It is also the answer to patterns so entangled that the
//! question exceeds its budget of steps, and to a denial by resource control policy in a service that AWS may not apply them to.
//!
//! # What no chain reaches
//! Beside the management account and service-linked roles, AWS exempts a few tasks from service control policies (User Guide, "Tasks and
//! entities not restricted by SCPs"). An answer is about the policies, so reports carry [`OUTSIDE_EVERY_CHAIN`] beside it.

mod automaton;
mod budget;
mod chain;
mod condition;
mod decide;
mod extent;
mod guard;
mod json;
mod language;
mod pattern;

pub use chain::{
    Analysis, AttachedPolicy, ChainReport, NodeAllow, NodeReport, OUTSIDE_EVERY_CHAIN, PolicyChain, TypeState,
};
pub use condition::{Condition, Quantifier, Test};
pub use extent::Extent;
pub use guard::{Cause, Guard, Responsible};
pub use language::{Document, Effect, Kind, Malformed, Patterns, Principals, Sense, Statement, Version};
pub use pattern::Pattern;

use crate::model::{AccountId, Organization};

/// Says what service control policies deny of `action` to the principals of `account`; for many questions use one [`Analysis`].
pub fn guard(organization: &Organization, account: &AccountId, action: &str) -> Guard {
    Analysis::new(organization).guard(account, action)
}

/// Says what resource control policies deny of `action` on the resources of `account`; for many questions use one [`Analysis`].
pub fn guard_resources(organization: &Organization, account: &AccountId, action: &str) -> Guard {
    Analysis::new(organization).guard_resources(account, action)
}

/// Describes the chains of policies above `account`, for reports; for many accounts use one [`Analysis`].
pub fn chain(organization: &Organization, account: &AccountId) -> ChainReport {
    Analysis::new(organization).chain(account)
}

#[cfg(test)]
mod tests;
