//! Where words go: people read standard error, programs read standard output.
//!
//! Everything that came from AWS or from a file passes through [`inert`] before it reaches a terminal: a resource may be
//! named with escape sequences.

use std::{
    borrow::Cow,
    fmt::Write as _,
    io::{self, IsTerminal, Write},
};

use serde::Serialize;

/// The two streams, and how much to say.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// Results as JSON on standard output.
    pub json: bool,
    /// Nothing but errors on standard error.
    pub quiet: bool,
    /// More on standard error.
    pub verbose: bool,
}

impl Output {
    /// Says something to the person at the terminal.
    pub fn say(&self, text: impl AsRef<str>) {
        if !self.quiet {
            self.error(text);
        }
    }

    /// Says something that is only of interest with `-v`.
    pub fn detail(&self, text: impl AsRef<str>) {
        if self.verbose && !self.quiet {
            self.error(text);
        }
    }

    /// Says something in every case.
    pub fn error(&self, text: impl AsRef<str>) {
        // A closed terminal is no reason to fail a run.
        let _ = writeln!(io::stderr().lock(), "{}", inert(text.as_ref()));
    }

    /// Gives a result: `value` as one JSON document with `--json`, else `human`, both on standard output.
    ///
    /// # Errors
    /// Standard output is closed or full.
    pub fn result(&self, value: &impl Serialize, human: impl FnOnce() -> String) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        if self.json {
            stdout.write_all(json(value)?.as_bytes())?;
            stdout.write_all(b"\n")?;
        } else {
            let text = human();
            stdout.write_all(inert(&text).as_bytes())?;
            if !text.is_empty() && !text.ends_with('\n') {
                stdout.write_all(b"\n")?;
            }
        }
        stdout.flush()
    }

    /// Redraws the progress line; only on a terminal.
    pub fn progress(&self, text: &str) {
        if !self.quiet && io::stderr().is_terminal() {
            let _ = write!(io::stderr().lock(), "\r\x1b[2K{}", inert(text));
        }
    }

    /// Clears the progress line.
    pub fn progress_done(&self) {
        if !self.quiet && io::stderr().is_terminal() {
            let _ = write!(io::stderr().lock(), "\r\x1b[2K");
        }
    }
}

fn hostile(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Writes a value as JSON in which no text can drive a terminal: `serde_json` escapes C0 controls only, and C1 holds CSI too.
fn json(value: &impl Serialize) -> io::Result<String> {
    let text = serde_json::to_string_pretty(value)?;
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if hostile(c) {
            // All of them lie in the basic plane, and outside of strings JSON has none.
            let _ = write!(safe, "\\u{:04x}", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    Ok(safe)
}

/// Makes a text from outside fit for one line: its line feeds cannot forge another.
pub fn one_line(text: &str) -> String {
    inert(&text.replace('\n', " ⏎ ")).into_owned()
}

/// Makes control and bidirectional-override characters visible (`\u{1b}`), line feeds and tabs apart.
pub fn inert(text: &str) -> Cow<'_, str> {
    if !text.contains(hostile) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if hostile(c) {
            let _ = write!(safe, "\\u{{{:x}}}", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_cannot_drive_the_terminal() {
        assert_eq!(inert("plain\ttext\n日本語"), "plain\ttext\n日本語");
        assert_eq!(inert("a\x1b[2Jb\u{202e}c\r\x07"), "a\\u{1b}[2Jb\\u{202e}c\\u{d}\\u{7}");
    }

    #[test]
    fn json_says_the_same_and_cannot_drive_the_terminal_either() {
        let name = "a\u{9b}2J\x7f\u{202e}b\u{2028}c日";
        let text = json(&name).unwrap();
        assert!(!text.contains(hostile), "{text:?}");
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), name);
    }
}
