//! Which segment belongs to which connection.

use std::collections::HashMap;
use std::net::SocketAddr;

use milena_codec::Limits;

use super::capture::Segment;
use super::conversation::{Conversation, Heard, Way};
use super::skipped::Skipped;

/// Connections followed at a time, and bytes that all of them may hold back.
const CONNECTIONS_MAX: usize = 1_024;
const BUFFERED_BYTES_MAX: usize = 256 << 20;

/// The ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ends {
    pub(crate) client: SocketAddr,
    pub(crate) broker: SocketAddr,
}

/// All connections of a capture.
#[derive(Debug)]
pub(crate) struct Connections {
    ports: Vec<u16>,
    limits: Limits,
    open: HashMap<Ends, Followed>,
    /// Counts segments: the age of a connection.
    clock: u64,
    buffered: usize,
}

#[derive(Debug)]
struct Followed {
    conversation: Conversation,
    last: u64,
}

/// Something that was heard, and on which connection.
pub(crate) type HeardOn = (Ends, Heard);

impl Connections {
    pub(crate) fn new(ports: &[u16], limits: Limits) -> Self {
        Self {
            ports: ports.to_vec(),
            limits,
            open: HashMap::new(),
            clock: 0,
            buffered: 0,
        }
    }

    /// A segment came.
    pub(crate) fn push(&mut self, segment: &Segment<'_>, skipped: &mut Skipped) -> Vec<HeardOn> {
        self.clock += 1;
        let (ends, way) = self.ends(segment);
        let mut heard = Vec::new();
        let known = self.open.get(&ends);
        let late = segment.begins
            && known.is_some_and(|known| known.conversation.has_begun(way, segment.sequence));
        // A connection that begins again, over an old one whose end is not in the capture.
        if segment.begins && !late && way == Way::ToBroker {
            heard.extend(self.close(ends));
        }
        let followed = self.open.entry(ends).or_insert_with(|| Followed {
            conversation: Conversation::new(self.limits),
            last: 0,
        });
        followed.last = self.clock;
        let before = followed.conversation.buffered();
        let mut sequence = segment.sequence;
        if segment.begins {
            if !late {
                followed.conversation.begin(way, sequence);
            }
            sequence = sequence.wrapping_add(1);
        }
        let new = followed.conversation.push(way, sequence, segment.payload);
        heard.extend(new.into_iter().map(|heard| (ends, heard)));
        let after = followed.conversation.buffered();
        self.buffered = (self.buffered + after).saturating_sub(before);
        while self.open.len() > CONNECTIONS_MAX || self.buffered > BUFFERED_BYTES_MAX {
            let oldest = self.open.iter().min_by_key(|(_, followed)| followed.last);
            let Some(oldest) = oldest.map(|(ends, _)| *ends) else {
                break;
            };
            skipped.connections += 1;
            heard.extend(self.close(oldest));
        }
        heard
    }

    /// The capture ends.
    pub(crate) fn end(&mut self) -> Vec<HeardOn> {
        let mut open: Vec<_> = self
            .open
            .iter()
            .map(|(ends, followed)| (followed.last, *ends))
            .collect();
        open.sort_unstable_by_key(|(last, _)| *last);
        open.into_iter()
            .flat_map(|(_, ends)| self.close(ends))
            .collect()
    }

    fn close(&mut self, ends: Ends) -> Vec<HeardOn> {
        let Some(mut followed) = self.open.remove(&ends) else {
            return Vec::new();
        };
        self.buffered = self
            .buffered
            .saturating_sub(followed.conversation.buffered());
        let heard = followed.conversation.end();
        heard.into_iter().map(|heard| (ends, heard)).collect()
    }

    /// Who is the broker: whoever has one of the ports, and of two that have, whoever the first is sent to.
    fn ends(&self, segment: &Segment<'_>) -> (Ends, Way) {
        let (from, to) = (segment.from, segment.to);
        let up = Ends {
            client: from,
            broker: to,
        };
        let down = Ends {
            client: to,
            broker: from,
        };
        let is_down = self.open.contains_key(&down) || !self.ports.contains(&to.port());
        if is_down && !self.open.contains_key(&up) {
            (down, Way::ToClient)
        } else {
            (up, Way::ToBroker)
        }
    }
}
