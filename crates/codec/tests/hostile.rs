//! Inputs made to hurt: each must be an error, and cost next to no memory.
//!
//! The same inputs make the bare typed decoder reserve gigabytes, abort, panic or believe a lie
//! (`bare_library.rs` keeps one proof of that). A counting allocator holds every one of them to 64 KiB
//! plus four times its own size, all allocations added up.

use bytes::Bytes;
use cap::Cap;
use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, ApiVersionsRequest, ConsumerGroupHeartbeatRequest,
    CreateTopicsRequest, DescribeGroupsRequest, DescribeProducersRequest, EndTxnRequest,
    FetchRequest, FindCoordinatorRequest, InitProducerIdRequest, JoinGroupRequest,
    ListOffsetsRequest, MetadataRequest, OffsetFetchRequest, ProduceRequest,
    SaslAuthenticateRequest, SaslHandshakeRequest, SyncGroupRequest, TxnOffsetCommitRequest,
};
use milena_codec::message::{self, Request};
use milena_codec::{DecodeError, Limits, guard, header};
use std::alloc::System;
use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};

#[cfg(test)]
#[path = "support/hostile_records.rs"]
mod records;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Memory that any rejected input may cost, on top of four times its size.
const HEAP_BASE: usize = 64 << 10;

/// The largest count that a varint can hold, as `N + 1`.
const VARINT_MAX: [u8; 5] = [0xff, 0xff, 0xff, 0xff, 0x0f];

/// 100 million, as a compact count.
const HUNDRED_MILLION: [u8; 4] = [0x81, 0xc2, 0xd7, 0x2f];

/// Why an input was rejected.
type Rejection = Box<dyn Error + Send + Sync>;

type Read = fn(Bytes) -> Result<(), Rejection>;

struct Hostile {
    name: String,
    read: Read,
    bytes: Wire,
}

/// Bytes under construction.
#[derive(Default)]
struct Wire(Vec<u8>);

impl Wire {
    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn zeros(self, count: u32) -> Self {
        self.repeat(&[0], count)
    }

    fn repeat(mut self, bytes: &[u8], times: u32) -> Self {
        self.0.extend((0..times).flat_map(|_| bytes));
        self
    }

    fn i16(self, value: i16) -> Self {
        self.raw(&value.to_be_bytes())
    }

    fn i32(self, value: i32) -> Self {
        self.raw(&value.to_be_bytes())
    }

    fn i64(self, value: i64) -> Self {
        self.raw(&value.to_be_bytes())
    }

    /// A number below 2^21.
    fn varint(self, value: u32) -> Self {
        let [_, high, middle, low] =
            ((value & 0x7f) | (value & 0x3f80) << 1 | (value & 0x1f_c000) << 2).to_be_bytes();
        match value {
            0..0x80 => self.raw(&[low]),
            0x80..0x4000 => self.raw(&[low | 0x80, middle]),
            _ => self.raw(&[low | 0x80, middle | 0x80, high]),
        }
    }
}

fn wire() -> Wire {
    Wire::default()
}

/// No byte behind the last field, and next to no memory for the typed form.
fn strict() -> Limits {
    let mut limits = Limits::default();
    limits.trailing_bytes = 0;
    limits.memory_base_bytes = 64 << 10;
    limits
}

fn response<R: Request, const VERSION: i16>(body: Bytes) -> Result<(), Rejection> {
    message::decode_response::<R>(body, VERSION, &strict())?;
    Ok(())
}

#[cfg(feature = "broker")]
fn request<R: Request + kafka_protocol::protocol::Decodable, const VERSION: i16>(
    body: Bytes,
) -> Result<(), Rejection> {
    message::decode_request::<R>(body, VERSION, &strict())?;
    Ok(())
}

#[cfg(not(feature = "broker"))]
fn request<R: Request, const VERSION: i16>(body: Bytes) -> Result<(), Rejection> {
    guard::check(R::KEY, guard::Direction::Request, VERSION, &body, &strict())
        .map_err(DecodeError::from)?;
    Ok(())
}

fn request_header(mut frame: Bytes) -> Result<(), Rejection> {
    header::take_request_header(&mut frame, &Limits::default())?;
    Ok(())
}

fn response_header(mut frame: Bytes) -> Result<(), Rejection> {
    header::take_response_header(&mut frame, 0, 9, &Limits::default())?;
    Ok(())
}

fn assignment(bytes: Bytes) -> Result<(), Rejection> {
    guard::check_named("ConsumerProtocolAssignment", 0, &bytes, &Limits::default())
        .map_err(DecodeError::from)?;
    Ok(())
}

fn subscription(bytes: Bytes) -> Result<(), Rejection> {
    guard::check_named(
        "ConsumerProtocolSubscription",
        3,
        &bytes,
        &Limits::default(),
    )
    .map_err(DecodeError::from)?;
    Ok(())
}

macro_rules! hostile {
    ($($name:literal, $read:expr, $bytes:expr;)*) => {
        vec![$(Hostile { name: $name.to_owned(), read: $read, bytes: $bytes },)*]
    };
}

/// Counts far beyond the bytes that follow.
fn array_bombs() -> Vec<Hostile> {
    hostile! {
        "the five bytes", response::<ProduceRequest, 9>, wire().raw(&VARINT_MAX);
        "produce response, 2^31-1 topics", response::<ProduceRequest, 8>, wire().i32(i32::MAX);
        "produce response, null topics", response::<ProduceRequest, 8>, wire().i32(-1).i32(0);
        "produce response, -2 topics", response::<ProduceRequest, 8>, wire().i32(-2).i32(0);
        "produce response, null compact topics", response::<ProduceRequest, 9>, wire().zeros(6);
        "metadata response, 2^32-2 brokers", response::<MetadataRequest, 12>,
            wire().i32(0).raw(&VARINT_MAX);
        "metadata response, 1e8 brokers", response::<MetadataRequest, 12>,
            wire().i32(0).raw(&HUNDRED_MILLION).zeros(6);
        "metadata response, 2^32-2 topics", response::<MetadataRequest, 12>,
            wire().i32(0).raw(&[1, 0]).i32(1).raw(&VARINT_MAX);
        "metadata response, 1e8 partitions", response::<MetadataRequest, 12>,
            wire().i32(0).raw(&[1, 0]).i32(1).varint(2).i16(0).raw(b"\x02t").zeros(17)
                .raw(&HUNDRED_MILLION).zeros(40);
        "metadata response, 1e8 replicas", response::<MetadataRequest, 12>,
            wire().i32(0).raw(&[1, 0]).i32(1).varint(2).i16(0).raw(b"\x02t").zeros(17)
                .varint(2).zeros(14).raw(&HUNDRED_MILLION).zeros(40);
        "metadata response v1, 2^31-1 replicas", response::<MetadataRequest, 1>,
            wire().i32(0).i32(1).i32(1).i16(0).i16(1).raw(b"t\0").i32(1).zeros(10).i32(i32::MAX).zeros(8);
        "api versions response, 1e8 keys", response::<ApiVersionsRequest, 3>,
            wire().i16(0).raw(&HUNDRED_MILLION).zeros(13);
        "api versions response v0, 2^31-1 keys", response::<ApiVersionsRequest, 0>,
            wire().i16(0).i32(i32::MAX);
        "api versions response, one key too many", response::<ApiVersionsRequest, 0>,
            wire().i16(0).i32(3).zeros(12);
        "fetch response, 2^32-2 aborted transactions", response::<FetchRequest, 12>,
            wire().zeros(10).varint(2).raw(b"\x02t").varint(2).zeros(30).raw(&VARINT_MAX).zeros(8);
        "fetch response v4, 2^31-1 partitions", response::<FetchRequest, 4>,
            wire().i32(0).i32(1).i16(1).raw(b"t").i32(i32::MAX);
        "describe groups response, 2^31-1 members", response::<DescribeGroupsRequest, 0>,
            wire().i32(1).zeros(10).i32(i32::MAX);
        "list offsets response, 1e8 old style offsets", response::<ListOffsetsRequest, 6>,
            wire().i32(0).varint(2).raw(b"\x02t").raw(&HUNDRED_MILLION);
        "offset fetch response, 2^32-2 groups", response::<OffsetFetchRequest, 8>,
            wire().i32(0).raw(&VARINT_MAX);
        "describe producers response, 1e8 producers", response::<DescribeProducersRequest, 0>,
            wire().i32(0).varint(2).raw(b"\x02t").varint(2).i32(0).i16(0).raw(&[0])
                .raw(&HUNDRED_MILLION);
        "produce request, 2^31-1 topics", request::<ProduceRequest, 8>,
            wire().i16(-1).i16(-1).i32(1_000).i32(i32::MAX);
        "produce request, 2^32-2 partitions", request::<ProduceRequest, 9>,
            wire().raw(&[0]).i16(-1).i32(1_000).varint(2).raw(b"\x02t").raw(&VARINT_MAX);
        "fetch request, 1e8 forgotten topics", request::<FetchRequest, 12>,
            wire().zeros(21).zeros(4).varint(1).raw(&HUNDRED_MILLION);
        "metadata request, 2^31-1 topics", request::<MetadataRequest, 1>, wire().i32(i32::MAX);
        "metadata request v0, null topics", request::<MetadataRequest, 0>, wire().i32(-1);
        "create topics request, 2^32-2 assignments", request::<CreateTopicsRequest, 7>,
            wire().varint(2).raw(b"\x02t").i32(1).i16(1).raw(&VARINT_MAX);
        "join group request, 2^31-1 protocols", request::<JoinGroupRequest, 5>,
            wire().i16(0).zeros(8).i16(0).i16(-1).i16(0).i32(i32::MAX);
        "add partitions request, 1e8 transactions", request::<AddPartitionsToTxnRequest, 4>,
            wire().raw(&HUNDRED_MILLION);
        "consumer protocol assignment, 2^31-1 topics", assignment, wire().i32(i32::MAX);
        "consumer protocol assignment, 2^31-1 partitions", assignment,
            wire().i32(1).i16(1).raw(b"t").i32(i32::MAX);
        "consumer protocol subscription, 1e6 topics", subscription, wire().i32(1_000_000).zeros(64);
    }
}

/// Lengths far beyond the bytes that follow.
fn length_bombs() -> Vec<Hostile> {
    hostile! {
        "find coordinator response, host of 2^32-2 bytes", response::<FindCoordinatorRequest, 3>,
            wire().i32(0).i16(0).raw(&[0]).i32(1).raw(&VARINT_MAX);
        "find coordinator response, host of 32767 bytes", response::<FindCoordinatorRequest, 2>,
            wire().i32(0).i16(0).i16(-1).i32(1).i16(i16::MAX).raw(b"host");
        "find coordinator response, host of -2 bytes", response::<FindCoordinatorRequest, 2>,
            wire().i32(0).i16(0).i16(-1).i32(1).i16(-2).i32(9);
        "find coordinator response, null host", response::<FindCoordinatorRequest, 2>,
            wire().i32(0).i16(0).i16(-1).i32(1).i16(-1).i32(9);
        "sasl authenticate response, 2^31-1 bytes", response::<SaslAuthenticateRequest, 1>,
            wire().i16(0).i16(-1).i32(i32::MAX).i64(0);
        "sasl authenticate response, -2 bytes", response::<SaslAuthenticateRequest, 1>,
            wire().i16(0).i16(-1).i32(-2).i64(0);
        "sasl authenticate response, null bytes", response::<SaslAuthenticateRequest, 2>,
            wire().i16(0).raw(&[0, 0]).i64(0).raw(&[0]);
        "fetch response, records of 2^32-2 bytes", response::<FetchRequest, 12>,
            wire().zeros(10).varint(2).raw(b"\x02t").varint(2).zeros(30).raw(&[1]).i32(-1)
                .raw(&VARINT_MAX);
        "fetch response v4, records of 2^31-1 bytes", response::<FetchRequest, 4>,
            wire().i32(0).i32(1).i16(1).raw(b"t").i32(1).zeros(22).i32(-1).i32(i32::MAX);
        "fetch response v4, records of -5 bytes", response::<FetchRequest, 4>,
            wire().i32(0).i32(1).i16(1).raw(b"t").i32(1).zeros(22).i32(-1).i32(-5);
        "sync group response, assignment of 2^31-1 bytes", response::<SyncGroupRequest, 3>,
            wire().i32(0).i16(0).i32(i32::MAX);
        "sasl handshake response, name of 30000 bytes", response::<SaslHandshakeRequest, 1>,
            wire().i16(0).i32(1).i16(30_000);
        "produce request, transactional id of 2^32-2 bytes", request::<ProduceRequest, 9>,
            wire().raw(&VARINT_MAX).zeros(6);
        "produce request, records of 2^31-1 bytes", request::<ProduceRequest, 8>,
            wire().i16(-1).i16(-1).i32(0).i32(1).i16(1).raw(b"t").i32(1).i32(0).i32(i32::MAX);
        "api versions request, name of 2^32-2 bytes", request::<ApiVersionsRequest, 3>,
            wire().raw(&VARINT_MAX);
        "api versions request, null name", request::<ApiVersionsRequest, 3>, wire().zeros(3);
        "join group request, metadata of 1e8 bytes", request::<JoinGroupRequest, 6>,
            wire().raw(&[1]).zeros(8).raw(&[1, 0, 1, 2, 2, b'r']).raw(&HUNDRED_MILLION);
        "sync group request, assignment of 2^31-1 bytes", request::<SyncGroupRequest, 3>,
            wire().i16(0).i32(0).i16(0).i16(-1).i32(1).i16(0).i32(i32::MAX);
        "sasl authenticate request, 2^31-1 bytes", request::<SaslAuthenticateRequest, 1>,
            wire().i32(i32::MAX);
        "request header, client id of 32767 bytes", request_header,
            wire().i16(3).i16(12).i32(1).i16(i16::MAX).raw(b"me");
        "request header, client id of -2 bytes", request_header,
            wire().i16(3).i16(12).i32(1).i16(-2).raw(&[0]);
        "request header of 0 bytes", request_header, wire();
        "request header of 1 byte", request_header, wire().zeros(1);
        "request header of 3 bytes", request_header, wire().zeros(3);
        "response header of 3 bytes", response_header, wire().zeros(3);
        "consumer protocol assignment, user data of 2^31-1 bytes", assignment,
            wire().i32(0).i32(i32::MAX);
    }
}

/// Tagged fields.
fn tag_bombs() -> Vec<Hostile> {
    hostile! {
        "end txn response, 2^32-1 tags", response::<EndTxnRequest, 3>,
            wire().i32(0).i16(0).raw(&VARINT_MAX);
        "end txn response, tag of 2^32-1 bytes", response::<EndTxnRequest, 3>,
            wire().i32(0).i16(0).raw(&[1, 9]).raw(&VARINT_MAX);
        "end txn response, tag twice", response::<EndTxnRequest, 3>,
            wire().i32(0).i16(0).raw(&[2, 9, 0, 9, 0]);
        "end txn response, tags out of order", response::<EndTxnRequest, 3>,
            wire().i32(0).i16(0).raw(&[2, 9, 0, 8, 0]);
        "end txn response, tag 2^32-1", response::<EndTxnRequest, 3>,
            wire().i32(0).i16(0).raw(&[1]).raw(&VARINT_MAX).raw(&[0]);
        "end txn response, 44,000 distinct tags", response::<EndTxnRequest, 3>,
            (0..44_000).fold(wire().i32(0).i16(0).varint(44_000), |wire, tag| {
                wire.varint(tag).raw(&[0])
            });
        "end txn request, 44,000 distinct tags", request::<EndTxnRequest, 3>,
            (0..44_000).fold(wire().raw(&[1]).zeros(11).varint(44_000), |wire, tag| {
                wire.varint(tag).raw(&[0])
            });
        "api versions response, known tag longer than its content",
            response::<ApiVersionsRequest, 3>,
            wire().i16(0).raw(&[1]).i32(0).raw(&[1, 1, 9]).i64(7).raw(&[0]);
        "api versions response, known tag shorter than its content",
            response::<ApiVersionsRequest, 3>,
            wire().i16(0).raw(&[1]).i32(0).raw(&[1, 1, 7]).i64(7);
        "api versions response, count bomb inside a tag", response::<ApiVersionsRequest, 3>,
            wire().i16(0).raw(&[1]).i32(0).raw(&[1, 0, 5]).raw(&VARINT_MAX);
        "api versions response, count that reaches past its tag",
            response::<ApiVersionsRequest, 3>,
            wire().i16(0).raw(&[1]).i32(0).raw(&[2, 0, 1, 9, 3, 40]).zeros(40);
        "fetch request, tag of a later version", request::<FetchRequest, 12>,
            wire().zeros(25).raw(&[1, 1, 1, 1, 1, 12]).zeros(12);
        "produce response, 1e8 tags in a partition", response::<ProduceRequest, 9>,
            wire().varint(2).raw(b"\x02t").varint(2).zeros(30).raw(&[1, 0])
                .raw(&HUNDRED_MILLION);
        "request header, 2^32-1 tags", request_header,
            wire().i16(3).i16(12).i32(1).i16(-1).raw(&VARINT_MAX);
        "response header, 2^32-1 tags", response_header, wire().i32(1).raw(&VARINT_MAX);
        "response header, tag of 2^32-1 bytes", response_header,
            wire().i32(1).raw(&[1, 0]).raw(&VARINT_MAX);
    }
}

/// Varints that are none, lengths that contradict each other, text that is none.
fn lies() -> Vec<Hostile> {
    hostile! {
        "varint of six bytes", response::<ProduceRequest, 9>,
            wire().repeat(&[0x80], 5).raw(&[1]).zeros(64);
        "varint of 35 bits", response::<ProduceRequest, 9>,
            wire().repeat(&[0xff], 4).raw(&[0x7f]).zeros(64);
        "varint of 33 bits", request::<ProduceRequest, 9>,
            wire().repeat(&[0xff], 4).raw(&[0x1f]).zeros(64);
        "varint that does not end", response::<MetadataRequest, 12>, wire().i32(0).raw(&[0x80]);
        "bytes after the end of a response", response::<InitProducerIdRequest, 4>, wire().zeros(18);
        "bytes after the end of a request", request::<EndTxnRequest, 2>, wire().zeros(14);
        "response without its last byte", response::<InitProducerIdRequest, 4>, wire().zeros(16);
        "empty response", response::<MetadataRequest, 12>, wire();
        "empty request", request::<MetadataRequest, 12>, wire();
        "presence byte 2", response::<ConsumerGroupHeartbeatRequest, 0>,
            wire().zeros(6).raw(&[0, 0]).zeros(8).raw(&[2, 1, 0, 0]);
        "presence byte without its struct", response::<ConsumerGroupHeartbeatRequest, 0>,
            wire().zeros(6).raw(&[0, 0]).zeros(8).raw(&[1]);
        "version that Kafka does not know", response::<ProduceRequest, 99>, wire().zeros(8);
        "version -1", request::<ProduceRequest, -1>, wire().zeros(8);
        "inner count takes the bytes of the outer", request::<TxnOffsetCommitRequest, 2>,
            wire().i16(0).i16(0).i64(1).i16(0).i32(2).i16(1).raw(b"t").i32(1).i32(0).i64(0)
                .i32(0).i16(-1);
    }
}

/// Valid by every length, but the typed form would take about thirty times the frame.
fn amplifiers() -> Vec<Hostile> {
    const MIB: u32 = 1 << 20;
    let compact = |count: u32| wire().varint(count + 1);
    hostile! {
        "1 MiB of empty topics in a produce response", response::<ProduceRequest, 9>,
            compact(MIB / 3).repeat(&[1, 1, 0], MIB / 3).i32(0).raw(&[0]);
        "1 MiB of empty topics in a list offsets response", response::<ListOffsetsRequest, 6>,
            wire().i32(0).raw(&compact(MIB / 3).0).repeat(&[1, 1, 0], MIB / 3).raw(&[0]);
        "1 MiB of empty members", response::<DescribeGroupsRequest, 5>,
            wire().i32(0).varint(2).i16(0).raw(&[1, 1, 1, 1]).raw(&compact(MIB / 7).0)
                .repeat(&[1, 0, 1, 1, 1, 1, 0], MIB / 7).i32(0).raw(&[0, 0]);
        "1 MiB of empty topics in a fetch request", request::<FetchRequest, 12>,
            wire().zeros(25).raw(&compact(MIB / 3).0).repeat(&[1, 1, 0], MIB / 3).raw(&[1, 1, 0]);
        "900,000 empty group names", request::<DescribeGroupsRequest, 5>,
            compact(900_000).repeat(&[1], 900_000).raw(&[0, 0]);
        "more elements than any array may have", response::<OffsetFetchRequest, 1>,
            wire().i32(1_000_001).repeat(&[0; 6], 1_000_001);
    }
}

fn all() -> Vec<Hostile> {
    let lists = [
        array_bombs(),
        length_bombs(),
        tag_bombs(),
        lies(),
        amplifiers(),
        records::all(),
    ];
    lists.into_iter().flatten().collect()
}

/// [`Limits::believed_ratio`] of the inputs that are read next.
static BELIEVED_RATIO: AtomicUsize = AtomicUsize::new(0);

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.believed_ratio = BELIEVED_RATIO.load(Ordering::Relaxed);
    limits
}

#[test]
fn every_hostile_input_is_an_error_and_costs_next_to_no_memory() {
    // Whether what compressed bytes claim is believed or not.
    reject_all(0);
    let rejections = reject_all(Limits::default().believed_ratio);
    // Each for the reason it was made for.
    insta::assert_snapshot!(rejections);
}

fn reject_all(believed_ratio: usize) -> String {
    BELIEVED_RATIO.store(believed_ratio, Ordering::Relaxed);
    let all = all();
    assert!(all.len() >= 60, "{}", all.len());
    let mut wrong = Vec::new();
    let mut rejections = String::new();
    for Hostile {
        name,
        read,
        bytes: Wire(bytes),
    } in all
    {
        let size = bytes.len();
        let bytes = Bytes::from(bytes);
        let before = ALLOCATOR.total_allocated();
        let result = read(bytes);
        let heap = ALLOCATOR.total_allocated() - before;
        match result {
            Ok(()) => wrong.push(format!("{name}: accepted, {heap} bytes of heap")),
            Err(_) if heap > HEAP_BASE + 4 * size => {
                wrong.push(format!("{name}: {heap} bytes of heap for {size}"));
            }
            Err(error) => {
                let cause = error
                    .source()
                    .map(|cause| format!(": {cause}"))
                    .unwrap_or_default();
                rejections += &format!("{name}: {error}{cause}\n");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    rejections
}
