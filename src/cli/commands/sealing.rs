//! What the commands that read or write a store have in common.

use std::path::{Path, PathBuf};

use super::{
    super::{Exit, Failure, clock},
    Setting,
};
use crate::{
    archive::{chain::Chain, seal::Tool},
    audit::Reperformance,
    catalog::{self, Catalog, CatalogFiles},
    config::Config,
    model::{Period, Sha256Digest},
    sign,
    store::{self, Store, Writer},
    verify::{self, Depth, Options, Trust},
};

/// The period that was named, or the one that contains now.
pub(super) fn period(config: &Config, label: Option<&str>) -> Result<Period, Failure> {
    match label {
        Some(label) => config.schedule.period(label),
        None => config.schedule.period_at(clock::now()),
    }
    .map_err(Failure::usage)
}

/// The catalogue that the configuration names, with further files of the user's.
pub(super) fn catalog(setting: &Setting, with: &[PathBuf]) -> Result<(Catalog, CatalogFiles), Failure> {
    let mut wanted = setting.config.frameworks.clone();
    for file in with {
        let path = std::path::absolute(file).map_err(Failure::usage)?;
        wanted.push(path.display().to_string());
    }
    catalog::load(&wanted, &setting.base)
        .map_err(|faults| Failure::usage(format!("the catalogue has faults:\n{faults}")))
}

/// The store, for reading.
pub(super) fn store(setting: &Setting) -> Result<Box<dyn Store>, Failure> {
    store::open(&setting.config.store, &setting.base).map_err(Failure::usage)
}

/// The store, for this program as its writer.
fn store_to_write(setting: &Setting) -> Result<Box<dyn Store>, Failure> {
    let mut holder = [0; 16];
    holder.copy_from_slice(&clock::random32().map_err(Failure::usage)?[..16]);
    let writer = Writer { retention: setting.config.retention, holder };
    store::open_for(writer, &setting.config.store, &setting.base).map_err(Failure::usage)
}

/// What the seals of a command must say besides the clock, where it asks AWS only for its store or key.
pub(super) fn overrides(setting: &Setting) -> Vec<String> {
    #[cfg_attr(not(feature = "aws"), expect(unused_mut, reason = "nothing is asked over the network then"))]
    let mut all: Vec<String> = clock::overrides().into_iter().collect();
    #[cfg(feature = "aws")]
    if setting.config.store.starts_with("s3:") || setting.config.key.starts_with("awskms:") {
        all.extend(crate::aws::declared_overrides());
    }
    let _ = setting;
    all
}

/// The chain, for writing.
pub(super) fn chain(setting: &Setting) -> Result<Chain, Failure> {
    let signer = sign::open(&setting.config.key, &setting.base).map_err(Failure::usage)?;
    let random = clock::random32().map_err(Failure::usage)?;
    let mut fresh = [0; 16];
    fresh.copy_from_slice(&random[..16]);
    Chain::open(store_to_write(setting)?, signer, &fresh).map_err(Failure::usage)
}

/// Reopens what was just sealed, through the verifier that an auditor runs: objects `names` of the store, to `depth`. From a store
/// that is not local they are read back.
pub(super) fn reopen(setting: &Setting, names: &[String], depth: Depth) -> Result<(), Failure> {
    let store = store(setting)?;
    let paths: Vec<PathBuf> = names.iter().map(|name| store.address(name)).collect();
    let signer = sign::open(&setting.config.key, &setting.base).map_err(Failure::usage)?;
    let options = Options { trust: Trust::key(signer.public_key()), depth, checkpoint: None, now: clock::now() };
    let report = verify::verify(&paths, &options, Some(&Reperformance));
    if report.problems.is_empty() {
        return Ok(());
    }
    let message = "what was just sealed does not verify: keep the store as it is, and report this";
    Err(Failure { exit: Exit::Failed, message: format!("{message}\n{}", report.render()) })
}

/// This program, with the digest of its executable where that can be read.
pub(super) fn tool() -> Tool {
    Tool::this(std::env::current_exe().ok().and_then(|path| digest(&path)))
}

fn digest(path: &Path) -> Option<Sha256Digest> {
    Some(Sha256Digest::of(std::fs::read(path).ok()?))
}
