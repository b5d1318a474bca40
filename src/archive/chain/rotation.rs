//! From one key to the next: a `key-rotation` seal, which both sign.
//!
//! The new key is the seal's own (`.key`): it makes every copy of the seal, so a crash after the commit leaves nothing that would need
//! the old key once more. The old key's consent is the second signature of the DSSE envelope, which is the commit itself: there is no
//! moment at which one of the two signatures is in the store without the other.

use base64ct::{Base64, Encoding};

use super::{Chain, ChainError, Facts, Link, MAX_SEAL, SealFiles, Sealed, folder};
use crate::{
    archive::seal::{Key, Kind, Seal, Statement, Subject, Succession},
    sign::{PublicKey, Signer, dsse},
    store,
};

/// Names of a rotation's two subjects, in this order: the fingerprints of the old key and of the new one.
const SUBJECTS: [&str; 2] = ["previous-key", "key"];

/// The two keys of a rotation that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Handover {
    /// The key that sealed so far.
    pub(crate) from: PublicKey,
    /// The key that seals from here on.
    pub(crate) to: PublicKey,
}

/// A rotation that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BadRotation {
    /// It names other keys than those that seal before and after it.
    Mismatch(String),
    /// One of the two keys did not sign it.
    Unsigned(String),
}

impl BadRotation {
    /// Returns the verifier's code.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Mismatch(_) => "rotation-mismatch",
            Self::Unsigned(_) => "rotation-unsigned",
        }
    }
}

impl std::fmt::Display for BadRotation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Mismatch(why) | Self::Unsigned(why) => f.write_str(why),
        }
    }
}

/// Checks the rotation in `envelope`, whose seal is `statement` and follows `before`: it names the key that sealed before it and its own,
/// never one that was rotated out, and both signed.
///
/// # Errors
/// Where one of these is not so.
pub(crate) fn handover(envelope: &[u8], statement: &Statement, before: &[Link]) -> Result<Handover, BadRotation> {
    let mismatch = |why: &str| BadRotation::Mismatch(why.to_owned());
    let seal = &statement.predicate;
    let stated = seal.succession.as_ref().ok_or_else(|| mismatch("it names no keys"))?;
    let key = |text: &str| {
        let der = Base64::decode_vec(text).map_err(|_| mismatch("a key in it is not base64"))?;
        PublicKey::from_spki_der(&der).map_err(|e| BadRotation::Mismatch(format!("a key in it is {e}")))
    };
    let (from, to) = (key(&stated.from)?, key(&stated.to)?);
    let previous = before.last().ok_or_else(|| mismatch("nothing was sealed before it"))?;
    if previous.seal().key.id != from.fingerprint() {
        return Err(BadRotation::Mismatch(format!(
            "it hands over from key {}, but key {} sealed before it",
            from.fingerprint(),
            previous.seal().key.id
        )));
    }
    if seal.key.id != to.fingerprint() {
        return Err(mismatch("it hands over to another key than its own"));
    }
    if before.iter().any(|link| link.seal().key.id == to.fingerprint()) {
        return Err(mismatch("it hands over to a key that sealed before: a key that was given up never returns"));
    }
    if statement.subject != subjects(&from, &to) {
        return Err(mismatch("its subjects are not the two keys"));
    }
    for (key, which) in [(&from, "the key that sealed before it"), (&to, "the key that it hands over to")] {
        dsse::verify(envelope, key).map_err(|e| BadRotation::Unsigned(format!("{which} did not sign it: {e}")))?;
    }
    Ok(Handover { from, to })
}

fn subjects(from: &PublicKey, to: &PublicKey) -> [Subject; 2] {
    [Subject::new(SUBJECTS[0], from.fingerprint()), Subject::new(SUBJECTS[1], to.fingerprint())]
}

impl Chain {
    /// Seals `key-rotation`, signed by the key that sealed so far and by `to`, which seals from here on.
    ///
    /// # Errors
    /// Where nothing was sealed yet, a run is open (it may yet be resumed), `to` sealed before, or the store or a signer refuses.
    pub fn rotate(&mut self, to: Box<dyn Signer>, facts: &Facts) -> Result<Sealed, ChainError> {
        self.need_certainty()?;
        if self.links.is_empty() {
            let why = "nothing was sealed with the configured key yet: there is nothing to rotate, set [signing] key to the new one";
            return Err(ChainError::Order(why.to_owned()));
        }
        if self.run_is_open() {
            let why = "a run is open: end it with the key that opened it (orgproof collect --resume goes on with it, orgproof collect gives it \
                       up), then rotate";
            return Err(ChainError::Order(why.to_owned()));
        }
        let (from, key) = (self.signer.public_key().clone(), to.public_key().clone());
        let spki = |key: &PublicKey| Base64::encode_string(key.spki_der());
        let seal = Seal {
            succession: Some(Succession { from: spki(&from), to: spki(&key) }),
            key: Key::of(&*to),
            ..self.seal(Kind::KeyRotation, facts)
        };
        let statement = Statement::new(subjects(&from, &key).into(), seal);
        let files = SealFiles::make_by(statement, &self.links, &*to, &[&*self.signer])?;
        // What does not hold is not appended: nothing could take it back.
        handover(&files.dsse, &files.statement, &self.links)
            .map_err(|e| ChainError::Order(format!("the key cannot be rotated: {e}")))?;
        let sealed = self.commit(files, None);
        // Whether it was kept or not: this writer goes on only after a success.
        self.signer = to;
        sealed
    }

    /// Returns the rotation that ended `key`, where there was one.
    pub(super) fn retired(&self, key: &PublicKey) -> Option<u64> {
        let id = key.fingerprint();
        let last = self.links.iter().rposition(|link| link.seal().key.id == id)?;
        self.links.get(last + 1).map(|next| next.seal().sequence)
    }

    /// Refuses a chain in which the key changes otherwise than by a rotation that holds.
    pub(super) fn check_succession(&self) -> Result<(), ChainError> {
        for (at, link) in self.links.iter().enumerate() {
            let sequence = link.seal().sequence;
            let broken = |why: String| ChainError::Broken { store: self.store.url(), sequence, why };
            if link.seal().kind == Kind::KeyRotation {
                let name = format!("{}seal.dsse.json", folder(sequence));
                let envelope = store::read_all(&*self.store, &name, MAX_SEAL)?;
                handover(&envelope, &link.statement, &self.links[..at]).map_err(|e| broken(e.to_string()))?;
            } else if at > 0 && self.links[at - 1].seal().key.id != link.seal().key.id {
                return Err(broken("its key is another than that of the seal before it".to_owned()));
            }
        }
        Ok(())
    }
}
