//! What is handed over, as one stream: an archive's bytes, or a store as a tar (POSIX ustar) that stock tools unpack.

use std::{
    fs::File,
    io::{self, Read, Seek, Write},
};

use crate::store::{Store, StoreError, read_all};

/// A checkpoint is a few lines.
const MAX_CHECKPOINT: u64 = 1024 * 1024;

/// Why a store cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The output refused.
    #[error("cannot write the copy: {0}")]
    Io(#[from] io::Error),
}

/// Writes every object of the store as a tar, below `folder`; returns how many.
///
/// Objects are written once and never changed, so nothing is locked; the checkpoint is read first, for it must not be ahead of the chain.
///
/// # Errors
/// Where the store or `out` refuses.
pub fn store(store: &dyn Store, folder: &str, out: &mut dyn Write) -> Result<u64, ExportError> {
    let checkpoint = match read_all(store, "checkpoint", MAX_CHECKPOINT) {
        Ok(bytes) => Some(bytes),
        Err(StoreError::NotFound { .. }) => None,
        Err(e) => return Err(e.into()),
    };
    let names: Vec<String> = store.list("")?.into_iter().filter(|name| exported(name)).collect();
    for name in &names {
        let (mut content, size) = sized(store, name)?;
        member(out, &format!("{folder}/{name}"), size, &mut content)?;
    }
    if let Some(bytes) = &checkpoint {
        member(out, &format!("{folder}/checkpoint"), bytes.len() as u64, &mut bytes.as_slice())?;
    }
    // Two empty blocks end a tar.
    out.write_all(&[0; 1024])?;
    Ok(names.len() as u64 + u64::from(checkpoint.is_some()))
}

fn exported(name: &str) -> bool {
    // work/ holds what a run left behind that was never sealed.
    name != "checkpoint" && !name.starts_with("work/") && !name.split('/').any(|part| part.starts_with('.'))
}

/// Opens an object whose size is known: in place where the store is local, else from a temporary copy.
fn sized(store: &dyn Store, name: &str) -> Result<(File, u64), ExportError> {
    let file = match store.local_path(name) {
        Some(path) => File::open(path)?,
        None => {
            let mut copy = tempfile::tempfile()?;
            io::copy(&mut store.read(name)?, &mut copy)?;
            copy.rewind()?;
            copy
        }
    };
    let size = file.metadata()?.len();
    Ok((file, size))
}

fn member(out: &mut dyn Write, name: &str, size: u64, content: &mut dyn Read) -> io::Result<()> {
    out.write_all(&header(name, size)?)?;
    let written = io::copy(&mut content.take(size), out)?;
    if written != size {
        return Err(io::Error::other(format!("{name} changed while it was read")));
    }
    let padding = (512 - size % 512) % 512;
    out.write_all(&[0; 512][..padding as usize])
}

/// Returns a ustar header (POSIX.1-1988): mode 0600, no owner, no time.
fn header(name: &str, size: u64) -> io::Result<[u8; 512]> {
    let mut block = [0; 512];
    // 100 bytes of name, or 155 of prefix and 100 of name.
    let (prefix, short) = if name.len() <= 100 { ("", name) } else { name.rsplit_once('/').unwrap_or(("", name)) };
    if short.len() > 100 || prefix.len() > 155 {
        return Err(io::Error::other(format!("{name} is too long a name for a tar")));
    }
    let mut put = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
    put(0, short.as_bytes());
    put(100, b"0000600\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    if size < 1 << 33 {
        put(124, format!("{size:011o}\0").as_bytes());
    } else {
        // Larger than 8 GiB: base 256, which GNU, BSD and Go read.
        put(124, &[0x80, 0, 0, 0]);
        put(128, &size.to_be_bytes());
    }
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    put(345, prefix.as_bytes());
    let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(block)
}
