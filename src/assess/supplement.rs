//! What people add to the evidence: exceptions for failures, and attestations for what no check can confirm.
//!
//! | what | effect |
//! |---|---|
//! | exception, approved by another than its owner, in force | the failures in its scope stay failures in the results, with the exception in words; they no longer decide the verdict |
//! | lapsed, revoked, not yet begun or not yet sealed, or approved by its owner | none; reported as such |
//! | any exception, on an answer that is missing | none: nobody can except what was not seen |
//! | a check of which nothing but excepted failures is left | not assessed: an exception is no evidence of a pass |
//! | attestation for a manual, not automated or inherited item, valid at the time of judgement | satisfied, or not satisfied where it says that the item does not hold; a valid "does not hold" outweighs |
//! | lapsed, revoked, or observed later than the time of judgement | not assessed, with the reason |
//! | attestation for an automated item, or for one that the catalogue does not have | none; reported as such |
//!
//! An exception counts from the moment at which it was sealed, at the earliest: nobody accepts a failure after the fact. An
//! attestation may be sealed later than it was observed; both times are shown.
//!
//! A Security Hub suppression or a Config remediation exception is neither: those are the sources' own, and their answers stay
//! "not assessed" or failed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::verdict::{Line, Standing};
use crate::{
    catalog::{Catalog, How},
    model::{
        AccountId, Attestation, AttestationResult, Authentication, EvidenceRef, Exception, ExceptionResult, ItemMode,
        ObservationStatus, Organization, Region, ResultLine, Revocation, Status, Validity,
    },
};

/// An exception or attestation as the chain holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<T> {
    /// What was stated.
    pub stated: T,
    /// When it was sealed.
    pub recorded: Timestamp,
    /// Its revocation, the earliest where there are several.
    pub revoked: Option<Revocation>,
    /// How far the person behind it is proved.
    pub authentication: Authentication,
    /// Its line in the archive.
    pub evidence: EvidenceRef,
    /// Why it counts for nothing whatever the time, where something is wrong with the entry itself.
    pub void: Option<String>,
}

/// Everything that people added, and the time as of which it is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supplements {
    /// Exceptions, in the order of the chain.
    pub exceptions: Vec<Entry<Exception>>,
    /// Attestations, likewise.
    pub attestations: Vec<Entry<Attestation>>,
    /// As of when they must be valid.
    pub at: Timestamp,
}

/// Why something does not count.
type Void = (Validity, String);

impl Supplements {
    /// Nothing added.
    pub fn none(at: Timestamp) -> Self {
        Self { exceptions: Vec::new(), attestations: Vec::new(), at }
    }
}

impl<T> Entry<T> {
    fn revoked_by(&self, at: Timestamp) -> Option<Void> {
        if let Some(why) = &self.void {
            return Some((Validity::Void, why.clone()));
        }
        let Revocation { by, reason, at: from, .. } = self.revoked.as_ref().filter(|r| r.at <= at)?;
        Some((Validity::Revoked, format!("{by} revoked it at {from}: {reason}")))
    }
}

impl Entry<Exception> {
    /// Returns why it has no effect at `at`; `None` where it has.
    pub fn void_at(&self, at: Timestamp) -> Option<(Validity, String)> {
        let Exception { owner, approver, from, expires, .. } = &self.stated;
        let void = |why: &str| Some((Validity::Void, why.to_owned()));
        if owner.trim().is_empty() || approver.trim().is_empty() {
            return void("it names no owner or no approver");
        }
        if same_person(owner, approver) {
            return void("its owner cannot approve it");
        }
        if let Some(revoked) = self.revoked_by(at) {
            return Some(revoked);
        }
        if at >= *expires {
            return Some((Validity::Lapsed, format!("it expired at {expires}")));
        }
        if let Some(from) = from.filter(|from| at < *from) {
            return Some((Validity::NotYet, format!("it begins only at {from}")));
        }
        (at < self.recorded).then(|| (Validity::NotYet, format!("it was sealed only at {}", self.recorded)))
    }

    fn words(&self) -> String {
        let Exception { id, owner, approver, reason, compensating, expires, .. } = &self.stated;
        let how = self.authentication.words();
        let compensating = compensating.as_deref().map(|c| format!("; meanwhile: {c}")).unwrap_or_default();
        format!("excepted until {expires} ({id}; owner {owner}, approved by {approver}, {how}): {reason}{compensating}")
    }
}

impl Entry<Attestation> {
    /// Returns why it has no effect at `at`; `None` where it has.
    pub fn void_at(&self, at: Timestamp) -> Option<(Validity, String)> {
        let Attestation { by, observed, valid_until, .. } = &self.stated;
        if by.trim().is_empty() {
            return Some((Validity::Void, "it names nobody".to_owned()));
        }
        if let Some(revoked) = self.revoked_by(at) {
            return Some(revoked);
        }
        if *observed > at {
            return Some((Validity::NotYet, format!("it was observed only at {observed}")));
        }
        (at >= *valid_until).then(|| (Validity::Lapsed, format!("it lapsed at {valid_until}")))
    }
}

/// Returns whether two names are one person's: letter case and spaces aside.
pub fn same_person(a: &str, b: &str) -> bool {
    a.trim().to_lowercase() == b.trim().to_lowercase()
}

/// Exceptions, ready to be asked about many places: scopes by organizational unit and tag are resolved once.
#[derive(Debug)]
pub struct Exceptions<'a> {
    by_check: BTreeMap<&'a str, Vec<Scoped<'a>>>,
}

#[derive(Debug)]
struct Scoped<'a> {
    index: usize,
    entry: &'a Entry<Exception>,
    // Accounts below the unit and with the tag, where it names one of them.
    accounts: Option<BTreeSet<&'a AccountId>>,
}

/// Where an answer belongs.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Check id.
    pub check: &'a str,
    /// Account.
    pub account: &'a AccountId,
    /// Region.
    pub region: &'a Region,
    /// The resource's id.
    pub resource: &'a str,
}

impl<'a> From<&'a ResultLine> for Place<'a> {
    fn from(line: &'a ResultLine) -> Self {
        Self { check: &line.check, account: &line.account, region: &line.region, resource: &line.resource.id }
    }
}

impl<'a> Exceptions<'a> {
    /// Resolves the scopes of `supplements` in `organization`.
    pub fn new(supplements: &'a Supplements, organization: &'a Organization) -> Self {
        let mut by_check: BTreeMap<&str, Vec<Scoped<'_>>> = BTreeMap::new();
        for (index, entry) in supplements.exceptions.iter().enumerate() {
            let accounts = accounts(&entry.stated, organization);
            by_check.entry(&entry.stated.check).or_default().push(Scoped { index, entry, accounts });
        }
        Self { by_check }
    }

    /// Returns the exception in force at `at` for a failure at `place`: of several the one that lasts longest.
    pub fn covering(&self, place: Place<'_>, at: Timestamp) -> Option<&'a Entry<Exception>> {
        self.covering_index(place, at).map(|(_, entry)| entry)
    }

    fn covering_index(&self, place: Place<'_>, at: Timestamp) -> Option<(usize, &'a Entry<Exception>)> {
        let here = self.concerning(place).filter(|scoped| scoped.entry.void_at(at).is_none());
        // The id decides between equals.
        let best = here.max_by_key(|s| (s.entry.stated.expires, &s.entry.stated.id))?;
        Some((best.index, best.entry))
    }

    fn concerning(&self, place: Place<'_>) -> impl Iterator<Item = &Scoped<'a>> {
        self.by_check.get(place.check).into_iter().flatten().filter(move |s| s.concerns(place))
    }
}

impl Scoped<'_> {
    fn concerns(&self, place: Place<'_>) -> bool {
        let stated = &self.entry.stated;
        stated.account.as_ref().is_none_or(|a| a == place.account)
            && self.accounts.as_ref().is_none_or(|all| all.contains(place.account))
            && stated.region.as_ref().is_none_or(|r| r == place.region)
            && stated.resource.as_ref().is_none_or(|r| r == place.resource)
    }
}

fn accounts<'a>(exception: &Exception, organization: &'a Organization) -> Option<BTreeSet<&'a AccountId>> {
    if exception.ou.is_none() && exception.tag.is_none() {
        return None;
    }
    let below = |id: &AccountId| match &exception.ou {
        Some(unit) => organization.path_to(id.as_str()).contains(&unit.as_str()),
        None => true,
    };
    let tagged = |tags: &BTreeMap<String, String>| match exception.tag.as_deref().map(|t| t.split_once('=')) {
        Some(Some((key, value))) => tags.get(key).is_some_and(|v| v == value),
        Some(None) => false,
        None => true,
    };
    Some(organization.accounts.iter().filter(|a| below(&a.id) && tagged(&a.tags)).map(|a| &a.id).collect())
}

/// What exceptions did, counted while lines pass.
#[derive(Debug, Default)]
pub(super) struct Tally {
    of: BTreeMap<usize, Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    failures: u64,
    covered: u64,
    accounts: BTreeSet<AccountId>,
}

impl Tally {
    /// Marks the failures that an exception covers, and counts those in each one's scope.
    pub(super) fn except(&mut self, exceptions: &Exceptions<'_>, at: Timestamp, lines: &mut [Line]) {
        for line in lines.iter_mut().filter(|l| l.line.status == ObservationStatus::Fail) {
            for scoped in exceptions.concerning((&line.line).into()) {
                self.of.entry(scoped.index).or_default().failures += 1;
            }
            if line.standing != Standing::Counted {
                continue;
            }
            let Some((index, entry)) = exceptions.covering_index((&line.line).into(), at) else { continue };
            let counted = self.of.entry(index).or_default();
            counted.covered += 1;
            counted.accounts.insert(line.line.account.clone());
            line.standing = Standing::Excepted;
            line.line.why = format!("{} [{}]", line.line.why, entry.words());
        }
    }

    /// Returns every exception with what became of it.
    pub(super) fn results(mut self, catalog: &Catalog, supplements: &Supplements) -> Vec<ExceptionResult> {
        let mut of = |(index, entry): (usize, &Entry<Exception>)| {
            let counted = self.of.remove(&index).unwrap_or_default();
            let unknown = !catalog.checks.contains_key(&entry.stated.check);
            let why = entry.void_at(supplements.at).or_else(|| {
                unknown.then(|| (Validity::Void, "no framework of this assessment uses its check".to_owned()))
            });
            ExceptionResult {
                exception: entry.stated.clone(),
                validity: why.as_ref().map_or(Validity::InForce, |(validity, _)| *validity),
                why: why.map(|(_, why)| why),
                authentication: entry.authentication.clone(),
                recorded: entry.recorded,
                revoked: entry.revoked.clone(),
                failures: counted.failures,
                covered: counted.covered,
                accounts: counted.accounts.into_iter().collect(),
                evidence: entry.evidence.clone(),
            }
        };
        supplements.exceptions.iter().enumerate().map(&mut of).collect()
    }
}

type At<'a> = (&'a str, &'a str, &'a str);

fn place(attestation: &Attestation) -> At<'_> {
    (&attestation.framework, &attestation.requirement, &attestation.item)
}

impl Supplements {
    /// Returns what attestations say of an item that a person confirms; `None` where there is none at all.
    pub(super) fn attested(&self, item: At<'_>, mode: ItemMode) -> Option<(Status, String)> {
        if mode == ItemMode::Automated {
            return None;
        }
        if let Some(entry) = self.deciding(item) {
            let Attestation { by, observed, valid_until, statement, holds, .. } = &entry.stated;
            let status = if *holds { Status::Satisfied } else { Status::NotSatisfied };
            let how = entry.authentication.words();
            return Some((
                status,
                format!("{by} attested on {observed}, valid until {valid_until} ({how}): {statement}"),
            ));
        }
        let here = self.attestations.iter().filter(|e| place(&e.stated) == item);
        let last = here.max_by_key(|e| order(&e.stated))?;
        let (_, why) = last.void_at(self.at)?;
        Some((Status::NotAssessed, format!("The attestation by {} does not count: {why}", last.stated.by)))
    }

    /// Returns the attestation that decides an item: a valid "does not hold" before the one that lasts longest.
    fn deciding(&self, item: At<'_>) -> Option<&Entry<Attestation>> {
        let here = self.attestations.iter().filter(|e| place(&e.stated) == item && e.void_at(self.at).is_none());
        here.max_by_key(|e| (!e.stated.holds, order(&e.stated)))
    }

    /// Returns every attestation with what became of it.
    pub(super) fn attestation_results(&self, catalog: &Catalog) -> Vec<AttestationResult> {
        let of = |entry: &Entry<Attestation>| {
            let at = place(&entry.stated);
            let why = entry.void_at(self.at).or_else(|| unfit(catalog, at).map(|w| (Validity::Void, w.to_owned())));
            AttestationResult {
                attestation: entry.stated.clone(),
                validity: why.as_ref().map_or(Validity::InForce, |(validity, _)| *validity),
                decides: why.is_none() && self.deciding(at).is_some_and(|e| e.stated.id == entry.stated.id),
                why: why.map(|(_, why)| why),
                authentication: entry.authentication.clone(),
                recorded: entry.recorded,
                revoked: entry.revoked.clone(),
                evidence: entry.evidence.clone(),
            }
        };
        self.attestations.iter().map(of).collect()
    }
}

fn order(attestation: &Attestation) -> (Timestamp, Timestamp, &str) {
    (attestation.valid_until, attestation.observed, &attestation.id)
}

/// Says why no attestation can confirm the item.
fn unfit(catalog: &Catalog, (framework, requirement, item): At<'_>) -> Option<&'static str> {
    let Some(framework) = catalog.frameworks.iter().find(|f| f.id == framework) else {
        return Some("its framework is not part of this assessment");
    };
    let items = framework.requirements.iter().find(|r| r.id == requirement).map(|r| &r.items);
    match items.and_then(|items| items.iter().find(|i| i.id == item)) {
        None => Some("the framework has no such item"),
        Some(item) if matches!(item.how, How::Automated { .. }) => Some("checks answer this item, not a person"),
        Some(_) => None,
    }
}
