//! Parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    orgproof::cli::run(std::env::args_os()).into()
}
