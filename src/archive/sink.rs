//! Where files go as they are written, one after another: a folder, a staging folder, or a comparison with what is there.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::PathBuf,
};

/// Takes files, one after another.
pub trait FileSink {
    /// Begins the next file; the one before has ended.
    ///
    /// # Errors
    /// The disk refuses.
    fn begin(&mut self, path: &str) -> io::Result<()>;

    /// Adds bytes to the file begun last: whole lines, where it is a file of lines.
    ///
    /// # Errors
    /// The disk refuses.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Ends the last file.
    ///
    /// # Errors
    /// The disk refuses.
    fn finish(&mut self) -> io::Result<()>;

    /// Takes a whole file.
    ///
    /// # Errors
    /// The disk refuses.
    fn add(&mut self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.begin(path)?;
        self.write(bytes)
    }
}

/// Takes files to nowhere.
#[derive(Debug, Clone, Copy)]
pub struct Nowhere;

impl FileSink for Nowhere {
    fn begin(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }
    fn write(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }
    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes files below a folder; paths lose what they begin with.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    without: &'static str,
    open: Option<BufWriter<File>>,
}

impl Folder {
    /// Writes below `root`, without the beginning `without` of each path.
    pub fn new(root: PathBuf, without: &'static str) -> Self {
        Self { root, without, open: None }
    }
}

impl FileSink for Folder {
    fn begin(&mut self, path: &str) -> io::Result<()> {
        self.finish()?;
        super::path::check(path).map_err(io::Error::other)?;
        let place = self.root.join(path.strip_prefix(self.without).unwrap_or(path));
        let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", place.display()));
        if let Some(parent) = place.parent() {
            std::fs::create_dir_all(parent).map_err(named)?;
        }
        self.open = Some(BufWriter::with_capacity(256 * 1024, File::create(&place).map_err(named)?));
        Ok(())
    }
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.open.as_mut().map_or(Ok(()), |file| file.write_all(bytes))
    }
    fn finish(&mut self) -> io::Result<()> {
        self.open.take().map_or(Ok(()), |mut file| file.flush())
    }
}
