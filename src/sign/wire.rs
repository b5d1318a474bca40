//! The SSH wire format (RFC 4251, section 5): length-prefixed strings and multiple-precision integers.

/// Appends `bytes` with their length as four bytes, big-endian.
pub(super) fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Appends an unsigned big-endian integer as `mpint`: no leading zeroes but one where the top bit is set.
pub(super) fn put_mpint(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = bytes.iter().position(|b| *b != 0).unwrap_or(bytes.len());
    let digits = &bytes[start..];
    if digits.first().is_some_and(|b| b & 0x80 != 0) {
        let mut padded = vec![0];
        padded.extend_from_slice(digits);
        put_string(out, &padded);
    } else {
        put_string(out, digits);
    }
}

/// Reads what the two functions above write.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Takes `n` bytes.
    pub(super) fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(n)?;
        self.0 = tail;
        Some(head)
    }

    /// Takes a four-byte number.
    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    /// Takes a string.
    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()?;
        self.take(usize::try_from(length).ok()?)
    }

    /// Takes an unsigned integer of at most 32 bytes and returns it with leading zeroes, or nothing where it has another form.
    pub(super) fn mpint32(&mut self) -> Option<[u8; 32]> {
        let digits = self.string()?;
        let digits = match digits {
            [0, rest @ ..] if rest.first().is_some_and(|b| b & 0x80 != 0) => rest,
            [first, ..] if first & 0x80 == 0 && *first != 0 => digits,
            _ => return None,
        };
        let mut out = [0; 32];
        out.get_mut(32usize.checked_sub(digits.len())?..)?.copy_from_slice(digits);
        Some(out)
    }

    /// Returns whether everything has been taken.
    pub(super) fn at_end(&self) -> bool {
        self.0.is_empty()
    }
}
