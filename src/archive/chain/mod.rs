//! The chain of seals in a store: one writer, one unbroken sequence, and a way on after a crash at any point.
//!
//! Appending a seal writes, in this order:
//! 1. `archives/NNNNNNNN-<kind>.zip`, for kinds with a bag: complete, with its seal and signatures. From here on the
//!    evidence cannot be lost: the next writer finds the archive and finishes steps 2 to 4 for it.
//! 2. `chain/NNNNNNNN/seal.dsse.json`: seal and signature in one object, created exclusively. This is the commit; of two
//!    writers one loses here (kinds with a bag already at step 1).
//! 3. `chain/NNNNNNNN/seal.json`, `seal.json.sig`, `seal.tlog-proof`: the same seal for stock tools. Absent after a crash,
//!    made again by the next writer.
//! 4. `checkpoint`: the newest checkpoint, a copy for convenience. Replaced, never evidence.

mod amend;
mod error;
mod facts;
mod files;
mod links;
mod rotation;
mod schedule;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::archive::{
    Staging, bag,
    seal::{Key, Kind, Missed, Seal, Statement, Subject},
};
use crate::{
    model::Sha256Digest,
    sign::{Signer, dsse, sshsig},
    store::{self, Guard, Store, StoreError},
};
pub use error::ChainError;
pub use facts::Facts;
use files::{SealFiles, prove};
pub(crate) use links::check_link;
pub use links::{Link, archive_of, folder, missed_runs, open_archive, open_run, read};
pub(crate) use rotation::{Handover, handover};
pub use schedule::{Unannounced, unannounced};

/// Largest seal that is read.
const MAX_SEAL: u64 = 32 * 1024 * 1024;

/// A seal that was just appended.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// SHA-256 of `seal.json`.
    pub digest: Sha256Digest,
    /// Its content.
    pub statement: Statement,
    /// Name of its archive in the store (`archives/…`), for kinds with a bag.
    pub archive: Option<String>,
    /// The checkpoint after it, for mailing to the auditor.
    pub checkpoint: String,
}

/// The chain, open for appending.
#[derive(Debug)]
pub struct Chain {
    store: Box<dyn Store>,
    signer: Box<dyn Signer>,
    log: String,
    links: Vec<Link>,
    // Set while a seal is being written: after a failure it is not known what the store holds.
    unsure: bool,
    _guard: Box<dyn Guard>,
}

impl Chain {
    /// Opens the chain for writing: takes the store's lock, checks every link and the newest signature, and finishes what a
    /// crash left unfinished. `fresh` is 16 random bytes, the id of the log where the store is empty.
    ///
    /// # Errors
    /// Where another writer is at work, the chain is broken or was sealed with another key, or the store refuses.
    pub fn open(store: Box<dyn Store>, signer: Box<dyn Signer>, fresh: &[u8; 16]) -> Result<Self, ChainError> {
        let guard = store.lock()?;
        store.check_writable()?;
        let links = read(&*store)?;
        let log = links.first().map_or_else(|| base16ct::lower::encode_string(fresh), |l| l.seal().log.clone());
        let mut chain = Self { store, signer, log, links, unsure: false, _guard: guard };
        chain.check_newest()?;
        chain.check_succession()?;
        chain.adopt()?;
        chain.complete_newest()?;
        Ok(chain)
    }

    /// Returns every seal.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// Returns the store.
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// Returns the id of the log.
    pub fn log(&self) -> &str {
        &self.log
    }

    /// Returns the public key that seals.
    pub fn public_key(&self) -> &crate::sign::PublicKey {
        self.signer.public_key()
    }

    /// Returns whether a run was opened and not ended: by this writer, or by one that crashed.
    pub fn run_is_open(&self) -> bool {
        open_run(&self.links).is_some()
    }

    /// Returns whether the plan of the open run is sealed.
    pub fn run_is_planned(&self) -> bool {
        let opened = |l: &Link| l.seal().kind == Kind::RunOpen;
        self.links.iter().rev().take_while(|l| !opened(l)).any(|l| l.seal().kind == Kind::RunPlan)
    }

    /// Seals `run-open`, before the first call. A run that an earlier writer left open is first sealed as `run-abort`, another
    /// interval between runs than the one last promised as `schedule-change`.
    ///
    /// # Errors
    /// Where the store or the signer refuses.
    pub fn open_run(&mut self, facts: &Facts) -> Result<Sealed, ChainError> {
        self.abort_left(facts)?;
        self.announce(facts)?;
        let mut subjects = Vec::new();
        subjects.extend(facts.configuration.map(|d| Subject::new("configuration", d)));
        subjects.extend(facts.catalog.map(|d| Subject::new("catalog", d)));
        if subjects.is_empty() {
            subjects.push(Subject::new("run", Sha256Digest::of(facts.run.as_deref().unwrap_or_default())));
        }
        self.append_bare(Kind::RunOpen, subjects, self.seal(Kind::RunOpen, facts))
    }

    /// Seals `run-plan`: commits to the bytes of `data/plan.ndjson` before collection starts.
    ///
    /// # Errors
    /// Where no run is open, or the store or the signer refuses.
    pub fn plan(&mut self, plan: Sha256Digest, facts: &Facts) -> Result<Sealed, ChainError> {
        self.need_open_run()?;
        let mut seal = self.seal(Kind::RunPlan, facts);
        seal.plan = Some(plan);
        self.append_bare(Kind::RunPlan, vec![Subject::new("data/plan.ndjson", plan)], seal)
    }

    /// Seals `run-close` with the evidence archive made of `staging`. `salt_key` is 32 random bytes.
    ///
    /// # Errors
    /// Where no run is open, a staged file is unfinished or malformed, or the store or the signer refuses.
    pub fn close_run(&mut self, staging: &Staging, facts: &Facts, salt_key: &[u8; 32]) -> Result<Sealed, ChainError> {
        self.need_open_run()?;
        self.append_bag(Kind::RunClose, staging, facts, salt_key)
    }

    /// Seals `run-abort`, with an archive of what was gathered where there is any.
    ///
    /// # Errors
    /// Where no run is open, or the store or the signer refuses.
    pub fn abort_run(
        &mut self,
        staging: Option<&Staging>,
        facts: &Facts,
        salt_key: &[u8; 32],
    ) -> Result<Sealed, ChainError> {
        self.need_open_run()?;
        match staging {
            Some(staging) => self.append_bag(Kind::RunAbort, staging, facts, salt_key),
            None => self.abort(facts),
        }
    }

    /// Seals an assessment made on request.
    ///
    /// # Errors
    /// Where the staging folder is not whole, or the store or the signer refuses.
    pub fn assessment(&mut self, staging: &Staging, facts: &Facts, salt_key: &[u8; 32]) -> Result<Sealed, ChainError> {
        self.append_bag(Kind::Assessment, staging, facts, salt_key)
    }

    /// Seals the end of a period with its assessment archive, and lists the runs that were missed.
    ///
    /// # Errors
    /// Where a run is open, the staging folder is not whole, or the store or the signer refuses.
    pub fn period_close(
        &mut self,
        staging: &Staging,
        facts: &Facts,
        salt_key: &[u8; 32],
    ) -> Result<Sealed, ChainError> {
        if self.run_is_open() {
            return Err(ChainError::Order(
                "a run is open, or was left open by a crash; end it or start a new one before the period is closed"
                    .into(),
            ));
        }
        self.append_bag(Kind::PeriodClose, staging, facts, salt_key)
    }

    fn need_open_run(&self) -> Result<(), ChainError> {
        if self.run_is_open() { Ok(()) } else { Err(ChainError::Order("no run is open; seal run-open first".into())) }
    }

    /// Ends the run that an earlier writer left open, where there is one.
    fn abort_left(&mut self, facts: &Facts) -> Result<(), ChainError> {
        let Some(open) = open_run(&self.links) else { return Ok(()) };
        let mut left = Facts::new(facts.semantics, open.seal().opened, facts.closed);
        left.run.clone_from(&open.seal().run);
        left.period.clone_from(&open.seal().period);
        left.overridden.clone_from(&facts.overridden);
        left.tool.clone_from(&facts.tool);
        left.reason = Some("the run ended without a seal: crashed, killed or its store lost".to_owned());
        self.abort(&left).map(drop)
    }

    fn abort(&mut self, facts: &Facts) -> Result<Sealed, ChainError> {
        let open = open_run(&self.links).map(|l| Subject::new("run-open", l.digest));
        let seal = self.seal(Kind::RunAbort, facts);
        self.append_bare(Kind::RunAbort, open.into_iter().collect(), seal)
    }

    fn seal(&self, kind: Kind, facts: &Facts) -> Seal {
        Seal {
            log: self.log.clone(),
            sequence: self.links.len() as u64,
            kind,
            previous: self.links.last().map(|l| l.digest),
            previous_tokens: Vec::new(),
            run: facts.run.clone(),
            period: facts.period.clone(),
            configuration: facts.configuration,
            catalog: facts.catalog,
            plan: None,
            records: None,
            tally: None,
            coverage: None,
            gaps: None,
            evidence: facts.evidence.clone(),
            missed: if kind == Kind::PeriodClose { self.missed_in(facts) } else { Vec::new() },
            succession: None,
            interval: None,
            reason: facts.reason.clone(),
            resumed: facts.resumed.clone(),
            semantics: facts.semantics,
            opened: facts.opened,
            closed: facts.closed,
            next_run_expected_by: facts.next_run_expected_by,
            tool: facts.tool.clone(),
            overridden: self.overridden(facts),
            key: Key::of(&*self.signer),
        }
    }

    /// What the caller knows to be overridden, and what the signer does.
    fn overridden(&self, facts: &Facts) -> Vec<String> {
        let mut all = facts.overridden.clone();
        for what in self.signer.overridden() {
            if !all.contains(&what) {
                all.push(what);
            }
        }
        all
    }

    fn missed_in(&self, facts: &Facts) -> Vec<Missed> {
        let mut missed = missed_runs(&self.links, facts.closed);
        missed.retain(|m| facts.period.as_ref().is_none_or(|p| p.contains(m.expected_by)));
        missed
    }

    fn need_certainty(&self) -> Result<(), ChainError> {
        if self.unsure {
            return Err(ChainError::Order(
                "an earlier write failed and may have been kept all the same; open the chain again before going on"
                    .into(),
            ));
        }
        Ok(())
    }

    fn append_bare(&mut self, kind: Kind, subjects: Vec<Subject>, seal: Seal) -> Result<Sealed, ChainError> {
        self.need_certainty()?;
        debug_assert_eq!(kind, seal.kind);
        let statement = Statement::new(subjects, seal);
        let files = SealFiles::make(statement, &self.links, &*self.signer)?;
        self.commit(files, None)
    }

    fn append_bag(
        &mut self,
        kind: Kind,
        staging: &Staging,
        facts: &Facts,
        salt_key: &[u8; 32],
    ) -> Result<Sealed, ChainError> {
        self.need_certainty()?;
        let contents = bag::survey(staging, kind, salt_key)?;
        let mut seal = self.seal(kind, facts);
        seal.plan = contents.plan;
        seal.records = Some(contents.records);
        seal.tally = contents.tally;
        seal.coverage.clone_from(&contents.coverage);
        seal.gaps = contents.gaps;
        let tags = bag::tag_files(&contents, &seal)?;
        let (tagmanifest, subjects) = bag::subjects(&tags);
        let files = SealFiles::make(Statement::new(subjects, seal), &self.links, &*self.signer)?;
        let mut root: BTreeMap<&str, Vec<u8>> = tags;
        root.insert("tagmanifest-sha256.txt", tagmanifest);
        root.insert("seal.json", files.seal.clone());
        root.insert("seal.json.sig", files.ssh.clone().into_bytes());
        root.insert("seal.dsse.json", files.dsse.clone());
        root.insert("seal.tlog-proof", files.proof.clone().into_bytes());
        let name = format!("archives/{}", files.statement.archive_name());
        let mut zip = bag::zip_file(&root, staging)?;
        self.unsure = true;
        self.store.put_new(&name, &mut zip)?;
        self.commit(files, Some(name))
    }

    fn commit(&mut self, files: SealFiles, archive: Option<String>) -> Result<Sealed, ChainError> {
        let link = Link::parse(&files.seal).map_err(ChainError::Order)?;
        let at = folder(link.seal().sequence);
        self.unsure = true;
        self.store.put_new(&format!("{at}seal.dsse.json"), &mut files.dsse.as_slice())?;
        self.links.push(link.clone());
        self.sidecars(&at, &files)?;
        self.unsure = false;
        Ok(Sealed { digest: link.digest, statement: link.statement, archive, checkpoint: files.checkpoint })
    }

    fn sidecars(&self, at: &str, files: &SealFiles) -> Result<(), ChainError> {
        let sidecars: [(&str, &[u8]); 3] = [
            ("seal.json", &files.seal),
            ("seal.json.sig", files.ssh.as_bytes()),
            ("seal.tlog-proof", files.proof.as_bytes()),
        ];
        for (name, mut bytes) in sidecars {
            match self.store.put_new(&format!("{at}{name}"), &mut bytes) {
                Ok(()) | Err(StoreError::AlreadyExists { .. }) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(self.store.replace("checkpoint", files.checkpoint.as_bytes())?)
    }

    fn check_newest(&self) -> Result<(), ChainError> {
        let Some(newest) = self.links.last() else { return Ok(()) };
        let (ours, sequence) = (self.signer.public_key(), newest.seal().sequence);
        let sealed = newest.seal().key.id;
        if let Some(sequence) = self.retired(ours) {
            return Err(ChainError::Retired { store: self.store.url(), sealed, ours: ours.fingerprint(), sequence });
        }
        if sealed != ours.fingerprint() {
            return Err(ChainError::OtherKey { store: self.store.url(), sealed, ours: ours.fingerprint() });
        }
        let bytes = store::read_all(&*self.store, &format!("{}seal.dsse.json", folder(sequence)), MAX_SEAL)?;
        dsse::verify(&bytes, ours).map(drop).map_err(|e| ChainError::Broken {
            store: self.store.url(),
            sequence,
            why: e.to_string(),
        })
    }

    /// Takes up an archive that was written and not committed: the crash lies between steps 1 and 2.
    fn adopt(&mut self) -> Result<(), ChainError> {
        let next = format!("archives/{:08}-", self.links.len());
        for name in self.store.list("archives/")?.iter().filter(|n| n.starts_with(&next)) {
            let archive = open_archive(&*self.store, name)?;
            let refuse = |why: String| {
                ChainError::Order(format!(
                    "{name} lies in the store and is not part of the chain ({why}); move it away, and keep it for inquiry"
                ))
            };
            let link = Link::parse(archive.seal_bytes()).map_err(refuse)?;
            check_link(&link, self.links.last()).map_err(refuse)?;
            let files = SealFiles::of(&archive, self.signer.public_key()).map_err(|e| refuse(e.to_string()))?;
            if link.statement.archive_name() != name.trim_start_matches("archives/") {
                return Err(refuse("its name is another than its seal says".to_owned()));
            }
            if self.links.is_empty() {
                self.log.clone_from(&link.seal().log);
            }
            self.commit(files, Some(name.clone()))?;
        }
        Ok(())
    }

    /// Writes what step 3 may have left out.
    fn complete_newest(&self) -> Result<(), ChainError> {
        let Some(newest) = self.links.last() else { return Ok(()) };
        let at = folder(newest.seal().sequence);
        let proof = format!("{at}seal.tlog-proof");
        if self.store.exists(&proof)? && self.store.exists("checkpoint")? {
            let text = store::read_all(&*self.store, &proof, MAX_SEAL)?;
            let checkpoint = store::read_all(&*self.store, "checkpoint", MAX_SEAL)?;
            if text.ends_with(&checkpoint) {
                return Ok(());
            }
        }
        let dsse = store::read_all(&*self.store, &format!("{at}seal.dsse.json"), MAX_SEAL)?;
        let before = &self.links[..self.links.len() - 1];
        let mut files = SealFiles::make(newest.statement.clone(), before, &*self.signer)?;
        files.dsse = dsse;
        let (_, payload) = dsse::parse(&files.dsse).map_err(|e| ChainError::Order(e.to_string()))?;
        if payload != files.seal {
            // A seal of a later release with fields that we do not know: sign its own bytes.
            files.ssh = sshsig::sign(&*self.signer, sshsig::SEAL_NAMESPACE, &payload)?;
            let leaves: Vec<_> = self.links.iter().map(|l| l.leaf).collect();
            (files.proof, files.checkpoint) = prove(&newest.statement, &leaves, &*self.signer)?;
            files.seal = payload;
        }
        self.sidecars(&at, &files)
    }
}
