//! The aggregator's verdicts on every rule of every target: as many as targets times rules, so they are kept sorted on disk.
//!
//! Which pages count is known only at the end of the listing. Each page is spooled under a number as it comes; the listing then
//! says which numbers count, and in which order.

use std::{collections::BTreeMap, io};

use super::{
    Target,
    compliance::{RawCompliance, RawCount, RawVerdict},
    facts::Seen,
    pages::Source,
    wire::Strings,
};
use crate::sorted::{
    Scratch, Sorted, Sorter,
    key::{self, Pieces},
};

/// Takes pages of verdicts.
#[derive(Debug)]
pub(super) struct Spool {
    sorter: Sorter,
    pages: u64,
    /// Time and place of each page.
    seen: Vec<(jiff::Timestamp, Source)>,
}

impl Spool {
    pub(super) fn new(scratch: &Scratch) -> Self {
        Self { sorter: Sorter::new(scratch), pages: 0, seen: Vec::new() }
    }

    /// Spools a page and returns its number.
    pub(super) fn page(&mut self, verdicts: &[RawVerdict], at: jiff::Timestamp, source: &Source) -> io::Result<u64> {
        let page = self.pages;
        for verdict in verdicts {
            let (Some(account), Some(region)) = (verdict.account_id.as_deref(), verdict.aws_region.as_deref()) else {
                continue;
            };
            let mut key = key_of(account, region);
            key::text(&mut key, &verdict.config_rule_name);
            key.extend_from_slice(&page.to_be_bytes());
            let mut value = Vec::new();
            let compliance = verdict.compliance.as_ref();
            let kind = compliance.and_then(|c| c.compliance_type.as_deref());
            let count = compliance.and_then(|c| c.compliance_contributor_count.as_ref());
            let (counted, capped) = (count.and_then(|c| c.capped_count), count.and_then(|c| c.cap_exceeded));
            value.push(
                u8::from(kind.is_some())
                    | u8::from(counted.is_some()) << 1
                    | u8::from(capped == Some(true)) << 2
                    | u8::from(compliance.is_some()) << 3,
            );
            key::bytes(&mut value, kind.unwrap_or_default().as_bytes());
            key::number(&mut value, counted.unwrap_or_default());
            self.sorter.push(&key, &value)?;
        }
        self.seen.push((at, source.clone()));
        self.pages += 1;
        Ok(page)
    }

    /// Ends the spool; `counted` are the pages that count, in order: of two verdicts on one rule the later holds.
    pub(super) fn finish(self, counted: Vec<u64>) -> io::Result<Aggregate> {
        let counted = counted.into_iter().enumerate().map(|(order, page)| (page, order)).collect();
        Ok(Aggregate { sorted: self.sorter.finish()?, counted, seen: self.seen })
    }
}

fn key_of(account: &str, region: &str) -> Vec<u8> {
    let mut key = Vec::new();
    key::text(&mut key, account);
    key::text(&mut key, region);
    key
}

/// The verdicts, by target.
#[derive(Debug, Default)]
pub(super) struct Aggregate {
    sorted: Sorted,
    counted: BTreeMap<u64, usize>,
    seen: Vec<(jiff::Timestamp, Source)>,
}

impl Aggregate {
    /// Returns what the aggregator says of a target's rules, by rule name.
    pub(super) fn of(&self, target: &Target, strings: &mut Strings) -> io::Result<BTreeMap<String, Seen<RawVerdict>>> {
        let prefix = key_of(target.0.as_str(), target.1.as_str());
        let mut found: BTreeMap<String, (usize, Seen<RawVerdict>)> = BTreeMap::new();
        let mut merge = self.sorted.from(&prefix)?;
        while let Some((key, value)) = merge.next()? {
            let Some(rest) = key.strip_prefix(prefix.as_slice()) else { break };
            let mut rest = Pieces(rest);
            let name = rest.text()?;
            let page = rest.take(8)?.try_into().map(u64::from_be_bytes).unwrap_or_default();
            let Some(order) = self.counted.get(&page) else { continue };
            let place = usize::try_from(page).ok().and_then(|page| self.seen.get(page));
            let Some((at, source)) = place else { continue };
            if found.get(&name).is_some_and(|(known, _)| known > order) {
                continue;
            }
            let source = Source { path: strings.one(&source.path), ..source.clone() };
            let value = verdict(&name, value)?;
            found.insert(name, (*order, Seen { value, at: *at, evidence: source.evidence() }));
        }
        Ok(found.into_iter().map(|(name, (_, seen))| (name, seen)).collect())
    }
}

fn verdict(name: &str, value: &[u8]) -> io::Result<RawVerdict> {
    let mut value = Pieces(value);
    let flags = value.byte()?;
    let kind = value.words()?.to_owned();
    let counted = value.number()?;
    let count = RawCount { capped_count: (flags & 2 != 0).then_some(counted), cap_exceeded: Some(flags & 4 != 0) };
    let compliance = (flags & 8 != 0).then(|| RawCompliance {
        compliance_type: (flags & 1 != 0).then_some(kind),
        compliance_contributor_count: Some(count),
    });
    Ok(RawVerdict { config_rule_name: name.to_owned(), compliance, account_id: None, aws_region: None })
}
