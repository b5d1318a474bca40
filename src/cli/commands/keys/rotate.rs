//! `orgproof keys rotate`: from the configured key to another, in a seal that both sign.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{
    super::{
        super::{
            Exit, Failure, Output, clock,
            passphrase::{NEW_VARIABLE, Passphrases},
        },
        Setting, sealing,
    },
    describe, document,
};
use crate::{
    archive::chain::Facts,
    observe::SEMANTICS,
    sign::{self, PublicKey},
    verify::{self, Class, Depth, Options, Trust},
};

/// `orgproof keys rotate --to URI`
#[derive(Debug, Args)]
pub struct RotateArgs {
    /// The key to go on with: file:PATH, relative to the configuration, or awskms:///alias/NAME
    #[arg(long, value_name = "URI")]
    to: String,
    /// Why, for the seal: yearly, compromised, ...
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// Where the new key's file is encrypted: a file with its passphrase (else ORGPROOF_NEW_KEY_PASSPHRASE, or asked)
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// For a new key of AWS KMS: the role to assume for sealing (default: [signing] role)
    #[arg(long, value_name = "ARN")]
    role: Option<String>,
}

pub(super) fn run(args: &RotateArgs, setting: &Setting, output: &Output) -> Result<Exit, Failure> {
    let passphrases = Passphrases::new(NEW_VARIABLE, args.passphrase_file.clone());
    let role = args.role.as_deref().or(setting.config.signing.role.as_deref());
    let ask = |path: &str| passphrases.get(path);
    let new = sign::open(&args.to, &sealing::access(setting, role, &ask)).map_err(Failure::usage)?;
    let to = new.public_key().clone();
    let mut chain = sealing::chain(setting)?;
    let from = chain.public_key().clone();
    let now = clock::now();
    let facts = Facts {
        configuration: Some(setting.config.digest),
        reason: args.why.clone(),
        overridden: sealing::overrides(setting),
        tool: sealing::tool(),
        ..Facts::new(SEMANTICS, now, now)
    };
    let sealed = chain.rotate(new, &facts).map_err(Failure::usage)?;
    let sequence = sealed.statement.predicate.sequence;
    let folder = chain.store().local_path("chain").and_then(|p| p.parent().map(PathBuf::from));
    drop(chain);
    if let Some(folder) = folder {
        reopen(folder, &from)?;
    }
    output.say(format!(
        "Seal {sequence}, signed by both keys, hands over from {} to {}.\n\
         From here on the chain takes the new key only. Now write into orgproof.toml:\n\n    [signing]\n    key = \"{}\"\n\n\
         and hand the auditor the new fingerprint outside the archives: the old one alone shows later seals as trusted by succession, \
         and only together with the store.",
        from.fingerprint(),
        to.fingerprint(),
        args.to
    ));
    let result = json!({
        "seal": sealed.digest,
        "sequence": sequence,
        "from": from.fingerprint(),
        "to": document(&to),
        "checkpoint": sealed.checkpoint,
    });
    output.result(&result, || describe(&to))?;
    Ok(Exit::Done)
}

/// Reads the chain as an auditor who trusts the old key alone: the new one must be trusted by succession.
fn reopen(folder: PathBuf, from: &PublicKey) -> Result<(), Failure> {
    let options = Options { trust: Trust::key(from), depth: Depth::Seals, checkpoint: None, now: clock::now() };
    let report = verify::verify(&[folder], &options, None);
    if report.problems.iter().all(|p| p.class != Class::Failed) {
        return Ok(());
    }
    let message = "the chain does not verify after the rotation: keep the store as it is, and report this";
    Err(Failure { exit: Exit::Failed, message: format!("{message}\n{}", report.render()) })
}
