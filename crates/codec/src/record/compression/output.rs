//! A buffer that does not grow beyond its maximum.

use std::io::Read;

/// Space offered to a reader first; it doubles from there.
const FIRST_BYTES: usize = 8 << 10;

/// Why decompression stopped.
#[derive(Debug)]
pub(super) enum Failure {
    /// The output would become longer than it may.
    Limit,
    /// The input is not what it should be.
    Malformed(String),
    /// The output will be shorter than it has to be.
    Short,
}

impl Failure {
    pub(super) fn malformed(reason: impl ToString) -> Self {
        Self::Malformed(reason.to_string())
    }
}

/// Whether all of something had room.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum All {
    Fits,
    /// There is more, of which so many bytes were read and are lost.
    More(usize),
}

/// What a decompressor writes to.
#[derive(Debug)]
pub(super) struct Output {
    /// Written bytes, then zeros for what may come next: space is cleared once, not once a read.
    bytes: Vec<u8>,
    written: usize,
    max: usize,
}

impl Output {
    pub(super) fn new(mut buffer: Vec<u8>, max: usize) -> Self {
        buffer.clear();
        Self {
            bytes: buffer,
            written: 0,
            max,
        }
    }

    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.truncate(self.written);
        self.bytes
    }

    /// How many bytes may still come.
    pub(super) fn left(&self) -> usize {
        self.max - self.written
    }

    /// Begins anew, with at most `size` bytes.
    pub(super) fn restart(&mut self, size: usize) {
        self.written = 0;
        self.max = size;
    }

    /// Makes room for `more` bytes at once, as far as they may come at all.
    pub(super) fn reserve(&mut self, more: usize) {
        let _ = self.space(more);
    }

    /// What was written, and space for at most `wanted` bytes more, less only where the maximum is.
    pub(super) fn space(&mut self, wanted: usize) -> (&[u8], &mut [u8]) {
        let end = self.written + wanted.min(self.left());
        if self.bytes.len() < end {
            if self.bytes.capacity() < end {
                // Vec's own doubling would go beyond the maximum.
                let doubled = self.bytes.capacity().saturating_mul(2).min(self.max);
                self.bytes
                    .reserve_exact(doubled.max(end) - self.bytes.len());
            }
            self.bytes.resize(end, 0);
        }
        let (written, space) = self.bytes.split_at_mut(self.written);
        let length = end - self.written;
        (written, space.get_mut(..length).unwrap_or_default())
    }

    /// Counts the first `length` bytes of the space as written.
    pub(super) fn advance(&mut self, length: usize) {
        self.written = self.bytes.len().min(self.written.saturating_add(length));
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let (_, space) = self.space(bytes.len());
        if space.len() < bytes.len() {
            return Err(Failure::Limit);
        }
        space.copy_from_slice(bytes);
        self.advance(bytes.len());
        Ok(())
    }

    /// How many bytes there are.
    pub(super) fn written(&self) -> usize {
        self.written
    }

    /// Appends all that `reader` has, or as much as there is room for.
    pub(super) fn append_all(&mut self, reader: &mut impl Read) -> Result<All, Failure> {
        loop {
            if self.left() == 0 {
                // Full is fine, if that was all.
                return match reader.read(&mut [0]) {
                    Ok(0) => Ok(All::Fits),
                    Ok(length) => Ok(All::More(length)),
                    Err(cause) => Err(Failure::malformed(cause)),
                };
            }
            let wanted = self.bytes.capacity().max(2 * self.written).max(FIRST_BYTES);
            let (_, space) = self.space(wanted - self.written);
            match reader.read(space) {
                Ok(0) => return Ok(All::Fits),
                Ok(length) => self.advance(length),
                Err(cause) => return Err(Failure::malformed(cause)),
            }
        }
    }
}
