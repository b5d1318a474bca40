//! What the commands that read or write a store have in common.

use std::path::{Path, PathBuf};

use super::{
    super::{
        Exit, Failure, clock,
        passphrase::{Passphrases, VARIABLE},
    },
    Setting,
};
use crate::{
    archive::{chain::Chain, seal::Tool},
    audit::Reperformance,
    catalog::{self, Catalog, CatalogFiles},
    config::Config,
    model::{Period, Sha256Digest},
    sign::{self, Access, Passphrase, SignError, Signer},
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

/// What the seals of a command must say besides the clock, where it asks AWS only for its store; a key of AWS KMS says it
/// itself.
pub(super) fn overrides(setting: &Setting) -> Vec<String> {
    #[cfg_attr(not(feature = "aws"), expect(unused_mut, reason = "nothing is asked over the network then"))]
    let mut all: Vec<String> = clock::overrides().into_iter().collect();
    #[cfg(feature = "aws")]
    if setting.config.store.starts_with("s3:") {
        all.extend(crate::aws::declared_overrides());
    }
    let _ = setting;
    all
}

/// Where the passphrase of the configured key is looked for.
pub(super) fn passphrases(setting: &Setting) -> Passphrases {
    Passphrases::new(VARIABLE, setting.config.signing.passphrase_file.as_ref().map(|file| setting.base.join(file)))
}

/// What opening a key takes, as the configuration says.
pub(super) fn access<'a>(
    setting: &'a Setting,
    role: Option<&'a str>,
    passphrase: &'a dyn Fn(&str) -> Result<Passphrase, SignError>,
) -> Access<'a> {
    Access { base: &setting.base, passphrase, region: Some(setting.config.organization.home_region.as_str()), role }
}

/// The key that seals. Of an encrypted file, the passphrase is asked for where it is not stated.
pub(super) fn signer(setting: &Setting) -> Result<Box<dyn Signer>, Failure> {
    let (signing, passphrases) = (&setting.config.signing, passphrases(setting));
    let ask = |path: &str| passphrases.get(path);
    sign::open(&signing.key, &access(setting, signing.role.as_deref(), &ask)).map_err(Failure::usage)
}

/// The chain, for writing.
pub(super) fn chain(setting: &Setting) -> Result<Chain, Failure> {
    let signer = signer(setting)?;
    let random = clock::random32().map_err(Failure::usage)?;
    let mut fresh = [0; 16];
    fresh.copy_from_slice(&random[..16]);
    Chain::open(store_to_write(setting)?, signer, &fresh).map_err(Failure::usage)
}

/// The keys of a chain that is open, and so was checked: what was sealed with any of them is its own.
pub(super) fn trust(chain: &Chain) -> Trust {
    Trust::fingerprints(chain.links().iter().map(|link| link.seal().key.id).chain([chain.public_key().fingerprint()]))
}

/// Reopens what was just sealed, through the verifier that an auditor runs: objects `names` of the store, to `depth`. From a store
/// that is not local they are read back.
pub(super) fn reopen(setting: &Setting, trust: Trust, names: &[String], depth: Depth) -> Result<(), Failure> {
    let store = store(setting)?;
    let paths: Vec<PathBuf> = names.iter().map(|name| store.address(name)).collect();
    let options = Options { trust, depth, checkpoint: None, now: clock::now() };
    let report = verify::verify(&paths, &options, Some(&Reperformance));
    let replayed = depth < Depth::Replay || report.archives.iter().all(|a| a.reperformed || !a.kind.is_assessment());
    if report.problems.is_empty() && replayed {
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
