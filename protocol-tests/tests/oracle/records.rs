//! Record batches: what Kafka's classes write we read, and what we write they read, to the same meaning.

use crate::program;
use crate::record_json::{Vector, describe, hex, read, rewritten, vector};
use bytes::Bytes;
use fastrand::Rng;
use milena_codec::record::{
    BatchStamp, Compressor, ControlBatchToWrite, Marker, put_control_batch, set_log_append_time,
    set_log_position,
};
use milena_codec::{
    BatchBuilder, Compression, HeaderToWrite, ProducerEpoch, ProducerId, ProducerIdentity,
    RecordToWrite, Sequence,
};
use serde_json::Value;

/// Runs of Kafka's writer, each with other random content.
const SEEDS: u64 = 5;

/// What Kafka's writer prints in a run, at least.
const VECTORS: usize = 70;

/// Random batches of ours in each codec.
const OURS: u64 = 40;

const CODECS: [Compression; 5] = [
    Compression::None,
    Compression::Gzip,
    Compression::Snappy,
    Compression::Lz4,
    Compression::Zstd,
];

/// Two readings of one batch, of which Kafka's may tell more.
fn check(name: &str, wire: Bytes, batches: &[Value]) {
    let read = read(wire);
    assert_eq!(read.len(), batches.len(), "{name}");
    for (batch, expected) in read.iter().zip(batches) {
        let mut expected = expected.clone();
        // Of two markers in one batch, only the first one's epoch is compared.
        if name == "none two markers in one batch" {
            let first = expected["records"][0]["coordinator_epoch"].clone();
            expected["records"][1]["coordinator_epoch"] = first;
        }
        assert_eq!(describe(batch), expected, "{name}");
    }
}

#[test]
fn record_batches_mean_to_us_what_they_mean_to_kafka() {
    let test = "record_batches_mean_to_us_what_they_mean_to_kafka";
    let (mut count, mut equal) = (0, 0);
    let mut ours = Vec::new();
    let seeds = (1..=SEEDS).map(|seed| seed.to_string());
    let arguments: Vec<String> = std::iter::once("write".to_owned()).chain(seeds).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let Some(mut kafka) = program(test, "RecordVectors", &arguments, |_| Ok(())) else {
        return;
    };
    loop {
        let line = kafka.line().unwrap();
        if line == "." {
            break;
        }
        let Vector {
            name,
            wire,
            created,
            batches,
        } = vector(&line);
        count += 1;
        check(&name, wire.clone(), &batches);
        if let [batch] = &read(wire)[..]
            && let Some(again) = rewritten(batch, &created)
        {
            if batch.compression().unwrap() == Compression::None {
                assert_eq!(hex(&again), hex(batch.bytes()), "{name}");
                equal += 1;
            } else {
                ours.push((format!("{name}, compressed by us"), again));
            }
        }
    }
    kafka.finish().unwrap();
    println!("{count} vectors by Kafka: read equally, {equal} written again byte for byte");
    assert!(
        count >= VECTORS * usize::try_from(SEEDS).unwrap(),
        "{count}"
    );
    ours.extend(random_batches());
    kafka_reads(test, &ours);
}

/// Has Kafka read batches, and compares that with our own reading.
fn kafka_reads(test: &str, batches: &[(String, Vec<u8>)]) {
    let lines: Vec<String> = batches.iter().map(|(_, wire)| hex(wire)).collect();
    let write = move |out: &mut dyn std::io::Write| {
        lines.iter().try_for_each(|line| writeln!(out, "{line}"))
    };
    let Some(mut kafka) = program(test, "RecordVectors", &["read"], write) else {
        return;
    };
    for (name, wire) in batches {
        let line = kafka.line().unwrap();
        let theirs: Value = serde_json::from_str(&line).unwrap();
        check(name, wire.clone().into(), theirs.as_array().unwrap());
    }
    kafka.finish().unwrap();
    println!("{} batches by us: read equally by Kafka", batches.len());
}

/// Batches of ours in every codec at several levels, with everything that a batch can say.
fn random_batches() -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for codec in CODECS {
        for seed in 0..OURS {
            let mut random = Rng::with_seed(seed);
            let compressor = compressor(codec, seed);
            let name = format!("ours, {compressor:?}, seed {seed}");
            all.push((name, random_batch(&mut random, compressor)));
        }
    }
    for (seed, marker) in (0..10).flat_map(|n| [(n, Marker::Abort), (n, Marker::Commit)]) {
        let mut random = Rng::with_seed(seed);
        let batch = ControlBatchToWrite {
            marker,
            producer: producer(&mut random),
            base_offset: random.i64(0..),
            partition_leader_epoch: random.i32(0..),
            timestamp: random.i64(0..),
            coordinator_epoch: random.i32(0..),
        };
        let mut wire = Vec::new();
        put_control_batch(&mut wire, &batch).unwrap();
        all.push((format!("ours, {marker:?}, seed {seed}"), wire));
    }
    all
}

/// The default level, and now and then another.
fn compressor(codec: Compression, seed: u64) -> Compressor {
    let levels = match codec {
        Compression::None | Compression::Snappy => return codec.into(),
        Compression::Gzip => [1, 9],
        Compression::Lz4 => [1, 17],
        Compression::Zstd => [-5, 22],
    };
    match seed % 3 {
        0 => codec.into(),
        1 => Compressor::with_level(codec, levels[0]).unwrap(),
        _ => Compressor::with_level(codec, levels[1]).unwrap(),
    }
}

fn producer(random: &mut Rng) -> ProducerIdentity {
    ProducerIdentity {
        producer_id: ProducerId(random.i64(0..)),
        producer_epoch: ProducerEpoch(random.i16(0..)),
    }
}

/// Words that compress, noise that does not, or nothing.
fn some_bytes(random: &mut Rng, most: usize) -> Option<Vec<u8>> {
    let length = random.usize(..=most);
    match random.u8(..4) {
        0 => None,
        1 => Some(
            std::iter::repeat_with(|| random.u8(..))
                .take(length)
                .collect(),
        ),
        _ => Some(
            b"{\"id\":12345,\"name\":\"milena\"}"
                .iter()
                .copied()
                .cycle()
                .take(length)
                .collect(),
        ),
    }
}

fn random_batch(random: &mut Rng, compressor: Compressor) -> Vec<u8> {
    let mut builder = BatchBuilder::default();
    // Every fifth batch is longer than any codec's block.
    let (records, longest) = if random.u8(..5) == 0 {
        (20, 60_000)
    } else {
        (8, 200)
    };
    let keys = ["", "a", "a", "trace-id", "schlüssel", "鍵"];
    let mut timestamp = random.i64(0..=i64::MAX / 2);
    for _ in 0..random.usize(1..=records) {
        timestamp = timestamp.saturating_add(random.i64(-5..1_000)).max(0);
        let (key, value) = (some_bytes(random, 40), some_bytes(random, longest));
        let values: Vec<_> = (0..random.usize(..4))
            .map(|_| (keys[random.usize(..keys.len())], some_bytes(random, 70)))
            .collect();
        let headers: Vec<_> = values
            .iter()
            .map(|(key, value)| HeaderToWrite {
                key,
                value: value.as_deref(),
            })
            .collect();
        let record = RecordToWrite {
            timestamp,
            key: key.as_deref(),
            value: value.as_deref(),
            headers: &headers,
        };
        builder.append(&record).unwrap();
    }
    let stamp = match random.u8(..4) {
        0 => BatchStamp::NONE,
        // Sequences wrap inside of every other batch (P-22).
        case => BatchStamp {
            producer: producer(random),
            base_sequence: match case {
                1 => Sequence(i32::MAX - random.i32(0..4)),
                _ => Sequence(random.i32(0..)),
            },
            transactional: random.bool(),
        },
    };
    let mut wire = builder.close(compressor).unwrap().to_vec(&stamp);
    set_log_position(&mut wire, random.i64(0..i64::MAX / 2), random.i32(-1..)).unwrap();
    if random.u8(..4) == 0 {
        set_log_append_time(&mut wire, random.i64(0..)).unwrap();
    }
    wire
}
