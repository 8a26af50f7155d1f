//! Cuts a buffer into whole record batches.

use super::batch::Batch;
use super::error::BatchError;
use super::layout::{
    BASE_OFFSET, BATCH_HEADER_BYTES, BATCH_LENGTH, LOG_OVERHEAD, MAGIC, MAGIC_AT, field,
};
use super::legacy::MESSAGE_BYTES_MIN;
use bytes::Bytes;

/// The batches in the records field of a Fetch response or a Produce request, in order; each shares the
/// buffer. Message sets of magic 0 and 1 come out as a batch for each message that stands alone and one for each
/// compressed set; see [`Batch::magic`].
///
/// A batch that is cut off at the end is not an error, since a broker cuts where `max_bytes` says
/// iteration ends before it and [`Batches::tail`] describes it. After an error nothing more comes.
#[derive(Clone, Debug)]
pub struct Batches {
    left: Bytes,
}

/// What is behind the last whole batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Nothing.
    Done,
    /// The beginning of a batch.
    Partial {
        /// Bytes of it that are there.
        have: usize,
        /// Bytes that the whole batch has, or the 17 that are needed to know.
        need: usize,
    },
}

impl Batches {
    /// The batches in `records`.
    #[must_use]
    pub fn new(records: Bytes) -> Self {
        Self { left: records }
    }

    /// What is left once iteration has ended: nothing, or the beginning of a batch.
    #[must_use]
    pub fn tail(&self) -> Tail {
        let have = self.left.len();
        if have == 0 {
            return Tail::Done;
        }
        let need = match self.next_size() {
            Ok(Some(size)) => size,
            Ok(None) | Err(_) => MAGIC_AT + 1,
        };
        Tail::Partial { have, need }
    }

    /// The size of the next batch, `None` if too little of it is there to know.
    fn next_size(&self) -> Result<Option<usize>, BatchError> {
        if self.left.len() <= MAGIC_AT {
            return Ok(None);
        }
        let base_offset = i64::from_be_bytes(field(&self.left, BASE_OFFSET));
        let [magic] = field(&self.left, MAGIC_AT);
        let least = match i8::from_be_bytes([magic]) {
            MAGIC => BATCH_HEADER_BYTES,
            0 | 1 => LOG_OVERHEAD + MESSAGE_BYTES_MIN,
            magic => return Err(BatchError::Magic { base_offset, magic }),
        };
        let length = i32::from_be_bytes(field(&self.left, BATCH_LENGTH));
        let size = usize::try_from(length)
            .unwrap_or(0)
            .saturating_add(LOG_OVERHEAD);
        if size < least {
            return Err(BatchError::Length {
                length: length.into(),
            });
        }
        Ok(Some(size))
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.next_size() {
            Ok(Some(size)) if size <= self.left.len() => {
                Some(Ok(Batch::from_whole(self.left.split_to(size))))
            }
            Ok(_) => None,
            Err(error) => {
                self.left.clear();
                Some(Err(error))
            }
        }
    }
}

impl std::iter::FusedIterator for Batches {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{BatchStamp, ClosedBatch};
    use crate::{BatchBuilder, Compression, RecordToWrite};

    fn batch(value: &[u8]) -> Vec<u8> {
        let mut builder = BatchBuilder::default();
        let record = RecordToWrite {
            timestamp: 0,
            key: None,
            value: Some(value),
            headers: &[],
        };
        builder.append(&record).unwrap();
        let closed: ClosedBatch = builder.close(Compression::None).unwrap();
        closed.to_vec(&BatchStamp::NONE)
    }

    #[test]
    fn whole_batches_come_out_and_a_cut_one_is_the_tail() {
        let (first, second) = (batch(b"one"), batch(b"two or more"));
        let wire = Bytes::from([first.clone(), second.clone()].concat());
        for cut in 0..=wire.len() {
            let mut batches = Batches::new(wire.slice(..cut));
            let read: Vec<_> = batches.by_ref().map(Result::unwrap).collect();
            let whole = usize::from(cut >= first.len()) + usize::from(cut >= wire.len());
            assert_eq!(read.len(), whole);
            let (have, size) = match whole {
                0 => (cut, first.len()),
                _ => (cut - first.len(), second.len()),
            };
            let expected = match have {
                0 => Tail::Done,
                _ if whole == 2 => Tail::Done,
                1..17 => Tail::Partial { have, need: 17 },
                _ => Tail::Partial { have, need: size },
            };
            assert_eq!(batches.tail(), expected, "cut at {cut}");
        }
    }

    #[test]
    fn a_length_that_cannot_be_ends_the_iteration() {
        for length in [i32::MIN, -1, 0, 48] {
            let mut wire = batch(b"one");
            wire[8..12].copy_from_slice(&length.to_be_bytes());
            let mut batches = Batches::new(wire.into());
            let error = BatchError::Length {
                length: length.into(),
            };
            assert_eq!(batches.next(), Some(Err(error)));
            assert_eq!(batches.next(), None);
        }
    }

    #[test]
    fn unknown_formats_are_rejected() {
        for (byte, magic) in [(3, 3), (0x7f, 127), (0xff, -1)] {
            let mut wire = batch(b"one");
            wire[16] = byte;
            let error = BatchError::Magic {
                base_offset: 0,
                magic,
            };
            assert_eq!(Batches::new(wire.into()).next(), Some(Err(error)));
        }
    }
}
