//! A seal in all the forms in which it is written.

use std::io::Read;

use super::{Link, MAX_SEAL};
use crate::{
    archive::{ArchiveError, Reader, Statement, TlogProof, merkle},
    model::Sha256Digest,
    sign::{BadSignature, Signer, dsse, note::Checkpoint, sshsig},
};

/// A seal in all its forms.
pub(super) struct SealFiles {
    pub(super) statement: Statement,
    pub(super) seal: Vec<u8>,
    pub(super) dsse: Vec<u8>,
    pub(super) ssh: String,
    pub(super) proof: String,
    pub(super) checkpoint: String,
}

pub(super) fn prove(
    statement: &Statement,
    leaves: &[Sha256Digest],
    signer: &dyn Signer,
) -> Result<(String, String), ArchiveError> {
    let checkpoint = Checkpoint {
        origin: format!("orgproof/{}", statement.predicate.log),
        size: leaves.len() as u64,
        root: merkle::root(leaves),
    }
    .sign(signer)?;
    let path = merkle::inclusion_path(leaves, leaves.len() - 1).unwrap_or_default();
    let proof = TlogProof { index: statement.predicate.sequence, path, checkpoint: checkpoint.clone() };
    Ok((proof.render(), checkpoint))
}

impl SealFiles {
    pub(super) fn make(statement: Statement, before: &[Link], signer: &dyn Signer) -> Result<Self, ArchiveError> {
        Self::make_by(statement, before, signer, &[])
    }

    /// As [`SealFiles::make`], with further signatures in the envelope.
    pub(super) fn make_by(
        statement: Statement,
        before: &[Link],
        signer: &dyn Signer,
        witnesses: &[&dyn Signer],
    ) -> Result<Self, ArchiveError> {
        let seal = statement.to_bytes().map_err(|e| ArchiveError::malformed("seal.json", None, e))?;
        let mut leaves: Vec<_> = before.iter().map(|l| l.leaf).collect();
        leaves.push(merkle::leaf_hash(&seal));
        let (proof, checkpoint) = prove(&statement, &leaves, signer)?;
        let dsse = dsse::seal_by(&[&[signer], witnesses].concat(), &seal)?;
        let ssh = sshsig::sign(signer, sshsig::SEAL_NAMESPACE, &seal)?;
        Ok(Self { statement, seal, dsse, ssh, proof, checkpoint })
    }

    pub(super) fn of(archive: &Reader, key: &crate::sign::PublicKey) -> Result<Self, ArchiveError> {
        let bad = |name: &'static str| move |e: BadSignature| ArchiveError::malformed(name, None, e);
        let text = |name: &'static str| {
            let mut text = String::new();
            let io = |source| ArchiveError::Io { action: "read", path: name.to_owned(), source };
            archive.file(name)?.take(MAX_SEAL).read_to_string(&mut text).map_err(io)?;
            Ok::<_, ArchiveError>(text)
        };
        let dsse = archive.bytes("seal.dsse.json")?;
        if dsse::verify(&dsse, key).map_err(bad("seal.dsse.json"))? != archive.seal_bytes() {
            return Err(ArchiveError::malformed("seal.dsse.json", None, "covers another seal"));
        }
        let proof = text("seal.tlog-proof")?;
        let parsed = TlogProof::parse(&proof).map_err(bad("seal.tlog-proof"))?;
        parsed.verify(archive.seal_bytes(), key).map_err(bad("seal.tlog-proof"))?;
        Ok(Self {
            statement: archive.seal().clone(),
            seal: archive.seal_bytes().to_vec(),
            dsse,
            ssh: text("seal.json.sig")?,
            proof,
            checkpoint: parsed.checkpoint,
        })
    }
}
