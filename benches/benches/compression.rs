//! A batch of 1 MiB of JSON lines, compressed and inflated by every codec.
//!
//! Prints the compressed sizes first. With `--features zstd-c`, zstd is the C library's.

#![expect(
    clippy::expect_used,
    reason = "the batches are our own: a bench that cannot make them is broken"
)]

use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group,
    criterion_main,
};
use milena_codec::{
    Batch, BatchBuilder, BatchStamp, Batches, ClosedBatch, Compression, Limits, RecordToWrite,
};
use std::hint::black_box;
use std::time::Duration;

const BYTES: usize = 1 << 20;

/// Lines that differ in a number, a name and a price, as events do.
fn lines() -> Vec<String> {
    let names = ["anna", "bruno", "carla", "dmitri", "elena", "farid"];
    let mut state = 7_u64;
    let mut next = move |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % below
    };
    let line = move |id| {
        let name = names[usize::try_from(next(6)).unwrap_or(0)];
        let (cents, shop) = (next(1_000_000), next(500));
        format!(
            "{{\"id\":{id},\"customer\":\"{name}\",\"shop\":{shop},\"amount\":{}.{:02},\"currency\":\"EUR\"}}",
            cents / 100,
            cents % 100
        )
    };
    let mut left = BYTES;
    (1_000_000..)
        .map(line)
        .take_while(|line: &String| {
            let fits = line.len() <= left;
            left = left.saturating_sub(line.len());
            fits
        })
        .collect()
}

fn compress(lines: &[String], codec: Compression) -> ClosedBatch {
    let mut builder = BatchBuilder::new(Vec::with_capacity(2 * BYTES));
    for line in lines {
        let value = Some(line.as_bytes());
        let record = RecordToWrite {
            timestamp: 0,
            key: None,
            value,
            headers: &[],
        };
        builder.append(&record).expect("a record");
    }
    builder.close(codec).expect("a batch")
}

/// Into a buffer that is used again, and into a new one, as a consumer does whose records are given away.
fn inflate(group: &mut BenchmarkGroup<'_, WallTime>, codec: Compression, batch: &Batch) {
    let limits = Limits::default();
    group.bench_function(BenchmarkId::new("inflate", codec), |b| {
        let mut buffer = Vec::new();
        b.iter(|| {
            let used = std::mem::take(&mut buffer);
            let records = batch.records_into(&limits, used).expect("records");
            buffer = black_box(records).into_buffer().unwrap_or_default();
        });
    });
    group.bench_function(BenchmarkId::new("inflate anew", codec), |b| {
        b.iter(|| black_box(batch.records(&limits).expect("records")));
    });
}

fn codecs(c: &mut Criterion) {
    let lines = lines();
    let mut group = c.benchmark_group("1MiB");
    group
        .sampling_mode(SamplingMode::Flat)
        .throughput(Throughput::Bytes(BYTES as u64));
    for codec in Compression::ALL {
        let closed = compress(&lines, codec);
        eprintln!("{codec}: {} bytes", closed.body().len());
        group.bench_function(BenchmarkId::new("compress", codec), |b| {
            b.iter(|| compress(black_box(&lines), codec));
        });
        let wire = closed.to_vec(&BatchStamp::NONE).into();
        let batch = Batches::new(wire)
            .next()
            .expect("a batch")
            .expect("a whole one");
        inflate(&mut group, codec, &batch);
    }
    group.finish();
}

fn short_samples() -> Criterion {
    Criterion::default()
        .sample_size(150)
        .nresamples(1001)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(3))
}

criterion_group! {
    name = benches;
    config = short_samples();
    targets = codecs
}
criterion_main!(benches);
