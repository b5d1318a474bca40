//! `orgproof export`: an encrypted copy for the auditor.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::json;

use super::super::{Exit, Failure, Output};
use crate::{
    archive::{Reader, chain},
    audit::export,
    crypt::Recipients,
    model::Sha256Digest,
    store::{self, Store},
};

/// What to hand over, and to whom.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// An archive, or a store as a whole
    #[arg(value_name = "ARCHIVE|STORE")]
    input: PathBuf,
    /// Who can decrypt it: age1…, "ssh-ed25519 …", "ssh-rsa …", or a file that lists such; may be given more than once
    #[arg(long, required = true, value_name = "RECIPIENT|FILE")]
    to: Vec<String>,
    /// The encrypted copy, readable by its owner only
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// What is being handed over.
enum Source {
    Archive { file: File, seal: Sha256Digest },
    Store { store: Box<dyn Store>, newest: Option<(u64, Sha256Digest)> },
}

pub(super) fn run(args: &ExportArgs, output: &Output) -> Result<Exit, Failure> {
    let recipients = Recipients::parse(&args.to, Path::new("")).map_err(Failure::usage)?;
    let source = source(&args.input)?;
    let name = args.input.file_name().map_or_else(|| "evidence".to_owned(), |n| n.to_string_lossy().into_owned());
    let out = &args.out;
    let refuse = |e: &dyn std::fmt::Display| Failure::usage(format!("{}: {e}", out.display()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(out).map_err(|e| refuse(&format!("{e}; name a new file with --out")))?;
    let bytes = match write(&source, &name, &recipients, &file) {
        Ok(bytes) => bytes,
        Err(failure) => {
            // Half a copy would decrypt to nothing.
            let _ = std::fs::remove_file(out);
            return Err(refuse(&failure));
        }
    };
    let (what, seal) = source.words(&name);
    let (copy, people) = (out.display(), recipients.count());
    output.say(format!(
        "{copy}: {what}, encrypted (age) to {people} recipient{}. {seal} The encryption is no part of what is sealed: what is decrypted has \
         the same seal, and is verified as before.",
        if people == 1 { "" } else { "s" }
    ));
    let (decrypt, verify) = source.commands(&name, out);
    output.say(format!(
        "Its receiver, with stock age (or rage) and the key that belongs to a recipient:\n  {decrypt}\n  {verify}"
    ));
    let document = json!({ "copy": out, "bytes": bytes, "recipients": people, "seal": source.seal(),
                           "decrypt": decrypt, "verify": verify });
    output.result(&document, || copy.to_string())?;
    Ok(Exit::Done)
}

fn source(input: &Path) -> Result<Source, Failure> {
    let shown = input.display().to_string();
    let url = ["file:", "s3:"].iter().any(|scheme| shown.starts_with(scheme));
    if url || input.join("chain").is_dir() {
        let url = if url { shown } else { format!("file:{shown}") };
        let store = store::open(&url, Path::new("")).map_err(Failure::usage)?;
        let links = chain::read(&*store).map_err(Failure::usage)?;
        let newest = links.last().map(|link| (link.seal().sequence, link.digest));
        return Ok(Source::Store { store, newest });
    }
    if input.is_dir() {
        return Err(Failure::usage(format!("{shown} is no store: name one, or an archive's zip")));
    }
    let seal = Reader::open(input).map_err(|e| Failure::usage(format!("{shown}: {e}")))?.seal_digest();
    Ok(Source::Archive { file: File::open(input)?, seal })
}

fn write(source: &Source, name: &str, recipients: &Recipients, file: &File) -> Result<u64, export::ExportError> {
    let mut sealed = recipients.encrypt(BufWriter::new(file))?;
    match source {
        Source::Archive { file, .. } => drop(io::copy(&mut &*file, &mut sealed)?),
        Source::Store { store, .. } => drop(export::store(&**store, name, &mut sealed)?),
    }
    sealed.finish()?.flush()?;
    file.sync_all()?;
    Ok(file.metadata()?.len())
}

impl Source {
    fn seal(&self) -> Option<Sha256Digest> {
        match self {
            Self::Archive { seal, .. } => Some(*seal),
            Self::Store { newest, .. } => newest.map(|(_, seal)| seal),
        }
    }

    fn words(&self, name: &str) -> (String, String) {
        match self {
            Self::Archive { seal, .. } => {
                (format!("a copy of {name}"), format!("Its identity stays the SHA-256 of its seal.json, {seal}."))
            }
            Self::Store { newest, .. } => {
                let newest = newest.map_or_else(
                    || "It holds no seal.".to_owned(),
                    |(sequence, seal)| format!("Its newest seal is {sequence}, {seal}."),
                );
                (format!("a copy of the store {name} (a tar)"), newest)
            }
        }
    }

    fn commands(&self, name: &str, out: &Path) -> (String, String) {
        let copy = out.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let decrypt = match self {
            Self::Archive { .. } => format!("age -d -i KEY -o {name} {copy}"),
            Self::Store { .. } => format!("age -d -i KEY {copy} | tar -x"),
        };
        (decrypt, format!("orgproof verify {name} --trust FINGERPRINT"))
    }
}
