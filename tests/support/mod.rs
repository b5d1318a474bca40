//! A stage for end-to-end tests: the emulator in this process, the released binary beside it, a folder of its own.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use orgproof_emulator::{Emulator, Fault, FaultKind, Handle, Options, Organization};

/// An emulated organisation and a working folder with configuration and key.
pub struct Stage {
    pub emulator: Handle,
    pub folder: tempfile::TempDir,
    environment: Vec<(String, String)>,
}

/// The instant at which the sample organisations stand.
pub const DURING: &str = "2026-12-31T06:00:00Z";
/// An instant after their quarter.
pub const AFTER: &str = "2027-01-01T00:30:00Z";

impl Stage {
    /// Starts the emulator with one of its organisation files, and writes configuration and key as a user would.
    pub fn new(organization: &str) -> Self {
        Self::with(organization, |_| {})
    }

    /// As [`Stage::new`], after a change to the organisation.
    pub fn with(organization: &str, change: impl FnOnce(&mut Organization)) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emulator/organizations").join(organization);
        let mut declared = Organization::read(&file).unwrap();
        change(&mut declared);
        // Quotas have tests of their own; here they would only make everything wait.
        let options = Options { at: Some(DURING.parse().unwrap()), quotas: false, ..Options::default() };
        let emulator = Emulator::start(declared, options).unwrap();
        let environment = emulator.environment().into_iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
        let stage = Self { emulator, folder: tempfile::tempdir().unwrap(), environment };
        stage.expect(0, &["init"]);
        stage.expect(0, &["keys", "generate", "--out", "keys/seal.pem"]);
        let fast = "rates = { organizations = 5000.0, config = 5000.0, securityhub = 5000.0, account = 5000.0 }";
        stage.configure(&[("# rates      = { config = 5.0 }", fast)]);
        let signers = stage.expect(0, &["keys", "show", "--allowed-signers"]);
        std::fs::write(stage.path("allowed_signers"), signers.stdout).unwrap();
        stage
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Edits the configuration: each pair is (what stands there, what shall stand there).
    pub fn configure(&self, changes: &[(&str, &str)]) {
        let path = self.path("orgproof.toml");
        let mut text = std::fs::read_to_string(&path).unwrap();
        for (from, to) in changes {
            assert!(text.contains(from), "{from} is not in the configuration");
            text = text.replace(from, to);
        }
        std::fs::write(path, text).unwrap();
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orgproof"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .envs(self.environment.iter().map(|(n, v)| (n, v)))
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("HOME", self.folder.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("ORGPROOF_CLOCK", DURING)
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs the binary and asserts its exit code.
    pub fn expect(&self, code: i32, arguments: &[&str]) -> Output {
        check(code, arguments, self.run(arguments))
    }

    /// As [`Stage::expect`], at another time.
    pub fn expect_at(&self, clock: &str, code: i32, arguments: &[&str]) -> Output {
        check(code, arguments, self.command(arguments).env("ORGPROOF_CLOCK", clock).output().unwrap())
    }

    /// Waits until the emulator has seen a call of `operation`.
    pub fn wait_for_request(&self, operation: &str) {
        let deadline = Instant::now() + Duration::from_secs(120);
        while !self.emulator.requests().iter().any(|r| r.operation == operation) {
            assert!(Instant::now() < deadline, "{operation} was never called");
            std::thread::yield_now();
        }
    }

    pub fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Archives in the store whose name contains `kind`, sorted.
    pub fn archives(&self, kind: &str) -> Vec<PathBuf> {
        let Ok(folder) = std::fs::read_dir(self.path("evidence/archives")) else { return Vec::new() };
        let mut found: Vec<_> = folder
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.file_name().unwrap().to_string_lossy().contains(kind))
            .collect();
        found.sort();
        found
    }

    /// Every credential that this stage knows, for the test that none of them is ever written down.
    pub fn secrets(&self) -> Vec<String> {
        let secret = |(name, value): &(String, String)| {
            (name.contains("SECRET") || name.contains("TOKEN")).then(|| value.clone())
        };
        self.environment.iter().filter_map(secret).collect()
    }
}

fn check(code: i32, arguments: &[&str], output: Output) -> Output {
    assert_eq!(
        output.status.code(),
        Some(code),
        "orgproof {}\n--- stdout\n{}\n--- stderr\n{}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// A fault that keeps every answer to `operation` waiting.
pub fn slow(operation: &str, milliseconds: u64) -> Fault {
    Fault {
        service: None,
        operation: Some(operation.to_owned()),
        account: None,
        region: None,
        kind: FaultKind::Slow,
        rate: 1.0,
        after: 0,
        count: None,
        milliseconds,
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Lines of an `.ndjson` member of an archive.
pub fn lines(archive: &Path, member: &str) -> Vec<serde_json::Value> {
    let output = Command::new("unzip").arg("-p").arg(archive).arg(member).output().unwrap();
    assert!(output.status.success(), "{} has no {member}", archive.display());
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
