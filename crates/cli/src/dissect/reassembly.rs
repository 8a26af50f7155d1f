//! One direction of a TCP connection: segments in, its bytes in order out.
//!
//! Simple on purpose: what comes again is cut off, what comes early waits, and what never comes is a gap.

use std::collections::VecDeque;

/// Bytes and segments that wait for an earlier one; with more, the earlier one counts as lost.
const AHEAD_BYTES_MAX: usize = 1 << 20;
const AHEAD_SEGMENTS_MAX: usize = 256;
/// Bytes that may come before their SYN in a capture. A SYN further away begins another connection.
const LATE_BYTES_MAX: u32 = 1 << 20;

/// A direction of a connection.
#[derive(Debug, Default)]
pub(crate) struct Direction {
    /// The sequence number of the first byte that was seen or, after a SYN, of the first there is.
    first: Option<u32>,
    /// The sequence number of the next byte; `None` before the first segment.
    next: Option<u32>,
    /// Segments that came early, by how far, nearest first.
    ahead: VecDeque<(u32, Vec<u8>)>,
    ahead_bytes: usize,
}

/// What comes out, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// The bytes of a segment that are new.
    Bytes(Vec<u8>),
    /// So many bytes are missing here.
    Gap(u32),
}

impl Direction {
    /// The connection begins: this is the number of the SYN itself.
    pub(crate) fn begin(&mut self, sequence: u32) {
        let first = Some(sequence.wrapping_add(1));
        *self = Self {
            first,
            next: first,
            ..Self::default()
        };
    }

    /// Whether a SYN with this number belongs to what was seen already: it came again, or later in the
    /// capture than the first bytes behind it.
    pub(crate) fn has_begun(&self, sequence: u32) -> bool {
        let behind = |first: u32| first.wrapping_sub(sequence).wrapping_sub(1);
        self.first
            .is_some_and(|first| behind(first) <= LATE_BYTES_MAX)
    }

    /// Bytes that wait here.
    pub(crate) fn buffered(&self) -> usize {
        self.ahead_bytes
    }

    /// A segment with data came.
    pub(crate) fn push(&mut self, sequence: u32, payload: &[u8]) -> Vec<Piece> {
        if payload.is_empty() {
            return Vec::new();
        }
        self.first.get_or_insert(sequence);
        let next = *self.next.get_or_insert(sequence);
        let distance = sequence.wrapping_sub(next);
        if is_before(distance) {
            // Sent again, perhaps with more behind it.
            let known = usize::try_from(distance.wrapping_neg()).unwrap_or(usize::MAX);
            let new = payload.get(known..).unwrap_or_default();
            return self.advance(new);
        }
        if distance == 0 {
            return self.advance(payload);
        }
        let place = self
            .ahead
            .partition_point(|(other, _)| other.wrapping_sub(next) < distance);
        self.ahead.insert(place, (sequence, payload.to_vec()));
        self.ahead_bytes += payload.len();
        let mut pieces = Vec::new();
        while self.ahead_bytes > AHEAD_BYTES_MAX || self.ahead.len() > AHEAD_SEGMENTS_MAX {
            pieces.extend(self.give_up());
        }
        pieces
    }

    /// Nothing comes any more: everything that waits, with its gaps.
    pub(crate) fn end(&mut self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        while !self.ahead.is_empty() {
            pieces.extend(self.give_up());
        }
        pieces
    }

    /// The missing segment counts as lost.
    fn give_up(&mut self) -> Vec<Piece> {
        let (Some(next), Some((sequence, _))) = (self.next, self.ahead.front()) else {
            return Vec::new();
        };
        let gap = Piece::Gap(sequence.wrapping_sub(next));
        self.next = Some(*sequence);
        let mut pieces = vec![gap];
        pieces.extend(self.advance(&[]));
        pieces
    }

    /// These bytes are next, and then whatever waited for them.
    fn advance(&mut self, new: &[u8]) -> Vec<Piece> {
        let mut pieces = Vec::new();
        self.take(new, &mut pieces);
        while let (Some(next), Some((sequence, _))) = (self.next, self.ahead.front()) {
            let distance = sequence.wrapping_sub(next);
            if distance != 0 && !is_before(distance) {
                break;
            }
            let Some((_, payload)) = self.ahead.pop_front() else {
                break;
            };
            self.ahead_bytes = self.ahead_bytes.saturating_sub(payload.len());
            let known = usize::try_from(distance.wrapping_neg()).unwrap_or(usize::MAX);
            self.take(payload.get(known..).unwrap_or_default(), &mut pieces);
        }
        pieces
    }

    fn take(&mut self, new: &[u8], pieces: &mut Vec<Piece>) {
        if new.is_empty() {
            return;
        }
        // Sequence numbers go round; a segment is far shorter than they are.
        let length = u32::try_from(new.len()).unwrap_or(u32::MAX);
        self.next = self.next.map(|next| next.wrapping_add(length));
        pieces.push(Piece::Bytes(new.to_vec()));
    }
}

/// Whether a distance between sequence numbers is a step back: they are compared as serial numbers.
fn is_before(distance: u32) -> bool {
    distance > u32::MAX / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pushes segments, and gives the bytes and gaps that came out.
    fn joined(direction: &mut Direction, segments: &[(u32, &str)]) -> String {
        let pieces = segments
            .iter()
            .flat_map(|(sequence, text)| direction.push(*sequence, text.as_bytes()))
            .collect();
        text(pieces)
    }

    fn text(pieces: Vec<Piece>) -> String {
        let show = |piece| match piece {
            Piece::Bytes(bytes) => String::from_utf8(bytes).unwrap(),
            Piece::Gap(bytes) => format!("<{bytes}>"),
        };
        pieces.into_iter().map(show).collect()
    }

    #[test]
    fn segments_come_out_in_order_and_once() {
        for first in [0_u32, 1_000, u32::MAX - 3, u32::MAX] {
            let mut direction = Direction::default();
            direction.begin(first);
            let at = |place: u32| first.wrapping_add(1).wrapping_add(place);
            let segments = [
                (at(0), "ab"),
                (at(4), "ef"),
                (at(0), "ab"),
                (at(6), "gh"),
                (at(4), "ef"),
                (at(1), "bcd"),
                (at(2), "cdefghij"),
                (at(9), "j"),
            ];
            assert_eq!(joined(&mut direction, &segments), "abcdefghij", "{first}");
            assert_eq!(direction.buffered(), 0);
        }
    }

    #[test]
    fn any_order_of_overlapping_segments_gives_the_same_bytes() {
        let whole: String = ('a'..='z').collect();
        for seed in 0..500 {
            let mut random = fastrand::Rng::with_seed(seed);
            let first = random.u32(..);
            let mut segments: Vec<_> = (0..26)
                .map(|start: usize| (start, random.usize(start + 1..=26)))
                .collect();
            random.shuffle(&mut segments);
            let mut direction = Direction::default();
            direction.begin(first.wrapping_sub(1));
            let segments: Vec<_> = segments
                .iter()
                .map(|(from, to)| {
                    let sequence = first.wrapping_add(u32::try_from(*from).unwrap());
                    (sequence, &whole[*from..*to])
                })
                .collect();
            assert_eq!(joined(&mut direction, &segments), whole, "seed {seed}");
        }
    }

    #[test]
    fn what_never_comes_is_a_gap_at_the_end() {
        let mut direction = Direction::default();
        direction.begin(9);
        let segments = [(10, "ab"), (15, "f"), (20, "k")];
        assert_eq!(joined(&mut direction, &segments), "ab");
        assert_eq!(text(direction.end()), "<3>f<4>k");
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut direction = Direction::default();
        direction.begin(0);
        let kilobyte = vec![7; 1_024];
        let mut gaps = 0;
        for place in 1..5_000_u32 {
            // Every other one is missing.
            let pieces = direction.push(1 + place * 2_048, &kilobyte);
            gaps += pieces
                .iter()
                .filter(|piece| matches!(piece, Piece::Gap(_)))
                .count();
            assert!(direction.buffered() <= AHEAD_BYTES_MAX);
            assert!(direction.ahead.len() <= AHEAD_SEGMENTS_MAX);
        }
        assert!(gaps > 4_000);
    }

    #[test]
    fn a_late_or_repeated_syn_begins_nothing_anew() {
        for first in [0_u32, u32::MAX - 1, u32::MAX] {
            let mut direction = Direction::default();
            assert!(!direction.has_begun(first));
            let early = [(first.wrapping_add(1), "ab")];
            assert_eq!(joined(&mut direction, &early), "ab");
            assert!(direction.has_begun(first), "{first}");
            assert!(!direction.has_begun(first.wrapping_add(1_000)));
            assert!(!direction.has_begun(first.wrapping_sub(2 << 20)));
            direction.begin(first);
            assert!(direction.has_begun(first));
        }
    }

    #[test]
    fn a_capture_that_begins_in_the_middle_begins_with_what_it_has() {
        let mut direction = Direction::default();
        assert_eq!(joined(&mut direction, &[(500, "ab"), (502, "cd")]), "abcd");
    }
}
