//! An object as a stream, taken up again where the connection was cut.

use std::io::{self, Read};

use aws_sdk_s3::primitives::ByteStream;

use super::{Refusal, StoreError, client::Client};

/// How often a stream is taken up again without having brought a byte.
const RESUMED: u32 = 5;

/// An object being read. All of it is of one version, also where it is replaced meanwhile: then reading fails.
#[derive(Debug)]
pub(super) struct Object {
    client: Client,
    name: String,
    key: String,
    etag: Option<String>,
    length: u64,
    at: u64,
    body: Option<ByteStream>,
    chunk: Vec<u8>,
    taken: usize,
}

/// A stream from some place on, with what must not change between two of them.
struct Opened {
    body: ByteStream,
    etag: Option<String>,
    length: u64,
}

async fn open(client: &Client, key: &str, from: u64, etag: Option<String>) -> Result<Opened, Refusal> {
    let request = client.s3.get_object().bucket(&client.place.bucket).key(key).set_if_match(etag);
    let request = if from == 0 { request } else { request.range(format!("bytes={from}-")) };
    let answer = client.repeat(|| request.clone().send()).await?;
    let length = answer.content_length.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    Ok(Opened { body: answer.body, etag: answer.e_tag, length })
}

impl Object {
    pub(super) fn open(client: &Client, name: &str, key: String) -> Result<Self, StoreError> {
        let (asker, wanted) = (client.clone(), key.clone());
        let opened = client.wait(async move { open(&asker, &wanted, 0, None).await })?;
        let opened = opened.map_err(|refusal| {
            if refusal.is_absent() {
                StoreError::NotFound { name: name.to_owned(), store: client.place.url() }
            } else {
                client.refused("read", name, &refusal)
            }
        })?;
        Ok(Self {
            client: client.clone(),
            name: name.to_owned(),
            key,
            etag: opened.etag,
            length: opened.length,
            at: 0,
            body: Some(opened.body),
            chunk: Vec::new(),
            taken: 0,
        })
    }

    /// The object's tag, by which a write can be made to depend on it.
    pub(super) fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }

    fn fail(&self, refusal: &Refusal) -> io::Error {
        io::Error::other(self.client.refused("read", &self.name, refusal))
    }

    /// Fetches the next chunk; false at the end.
    fn fetch(&mut self) -> io::Result<bool> {
        let mut resumed = 0;
        while self.at < self.length {
            let (client, key, etag, at) = (self.client.clone(), self.key.clone(), self.etag.clone(), self.at);
            let body = self.body.take();
            let next = self.client.wait(async move {
                let mut body = match body {
                    Some(body) => body,
                    None => open(&client, &key, at, etag).await?.body,
                };
                // A cut is no refusal: the caller takes the stream up again.
                Ok::<_, Refusal>(match body.try_next().await {
                    Ok(Some(chunk)) => Some((body, Vec::from(chunk))),
                    Ok(None) | Err(_) => None,
                })
            });
            match next.map_err(io::Error::other)?.map_err(|refusal| self.fail(&refusal))? {
                Some((body, chunk)) => {
                    self.body = Some(body);
                    if chunk.is_empty() {
                        continue;
                    }
                    self.at += chunk.len() as u64;
                    if self.at > self.length {
                        return Err(self.fail(&Refusal::ours("length", "more bytes came than were announced")));
                    }
                    self.chunk = chunk;
                    self.taken = 0;
                    return Ok(true);
                }
                None => {
                    resumed += 1;
                    if resumed > RESUMED {
                        return Err(self.fail(&Refusal::ours("transport", "the connection was cut, several times")));
                    }
                }
            }
        }
        Ok(false)
    }
}

impl Read for Object {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || (self.taken == self.chunk.len() && !self.fetch()?) {
            return Ok(0);
        }
        let rest = &self.chunk[self.taken..];
        let n = rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&rest[..n]);
        self.taken += n;
        Ok(n)
    }
}
