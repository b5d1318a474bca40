//! What `evidence` and `exception` have in common: sealing at once, recognising what is recorded, showing and signing it.

use std::{
    collections::BTreeMap,
    io::Read,
    path::{Path, PathBuf},
};

use jiff::{Timestamp, ToSpan};
use serde_json::json;

use super::{
    super::{Exit, Failure, Output, clock},
    Setting, sealing,
};
use crate::{
    archive::{Amended, Staging, chain},
    audit::{
        additions::{Additions, additions},
        amend::{self, Addition, Document, Sealing, Signed},
        period,
        stated::{Context, FieldFault, Fields},
        table::{self, Table},
    },
    catalog::Catalog,
    model::{Amendment, Revocation},
    sign::approvers::{APPROVAL_NAMESPACE, MAX_APPROVERS},
    verify::Depth,
};

/// What is recorded already, by id: the bytes of the first line, and whether it was revoked.
pub(super) struct Recorded(BTreeMap<String, (Amendment, Vec<u8>, bool)>);

impl Recorded {
    fn new(amended: &[Amended]) -> Self {
        let mut all: BTreeMap<String, (Amendment, Vec<u8>, bool)> = BTreeMap::new();
        let mut revoked = Vec::new();
        for line in amended.iter().flat_map(|a| &a.lines) {
            if let Amendment::Revocation(Revocation { of, .. }) = &line.amendment {
                revoked.push(of.clone());
            }
            let entry = || (line.amendment.clone(), line.bytes.clone(), false);
            all.entry(line.amendment.id().to_owned()).or_insert_with(entry);
        }
        for id in revoked {
            all.entry(id).and_modify(|entry| entry.2 = true);
        }
        Self(all)
    }

    /// Returns whether the amendment is recorded.
    pub(super) fn has(&self, amendment: &Amendment) -> Result<bool, String> {
        let id = amendment.id();
        let Some((_, bytes, revoked)) = self.0.get(id) else { return Ok(false) };
        if amendment.line().map_err(|e| e.to_string())? != *bytes {
            return Err(format!("another amendment is recorded as {id}; nothing is rewritten: choose another id"));
        }
        if *revoked {
            return Err(format!("{id} is recorded and was revoked; state it anew under another id"));
        }
        Ok(true)
    }

    fn find(&self, id: &str) -> Result<&(Amendment, Vec<u8>, bool), Failure> {
        self.0.get(id).ok_or_else(|| Failure::usage(format!("nothing is recorded as {id:?}; 'list' shows what is")))
    }
}

/// Reads what the store holds.
pub(super) fn recorded(setting: &Setting) -> Result<(Vec<Amended>, Recorded), Failure> {
    let store = sealing::store(setting)?;
    let links = chain::read(&*store).map_err(Failure::usage)?;
    let amended = period::amendments(&*store, &links).map_err(Failure::usage)?;
    let recorded = Recorded::new(&amended);
    Ok((amended, recorded))
}

/// How everything stands now; what ends within `days` ends soon.
pub(super) fn stands(setting: &Setting, catalog: Option<&Catalog>, days: i64) -> Result<Additions, Failure> {
    let now = clock::now();
    let hours = days.clamp(0, 36_500) * 24;
    let soon = now.checked_add(hours.hours()).unwrap_or(Timestamp::MAX);
    Ok(additions(&recorded(setting)?.0, catalog, now, soon))
}

/// What statements are held against.
pub(super) fn context<'a>(setting: &Setting, catalog: &'a Catalog) -> Context<'a> {
    Context { catalog, zone: setting.config.schedule.time_zone.clone(), now: clock::now() }
}

/// Faults of what was typed as options.
pub(super) fn refused(faults: &[FieldFault]) -> Failure {
    let lines: Vec<String> = faults.iter().map(|f| format!("--{}: {}", f.field, f.why)).collect();
    Failure::usage(format!("nothing was sealed:\n{}", lines.join("\n")))
}

/// The approvers file, where the configuration names one.
fn approvers(setting: &Setting) -> Result<Option<Vec<u8>>, Failure> {
    let Some(name) = &setting.config.approvers else { return Ok(None) };
    bounded(&setting.base.join(name), MAX_APPROVERS).map(Some)
}

fn bounded(path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
    let refuse = |why: String| Failure::usage(format!("{}: {why}", path.display()));
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|e| refuse(e.to_string()))?;
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|e| refuse(e.to_string()))?;
    if bytes.len() as u64 > limit { Err(refuse("it is far too large".to_owned())) } else { Ok(bytes) }
}

/// Prints the bytes that a signer signs, and says how.
pub(super) fn print(amendment: &Amendment, output: &Output) -> Result<Exit, Failure> {
    show(amendment, &amendment.line().map_err(Failure::usage)?, output)?;
    output.say("Nothing was sealed. The same options with --signature FILE seal it with the signature.");
    Ok(Exit::Done)
}

fn show(amendment: &Amendment, line: &[u8], output: &Output) -> Result<(), Failure> {
    let text = String::from_utf8_lossy(line);
    output.result(&json!({ "line": text, "namespace": APPROVAL_NAMESPACE, "amendment": amendment }), || {
        text.to_string()
    })?;
    if let Some(signer) = amendment.signer() {
        output.say(format!(
            "For {signer} to sign: these bytes in a FILE, then: ssh-keygen -Y sign -n {APPROVAL_NAMESPACE} -f KEY FILE"
        ));
    }
    Ok(())
}

/// Prints the exact bytes of what is recorded under `id`.
pub(super) fn show_recorded(setting: &Setting, id: &str, output: &Output) -> Result<Exit, Failure> {
    let (_, recorded) = recorded(setting)?;
    let (amendment, bytes, revoked) = recorded.find(id)?;
    show(amendment, bytes, output)?;
    if *revoked {
        output.say(format!("{id} was revoked."));
    }
    Ok(Exit::Done)
}

/// Seals the signature of the person named in what is recorded under `id`.
pub(super) fn approve(setting: &Setting, id: &str, signature: &Path, output: &Output) -> Result<Exit, Failure> {
    let (_, recorded) = recorded(setting)?;
    let (amendment, bytes, _) = recorded.find(id)?;
    let signed =
        Signed { amendment: amendment.clone(), bytes: bytes.clone(), signature: bounded(signature, MAX_APPROVERS)? };
    seal(setting, Addition { signatures: vec![signed], ..Addition::default() }, output)
}

/// Seals the end of what is recorded under `id`.
pub(super) fn revoke(
    setting: &Setting,
    id: &str,
    (by, reason): (&str, &str),
    is: fn(&Amendment) -> bool,
    output: &Output,
) -> Result<Exit, Failure> {
    let (_, recorded) = recorded(setting)?;
    let (amendment, _, revoked) = recorded.find(id)?;
    if !is(amendment) {
        return Err(Failure::usage(format!("{id} is recorded as something else, which this command does not revoke")));
    }
    if *revoked {
        return Err(Failure::usage(format!("{id} was revoked already")));
    }
    if by.trim().is_empty() || reason.trim().is_empty() {
        return Err(Failure::usage("say who revokes it (--by) and why (--reason)"));
    }
    let revocation = Revocation {
        id: String::new(),
        of: id.to_owned(),
        by: by.trim().to_owned(),
        reason: reason.trim().to_owned(),
        at: clock::now(),
    };
    let named = Amendment::Revocation(revocation).named_by_content("R-").map_err(Failure::usage)?;
    seal(setting, Addition { amendments: vec![named], ..Addition::default() }, output)
}

/// Seals one statement, signed where a signature was given.
pub(super) fn add(
    setting: &Setting,
    amendment: Amendment,
    documents: Vec<Document>,
    signature: Option<&Path>,
    output: &Output,
) -> Result<Exit, Failure> {
    let mut addition = Addition { documents, ..Addition::default() };
    if let Some(path) = signature {
        let bytes = amendment.line().map_err(Failure::usage)?;
        let signature = bounded(path, MAX_APPROVERS)?;
        addition.signatures.push(Signed { amendment: amendment.clone(), bytes, signature });
    }
    addition.amendments.push(amendment);
    seal(setting, addition, output)
}

/// Seals what is new of `addition`. What is recorded already is recognised while no other writer can be at work.
pub(super) fn seal(setting: &Setting, mut addition: Addition, output: &Output) -> Result<Exit, Failure> {
    let (catalog, _) = sealing::catalog(setting, &[])?;
    let mut chain = sealing::chain(setting)?;
    let amended = period::amendments(chain.store(), chain.links()).map_err(Failure::usage)?;
    let recorded = Recorded::new(&amended);
    let (mut known, mut new) = (Vec::new(), Vec::new());
    for amendment in std::mem::take(&mut addition.amendments) {
        let id = amendment.id().to_owned();
        if recorded.has(&amendment).map_err(Failure::usage)? || new.contains(&amendment) {
            known.push(id);
        } else {
            new.push(amendment);
        }
    }
    let signed: Vec<String> = addition.signatures.iter().map(|s| s.amendment.id().to_owned()).collect();
    if new.is_empty() && signed.is_empty() {
        output.say(format!("Recorded already: {}. Nothing was sealed.", known.join(", ")));
        output.result(&json!({ "sealed": null, "recorded": [], "already": known, "signed": [] }), String::new)?;
        return Ok(Exit::Done);
    }
    if !signed.is_empty() {
        addition.approvers = approvers(setting)?;
        if addition.approvers.is_none() {
            let why = "a signature is checked against the approvers file, and orgproof.toml names none: add [approvals] \
                       approvers = \"approvers\", in the form of ssh-keygen's allowed_signers";
            return Err(Failure::usage(why));
        }
    }
    let new_ids: Vec<String> = new.iter().map(|a| a.id().to_owned()).collect();
    addition.amendments = new;
    let work = tempfile::tempdir()?;
    let staging = Staging::create(&work.path().join("staging")).map_err(Failure::usage)?;
    let sealing = Sealing {
        now: clock::now(),
        salt_key: clock::random32().map_err(Failure::usage)?,
        configuration: setting.config.digest,
        catalog: catalog.digest,
        overridden: clock::overrides().into_iter().collect(),
        tool: sealing::tool(),
    };
    let sealed = amend::amend(&mut chain, &staging, &addition, &sealing).map_err(Failure::usage)?;
    let archive = sealed.archive.clone().unwrap_or_default();
    sealing::reopen(setting, sealing::trust(&chain), std::slice::from_ref(&archive), Depth::Bytes)?;
    let sequence = sealed.statement.predicate.sequence;
    if !known.is_empty() {
        output.say(format!("Recorded already, not sealed again: {}.", known.join(", ")));
    }
    let document = json!({
        "sealed": { "archive": archive, "seal": sealed.digest, "sequence": sequence, "checkpoint": sealed.checkpoint },
        "recorded": new_ids, "already": known, "signed": signed,
    });
    output.result(&document, || {
        let ids = if new_ids.is_empty() { format!("signature for {}", signed.join(", ")) } else { new_ids.join("\n") };
        format!("{ids}\n")
    })?;
    output.say(format!("Sealed in {archive} (seal {sequence})."));
    Ok(Exit::Done)
}

/// One row of a spreadsheet that is faulty.
#[derive(Debug, serde::Serialize)]
struct RowFault {
    row: usize,
    column: String,
    why: String,
}

/// A row as an amendment: with the documents that it names, or all its faults.
pub(super) type FromRow<'a> = dyn Fn(&Fields) -> Result<(Amendment, Vec<Document>), Vec<FieldFault>> + 'a;

/// Brings a spreadsheet in: nothing where any row is faulty, all faults at once.
pub(super) fn import(
    setting: &Setting,
    path: &Path,
    columns: &'static [&'static str],
    dry_run: bool,
    read: &FromRow<'_>,
    output: &Output,
) -> Result<Exit, Failure> {
    let table = Table::read(&bounded(path, table::MAX_BYTES)?);
    let table = table.map_err(|why| Failure::usage(format!("{}: {why}", path.display())))?;
    let (_, recorded) = recorded(setting)?;
    let mut faults: Vec<RowFault> = Vec::new();
    for name in table.header.iter().filter(|name| !name.is_empty() && !columns.contains(&name.as_str())) {
        let why = format!("there is no such column; there are: {}", columns.join(", "));
        faults.push(RowFault { row: table.header_row, column: name.clone(), why });
    }
    let mut addition = Addition::default();
    let mut rows: BTreeMap<String, (usize, Amendment)> = BTreeMap::new();
    for (row, cells) in &table.rows {
        let value = |column: &&'static str| {
            let at = table.header.iter().position(|name| name == column)?;
            Some((*column, cells.get(at)?.clone()))
        };
        let fields: Fields = columns.iter().filter_map(value).collect();
        let fault = |column: &str, why: String| RowFault { row: *row, column: column.to_owned(), why };
        let surplus = cells.iter().skip(table.header.len()).any(|cell| !cell.is_empty());
        if surplus {
            faults.push(fault("", "the row has more cells than the header".to_owned()));
        }
        match read(&fields) {
            Err(wrong) => faults.extend(wrong.into_iter().map(|f| fault(f.field, f.why))),
            Ok((amendment, documents)) => {
                if let Err(why) = recorded.has(&amendment) {
                    faults.push(fault("id", why));
                }
                let id = amendment.id().to_owned();
                if let Some((first, same)) = rows.get(&id) {
                    let what = if *same == amendment { "says the same" } else { "has the same id" };
                    faults.push(fault("id", format!("row {first} {what}: each is stated once")));
                }
                rows.entry(id).or_insert((*row, amendment.clone()));
                addition.amendments.push(amendment);
                addition.documents.extend(documents);
            }
        }
    }
    if !faults.is_empty() {
        let lines: Vec<String> = faults
            .iter()
            .map(|f| {
                format!(
                    "row {}{}: {}",
                    f.row,
                    if f.column.is_empty() { String::new() } else { format!(", column {}", f.column) },
                    f.why
                )
            })
            .collect();
        output.result(&json!({ "faults": faults, "sealed": null }), String::new)?;
        let message =
            format!("nothing was sealed; {} has {} faults:\n{}", path.display(), faults.len(), lines.join("\n"));
        return Err(Failure::usage(message));
    }
    if addition.amendments.is_empty() {
        return Err(Failure::usage(format!("{} has a header and no rows; nothing was sealed", path.display())));
    }
    if dry_run {
        let new = addition.amendments.iter().filter(|a| recorded.has(a) == Ok(false)).map(Amendment::id);
        let new: Vec<&str> = new.collect();
        let already = addition.amendments.len() - new.len();
        output.say(format!(
            "No faults. {} would be sealed, {already} are recorded already. Nothing was sealed.",
            new.len()
        ));
        output.result(&json!({ "faults": [], "sealed": null, "would_record": new }), || new.join("\n"))?;
        return Ok(Exit::Done);
    }
    seal(setting, addition, output)
}

/// Prints the header of a spreadsheet for `import`, and one example row.
pub(super) fn template(columns: &[&str], example: &[(&str, &str)], output: &Output) -> Result<Exit, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let cell = |column: &&str| example.iter().find(|(name, _)| name == column).map_or("", |(_, value)| *value);
    writer.write_record(columns).map_err(Failure::usage)?;
    writer.write_record(columns.iter().map(cell)).map_err(Failure::usage)?;
    let text = String::from_utf8_lossy(&writer.into_inner().map_err(Failure::usage)?).into_owned();
    output.result(&json!({ "columns": columns, "csv": text }), || text.clone())?;
    Ok(Exit::Done)
}

/// Opens documents; each fault under its path.
pub(super) fn documents(paths: &[PathBuf]) -> Result<Vec<Document>, Vec<FieldFault>> {
    let (good, bad): (Vec<_>, Vec<_>) = paths.iter().map(|path| Document::open(path)).partition(Result::is_ok);
    if bad.is_empty() {
        return Ok(good.into_iter().flatten().collect());
    }
    Err(bad.into_iter().filter_map(Result::err).map(|e| FieldFault { field: "files", why: e.to_string() }).collect())
}
