//! One file per command: arguments in, words and exit code out.

mod amending;
mod assess;
#[cfg(feature = "aws")]
mod collect;
mod controls;
mod diff;
pub(super) mod evidence;
pub(super) mod exception;
#[cfg(feature = "age")]
pub(super) mod export;
mod init;
mod keys;
#[cfg(feature = "aws")]
mod plan;
pub(super) mod prove;
mod report;
mod sample;
mod seal;
mod sealing;
mod status;
mod verify;

pub(super) use keys::RotateArgs;

use std::path::{Path, PathBuf};

use super::{
    Exit, Failure, Output,
    args::{Args, Command},
};
use crate::config::Config;

/// Carries out the command.
pub(super) fn run(args: &Args, output: &Output) -> Result<Exit, Failure> {
    let path = &args.global.config;
    match &args.command {
        Command::Init => init::run(path, output),
        #[cfg(feature = "aws")]
        Command::Plan => plan::run(&Setting::load(path)?, output),
        #[cfg(feature = "aws")]
        Command::Collect { period, resume } => collect::run(&Setting::load(path)?, period.as_deref(), *resume, output),
        Command::Assess { period, with, out } => {
            assess::run(&Setting::load(path)?, period.as_deref(), with, out.as_deref(), output)
        }
        Command::Seal { period, dry_run } => seal::run(&Setting::load(path)?, period, *dry_run, output),
        Command::Verify { inputs, trust, checkpoint, depth } => {
            verify::run(inputs, trust, checkpoint.as_deref(), *depth, output)
        }
        Command::Report { input, format, out, lang } => report::run(input, format, out, lang, output),
        #[cfg(feature = "age")]
        Command::Export(args) => export::run(args, output),
        Command::Prove(args) => prove::run(args, output),
        Command::Status { period } => status::run(&Setting::load(path)?, period.as_deref(), output),
        Command::Diff { a, b } => diff::run(a, b.as_deref(), output),
        Command::Sample { archive, check, size, seed } => {
            sample::run(archive, check, seed.as_deref().zip(*size), output)
        }
        Command::Controls { command } => controls::run(command, path, output),
        Command::Evidence { command } => evidence::run(command, &Setting::load(path)?, output),
        Command::Exception { command } => exception::run(command, &Setting::load(path)?, output),
        Command::Keys { command } => keys::run(command, path, output),
    }
}

/// The configuration, and the folder that its paths are relative to.
pub(super) struct Setting {
    pub config: Config,
    pub base: PathBuf,
}

impl Setting {
    pub(super) fn load(path: &Path) -> Result<Self, Failure> {
        let config = Config::load(path).map_err(Failure::usage)?;
        Ok(Self { config, base: base(path) })
    }
}

/// The folder that a configuration file's paths are relative to.
pub(super) fn base(path: &Path) -> PathBuf {
    path.parent().filter(|p| !p.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_owned)
}
