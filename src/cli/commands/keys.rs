//! `orgproof keys`: makes the sealing key, shows its public half, and goes on with another.

mod rotate;

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{
    super::{
        Exit, Failure, Output,
        args::{AlgorithmArg, KeysCommand},
        clock,
        passphrase::{Passphrases, VARIABLE},
    },
    Setting, sealing,
};
use crate::{
    audit::SIGNER,
    sign::{self, Algorithm, Encryption, PublicKey},
};

pub use rotate::RotateArgs;

pub(super) fn run(command: &KeysCommand, config: &Path, output: &Output) -> Result<Exit, Failure> {
    match command {
        KeysCommand::Generate { out, algorithm, passphrase, passphrase_file } => {
            let encrypt = *passphrase || passphrase_file.is_some();
            generate(out, *algorithm, encrypt.then(|| passphrase_file.clone()), output)
        }
        KeysCommand::Rotate(args) => rotate::run(args, &Setting::load(config)?, output),
        KeysCommand::Show { pem, allowed_signers, fingerprint } => {
            let setting = Setting::load(config)?;
            let signer = sealing::signer(&setting)?;
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

/// `passphrase` is there where the file is to be encrypted, and names the file that holds it, if one was named.
fn generate(
    out: &Path,
    algorithm: AlgorithmArg,
    passphrase: Option<Option<PathBuf>>,
    output: &Output,
) -> Result<Exit, Failure> {
    let algorithm = match algorithm {
        AlgorithmArg::P256 => Algorithm::P256,
        AlgorithmArg::Ed25519 => Algorithm::Ed25519,
    };
    let seed = clock::random32().map_err(Failure::usage)?;
    let random = clock::random32().map_err(Failure::usage)?;
    let passphrase = passphrase
        .map(|file| Passphrases::new(VARIABLE, file).choose(&out.display().to_string()))
        .transpose()
        .map_err(Failure::usage)?;
    let encryption = passphrase.as_ref().map(|passphrase| Encryption { passphrase, random: &random });
    let key = sign::generate(out, algorithm, &seed, encryption.as_ref()).map_err(Failure::usage)?;
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
