//! The emulator as a process: starts, says where it is, and ends on SIGTERM or Ctrl-C.

use std::{io::Write, path::PathBuf, process::ExitCode};

use clap::Parser;
use jiff::Timestamp;
use orgproof_emulator::{Emulator, Handle, Options, Organization, generator};

/// An AWS look-alike on loopback.
#[derive(Debug, Parser)]
#[command(name = "orgproof-emulator")]
struct Arguments {
    /// Organisation file (TOML); without it one is generated.
    #[arg(long, value_name = "FILE", required_unless_present = "accounts")]
    organization: Option<PathBuf>,
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// File that is written once the emulator answers: address and environment, JSON. Printed as well.
    #[arg(long, value_name = "PATH")]
    ready_file: Option<PathBuf>,
    /// Start of the scenario clock, which then stands until it is moved.
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// Whether AWS's quotas throttle.
    #[arg(long, default_value = "on", value_parser = ["on", "off"])]
    quotas: String,
    /// Whether some pages come empty, with a token.
    #[arg(long, default_value = "on", value_parser = ["on", "off"])]
    empty_pages: String,
    /// Keys of the auditor (ID:SECRET), where another look-alike is to know them too.
    #[arg(long, value_name = "ID:SECRET")]
    auditor_key: Option<String>,
    /// Seed of the generated organisation.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Accounts of the generated organisation.
    #[arg(long, conflicts_with = "organization")]
    accounts: Option<u32>,
    /// Regions of the generated organisation.
    #[arg(long, value_delimiter = ',', default_value = "us-east-1,eu-west-1")]
    regions: Vec<String>,
    /// Config rules of the generated organisation (at most 12).
    #[arg(long, default_value_t = 6)]
    rules: u32,
    /// Buckets in each account and Region of the generated organisation.
    #[arg(long, default_value_t = 5)]
    buckets: u32,
    /// Failing results of the generated organisation, in a thousandth.
    #[arg(long, default_value_t = 30)]
    failing_permille: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // Nobody is left to tell where standard error is closed.
            let _told = writeln!(std::io::stderr(), "orgproof-emulator: {message}");
            ExitCode::from(2)
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), String> {
    let organization = match &arguments.organization {
        Some(path) => Organization::read(path).map_err(|e| e.to_string())?,
        None => generator::organization(
            arguments.seed,
            &generator::Shape {
                accounts: arguments.accounts.unwrap_or(100),
                regions: arguments.regions.clone(),
                rules: arguments.rules,
                buckets: arguments.buckets,
                failing_permille: arguments.failing_permille,
            },
        ),
    };
    let split = |key: &String| key.split_once(':').map(|(id, secret)| (id.to_owned(), secret.to_owned()));
    let options = Options {
        auditor_key: arguments.auditor_key.as_ref().and_then(split),
        port: arguments.port,
        at: arguments.at,
        quotas: arguments.quotas == "on",
        empty_pages: arguments.empty_pages == "on",
    };
    let handle = Emulator::start(organization, options).map_err(|e| format!("cannot listen on 127.0.0.1: {e}"))?;
    announce(&handle, arguments.ready_file.as_deref()).map_err(|e| format!("cannot say that it is ready: {e}"))?;
    let mut terminate =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).map_err(|e| e.to_string())?;
    tokio::select! {
        _ = terminate.recv() => {}
        result = tokio::signal::ctrl_c() => result.map_err(|e| e.to_string())?,
    }
    Ok(())
}

/// Prints the ready text, and writes it to the file under its final name only when it is whole.
fn announce(handle: &Handle, path: Option<&std::path::Path>) -> std::io::Result<()> {
    let text = format!("{:#}\n", handle.ready());
    if let Some(path) = path {
        let partial = path.with_extension("partial");
        std::fs::write(&partial, &text)?;
        std::fs::rename(&partial, path)?;
    }
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
