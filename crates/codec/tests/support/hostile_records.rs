//! Record batches made to hurt, in the place where a client and where a broker meets them.

use super::{Hostile, Rejection, Wire, limits, wire};
use bytes::Bytes;
use kafka_protocol::messages::{FetchRequest, ProduceRequest};
use milena_codec::message;
use milena_codec::record::crc32c;
use milena_codec::{BatchBuilder, BatchStamp, Batches, Compression, Limits, RecordToWrite, Tail};
#[cfg(not(feature = "broker"))]
use milena_codec::{guard, message::Request as _};

/// What stands in front of the records in a Fetch response 4 of one partition, but for their length.
fn fetch_head() -> Wire {
    wire()
        .i32(0)
        .i32(1)
        .i16(1)
        .raw(b"t")
        .i32(1)
        .zeros(22)
        .i32(-1)
}

/// The same of a Produce request 8.
fn produce_head() -> Wire {
    wire()
        .i16(-1)
        .i16(-1)
        .i32(0)
        .i32(1)
        .i16(1)
        .raw(b"t")
        .i32(1)
        .i32(0)
}

fn framed(head: Wire, records: &[u8]) -> Wire {
    let length = i32::try_from(records.len()).unwrap();
    head.i32(length).raw(records)
}

fn fetched(body: Bytes) -> Result<(), Rejection> {
    let limits = Limits::default();
    let response = message::decode_response::<FetchRequest>(body, 4, &limits)?;
    let mut partitions = response
        .responses
        .into_iter()
        .flat_map(|topic| topic.partitions);
    read(partitions.next().and_then(|partition| partition.records))
}

#[cfg(feature = "broker")]
fn produced(body: Bytes) -> Result<(), Rejection> {
    let request = message::decode_request::<ProduceRequest>(body, 8, &Limits::default())?;
    let mut partitions = request
        .topic_data
        .into_iter()
        .flat_map(|topic| topic.partition_data);
    read(partitions.next().and_then(|partition| partition.records))
}

#[cfg(not(feature = "broker"))]
fn produced(body: Bytes) -> Result<(), Rejection> {
    let (limits, request) = (Limits::default(), guard::Direction::Request);
    guard::check(ProduceRequest::KEY, request, 8, &body, &limits)
        .map_err(milena_codec::DecodeError::from)?;
    read(Some(body.slice(produce_head().0.len() + 4..)))
}

/// Everything in the records, down to the last header.
fn read(records: Option<Bytes>) -> Result<(), Rejection> {
    let mut batches = Batches::new(records.ok_or("no records")?);
    for batch in &mut batches {
        let batch = batch?;
        batch.check_crc()?;
        for record in &batch.records(&limits())? {
            record?.headers().for_each(drop);
        }
    }
    match batches.tail() {
        Tail::Done => Ok(()),
        Tail::Partial { need, .. } => Err(format!("a batch of {need} bytes is cut off").into()),
    }
}

/// A batch with a body of any bytes, and a checksum over them.
fn batch(codec: i16, count: i32, body: &[u8]) -> Vec<u8> {
    let checked = wire()
        .i16(codec)
        .i32(count.wrapping_sub(1))
        .zeros(16)
        .i64(-1)
        .i16(-1)
        .i32(-1)
        .i32(count)
        .raw(body);
    let length = i32::try_from(9 + checked.0.len()).unwrap();
    let crc = crc32c([&checked.0[..]]);
    let head = wire().i64(0).i32(length).i32(0).raw(&[2]);
    head.raw(&crc.to_be_bytes()).raw(&checked.0).0
}

/// One record of these bytes behind their length: attributes, timestamp and offset deltas, then `fields`.
fn record(fields: &[u8]) -> Vec<u8> {
    let length = u8::try_from(3 + fields.len()).unwrap();
    wire().raw(&[length * 2, 0, 0, 0]).raw(fields).0
}

fn with_record(fields: &[u8]) -> Vec<u8> {
    batch(0, 1, &record(fields))
}

/// A zigzag varint of 2^31-1.
const MOST: [u8; 5] = [0xfe, 0xff, 0xff, 0xff, 0x0f];

/// The bytes of `batch` with others at some place.
fn patched(mut batch: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    batch[at..at + bytes.len()].copy_from_slice(bytes);
    batch
}

fn lengths_and_counts() -> Vec<(&'static str, Vec<u8>)> {
    let good = || record(&[1, 1, 0]);
    vec![
        ("2^31-1 records", batch(0, i32::MAX, &[])),
        ("10,000,001 records", batch(0, 10_000_001, &good())),
        ("1e7 records in 8 bytes", batch(0, 10_000_000, &good())),
        ("-1 records", batch(0, -1, &[])),
        (
            "fewer records than there are",
            batch(0, 1, &[good(), good()].concat()),
        ),
        (
            "more records than there are",
            batch(0, 3, &[good(), good()].concat()),
        ),
        ("record of 2^31-1 bytes", batch(0, 1, &MOST)),
        ("record of -1 bytes", batch(0, 1, &[1, 0, 0, 0, 0])),
        (
            "record length of six bytes",
            batch(0, 1, &[0x80, 0x80, 0x80, 0x80, 0x80, 1]),
        ),
        (
            "record that reaches into the next",
            batch(0, 2, &[&[60], &good()[1..], &good()].concat()),
        ),
        ("record with bytes to spare", with_record(&[1, 1, 0, 9, 9])),
        ("key of 2^31-1 bytes", with_record(&MOST)),
        (
            "value of 2^31-1 bytes",
            with_record(&[&[1], &MOST[..]].concat()),
        ),
        (
            "2^31-1 headers",
            with_record(&[&[1, 1], &MOST[..]].concat()),
        ),
        ("100,001 headers", with_record(&[1, 1, 0xc2, 0x9a, 0x0c])),
        (
            "100,000 headers in no bytes",
            with_record(&[1, 1, 0xc0, 0x9a, 0x0c]),
        ),
        ("-1 headers", with_record(&[1, 1, 1])),
        ("header with a null key", with_record(&[1, 1, 2, 1, 1])),
        (
            "header key of 2^31-1 bytes",
            with_record(&[&[1, 1, 2], &MOST[..]].concat()),
        ),
        (
            "header value of 2^31-1 bytes",
            with_record(&[&[1, 1, 2, 0], &MOST[..]].concat()),
        ),
        (
            "batch of 2^31-1 bytes",
            patched(with_record(&[1, 1, 0]), 8, &[0x7f, 0xff, 0xff, 0xff]),
        ),
        (
            "batch of 48 bytes",
            patched(with_record(&[1, 1, 0]), 8, &[0, 0, 0, 48]),
        ),
        (
            "batch of -1 bytes",
            patched(with_record(&[1, 1, 0]), 8, &[0xff; 4]),
        ),
        (
            "batch of magic 1",
            patched(with_record(&[1, 1, 0]), 16, &[1]),
        ),
        (
            "batch of magic 3",
            patched(with_record(&[1, 1, 0]), 16, &[3]),
        ),
        (
            "batch with another checksum",
            patched(with_record(&[1, 1, 0]), 17, &[1, 2, 3, 4]),
        ),
        ("batch of a codec that is none", batch(5, 1, &good())),
    ]
}

/// Each makes more than 128 MiB, or more than a thousand times its own bytes.
fn decompression_bombs() -> Vec<(&'static str, Vec<u8>)> {
    let zeros = vec![0; 20 << 20];
    let mut builder = BatchBuilder::default();
    let record = RecordToWrite {
        timestamp: 0,
        key: None,
        value: Some(&zeros),
        headers: &[],
    };
    builder.append(&record).unwrap();
    let gzip = builder
        .close(Compression::Gzip)
        .unwrap()
        .to_vec(&BatchStamp::NONE);
    // Copies of 64 bytes out of three, 130 MiB in all, bare and framed.
    let snappy = wire().raw(&[0x80, 0x80, 0x80, 0x41, 0, b'a']);
    let snappy = snappy.repeat(&[0xfe, 1, 0], 130 << 14).0;
    let length = i32::try_from(snappy.len()).unwrap();
    let xerial = wire()
        .raw(b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01")
        .i32(length)
        .raw(&snappy)
        .0;
    // 33 blocks of 4 MiB, each one literal and one endless copy of it.
    let block = wire()
        .raw(&[0x1f, b'a', 1, 0])
        .repeat(&[0xff], 16_447)
        .raw(&[0, 0x50])
        .raw(b"aaaaa");
    let length = u32::try_from(block.0.len()).unwrap().to_le_bytes();
    let lz4 = wire().raw(b"\x04\x22\x4d\x18\x60\x70\x73");
    let lz4 = lz4.repeat(&[&length[..], &block.0].concat(), 33).i32(0).0;
    // A thousand blocks of one byte that is repeated 128 KiB times.
    let zstd = wire()
        .raw(b"\x28\xb5\x2f\xfd\0\x58")
        .repeat(&[0x02, 0, 0x10, b'a'], 1_000);
    let zstd = zstd.raw(&[0x03, 0, 0x10, b'a']).0;
    vec![
        ("gzip of 20 MiB of zeros", gzip),
        ("snappy of 130 MiB", batch(2, 1, &snappy)),
        ("framed snappy of 130 MiB", batch(2, 1, &xerial)),
        ("lz4 of 132 MiB", batch(3, 1, &lz4)),
        ("zstd of 125 MiB", batch(4, 1, &zstd)),
    ]
}

/// A gzip stream of so many zeros.
fn gzip_of_zeros(bytes: usize) -> Vec<u8> {
    let zeros = vec![0; bytes];
    let record = RecordToWrite {
        timestamp: 0,
        key: None,
        value: Some(&zeros),
        headers: &[],
    };
    let mut builder = BatchBuilder::default();
    builder.append(&record).unwrap();
    builder.close(Compression::Gzip).unwrap().body().to_vec()
}

/// A zstd block of one literal and one sequence that copies it over and over, 128 KiB in all.
const COPIES: [u8; 13] = [0x54, 0, 0, 0x08, b'a', 1, 0x54, 1, 0, 52, 0xfc, 0xff, 1];

/// What has to be inflated, or gone through, to be found out: it hides its size, or breaks at its very end.
fn hidden_bombs() -> Vec<(&'static str, Vec<u8>)> {
    let mut silent = gzip_of_zeros(20 << 20);
    let end = silent.len() - 4;
    let claiming = |claim: u32| [&silent[..end], &claim.to_le_bytes()].concat();
    let plausible = claiming(u32::try_from(4 * end).unwrap());
    let within_limits = claiming(15 << 20);
    let two = [&silent[..], &gzip_of_zeros(1)].concat();
    silent[end..].copy_from_slice(&[0; 4]);
    let mut wrong_checksum = gzip_of_zeros(10 << 20);
    let at = wrong_checksum.len() - 8;
    wrong_checksum[at] ^= 1;
    let cut = &wrong_checksum[..at - 100];

    // As the bombs that are known by their claims, but within all limits, and with a copy from nowhere at the end.
    let snappy = wire().raw(&[0xc1, 0x80, 0x80, 1, 0, b'a']);
    let snappy = snappy.repeat(&[0xfe, 1, 0], 1 << 15).raw(&[0xfe, 0, 0]).0;
    let sequence = wire().raw(&[0x1f, b'a', 1, 0]).repeat(&[0xff], 16_000);
    let block = sequence.raw(&[0, 0x10, b'a', 0, 0, 0x50]).raw(b"aaaaa");
    let length = u32::try_from(block.0.len()).unwrap().to_le_bytes();
    let lz4 = wire().raw(b"\x04\x22\x4d\x18\x60\x70\x73").raw(&length);
    let lz4 = lz4.raw(&block.0).i32(0).0;

    let zstd = || wire().raw(b"\x28\xb5\x2f\xfd\0\x58");
    let last = |size: u8, block: &[u8]| [&[size << 3 | 5, 0, 0], block].concat();
    let copies = zstd().repeat(&COPIES, 1_000).raw(&[1, 0, 0]).0;
    let broken = last(
        13,
        &[0x08, b'a', 1, 0x54, 1, 30, 52, 0xfc, 0xff, 0, 0, 0, 0x40],
    );
    let broken = zstd().repeat(&COPIES, 100).raw(&broken).0;
    let bits = last(10, &[0x08, b'a', 0xff, 0xff, 0xff, 0x54, 0, 0, 0, 1]);
    let copied = last(11, &[0x08, b'a', 0xff, 0x40, 0x1d, 0x54, 0, 31, 0, 0, 1]);
    let literals = last(8, &[0x0d, 0, 0x20, b'a', 1, 0x54, 1, 0]);
    vec![
        ("gzip of 20 MiB that says 0", batch(1, 1, &silent)),
        ("gzip of 20 MiB that says 80 KiB", batch(1, 1, &plausible)),
        ("gzip of 20 MiB that says 15", batch(1, 1, &within_limits)),
        ("gzip of 20 MiB and of one byte", batch(1, 1, &two)),
        ("gzip with another checksum", batch(1, 1, &wrong_checksum)),
        ("gzip of 10 MiB that is cut off", batch(1, 1, cut)),
        (
            "snappy of 2 MiB that breaks at its end",
            batch(2, 1, &snappy),
        ),
        ("lz4 of 4 MiB that breaks at its end", batch(3, 1, &lz4)),
        ("zstd of 125 MiB, all copies", batch(4, 1, &copies)),
        (
            "zstd of 12 MiB that breaks at its end",
            batch(4, 1, &broken),
        ),
        (
            "zstd with 98,047 sequences in a bit",
            batch(4, 1, &zstd().raw(&bits).0),
        ),
        (
            "zstd with 40,000 sequences in no bit",
            batch(4, 1, &zstd().raw(&copied).0),
        ),
        (
            "zstd with literals and nothing more",
            batch(4, 1, &zstd().raw(&literals).0),
        ),
    ]
}

/// Compressed bodies that claim what they are not.
fn decompression_lies() -> Vec<(&'static str, Vec<u8>)> {
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\xff";
    let lie = |codec, body: &[u8]| batch(codec, 1, body);
    vec![
        ("gzip of nothing", lie(1, &[])),
        ("gzip that is none", lie(1, b"not gzip, and no trailer")),
        ("gzip that ends in its header", lie(1, &gzip[..5])),
        (
            "gzip that says it has 1 GiB",
            lie(1, &[&gzip[..], b"\x03\0\0\0\0\0\0\0\0\x40"].concat()),
        ),
        (
            "gzip of the reserved block type",
            lie(1, &[&gzip[..], b"\x07\0\0\0\0\0\0\0\0\0"].concat()),
        ),
        (
            "snappy that claims 4 GiB",
            lie(2, b"\xff\xff\xff\xff\x0f\0a"),
        ),
        (
            "framed snappy that claims 4 GiB",
            lie(
                2,
                b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\0\0\0\x07\xff\xff\xff\xff\x0f\0a",
            ),
        ),
        (
            "framed snappy with a block of 2 GiB",
            lie(2, b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\x7f\xff\xff\xff\x01"),
        ),
        (
            "snappy that copies from before its start",
            lie(2, b"\x08\0a\xfe\x09\0"),
        ),
        (
            "lz4 with a block of 2 GiB",
            lie(3, b"\x04\x22\x4d\x18\x60\x70\x73\xff\xff\xff\x7f"),
        ),
        (
            "lz4 with blocks of an unknown size",
            lie(3, b"\x04\x22\x4d\x18\x60\x10\x73\0\0\0\0"),
        ),
        (
            "lz4 that copies from before its start",
            lie(
                3,
                b"\x04\x22\x4d\x18\x60\x40\x82\x04\0\0\0\x10a\xff\xff\0\0\0\0",
            ),
        ),
        (
            "zstd that says it has an exabyte",
            lie(4, b"\x28\xb5\x2f\xfd\xe0\0\0\0\0\0\0\0\x10\x01\0\0"),
        ),
        (
            "zstd with a window of terabytes and no block",
            lie(4, b"\x28\xb5\x2f\xfd\0\xff"),
        ),
        (
            "zstd with a block of 2 MiB",
            lie(4, b"\x28\xb5\x2f\xfd\0\x58\xfd\xff\xff"),
        ),
        (
            "zstd with a block of the reserved type",
            lie(4, b"\x28\xb5\x2f\xfd\0\x58\x07\0\0"),
        ),
        (
            "zstd with a million literals of one byte",
            lie(4, b"\x28\xb5\x2f\xfd\0\x58\x2d\0\0\xfd\xff\xffa\0"),
        ),
        (
            "zstd that needs a dictionary's tables",
            lie(4, b"\x28\xb5\x2f\xfd\0\x58\x15\0\0\x03\0"),
        ),
    ]
}

/// A message of magic 0 or 1 without a key, its size and checksum right.
fn message_of(magic: u8, codec: u8, value: &[u8]) -> Vec<u8> {
    let timestamp = if magic == 1 { 8 } else { 0 };
    let value_length = i32::try_from(value.len()).unwrap();
    let checked = wire().raw(&[magic, codec]).zeros(timestamp).i32(-1);
    let checked = checked.i32(value_length).raw(value).0;
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, &checked);
    let crc = u32::try_from(crc).unwrap().to_be_bytes();
    let size = i32::try_from(4 + checked.len()).unwrap();
    wire().i64(9).i32(size).raw(&crc).raw(&checked).0
}

/// An lz4 frame of one block that is not compressed.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap() | 1 << 31;
    let frame = wire().raw(b"\x04\x22\x4d\x18\x60\x70\x73");
    frame.raw(&length.to_le_bytes()).raw(bytes).i32(0).0
}

/// Message sets of magic 0 and 1.
fn old_message_sets() -> Vec<(&'static str, Vec<u8>)> {
    let sized = |size: i32| wire().i64(0).i32(size).i32(0).raw(&[1, 0]).zeros(20).0;
    let nested = |magic| message_of(magic, 3, &stored(&message_of(magic, 3, &stored(b""))));
    let deep = (0..1_000).fold(message_of(1, 0, b"deep"), |inner, _| {
        message_of(1, 3, &stored(&inner))
    });
    let inside = |set: &[u8]| message_of(1, 3, &stored(set));
    let many = wire().repeat(&message_of(0, 0, b""), 40_000).0;
    let far = [
        message_of(0, 0, b""),
        patched(message_of(0, 0, b""), 0, &[0x7f; 8]),
    ]
    .concat();
    vec![
        ("message of 13 bytes", sized(13)),
        ("message of -1 bytes", sized(-1)),
        ("message of i32::MIN bytes", sized(i32::MIN)),
        ("message of magic 1 with another checksum", sized(22)),
        ("wrapper of magic 0 inside a wrapper", nested(0)),
        ("wrapper of magic 1 inside a wrapper", nested(1)),
        ("a thousand wrappers inside each other", deep),
        ("wrapper of nothing", inside(b"")),
        ("wrapper without a value", {
            let checked = wire().raw(&[0, 1]).i32(-1).i32(-1).0;
            let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, &checked);
            let crc = u32::try_from(crc).unwrap().to_be_bytes();
            wire().i64(0).i32(14).raw(&crc).raw(&checked).0
        }),
        ("wrapper of a message that is too short", inside(&sized(13))),
        (
            "wrapper of a batch of magic 2",
            inside(&with_record(&[1, 1, 0])),
        ),
        (
            "wrapper of zstd",
            message_of(1, 4, b"\x28\xb5\x2f\xfd\0\x58\x01\0\0"),
        ),
        ("wrapper of an unknown codec", message_of(0, 7, b"")),
        (
            "wrapper with offsets that are too far apart",
            message_of(0, 3, &stored(&far)),
        ),
        (
            "40,000 messages and a broken one",
            inside(&[&many[..], &sized(13)].concat()),
        ),
        ("wrapper of 20 MiB that says 0", {
            let mut silent = gzip_of_zeros(20 << 20);
            let end = silent.len() - 4;
            silent[end..].copy_from_slice(&[0; 4]);
            message_of(1, 1, &silent)
        }),
        (
            "wrapper of 20 MiB",
            message_of(0, 1, &gzip_of_zeros(20 << 20)),
        ),
    ]
}

/// Each of the batches as a client and as a broker gets it.
pub(crate) fn all() -> Vec<Hostile> {
    let lists = [
        lengths_and_counts(),
        decompression_bombs(),
        hidden_bombs(),
        decompression_lies(),
        old_message_sets(),
    ];
    let mut all = Vec::new();
    for (name, records) in lists.into_iter().flatten() {
        let response = framed(fetch_head(), &records);
        let request = framed(produce_head(), &records);
        for (place, read, bytes) in [
            (
                "fetch response",
                fetched as fn(Bytes) -> Result<(), Rejection>,
                response,
            ),
            ("produce request", produced, request),
        ] {
            let name = format!("{place}, {name}");
            all.push(Hostile { name, read, bytes });
        }
    }
    all
}
