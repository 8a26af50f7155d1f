//! Placing records, and waking the driver for them.

use std::time::Duration;

use futures_util::FutureExt;

use super::*;
use crate::producer::sender::Take;

const BATCH_BYTES: usize = 1_000;

/// One topic, `orders`, with one partition.
pub(crate) fn shared() -> Shared {
    let limits = SendLimits {
        batch_bytes: BATCH_BYTES,
        record_bytes_max: BATCH_BYTES,
        buffer_memory: 10 * BATCH_BYTES,
    };
    let shared = Shared::new(limits, 1);
    shared.register("orders", 1);
    shared
}

/// A record for that partition.
pub(crate) fn placing(value: &[u8], transaction: u64) -> Placing<'_> {
    Placing {
        topic: "orders",
        partition: Some(0),
        ignore_key: false,
        record: RecordToWrite {
            timestamp: 0,
            key: None,
            value: Some(value),
            headers: &[],
        },
        transaction,
    }
}

/// Fills a batch to the brim.
fn place(shared: &Shared, transaction: u64) {
    let placing = placing(&[7; 900], transaction);
    let placed = shared.place(&placing, &mut None).unwrap();
    assert!(matches!(placed, Placed::Queued(_)), "{placed:?}");
}

fn is_woken(shared: &Shared) -> bool {
    shared.woken().now_or_never().is_some()
}

fn take(shared: &Shared) -> BatchBuilder {
    let queue = shared.queue(PartitionId(0)).unwrap();
    match queue.lock().take(now(), Duration::from_secs(60)) {
        Take::Batch(batch) => batch.builder,
        other @ (Take::NotBefore(_) | Take::Empty) => panic!("{other:?}"),
    }
}

#[test]
fn the_driver_is_woken_for_what_it_can_send_and_not_for_what_waits_behind() {
    let shared = shared();
    place(&shared, 0);
    assert!(is_woken(&shared), "a batch that lingers");
    place(&shared, 0);
    assert!(is_woken(&shared), "it need not linger any more");
    assert_eq!(shared.take_flagged(), [PartitionId(0)]);
    for _ in 0..3 {
        place(&shared, 0);
        assert!(!is_woken(&shared) && shared.take_flagged().is_empty());
    }
    while shared.queue(PartitionId(0)).unwrap().lock().has_sealed() {
        take(&shared);
    }
    place(&shared, 0);
    assert!(is_woken(&shared), "the first sealed one again");
    assert_eq!(shared.take_flagged(), [PartitionId(0)]);
}

#[test]
fn the_driver_is_woken_when_a_transaction_comes_to_a_partition() {
    let shared = shared();
    for _ in 0..3 {
        place(&shared, 1);
    }
    assert!(is_woken(&shared));
    place(&shared, 2);
    assert!(is_woken(&shared));
    assert_eq!(shared.take_touched(), [PartitionId(0); 2]);
}

#[test]
fn a_sent_batch_leaves_its_bytes_to_be_written_over() {
    let shared = shared();
    place(&shared, 0);
    place(&shared, 0);
    let closed = take(&shared).close(milena_codec::record::Compression::None);
    let (body, wire) = closed
        .map(|closed| (closed.body().as_ptr(), closed))
        .unwrap();
    let bytes = wire.body().len();
    shared.memory.recycle(wire.into_buffer().unwrap());
    let again = shared.memory.buffer();
    assert_eq!(again.as_ptr(), body, "the same allocation");
    assert_eq!(again.len(), bytes, "and nothing to zero but the rest");
}

/// L-19: the caller looked, the producer ended and failed what was queued, and then the caller came to append.
#[test]
fn a_send_that_crosses_with_the_end_of_its_producer_is_refused() {
    let shared = shared();
    let queue = shared.queue(PartitionId(0)).unwrap();
    let mut room = shared.memory.try_room(BATCH_BYTES);
    shared.end(super::super::standing::closed());
    queue.lock().clear();
    assert!(
        shared
            .append(&queue, &placing(b"late", 0), &mut room)
            .is_err()
    );
    assert_eq!(shared.undrained(), 0);
}
