//! Keys of AWS KMS: `awskms:///alias/NAME`, a key's id, or an ARN.
//!
//! Before a key is used, `DescribeKey` must say that it is enabled, signs, and is on P-256; `GetPublicKey` gives the public half, which stays
//! pinned, as does the key's ARN: an alias that is pointed elsewhere while a run lasts changes nothing. Every signature is verified here with
//! the pinned key before it is believed.
//!
//! KMS takes messages of at most 4,096 bytes, and the seal of a period is longer; so it is always given the SHA-256 of the message
//! (`MessageType` `DIGEST`), which for ECDSA gives the same signatures. Ed25519 has no such form: KMS signs whole messages of 4,096 bytes,
//! or Ed25519ph, which is another algorithm than the format's. An Ed25519 key would fail when a period is closed, so it is refused at once.
//!
//! [`Signer`] is synchronous, as everything between reading the chain and writing to it is; the SDK is not. The client lives on a thread of
//! its own with a small runtime; whoever signs waits for its answer, as it waits for a disk. That works inside and outside of a runtime.

mod explain;
#[cfg(test)]
mod tests;
mod uri;

use std::{
    fmt,
    sync::mpsc::{SyncSender, sync_channel},
};

use aws_sdk_kms::{
    Client,
    primitives::Blob,
    types::{KeyMetadata, KeySpec, KeyState, KeyUsageType, MessageType, OriginType, SigningAlgorithmSpec},
};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{Access, Algorithm, PublicKey, SignError, Signer};
use crate::aws;
use explain::refused;
use uri::KeyName;

/// Signs with a key of AWS KMS.
pub struct KmsSigner {
    name: String,
    key: Pinned,
    requests: UnboundedSender<Request>,
}

/// What was learned of the key before its first use.
#[derive(Debug, Clone)]
struct Pinned {
    arn: String,
    public: PublicKey,
    assurance: &'static str,
}

/// A digest to sign, and where the answer goes.
struct Request {
    digest: [u8; 32],
    answer: SyncSender<Result<Vec<u8>, SignError>>,
}

impl fmt::Debug for KmsSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KmsSigner").field("name", &self.name).field("key", &self.key).finish_non_exhaustive()
    }
}

impl KmsSigner {
    /// Opens the key that `rest`, the part of the URI after `awskms:`, names.
    ///
    /// # Errors
    /// Where the name is not understood, KMS refuses or is not reached, or the key cannot seal.
    pub(super) fn open(rest: &str, access: &Access<'_>) -> Result<Self, SignError> {
        let uri = format!("awskms:{rest}");
        let name = KeyName::parse(rest).map_err(|why| SignError::Uri { uri: uri.clone(), why })?;
        let region = name.region.clone().or_else(|| access.region.map(str::to_owned));
        let region = region.ok_or_else(|| SignError::Uri {
            uri: uri.clone(),
            why: "name the key by its ARN, for no Region is known".to_owned(),
        })?;
        let role = access.role.map(str::to_owned);
        Self::start(uri, name.id, async move {
            aws::signing(&region, role.as_deref()).await.map_err(|said| explain::role(role.as_deref(), &said))
        })
    }

    /// Starts the client's thread over what `connect` gives, and looks at the key.
    fn start(
        name: String,
        id: String,
        connect: impl Future<Output = Result<aws_config::SdkConfig, SignError>> + Send + 'static,
    ) -> Result<Self, SignError> {
        let (requests, inbox) = unbounded_channel();
        let (ready, first) = sync_channel(1);
        let lost = |e: &dyn fmt::Display| SignError::Refused(format!("the thread that speaks to KMS is gone: {e}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| lost(&e))?;
        let shown = name.clone();
        std::thread::Builder::new()
            .name("kms".to_owned())
            .spawn(move || runtime.block_on(serve(shown, id, connect, ready, inbox)))
            .map_err(|e| lost(&e))?;
        let key = first.recv().map_err(|e| lost(&e))??;
        Ok(Self { name, key, requests })
    }
}

/// Looks at the key, then answers requests until the signer is dropped.
async fn serve(
    name: String,
    id: String,
    connect: impl Future<Output = Result<aws_config::SdkConfig, SignError>>,
    ready: SyncSender<Result<Pinned, SignError>>,
    mut inbox: UnboundedReceiver<Request>,
) {
    let opened = async {
        let client = Client::new(&connect.await?);
        let key = examine(&client, &name, id).await?;
        Ok((client, key))
    };
    let (client, key) = match opened.await {
        Ok(opened) => opened,
        Err(e) => {
            // Nobody is left to tell where the opener is gone.
            let _ = ready.send(Err(e));
            return;
        }
    };
    let _ = ready.send(Ok(key.clone()));
    while let Some(Request { digest, answer }) = inbox.recv().await {
        let _ = answer.send(sign(&client, &name, &key.arn, digest).await);
    }
}

/// Learns whether the key can seal, and its public half.
async fn examine(client: &Client, name: &str, id: String) -> Result<Pinned, SignError> {
    let answer = client.describe_key().key_id(id).send().await.map_err(|e| refused("look at", name, &e))?;
    let unfit =
        |why: String, next: &'static str| SignError::Kms { action: "seal with", key: name.to_owned(), said: why, next };
    let described = answer.key_metadata.ok_or_else(|| unfit("KMS describes nothing".to_owned(), explain::ENDPOINT))?;
    let assurance = fit(&described).map_err(|(why, next)| unfit(why, next))?;
    let arn = described.arn.ok_or_else(|| unfit("KMS names no ARN for it".to_owned(), explain::ENDPOINT))?;
    let answer =
        client.get_public_key().key_id(&arn).send().await.map_err(|e| refused("get the public half of", name, &e))?;
    let spki = answer.public_key.unwrap_or_else(|| Blob::new(Vec::new()));
    let public = PublicKey::from_spki_der(spki.as_ref()).ok().filter(|key| key.algorithm() == Algorithm::P256);
    let public =
        public.ok_or_else(|| unfit("the public half that KMS gives is no P-256 key".to_owned(), explain::ENDPOINT))?;
    Ok(Pinned { arn, public, assurance })
}

/// Returns what the seal says of where the key lies, or why the key cannot seal and what to do.
fn fit(key: &KeyMetadata) -> Result<&'static str, (String, &'static str)> {
    if key.key_state.as_ref() != Some(&KeyState::Enabled) {
        let state = key.key_state.as_ref().map_or("unknown", |s| s.as_str());
        return Err((format!("its state is {state}, not Enabled"), explain::STATE));
    }
    let spec = key.key_spec.as_ref();
    if spec == Some(&KeySpec::EccNistEdwards25519) {
        let why = "it is an Ed25519 key, and KMS signs at most 4,096 bytes with one: the seal of a period is longer";
        return Err((why.to_owned(), explain::MAKE));
    }
    let signs = key.key_usage.as_ref() == Some(&KeyUsageType::SignVerify);
    let p256 = spec == Some(&KeySpec::EccNistP256);
    if !signs || !p256 || !key.signing_algorithms().contains(&SigningAlgorithmSpec::EcdsaSha256) {
        let usage = key.key_usage.as_ref().map_or("unknown", |u| u.as_str());
        let spec = spec.map_or("unknown", |s| s.as_str());
        let why = format!("it is of KeyUsage {usage} and KeySpec {spec}, not SIGN_VERIFY and ECC_NIST_P256");
        return Err((why, explain::MAKE));
    }
    match &key.origin {
        Some(OriginType::AwsKms | OriginType::AwsCloudhsm) => Ok("kms"),
        // Whoever made the key elsewhere may have a copy: the seal must not say more than is so.
        _ => Ok("kms-imported"),
    }
}

async fn sign(client: &Client, name: &str, arn: &str, digest: [u8; 32]) -> Result<Vec<u8>, SignError> {
    let request = client
        .sign()
        .key_id(arn)
        .message(Blob::new(digest))
        .message_type(MessageType::Digest)
        .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256);
    let answer = request.send().await.map_err(|e| refused("sign with", name, &e))?;
    Ok(answer.signature.map(Blob::into_inner).unwrap_or_default())
}

impl Signer for KmsSigner {
    fn public_key(&self) -> &PublicKey {
        &self.key.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let lost = || SignError::Refused("the thread that speaks to KMS is gone".to_owned());
        let (answer, answered) = sync_channel(1);
        self.requests.send(Request { digest: Sha256::digest(message).into(), answer }).map_err(|_| lost())?;
        let signature = answered.recv().map_err(|_| lost())??;
        self.key.public.verify(message, &signature).map_err(|_| SignError::Kms {
            action: "sign with",
            key: self.name.clone(),
            said: "what was answered is no signature by the key that was fetched when it was opened".to_owned(),
            next: explain::ENDPOINT,
        })?;
        Ok(signature)
    }

    fn assurance(&self) -> &'static str {
        self.key.assurance
    }

    fn overridden(&self) -> Vec<String> {
        aws::declared_overrides()
    }
}
