//! The chain: links, places, archives, missed runs; and the checkpoint that was kept outside.

use std::collections::{BTreeMap, BTreeSet};

use base64ct::{Base64, Encoding};

use super::{
    Class, Options, Problem, Report,
    archive::{SignedSeal, check_key_id, unopened, verify_seal},
    report::ChainSummary,
    succession::{self, Keys, Signed, Standing},
};
use crate::{
    archive::{
        Kind, Reader, TlogProof,
        chain::{
            Handover, Link, archive_of, check_link, folder, handover, missed_runs, open_archive, open_run, unannounced,
        },
        merkle,
    },
    model::Sha256Digest,
    sign::{PublicKey, dsse, note::Checkpoint},
    store::{Store, StoreError, read_all},
};

const MAX_SEAL: u64 = 32 * 1024 * 1024;

/// Verifies the chain of a store, adds the store's archives to those to be verified, and returns the keys that sealed it.
pub(super) fn verify_store(
    store: &dyn Store,
    options: &Options,
    archives: &mut Vec<Reader>,
    report: &mut Report,
) -> Keys {
    let input = store.url();
    let names = match store.list("") {
        Ok(names) => names,
        Err(e) => {
            report.problem(Problem::new("input-unreadable", &input, e.to_string()).class(Class::Usage));
            return Keys::of(&[], &options.trust);
        }
    };
    let (links, keys, chain_keys) = read_links(store, &names, options, report);
    chain_keys.report(&input, options, report);
    let mut expected: BTreeMap<String, Sha256Digest> = BTreeMap::new();
    for link in &links {
        expected.extend(archive_of(link).map(|name| (name, link.digest)));
    }
    for name in names.iter().filter(|n| n.starts_with("archives/") && !expected.contains_key(*n)) {
        report.problem(stray_archive(store, name, &links, &keys));
    }
    for (name, digest) in &expected {
        match open_archive(store, name) {
            Ok(reader) => {
                if reader.seal_digest() != *digest {
                    report.problem(
                        Problem::new(
                            "archive-of-another-seal",
                            &input,
                            format!("{name} was replaced: it has another seal"),
                        )
                        .file(name)
                        .values(digest, reader.seal_digest()),
                    );
                }
                archives.push(reader);
            }
            Err(_) if !names.contains(name) => {
                let message = format!("{name} is missing: the chain holds its seal");
                report.problem(Problem::new("archive-missing", &input, message).file(name));
            }
            Err(e) => report.problem(unopened(name, &e)),
        }
    }
    verify_history(store, report);
    verify_evidence(&input, &links, report);
    verify_commitments(&input, &links, report);
    verify_runs(&input, &links, options, report);
    verify_own_checkpoint(store, &links, &keys, report);
    if let Some(note) = &options.checkpoint {
        verify_outside(&input, note, &links, &keys, &chain_keys, options, report);
    }
    summarise(&input, &links, &chain_keys, report);
    chain_keys
}

/// A store that keeps versions remembers what was hidden or written again.
fn verify_history(store: &dyn Store, report: &mut Report) {
    let input = store.url();
    match store.tampering() {
        Ok(found) => {
            for one in found {
                let what = if one.hidden { "was hidden by a deletion" } else { "was not written exactly once" };
                let message = format!("{} {what}: the store has {}", one.name, one.what);
                report.problem(Problem::new("object-rewritten", &input, message).file(&one.name));
            }
        }
        Err(e @ StoreError::Refused(_)) => {
            report.unchecked("store-history", &input, format!("whether objects were hidden or written again: {e}"));
        }
        Err(e) => report.problem(Problem::new("input-unreadable", &input, e.to_string()).class(Class::Usage)),
    }
}

/// An archive without its seal in the chain: left by a crash right before the commit, or not ours.
fn stray_archive(store: &dyn Store, name: &str, links: &[Link], keys: &[PublicKey]) -> Problem {
    let input = store.url();
    let next = open_archive(store, name).ok().is_some_and(|reader| {
        let follows = Link::parse(reader.seal_bytes()).is_ok_and(|link| check_link(&link, links.last()).is_ok());
        let envelope = reader.bytes("seal.dsse.json").unwrap_or_default();
        let ours = |key| dsse::verify(&envelope, key).is_ok_and(|payload| payload == reader.seal_bytes());
        follows && keys.iter().any(ours)
    });
    if next {
        let message = format!("{name} was written and its seal not yet added to the chain; the next run does that");
        return Problem::new("seal-unfinished", &input, message).file(name).class(Class::Incomplete);
    }
    Problem::new("archive-not-in-chain", &input, format!("{name} lies in the store but no seal of the chain has it"))
        .file(name)
}

fn summarise(input: &str, links: &[Link], keys: &Keys, report: &mut Report) {
    let mut kinds = BTreeMap::new();
    for link in links {
        *kinds.entry(link.seal().kind.as_str().to_owned()).or_default() += 1;
    }
    report.chains.push(ChainSummary {
        input: input.to_owned(),
        log: links.first().map(|l| l.seal().log.clone()).unwrap_or_default(),
        seals: links.len() as u64,
        root: Base64::encode_string(&root_at(links, links.len()).0),
        kinds,
        keys: keys.keys.clone(),
    });
}

fn root_at(links: &[Link], size: usize) -> Sha256Digest {
    let leaves: Vec<_> = links.iter().take(size).map(|l| l.leaf).collect();
    merkle::root(&leaves)
}

/// Reads every seal, checks its signatures, its sidecars, its link to the one before, and the rotations of the key.
fn read_links(
    store: &dyn Store,
    names: &[String],
    options: &Options,
    report: &mut Report,
) -> (Vec<Link>, Vec<PublicKey>, Keys) {
    let input = store.url();
    let (mut links, mut keys): (Vec<Link>, Vec<PublicKey>) = (Vec::new(), Vec::new());
    let mut signed: Vec<(Option<Sha256Digest>, bool)> = Vec::new();
    let folders: BTreeSet<&str> =
        names.iter().filter_map(|n| n.strip_prefix("chain/")).filter_map(|n| n.split('/').next()).collect();
    let newest = folders.last().copied();
    for name in folders.iter().copied() {
        let Some(sequence) = name.parse::<u64>().ok().filter(|n| folder(*n) == format!("chain/{name}/")) else {
            let file = format!("chain/{name}");
            report
                .problem(Problem::new("chain-stray-file", &input, format!("{file} is no part of a chain")).file(&file));
            continue;
        };
        let at = folder(sequence);
        let before = Before { links: &links, keys: &keys, is_newest: Some(name) == newest };
        let Some((link, key, rotation)) = read_link(store, &at, &before, report) else { continue };
        if let Err(why) = check_link(&link, links.last()) {
            let message = format!("broken link at sequence {sequence}: {why}");
            report.problem(Problem::new("chain-broken", &input, message).file(&format!("{at}seal.json")));
        }
        if let Some(problem) = succession::changed(&input, links.last(), &link) {
            report.problem(problem.file(&format!("{at}seal.json")));
        }
        signed.push((key.as_ref().map(PublicKey::fingerprint), rotation.is_some()));
        if let Some(key) = key
            && !keys.contains(&key)
        {
            keys.push(key);
        }
        links.push(link);
    }
    let signed = links.iter().zip(signed).map(|(link, (key, handed_over))| Signed { link, key, handed_over });
    let chain_keys = Keys::of(&signed.collect::<Vec<_>>(), &options.trust);
    (links, keys, chain_keys)
}

/// What was read of the chain before a seal.
struct Before<'a> {
    links: &'a [Link],
    keys: &'a [PublicKey],
    is_newest: bool,
}

fn read_link(
    store: &dyn Store,
    at: &str,
    before: &Before<'_>,
    report: &mut Report,
) -> Option<(Link, Option<PublicKey>, Option<Handover>)> {
    let input = store.url();
    let object = |name: &str| read_all(store, &format!("{at}{name}"), MAX_SEAL).ok();
    let name = format!("{at}seal.dsse.json");
    let Some(envelope) = object("seal.dsse.json") else {
        report.problem(Problem::new("file-missing", &input, format!("{name} is missing")).file(&name));
        return None;
    };
    let parsed = dsse::parse(&envelope).map_err(|e| e.to_string());
    let parsed = parsed.and_then(|(_, payload)| Link::parse(&payload).map(|link| (link, payload)));
    let (link, payload) = match parsed {
        Ok(parsed) => parsed,
        Err(e) => {
            report.problem(Problem::new("seal-malformed", &input, format!("{name}: {e}")).file(&name));
            return None;
        }
    };
    let mut rotation = None;
    if link.seal().kind == Kind::KeyRotation {
        match handover(&envelope, &link.statement, before.links) {
            Ok(keys) => rotation = Some(keys),
            Err(e) => {
                let message = format!("the rotation at seal {} does not hold: {e}", link.seal().sequence);
                report.problem(Problem::new(e.code(), &input, message).file(&name));
            }
        }
    }
    let (seal, ssh, proof) = (object("seal.json"), object("seal.json.sig"), object("seal.tlog-proof"));
    if before.is_newest && (seal.is_none() || ssh.is_none() || proof.is_none()) {
        // The commit is there, what follows it is not: a crash. The key is one that sealed before, or stays open.
        let mut sealed_before = rotation.iter().map(|r| &r.to).chain(before.keys);
        let known = sealed_before.find(|key| dsse::verify(&envelope, key).is_ok());
        if let Some(key) = known {
            let message = format!(
                "seal {} was added and its copies not yet written; the next run does that",
                link.seal().sequence
            );
            report.problem(Problem::new("seal-unfinished", &input, message).file(at).class(Class::Incomplete));
            return Some((link, Some(key.clone()), rotation));
        }
    }
    let label = format!("{input} seal {}", link.seal().sequence);
    for (file, content) in [("seal.json", &seal), ("seal.tlog-proof", &proof)] {
        if content.is_none() {
            let file = format!("{at}{file}");
            report.problem(Problem::new("file-missing", &input, format!("{file} is missing")).file(&file));
        }
    }
    if seal.is_some_and(|seal| seal != payload) {
        let file = format!("{at}seal.json");
        report.problem(Problem::new("seal-mismatch", &input, format!("{file} is not the seal in {name}")).file(&file));
    }
    let signed = SignedSeal { input: &label, seal: &payload, ssh: ssh.as_deref(), dsse: Some(&envelope) };
    let key = verify_seal(&signed, report);
    if let Some(key) = &key {
        check_key_id(&label, &link.statement, key, report);
    }
    if let (Some(key), Some(proof)) = (&key, proof) {
        let verified = TlogProof::parse(&String::from_utf8_lossy(&proof))
            .and_then(|p| p.verify(&payload, key).map(|c| (p.index, c.origin)));
        let right = (link.seal().sequence, format!("orgproof/{}", link.seal().log));
        if verified.as_ref() != Ok(&right) {
            let file = format!("{at}seal.tlog-proof");
            let message = format!("{file} does not prove this seal's place");
            report.problem(Problem::new("inclusion-proof", &label, message).file(&file));
        }
    }
    Some((link, key, rotation))
}

/// Checks that assessments read evidence of this very chain, and left out nothing that people had added: a revocation, say.
fn verify_evidence(input: &str, links: &[Link], report: &mut Report) {
    let (mut known, mut amended) = (BTreeSet::new(), Vec::new());
    for link in links {
        if link.seal().kind == Kind::Amend {
            amended.push(link);
        }
        if link.seal().kind.is_assessment() {
            for left in amended.iter().filter(|a| !link.seal().evidence.contains(&a.digest)) {
                let message = format!(
                    "seal {} judges without the amendments of seal {}, which stands before it",
                    link.seal().sequence,
                    left.seal().sequence
                );
                report.problem(Problem::new("amendment-left-out", input, message).values(left.digest, "nothing"));
            }
        }
        for digest in link.seal().evidence.iter().filter(|d| !known.contains(*d)) {
            let message = format!(
                "seal {} read evidence with seal {digest}, which is not in the chain before it",
                link.seal().sequence
            );
            report.problem(Problem::new("evidence-not-in-chain", input, message));
        }
        known.insert(link.digest);
    }
}

/// What a run committed to before its first call must be what its end says.
fn verify_commitments(input: &str, links: &[Link], report: &mut Report) {
    let (mut open, mut planned): (Option<&Link>, Option<&Link>) = (None, None);
    for link in links {
        let seal = link.seal();
        match seal.kind {
            Kind::RunOpen => (open, planned) = (Some(link), None),
            Kind::RunPlan => planned = Some(link),
            Kind::RunClose => {
                let sealed = planned.and_then(|p| p.seal().plan);
                if sealed != seal.plan {
                    let message =
                        format!("the plan of seal {} is not the one committed to before collecting", seal.sequence);
                    let text = |d: Option<Sha256Digest>| d.map_or_else(|| "none".to_owned(), |d| d.to_string());
                    report.problem(Problem::new("plan-changed", input, message).values(text(sealed), text(seal.plan)));
                }
                let before = open.map(Link::seal);
                let same = before.is_some_and(|b| {
                    (b.configuration, b.catalog, &b.run) == (seal.configuration, seal.catalog, &seal.run)
                });
                if !same {
                    let message = format!(
                        "seal {} ends a run with another configuration, catalogue or id than it was opened with",
                        seal.sequence
                    );
                    report.problem(Problem::new("run-changed", input, message));
                }
                (open, planned) = (None, None);
            }
            _ => {}
        }
    }
}

fn verify_runs(input: &str, links: &[Link], options: &Options, report: &mut Report) {
    for missed in missed_runs(links, options.now) {
        let began = missed.began.map_or_else(|| "none has begun".to_owned(), |t| format!("the next began {t}"));
        let message = format!("a run was due by {} (seal {}); {began}", missed.expected_by, missed.after);
        let code = if missed.began.is_some() { "run-missed" } else { "run-overdue" };
        report.problem(Problem::new(code, input, message).class(Class::Incomplete));
    }
    for change in unannounced(links) {
        let to = change.promised.map_or_else(|| "no next run".to_owned(), |s| format!("one within {s} s"));
        let message = format!(
            "seal {} promises {to}, where {} s were promised before, and no schedule-change says so",
            change.sequence, change.announced
        );
        report.problem(Problem::new("schedule-unannounced", input, message).class(Class::Incomplete));
    }
    for change in links.iter().filter_map(|l| Some((l.seal().sequence, l.seal().interval?))) {
        let (sequence, interval) = change;
        report.notice(format!(
            "{input}: with seal {sequence} the time within which a run is due went from {} s to {} s after the last",
            interval.from, interval.to
        ));
    }
    if let Some(open) = open_run(links) {
        let message = format!("the run opened by seal {} was not ended: it runs, or it crashed", open.seal().sequence);
        report.problem(Problem::new("run-not-ended", input, message).class(Class::Incomplete));
    }
    let aborted = links.iter().filter(|l| l.seal().kind == crate::archive::Kind::RunAbort).count();
    if aborted > 0 {
        report.notice(format!("{input}: {aborted} of its runs were aborted"));
    }
}

/// The store's own copy of the newest checkpoint may never be ahead of the chain, nor of another one.
fn verify_own_checkpoint(store: &dyn Store, links: &[Link], keys: &[PublicKey], report: &mut Report) {
    let input = store.url();
    let Ok(bytes) = read_all(store, "checkpoint", MAX_SEAL) else {
        report.notice(format!("{input}: the copy of the newest checkpoint is missing; the next run makes it again"));
        return;
    };
    let note = String::from_utf8_lossy(&bytes);
    let Some(checkpoint) = keys.iter().find_map(|key| Checkpoint::verify(&note, key).ok()) else {
        let message = "the store's checkpoint is not signed by a key of this chain";
        return report.problem(Problem::new("checkpoint-invalid", &input, message).file("checkpoint"));
    };
    against(&input, "the store's checkpoint", &checkpoint, links, report);
}

fn against(input: &str, what: &str, checkpoint: &Checkpoint, links: &[Link], report: &mut Report) {
    let size = usize::try_from(checkpoint.size).unwrap_or(usize::MAX);
    if size > links.len() {
        let message = format!("the end was cut off: {what} counts {size} seals");
        report.problem(Problem::new("chain-truncated", input, message).file("checkpoint").values(size, links.len()));
    } else if root_at(links, size) != checkpoint.root {
        let message = format!("history was rewritten: the first {size} seals are not those of {what}");
        report.problem(
            Problem::new("chain-forked", input, message)
                .file("checkpoint")
                .values(checkpoint.root, root_at(links, size)),
        );
    }
}

fn verify_outside(
    input: &str,
    note: &str,
    links: &[Link],
    keys: &[PublicKey],
    chain_keys: &Keys,
    options: &Options,
    report: &mut Report,
) {
    let signed = keys.iter().find_map(|key| Checkpoint::verify(note, key).ok().map(|c| (c, key)));
    let Some((checkpoint, key)) = signed else {
        let message = "the checkpoint given with --checkpoint is not signed by a key of this chain";
        return report.problem(Problem::new("checkpoint-invalid", input, message));
    };
    let believed = chain_keys.keys.iter().any(|k| k.key == key.fingerprint() && k.trust != Standing::None);
    if !options.trust.is_empty() && !believed {
        let message = "the checkpoint given with --checkpoint is not signed by a trusted key";
        report.problem(Problem::new("checkpoint-invalid", input, message));
    }
    let origin = links.first().map(|l| format!("orgproof/{}", l.seal().log)).unwrap_or_default();
    if checkpoint.origin != origin {
        let message = "the checkpoint given with --checkpoint is of another log";
        report.problem(Problem::new("chain-forked", input, message).values(checkpoint.origin, origin));
        return;
    }
    against(input, "the checkpoint kept outside", &checkpoint, links, report);
}

/// Compares archives that were given without their store: the same place twice, or a link between neighbours.
pub(super) fn compare(archives: &[Reader], options: &Options, stores: &[Box<dyn Store>], report: &mut Report) {
    let mut logs: BTreeMap<&str, Vec<&Reader>> = BTreeMap::new();
    for reader in archives {
        logs.entry(reader.seal().predicate.log.as_str()).or_default().push(reader);
    }
    if logs.len() > 1 {
        report.notice(format!("the archives belong to {} different chains", logs.len()));
    }
    for readers in logs.values() {
        for pair in readers.windows(2) {
            let [a, b] = pair else { continue };
            let (before, after) = (&a.seal().predicate, &b.seal().predicate);
            if before.sequence == after.sequence && a.seal_digest() != b.seal_digest() {
                let message = format!("two different seals claim place {} of one chain", after.sequence);
                report
                    .problem(Problem::new("chain-forked", b.label(), message).values(a.seal_digest(), b.seal_digest()));
            }
            if before.sequence + 1 == after.sequence && after.previous != Some(a.seal_digest()) {
                let message = format!("broken link at sequence {}: it does not follow {}", after.sequence, a.label());
                report.problem(Problem::new("chain-broken", b.label(), message).file("seal.json"));
            }
        }
    }
    if !stores.is_empty() {
        return;
    }
    if let Some(note) = &options.checkpoint {
        for reader in archives {
            let bytes = |name| reader.bytes(name).unwrap_or_default();
            let (place, ssh) = (bytes("seal.tlog-proof"), bytes("seal.json.sig"));
            compare_outside(reader.label(), [&place, &ssh], note, options, report);
        }
    }
    if !archives.is_empty() {
        report.notice(
            "archives alone show their own place in the chain, not that no run between them was left out: verify the store, \
             or ask for the seals between",
        );
    }
}

/// Compares a seal that is shown without its chain, by its `seal.tlog-proof` and `seal.json.sig`, with the checkpoint kept outside.
pub(super) fn compare_outside(
    input: &str,
    [place, ssh]: [&[u8]; 2],
    note: &str,
    options: &Options,
    report: &mut Report,
) {
    let Ok((outside, _)) = Checkpoint::parse(note) else {
        let message = "the checkpoint given with --checkpoint is malformed";
        return report.problem(Problem::new("checkpoint-invalid", input, message));
    };
    let inside = TlogProof::parse(&String::from_utf8_lossy(place))
        .ok()
        .and_then(|proof| Checkpoint::parse(&proof.checkpoint).ok().map(|(c, _)| c));
    let key = crate::sign::sshsig::SshSignature::parse(&String::from_utf8_lossy(ssh))
        .ok()
        .map(|s| s.key)
        .filter(|key| options.trust.is_empty() || options.trust.contains(key));
    let (Some(inside), Some(key)) = (inside, key) else { return };
    if Checkpoint::verify(note, &key).is_err() {
        let message = "the checkpoint given with --checkpoint is not signed by this archive's key";
        return report.problem(Problem::new("checkpoint-invalid", input, message));
    }
    if inside.origin != outside.origin || (inside.size == outside.size && inside.root != outside.root) {
        let message = "the checkpoint given with --checkpoint is of another history";
        return report.problem(Problem::new("chain-forked", input, message).values(outside.root, inside.root));
    }
    if inside.size != outside.size {
        report.unchecked(
            "checkpoint-not-comparable",
            input,
            "the checkpoint given with --checkpoint is of another size than the archive's; verify the store to compare them",
        );
    }
}
