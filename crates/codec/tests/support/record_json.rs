//! Record batches as the oracle's JSON (`protocol-tests/java/RecordVectors.java`).

use bytes::Bytes;
use milena_codec::record::{
    BatchStamp, ControlBatchToWrite, ControlRecord, Marker, put_control_batch, set_log_append_time,
    set_log_position,
};
use milena_codec::{
    Batch, BatchBuilder, Batches, HeaderToWrite, Limits, Record, RecordToWrite, Tail, TimestampType,
};
use serde_json::{Value, json};

pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) wire: Bytes,
    /// The timestamps that the records were appended with.
    pub(crate) created: Vec<i64>,
    pub(crate) batches: Vec<Value>,
}

pub(crate) fn vector(line: &str) -> Vector {
    let json: Value = serde_json::from_str(line).unwrap();
    Vector {
        name: json["name"].as_str().unwrap().to_owned(),
        wire: unhex(json["hex"].as_str().unwrap()).into(),
        created: json["created"]
            .as_array()
            .unwrap()
            .iter()
            .map(|t| t.as_i64().unwrap())
            .collect(),
        batches: json["batches"].as_array().unwrap().clone(),
    }
}

pub(crate) fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All whole batches, their checksums checked.
pub(crate) fn read(wire: Bytes) -> Vec<Batch> {
    let mut batches = Batches::new(wire);
    let read: Vec<_> = batches.by_ref().map(Result::unwrap).collect();
    assert_eq!(batches.tail(), Tail::Done);
    read.iter().for_each(|batch| batch.check_crc().unwrap());
    read
}

/// The same JSON as the oracle's.
pub(crate) fn describe(batch: &Batch) -> Value {
    let limits = Limits::default();
    let records = batch.records(&limits).unwrap();
    let records: Vec<_> = records
        .iter()
        .map(|record| describe_record(batch, &record.unwrap()))
        .collect();
    // Of a message set of magic 0 or 1 Kafka's reader opens the records for the first offset, and gives no count.
    let legacy = batch.magic() < 2;
    let first = records.first().map(|record| record["offset"].clone());
    let base_offset = first.filter(|_| legacy);
    json!({
        "base_offset": base_offset.unwrap_or_else(|| batch.base_offset().into()),
        "last_offset": batch.last_offset(),
        "next_offset": batch.next_offset(),
        "size": batch.wire_size(),
        "leader_epoch": batch.partition_leader_epoch(),
        "crc": batch.crc(),
        "compression": batch.compression().unwrap().name(),
        "append_time": batch.timestamp_type() == TimestampType::LogAppendTime,
        "max_timestamp": batch.max_timestamp(),
        "delete_horizon": batch.delete_horizon(),
        "producer_id": batch.producer().producer_id.0,
        "producer_epoch": batch.producer().producer_epoch.0,
        "base_sequence": batch.base_sequence().0,
        "last_sequence": batch.last_sequence().0,
        "transactional": batch.is_transactional(),
        "control": batch.is_control(),
        "count": (!legacy).then(|| batch.record_count()),
        "records": records,
    })
}

fn describe_record(batch: &Batch, record: &Record<'_>) -> Value {
    let headers: Vec<_> = record
        .headers()
        .map(|header| json!([hex(header.key), header.value.map(hex)]))
        .collect();
    let mut json = json!({
        "offset": record.offset,
        "timestamp": record.timestamp,
        "sequence": record.sequence.0,
        "key": record.key.map(hex),
        "value": record.value.map(hex),
        "headers": headers,
    });
    // The accessor looks at the first record alone, as Kafka does.
    if batch.is_control() {
        let (type_id, epoch) = match batch.control().unwrap().unwrap() {
            ControlRecord::Abort { coordinator_epoch } => (0, Some(coordinator_epoch)),
            ControlRecord::Commit { coordinator_epoch } => (1, Some(coordinator_epoch)),
            ControlRecord::Other { type_id } => (type_id, None),
        };
        json["control_type"] = type_id.into();
        if let Some(epoch) = epoch {
            json["coordinator_epoch"] = epoch.into();
        }
    }
    json
}

/// The same records with the same stamps at the same place, written by us. `None` for batches that only a
/// broker's compaction or KRaft makes, and for formats that are only read.
pub(crate) fn rewritten(batch: &Batch, created: &[i64]) -> Option<Vec<u8>> {
    if batch.magic() < 2 {
        return None;
    }
    if batch.is_control() {
        return rewritten_marker(batch);
    }
    let count = u32::try_from(batch.record_count()).unwrap();
    let gaps = batch.last_offset() - batch.base_offset() + 1 != i64::from(count);
    if gaps || batch.delete_horizon().is_some() {
        return None;
    }
    let records = batch.records(&Limits::default()).unwrap();
    let mut builder = BatchBuilder::default();
    for (record, &timestamp) in records.iter().zip(created) {
        let record = record.unwrap();
        let headers: Vec<_> = record
            .headers()
            .map(|header| HeaderToWrite {
                key: std::str::from_utf8(header.key).unwrap(),
                value: header.value,
            })
            .collect();
        let record = RecordToWrite {
            timestamp,
            key: record.key,
            value: record.value,
            headers: &headers,
        };
        let size = builder.size_with(&record);
        builder.append(&record).unwrap();
        assert_eq!(builder.size(), size);
    }
    let closed = builder.close(batch.compression().unwrap()).unwrap();
    assert_eq!(closed.record_count(), count);
    let mut wire = closed.to_vec(&BatchStamp {
        producer: batch.producer(),
        base_sequence: batch.base_sequence(),
        transactional: batch.is_transactional(),
    });
    set_log_position(
        &mut wire,
        batch.base_offset(),
        batch.partition_leader_epoch(),
    )
    .unwrap();
    if batch.timestamp_type() == TimestampType::LogAppendTime {
        set_log_append_time(&mut wire, batch.max_timestamp()).unwrap();
    }
    Some(wire)
}

fn rewritten_marker(batch: &Batch) -> Option<Vec<u8>> {
    let (marker, coordinator_epoch) = match batch.control().unwrap()? {
        _ if batch.record_count() > 1 => return None,
        ControlRecord::Abort { coordinator_epoch } => (Marker::Abort, coordinator_epoch),
        ControlRecord::Commit { coordinator_epoch } => (Marker::Commit, coordinator_epoch),
        ControlRecord::Other { .. } => return None,
    };
    let mut wire = Vec::new();
    let batch = ControlBatchToWrite {
        marker,
        producer: batch.producer(),
        base_offset: batch.base_offset(),
        partition_leader_epoch: batch.partition_leader_epoch(),
        timestamp: batch.max_timestamp(),
        coordinator_epoch,
    };
    put_control_batch(&mut wire, &batch).unwrap();
    Some(wire)
}
