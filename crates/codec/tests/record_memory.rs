//! What record batches cost in memory, by a counting allocator: nothing per record, and no more than the
//! limits for bytes that lie.

#![expect(clippy::unwrap_used, reason = "the helpers of tests")]

use bytes::Bytes;
use cap::Cap;
use milena_codec::{
    BatchBuilder, BatchError, BatchStamp, Batches, Compression, HeaderToWrite, Limits,
    RecordToWrite,
};
use std::alloc::System;
use std::hint::black_box;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

const HEADERS: [HeaderToWrite<'_>; 2] = [
    HeaderToWrite {
        key: "same",
        value: Some(b"value"),
    },
    HeaderToWrite {
        key: "same",
        value: None,
    },
];

/// The bytes of all allocations that `work` makes, added up. The tests of this file are one test, because
/// the allocator counts for the whole process.
fn allocated(work: impl FnOnce()) -> usize {
    let before = ALLOCATOR.total_allocated();
    work();
    ALLOCATOR.total_allocated() - before
}

fn batch(records: i64, value: &[u8], codec: Compression) -> Bytes {
    let mut builder = BatchBuilder::default();
    for timestamp in 0..records {
        append(&mut builder, timestamp, value);
    }
    builder
        .close(codec)
        .unwrap()
        .to_vec(&BatchStamp::NONE)
        .into()
}

fn append(builder: &mut BatchBuilder, timestamp: i64, value: &[u8]) {
    let record = RecordToWrite {
        timestamp,
        key: None,
        value: Some(value),
        headers: &HEADERS,
    };
    builder.append(&record).unwrap();
}

fn read(wire: Bytes, limits: &Limits) -> Result<usize, BatchError> {
    let mut bytes = 0;
    for batch in Batches::new(wire) {
        for record in &batch?.records(limits)? {
            let record = record?;
            bytes += black_box(record.value).map_or(0, <[u8]>::len);
            for header in record.headers() {
                black_box(header);
            }
        }
    }
    Ok(bytes)
}

fn reading_allocates_nothing_per_record() {
    let wire = batch(1_000, b"value", Compression::None);
    let cost = allocated(|| assert_eq!(read(wire.clone(), &Limits::default()), Ok(5_000)));
    // The shared buffer's own bookkeeping.
    assert!(cost <= 64, "{cost} bytes");
}

fn writing_into_a_used_buffer_allocates_nothing_per_record() {
    let mut buffer = Vec::with_capacity(50_000);
    for round in 0..3 {
        let cost = allocated(|| {
            let mut builder = BatchBuilder::new(std::mem::take(&mut buffer));
            (0..1_000).for_each(|timestamp| append(&mut builder, timestamp, b"value"));
            let closed = builder.close(Compression::None).unwrap();
            black_box(closed.header(&BatchStamp::NONE));
            buffer = closed.into_buffer().unwrap();
        });
        assert!(cost <= 64, "{cost} bytes in round {round}");
    }
}

/// A size that the input claims by itself is rejected before anything is reserved for it. What gzip seems to claim may be
/// bytes behind its end, which Kafka ignores, so that is counted, in the state of an inflater.
fn a_bomb_that_claims_its_size_costs_nothing() {
    let plain = vec![0; 64 << 20];
    for codec in [
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ] {
        let wire = batch(1, &plain, codec);
        let cost = rejected(&wire, 1 << 20);
        let state = if codec == Compression::Gzip {
            56 << 10
        } else {
            1 << 10
        };
        assert!(cost <= state, "{codec}: {cost}");
    }
}

/// gzip with a wrong size at its end, and zstd that makes its output of copies.
fn a_bomb_that_hides_its_size_costs_only_its_decoder() {
    let plain = b"a bomb ".repeat(1 << 20);
    let gzip = claiming(batch(1, &plain, Compression::Gzip), 0);
    let zstd = batch(1, &plain, Compression::Zstd);
    for (wire, state) in [(gzip, 56 << 10), (zstd, 1 << 10)] {
        for limit in [64 << 10, 1 << 20] {
            let cost = rejected(&wire, limit);
            println!("{limit}: {cost}");
            assert!(cost <= state, "{cost} for {limit}");
        }
    }
}

/// The batch with another size at the end of its gzip stream.
fn claiming(wire: Bytes, size: usize) -> Bytes {
    let mut wire = wire.to_vec();
    let end = wire.len() - 4;
    wire[end..].copy_from_slice(&u32::try_from(size).unwrap().to_le_bytes());
    wire.into()
}

/// A claim is believed up to a ratio, and then costs that, true or not.
fn a_lie_that_is_believed_costs_what_it_claims() {
    let wire = batch(1, &vec![0; 20 << 20], Compression::Gzip);
    let size = wire.len() - 61;
    for ratio in [4, 8] {
        let mut limits = Limits::default();
        limits.believed_ratio = ratio;
        for (claim, reserved) in [(ratio * size, ratio * size), ((ratio + 1) * size, 0)] {
            let wire = claiming(wire.clone(), claim);
            let cost = allocated(|| drop(read(wire, &limits).unwrap_err()));
            println!("{ratio}, {claim} of {size}: {cost}");
            assert!(cost >= reserved && cost <= reserved + (64 << 10), "{cost}");
        }
    }
}

/// What Huffman codes say is only known when they are decoded: zstd that is right by its numbers, and within
/// all limits, is inflated up to the place where it breaks. Nothing else costs more than its claim.
fn zstd_with_broken_literals_costs_three_times_what_comes_before_them() {
    // Blocks of one literal and 128 KiB of copies; then eight literals by four bytes that are no tree.
    let mut body = b"\x28\xb5\x2f\xfd\0\x58".to_vec();
    for _ in 0..100 {
        body.extend([0x54, 0, 0, 0x08, b'a', 1, 0x54, 1, 0, 52, 0xfc, 0xff, 1]);
    }
    body.extend([0x45, 0, 0, 0x82, 0, 1, 0, 0, 0, 0, 0]);
    let wire = around(Compression::Zstd, &body);
    let before = 100 << 17;
    let cost = allocated(|| {
        let error = read(wire, &Limits::default()).unwrap_err();
        assert!(matches!(error, BatchError::Decompression { .. }), "{error}");
    });
    println!("{before}: {cost}");
    assert!(cost > 64 << 10 && cost <= 3 * before, "{cost}");
}

/// A batch of one record with this body.
fn around(codec: Compression, body: &[u8]) -> Bytes {
    let mut wire = batch(0, b"", Compression::None).to_vec();
    wire.extend_from_slice(body);
    let length = u32::try_from(wire.len() - 12).unwrap();
    wire[8..12].copy_from_slice(&length.to_be_bytes());
    wire[22] = codec.id();
    wire[60] = 1;
    wire.into()
}

/// What rejecting a batch for its size costs.
fn rejected(wire: &Bytes, limit: usize) -> usize {
    let mut limits = Limits::default();
    limits.decompressed_bytes = limit;
    allocated(|| {
        let error = read(wire.clone(), &limits).unwrap_err();
        assert!(matches!(error, BatchError::Limit { .. }), "{error}");
    })
}

/// Blocks and frames that claim far more than they are.
fn a_claim_costs_nothing() {
    let lies: [(Compression, &[u8]); 5] = [
        (Compression::Snappy, b"\xff\xff\xff\xff\x0f\0a"),
        (
            Compression::Snappy,
            b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\0\0\0\x07\xff\xff\xff\xff\x0f\0a",
        ),
        (
            Compression::Snappy,
            b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\x7f\xff\xff\xff\x01",
        ),
        (
            Compression::Lz4,
            b"\x04\x22\x4d\x18\x60\x70\x73\xff\xff\xff\x7f",
        ),
        // A window of a terabyte, and a declared size of an exabyte.
        (
            Compression::Zstd,
            b"\x28\xb5\x2f\xfd\xe0\0\0\0\0\0\0\0\x10\x01\0\0",
        ),
    ];
    for (codec, body) in lies {
        let wire = around(codec, body);
        let cost = allocated(|| {
            read(wire.clone(), &Limits::default()).unwrap_err();
        });
        println!("{codec} {body:?}: {cost}");
        assert!(cost <= 1024, "{codec} {body:?}: {cost} bytes");
    }
}

/// Each frame used to take a decoder of its own, of eight kilobytes in many allocations.
fn tiny_frames_of_zstd_cost_one_decoder() {
    let body = b"\x28\xb5\x2f\xfd\0\xff\x09\0\0a".repeat(100_000);
    let wire = around(Compression::Zstd, &body);
    let cost = allocated(|| {
        let error = read(wire.clone(), &Limits::default()).unwrap_err();
        assert!(matches!(error, BatchError::Count { .. }), "{error}");
    });
    println!("{} bytes of frames: {cost}", body.len());
    assert!(cost <= 1 << 20, "{cost}");
}

/// More records than the bytes can hold are known before the bytes are made. (Fewer are not: those have to be inflated.)
fn a_count_beyond_the_bytes_costs_nothing() {
    for codec in [Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let mut wire = batch(1, &vec![0; 1 << 20], codec).to_vec();
        wire[57..61].copy_from_slice(&1_000_000_u32.to_be_bytes());
        let wire = Bytes::from(wire);
        let cost = allocated(|| {
            let error = read(wire, &Limits::default()).unwrap_err();
            assert!(matches!(error, BatchError::Count { .. }), "{error}");
        });
        assert!(cost <= 1024, "{codec}: {cost}");
    }
}

#[test]
fn record_batches_cost_no_more_memory_than_they_may() {
    reading_allocates_nothing_per_record();
    writing_into_a_used_buffer_allocates_nothing_per_record();
    a_bomb_that_claims_its_size_costs_nothing();
    a_bomb_that_hides_its_size_costs_only_its_decoder();
    a_lie_that_is_believed_costs_what_it_claims();
    zstd_with_broken_literals_costs_three_times_what_comes_before_them();
    a_claim_costs_nothing();
    tiny_frames_of_zstd_cost_one_decoder();
    a_count_beyond_the_bytes_costs_nothing();
}
