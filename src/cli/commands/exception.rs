//! `orgproof exception`: decisions to live with a failure for a time. Sealed at once; revoked by a further amendment, never deleted.

use std::{fmt::Write as _, path::PathBuf};

use clap::{Args, Subcommand};

use super::{
    super::{Exit, Failure, Output, one_line},
    Setting, amending, sealing,
};
use crate::{
    audit::{
        additions::Stands,
        stated::{self, EXCEPTION, Fields},
    },
    model::{Amendment, Exception, Validity},
};

/// `orgproof exception …`
#[derive(Debug, Subcommand)]
pub enum ExceptionCommand {
    /// Record an exception: sealed into the chain at once
    Add(Box<Add>),
    /// List exceptions: what stands, what ends soon, what lapsed or was revoked
    List {
        /// What ends within this many days ends soon
        #[arg(long, value_name = "DAYS", default_value_t = 30)]
        within: i64,
    },
    /// Print the exact bytes of a recorded exception: what its approver signs
    Show {
        /// Its id
        id: String,
    },
    /// Add the approver's signature to a recorded exception
    Approve {
        /// Its id
        id: String,
        /// What 'ssh-keygen -Y sign -n orgproof-approval-v1' made of the bytes that 'show' prints
        #[arg(long, value_name = "FILE")]
        signature: PathBuf,
    },
    /// End an exception before its time: a further amendment, nothing is deleted
    Revoke {
        /// Its id
        id: String,
        /// Who revokes it
        #[arg(long, value_name = "NAME")]
        by: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Bring exceptions in from a spreadsheet: all of them, or none and every fault with its row and column
    Import {
        /// CSV, or an XLSX workbook (its first sheet)
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

/// What an exception states. A date without a time is a day of the configured time zone; an end includes its day.
#[derive(Debug, Args)]
pub struct Add {
    /// The check whose failures it concerns, such as securityhub/S3.8
    #[arg(long, value_name = "ID")]
    check: String,
    /// Only in this account
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// Only below this organizational unit or root (ou-…, r-…)
    #[arg(long, value_name = "OU")]
    ou: Option<String>,
    /// Only in accounts with this tag
    #[arg(long, value_name = "KEY=VALUE")]
    tag: Option<String>,
    /// Only in this Region
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// Only for the resource of exactly this id
    #[arg(long, value_name = "ID")]
    resource: Option<String>,
    /// In the whole organisation, where nothing above narrows it
    #[arg(long)]
    everywhere: bool,
    /// Who answers for the failure
    #[arg(long, value_name = "NAME")]
    owner: String,
    /// Who accepted it: somebody else
    #[arg(long, value_name = "NAME")]
    approver: String,
    /// Why the failure is lived with
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// What stands in for the control meanwhile
    #[arg(long, value_name = "TEXT")]
    compensating: Option<String>,
    /// From when it counts (default, and at the earliest: when it is sealed)
    #[arg(long, value_name = "DATE")]
    from: Option<String>,
    /// Until when it counts
    #[arg(long, value_name = "DATE")]
    expires: String,
    /// Its id, such as a ticket's (default: made of its content)
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Print the bytes that the approver signs, and seal nothing
    #[arg(long, conflicts_with = "signature")]
    print: bool,
    /// The approver's signature over these bytes: ssh-keygen -Y sign -n orgproof-approval-v1
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
}

pub(super) fn run(command: &ExceptionCommand, setting: &Setting, output: &Output) -> Result<Exit, Failure> {
    match command {
        ExceptionCommand::Add(add) => {
            let (catalog, _) = sealing::catalog(setting, &[])?;
            let context = amending::context(setting, &catalog);
            let exception = stated::exception(&add.fields(), add.everywhere, &context);
            let exception = exception.map_err(|faults| amending::refused(&faults))?;
            if add.print {
                return amending::print(&exception, output);
            }
            amending::add(setting, exception, Vec::new(), add.signature.as_deref(), output)
        }
        ExceptionCommand::List { within } => {
            let standing = amending::stands(setting, None, *within)?;
            output.result(&standing.exceptions, || human(&standing.exceptions))?;
            Ok(Exit::Done)
        }
        ExceptionCommand::Show { id } => amending::show_recorded(setting, id, output),
        ExceptionCommand::Approve { id, signature } => amending::approve(setting, id, signature, output),
        ExceptionCommand::Revoke { id, by, reason } => {
            let is = |amendment: &Amendment| matches!(amendment, Amendment::Exception(_));
            amending::revoke(setting, id, (by, reason), is, output)
        }
        ExceptionCommand::Import { template: true, .. } => amending::template(&EXCEPTION, &EXAMPLE, output),
        ExceptionCommand::Import { file, dry_run, .. } => {
            let (catalog, _) = sealing::catalog(setting, &[])?;
            let context = amending::context(setting, &catalog);
            let read = |fields: &Fields| Ok((stated::exception(fields, false, &context)?, Vec::new()));
            amending::import(setting, file.as_deref().unwrap_or(&setting.base), &EXCEPTION, *dry_run, &read, output)
        }
    }
}

const EXAMPLE: [(&str, &str); 8] = [
    ("check", "securityhub/S3.8"),
    ("account", "111122223333"),
    ("resource", "arn:aws:s3:::website"),
    ("owner", "web-team@example.com"),
    ("approver", "ciso@example.com"),
    ("reason", "the bucket serves the public website"),
    ("compensating", "its content is reviewed every week"),
    ("expires", "2027-03-31"),
];

impl Add {
    fn fields(&self) -> Fields {
        let some = |text: &String| Some(text.clone());
        let all = [
            ("id", self.id.clone()),
            ("check", some(&self.check)),
            ("account", self.account.clone()),
            ("ou", self.ou.clone()),
            ("tag", self.tag.clone()),
            ("region", self.region.clone()),
            ("resource", self.resource.clone()),
            ("owner", some(&self.owner)),
            ("approver", some(&self.approver)),
            ("reason", some(&self.reason)),
            ("compensating", self.compensating.clone()),
            ("from", self.from.clone()),
            ("expires", some(&self.expires)),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

fn human(exceptions: &[Stands<Exception>]) -> String {
    if exceptions.is_empty() {
        return "No exception is recorded.\n".to_owned();
    }
    let mut text = String::new();
    let groups = [
        ("In force, ending soon", Validity::InForce, true),
        ("In force", Validity::InForce, false),
        ("Not yet in force", Validity::NotYet, false),
        ("Lapsed", Validity::Lapsed, false),
        ("Revoked", Validity::Revoked, false),
        ("Without effect", Validity::Void, false),
    ];
    for (title, validity, soon) in groups {
        let group: Vec<_> = exceptions.iter().filter(|e| (e.validity, e.ends_soon) == (validity, soon)).collect();
        if group.is_empty() {
            continue;
        }
        let _ = writeln!(text, "{title}: {}", group.len());
        for entry in group {
            one(&mut text, entry);
        }
    }
    text
}

fn one(text: &mut String, entry: &Stands<Exception>) {
    let exception = &entry.stated;
    let _ = writeln!(text, "  {}  {}  {}", exception.id, exception.check, scope(exception));
    let _ = writeln!(
        text,
        "    until {}; owner {}; approved by {} ({})",
        exception.expires,
        one_line(&exception.owner),
        one_line(&exception.approver),
        entry.authentication.words()
    );
    let _ = writeln!(text, "    {}", one_line(&exception.reason));
    if let Some(why) = &entry.why {
        let _ = writeln!(text, "    no effect: {}", one_line(why));
    }
}

/// The scope in words.
pub(super) fn scope(exception: &Exception) -> String {
    let parts = [
        exception.account.as_ref().map(|a| format!("account {a}")),
        exception.ou.as_ref().map(|ou| format!("below {ou}")),
        exception.tag.as_ref().map(|tag| format!("tag {tag}")),
        exception.region.as_ref().map(|r| format!("in {r}")),
        exception.resource.as_ref().map(|r| format!("resource {r}")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "the whole organisation".to_owned() } else { one_line(&parts.join(", ")) }
}
