//! The bytes that wait to be written, in pieces that are never copied together.

use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::io::IoSlice;

/// Pieces offered to one vectored write. A batch of requests rarely has more, and the operating system
/// takes at most 1,024.
const SLICES_MAX: usize = 64;
/// Written heads that may stay in front of unwritten ones before they are moved out.
const COMPACT_BYTES: usize = 16 << 10;

#[derive(Debug)]
enum Piece {
    /// This many bytes of `heads`.
    Head(usize),
    Body(Bytes),
}

/// A queue of frames to write. Small heads share one buffer, bodies stay where the caller has them.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pieces: VecDeque<Piece>,
    /// Heads in order, the first `heads_written` bytes of them already written.
    heads: Vec<u8>,
    heads_written: usize,
}

impl Outbox {
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Forgets everything, so that no caller's buffer is held any longer (P-44).
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Appends a head: whatever `write` appends to the buffer it is given.
    ///
    /// # Errors
    /// Those of `write`; nothing is appended then.
    pub(super) fn push_head<E>(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.pieces.is_empty() {
            self.heads.clear();
            self.heads_written = 0;
        } else if self.heads_written > COMPACT_BYTES {
            self.heads.drain(..self.heads_written);
            self.heads_written = 0;
        }
        let before = self.heads.len();
        if let Err(error) = write(&mut self.heads) {
            self.heads.truncate(before);
            return Err(error);
        }
        self.pieces
            .push_back(Piece::Head(self.heads.len() - before));
        Ok(())
    }

    /// Appends a part of a body.
    pub(super) fn push_body(&mut self, part: Bytes) {
        if !part.is_empty() {
            self.pieces.push_back(Piece::Body(part));
        }
    }

    /// Gives the first pieces to `write` as slices.
    pub(super) fn with_slices<R>(&self, write: impl FnOnce(&[IoSlice<'_>]) -> R) -> R {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let mut count = 0;
        let mut heads = self.heads.get(self.heads_written..).unwrap_or_default();
        for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
            *slice = match piece {
                Piece::Head(length) => {
                    let (head, rest) = heads.split_at_checked(*length).unwrap_or_default();
                    heads = rest;
                    IoSlice::new(head)
                }
                Piece::Body(bytes) => IoSlice::new(bytes),
            };
            count += 1;
        }
        write(slices.get(..count).unwrap_or_default())
    }

    /// Removes `bytes` bytes from the front: they were written.
    pub(super) fn advance(&mut self, mut bytes: usize) {
        while bytes > 0
            && let Some(piece) = self.pieces.front_mut()
        {
            let length = match piece {
                Piece::Head(length) => *length,
                Piece::Body(body) => body.len(),
            };
            let taken = length.min(bytes);
            bytes -= taken;
            match piece {
                Piece::Head(length) => {
                    *length -= taken;
                    self.heads_written += taken;
                }
                Piece::Body(body) => body.advance(taken),
            }
            if taken == length {
                self.pieces.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn push_head(outbox: &mut Outbox, head: &[u8]) {
        let result: Result<(), ()> = outbox.push_head(|out| {
            out.extend_from_slice(head);
            Ok(())
        });
        result.unwrap();
    }

    fn write(outbox: &mut Outbox, limit: usize, out: &mut Vec<u8>) {
        let offered = outbox.with_slices(|slices| {
            slices
                .iter()
                .flat_map(|slice| slice.iter().copied())
                .collect::<Vec<u8>>()
        });
        let taken = offered.len().min(limit);
        out.extend_from_slice(&offered[..taken]);
        outbox.advance(taken);
    }

    #[test]
    fn a_head_that_cannot_be_written_leaves_nothing() {
        let mut outbox = Outbox::default();
        push_head(&mut outbox, b"ab");
        let failed = outbox.push_head(|out| {
            out.push(b'x');
            Err(())
        });
        assert_eq!(failed, Err(()));
        push_head(&mut outbox, b"cd");
        let mut out = Vec::new();
        write(&mut outbox, usize::MAX, &mut out);
        assert_eq!(out, b"abcd");
    }

    #[test]
    fn bodies_are_released_as_soon_as_they_are_written() {
        let mut outbox = Outbox::default();
        let body = Bytes::from(vec![1; 100]);
        push_head(&mut outbox, b"head");
        outbox.push_body(body.clone());
        assert!(!body.is_unique());
        outbox.advance(104);
        assert!(body.is_unique());
        assert!(outbox.is_empty());
    }

    proptest! {
        #[test]
        fn bytes_leave_in_order_however_they_are_taken(
            frames in prop::collection::vec((1_usize..50, 0_usize..3, 1_usize..400), 1..200),
            takes in prop::collection::vec(1_usize..5_000, 1..50),
        ) {
            let mut outbox = Outbox::default();
            let (mut expected, mut out, mut byte) = (Vec::new(), Vec::new(), 0_u8);
            let mut next = |length: usize| {
                byte = byte.wrapping_add(1);
                vec![byte; length]
            };
            let mut takes = takes.into_iter().cycle();
            for (head, parts, body) in frames {
                let head = next(head);
                push_head(&mut outbox, &head);
                expected.extend(head);
                for _ in 0..parts {
                    let part = next(body);
                    expected.extend_from_slice(&part);
                    outbox.push_body(part.into());
                }
                write(&mut outbox, takes.next().unwrap() / 8, &mut out);
            }
            while !outbox.is_empty() {
                write(&mut outbox, takes.next().unwrap(), &mut out);
            }
            prop_assert_eq!(out, expected);
        }
    }
}
