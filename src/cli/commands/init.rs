//! `orgproof init`: writes a commented configuration, never over an existing one.

use std::{fs::OpenOptions, io::Write, path::Path};

use super::super::{Exit, Failure, Output};
use crate::config::TEMPLATE;

pub(super) fn run(path: &Path, output: &Output) -> Result<Exit, Failure> {
    let shown = path.display();
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| {
        let next = match error.kind() {
            std::io::ErrorKind::AlreadyExists => "it is there already and stays as it is: name another with --config",
            std::io::ErrorKind::NotFound => "its folder does not exist: create it first",
            _ => "choose a place that can be written with --config",
        };
        Failure::usage(format!("{shown}: {error}; {next}"))
    })?;
    file.write_all(TEMPLATE.as_bytes())?;
    output.say(format!("Wrote {shown}. Next: edit it, then 'orgproof keys generate --out keys/seal.pem'."));
    output.result(&serde_json::json!({ "written": path }), String::new)?;
    Ok(Exit::Done)
}
