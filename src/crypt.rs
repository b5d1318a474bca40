//! Encryption for named recipients (age-encryption.org/v1), for what is handed over and for what the configuration withholds.
//!
//! Nothing that is signed or hashed depends on it: an archive's identity is the hash of its `seal.json`, encrypted or not.

use std::{
    fs,
    io::{self, BufRead, Read, Write},
    path::Path,
};

use age::{Decryptor, Encryptor, IdentityFile, ssh, stream::StreamWriter, x25519};

/// Larger files hold no list of recipients and no identity.
const MAX_FILE: u64 = 1024 * 1024;

/// Why nothing can be encrypted or decrypted.
#[derive(Debug, thiserror::Error)]
pub enum CryptError {
    /// A file cannot be read.
    #[error(
        "{path}: {source}. Write age1…, ssh-ed25519 …, ssh-rsa …, or the name of a file that lists such recipients"
    )]
    Io {
        /// The file.
        path: String,
        /// The cause.
        source: io::Error,
    },
    /// It is no recipient.
    #[error("{what} is no recipient: {why}")]
    NoRecipient {
        /// What was given, or where it stands.
        what: String,
        /// The fault.
        why: String,
    },
    /// Somebody gave the key that decrypts.
    #[error(
        "{0} is a private key, which only its owner should have: give the public recipient (age-keygen -y, or the .pub file)"
    )]
    Private(String),
    /// It is no identity.
    #[error("{path} is no age identity and no SSH private key: {why}")]
    NoIdentity {
        /// The file.
        path: String,
        /// The fault.
        why: String,
    },
    /// It cannot be decrypted.
    #[error("it cannot be decrypted: {0}")]
    Refused(String),
}

/// Those who can decrypt.
pub struct Recipients(Vec<Box<dyn age::Recipient + Send>>);

impl std::fmt::Debug for Recipients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Recipients({})", self.0.len())
    }
}

impl Recipients {
    /// Reads `age1…`, `ssh-ed25519 …` and `ssh-rsa …`, or names of files (relative to `base`) that list such, one a line.
    ///
    /// # Errors
    /// Where one of them is no recipient, or there is none.
    pub fn parse(values: &[String], base: &Path) -> Result<Self, CryptError> {
        let mut recipients = Vec::new();
        for value in values {
            if value.starts_with("age1") || value.starts_with("ssh-") {
                recipients.push(recipient(value, value)?);
                continue;
            }
            if value.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-") {
                return Err(CryptError::Private("what was given".to_owned()));
            }
            let text = read(&base.join(value), value)?;
            if text.contains("AGE-SECRET-KEY-") || text.contains("PRIVATE KEY-----") {
                return Err(CryptError::Private(value.clone()));
            }
            let lines = text.lines().map(str::trim).zip(1..).filter(|(l, _)| !l.is_empty() && !l.starts_with('#'));
            for (line, number) in lines {
                recipients.push(recipient(line, &format!("{value}, line {number},"))?);
            }
        }
        if recipients.is_empty() {
            let why = "nobody was named".to_owned();
            return Err(CryptError::NoRecipient { what: values.join(" "), why });
        }
        Ok(Self(recipients))
    }

    /// Returns how many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Encrypts what is written to the returned writer, which must be finished, into `out`.
    ///
    /// # Errors
    /// Where `out` refuses.
    pub fn encrypt<W: Write>(&self, out: W) -> io::Result<StreamWriter<W>> {
        let all = self.0.iter().map(|recipient| &**recipient as &dyn age::Recipient);
        Encryptor::with_recipients(all).map_err(io::Error::other)?.wrap_output(out)
    }
}

fn recipient(text: &str, what: &str) -> Result<Box<dyn age::Recipient + Send>, CryptError> {
    let no = |why: String| CryptError::NoRecipient { what: what.to_owned(), why };
    if text.starts_with("ssh-") {
        return match text.parse::<ssh::Recipient>() {
            Ok(key) => Ok(Box::new(key)),
            Err(e) => Err(no(format!("{e:?}; SSH keys can be ssh-ed25519, or ssh-rsa of 2048 bits and more"))),
        };
    }
    match text.parse::<x25519::Recipient>() {
        Ok(key) => Ok(Box::new(key)),
        Err(e) => Err(no(e.to_owned())),
    }
}

fn read(path: &Path, shown: &str) -> Result<String, CryptError> {
    let io = |source| CryptError::Io { path: shown.to_owned(), source };
    let mut text = String::new();
    fs::File::open(path).and_then(|file| file.take(MAX_FILE).read_to_string(&mut text)).map_err(io)?;
    Ok(text)
}

/// The keys of one who can decrypt.
pub struct Identities(Vec<Box<dyn age::Identity + Send + Sync>>);

impl std::fmt::Debug for Identities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identities({})", self.0.len())
    }
}

impl Identities {
    /// Reads an age identity file, or an SSH private key without a passphrase.
    ///
    /// # Errors
    /// Where it is neither, or cannot be read.
    pub fn load(path: &Path) -> Result<Self, CryptError> {
        let shown = path.display().to_string();
        let text = read(path, &shown)?;
        let no = |why: String| CryptError::NoIdentity { path: shown.clone(), why };
        if text.contains("PRIVATE KEY-----") {
            let key =
                ssh::Identity::from_buffer(text.as_bytes(), Some(shown.clone())).map_err(|e| no(e.to_string()))?;
            return match key {
                ssh::Identity::Unencrypted(_) => Ok(Self(vec![Box::new(key)])),
                _ => Err(no("its kind is not supported, or it has a passphrase: decrypt with age itself".to_owned())),
            };
        }
        let file = IdentityFile::from_buffer(text.as_bytes()).map_err(|e| no(e.to_string()))?;
        let identities = file.into_identities().map_err(|e| no(e.to_string()))?;
        if identities.is_empty() { Err(no("it holds no key".to_owned())) } else { Ok(Self(identities)) }
    }

    /// Decrypts what `from` gives.
    ///
    /// # Errors
    /// Where it is no age file, or was not encrypted to these keys.
    pub fn decrypt<'a, R: BufRead + 'a>(&self, from: R) -> Result<impl Read + use<'a, R>, CryptError> {
        let refused = |e: age::DecryptError| CryptError::Refused(e.to_string());
        let all = self.0.iter().map(|identity| &**identity as &dyn age::Identity);
        Decryptor::new_buffered(from).map_err(refused)?.decrypt(all).map_err(refused)
    }
}

#[cfg(test)]
mod tests {
    use age::secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn whoever_is_named_can_read_it_and_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, other) = (x25519::Identity::generate(), x25519::Identity::generate());
        let path = |name: &str| folder.path().join(name);
        fs::write(path("ours"), ours.to_string().expose_secret()).unwrap();
        fs::write(path("other"), other.to_string().expose_secret()).unwrap();
        fs::write(path("list"), format!("# the auditors\n\n{}\n", ours.to_public())).unwrap();
        for value in ["list".to_owned(), ours.to_public().to_string()] {
            let recipients = Recipients::parse(&[value], folder.path()).unwrap();
            let mut sealed = Vec::new();
            let mut writer = recipients.encrypt(&mut sealed).unwrap();
            writer.write_all(b"evidence").unwrap();
            writer.finish().unwrap();
            let mut text = String::new();
            Identities::load(&path("ours")).unwrap().decrypt(&*sealed).unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "evidence");
            assert!(Identities::load(&path("other")).unwrap().decrypt(&*sealed).is_err());
            let last = sealed.len() - 1;
            sealed[last] ^= 1;
            let mut damaged = Identities::load(&path("ours")).unwrap().decrypt(&*sealed).unwrap();
            assert!(damaged.read_to_string(&mut text).is_err());
        }
    }

    #[test]
    fn a_private_key_is_refused_without_being_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let key = x25519::Identity::generate().to_string();
        fs::write(folder.path().join("key"), key.expose_secret()).unwrap();
        for value in [key.expose_secret().to_owned(), "key".to_owned()] {
            let error = Recipients::parse(&[value], folder.path()).unwrap_err();
            assert!(matches!(error, CryptError::Private(_)) && !error.to_string().contains("AGE-SECRET"), "{error}");
        }
        for bad in ["age1nonsense", "ssh-dss AAAA", "no-such-file"] {
            assert!(Recipients::parse(&[bad.to_owned()], folder.path()).is_err(), "{bad}");
        }
        assert!(Recipients::parse(&[], folder.path()).is_err());
    }
}
