//! What is written is read back, for any records; and nothing that is read can panic.

#![expect(clippy::unwrap_used, reason = "the helpers of tests")]

use bytes::Bytes;
use milena_codec::{
    Batch, BatchBuilder, BatchStamp, Batches, Compression, HeaderToWrite, Limits, ProducerEpoch,
    ProducerId, ProducerIdentity, RecordToWrite, Sequence,
};
use proptest::prelude::*;

#[derive(Clone, Debug, PartialEq)]
struct Owned {
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

fn blob(max: usize) -> impl Strategy<Value = Option<Vec<u8>>> {
    prop::option::of(prop::collection::vec(any::<u8>(), 0..max))
}

fn owned() -> impl Strategy<Value = Owned> {
    let timestamp = prop_oneof![
        any::<i64>(),
        0..1_000_i64,
        1_700_000_000_000..1_700_000_100_000_i64
    ];
    let headers = prop::collection::vec((".{0,8}", blob(12)), 0..4);
    (timestamp, blob(40), blob(300), headers).prop_map(|(timestamp, key, value, headers)| Owned {
        timestamp,
        key,
        value,
        headers,
    })
}

fn with_view<T>(record: &Owned, use_it: impl FnOnce(&RecordToWrite<'_>) -> T) -> T {
    let headers: Vec<_> = record
        .headers
        .iter()
        .map(|(key, value)| HeaderToWrite {
            key,
            value: value.as_deref(),
        })
        .collect();
    use_it(&RecordToWrite {
        timestamp: record.timestamp,
        key: record.key.as_deref(),
        value: record.value.as_deref(),
        headers: &headers,
    })
}

fn read(batch: &Batch) -> Vec<Owned> {
    let records = batch.records(&Limits::default()).unwrap();
    let read = records.iter().map(|record| {
        let record = record.unwrap();
        let header = |header: milena_codec::Header<'_>| {
            let key = String::from_utf8(header.key.to_vec()).unwrap();
            (key, header.value.map(<[u8]>::to_vec))
        };
        Owned {
            timestamp: record.timestamp,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: record.headers().map(header).collect(),
        }
    });
    read.collect()
}

/// Everything that can be asked of a batch, to see that nothing panics.
fn exercise(wire: Bytes) {
    let mut limits = Limits::default();
    limits.decompressed_bytes = 1 << 20;
    for batch in Batches::new(wire).map_while(Result::ok) {
        let _ = (
            batch.check_crc(),
            batch.control(),
            batch.next_offset(),
            batch.last_sequence(),
        );
        let Ok(records) = batch.records(&limits) else {
            continue;
        };
        let handed_out = records.iter().filter(Result::is_ok).count();
        assert!(handed_out <= records.count().try_into().unwrap());
        for record in records.iter().map_while(Result::ok) {
            assert_eq!(record.headers().count(), record.headers().len());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn records_survive_the_wire(
        records in prop::collection::vec(owned(), 1..40),
        codec in prop::sample::select(&Compression::ALL[..]),
        producer_id in 0..i64::MAX,
        epoch in 0..=i16::MAX,
        sequence in 0..=i32::MAX,
        transactional in any::<bool>(),
    ) {
        let mut builder = BatchBuilder::default();
        for (index, record) in (0_u32..).zip(&records) {
            let size = with_view(record, |view| builder.size_with(view));
            prop_assert_eq!(with_view(record, |view| builder.append(view)).unwrap(), index);
            prop_assert_eq!(builder.size(), size);
        }
        let closed = builder.close(codec).unwrap();
        let stamp = BatchStamp {
            producer: ProducerIdentity::new(ProducerId(producer_id), ProducerEpoch(epoch)),
            base_sequence: Sequence(sequence),
            transactional,
        };
        let wire = closed.to_vec(&stamp);
        prop_assert_eq!(wire.len(), closed.wire_size());
        let batch = Batches::new(wire.into()).next().unwrap().unwrap();
        batch.check_crc().unwrap();
        prop_assert_eq!(batch.producer(), stamp.producer);
        prop_assert_eq!(batch.base_sequence(), stamp.base_sequence);
        let count = u32::try_from(records.len()).unwrap();
        prop_assert_eq!(batch.last_sequence(), stamp.base_sequence.advance(count - 1));
        prop_assert_eq!(batch.is_transactional(), transactional);
        let latest = records.iter().map(|record| record.timestamp).max();
        prop_assert_eq!(Some(batch.max_timestamp()), latest);
        prop_assert_eq!(read(&batch), records);
    }

    #[test]
    fn a_bounded_append_never_exceeds_its_bound(
        records in prop::collection::vec(owned(), 1..60),
        size_max in 61..2_000_usize,
    ) {
        let mut batches = vec![BatchBuilder::default()];
        for record in &records {
            let builder = batches.last_mut().unwrap();
            let (size, count) = (builder.size(), builder.record_count());
            let grown = with_view(record, |view| builder.size_with(view));
            match with_view(record, |view| builder.try_append(view, size_max)).unwrap() {
                Some(index) => {
                    prop_assert_eq!(index, count);
                    prop_assert!(grown <= size_max || count == 0);
                    prop_assert_eq!(builder.size(), grown);
                }
                None => {
                    prop_assert!(grown > size_max);
                    prop_assert_eq!((builder.size(), builder.record_count()), (size, count));
                    let mut next = BatchBuilder::default();
                    with_view(record, |view| next.try_append(view, size_max)).unwrap().unwrap();
                    batches.push(next);
                }
            }
        }
        let read: Vec<_> = batches
            .into_iter()
            .flat_map(|builder| {
                let wire = builder.close(Compression::None).unwrap().to_vec(&BatchStamp::NONE);
                read(&Batches::new(wire.into()).next().unwrap().unwrap())
            })
            .collect();
        prop_assert_eq!(read, records);
    }

    #[test]
    fn a_damaged_batch_does_not_panic(
        records in prop::collection::vec(owned(), 1..10),
        codec in prop::sample::select(&Compression::ALL[..]),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut builder = BatchBuilder::default();
        for record in &records {
            with_view(record, |view| builder.append(view)).unwrap();
        }
        let mut wire = builder.close(codec).unwrap().to_vec(&BatchStamp::NONE);
        for (at, byte) in damage {
            let at = at.index(wire.len());
            wire[at] = byte;
        }
        exercise(wire.into());
    }

    #[test]
    fn noise_behind_a_header_does_not_panic(
        count in any::<i32>(),
        attributes in any::<u8>(),
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut wire = BatchBuilder::default().close(Compression::None).unwrap().to_vec(&BatchStamp::NONE);
        wire.extend_from_slice(&body);
        let length = u32::try_from(wire.len() - 12).unwrap();
        wire[8..12].copy_from_slice(&length.to_be_bytes());
        wire[22] = attributes;
        let count = if count % 3 == 0 { count } else { count % 20 };
        wire[57..61].copy_from_slice(&count.to_be_bytes());
        exercise(wire.into());
    }
}
