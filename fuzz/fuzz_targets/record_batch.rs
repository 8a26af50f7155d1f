//! Record batches: cutting, headers, decompression, records, control records; and what can be read is
//! written and read again the same.
//!
//! An input whose first byte is odd is a log of batches. Otherwise it is attributes, a record count and a
//! body, around which a batch header is made, so that a mutation of the body is not lost in a length. Two bits of the first
//! byte make that a message of magic 0 or 1 instead, whose value is the body, or a compressed set of messages.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use milena_codec::record::Compressor;
use milena_codec::{
    Batch, BatchBuilder, BatchStamp, Batches, Compression, HeaderToWrite, Limits, Record,
    RecordToWrite, Records, Tail,
};

const DECOMPRESSED_BYTES: usize = 256 << 10;
const HEADER_BYTES: usize = 61;

fuzz_target!(|data: &[u8]| {
    let Some((&mode, rest)) = data.split_first() else {
        return;
    };
    let log = if mode & 1 == 1 {
        Bytes::copy_from_slice(rest)
    } else if let Some((&[attributes, high, low], body)) = rest.split_first_chunk() {
        match mode & 6 {
            2 => message(0, attributes, i16::from_be_bytes([high, low]), body),
            4 => message(1, attributes, i16::from_be_bytes([high, low]), body),
            _ => around(attributes, u16::from_be_bytes([high, low]), body),
        }
    } else {
        return;
    };
    read_log(log);
});

/// A batch with this body.
fn around(attributes: u8, count: u16, body: &[u8]) -> Bytes {
    let empty = BatchBuilder::default().close(Compression::None).unwrap();
    let mut wire = empty.to_vec(&BatchStamp::NONE);
    wire.extend_from_slice(body);
    let length = u32::try_from(wire.len() - 12).unwrap();
    wire[8..12].copy_from_slice(&length.to_be_bytes());
    wire[22] = attributes;
    wire[57..61].copy_from_slice(&u32::from(count).to_be_bytes());
    wire.into()
}

/// A message of magic 0 or 1: its value is the body, or an lz4 frame of which the body is a stored block.
fn message(magic: u8, attributes: u8, offset: i16, body: &[u8]) -> Bytes {
    let mut wire = i64::from(offset).to_be_bytes().to_vec();
    wire.extend_from_slice(&[0; 8]);
    let set = attributes & 0x80 != 0 && body.len() <= 64 << 10;
    wire.extend_from_slice(&[magic, if set { attributes & 8 | 3 } else { attributes }]);
    if magic == 1 {
        wire.extend_from_slice(&i64::from(offset).to_be_bytes());
    }
    wire.extend_from_slice(&(-1_i32).to_be_bytes());
    let length = u32::try_from(body.len()).unwrap();
    if set {
        let frame = 7 + 4 + length + 4;
        wire.extend_from_slice(&frame.to_be_bytes());
        wire.extend_from_slice(b"\x04\x22\x4d\x18\x60\x40\x82");
        wire.extend_from_slice(&(length | 1 << 31).to_le_bytes());
        wire.extend_from_slice(body);
        wire.extend_from_slice(&[0; 4]);
    } else {
        wire.extend_from_slice(&length.to_be_bytes());
        wire.extend_from_slice(body);
    }
    let size = u32::try_from(wire.len() - 12).unwrap();
    wire[8..12].copy_from_slice(&size.to_be_bytes());
    wire.into()
}

fn read_log(log: Bytes) {
    let mut batches = Batches::new(log.clone());
    let mut consumed = 0;
    while let Some(batch) = batches.next() {
        let Ok(batch) = batch else {
            assert!(batches.next().is_none(), "an error is the last item");
            assert_eq!(batches.tail(), Tail::Done);
            return;
        };
        assert_eq!(batch.bytes(), &log[consumed..consumed + batch.wire_size()]);
        consumed += batch.wire_size();
        read_batch(&batch);
    }
    match batches.tail() {
        Tail::Done => assert_eq!(consumed, log.len()),
        Tail::Partial { have, need } => {
            assert_eq!(consumed + have, log.len());
            assert!(have < need);
        }
    }
}

fn read_batch(batch: &Batch) {
    let mut limits = Limits::default();
    limits.decompressed_bytes = DECOMPRESSED_BYTES;
    let _ = (
        batch.check_crc(),
        batch.control(),
        batch.producer(),
        batch.delete_horizon(),
    );
    let _ = (
        batch.next_offset(),
        batch.last_sequence(),
        batch.timestamp_type(),
    );
    let Ok(records) = batch.records(&limits) else {
        return;
    };
    if batch.record_count() >= 0 || batch.magic() == 2 {
        assert_eq!(i64::from(records.count()), i64::from(batch.record_count()));
    }
    let compressed = batch.compression().unwrap() != Compression::None;
    assert!(!compressed || records.bytes().len() <= DECOMPRESSED_BYTES);
    let read: Result<Vec<_>, _> = records.iter().collect();
    let Ok(read) = read else {
        assert!(records.iter().count() <= records.count() as usize);
        return;
    };
    assert_eq!(read.len(), records.count() as usize);
    write_again(batch, &read);
    check_buffer(records, compressed);
}

/// A buffer of our own is no larger than the limit, and can be used again.
fn check_buffer(records: Records, compressed: bool) {
    if let Some(buffer) = records.into_buffer() {
        assert!(buffer.is_empty());
        assert!(!compressed || buffer.capacity() <= DECOMPRESSED_BYTES);
    }
}

fn write_again(batch: &Batch, records: &[Record<'_>]) {
    let mut builder = BatchBuilder::default();
    for record in records {
        let headers: Option<Vec<_>> = record
            .headers()
            .map(|header| {
                let key = std::str::from_utf8(header.key).ok()?;
                Some(HeaderToWrite {
                    key,
                    value: header.value,
                })
            })
            .collect();
        // Keys that are not UTF-8 can be read, not written.
        let Some(headers) = headers else {
            return;
        };
        let view = RecordToWrite {
            timestamp: record.timestamp,
            key: record.key,
            value: record.value,
            headers: &headers,
        };
        let size = builder.size_with(&view);
        builder.append(&view).unwrap();
        assert_eq!(builder.size(), size);
    }
    // All codecs in turn, chosen by the data.
    let codec = Compression::ALL[batch.wire_size() % Compression::ALL.len()];
    let closed = builder.close(Compressor::from(codec)).unwrap();
    let stamp = BatchStamp {
        base_sequence: batch.base_sequence(),
        ..BatchStamp::NONE
    };
    let again = Batches::new(closed.to_vec(&stamp).into())
        .next()
        .unwrap()
        .unwrap();
    again.check_crc().unwrap();
    compare(&again.records(&Limits::default()).unwrap(), records);

    let parts = closed.split(HEADER_BYTES + 100).unwrap();
    let split: usize = parts.iter().map(|part| part.record_count() as usize).sum();
    assert_eq!(split, records.len());
}

fn compare(again: &Records, records: &[Record<'_>]) {
    assert_eq!(again.count() as usize, records.len());
    for (ours, theirs) in again.iter().zip(records) {
        let ours = ours.unwrap();
        assert_eq!((ours.key, ours.value), (theirs.key, theirs.value));
        assert_eq!(ours.timestamp, theirs.timestamp);
        assert!(ours.headers().eq(theirs.headers()));
    }
}
