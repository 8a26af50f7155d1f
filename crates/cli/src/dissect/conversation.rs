//! One connection between a client and a broker: its bytes in both directions, as requests and answers.

use bytes::{Buf, Bytes, BytesMut};
use milena_codec::{Limits, header, schema};

use super::reassembly::{Direction, Piece};
use crate::pending::Pending;

const LENGTH_BYTES: usize = 4;
/// The shortest request: API, version and correlation id.
const REQUEST_BYTES_MIN: usize = 8;
/// The shortest answer: a correlation id.
const RESPONSE_BYTES_MIN: usize = 4;

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    ToBroker,
    ToClient,
}

/// Something on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Request(Bytes),
    /// With the API and version of its request.
    Response(Bytes, i16, i16),
    /// So many bytes that cannot be told apart, because something before them is missing.
    Skipped(usize),
    /// An answer to nobody knows what.
    Unmatched,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Conversation {
    to_broker: Half,
    to_client: Half,
    pending: Pending<(i16, i16)>,
    limits: Limits,
}

#[derive(Debug, Default)]
struct Half {
    direction: Direction,
    /// Bytes from the beginning of a frame on, if that is known.
    bytes: BytesMut,
    in_step: bool,
}

impl Conversation {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            to_broker: Half::default(),
            to_client: Half::default(),
            pending: Pending::new(),
            limits,
        }
    }

    /// Bytes that wait here for more.
    pub(crate) fn buffered(&self) -> usize {
        let half = |half: &Half| half.direction.buffered() + half.bytes.len();
        half(&self.to_broker) + half(&self.to_client)
    }

    /// The connection begins here.
    pub(crate) fn begin(&mut self, way: Way, sequence: u32) {
        let half = self.half(way);
        half.direction.begin(sequence);
        half.bytes.clear();
        half.in_step = true;
    }

    /// Whether a SYN with this number belongs to what was seen of this connection already.
    pub(crate) fn has_begun(&self, way: Way, sequence: u32) -> bool {
        match way {
            Way::ToBroker => self.to_broker.direction.has_begun(sequence),
            Way::ToClient => self.to_client.direction.has_begun(sequence),
        }
    }

    /// A segment came.
    pub(crate) fn push(&mut self, way: Way, sequence: u32, payload: &[u8]) -> Vec<Heard> {
        let pieces = self.half(way).direction.push(sequence, payload);
        self.hear(way, pieces)
    }

    /// Nothing comes any more.
    pub(crate) fn end(&mut self) -> Vec<Heard> {
        let mut heard = Vec::new();
        for way in [Way::ToBroker, Way::ToClient] {
            let pieces = self.half(way).direction.end();
            heard.extend(self.hear(way, pieces));
            let left = self.half(way).bytes.len();
            if left > 0 {
                heard.push(Heard::Skipped(left));
            }
        }
        heard
    }

    fn half(&mut self, way: Way) -> &mut Half {
        match way {
            Way::ToBroker => &mut self.to_broker,
            Way::ToClient => &mut self.to_client,
        }
    }

    fn hear(&mut self, way: Way, pieces: Vec<Piece>) -> Vec<Heard> {
        let mut heard = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Gap(_) => heard.extend(self.lose_step(way)),
                Piece::Bytes(bytes) => {
                    if !self.half(way).in_step && !self.begins_frame(way, &bytes) {
                        heard.push(Heard::Skipped(bytes.len()));
                        continue;
                    }
                    let half = self.half(way);
                    half.in_step = true;
                    half.bytes.extend_from_slice(&bytes);
                    self.frames(way, &mut heard);
                }
            }
        }
        heard
    }

    /// Where the next frame begins is not known any more; what there is of this one is lost.
    fn lose_step(&mut self, way: Way) -> Option<Heard> {
        let half = self.half(way);
        half.in_step = false;
        let lost = std::mem::take(&mut half.bytes).len();
        (lost > 0).then_some(Heard::Skipped(lost))
    }

    /// Whether a segment looks like the beginning of a frame: clients and brokers send whole frames, so
    /// that after a gap one soon begins where a segment does.
    fn begins_frame(&self, way: Way, bytes: &[u8]) -> bool {
        let Some((length, frame)) = bytes.split_first_chunk::<LENGTH_BYTES>() else {
            return false;
        };
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
            return false;
        };
        if length > self.limits.frame_bytes {
            return false;
        }
        match way {
            Way::ToBroker => {
                let Some([k1, k2, v1, v2]) = frame.first_chunk() else {
                    return false;
                };
                let versions = schema::api_versions(i16::from_be_bytes([*k1, *k2]));
                let version = i16::from_be_bytes([*v1, *v2]);
                length >= REQUEST_BYTES_MIN && versions.is_some_and(|all| all.contains(version))
            }
            Way::ToClient => {
                let id = header::response_correlation_id(frame);
                length >= RESPONSE_BYTES_MIN && id.is_some_and(|id| self.pending.is_due(id))
            }
        }
    }

    fn frames(&mut self, way: Way, heard: &mut Vec<Heard>) {
        loop {
            let limit = self.limits.frame_bytes;
            let bytes = &mut self.half(way).bytes;
            let Some(head) = bytes.first_chunk::<LENGTH_BYTES>() else {
                return;
            };
            let length = usize::try_from(i32::from_be_bytes(*head)).ok();
            let Some(length) = length.filter(|length| *length <= limit) else {
                heard.extend(self.lose_step(way));
                return;
            };
            if bytes.len() < LENGTH_BYTES.saturating_add(length) {
                return;
            }
            bytes.advance(LENGTH_BYTES);
            let frame = bytes.split_to(length).freeze();
            heard.push(match way {
                Way::ToBroker => self.request(frame),
                Way::ToClient => self.response(frame),
            });
        }
    }

    fn request(&mut self, frame: Bytes) -> Heard {
        if let Some([k1, k2, v1, v2, c1, c2, c3, c4]) = frame.first_chunk() {
            let id = i32::from_be_bytes([*c1, *c2, *c3, *c4]);
            let api_key = i16::from_be_bytes([*k1, *k2]);
            let version = i16::from_be_bytes([*v1, *v2]);
            // One that was never answered says nothing here.
            let _ = self.pending.ask(id, (api_key, version));
        }
        Heard::Request(frame)
    }

    fn response(&mut self, frame: Bytes) -> Heard {
        let id = header::response_correlation_id(&frame);
        match id.and_then(|id| self.pending.answered(id)) {
            Some((api_key, version)) => Heard::Response(frame, api_key, version),
            None => Heard::Unmatched,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ApiVersions 0 with this correlation id, as a client sends it.
    fn request(id: u8) -> Vec<u8> {
        vec![0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, id, 0xff, 0xff]
    }

    fn response(id: u8) -> Vec<u8> {
        vec![0, 0, 0, 6, 0, 0, 0, id, 0, 35]
    }

    fn conversation() -> Conversation {
        let mut conversation = Conversation::new(Limits::default());
        conversation.begin(Way::ToBroker, 0);
        conversation.begin(Way::ToClient, 0);
        conversation
    }

    #[test]
    fn an_answer_is_told_with_its_request_however_the_bytes_are_cut() {
        let asked = [request(1), request(2)].concat();
        let answered = [response(1), response(2)].concat();
        for cut in 1..asked.len() {
            let mut conversation = conversation();
            let mut heard = Vec::new();
            for (way, bytes) in [(Way::ToBroker, &asked), (Way::ToClient, &answered)] {
                let mut sequence = 1;
                for segment in bytes.chunks(cut) {
                    heard.extend(conversation.push(way, sequence, segment));
                    sequence += u32::try_from(segment.len()).unwrap();
                }
            }
            let requests = heard
                .iter()
                .filter(|heard| matches!(heard, Heard::Request(_)));
            assert_eq!(requests.count(), 2, "cut {cut}");
            let responses = heard
                .iter()
                .filter(|heard| matches!(heard, Heard::Response(_, 18, 0)));
            assert_eq!(responses.count(), 2, "cut {cut}");
        }
    }

    #[test]
    fn after_a_gap_it_goes_on_where_a_segment_begins_a_frame() {
        let mut conversation = conversation();
        assert_eq!(conversation.push(Way::ToBroker, 1, &request(1)).len(), 1);
        // The segment from 15 on is missing; that from 100 on is the end of something.
        assert!(
            conversation
                .push(Way::ToBroker, 100, b"the end of a frame")
                .is_empty()
        );
        assert!(
            conversation
                .push(Way::ToBroker, 118, &request(3))
                .is_empty()
        );
        let heard = conversation.end();
        assert_eq!(heard.first(), Some(&Heard::Skipped(18)));
        assert!(matches!(heard.get(1), Some(Heard::Request(_))), "{heard:?}");
    }

    #[test]
    fn an_answer_without_a_request_is_said_to_be_one() {
        let mut conversation = conversation();
        let heard = conversation.push(Way::ToClient, 1, &response(9));
        assert_eq!(heard, [Heard::Unmatched]);
    }

    #[test]
    fn a_length_that_cannot_be_loses_the_step_and_reserves_nothing() {
        for length in [[0xff; 4], [0x7f, 0xff, 0xff, 0xff]] {
            let mut conversation = conversation();
            let bytes = [&length[..], b"more"].concat();
            let heard = conversation.push(Way::ToBroker, 1, &bytes);
            assert_eq!(heard, [Heard::Skipped(8)]);
            assert_eq!(conversation.buffered(), 0);
            let again = conversation.push(Way::ToBroker, 9, &request(1));
            assert!(matches!(again[..], [Heard::Request(_)]));
        }
    }

    #[test]
    fn no_bytes_at_all_make_it_panic() {
        for seed in 0..300 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut conversation = Conversation::new(Limits::default());
            for _ in 0..200 {
                let way = if random.bool() {
                    Way::ToBroker
                } else {
                    Way::ToClient
                };
                let mut payload = match random.u8(0..3) {
                    0 => request(random.u8(..)),
                    1 => response(random.u8(..)),
                    _ => vec![random.u8(..); random.usize(0..40)],
                };
                if random.bool() && !payload.is_empty() {
                    let place = random.usize(0..payload.len());
                    payload[place] = random.u8(..);
                }
                conversation.push(way, random.u32(0..4_000), &payload);
            }
            conversation.end();
        }
    }
}
