//! The amend archives of a chain, oldest first, as what a judgement takes into account.
//!
//! The order of amendments does not matter: a revocation ends what it names wherever it lies in the chain, a signature proves
//! the very bytes that it covers, and what is recorded twice counts once, from when it was first sealed.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    archive::{Amended, AmendedLine},
    assess::{Entry, Supplements},
    model::{Amendment, Authentication, Revocation, Sha256Digest},
};

/// Puts together what amend archives say, to be judged as of `at`.
pub fn supplements(amended: &[Amended], at: Timestamp) -> Supplements {
    let known = Known::read(amended);
    let mut supplements = Supplements::none(at);
    // The first line of an id is the one that counts; another with the same id is shown and counts for nothing.
    let mut first: BTreeMap<&str, &[u8]> = BTreeMap::new();
    for (archive, line) in amended.iter().flat_map(|a| a.lines.iter().map(move |line| (a, line))) {
        let id = line.amendment.id();
        let void = match first.get(id) {
            Some(bytes) if *bytes == line.bytes => continue,
            Some(_) => Some(format!("another amendment was recorded as {id} before")),
            None => None,
        };
        first.entry(id).or_insert(&line.bytes);
        match &line.amendment {
            Amendment::Exception(stated) => {
                supplements.exceptions.push(known.entry(stated.clone(), archive, line, void));
            }
            Amendment::Attestation(stated) => {
                supplements.attestations.push(known.entry(stated.clone(), archive, line, void));
            }
            Amendment::Revocation(_) | Amendment::Approval(_) => {}
        }
    }
    supplements
}

/// Revocations and signatures, by what they are about.
struct Known<'a> {
    revocations: BTreeMap<&'a str, &'a Revocation>,
    signatures: BTreeMap<(&'a str, Sha256Digest), Vec<&'a Amended>>,
}

impl<'a> Known<'a> {
    fn read(amended: &'a [Amended]) -> Self {
        let mut known = Self { revocations: BTreeMap::new(), signatures: BTreeMap::new() };
        for (archive, line) in amended.iter().flat_map(|a| a.lines.iter().map(move |line| (a, line))) {
            match &line.amendment {
                Amendment::Revocation(revocation) => {
                    let earliest = known.revocations.entry(&revocation.of).or_insert(revocation);
                    if (revocation.at, &revocation.id) < (earliest.at, &earliest.id) {
                        *earliest = revocation;
                    }
                }
                Amendment::Approval(approval) => {
                    known.signatures.entry((&approval.of, approval.sha256)).or_default().push(archive);
                }
                Amendment::Exception(_) | Amendment::Attestation(_) => {}
            }
        }
        known
    }

    fn entry<T>(&self, stated: T, archive: &Amended, line: &AmendedLine, void: Option<String>) -> Entry<T> {
        Entry {
            stated,
            recorded: archive.sealed,
            revoked: self.revocations.get(line.amendment.id()).map(|r| (*r).clone()),
            authentication: self.authentication(line),
            evidence: line.evidence.clone(),
            void,
        }
    }

    /// One good signature is enough; of several bad ones the first says why.
    fn authentication(&self, line: &AmendedLine) -> Authentication {
        let signed = self.signatures.get(&(line.amendment.id(), Sha256Digest::of(&line.bytes)));
        let all: Vec<Authentication> = signed.into_iter().flatten().map(|a| a.authenticate(line)).collect();
        let best = all.iter().find(|a| a.is_checked()).or(all.first());
        best.cloned().unwrap_or_else(Authentication::unsigned)
    }
}
