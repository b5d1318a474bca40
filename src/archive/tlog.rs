//! `seal.tlog-proof`: a seal's place in the tree of all seals (c2sp.org/tlog-proof@v1).

use base64ct::{Base64, Encoding};

use super::merkle;
use crate::{
    model::Sha256Digest,
    sign::{BadSignature, PublicKey, note::Checkpoint},
};

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// A proof that an entry is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// Index of the entry, from 0: the seal's sequence number.
    pub index: u64,
    /// Inclusion path, from the leaf up.
    pub path: Vec<Sha256Digest>,
    /// The signed checkpoint, a C2SP note.
    pub checkpoint: String,
}

impl TlogProof {
    /// Returns the file's text.
    pub fn render(&self) -> String {
        let mut text = format!("{HEADER}\nindex {}\n", self.index);
        for hash in &self.path {
            text.push_str(&Base64::encode_string(&hash.0));
            text.push('\n');
        }
        format!("{text}\n{}", self.checkpoint)
    }

    /// Reads the file.
    ///
    /// # Errors
    /// Where it has another form.
    pub fn parse(text: &str) -> Result<Self, BadSignature> {
        let bad = |why: &str| BadSignature::Malformed { what: "tlog-proof", why: why.to_owned() };
        let (head, checkpoint) = text.split_once("\n\n").ok_or_else(|| bad("no empty line before the checkpoint"))?;
        let mut lines = head.split('\n');
        if lines.next() != Some(HEADER) {
            return Err(bad("the first line is not c2sp.org/tlog-proof@v1"));
        }
        let index = lines.next().and_then(|l| l.strip_prefix("index ")).ok_or_else(|| bad("no index"))?;
        let number: u64 = index.parse().map_err(|_| bad("the index is no number"))?;
        let path = lines
            .map(|line| {
                let hash = Base64::decode_vec(line).ok().and_then(|b| <[u8; 32]>::try_from(b).ok());
                hash.map(Sha256Digest).ok_or_else(|| bad("a hash is no base64 of 32 bytes"))
            })
            .collect::<Result<Vec<_>, _>>()?;
        if path.len() > 64 {
            return Err(bad("the path is too long for any tree"));
        }
        Ok(Self { index: number, path, checkpoint: checkpoint.to_owned() })
    }

    /// Checks that `key` signed the checkpoint and that the seal with these bytes is in its tree. Returns the checkpoint.
    ///
    /// # Errors
    /// Where the signature does not hold or the path does not lead to the root.
    pub fn verify(&self, seal: &[u8], key: &PublicKey) -> Result<Checkpoint, BadSignature> {
        let checkpoint = Checkpoint::verify(&self.checkpoint, key)?;
        let leaf = merkle::leaf_hash(seal);
        if merkle::verify_inclusion(leaf, self.index, checkpoint.size, &self.path, checkpoint.root) {
            Ok(checkpoint)
        } else {
            Err(BadSignature::Mismatch)
        }
    }
}
