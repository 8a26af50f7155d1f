//! Capture files made by hand: packets of TCP in pcap and pcapng.

use std::path::PathBuf;

use etherparse::PacketBuilder;

pub(crate) const CLIENT: ([u8; 4], u16) = ([10, 0, 0, 1], 40_000);
pub(crate) const BROKER: ([u8; 4], u16) = ([10, 0, 0, 2], 9_092);

/// A TCP segment on its way, as an Ethernet frame.
#[derive(Clone)]
pub(crate) struct Packet(pub(crate) Vec<u8>);

impl Packet {
    /// To the broker, or back.
    pub(crate) fn new(up: bool, sequence: u32, syn: bool, payload: &[u8]) -> Self {
        let (from, to) = if up {
            (CLIENT, BROKER)
        } else {
            (BROKER, CLIENT)
        };
        let builder = PacketBuilder::ethernet2([1; 6], [2; 6]).ipv4(from.0, to.0, 64);
        let builder = builder.tcp(from.1, to.1, sequence, 1_000);
        let builder = if syn { builder.syn() } else { builder.ack(1) };
        let mut packet = Vec::new();
        builder.write(&mut packet, payload).unwrap();
        Self(packet)
    }
}

/// A file of the older format, with microseconds.
pub(crate) fn pcap(packets: &[Packet]) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend(0xa1b2_c3d4_u32.to_le_bytes());
    for half in [2_u16, 4] {
        file.extend(half.to_le_bytes());
    }
    for word in [0_u32, 0, 65_535, 1] {
        file.extend(word.to_le_bytes());
    }
    for (second, packet) in (1_u32..).zip(packets) {
        let length = u32::try_from(packet.0.len()).unwrap();
        for word in [second, 250, length, length] {
            file.extend(word.to_le_bytes());
        }
        file.extend(&packet.0);
    }
    file
}

/// A file of the newer format: one section, one Ethernet interface.
pub(crate) fn pcapng(packets: &[Packet]) -> Vec<u8> {
    let mut file = block(
        0x0a0d_0d0a,
        &[
            0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        ],
    );
    file.extend(block(1, &[1, 0, 0, 0, 0, 0, 0, 0]));
    for (micros, packet) in (1_u32..).zip(packets) {
        let length = u32::try_from(packet.0.len()).unwrap();
        let mut body = Vec::new();
        for word in [0, 0, micros * 1_000_000 + 250, length, length] {
            body.extend(word.to_le_bytes());
        }
        body.extend(&packet.0);
        body.resize(body.len().next_multiple_of(4), 0);
        file.extend(block(6, &body));
    }
    file
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 12).unwrap().to_le_bytes();
    [&kind.to_le_bytes()[..], &length, body, &length].concat()
}

/// A file that is there for one test.
pub(crate) struct Kept(PathBuf);

impl Kept {
    pub(crate) fn new(name: &str, bytes: &[u8]) -> Self {
        let name = format!("milena-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, bytes).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
