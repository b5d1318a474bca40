//! A passphrase: given by whoever opens a key, shown to nobody, wiped when it is no longer needed.

use std::{fmt, io::Read, path::Path};

use zeroize::Zeroizing;

use super::{SignError, file::open_private};

/// A passphrase is a line; whatever is larger is something else.
const MAX: u64 = 4096;

/// The passphrase of an encrypted key file. Its bytes appear in no output, not even in `Debug`.
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

impl Passphrase {
    /// Takes a passphrase; `None` where it is empty.
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        let bytes = Zeroizing::new(bytes);
        (!bytes.is_empty()).then_some(Self(bytes))
    }

    /// Reads the first line of a file that only its owner may read, as `openssl -passin file:` does.
    ///
    /// # Errors
    /// Where it is absent, readable by group or others, too large, or its first line is empty.
    pub fn from_file(path: &Path) -> Result<Self, SignError> {
        let name = path.display().to_string();
        let (file, size) = open_private(path)?;
        let not = |why: &str| SignError::NoPassphrase { path: name.clone(), why: why.to_owned() };
        if size > MAX {
            return Err(not("it is far too large"));
        }
        // With room for all of it at once: a buffer that grows would leave copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
        let io = |source| SignError::Io { action: "read", path: name.clone(), source };
        file.take(MAX).read_to_end(&mut bytes).map_err(io)?;
        let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
        Self::new(line.strip_suffix(b"\r").unwrap_or(line).to_vec()).ok_or_else(|| not("its first line is empty"))
    }

    /// Returns whether both are the same.
    pub fn is(&self, other: &Self) -> bool {
        *self.0 == *other.0
    }

    #[cfg(feature = "encrypted-keys")]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}
