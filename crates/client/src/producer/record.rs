//! A record as the caller gives it.

use milena_codec::HeaderToWrite;

/// A record to send, borrowing all its parts: `send` copies them once, into the batch.
///
/// ```
/// use milena::Record;
///
/// let record = Record::to("orders").key(b"customer-7").value(b"3 apples");
/// assert_eq!(record.topic, "orders");
/// ```
#[derive(Debug, Clone, Copy)]
#[doc(alias = "ProducerRecord")]
#[doc(alias = "FutureRecord")]
#[doc(alias = "BaseRecord")]
pub struct Record<'a> {
    /// The topic it goes to; it must exist.
    pub topic: &'a str,
    /// The partition it goes to, from 0; `None` leaves the choice to the partitioner.
    pub partition: Option<i32>,
    /// Records with equal keys go to the same partition. `None` is no key, different from an empty one.
    pub key: Option<&'a [u8]>,
    /// `None` is a tombstone where the topic is compacted.
    pub value: Option<&'a [u8]>,
    /// In order; a key may occur more than once.
    pub headers: &'a [HeaderToWrite<'a>],
    /// Milliseconds since 1970; `None` is the time of the call. From 0.
    pub timestamp: Option<i64>,
}

impl<'a> Record<'a> {
    /// A record for `topic`, with nothing in it yet.
    #[must_use]
    pub const fn to(topic: &'a str) -> Self {
        Self {
            topic,
            partition: None,
            key: None,
            value: None,
            headers: &[],
            timestamp: None,
        }
    }

    /// Sets the partition, from 0.
    #[must_use]
    pub const fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// Sets the key.
    #[must_use]
    pub const fn key(mut self, key: &'a [u8]) -> Self {
        self.key = Some(key);
        self
    }

    /// Sets the value.
    #[must_use]
    pub const fn value(mut self, value: &'a [u8]) -> Self {
        self.value = Some(value);
        self
    }

    /// Sets the headers.
    #[must_use]
    pub const fn headers(mut self, headers: &'a [HeaderToWrite<'a>]) -> Self {
        self.headers = headers;
        self
    }

    /// Sets the timestamp in milliseconds since 1970, from 0.
    #[must_use]
    pub const fn timestamp(mut self, timestamp: i64) -> Self {
        self.timestamp = Some(timestamp);
        self
    }
}
