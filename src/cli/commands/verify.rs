//! `orgproof verify`: what an auditor runs. Needs no configuration, no AWS and no network.

use std::path::{Path, PathBuf};

use super::super::{Exit, Failure, Output, args::DepthArg, clock};
use crate::{
    audit::Reperformance,
    verify::{self, Depth, Options, Trust},
};

pub(super) fn run(
    inputs: &[PathBuf],
    trust: &[String],
    checkpoint: Option<&Path>,
    depth: DepthArg,
    output: &Output,
) -> Result<Exit, Failure> {
    let trust = Trust::load(trust, Path::new("")).map_err(Failure::usage)?;
    let checkpoint = checkpoint
        .map(|path| std::fs::read_to_string(path).map_err(|e| Failure::usage(format!("{}: {e}", path.display()))))
        .transpose()?;
    let depth = match depth {
        DepthArg::Seals => Depth::Seals,
        DepthArg::Bytes => Depth::Bytes,
        DepthArg::Replay => Depth::Replay,
    };
    let options = Options { trust, depth, checkpoint, now: clock::now() };
    let report = verify::verify(inputs, &options, Some(&Reperformance));
    output.result(&report, || report.render())?;
    Ok(Exit::from_code(report.exit_code))
}
