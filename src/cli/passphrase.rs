//! Where the passphrase of a key file comes from: a variable of the environment, a file, or the person at the terminal.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, IsTerminal, Write},
    path::PathBuf,
};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::sign::{Passphrase, SignError};

/// Holds the passphrase of the key that seals.
pub const VARIABLE: &str = "ORGPROOF_KEY_PASSPHRASE";
/// Holds the passphrase of the key that is rotated to.
pub const NEW_VARIABLE: &str = "ORGPROOF_NEW_KEY_PASSPHRASE";

/// Where to look for a passphrase, in this order: the variable, the file, the terminal.
#[derive(Debug)]
pub struct Passphrases {
    variable: &'static str,
    file: Option<PathBuf>,
    at_terminal: bool,
}

impl Passphrases {
    /// Looks in all three places.
    pub fn new(variable: &'static str, file: Option<PathBuf>) -> Self {
        Self { variable, file, at_terminal: true }
    }

    /// Leaves the terminal out: for commands that only look.
    pub fn without_terminal(mut self) -> Self {
        self.at_terminal = false;
        self
    }

    /// Returns the passphrase of the key file `path`.
    ///
    /// # Errors
    /// It is in none of the places, or its file is not private.
    pub fn get(&self, path: &str) -> Result<Passphrase, SignError> {
        if let Some(found) = self.stated()? {
            return Ok(found);
        }
        let asked = if self.at_terminal { ask(&format!("Passphrase of {path}: ")).unwrap_or_default() } else { None };
        asked.ok_or_else(|| SignError::Locked { path: path.to_owned(), variable: self.variable })
    }

    /// Returns a passphrase for a new key file; at the terminal it is asked for twice.
    ///
    /// # Errors
    /// As [`Passphrases::get`]; or the two differ.
    pub fn choose(&self, path: &str) -> Result<Passphrase, SignError> {
        if let Some(found) = self.stated()? {
            return Ok(found);
        }
        let locked = || SignError::Locked { path: path.to_owned(), variable: self.variable };
        let first = ask(&format!("New passphrase of {path}: ")).ok().flatten().ok_or_else(locked)?;
        let second = ask("The same once more: ").ok().flatten().ok_or_else(locked)?;
        if first.is(&second) { Ok(first) } else { Err(SignError::Differ) }
    }

    fn stated(&self) -> Result<Option<Passphrase>, SignError> {
        let variable = std::env::var_os(self.variable);
        if let Some(found) = variable.and_then(|v| Passphrase::new(v.into_encoded_bytes())) {
            return Ok(Some(found));
        }
        self.file.as_deref().map(Passphrase::from_file).transpose()
    }
}

/// Asks at the terminal without showing what is typed; `None` where nobody is there, or nothing is typed.
fn ask(prompt: &str) -> io::Result<Option<Passphrase>> {
    if !io::stdin().is_terminal() {
        return Ok(None);
    }
    let mut terminal = File::options().read(true).write(true).open("/dev/tty")?;
    write!(terminal, "{}", super::one_line(prompt))?;
    let _quiet = Quiet::begin(terminal.try_clone()?)?;
    // With room for all of it at once: a buffer that grows would leave copies behind.
    let mut line = zeroize::Zeroizing::new(Vec::with_capacity(4096));
    BufReader::with_capacity(1, &terminal).read_until(b'\n', &mut line)?;
    writeln!(terminal)?;
    Ok(Passphrase::new(line.strip_suffix(b"\n").unwrap_or(&line).to_vec()))
}

/// Turns the terminal's echo off while it lives.
struct Quiet {
    terminal: File,
    before: Termios,
}

impl Quiet {
    fn begin(terminal: File) -> io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&terminal, OptionalActions::Flush, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // A terminal that is gone needs no echo.
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}
