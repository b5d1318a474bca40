//! Reads a store's chain: its links, the runs in it, its archives.

use jiff::Timestamp;

use super::{ChainError, MAX_SEAL};
use crate::{
    archive::{
        ArchiveError, Reader, Statement, merkle,
        seal::{Kind, Missed, Seal, archive_name},
    },
    model::Sha256Digest,
    sign::dsse,
    store::{self, Store},
};

/// One seal of the chain.
#[derive(Debug, Clone)]
pub struct Link {
    /// SHA-256 of `seal.json`.
    pub digest: Sha256Digest,
    /// Its content.
    pub statement: Statement,
    /// Its leaf in the tree of seals.
    pub leaf: Sha256Digest,
}

impl Link {
    /// Returns the predicate.
    pub fn seal(&self) -> &Seal {
        &self.statement.predicate
    }

    /// Reads `seal.json`.
    ///
    /// # Errors
    /// Where it is no seal.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let statement = Statement::parse(bytes)?;
        Ok(Self { digest: Sha256Digest::of(bytes), statement, leaf: merkle::leaf_hash(bytes) })
    }
}

/// Returns the folder of a seal in the store: `chain/00000007/`.
pub fn folder(sequence: u64) -> String {
    format!("chain/{sequence:08}/")
}

/// Reads the chain of a store without writing, checking its links but no signature.
///
/// # Errors
/// Where a link is broken, or the store cannot be read.
pub fn read(store: &dyn Store) -> Result<Vec<Link>, ChainError> {
    let mut links: Vec<Link> = Vec::new();
    let names = store.list("chain/")?;
    let commits = names.iter().filter(|n| n.ends_with("/seal.dsse.json"));
    for (name, sequence) in commits.zip(0..) {
        let broken = |why: String| ChainError::Broken { store: store.url(), sequence, why };
        if *name != format!("{}seal.dsse.json", folder(sequence)) {
            return Err(broken(format!("it is missing; the store goes on with {name}")));
        }
        let (_, payload) = dsse::parse(&store::read_all(store, name, MAX_SEAL)?).map_err(|e| broken(e.to_string()))?;
        let link = Link::parse(&payload).map_err(broken)?;
        check_link(&link, links.last()).map_err(broken)?;
        links.push(link);
    }
    Ok(links)
}

/// Returns why `link` does not follow `previous`.
pub(crate) fn check_link(link: &Link, previous: Option<&Link>) -> Result<(), String> {
    let seal = link.seal();
    let expected = previous.map_or(0, |p| p.seal().sequence + 1);
    if seal.sequence != expected {
        return Err(format!("it states sequence number {}, expected {expected}", seal.sequence));
    }
    if seal.previous != previous.map(|p| p.digest) {
        return Err("it does not name the seal before it".to_owned());
    }
    if previous.is_some_and(|p| p.seal().log != seal.log) {
        return Err("it belongs to another log".to_owned());
    }
    Ok(())
}

/// Returns the run that was opened and not ended.
pub fn open_run(links: &[Link]) -> Option<&Link> {
    links
        .iter()
        .rev()
        .find(|l| l.seal().kind == Kind::RunOpen || l.seal().kind.ends_run())
        .filter(|l| l.seal().kind == Kind::RunOpen)
}

/// Returns the runs that were due and had not begun in time, as known at `now`.
pub fn missed_runs(links: &[Link], now: Timestamp) -> Vec<Missed> {
    let mut due: Option<(u64, Timestamp)> = None;
    let mut missed = Vec::new();
    for seal in links.iter().map(Link::seal) {
        if seal.kind == Kind::RunOpen {
            if let Some((after, expected_by)) = due.take().filter(|(_, by)| seal.opened > *by) {
                missed.push(Missed { after, expected_by, began: Some(seal.opened) });
            }
        } else if let Some(by) = seal.next_run_expected_by {
            due = Some((seal.sequence, by));
        }
    }
    if let Some((after, expected_by)) = due.filter(|(_, by)| now > *by) {
        missed.push(Missed { after, expected_by, began: None });
    }
    missed
}

/// Opens an archive of a store: in place where the store is local, otherwise from a temporary copy.
///
/// # Errors
/// Where it cannot be read or is no archive.
pub fn open_archive(store: &dyn Store, name: &str) -> Result<Reader, ArchiveError> {
    if let Some(path) = store.local_path(name) {
        return Reader::open(&path);
    }
    Reader::from_file(store::copy(store, name)?, name.trim_start_matches("archives/"))
}

/// Returns the name of a seal's archive in a store, for kinds with a bag.
pub fn archive_of(link: &Link) -> Option<String> {
    link.statement.has_bag().then(|| format!("archives/{}", archive_name(link.seal().sequence, link.seal().kind)))
}
