//! The four codecs: bytes that may be anything stay within the limit, what was compressed inflates to itself, and
//! one broken byte is an error or other records, never a panic.
//!
//! The lowest bits of the first byte are the codec, the next say what is done, and the second byte is the
//! level.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use milena_codec::record::Compressor;
use milena_codec::{
    BatchBuilder, BatchError, BatchStamp, Batches, Compression, Limits, RecordToWrite,
};

const DECOMPRESSED_BYTES: usize = 256 << 10;
const BATCH_HEADER_BYTES: usize = 61;

fuzz_target!(|data: &[u8]| {
    let Some((&[mode, level], rest)) = data.split_first_chunk() else {
        return;
    };
    let codec = Compression::ALL[usize::from(mode & 7) % Compression::ALL.len()];
    match (mode >> 3) % 4 {
        0 => drop(read(around(codec, rest), 1)),
        1 => drop(there_and_back(codec, level, rest)),
        // The same many times over: matches that are long and far.
        2 => drop(there_and_back(codec, level, &rest.repeat(64))),
        _ => {
            let mut wire = there_and_back(codec, level, rest);
            let at = BATCH_HEADER_BYTES + usize::from(level);
            if let Some(byte) = wire.get_mut(at) {
                *byte ^= 1 << (mode >> 5);
                drop(read(wire.into(), 1));
            }
        }
    }
});

/// A batch of one record with this body.
fn around(codec: Compression, body: &[u8]) -> Bytes {
    let empty = BatchBuilder::default().close(Compression::None).unwrap();
    let mut wire = empty.to_vec(&BatchStamp::NONE);
    wire.extend_from_slice(body);
    let length = u32::try_from(wire.len() - 12).unwrap();
    wire[8..12].copy_from_slice(&length.to_be_bytes());
    wire[22] = codec.id();
    wire[60] = 1;
    wire.into()
}

/// The value of the only record. What passes when nothing is believed is the same when all is.
fn read(wire: Bytes, count: u32) -> Result<Vec<u8>, BatchError> {
    let believed = read_with(usize::MAX, wire.clone(), count);
    let checked = read_with(0, wire, count);
    if checked.is_ok() {
        assert_eq!(believed, checked);
    }
    believed
}

fn read_with(believed_ratio: usize, wire: Bytes, count: u32) -> Result<Vec<u8>, BatchError> {
    let mut limits = Limits::default();
    limits.decompressed_bytes = DECOMPRESSED_BYTES;
    limits.believed_ratio = believed_ratio;
    let batch = Batches::new(wire).next().expect("a whole batch")?;
    let records = batch.records(&limits)?;
    let compressed = batch.compression()? != Compression::None;
    assert!(!compressed || records.bytes().len() <= DECOMPRESSED_BYTES);
    assert_eq!(records.count(), count);
    let first = records.iter().next().expect("a record")?;
    Ok(first.value.unwrap_or_default().to_vec())
}

fn there_and_back(codec: Compression, level: u8, value: &[u8]) -> Vec<u8> {
    // Room for the record around it.
    let value = &value[..value.len().min(DECOMPRESSED_BYTES - 64)];
    let mut builder = BatchBuilder::default();
    let record = RecordToWrite {
        timestamp: 0,
        key: None,
        value: Some(value),
        headers: &[],
    };
    builder.append(&record).unwrap();
    let compressor = Compressor::with_level(codec, i32::from(level) % 10)
        .unwrap_or_else(|_| Compressor::from(codec));
    let wire = builder.close(compressor).unwrap().to_vec(&BatchStamp::NONE);
    assert_eq!(read(wire.clone().into(), 1).unwrap(), value);
    assert_eq!(read_with(0, wire.clone().into(), 1).unwrap(), value);
    wire
}
