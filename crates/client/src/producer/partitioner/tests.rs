//! Keys as Java places them, and batches in turn.

use super::*;

/// Vectors of `org.apache.kafka.common.utils.Utils.murmur2`, from its own unit test.
#[test]
fn murmur2_agrees_with_the_java_client() {
    let vectors: [(&[u8], i32); 6] = [
        (b"21", -973_932_308),
        (b"foobar", -790_332_482),
        (b"a-little-bit-long-string", -985_981_536),
        (b"a-little-bit-longer-string", -1_486_304_829),
        (
            b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
            -58_897_971,
        ),
        (b"abc", 479_470_107),
    ];
    for (key, expected) in vectors {
        assert_eq!(murmur2(key).cast_signed(), expected, "{key:?}");
    }
}

#[test]
fn a_record_without_a_key_stays_until_a_batch_is_full() {
    let mut sticky = Sticky::new(7);
    let load = || [Some(0), Some(0), Some(0), Some(0)].into_iter();
    let first = sticky.partition(load);
    sticky.appended(600, false, 1_000);
    assert_eq!(sticky.partition(load), first);
    sticky.appended(600, false, 1_000);
    assert_eq!(sticky.partition(load), first, "no boundary yet");
    sticky.appended(10, true, 1_000);
    let seen: std::collections::BTreeSet<u32> = (0..100)
        .map(|_| {
            sticky.forget();
            sticky.partition(load)
        })
        .collect();
    assert_eq!(seen.len(), 4, "every partition gets its turn");
}

#[test]
fn a_long_queue_gets_fewer_records_and_a_partition_without_a_leader_none() {
    let mut sticky = Sticky::new(11);
    let mut counts = [0_u32; 3];
    for _ in 0..3_000 {
        sticky.forget();
        counts[sticky.partition(|| [Some(0), Some(9), None].into_iter()) as usize] += 1;
    }
    assert_eq!(counts[2], 0);
    assert!(counts[0] > 5 * counts[1], "{counts:?}");
}

#[test]
fn without_any_leader_some_partition_is_chosen() {
    let mut sticky = Sticky::new(3);
    assert!(sticky.partition(|| [None, None].into_iter()) < 2);
}
