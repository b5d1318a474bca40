//! What people added and how it stands at a moment: what counts, what ends soon, what ended, which items nobody has answered.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

use super::amendments;
use crate::{
    archive::Amended,
    assess::{Entry, Supplements},
    catalog::{Catalog, How, places},
    model::{Attestation, Authentication, Exception, Revocation, Validity},
};

/// Everything that was added.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Additions {
    /// As of when.
    pub at: Timestamp,
    /// What ends before this ends soon.
    pub soon: Timestamp,
    /// Exceptions, in the order of the chain.
    pub exceptions: Vec<Stands<Exception>>,
    /// Attestations, likewise.
    pub attestations: Vec<Stands<Attestation>>,
    /// Items that a person has to confirm and no attestation in force answers.
    pub unanswered: Vec<Unanswered>,
}

/// An exception or attestation and how it stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stands<T> {
    /// What was stated.
    #[serde(flatten)]
    pub stated: T,
    /// Whether it counts.
    pub validity: Validity,
    /// Why it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// True where it counts now and ends soon.
    pub ends_soon: bool,
    /// How far the person behind it is proved.
    pub authentication: Authentication,
    /// When it was sealed.
    pub recorded: Timestamp,
    /// Its revocation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Revocation>,
}

/// An item that a person has to confirm.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unanswered {
    /// `framework/requirement/item`.
    pub item: String,
    /// What is to be confirmed.
    pub title: String,
    /// What the catalogue wants as evidence, how often and from whom.
    pub wanted: String,
}

/// Says how everything stands at `at`; of `catalog`, where there is one, which items are unanswered.
pub fn additions(amended: &[Amended], catalog: Option<&Catalog>, at: Timestamp, soon: Timestamp) -> Additions {
    let Supplements { exceptions, attestations, .. } = amendments::supplements(amended, at);
    let attestations: Vec<_> = attestations
        .into_iter()
        .map(|e| (e.void_at(at), e))
        .map(|(v, e)| stands(v, e, soon, |a| a.valid_until))
        .collect();
    Additions {
        at,
        soon,
        exceptions: exceptions
            .into_iter()
            .map(|e| (e.void_at(at), e))
            .map(|(v, e)| stands(v, e, soon, |x| x.expires))
            .collect(),
        unanswered: catalog.map(|catalog| unanswered(catalog, &attestations)).unwrap_or_default(),
        attestations,
    }
}

fn stands<T>(
    void: Option<(Validity, String)>,
    entry: Entry<T>,
    soon: Timestamp,
    ends: impl Fn(&T) -> Timestamp,
) -> Stands<T> {
    let validity = void.as_ref().map_or(Validity::InForce, |(validity, _)| *validity);
    Stands {
        ends_soon: validity == Validity::InForce && ends(&entry.stated) <= soon,
        validity,
        why: void.map(|(_, why)| why),
        authentication: entry.authentication,
        recorded: entry.recorded,
        revoked: entry.revoked,
        stated: entry.stated,
    }
}

fn unanswered(catalog: &Catalog, attestations: &[Stands<Attestation>]) -> Vec<Unanswered> {
    let in_force = attestations.iter().filter(|a| a.validity == Validity::InForce).map(|a| &a.stated);
    let answered: BTreeSet<_> = in_force.map(|a| (&a.framework, &a.requirement, &a.item)).collect();
    let open =
        places::confirmable(catalog).filter(|p| !answered.contains(&(&p.framework.id, &p.requirement.id, &p.item.id)));
    open.map(|place| Unanswered {
        item: place.path(),
        title: place.item.title.get("en").cloned().unwrap_or_default(),
        wanted: match &place.item.how {
            How::Manual { evidence, frequency, by } => format!("{evidence}, {frequency}, by {by}"),
            How::NotAutomated { reason } => format!("deliberately not automated: {reason}"),
            How::Inherited { attestation } => format!("AWS's part: {attestation} in AWS Artifact"),
            How::Automated { .. } => String::new(),
        },
    })
    .collect()
}
