//! What of a capture could not be shown, so that nobody takes the rest for the whole.

/// Counts, each of something that was left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Skipped {
    /// Packets that are not TCP over IP, or not on a known link.
    pub(crate) other_packets: u64,
    pub(crate) other_ports: u64,
    pub(crate) fragments: u64,
    /// Packets that the capture has only the beginning of.
    pub(crate) cut_packets: u64,
    /// Bytes that could not be told apart because something before them is missing.
    pub(crate) bytes: u64,
    pub(crate) unmatched: u64,
    /// Connections given up because there were too many, or they held too much.
    pub(crate) connections: u64,
    /// The file ends in the middle of a packet.
    pub(crate) cut_off: bool,
}

impl Skipped {
    /// In one line, if there is anything to say.
    pub(crate) fn line(&self) -> Option<String> {
        let counts = [
            (self.other_packets, "packets without TCP"),
            (self.other_ports, "packets of other ports"),
            (self.fragments, "IP fragments"),
            (self.bytes, "bytes around gaps"),
            (self.unmatched, "answers without a request"),
            (self.connections, "connections, of too many at a time"),
        ];
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        let mut parts: Vec<_> = counts
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        if self.cut_packets > 0 {
            parts.push(format!("the rest of {} packets", self.cut_packets));
        }
        if self.cut_off {
            parts.push("whatever should follow the end of the file".to_owned());
        }
        (!parts.is_empty()).then(|| format!("skipped {}", parts.join(", ")))
    }
}
