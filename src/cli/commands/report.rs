//! `orgproof report`: an assessment archive in one of the forms that people and programs read. Offline.

use std::path::Path;

use serde_json::json;

use super::super::{Exit, Failure, Output};
use crate::{
    audit,
    report::{self, Language},
};

pub(super) fn run(input: &Path, format: &str, out: &Path, lang: &str, output: &Output) -> Result<Exit, Failure> {
    let language = lang.parse::<Language>().map_err(Failure::usage)?;
    let (assessment, provenance) = audit::open_assessment(input).map_err(Failure::usage)?;
    let files = report::render_in(language, format, &assessment, &provenance).map_err(Failure::usage)?;
    std::fs::create_dir_all(out).map_err(|e| Failure::usage(format!("{}: {e}", out.display())))?;
    let mut written = Vec::new();
    for (name, bytes) in files {
        let path = out.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&path, bytes).map_err(|e| Failure::usage(format!("{}: {e}", path.display())))?;
        written.push(path);
    }
    output.result(&json!({ "written": written }), || {
        written.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join("\n")
    })?;
    Ok(Exit::Done)
}
