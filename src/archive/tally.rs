//! `data/tally.ndjson` of an assessment archive: how many records there are of each account and of each check.
//!
//! A few records can be shown to be genuine; that none was left out can be shown only against a number that was sealed. This file is
//! that number for every account and every check, one a line, under a salted tree of its own (`.tally` in the seal), so that one of
//! its lines can be shown without the others. Whoever has the archive counts for himself: the verifier does.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read},
};

use serde::{Deserialize, Serialize};

use super::{ArchiveError, Staging, records, seal::Kind};

/// Where it lies.
pub const TALLY: &str = "data/tally.ndjson";

/// More names than any organisation has: what a hostile archive may make a verifier remember.
const MAX_NAMES: usize = 200_000;

/// One line: the number of records of an account, or of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TallyLine {
    /// The account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// How many records name it.
    pub records: u64,
}

impl TallyLine {
    /// Returns what is counted, in words.
    pub fn words(&self) -> String {
        match (&self.account, &self.check) {
            (Some(account), _) => format!("the records of account {}", account.replace(['\n', '\r'], " ")),
            (None, Some(check)) => format!("the records of check {}", check.replace(['\n', '\r'], " ")),
            (None, None) => "the records of nothing".to_owned(),
        }
    }
}

/// What a record names.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Named {
    /// Its account.
    pub account: Option<String>,
    /// Its check.
    pub check: Option<String>,
}

/// Counts records.
#[derive(Debug, Default)]
pub struct Tally {
    accounts: BTreeMap<String, u64>,
    checks: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts the lines of a file, which `path` names in errors.
    ///
    /// # Errors
    /// Where it cannot be read, a line is no JSON object, or it names more accounts and checks than there can be.
    pub fn count(&mut self, path: &str, reader: impl Read) -> Result<(), ArchiveError> {
        let mut reader = BufReader::new(reader);
        let (mut line, mut number) = (Vec::new(), 0);
        loop {
            line.clear();
            let io = |source| ArchiveError::Io { action: "read", path: path.to_owned(), source };
            if reader.read_until(b'\n', &mut line).map_err(io)? == 0 {
                return Ok(());
            }
            number += 1;
            let named: Named =
                serde_json::from_slice(&line).map_err(|e| ArchiveError::malformed(path, Some(number), e))?;
            for (names, name) in [(&mut self.accounts, named.account), (&mut self.checks, named.check)] {
                if let Some(name) = name {
                    *names.entry(name).or_default() += 1;
                }
            }
            if self.accounts.len() + self.checks.len() > MAX_NAMES {
                return Err(ArchiveError::malformed(path, Some(number), "too many different accounts and checks"));
            }
        }
    }

    /// Returns the file's bytes: accounts, then checks, each in ascending order.
    ///
    /// # Errors
    /// Never in practice: a name and a number have a JSON form.
    pub fn render(&self) -> Result<Vec<u8>, serde_json::Error> {
        let accounts = self.accounts.iter().map(|(name, records)| TallyLine {
            account: Some(name.clone()),
            check: None,
            records: *records,
        });
        let checks =
            self.checks.iter().map(|(name, n)| TallyLine { account: None, check: Some(name.clone()), records: *n });
        let mut bytes = Vec::new();
        for line in accounts.chain(checks) {
            serde_json::to_writer(&mut bytes, &line)?;
            bytes.push(b'\n');
        }
        Ok(bytes)
    }
}

/// Writes the tally of what is staged, where that is an assessment.
pub(super) fn write(staging: &Staging, kind: Kind) -> Result<(), ArchiveError> {
    let is_record = records::record_paths(kind);
    let paths: Vec<String> = staging.files()?.into_iter().map(|(path, _)| path).filter(|p| is_record(p)).collect();
    if !kind.is_assessment() || paths.is_empty() || staging.get(TALLY).is_some() {
        return Ok(());
    }
    let mut tally = Tally::default();
    for path in paths {
        tally.count(&path, staging.open(&path)?)?;
    }
    let bytes = tally.render().map_err(|e| ArchiveError::malformed(TALLY, None, e))?;
    staging.add(TALLY, &bytes).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_and_checks_are_counted_each_for_itself() {
        let mut tally = Tally::default();
        let lines = b"{\"check\":\"b\",\"account\":\"2\"}\n{\"check\":\"a\",\"account\":\"1\"}\n{\"check\":\"b\",\"account\":\"1\",\"x\":1}";
        tally.count("x", lines.as_slice()).unwrap();
        let expected = "{\"account\":\"1\",\"records\":2}\n{\"account\":\"2\",\"records\":1}\n\
                        {\"check\":\"a\",\"records\":1}\n{\"check\":\"b\",\"records\":2}\n";
        assert_eq!(String::from_utf8(tally.render().unwrap()).unwrap(), expected);
        assert!(tally.count("x", b"no json\n".as_slice()).is_err());
    }
}
