//! A capture file, pcap or pcapng, as TCP segments of some ports.

use std::io::Read;
use std::net::{IpAddr, SocketAddr};

use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TransportSlice};
use pcap_parser::traits::PcapNGPacketBlock;
use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError, create_reader};

use super::skipped::Skipped;
use crate::failure::Failure;

/// Bytes read at once, and the largest block of a file that is read at all.
const READ_BYTES: usize = 256 << 10;
const BLOCK_BYTES_MAX: usize = 32 << 20;
/// Interfaces that a file may describe.
const INTERFACES_MAX: usize = 1_024;
const MICROS: u128 = 1_000_000;

/// A TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment<'a> {
    /// Microseconds since the Unix epoch; 0 where the file does not say.
    pub(crate) at_micros: u64,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) sequence: u32,
    pub(crate) begins: bool,
    /// FIN or RST.
    pub(crate) ends: bool,
    pub(crate) payload: &'a [u8],
}

/// How an interface captured.
#[derive(Clone, Copy, Debug)]
struct Interface {
    link: Linktype,
    /// Units of time in a second.
    resolution: u64,
    /// Seconds to add.
    offset: i64,
}

/// What has been read of the file.
struct Capture<'s> {
    interfaces: Vec<Interface>,
    ports: &'s [u16],
    skipped: &'s mut Skipped,
}

/// Reads a capture to its end and shows every segment from or to one of the ports.
///
/// Memory: one block of the file, 32 MiB at most.
pub(crate) fn read(
    file: impl Read + Send,
    ports: &[u16],
    skipped: &mut Skipped,
    mut each: impl FnMut(&mut Skipped, Segment<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut capacity = READ_BYTES;
    let mut reader = create_reader(capacity, file).map_err(|error| unreadable(&error))?;
    let mut capture = Capture {
        interfaces: Vec::new(),
        ports,
        skipped,
    };
    loop {
        let error = match reader.next() {
            Ok((bytes, block)) => {
                if let Some((at_micros, link, packet)) = capture.packet(&block)
                    && let Some(segment) = capture.segment(at_micros, link, packet)
                {
                    each(capture.skipped, segment)?;
                }
                reader.consume(bytes);
                continue;
            }
            Err(error) => error.to_owned_vec(),
        };
        match error {
            PcapError::Eof => return Ok(()),
            PcapError::Incomplete(_) if !reader.reader_exhausted() => {}
            PcapError::BufferTooSmall if capacity < BLOCK_BYTES_MAX => {
                capacity *= 2;
                if !reader.grow(capacity) {
                    return Err(unreadable(&error));
                }
            }
            PcapError::UnexpectedEof | PcapError::Incomplete(_) => {
                capture.skipped.cut_off = true;
                return Ok(());
            }
            PcapError::BufferTooSmall
            | PcapError::HeaderNotRecognized
            | PcapError::NomError(..)
            | PcapError::OwnedNomError(..)
            | PcapError::ReadError => return Err(unreadable(&error)),
        }
        reader.refill().map_err(|error| unreadable(&error))?;
    }
}

fn unreadable<I>(error: &PcapError<I>) -> Failure {
    let why = match error {
        PcapError::Eof => "it is empty",
        PcapError::BufferTooSmall => "a block of it is longer than 32 MiB",
        PcapError::HeaderNotRecognized => "it is neither pcap nor pcapng",
        PcapError::ReadError => "reading it failed",
        PcapError::Incomplete(_) | PcapError::UnexpectedEof => "it ends in its header",
        PcapError::NomError(..) | PcapError::OwnedNomError(..) => "a block of it is malformed",
    };
    Failure::Said(format!("the capture cannot be read: {why}"))
}

impl Capture<'_> {
    /// The packet in a block: when, how it was captured, and its bytes. Other blocks are learnt from.
    fn packet<'a>(&mut self, block: &'a PcapBlockOwned<'_>) -> Option<(u64, Linktype, &'a [u8])> {
        match block {
            PcapBlockOwned::LegacyHeader(header) => {
                let nanos = header.is_nanosecond_precision();
                self.interfaces = vec![Interface {
                    link: header.network,
                    resolution: if nanos { 1_000_000_000 } else { 1_000_000 },
                    offset: 0,
                }];
                None
            }
            PcapBlockOwned::Legacy(packet) => {
                let interface = *self.interfaces.first()?;
                let fraction =
                    u128::from(packet.ts_usec) * MICROS / u128::from(interface.resolution);
                let micros = u128::from(packet.ts_sec) * MICROS + fraction;
                Some((clamp(micros), interface.link, packet.data))
            }
            PcapBlockOwned::NG(Block::SectionHeader(_)) => {
                self.interfaces.clear();
                None
            }
            PcapBlockOwned::NG(Block::InterfaceDescription(found)) => {
                if self.interfaces.len() < INTERFACES_MAX {
                    self.interfaces.push(Interface {
                        link: found.linktype,
                        resolution: found.ts_resolution().unwrap_or(1_000_000),
                        offset: found.ts_offset(),
                    });
                }
                None
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                let interface = usize::try_from(packet.if_id).ok();
                let interface = *self.interfaces.get(interface?)?;
                let units = u128::from(packet.ts_high) << 32 | u128::from(packet.ts_low);
                let micros = units * MICROS / u128::from(interface.resolution.max(1));
                let offset = u128::try_from(interface.offset).unwrap_or(0) * MICROS;
                Some((clamp(micros + offset), interface.link, packet.packet_data()))
            }
            PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
                Some((0, self.interfaces.first()?.link, packet.packet_data()))
            }
            PcapBlockOwned::NG(_) => None,
        }
    }

    /// The TCP segment in a packet, if it is for us.
    fn segment<'a>(
        &mut self,
        at_micros: u64,
        link: Linktype,
        packet: &'a [u8],
    ) -> Option<Segment<'a>> {
        let Some(sliced) = slice(link, packet) else {
            self.skipped.other_packets += 1;
            return None;
        };
        let (addresses, payload) = match &sliced.net {
            Some(LaxNetSlice::Ipv4(ip)) => {
                let header = ip.header();
                let from = IpAddr::V4(header.source_addr());
                (
                    Some((from, IpAddr::V4(header.destination_addr()))),
                    Some(ip.payload()),
                )
            }
            Some(LaxNetSlice::Ipv6(ip)) => {
                let header = ip.header();
                let from = IpAddr::V6(header.source_addr());
                (
                    Some((from, IpAddr::V6(header.destination_addr()))),
                    Some(ip.payload()),
                )
            }
            Some(LaxNetSlice::Arp(_)) | None => (None, None),
        };
        if payload.is_some_and(|payload| payload.fragmented) {
            self.skipped.fragments += 1;
            return None;
        }
        let (Some((from, to)), Some(TransportSlice::Tcp(tcp))) = (addresses, sliced.transport)
        else {
            self.skipped.other_packets += 1;
            return None;
        };
        let from = SocketAddr::new(from, tcp.source_port());
        let to = SocketAddr::new(to, tcp.destination_port());
        if ![from, to]
            .iter()
            .any(|end| self.ports.contains(&end.port()))
        {
            self.skipped.other_ports += 1;
            return None;
        }
        self.skipped.cut_packets += u64::from(payload.is_some_and(|payload| payload.incomplete));
        Some(Segment {
            at_micros,
            from,
            to,
            sequence: tcp.sequence_number(),
            begins: tcp.syn(),
            ends: tcp.fin() || tcp.rst(),
            payload: tcp.payload(),
        })
    }
}

fn clamp(micros: u128) -> u64 {
    u64::try_from(micros).unwrap_or(u64::MAX)
}

/// Takes a packet apart as the kind of its link says; `None` where that kind is not known or nothing fits.
fn slice(link: Linktype, packet: &[u8]) -> Option<LaxSlicedPacket<'_>> {
    /// Bytes before the IP header on the loopback of BSD.
    const NULL_BYTES: usize = 4;
    match link {
        Linktype::ETHERNET => LaxSlicedPacket::from_ethernet(packet).ok(),
        Linktype::RAW | Linktype::IPV4 | Linktype::IPV6 => LaxSlicedPacket::from_ip(packet).ok(),
        Linktype::NULL | Linktype::LOOP => LaxSlicedPacket::from_ip(packet.get(NULL_BYTES..)?).ok(),
        // What `tcpdump -i any` writes: an EtherType in a header of its own.
        Linktype::LINUX_SLL => cooked(packet.get(14..16)?, packet.get(16..)?),
        Linktype::LINUX_SLL2 => cooked(packet.get(..2)?, packet.get(20..)?),
        _ => None,
    }
}

fn cooked<'a>(ether_type: &[u8], payload: &'a [u8]) -> Option<LaxSlicedPacket<'a>> {
    let ether_type = u16::from_be_bytes(*ether_type.first_chunk()?);
    Some(LaxSlicedPacket::from_ether_type(
        EtherType(ether_type),
        payload,
    ))
}
