//! `orgproof keys`: makes the sealing key, and shows its public half.

use std::path::Path;

use serde_json::json;

use super::{
    super::{
        Exit, Failure, Output,
        args::{AlgorithmArg, KeysCommand},
        clock,
    },
    Setting,
};
use crate::{
    audit::SIGNER,
    sign::{self, Algorithm, PublicKey},
};

pub(super) fn run(command: &KeysCommand, config: &Path, output: &Output) -> Result<Exit, Failure> {
    match command {
        KeysCommand::Generate { out, algorithm } => generate(out, *algorithm, output),
        KeysCommand::Show { pem, allowed_signers, fingerprint } => {
            let setting = Setting::load(config)?;
            let signer = sign::open(&setting.config.key, &setting.base).map_err(Failure::usage)?;
            let key = signer.public_key();
            let text = if *pem {
                key.to_pem()
            } else if *allowed_signers {
                key.allowed_signers(SIGNER)
            } else if *fingerprint {
                key.fingerprint().to_string()
            } else {
                describe(key)
            };
            output.result(&document(key), || text)?;
            Ok(Exit::Done)
        }
    }
}

fn generate(out: &Path, algorithm: AlgorithmArg, output: &Output) -> Result<Exit, Failure> {
    let algorithm = match algorithm {
        AlgorithmArg::P256 => Algorithm::P256,
        AlgorithmArg::Ed25519 => Algorithm::Ed25519,
    };
    let seed = clock::random32().map_err(Failure::usage)?;
    let key = sign::generate(out, algorithm, &seed).map_err(Failure::usage)?;
    output.say(format!(
        "Wrote {}, readable by its owner only. Keep it apart from the store, and hand the auditor what follows, outside \
         the archives.",
        out.display()
    ));
    output.result(&document(&key), || describe(&key))?;
    Ok(Exit::Done)
}

fn document(key: &PublicKey) -> serde_json::Value {
    json!({
        "algorithm": key.algorithm().as_str(),
        "fingerprint": key.fingerprint(),
        "pem": key.to_pem(),
        "allowed_signers": key.allowed_signers(SIGNER),
    })
}

fn describe(key: &PublicKey) -> String {
    format!(
        "algorithm        {}\nfingerprint      {}\nallowed_signers  {}\n{}",
        key.algorithm().as_str(),
        key.fingerprint(),
        key.allowed_signers(SIGNER).trim_end(),
        key.to_pem()
    )
}
