//! Cuts the bytes of a connection into frames: a 4-byte big-endian length, then that many bytes.

use bytes::{Buf, Bytes, BytesMut};

const LENGTH_BYTES: usize = 4;
/// Space offered to a read when nothing is known about the next frame.
const READ_BYTES: usize = 64 << 10;
/// By how much space may run ahead of the bytes that arrived. A peer that only claims a long frame
/// makes us reserve little; one that sends it makes us copy a third of it at most.
const GROWTH: usize = 4;

/// The length at the head of a frame cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A negative length.
    #[error("a frame of negative length {length}")]
    Negative {
        /// The length as it came. Its four bytes may show which protocol the peer really speaks.
        length: i32,
    },
    /// A length beyond the limit.
    #[error("a frame of {length} bytes where at most {limit} are allowed")]
    TooLarge {
        /// The length as it came. Its four bytes may show which protocol the peer really speaks.
        length: i32,
        /// The limit in force.
        limit: usize,
    },
}

/// Collects bytes until a frame is whole, then hands it out without a copy.
///
/// Read from the socket into [`FrameDecoder::buffer_mut`], then take frames with
/// [`FrameDecoder::next_frame`] until there is none. After an error the stream has no known frame
/// boundary any more: close the connection; every further call repeats the error.
#[derive(Debug)]
pub struct FrameDecoder {
    buffer: BytesMut,
    frame_limit: usize,
}

impl FrameDecoder {
    /// A decoder that rejects frames of more than `frame_limit` bytes, length bytes not counted.
    #[must_use]
    pub fn new(frame_limit: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            frame_limit,
        }
    }

    /// The buffer to append received bytes to, with space for the next read.
    ///
    /// Space is 64 KiB, or what the frame under way still lacks, but never more than three times
    /// what already arrived of it (L-22: a claimed length alone reserves nothing).
    pub fn buffer_mut(&mut self) -> &mut BytesMut {
        let have = self.buffer.len();
        let target = match self.frame_bytes() {
            Ok(Some(whole)) => whole.min(have.saturating_mul(GROWTH)).max(READ_BYTES),
            Ok(None) | Err(_) => READ_BYTES,
        };
        // At least one byte, or a read of zero bytes would look like the end of the stream.
        if self.buffer.capacity() == have || self.buffer.capacity() < target {
            self.buffer.reserve(target.saturating_sub(have).max(1));
        }
        &mut self.buffer
    }

    /// The next whole frame without its length bytes, `None` until more bytes have arrived.
    ///
    /// The frame shares the decoder's buffer.
    ///
    /// # Errors
    /// [`FrameError`] if the next length is negative or above the limit.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, FrameError> {
        let Some(whole) = self.frame_bytes()? else {
            return Ok(None);
        };
        if self.buffer.len() < whole {
            return Ok(None);
        }
        let mut frame = self.buffer.split_to(whole);
        frame.advance(LENGTH_BYTES);
        Ok(Some(frame.freeze()))
    }

    /// Bytes that arrived and were not handed out: what is lost if the connection ends here.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// The size of the frame at the head of the buffer with its length bytes, if that is known.
    fn frame_bytes(&self) -> Result<Option<usize>, FrameError> {
        let Some(head) = self.buffer.first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let length = i32::from_be_bytes(*head);
        let bytes = usize::try_from(length).map_err(|_| FrameError::Negative { length })?;
        if bytes > self.frame_limit {
            return Err(FrameError::TooLarge {
                length,
                limit: self.frame_limit,
            });
        }
        Ok(Some(bytes.saturating_add(LENGTH_BYTES)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(payload: &[u8]) -> Vec<u8> {
        let mut wire = u32::try_from(payload.len()).unwrap().to_be_bytes().to_vec();
        wire.extend_from_slice(payload);
        wire
    }

    #[test]
    fn frames_come_out_whole_however_the_bytes_arrive() {
        let wire = [framed(b"one"), framed(b""), framed(&[7; 1000])].concat();
        for piece in [1, 2, 3, 5, 64, wire.len()] {
            let mut decoder = FrameDecoder::new(1000);
            let mut frames = Vec::new();
            for bytes in wire.chunks(piece) {
                decoder.buffer_mut().extend_from_slice(bytes);
                while let Some(frame) = decoder.next_frame().unwrap() {
                    frames.push(frame);
                }
            }
            assert_eq!(frames, [&b"one"[..], b"", &[7; 1000]]);
            assert_eq!(decoder.buffered(), 0);
        }
    }

    #[test]
    fn a_length_above_the_limit_is_rejected_before_space_is_made() {
        let mut decoder = FrameDecoder::new(100);
        decoder
            .buffer_mut()
            .extend_from_slice(&i32::MAX.to_be_bytes());
        let error = FrameError::TooLarge {
            length: i32::MAX,
            limit: 100,
        };
        assert_eq!(decoder.next_frame(), Err(error));
        assert!(decoder.buffer_mut().capacity() <= READ_BYTES);
        assert_eq!(decoder.next_frame(), Err(error));
    }

    #[test]
    fn a_negative_length_is_rejected() {
        let mut decoder = FrameDecoder::new(100);
        decoder
            .buffer_mut()
            .extend_from_slice(&(-2_i32).to_be_bytes());
        assert_eq!(
            decoder.next_frame(),
            Err(FrameError::Negative { length: -2 })
        );
    }

    #[test]
    fn a_claimed_length_reserves_little_until_its_bytes_arrive() {
        let mut decoder = FrameDecoder::new(100 << 20);
        decoder
            .buffer_mut()
            .extend_from_slice(&(100_i32 << 20).to_be_bytes());
        assert!(decoder.buffer_mut().capacity() <= READ_BYTES);
        decoder.buffer_mut().extend_from_slice(&[0; READ_BYTES]);
        assert!(decoder.buffer_mut().capacity() <= 2 * GROWTH * READ_BYTES);
    }

    #[test]
    fn there_is_always_space_to_read_into() {
        let mut decoder = FrameDecoder::new(1 << 20);
        let payload = vec![3; 1 << 20];
        let wire = framed(&payload);
        let mut sent = 0;
        while sent < wire.len() {
            let buffer = decoder.buffer_mut();
            let space = buffer.capacity() - buffer.len();
            assert!(space > 0);
            let end = wire.len().min(sent + space);
            buffer.extend_from_slice(&wire[sent..end]);
            sent = end;
        }
        assert_eq!(decoder.next_frame().unwrap().unwrap(), payload);
    }
}
