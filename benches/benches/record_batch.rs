//! Record batches, written and read with their CRC, beside kafka-protocol's own record codec.
//!
//! Times are per batch; `benches/table` divides them by the records.

#![expect(
    clippy::expect_used,
    reason = "the batches are our own: a bench that cannot make them is broken"
)]

use bytes::{Bytes, BytesMut};
use criterion::{
    BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::protocol::buf::ByteBufMut;
use kafka_protocol::records as other;
use milena_codec::{
    BatchBuilder, BatchStamp, Batches, Compression, HeaderToWrite, Limits, ProducerEpoch,
    ProducerId, ProducerIdentity, RecordToWrite, Sequence,
};
use std::hint::black_box;
use std::time::Duration;

const TIMESTAMP: i64 = 1_700_000_000_000;
const KEY: &[u8] = b"key-0042";
const HEADERS: [HeaderToWrite<'_>; 2] = [
    HeaderToWrite {
        key: "trace-id",
        value: Some(b"0123456789abcdef"),
    },
    HeaderToWrite {
        key: "source",
        value: Some(b"bench"),
    },
];

struct Shape {
    name: &'static str,
    records: u32,
    value: Vec<u8>,
    headers: &'static [HeaderToWrite<'static>],
}

fn shapes() -> [Shape; 4] {
    let shape = |name, records, bytes, headers| Shape {
        name,
        records,
        value: (0..bytes).map(|i: u32| i.to_le_bytes()[0]).collect(),
        headers,
    };
    [
        shape("64x1KB", 64, 1024, &[]),
        shape("64x1KB+2h", 64, 1024, &HEADERS),
        shape("1000x100B", 1000, 100, &[]),
        shape("1000x100B+2h", 1000, 100, &HEADERS),
    ]
}

const STAMP: BatchStamp = BatchStamp {
    producer: ProducerIdentity::new(ProducerId(4000), ProducerEpoch(1)),
    base_sequence: Sequence(10),
    transactional: true,
};

impl Shape {
    fn record(&self, index: u32) -> RecordToWrite<'_> {
        RecordToWrite {
            timestamp: TIMESTAMP + i64::from(index / 10),
            key: Some(KEY),
            value: Some(&self.value),
            headers: self.headers,
        }
    }

    /// As a producer does: each record if there is room, the batch's buffer used again and again.
    fn encode(&self, buffer: Vec<u8>) -> Vec<u8> {
        let mut builder = BatchBuilder::new(buffer);
        for index in 0..self.records {
            let record = self.record(index);
            let added = builder
                .try_append(black_box(&record), 1 << 20)
                .expect("a record");
            assert_eq!(added, Some(index));
        }
        let closed = builder.close(Compression::None).expect("a batch");
        black_box(closed.header(black_box(&STAMP)));
        closed.into_buffer().expect("nothing shares the buffer")
    }

    fn wire(&self) -> Bytes {
        let mut builder = BatchBuilder::default();
        for index in 0..self.records {
            builder.append(&self.record(index)).expect("a record");
        }
        builder
            .close(Compression::None)
            .expect("a batch")
            .to_vec(&STAMP)
            .into()
    }

    fn others_records(&self) -> Vec<other::Record> {
        let headers: IndexMap<StrBytes, Option<Bytes>> = self
            .headers
            .iter()
            .map(|h| {
                (
                    StrBytes::from_static_str(h.key),
                    h.value.map(Bytes::from_static),
                )
            })
            .collect();
        let records = (0..self.records).map(|index| other::Record {
            transactional: STAMP.transactional,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: -1,
            producer_id: STAMP.producer.producer_id.0,
            producer_epoch: STAMP.producer.producer_epoch.0,
            timestamp_type: other::TimestampType::Creation,
            offset: index.into(),
            sequence: STAMP.base_sequence.advance(index).0,
            timestamp: TIMESTAMP + i64::from(index / 10),
            key: Some(Bytes::from_static(KEY)),
            value: Some(Bytes::copy_from_slice(&self.value)),
            headers: headers.clone(),
        });
        records.collect()
    }
}

fn others_encode(out: &mut impl ByteBufMut, records: &[other::Record]) {
    let options = other::RecordEncodeOptions {
        version: 2,
        compression: other::Compression::None,
    };
    other::RecordBatchEncoder::encode(out, records, &options).expect("a batch");
}

fn decode(wire: Bytes, limits: &Limits) -> usize {
    let mut bytes = 0;
    for batch in Batches::new(wire) {
        let batch = batch.expect("a batch");
        batch.check_crc().expect("a checksum");
        let records = batch.records(limits).expect("records");
        for record in &records {
            let record = record.expect("a record");
            bytes += black_box(record.value).map_or(0, <[u8]>::len);
            for header in record.headers() {
                bytes += black_box(header.value).map_or(0, <[u8]>::len);
            }
            black_box(record.offset + record.timestamp);
        }
    }
    bytes
}

fn others_decode(mut wire: Bytes) -> usize {
    let mut bytes = 0;
    let set = other::RecordBatchDecoder::decode(&mut wire).expect("records");
    for record in &set.records {
        bytes += black_box(&record.value).as_ref().map_or(0, Bytes::len);
        for value in record.headers.values() {
            bytes += black_box(value).as_ref().map_or(0, Bytes::len);
        }
        black_box(record.offset + record.timestamp);
    }
    bytes
}

fn encoding(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode");
    group.sampling_mode(SamplingMode::Flat);
    for shape in shapes() {
        group.throughput(Throughput::Elements(shape.records.into()));
        let id = |codec| BenchmarkId::new(shape.name, codec);
        group.bench_function(id("milena"), |b| {
            let mut buffer = Vec::new();
            b.iter(|| buffer = shape.encode(std::mem::take(&mut buffer)));
        });
        let records = shape.others_records();
        group.bench_function(id("kafka-protocol BytesMut"), |b| {
            let mut out = BytesMut::with_capacity(1 << 20);
            b.iter(|| {
                out.clear();
                others_encode(&mut out, black_box(&records));
            });
        });
        group.bench_function(id("kafka-protocol Vec"), |b| {
            let mut out = Vec::with_capacity(1 << 20);
            b.iter(|| {
                out.clear();
                others_encode(&mut out, black_box(&records));
            });
        });
    }
    group.finish();
}

fn decoding(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    group.sampling_mode(SamplingMode::Flat);
    for shape in shapes() {
        group.throughput(Throughput::Elements(shape.records.into()));
        let id = |codec| BenchmarkId::new(shape.name, codec);
        let wire = shape.wire();
        let limits = Limits::default();
        assert_eq!(decode(wire.clone(), &limits), others_decode(wire.clone()));
        group.bench_function(id("milena"), |b| {
            b.iter(|| decode(black_box(&wire).clone(), &limits));
        });
        group.bench_function(id("kafka-protocol"), |b| {
            b.iter(|| others_decode(black_box(&wire).clone()));
        });
    }
    group.finish();
}

/// Many short samples: on a machine that others use too, some of them run undisturbed, and those are what
/// `benches/table` reports.
fn short_samples() -> Criterion {
    Criterion::default()
        .sample_size(1000)
        .nresamples(1001)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! {
    name = benches;
    config = short_samples();
    targets = encoding, decoding
}
criterion_main!(benches);
