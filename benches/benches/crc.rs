//! CRC-32C: the crates at hand, in one piece and as a batch needs it, a 40-byte header and its records.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

/// What of a batch header the checksum covers.
const HEADER_BYTES: usize = 40;

fn crc(c: &mut Criterion) {
    for bytes in [100, 1 << 10, 16 << 10, 64 << 10, 1 << 20] {
        let data = vec![0xa5_u8; bytes];
        let header = [0x5a_u8; HEADER_BYTES];
        let mut group = c.benchmark_group("crc");
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_with_input(BenchmarkId::new("crc32c", bytes), &data, |b, data| {
            b.iter(|| crc32c::crc32c(black_box(data)));
        });
        group.bench_with_input(BenchmarkId::new("crc-fast", bytes), &data, |b, data| {
            b.iter(|| crc_fast::crc32_iscsi(black_box(data)));
        });
        group.bench_with_input(
            BenchmarkId::new("crc-fast digest", bytes),
            &data,
            |b, data| {
                b.iter(|| {
                    let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
                    digest.update(black_box(data));
                    digest.finalize()
                });
            },
        );
        group.bench_with_input(
            BenchmarkId::new("crc32c, 2 pieces", bytes),
            &data,
            |b, data| {
                b.iter(|| {
                    crc32c::crc32c_append(crc32c::crc32c(black_box(&header)), black_box(data))
                });
            },
        );
        group.bench_with_input(
            BenchmarkId::new("milena, 2 pieces", bytes),
            &data,
            |b, data| {
                b.iter(|| milena_codec::record::crc32c([black_box(&header), black_box(data)]));
            },
        );
        group.finish();
    }
}

criterion_group!(benches, crc);
criterion_main!(benches);
