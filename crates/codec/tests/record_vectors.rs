//! Record batches that Apache Kafka 4.3.1's own classes wrote, against what Kafka's own reader finds in them.
//!
//! `vectors/records.jsonl` is the output of `protocol-tests/java/RecordVectors.java write 1` without its last line.

use milena_codec::record::{BatchStamp, Compressor};
use milena_codec::{Batch, BatchBuilder, Batches, Compression, Limits, RecordToWrite, Tail};
use serde_json::Value;

#[cfg(test)]
#[path = "support/record_json.rs"]
mod record_json;
use record_json::{Vector, describe, hex, read, rewritten, unhex, vector};

fn vectors() -> Vec<Vector> {
    let lines = include_str!("vectors/records.jsonl");
    let vectors: Vec<_> = lines.lines().map(vector).collect();
    assert!(vectors.len() >= 70, "only {} vectors", vectors.len());
    vectors
}

#[test]
fn batches_are_read_as_kafka_reads_them() {
    for Vector {
        name,
        wire,
        batches,
        ..
    } in vectors()
    {
        let read = read(wire);
        assert_eq!(read.len(), batches.len(), "{name}");
        for (batch, mut expected) in read.iter().zip(batches) {
            // Of two markers in one batch, only the first one's epoch is compared.
            if name == "none two markers in one batch" {
                let first = expected["records"][0]["coordinator_epoch"].clone();
                expected["records"][1]["coordinator_epoch"] = first;
            }
            assert_eq!(describe(batch), expected, "{name}");
        }
    }
}

#[test]
fn uncompressed_batches_are_written_byte_for_byte_as_kafka_writes_them() {
    let mut compared = 0;
    for Vector {
        name,
        wire,
        created,
        ..
    } in vectors()
    {
        let batches = read(wire);
        if let [batch] = &batches[..]
            && batch.compression().unwrap() == Compression::None
            && let Some(ours) = rewritten(batch, &created)
        {
            assert_eq!(hex(&ours), hex(batch.bytes()), "{name}");
            compared += 1;
        }
    }
    assert!(compared >= 20, "only {compared} compared");
}

#[test]
fn compressed_batches_survive_being_written_by_us() {
    for Vector {
        name,
        wire,
        created,
        ..
    } in vectors()
    {
        let batches = read(wire);
        if let [batch] = &batches[..]
            && batch.compression().unwrap() != Compression::None
            && let Some(ours) = rewritten(batch, &created)
        {
            let ours = read(ours.into());
            let (mut ours, mut theirs) = (describe(&ours[0]), describe(batch));
            for field in ["size", "crc"] {
                ours[field] = Value::Null;
                theirs[field] = Value::Null;
            }
            assert_eq!(ours, theirs, "{name}");
        }
    }
}

#[test]
fn a_log_cut_anywhere_gives_its_whole_batches_and_says_what_is_left() {
    let vector = vectors()
        .into_iter()
        .find(|vector| vector.name == "mixed codecs")
        .unwrap();
    let sizes: Vec<_> = read(vector.wire.clone())
        .iter()
        .map(Batch::wire_size)
        .collect();
    for cut in 0..vector.wire.len() {
        let mut batches = Batches::new(vector.wire.slice(..cut));
        let whole: Vec<_> = batches
            .by_ref()
            .map(|batch| batch.unwrap().wire_size())
            .collect();
        assert_eq!(sizes[..whole.len()], whole);
        let have = cut - whole.iter().sum::<usize>();
        match batches.tail() {
            Tail::Done => assert_eq!(have, 0),
            tail @ Tail::Partial { need, .. } => {
                assert_eq!(tail, Tail::Partial { have, need });
                assert_eq!(need, if have > 16 { sizes[whole.len()] } else { 17 });
            }
        }
    }
}

#[test]
fn splitting_keeps_what_kafka_wrote() {
    for Vector {
        name,
        wire,
        created,
        ..
    } in vectors()
    {
        let batches = read(wire);
        let [batch] = &batches[..] else { continue };
        if batch.is_control() || batch.record_count() < 2 {
            continue;
        }
        let compression = batch.compression().unwrap();
        let records = batch.records(&Limits::default()).unwrap();
        let mut builder = BatchBuilder::default();
        let mut expected = Vec::new();
        for (record, &timestamp) in records.iter().zip(&created) {
            let record = record.unwrap();
            let (key, value) = (record.key, record.value);
            builder
                .append(&RecordToWrite {
                    timestamp,
                    key,
                    value,
                    headers: &[],
                })
                .unwrap();
            expected.push((timestamp, key.map(hex), value.map(hex)));
        }
        let closed = builder.close(Compressor::from(compression)).unwrap();
        let mut found = Vec::new();
        for part in closed.split(200).unwrap() {
            let part = read(part.to_vec(&BatchStamp::NONE).into()).remove(0);
            assert_eq!(part.compression().unwrap(), compression);
            for record in &part.records(&Limits::default()).unwrap() {
                let record = record.unwrap();
                found.push((record.timestamp, record.key.map(hex), record.value.map(hex)));
            }
        }
        assert_eq!(found, expected, "{name}");
    }
}

/// Message sets at offset 5 as Kafka's classes wrote them before 0.11: one plain and one in a gzip wrapper
/// for each magic. A wrapper bears the offset of its last record.
const OLD: [(i8, i64, &str); 4] = [
    (
        0,
        5,
        "0000000000000005000000101fecd70a0000000000016b000000017600000000000000060000000fa50b8f63\
         0000ffffffff0000000177",
    ),
    (
        0,
        6,
        "00000000000000060000004538d744bc0001ffffffff000000371f8b08000000000000ff63600003562016907f\
         739d0bcc63cc0611651029063620e65fcadd9fccc0f01f084052e500c30e998737000000",
    ),
    (
        1,
        5,
        "000000000000000500000018e4e321bc010000000000000003e8000000016b0000000176000000000000000600\
         00001791733702010000000000000003e9ffffffff0000000177",
    ),
    (
        1,
        6,
        "00000000000000060000004fe83f8de6010100000000000003e9ffffffff000000391f8b08000000000000ff63\
         60800389278f15f7304239cc2f800463368828830a81a4c427169b33c1d5bcfc0f0420997200ab2418c147000000",
    ),
];

#[test]
fn message_sets_from_before_magic_2_are_read_behind_newer_batches() {
    let newer = vectors().remove(0).wire;
    for (magic, last_offset, old) in OLD {
        let old = unhex(&old.replace(char::is_whitespace, ""));
        // Behind a batch of magic 2, as in a log that was restored from an old segment.
        let batches = Batches::new([&newer[..], &old].concat().into());
        let batches: Vec<_> = batches.skip(1).map(Result::unwrap).collect();
        assert_eq!(batches.last().unwrap().last_offset(), last_offset.max(6));
        let mut read = Vec::new();
        for batch in &batches {
            batch.check_crc().unwrap();
            assert_eq!(batch.magic(), magic);
            let records = batch.records(&Limits::default()).unwrap();
            for record in &records {
                let record = record.unwrap();
                let owned = |part: Option<&[u8]>| part.map(<[u8]>::to_vec);
                read.push((
                    record.offset,
                    record.timestamp,
                    owned(record.key),
                    owned(record.value),
                ));
            }
        }
        let (first, second) = if magic == 0 { (-1, -1) } else { (1_000, 1_001) };
        let expected = [
            (5, first, Some(b"k".to_vec()), Some(b"v".to_vec())),
            (6, second, None, Some(b"w".to_vec())),
        ];
        assert_eq!(read, expected, "magic {magic}");
    }
}
