//! The Produce request as segments for one vectored write: nothing of a batch is copied.
//!
//! Written by hand, versions 3 to 13, because it is on every record's way: headers in between, then each
//! batch's 61 bytes and its shared body.

use bytes::Bytes;
use milena_codec::record::{BatchStamp, ClosedBatch};
use uuid::Uuid;

/// The first flexible version: compact lengths and tagged fields.
const FLEXIBLE: i16 = 9;
/// The first version that names topics by id (KIP-516, P-46).
pub(crate) const TOPIC_IDS: i16 = 13;

/// The lowest version this writes.
pub(crate) const PRODUCE_VERSION_MIN: i16 = 3;
/// The highest version this writes.
pub(crate) const PRODUCE_VERSION_MAX: i16 = 13;

/// One partition's batch in a request.
#[derive(Debug)]
pub(crate) struct PartitionBatch<'a> {
    pub(crate) topic: &'a str,
    pub(crate) topic_id: Uuid,
    pub(crate) partition: i32,
    pub(crate) batch: &'a ClosedBatch,
    pub(crate) stamp: BatchStamp,
}

/// What a request carries beside its batches.
#[derive(Debug)]
pub(crate) struct ProduceHead<'a> {
    pub(crate) api_version: i16,
    pub(crate) transactional_id: Option<&'a str>,
    pub(crate) acks: i16,
    pub(crate) timeout_ms: i32,
}

/// Encodes the body. `batches` must be sorted so that those of one topic are neighbours.
pub(crate) fn produce_body(head: &ProduceHead<'_>, batches: &[PartitionBatch<'_>]) -> Vec<Bytes> {
    let flexible = head.api_version >= FLEXIBLE;
    let mut writer = Segments {
        flexible,
        open: Vec::with_capacity(256),
        closed: Vec::new(),
    };
    writer.put_nullable_string(head.transactional_id);
    writer.open.extend_from_slice(&head.acks.to_be_bytes());
    writer
        .open
        .extend_from_slice(&head.timeout_ms.to_be_bytes());
    let topics = batches.chunk_by(|a, b| a.topic == b.topic && a.topic_id == b.topic_id);
    writer.put_array_length(topics.clone().count());
    for topic in topics {
        writer.put_topic(head.api_version, topic);
    }
    writer.put_no_tags();
    writer.finish()
}

struct Segments {
    flexible: bool,
    open: Vec<u8>,
    closed: Vec<Bytes>,
}

impl Segments {
    fn put_topic(&mut self, api_version: i16, partitions: &[PartitionBatch<'_>]) {
        let Some(first) = partitions.first() else {
            return;
        };
        if api_version >= TOPIC_IDS {
            self.open.extend_from_slice(first.topic_id.as_bytes());
        } else {
            self.put_string(first.topic);
        }
        self.put_array_length(partitions.len());
        for partition in partitions {
            self.open
                .extend_from_slice(&partition.partition.to_be_bytes());
            self.put_bytes_length(partition.batch.wire_size());
            self.open
                .extend_from_slice(&partition.batch.header(&partition.stamp));
            self.closed
                .push(Bytes::from(std::mem::take(&mut self.open)));
            self.closed.push(partition.batch.body().clone());
            self.put_no_tags();
        }
        self.put_no_tags();
    }

    fn finish(mut self) -> Vec<Bytes> {
        if !self.open.is_empty() {
            self.closed.push(Bytes::from(self.open));
        }
        self.closed
    }

    fn put_string(&mut self, value: &str) {
        if self.flexible {
            self.put_unsigned_varint(value.len() + 1);
        } else {
            let length = i16::try_from(value.len()).unwrap_or(i16::MAX);
            self.open.extend_from_slice(&length.to_be_bytes());
        }
        self.open.extend_from_slice(value.as_bytes());
    }

    fn put_nullable_string(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.put_string(value),
            None if self.flexible => self.open.push(0),
            None => self.open.extend_from_slice(&(-1_i16).to_be_bytes()),
        }
    }

    fn put_array_length(&mut self, length: usize) {
        if self.flexible {
            self.put_unsigned_varint(length + 1);
        } else {
            self.put_i32(length);
        }
    }

    fn put_bytes_length(&mut self, length: usize) {
        if self.flexible {
            self.put_unsigned_varint(length + 1);
        } else {
            self.put_i32(length);
        }
    }

    fn put_i32(&mut self, value: usize) {
        // Batches are bounded by the request limit, far below 2 GiB.
        self.open
            .extend_from_slice(&i32::try_from(value).unwrap_or(i32::MAX).to_be_bytes());
    }

    fn put_unsigned_varint(&mut self, value: usize) {
        let mut rest = u32::try_from(value).unwrap_or(u32::MAX);
        while rest >= 0x80 {
            self.open
                .push(u8::try_from(rest & 0x7f).unwrap_or(0) | 0x80);
            rest >>= 7;
        }
        self.open.push(u8::try_from(rest).unwrap_or(0));
    }

    fn put_no_tags(&mut self) {
        if self.flexible {
            self.open.push(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use milena_codec::dissect::{self, Format};
    use milena_codec::record::{BatchBuilder, RecordToWrite};
    use milena_codec::{Compression, Limits, schema};

    use super::*;

    fn batch() -> ClosedBatch {
        let mut builder = BatchBuilder::default();
        let record = RecordToWrite {
            timestamp: 0,
            key: None,
            value: Some(b"value"),
            headers: &[],
        };
        builder.append(&record).unwrap();
        builder.close(Compression::None).unwrap()
    }

    /// The request as Kafka's own definition of it reads, in JSON.
    fn written(api_version: i16, transactional_id: Option<&str>) -> String {
        let batch = batch();
        let entry = |topic: &'static str, partition| PartitionBatch {
            topic,
            topic_id: Uuid::from_u128(if topic == "a" { 0xa } else { 0xb }),
            partition,
            batch: &batch,
            stamp: BatchStamp::NONE,
        };
        let head = ProduceHead {
            api_version,
            transactional_id,
            acks: -1,
            timeout_ms: 30_000,
        };
        let body = produce_body(&head, &[entry("a", 0), entry("a", 3), entry("b", 1)]).concat();
        let mut json = String::new();
        let message = schema::request(0).unwrap();
        let limits = Limits::default();
        dissect::message(
            &mut json,
            Format::Json,
            message,
            api_version,
            &body,
            &limits,
        )
        .unwrap();
        json.retain(|character| !character.is_whitespace());
        json
    }

    /// P-46: by name up to version 12, by id from 13 on.
    #[test]
    fn every_version_reads_as_kafka_defines_it() {
        for api_version in PRODUCE_VERSION_MIN..=PRODUCE_VERSION_MAX {
            let json = written(api_version, None);
            let ids = api_version >= TOPIC_IDS;
            assert_eq!(json.contains("\"name\":\"a\""), !ids, "{json}");
            assert_eq!(json.contains("\"topicId\""), ids, "{json}");
            assert_eq!(json.matches("\"index\":").count(), 3, "{json}");
            assert!(json.contains("\"acks\":-1,\"timeoutMs\":30000"), "{json}");
        }
    }

    /// P-95: whoever sends transactional batches says whose they are.
    #[test]
    fn a_transactional_request_names_its_transactional_id() {
        for api_version in PRODUCE_VERSION_MIN..=PRODUCE_VERSION_MAX {
            let json = written(api_version, Some("tx"));
            assert!(json.contains("\"transactionalId\":\"tx\""), "{json}");
            let json = written(api_version, None);
            assert!(json.contains("\"transactionalId\":null"), "{json}");
        }
    }
}
