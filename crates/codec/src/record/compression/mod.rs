//! The four codecs, and how much their output may grow.
//!
//! Decompressors write into an [`Output`], which does not grow beyond its maximum and never reserves
//! more than that. What claims to be many times its own size is gone through before anything is reserved;
//! docs/decisions/0004-compression.md says how, and what else decompressors take.

mod gzip;
mod lz4;
mod output;
mod snappy;
#[cfg_attr(feature = "zstd-c", path = "zstd_c.rs")]
mod zstd;
mod zstd_frame;
mod zstd_fse;
mod zstd_size;

use super::attributes::Compression;
use super::error::BatchError;
use crate::{EncodeError, Limits};
use output::{Failure, Output};
use std::ops::RangeInclusive;

/// Below this, the ratio between output and input is not looked at.
const RATIO_EXEMPT_BYTES: usize = 16 << 20;

/// What claims to be no more than this is believed, whatever its own size.
const BELIEVED_BYTES: usize = 8 << 10;

/// How to compress: a codec and, for codecs that have them, a level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compressor {
    compression: Compression,
    level: Option<i32>,
}

impl From<Compression> for Compressor {
    fn from(compression: Compression) -> Self {
        Self {
            compression,
            level: None,
        }
    }
}

impl Compressor {
    /// This codec at this level, in Kafka's ranges: gzip 1 to 9 (default 6), lz4 1 to 17, zstd -131,072 to
    /// 22 (default 3).
    ///
    /// lz4 here has one level only, and so has zstd without the feature `zstd-c`; there the level is
    /// checked and then has no effect.
    ///
    /// # Errors
    /// [`EncodeError::CompressionLevel`] for a level outside the range, and for any level of a codec that
    /// has none.
    pub fn with_level(compression: Compression, level: i32) -> Result<Self, EncodeError> {
        match levels(compression) {
            Some(levels) if levels.contains(&level) => Ok(Self {
                compression,
                level: Some(level),
            }),
            levels => {
                let codec = compression.name();
                Err(EncodeError::CompressionLevel {
                    codec,
                    level,
                    levels,
                })
            }
        }
    }

    /// The codec.
    #[must_use]
    pub fn compression(self) -> Compression {
        self.compression
    }

    /// Appends the compressed form of `plain` to `out`.
    pub(super) fn compress(self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let result = match self.compression {
            Compression::None => {
                out.extend_from_slice(plain);
                Ok(())
            }
            Compression::Gzip => gzip::compress(plain, out, self.level),
            Compression::Snappy => snappy::compress(plain, out),
            Compression::Lz4 => lz4::compress(plain, out),
            Compression::Zstd => zstd::compress(plain, out, self.level),
        };
        let codec = self.compression.name();
        result.map_err(|reason| EncodeError::Compression { codec, reason })
    }
}

fn levels(compression: Compression) -> Option<RangeInclusive<i32>> {
    match compression {
        Compression::None | Compression::Snappy => None,
        Compression::Gzip => Some(1..=9),
        Compression::Lz4 => Some(1..=17),
        Compression::Zstd => Some(-131_072..=22),
    }
}

/// Inflates into `buffer`, never beyond the limits. Where it is known beforehand that it will be less than `least`, nothing
/// is inflated and nothing is what comes out.
pub(super) fn decompress(
    compression: Compression,
    compressed: &[u8],
    buffer: Vec<u8>,
    limits: &Limits,
    base_offset: i64,
    least: usize,
) -> Result<Vec<u8>, BatchError> {
    let by_ratio = compressed.len().saturating_mul(limits.decompression_ratio);
    let limit = limits
        .decompressed_bytes
        .min(by_ratio.max(RATIO_EXEMPT_BYTES));
    let mut out = Output::new(buffer, limit);
    let believed = compressed
        .len()
        .saturating_mul(limits.believed_ratio)
        .saturating_add(BELIEVED_BYTES);
    match decompress_into(compression, compressed, &mut out, believed, least) {
        Ok(()) => Ok(out.into_bytes()),
        Err(Failure::Limit) => Err(BatchError::Limit {
            base_offset,
            limit,
            unit: "decompressed bytes",
        }),
        Err(Failure::Short) => Ok(Vec::new()),
        Err(Failure::Malformed(reason)) => Err(BatchError::Decompression {
            base_offset,
            codec: compression.name(),
            reason,
        }),
    }
}

/// Reserves what the output is going to take, and inflates into it. What claims to be many times its own size is
/// not believed, but gone through first, keeping nothing: what is too much, or is not what it should be, has
/// cost nothing by the time it is rejected.
fn decompress_into(
    compression: Compression,
    compressed: &[u8],
    out: &mut Output,
    believed: usize,
    least: usize,
) -> Result<(), Failure> {
    let limit = out.left();
    let claim = match compression {
        Compression::None => compressed.len(),
        Compression::Gzip => gzip::claim(compressed),
        Compression::Snappy => snappy::claim(compressed)?,
        Compression::Lz4 => lz4::most(compressed)?,
        Compression::Zstd => zstd_size::most(compressed, limit)?,
    };
    // The last two do not say how much they are, only what they cannot exceed.
    let exact = !matches!(compression, Compression::Lz4 | Compression::Zstd);
    // What gzip seems to claim may be bytes behind its end.
    let too_much = compression == Compression::Snappy && claim > limit;
    let size = if claim <= believed.min(limit) || too_much {
        claim
    } else {
        match compression {
            Compression::None => claim,
            Compression::Gzip => gzip::content_size(compressed, limit)?,
            Compression::Snappy => snappy::content_size(compressed)?,
            Compression::Lz4 => lz4::content_size(compressed)?,
            Compression::Zstd => zstd_size::content_size(compressed, limit)?,
        }
    };
    if size > limit {
        return Err(Failure::Limit);
    }
    // gzip's own word may be that of its last member alone.
    if size < least && compression != Compression::Gzip {
        return Err(Failure::Short);
    }
    out.restart(size);
    if exact {
        out.reserve(size);
    }
    match compression {
        Compression::None => out.append(compressed),
        Compression::Gzip => gzip::decompress(compressed, out, limit),
        Compression::Snappy => snappy::decompress(compressed, out),
        Compression::Lz4 => lz4::decompress(compressed, out),
        Compression::Zstd => zstd::decompress(compressed, out, limit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CODECS: [Compression; 4] = [
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ];

    fn compressed(codec: Compression, plain: &[u8]) -> Vec<u8> {
        let mut out = b"kept".to_vec();
        Compressor::from(codec).compress(plain, &mut out).unwrap();
        assert_eq!(out.drain(..4).as_slice(), b"kept");
        out
    }

    fn inflated(codec: Compression, bytes: &[u8], limits: &Limits) -> Result<Vec<u8>, BatchError> {
        decompress(codec, bytes, b"cleared".to_vec(), limits, 5, 0)
    }

    /// Text with repetitions, noise, and both.
    fn plains() -> Vec<Vec<u8>> {
        let text: Vec<u8> = (0..20_000)
            .flat_map(|i: u32| format!("{{\"id\":{i}}}\n").into_bytes())
            .collect();
        let mut state = 1_u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        })
        .take(200_000)
        .collect();
        vec![
            vec![],
            b"x".to_vec(),
            vec![0; 1 << 20],
            [&text[..], &noise].concat(),
            text,
            noise,
        ]
    }

    #[test]
    fn what_was_compressed_inflates_to_the_same() {
        for codec in CODECS {
            for plain in plains() {
                let bytes = compressed(codec, &plain);
                for believed_ratio in [0, 8, usize::MAX] {
                    let limits = Limits {
                        believed_ratio,
                        ..Limits::default()
                    };
                    let same = inflated(codec, &bytes, &limits).unwrap() == plain;
                    assert!(same, "{codec} {believed_ratio}");
                }
            }
        }
    }

    /// Whatever the bytes are: a batch that is gone through first gives the same records.
    #[test]
    fn going_through_a_batch_first_changes_nothing_but_the_cost() {
        let text: String = (0..3_000).map(|i| format!("{{\"id\":{i}}}\n")).collect();
        let plains = [
            text.into_bytes(),
            vec![7; 300_000],
            b"a bomb of copies ".repeat(9_000),
        ];
        for codec in CODECS {
            for plain in &plains {
                let whole = compressed(codec, plain);
                assert_eq!(same_either_way(codec, &whole), Some(plain.len()), "{codec}");
                let step = whole.len() / 150 + 1;
                for at in (0..whole.len()).step_by(step) {
                    same_either_way(codec, &whole[..at]);
                    for flip in [1, 0x10, 0x80, 0xff] {
                        let mut broken = whole.clone();
                        broken[at] ^= flip;
                        same_either_way(codec, &broken);
                    }
                }
            }
        }
    }

    /// How much comes out of it, `None` if it is broken.
    fn same_either_way(codec: Compression, bytes: &[u8]) -> Option<usize> {
        let limits = |believed_ratio| Limits {
            believed_ratio,
            decompressed_bytes: 2 << 20,
            ..Limits::default()
        };
        let believed = inflated(codec, bytes, &limits(usize::MAX)).ok();
        let checked = inflated(codec, bytes, &limits(0)).ok();
        assert!(believed == checked, "{codec} {bytes:?}");
        believed.map(|plain| plain.len())
    }

    #[test]
    fn a_limit_is_exact_and_nothing_is_reserved_beyond_it() {
        for codec in CODECS {
            for plain in plains().into_iter().filter(|plain| !plain.is_empty()) {
                let bytes = compressed(codec, &plain);
                let exact = Limits {
                    decompressed_bytes: plain.len(),
                    ..Limits::default()
                };
                let buffer = decompress(codec, &bytes, Vec::new(), &exact, 5, 0).unwrap();
                assert!(
                    buffer.capacity() <= plain.len(),
                    "{codec} {}",
                    buffer.capacity()
                );
                let limit = plain.len() - 1;
                let short = Limits {
                    decompressed_bytes: limit,
                    ..Limits::default()
                };
                let error = inflated(codec, &bytes, &short).unwrap_err();
                let unit = "decompressed bytes";
                assert_eq!(
                    error,
                    BatchError::Limit {
                        base_offset: 5,
                        limit,
                        unit
                    },
                    "{codec}"
                );
            }
        }
    }

    #[test]
    fn a_bomb_is_stopped_by_its_ratio() {
        let plain = vec![0; 64 << 20];
        for codec in [Compression::Gzip, Compression::Zstd] {
            let bytes = compressed(codec, &plain);
            let limits = Limits {
                decompression_ratio: 100,
                ..Limits::default()
            };
            let error = inflated(codec, &bytes, &limits).unwrap_err();
            let limit = RATIO_EXEMPT_BYTES.max(bytes.len() * 100);
            assert!(
                matches!(error, BatchError::Limit { limit: l, .. } if l == limit),
                "{error}"
            );
        }
    }

    #[test]
    fn cut_or_broken_input_is_an_error_or_other_output_but_never_a_panic() {
        for codec in CODECS {
            let plain = b"some bytes, some bytes, some other bytes".repeat(20);
            let whole = compressed(codec, &plain);
            for cut in 0..whole.len() {
                if let Ok(short) = inflated(codec, &whole[..cut], &Limits::default()) {
                    assert!(short.len() <= plain.len());
                }
            }
            for at in 0..whole.len() {
                for flip in [1, 0x80, 0xff] {
                    let mut broken = whole.clone();
                    broken[at] ^= flip;
                    let _ = inflated(codec, &broken, &Limits::default());
                }
            }
        }
    }

    #[test]
    fn bytes_behind_gzip_and_lz4_are_ignored_as_by_kafka() {
        let plain = b"some bytes, some bytes, some other bytes".repeat(20);
        for codec in [Compression::Gzip, Compression::Lz4] {
            for more in [
                &b"x"[..],
                &[0; 100],
                &[0xff; 8],
                b"\x1f\x8b",
                b"\x1f\x8b\x07\0",
            ] {
                for believed_ratio in [0, 8] {
                    let limits = Limits {
                        believed_ratio,
                        ..Limits::default()
                    };
                    let bytes = [&compressed(codec, &plain), more].concat();
                    assert_eq!(
                        inflated(codec, &bytes, &limits),
                        Ok(plain.clone()),
                        "{codec} {more:?}"
                    );
                }
            }
        }
        // Another member counts, another frame does not.
        let twice = compressed(Compression::Gzip, &plain).repeat(2);
        let read = inflated(Compression::Gzip, &twice, &Limits::default()).unwrap();
        assert_eq!(read, plain.repeat(2));
        let twice = compressed(Compression::Lz4, &plain).repeat(2);
        let read = inflated(Compression::Lz4, &twice, &Limits::default()).unwrap();
        assert_eq!(read, plain);
    }

    #[test]
    fn many_frames_of_zstd_are_read_by_one_decoder() {
        // With content of each kind, so that nothing of a frame may be left in the next one's decoder.
        let plains = plains();
        let frames: Vec<u8> = plains
            .iter()
            .chain(&plains)
            .flat_map(|plain| compressed(Compression::Zstd, plain))
            .collect();
        let expected = [plains.concat(), plains.concat()].concat();
        for believed_ratio in [0, 8] {
            let limits = Limits {
                believed_ratio,
                ..Limits::default()
            };
            assert!(inflated(Compression::Zstd, &frames, &limits).unwrap() == expected);
        }
    }

    /// Time is not asserted, memory is: each frame used to take a decoder of its own, in half a microsecond a byte.
    #[test]
    fn tiny_frames_of_zstd_are_read_in_bounded_work() {
        let frame = b"\x28\xb5\x2f\xfd\0\xff\x09\0\0a";
        let frames = frame.repeat(400_000);
        let read = inflated(Compression::Zstd, &frames, &Limits::default()).unwrap();
        assert!(read == b"a".repeat(400_000));
    }

    #[test]
    fn levels_outside_a_codecs_range_are_rejected() {
        for (codec, good, bad) in [
            (Compression::Gzip, vec![1, 9], vec![0, 10, -1]),
            (Compression::Lz4, vec![1, 17], vec![0, 18]),
            (Compression::Zstd, vec![-131_072, 0, 22], vec![23]),
            (Compression::Snappy, vec![], vec![0, 1]),
            (Compression::None, vec![], vec![0, 1]),
        ] {
            for level in good {
                let compressor = Compressor::with_level(codec, level).unwrap();
                let mut bytes = Vec::new();
                compressor
                    .compress(b"hello hello hello", &mut bytes)
                    .unwrap();
                let plain = inflated(codec, &bytes, &Limits::default()).unwrap();
                assert_eq!(plain, b"hello hello hello");
            }
            for level in bad {
                Compressor::with_level(codec, level).unwrap_err();
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_bytes_survive_every_codec(
            pieces in prop::collection::vec((any::<u8>(), 1..300_usize, any::<bool>()), 0..60)
        ) {
            let mut plain = Vec::new();
            for (seed, length, run) in pieces {
                let step = if run { 0 } else { seed | 1 };
                let bytes = std::iter::successors(Some(seed), |b| Some(b.wrapping_mul(5).wrapping_add(step)));
                plain.extend(bytes.take(length));
            }
            for codec in CODECS {
                let bytes = compressed(codec, &plain);
                prop_assert_eq!(&inflated(codec, &bytes, &Limits::default()).unwrap(), &plain);
            }
        }

        #[test]
        fn noise_does_not_panic_a_codec(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            for codec in CODECS {
                let _ = inflated(codec, &bytes, &Limits::default());
            }
        }
    }
}
