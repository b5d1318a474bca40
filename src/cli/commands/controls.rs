//! `orgproof controls`: reads and checks the catalogue.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::super::{Exit, Failure, Output, args::ControlsCommand};
use crate::{
    catalog::{self, Catalog, view},
    config::Config,
};

pub(super) fn run(command: &ControlsCommand, config: &Path, output: &Output) -> Result<Exit, Failure> {
    match command {
        ControlsCommand::Lint { wanted } => lint(wanted, config, output),
        ControlsCommand::List => {
            let all = every_shipped()?;
            let rows = view::coverage(&all);
            output.result(&rows, || view::list_text(&rows))?;
            Ok(Exit::Done)
        }
        ControlsCommand::Show { name, requirement } => {
            let catalog = wanted(config)?;
            let shown = view::find(&catalog, name, requirement.as_deref()).map_err(Failure::usage)?.text("en");
            output.result(&json!({ "name": name, "text": shown }), || shown.clone())?;
            Ok(Exit::Done)
        }
        ControlsCommand::Matrix => {
            let catalog = wanted(config)?;
            let rows = view::matrix(&catalog, "en");
            output.result(&rows, || view::matrix_text(&rows))?;
            Ok(Exit::Done)
        }
        ControlsCommand::Coverage => {
            let catalog = wanted(config)?;
            let rows = view::coverage(&catalog);
            output.result(&rows, || view::coverage_text(&rows))?;
            Ok(Exit::Done)
        }
    }
}

fn lint(files: &[String], config: &Path, output: &Output) -> Result<Exit, Failure> {
    let (entries, base) = if files.is_empty() { entries(config)? } else { (files.to_vec(), PathBuf::from(".")) };
    match catalog::load(&entries, &base) {
        Ok((catalog, _)) => {
            let requirements: usize = catalog.frameworks.iter().map(|f| f.requirements.len()).sum();
            output.result(&json!({ "faults": [], "digest": catalog.digest }), || {
                format!(
                    "No faults: {} frameworks, {requirements} requirements, {} checks; digest {}",
                    catalog.frameworks.len(),
                    catalog.checks.len(),
                    catalog.digest
                )
            })?;
            Ok(Exit::Done)
        }
        Err(faults) => {
            let list: Vec<_> = faults
                .0
                .iter()
                .map(|f| json!({ "file": f.file, "line": f.line, "code": f.code, "what": f.what, "help": f.help }))
                .collect();
            output.result(&json!({ "faults": list }), || faults.to_string())?;
            Ok(Exit::Usage)
        }
    }
}

/// What the configuration asks for; every shipped framework where there is no configuration.
fn entries(config: &Path) -> Result<(Vec<String>, PathBuf), Failure> {
    if config.exists() {
        let loaded = Config::load(config).map_err(Failure::usage)?;
        Ok((loaded.frameworks, super::base(config)))
    } else {
        Ok((catalog::shipped().into_iter().map(str::to_owned).collect(), PathBuf::from(".")))
    }
}

fn wanted(config: &Path) -> Result<Catalog, Failure> {
    let (entries, base) = entries(config)?;
    Ok(catalog::load(&entries, &base).map_err(Failure::usage)?.0)
}

fn every_shipped() -> Result<Catalog, Failure> {
    let all: Vec<String> = catalog::shipped().into_iter().map(str::to_owned).collect();
    Ok(catalog::load(&all, Path::new(".")).map_err(Failure::usage)?.0)
}
