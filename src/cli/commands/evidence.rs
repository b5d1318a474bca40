//! `orgproof evidence`: manual evidence, a person's word on a checklist item with the documents behind it. Sealed at once.

use std::{fmt::Write as _, path::PathBuf};

use clap::{Args, Subcommand};

use super::{
    super::{Exit, Failure, Output, one_line},
    Setting, amending, sealing,
};
use crate::{
    audit::{
        additions::{Additions, Stands},
        stated::{self, ATTESTATION, Fields},
    },
    model::{Amendment, Attestation, Validity},
};

/// `orgproof evidence …`
#[derive(Debug, Subcommand)]
pub enum EvidenceCommand {
    /// Record manual evidence: sealed into the chain at once
    Add(Box<Add>),
    /// List manual evidence: what stands, what ends soon, what lapsed, and the items that nobody has answered
    List {
        /// What ends within this many days ends soon
        #[arg(long, value_name = "DAYS", default_value_t = 30)]
        within: i64,
    },
    /// Print the exact bytes of a recorded attestation: what its author signs
    Show {
        /// Its id
        id: String,
    },
    /// Add its author's signature to a recorded attestation
    Approve {
        /// Its id
        id: String,
        /// What 'ssh-keygen -Y sign -n orgproof-approval-v1' made of the bytes that 'show' prints
        #[arg(long, value_name = "FILE")]
        signature: PathBuf,
    },
    /// Withdraw an attestation: a further amendment, nothing is deleted
    Revoke {
        /// Its id
        id: String,
        /// Who withdraws it
        #[arg(long, value_name = "NAME")]
        by: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Bring manual evidence in from a spreadsheet: all of it, or nothing and every fault with its row and column
    Import {
        /// CSV, or an XLSX workbook (its first sheet); documents are named in the column files, parted by ';', relative to it
        #[arg(value_name = "FILE", required_unless_present = "template")]
        file: Option<PathBuf>,
        /// Check every row, and seal nothing
        #[arg(long)]
        dry_run: bool,
        /// Print the columns with an example row
        #[arg(long)]
        template: bool,
    },
}

/// What an attestation states. A date without a time is a day of the configured time zone; an end includes its day.
#[derive(Debug, Args)]
pub struct Add {
    /// Documents behind it, of any kind, at most 64 MiB each
    #[arg(value_name = "DOCUMENT")]
    files: Vec<PathBuf>,
    /// The item, as framework/requirement/item; framework/requirement where it has only one that a person confirms
    #[arg(long, value_name = "ITEM")]
    item: String,
    /// What was found
    #[arg(long, value_name = "TEXT")]
    statement: String,
    /// Who says so
    #[arg(long, value_name = "NAME")]
    by: String,
    /// When it was seen
    #[arg(long, value_name = "DATE")]
    observed: String,
    /// Until when it counts
    #[arg(long, value_name = "DATE")]
    valid_until: String,
    /// The item was found to hold
    #[arg(long, group = "found", required_unless_present = "does_not_hold")]
    holds: bool,
    /// The item was found not to hold
    #[arg(long, group = "found")]
    does_not_hold: bool,
    /// Its id (default: made of its content)
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Print the bytes that its author signs, and seal nothing
    #[arg(long, conflicts_with = "signature")]
    print: bool,
    /// Its author's signature over these bytes: ssh-keygen -Y sign -n orgproof-approval-v1
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
}

pub(super) fn run(command: &EvidenceCommand, setting: &Setting, output: &Output) -> Result<Exit, Failure> {
    match command {
        EvidenceCommand::Add(add) => {
            let (catalog, _) = sealing::catalog(setting, &[])?;
            let documents = amending::documents(&add.files).map_err(|faults| amending::refused(&faults))?;
            let attached = documents.iter().map(|d| d.attached.clone()).collect();
            let stated = stated::attestation(&add.fields(), attached, &amending::context(setting, &catalog));
            let attestation = stated.map_err(|faults| amending::refused(&faults))?;
            if add.print {
                return amending::print(&attestation, output);
            }
            amending::add(setting, attestation, documents, add.signature.as_deref(), output)
        }
        EvidenceCommand::List { within } => {
            let (catalog, _) = sealing::catalog(setting, &[])?;
            let standing = amending::stands(setting, Some(&catalog), *within)?;
            let value = serde_json::json!({ "attestations": standing.attestations, "unanswered": standing.unanswered });
            output.result(&value, || human(&standing))?;
            Ok(Exit::Done)
        }
        EvidenceCommand::Show { id } => amending::show_recorded(setting, id, output),
        EvidenceCommand::Approve { id, signature } => amending::approve(setting, id, signature, output),
        EvidenceCommand::Revoke { id, by, reason } => {
            let is = |amendment: &Amendment| matches!(amendment, Amendment::Attestation(_));
            amending::revoke(setting, id, (by, reason), is, output)
        }
        EvidenceCommand::Import { template: true, .. } => amending::template(&ATTESTATION, &EXAMPLE, output),
        EvidenceCommand::Import { file, dry_run, .. } => {
            let file = file.as_deref().unwrap_or(&setting.base);
            let (catalog, _) = sealing::catalog(setting, &[])?;
            let context = amending::context(setting, &catalog);
            let folder = super::base(file);
            let read = |fields: &Fields| {
                let named = fields.get("files").map(String::as_str).unwrap_or_default().split(';').map(str::trim);
                let paths: Vec<PathBuf> = named.filter(|name| !name.is_empty()).map(|name| folder.join(name)).collect();
                let documents = amending::documents(&paths);
                let attached = documents.iter().flatten().map(|d| d.attached.clone()).collect();
                match (stated::attestation(fields, attached, &context), documents) {
                    (Ok(attestation), Ok(documents)) => Ok((attestation, documents)),
                    (stated, documents) => Err(stated.err().into_iter().chain(documents.err()).flatten().collect()),
                }
            };
            amending::import(setting, file, &ATTESTATION, *dry_run, &read, output)
        }
    }
}

const EXAMPLE: [(&str, &str); 7] = [
    ("item", "cis-aws-3.0/1.1/1"),
    ("statement", "Contact details of all accounts were compared with the list of owners"),
    ("holds", "yes"),
    ("by", "cloud-team@example.com"),
    ("observed", "2026-10-15"),
    ("valid-until", "2026-12-31"),
    ("files", "contacts.pdf; approval.eml"),
];

impl Add {
    fn fields(&self) -> Fields {
        let some = |text: &String| Some(text.clone());
        let all = [
            ("id", self.id.clone()),
            ("item", some(&self.item)),
            ("statement", some(&self.statement)),
            ("holds", Some(if self.holds { "yes" } else { "no" }.to_owned())),
            ("by", some(&self.by)),
            ("observed", some(&self.observed)),
            ("valid-until", some(&self.valid_until)),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

fn human(standing: &Additions) -> String {
    let mut text = String::new();
    let groups = [
        ("In force, ending soon", Validity::InForce, true),
        ("In force", Validity::InForce, false),
        ("Not yet in force", Validity::NotYet, false),
        ("Lapsed", Validity::Lapsed, false),
        ("Withdrawn", Validity::Revoked, false),
        ("Without effect", Validity::Void, false),
    ];
    for (title, validity, soon) in groups {
        let group: Vec<_> =
            standing.attestations.iter().filter(|e| (e.validity, e.ends_soon) == (validity, soon)).collect();
        if !group.is_empty() {
            let _ = writeln!(text, "{title}: {}", group.len());
            group.iter().for_each(|entry| one(&mut text, entry));
        }
    }
    let _ = writeln!(text, "Items that a person has to confirm and nobody has: {}", standing.unanswered.len());
    for open in &standing.unanswered {
        let _ = writeln!(text, "  {}  {}\n    {}", open.item, one_line(&open.title), one_line(&open.wanted));
    }
    text
}

fn one(text: &mut String, entry: &Stands<Attestation>) {
    let attestation = &entry.stated;
    let Attestation { id, framework, requirement, item, by, observed, valid_until, statement, holds, files } =
        attestation;
    let found = if *holds { "holds" } else { "DOES NOT HOLD" };
    let _ = writeln!(text, "  {id}  {framework}/{requirement}/{item}  {found}");
    let _ = writeln!(
        text,
        "    seen {observed}, until {valid_until}, by {} ({}); {} documents",
        one_line(by),
        entry.authentication.words(),
        files.len()
    );
    let _ = writeln!(text, "    {}", one_line(statement));
    if let Some(why) = &entry.why {
        let _ = writeln!(text, "    no effect: {}", one_line(why));
    }
}
