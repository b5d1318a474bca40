//! Keys and values as bytes: keys so that they order as what they stand for does.

use std::io;

/// Appends a text to a key: bytewise order of keys is that of the texts, also where one begins with the other.
pub fn text(key: &mut Vec<u8>, text: &str) {
    // NUL ends a text; one inside is followed by 0xFF, which is greater than what follows any end.
    for piece in text.as_bytes().split_inclusive(|b| *b == 0) {
        key.extend_from_slice(piece);
        if piece.last() == Some(&0) {
            key.push(0xff);
        }
    }
    key.extend_from_slice(&[0, 0]);
}

/// Appends bytes to a value, preceded by their number.
pub fn bytes(value: &mut Vec<u8>, bytes: &[u8]) {
    number(value, bytes.len() as u64);
    value.extend_from_slice(bytes);
}

/// Appends a number to a value, small ones in few bytes.
pub fn number(value: &mut Vec<u8>, mut n: u64) {
    while n > 127 {
        value.push((n & 127) as u8 | 128);
        n >>= 7;
    }
    value.push(n as u8);
}

/// Reads keys and values back, piece by piece.
#[derive(Debug, Clone, Copy)]
pub struct Pieces<'a>(pub &'a [u8]);

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a temporary file was damaged")
}

impl<'a> Pieces<'a> {
    /// Takes the next `n` bytes.
    ///
    /// # Errors
    /// There are fewer.
    pub fn take(&mut self, n: usize) -> io::Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n).ok_or_else(damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    /// Takes one byte.
    ///
    /// # Errors
    /// There is none.
    pub fn byte(&mut self) -> io::Result<u8> {
        self.take(1).map(|b| b.first().copied().unwrap_or_default())
    }

    /// Takes a text that [`text`] wrote.
    ///
    /// # Errors
    /// There is none.
    pub fn text(&mut self) -> io::Result<String> {
        let mut out = Vec::new();
        loop {
            let end = self.0.iter().position(|b| *b == 0).ok_or_else(damaged)?;
            out.extend_from_slice(self.take(end)?);
            self.take(1)?;
            if self.byte()? == 0 {
                return String::from_utf8(out).map_err(|_| damaged());
            }
            out.push(0);
        }
    }

    /// Takes what [`number`] wrote.
    ///
    /// # Errors
    /// There is none.
    pub fn number(&mut self) -> io::Result<u64> {
        let (mut n, mut shift) = (0, 0);
        loop {
            let byte = self.byte()?;
            n |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return Ok(n);
            }
            shift += 7;
            if shift > 63 {
                return Err(damaged());
            }
        }
    }

    /// Takes what [`bytes`] wrote.
    ///
    /// # Errors
    /// There is none.
    pub fn bytes(&mut self) -> io::Result<&'a [u8]> {
        let n = self.number()?;
        self.take(usize::try_from(n).map_err(|_| damaged())?)
    }

    /// Takes a text that [`bytes`] wrote.
    ///
    /// # Errors
    /// There is none, or it is no UTF-8.
    pub fn words(&mut self) -> io::Result<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| damaged())
    }

    /// Takes a text that [`bytes`] wrote and reads it as something else.
    ///
    /// # Errors
    /// There is none, or it is not of that kind.
    pub fn parsed<T: std::str::FromStr>(&mut self) -> io::Result<T> {
        self.words()?.parse().map_err(|_| damaged())
    }
}
