//! The command line: what was typed -> what is meant -> exit code. Printing, clock and environment live here only.

mod args;
mod clock;
mod commands;
mod exit;
mod output;
mod passphrase;

use clap::Parser;

pub use self::{
    args::Args,
    exit::Exit,
    output::{Output, inert, one_line},
};

/// Runs the command line `arguments` (the first is the program's name) and returns how it ended.
pub fn run(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> Exit {
    let args = match Args::try_parse_from(arguments) {
        Ok(args) => args,
        Err(error) => {
            // Help and version are no errors; a closed terminal is no reason to fail.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Done };
        }
    };
    let output = Output { json: args.global.json, quiet: args.global.quiet, verbose: args.global.verbose };
    if let Err(error) = clock::set_from_environment() {
        output.error(format!("error: {error}"));
        return Exit::Usage;
    }
    if let Some(overridden) = clock::overrides() {
        // Whoever reads "nothing is overdue" must know by whose clock, with --quiet too.
        output.error(format!("note: the time is {}, not this machine's: overridden {overridden}", clock::now()));
    }
    match commands::run(&args, &output) {
        Ok(exit) => exit,
        Err(failure) => {
            output.error(format!("error: {}", failure.message));
            failure.exit
        }
    }
}

/// Why a command could not be carried out, and the exit code for that.
#[derive(Debug)]
pub struct Failure {
    /// Exit code.
    pub exit: Exit,
    /// What, why, and the next step.
    pub message: String,
}

impl Failure {
    /// A failure of usage, configuration or environment (exit 2).
    pub fn usage(error: impl std::fmt::Display) -> Self {
        Self { exit: Exit::Usage, message: error.to_string() }
    }

    /// A failure after a run has opened (exit 3).
    pub fn incomplete(error: impl std::fmt::Display) -> Self {
        Self { exit: Exit::Incomplete, message: error.to_string() }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::usage(error)
    }
}
