//! Proof files: single lines of archives, held against the seals that they come with.
//!
//! What is said of a proof is what it proves: that these lines stand in that archive as it was sealed; that they are all of an
//! account or a check only where the sealed number of them is shown too; that a page lies behind an observation only where the
//! observation names it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    io::Read,
    path::Path,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Class, Options, Problem, Report, Standing,
    archive::{SignedSeal, check_key_id, standing, verify_place, verify_seal},
    chain::compare_outside,
    report::words,
    succession::Keys,
};
use crate::{
    archive::{
        Kind, Reader, Statement, Tree,
        proof::{Disclosed, MAX_PROOF, Part, Proof},
        tally::{Named, TallyLine},
    },
    model::{EvidenceRef, Sha256Digest},
};

/// So many lines are written out in words; all of them stand in the JSON.
const SHOWN: usize = 20;

/// One line that a proof shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Position among the archive's records, from 0.
    pub index: u64,
    /// File in the archive.
    pub path: String,
    /// Line of it, from 1.
    pub line: u64,
    /// SHA-256 of the line.
    pub sha256: Sha256Digest,
    /// What it says, in short.
    pub says: String,
}

/// What a proof file shows of one archive. Lines stand here only where they were found to be as they were sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProofSummary {
    /// The proof file.
    pub input: String,
    /// SHA-256 of the archive's `seal.json`.
    pub seal: Sha256Digest,
    /// What the seal marks.
    pub kind: Kind,
    /// Id of its chain.
    pub log: String,
    /// Its place in the chain.
    pub sequence: u64,
    /// Label of the period.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<String>,
    /// When it was sealed, by the sealing machine's clock.
    pub closed: Timestamp,
    /// Fingerprint of the key that signed it; absent where no signature holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<Sha256Digest>,
    /// Whether that key is trusted, itself or by succession.
    pub trusted: bool,
    /// How far it is to be believed.
    pub trust: Standing,
    /// How many records the archive has.
    pub of: u64,
    /// The records shown, each as it was sealed.
    pub records: Vec<Shown>,
    /// Accounts and checks of which every record is shown that the sealed archive counts.
    pub complete: Vec<TallyLine>,
}

/// A proof file that was read.
#[derive(Debug)]
pub(super) struct Given {
    input: String,
    proof: Proof,
}

/// Returns whether a file is meant as a proof: it begins as JSON does, which no archive may.
pub(super) fn is_one(path: &Path) -> bool {
    let mut first = [0; 1];
    std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut first)).is_ok() && first == *b"{"
}

/// Reads a proof file.
pub(super) fn open(path: &Path, report: &mut Report) -> Option<Given> {
    let input = path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned());
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(MAX_PROOF + 1).read_to_end(&mut bytes));
    if let Err(e) = read {
        report.problem(Problem::new("input-unreadable", &input, e.to_string()).class(Class::Usage));
        return None;
    }
    match Proof::parse(&bytes) {
        Ok(proof) => Some(Given { input, proof }),
        Err(e) => {
            report.problem(Problem::new("proof-malformed", &input, e.to_string()));
            None
        }
    }
}

impl Given {
    /// Checks everything that can be said of the proof, alone and beside archives and chains that were given with it.
    pub(super) fn verify(&self, archives: &[Reader], chains: &[Keys], options: &Options, report: &mut Report) {
        let input = self.input.as_str();
        let before = report.proofs.len();
        for part in &self.proof.parts {
            let Ok(statement) = Statement::parse(part.files.seal.as_bytes()) else {
                let message = "a seal.json in it is no seal";
                report.problem(Problem::new("seal-malformed", input, message).file("seal.json"));
                continue;
            };
            let summary = verify_part(input, part, &statement, options, chains, report);
            compare(input, part, &statement, archives, chains, options, report);
            report.proofs.push(summary);
        }
        let observed: Vec<&Part> = self.holding(&report.proofs[before..], true);
        let pages: Vec<&Part> = self.holding(&report.proofs[before..], false);
        if !observed.is_empty() {
            verify_pages(input, &observed, &pages, report);
        }
        report.notice(
            "a proof shows lines of an archive as they were sealed; whether verdicts follow from the evidence only the whole \
             archives can show, and a sealed number of records is the sealer's own until the whole archive is verified",
        );
    }

    /// Returns the parts of assessments, or of evidence, whose lines are as they were sealed.
    fn holding(&self, summaries: &[ProofSummary], assessment: bool) -> Vec<&Part> {
        let wanted: BTreeSet<Sha256Digest> = summaries
            .iter()
            .filter(|s| s.kind.is_assessment() == assessment && !s.records.is_empty())
            .map(|s| s.seal)
            .collect();
        self.proof.parts.iter().filter(|part| wanted.contains(&Sha256Digest::of(&part.files.seal))).collect()
    }
}

fn verify_part(
    input: &str,
    part: &Part,
    statement: &Statement,
    options: &Options,
    chains: &[Keys],
    report: &mut Report,
) -> ProofSummary {
    let (files, seal) = (&part.files, &statement.predicate);
    let signed = SignedSeal {
        input,
        seal: files.seal.as_bytes(),
        ssh: Some(files.ssh.as_bytes()),
        dsse: Some(files.dsse.as_bytes()),
    };
    let key = verify_seal(&signed, report);
    let mut trust = Standing::None;
    if let Some(key) = &key {
        check_key_id(input, statement, key, report);
        trust = standing(input, seal, key, options, chains, report);
        verify_place(input, statement, files.seal.as_bytes(), Ok(files.place.as_bytes()), key, report);
    }
    let mut summary = ProofSummary {
        input: input.to_owned(),
        seal: Sha256Digest::of(&files.seal),
        kind: seal.kind,
        log: seal.log.clone(),
        sequence: seal.sequence,
        period: seal.period.as_ref().map(|p| p.label.clone()),
        closed: seal.closed,
        trust,
        trusted: trust.is_trusted(),
        signed_by: key.map(|key| key.fingerprint()),
        of: seal.records.map_or(0, |r| r.count),
        records: Vec::new(),
        complete: Vec::new(),
    };
    if verify_opening(input, part, Tree::Records, statement, report) {
        summary.records = part.records.disclosed.iter().map(|d| shown(d, seal.kind)).collect();
        if part.tally.is_some() && verify_opening(input, part, Tree::Tally, statement, report) {
            summary.complete = verify_numbers(input, part, report);
        }
    }
    summary
}

/// Checks that the lines lead to the root that was sealed, and lie in files that such a tree has.
fn verify_opening(input: &str, part: &Part, tree: Tree, statement: &Statement, report: &mut Report) -> bool {
    let seal = &statement.predicate;
    let opening = match tree {
        Tree::Records => Some(&part.records),
        Tree::Tally => part.tally.as_ref(),
    };
    let (Some(opening), Some(sealed)) = (opening, tree.sealed(seal)) else {
        let message = "its seal states no tree over such lines";
        report.problem(Problem::new("proof-inclusion", input, message));
        return false;
    };
    let found = opening.root(sealed.count);
    if found == Some(sealed.root) && opening.disclosed.iter().all(|d| tree.holds(seal.kind, &d.path)) {
        return true;
    }
    let what = if tree == Tree::Records { "records" } else { "numbers of records" };
    let message = format!(
        "the {what} that it shows are not in the archive of seal {}: one of them was changed, added, left out or moved, or \
         they belong to another seal",
        seal.sequence
    );
    let found = found.map_or_else(|| "no tree of that size".to_owned(), |root| format!("root {root}"));
    report.problem(Problem::new("proof-inclusion", input, message).values(format!("root {}", sealed.root), found));
    false
}

/// Holds the number of records shown against the sealed numbers; returns those that are whole.
fn verify_numbers(input: &str, part: &Part, report: &mut Report) -> Vec<TallyLine> {
    let (mut accounts, mut checks): (BTreeMap<String, u64>, BTreeMap<String, u64>) = Default::default();
    for disclosed in &part.records.disclosed {
        let named: Named = serde_json::from_str(&disclosed.record).unwrap_or_default();
        for (counts, name) in [(&mut accounts, named.account), (&mut checks, named.check)] {
            if let Some(name) = name {
                *counts.entry(name).or_default() += 1;
            }
        }
    }
    let mut complete = Vec::new();
    for disclosed in part.tally.iter().flat_map(|tally| &tally.disclosed) {
        let line = serde_json::from_str::<TallyLine>(&disclosed.record).ok();
        let found = line.as_ref().and_then(|line| match (&line.account, &line.check) {
            (Some(account), None) => Some(accounts.get(account).copied().unwrap_or(0)),
            (None, Some(check)) => Some(checks.get(check).copied().unwrap_or(0)),
            _ => None,
        });
        let (Some(line), Some(found)) = (line, found) else {
            report.problem(Problem::new("proof-incomplete", input, "a sealed number in it cannot be read"));
            continue;
        };
        if found == line.records {
            complete.push(line);
        } else {
            let message = format!("{} are missing: it shows only some of them", line.words());
            let problem = Problem::new("proof-incomplete", input, message);
            report.problem(problem.values(format!("{} records", line.records), format!("{found} records")));
        }
    }
    complete
}

#[derive(Default, Deserialize)]
struct Observation {
    #[serde(default)]
    check: String,
    #[serde(default)]
    account: String,
    #[serde(default)]
    region: String,
    #[serde(default)]
    resource: serde_json::Value,
    #[serde(default)]
    status: String,
    #[serde(default)]
    why: String,
    #[serde(default)]
    evidence: Option<EvidenceRef>,
}

fn observation(disclosed: &Disclosed) -> Observation {
    serde_json::from_str(&disclosed.record).unwrap_or_default()
}

fn shown(disclosed: &Disclosed, kind: Kind) -> Shown {
    let says = if kind.is_assessment() {
        let o = observation(disclosed);
        let of = |field: &str| o.resource.get(field).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
        format!("{} {} {} {} {}: {} ({})", o.check, o.account, o.region, of("type"), of("id"), o.status, o.why)
    } else {
        format!("a stored API response of {} bytes", disclosed.record.len())
    };
    let says = says.replace(['\n', '\r'], " ");
    let (path, sha256) = (disclosed.path.clone(), Sha256Digest::of(&disclosed.record));
    Shown { index: disclosed.index, path, line: disclosed.line, sha256, says }
}

/// A page belongs into a proof only where an observation in it names that page.
fn verify_pages(input: &str, observed: &[&Part], pages: &[&Part], report: &mut Report) {
    let lines = observed.iter().flat_map(|part| &part.records.disclosed);
    let named: BTreeSet<EvidenceRef> = lines.filter_map(|d| observation(d).evidence).collect();
    for part in pages {
        let seal = Sha256Digest::of(&part.files.seal);
        for page in &part.records.disclosed {
            let at = EvidenceRef { seal, path: page.path.clone(), line: page.line };
            if !named.contains(&at) {
                let message = format!(
                    "it shows line {} of {}, which is genuine, but none of its observations rests on that page",
                    page.line, page.path
                );
                report.problem(Problem::new("proof-page-unrelated", input, message).file(&page.path));
            }
        }
    }
}

/// Holds the part's seal against the chains, archives and checkpoint that were given beside it.
fn compare(
    input: &str,
    part: &Part,
    statement: &Statement,
    archives: &[Reader],
    chains: &[Keys],
    options: &Options,
    report: &mut Report,
) {
    let (seal, digest) = (&statement.predicate, Sha256Digest::of(&part.files.seal));
    for reader in archives {
        let other = &reader.seal().predicate;
        if (&other.log, other.sequence) == (&seal.log, seal.sequence) && reader.seal_digest() != digest {
            let message =
                format!("its seal and that of {} claim the same place {} of one chain", reader.label(), seal.sequence);
            report.problem(Problem::new("chain-forked", input, message).values(reader.seal_digest(), digest));
        }
    }
    for chain in chains {
        if chain.log != seal.log {
            report.notice(format!("{input}: one of its seals belongs to another chain than the store that was given"));
        } else if !chain.seals.contains(&digest) {
            let message = format!("its seal {} ({digest}) is not in the store's chain", seal.sequence);
            report.problem(Problem::new("proof-not-in-chain", input, message));
        }
    }
    if let Some(note) = options.checkpoint.as_ref().filter(|_| chains.is_empty()) {
        compare_outside(input, [part.files.place.as_bytes(), part.files.ssh.as_bytes()], note, options, report);
    }
}

impl ProofSummary {
    /// Writes what is proved in words.
    pub(super) fn render(&self, out: &mut String) {
        let by = match (&self.signed_by, self.trust) {
            (Some(key), Standing::Direct) => format!("signed by trusted key {key}"),
            (Some(key), trust) => format!("signed by key {key}, {}", words(trust)),
            (None, _) => "NOT validly signed".to_owned(),
        };
        let period = self.period.as_ref().map(|p| format!(" of {p}")).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "{}: shows {} of the {} records of an archive: {}{period}, seal {} of chain {}, sealed {}, {by}",
            self.input,
            self.records.len(),
            self.of,
            self.kind,
            self.sequence,
            self.log,
            self.closed
        );
        if self.records.is_empty() {
            return out.push_str("    NOTHING in it is proved: see the problems\n");
        }
        out.push_str(
            "    proved: each of them stands in that archive as it was sealed; nothing is said of the others\n",
        );
        for line in &self.complete {
            let _ =
                writeln!(out, "    proved: {} are all that the sealed archive counts, {}", line.words(), line.records);
        }
        if self.complete.is_empty() {
            out.push_str("    NOT proved: that these are all of anything; others may have been left out\n");
        }
        for shown in self.records.iter().take(SHOWN) {
            let _ = writeln!(out, "    {}:{}  {}", shown.path, shown.line, shown.says);
        }
        if self.records.len() > SHOWN {
            let _ = writeln!(out, "    and {} more, in the file and with --json", self.records.len() - SHOWN);
        }
    }
}
