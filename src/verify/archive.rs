//! One archive: its signatures, its seal over the manifests, and the manifests over the files.

use std::collections::BTreeMap;

use super::{
    ArchiveSummary, Depth, Options, Problem, Report, Standing, content,
    succession::{ChainKey, Keys},
};
use crate::{
    archive::{
        ArchiveError, Reader, SALT_KEY, Statement, TAG_FILES, TlogProof, Tree, manifest, merkle, path,
        seal::{Records, Seal},
    },
    model::Sha256Digest,
    sign::{PublicKey, dsse, sshsig},
};

/// Describes an archive that could not be opened.
pub(super) fn unopened(input: &str, error: &ArchiveError) -> Problem {
    let (code, file) = match error {
        ArchiveError::Container { code, file, .. } => (*code, file.clone()),
        ArchiveError::Missing(name) => ("file-missing", Some(name.clone())),
        ArchiveError::Malformed { path, .. } if path == "seal.json" => ("seal-malformed", Some(path.clone())),
        _ => ("archive-unreadable", None),
    };
    let mut problem = Problem::new(code, input, error.to_string());
    if let Some(name) = &file {
        problem.message = format!("{name}: {error}");
    }
    problem.file = file;
    problem
}

/// Verifies one archive and adds what was found to the report.
/// `chains` are the keys of the chains that were given with it.
pub(super) fn verify_archive(reader: &Reader, options: &Options, chains: &[Keys], report: &mut Report) {
    let input = reader.label();
    let seal = &reader.seal().predicate;
    let mut summary = ArchiveSummary {
        input: input.to_owned(),
        seal: reader.seal_digest(),
        kind: seal.kind,
        sequence: seal.sequence,
        run: seal.run.clone(),
        period: seal.period.as_ref().map(|p| p.label.clone()),
        closed: seal.closed,
        signed_by: None,
        trusted: false,
        trust: Standing::None,
        files: 0,
        bytes: 0,
        records: seal.records.map_or(0, |r| r.count),
        coverage: seal.coverage.clone().unwrap_or_default(),
        gaps: seal.gaps.unwrap_or(0),
        reperformed: false,
        overridden: seal.overridden.clone(),
    };
    if let Some(key) = verify_signatures(reader, report) {
        let place = reader.bytes("seal.tlog-proof").map_err(|e| e.to_string());
        verify_place(input, reader.seal(), reader.seal_bytes(), place.as_deref(), &key, report);
        summary.trust = standing(input, seal, &key, options, chains, report);
        summary.trusted = summary.trust.is_trusted();
        summary.signed_by = Some(key.fingerprint());
    }
    for name in reader.names().into_iter().filter(|n| !path::is_member(n)) {
        report.problem(unlisted(input, name));
    }
    let listed = verify_manifests(reader, report);
    if options.depth >= Depth::Bytes
        && let Some(listed) = listed
    {
        // Two readers over the same archive: bytes against the manifest here, the ledger against the calls there.
        let (lines, content) = std::thread::scope(|scope| {
            let content = scope.spawn(|| content::verify_content(reader));
            (verify_files(reader, &listed, &mut summary, report), content.join())
        });
        match content {
            Ok(content) => content.settle(reader, &lines, report),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
    report.archives.push(summary);
}

fn unlisted(input: &str, name: &str) -> Problem {
    Problem::new("unlisted-file", input, format!("{name} is not in the manifest: it was added after sealing"))
        .file(name)
}

/// The bytes of a seal with its two signatures, wherever they lie.
pub(super) struct SignedSeal<'a> {
    /// What to call it in messages.
    pub(super) input: &'a str,
    /// `seal.json`.
    pub(super) seal: &'a [u8],
    /// `seal.json.sig`, where it is there.
    pub(super) ssh: Option<&'a [u8]>,
    /// `seal.dsse.json`, where it is there.
    pub(super) dsse: Option<&'a [u8]>,
}

/// Returns how far the key of a seal is to be believed: as the chain that was given says, else by `--trust` alone.
pub(super) fn standing(
    input: &str,
    seal: &Seal,
    key: &PublicKey,
    options: &Options,
    chains: &[Keys],
    report: &mut Report,
) -> Standing {
    let id = key.fingerprint();
    let known: Option<&ChainKey> = chains.iter().find(|c| c.log == seal.log).and_then(|c| c.at(seal.sequence));
    let trust = match known {
        Some(known) if known.key == id => known.trust,
        Some(known) => {
            let message = format!("at place {} of its chain another key sealed than this archive's", seal.sequence);
            report.problem(Problem::new("key-changed", input, message).file("seal.json.sig").values(known.key, id));
            Standing::None
        }
        None if options.trust.contains(key) => Standing::Direct,
        None => Standing::None,
    };
    if trust == Standing::None && !options.trust.is_empty() {
        let hint = if known.is_some() {
            ""
        } else {
            "; if a trusted key handed over to it, give the store as well: its chain shows that"
        };
        let message = format!("not signed by a trusted key: seal.json.sig was made by key {id}{hint}");
        report.problem(
            Problem::new("untrusted-key", input, message).file("seal.json.sig").values("a key given with --trust", id),
        );
    }
    trust
}

fn verify_signatures(reader: &Reader, report: &mut Report) -> Option<PublicKey> {
    let (ssh, dsse) = (reader.bytes("seal.json.sig").ok(), reader.bytes("seal.dsse.json").ok());
    let signed =
        SignedSeal { input: reader.label(), seal: reader.seal_bytes(), ssh: ssh.as_deref(), dsse: dsse.as_deref() };
    let key = verify_seal(&signed, report)?;
    check_key_id(reader.label(), reader.seal(), &key, report);
    Some(key)
}

/// Checks that the seal names the key that signed it.
pub(super) fn check_key_id(input: &str, statement: &Statement, key: &PublicKey, report: &mut Report) {
    if statement.predicate.key.id != key.fingerprint() {
        report.problem(
            Problem::new("key-id-mismatch", input, "the seal names another key than the one that signed it")
                .file("seal.json")
                .values(statement.predicate.key.id, key.fingerprint()),
        );
    }
}

/// Checks both signatures, and returns the key where both hold. Whether it is trusted is a question of its own.
pub(super) fn verify_seal(signed: &SignedSeal<'_>, report: &mut Report) -> Option<PublicKey> {
    let problem = |code, file: &str, why: String| {
        Problem::new(code, signed.input, format!("not signed by a trusted key: {file} {why}")).file(file)
    };
    let Some(ssh) = signed.ssh else {
        report.problem(problem("signature-missing", "seal.json.sig", "is missing".to_owned()));
        return None;
    };
    let text = String::from_utf8_lossy(ssh);
    let parsed =
        sshsig::SshSignature::parse(&text).and_then(|s| s.verify(sshsig::SEAL_NAMESPACE, signed.seal).map(|()| s));
    let key = match parsed {
        Ok(signature) => Some(signature.key),
        Err(e) => {
            report.problem(problem("signature-invalid", "seal.json.sig", format!("does not hold: {e}")));
            None
        }
    };
    let Some(envelope) = signed.dsse else {
        report.problem(problem("signature-missing", "seal.dsse.json", "is missing".to_owned()));
        return None;
    };
    let key = key?;
    match dsse::verify(envelope, &key) {
        Ok(payload) if payload == signed.seal => {}
        Ok(_) => {
            report.problem(problem("signature-invalid", "seal.dsse.json", "covers another seal".to_owned()));
            return None;
        }
        Err(e) => {
            report.problem(problem("signature-invalid", "seal.dsse.json", format!("does not hold: {e}")));
            return None;
        }
    }
    Some(key)
}

/// Checks that a signed checkpoint holds the seal at the place that it states; `place` is its `seal.tlog-proof`.
pub(super) fn verify_place(
    input: &str,
    statement: &Statement,
    bytes: &[u8],
    place: Result<&[u8], &String>,
    key: &PublicKey,
    report: &mut Report,
) {
    const FILE: &str = "seal.tlog-proof";
    let problem = |why: String| Problem::new("inclusion-proof", input, format!("{FILE}: {why}")).file(FILE);
    let place = match place {
        Ok(place) => place,
        Err(e) => return report.problem(problem(e.clone())),
    };
    let seal = &statement.predicate;
    let proof = match TlogProof::parse(&String::from_utf8_lossy(place)) {
        Ok(proof) => proof,
        Err(e) => return report.problem(problem(e.to_string())),
    };
    match proof.verify(bytes, key) {
        Err(e) => report.problem(problem(format!("this seal is not in the tree of the checkpoint: {e}"))),
        Ok(checkpoint) => {
            let origin = format!("orgproof/{}", seal.log);
            if checkpoint.origin != origin {
                report
                    .problem(problem("the checkpoint is of another log".to_owned()).values(origin, checkpoint.origin));
            }
            if proof.index != seal.sequence {
                report.problem(problem("it proves another place".to_owned()).values(seal.sequence, proof.index));
            }
        }
    }
}

/// Checks the seal over the manifests and the tagmanifest over the tag files; returns what the manifest lists.
fn verify_manifests(reader: &Reader, report: &mut Report) -> Option<BTreeMap<String, Sha256Digest>> {
    let input = reader.label();
    let Some(expected) = reader.seal().manifests() else {
        report.problem(
            Problem::new("seal-subjects", input, "the seal does not cover exactly the two manifests").file("seal.json"),
        );
        return None;
    };
    let mut parsed = Vec::new();
    for (name, expected) in crate::archive::seal::MANIFESTS.into_iter().zip(expected) {
        let bytes = match reader.bytes(name) {
            Ok(bytes) => bytes,
            Err(e) => {
                report.problem(unreadable(input, name, &e));
                continue;
            }
        };
        let found = Sha256Digest::of(&bytes);
        if found != expected {
            let message = format!("{name} is not the one that was sealed");
            report.problem(Problem::new("seal-mismatch", input, message).file(name).values(expected, found));
        }
        match manifest::parse(name, &bytes) {
            Ok(files) => parsed.push(files),
            Err(e) => report.problem(Problem::new("manifest-malformed", input, e.to_string()).file(name)),
        }
    }
    let [manifest, tags] = <[_; 2]>::try_from(parsed).ok()?;
    verify_tags(reader, &tags, report);
    Some(manifest)
}

fn verify_tags(reader: &Reader, tags: &BTreeMap<String, Sha256Digest>, report: &mut Report) {
    let input = reader.label();
    if !tags.keys().map(String::as_str).eq(TAG_FILES) {
        let listed: Vec<&str> = tags.keys().map(String::as_str).collect();
        report.problem(
            Problem::new("tagmanifest-content", input, "the tagmanifest does not list exactly the tag files")
                .file("tagmanifest-sha256.txt")
                .values(TAG_FILES.join(" "), listed.join(" ")),
        );
    }
    for (name, expected) in tags {
        match reader.bytes(name) {
            Ok(bytes) if Sha256Digest::of(&bytes) == *expected => {}
            Ok(bytes) => report.problem(changed(input, name, *expected, Sha256Digest::of(&bytes))),
            Err(e) => report.problem(unreadable(input, name, &e)),
        }
    }
}

fn changed(input: &str, name: &str, expected: Sha256Digest, found: Sha256Digest) -> Problem {
    Problem::new("file-changed", input, format!("{name} is not the file that was sealed"))
        .file(name)
        .values(expected, found)
}

fn unreadable(input: &str, name: &str, error: &ArchiveError) -> Problem {
    let code = if matches!(error, ArchiveError::Missing(_)) { "file-missing" } else { "file-unreadable" };
    Problem::new(code, input, format!("{name}: {error}")).file(name)
}

/// Compares every file with the manifest, and the records with the seal's tree, in one pass; returns each file's lines.
fn verify_files(
    reader: &Reader,
    listed: &BTreeMap<String, Sha256Digest>,
    summary: &mut ArchiveSummary,
    report: &mut Report,
) -> BTreeMap<String, u64> {
    let input = reader.label();
    let mut lines = BTreeMap::new();
    for name in reader.names().into_iter().filter(|n| n.starts_with("data/") && !listed.contains_key(*n)) {
        report.problem(unlisted(input, name));
    }
    let salt_key = reader.bytes(SALT_KEY).ok().and_then(|b| <[u8; 32]>::try_from(b).ok());
    let mut trees = [Tree::Records, Tree::Tally].map(|tree| (tree, merkle::TreeHasher::new()));
    for (name, expected) in listed {
        if !name.starts_with("data/") {
            report.problem(
                Problem::new("manifest-malformed", input, format!("it lists {name}, outside data/")).file(name),
            );
        }
        let outcome = reader.file(name).and_then(|file| {
            let io = |source| ArchiveError::Io { action: "read", path: name.clone(), source };
            let of = trees.iter_mut().find(|(tree, _)| tree.holds(summary.kind, name));
            match (&salt_key, of) {
                (Some(key), Some((tree, hasher))) => crate::archive::feed(hasher, *tree, key, name, file).map_err(io),
                _ => crate::archive::digest(file).map_err(io),
            }
        });
        match outcome {
            Ok(read) => {
                (summary.files, summary.bytes) = (summary.files + 1, summary.bytes + read.size);
                lines.insert(name.clone(), read.lines);
                if read.sha256 != *expected {
                    report.problem(changed(input, name, *expected, read.sha256));
                }
            }
            Err(e) => report.problem(unreadable(input, name, &e)),
        }
    }
    for (tree, hasher) in trees {
        verify_tree(reader, tree, Records { count: hasher.size(), root: hasher.root() }, salt_key.is_some(), report);
    }
    lines
}

fn verify_tree(reader: &Reader, tree: Tree, found: Records, salted: bool, report: &mut Report) {
    let what = if tree == Tree::Records { "records" } else { "tally" };
    let problem = |why: String| Problem::new("records-root", reader.label(), why);
    let text = |records: Records| format!("{} lines, root {}", records.count, records.root);
    match tree.sealed(&reader.seal().predicate) {
        // Archives of earlier releases have none; whether a tally lies there all the same, its own check says.
        None if tree == Tree::Tally => {}
        None => {
            report.problem(problem(format!("the seal states no tree over the {what}")).file("seal.json"));
        }
        Some(_) if !salted => report.problem(
            problem(format!("{SALT_KEY} is not 32 bytes, so the tree over the {what} cannot be rebuilt"))
                .file(SALT_KEY),
        ),
        Some(expected) if expected != found => report.problem(
            problem(format!("the tree over the {what} is not the one that was sealed"))
                .values(text(expected), text(found)),
        ),
        Some(_) => {}
    }
}
