//! Read, process, write: committed records of one topic are copied to another, partition by partition, each
//! in one transaction with the offset behind it.

use super::{BACKOFF, BACKOFF_MAX, CLOSE_LIMIT, Client, REQUEST_TIMEOUT, say, transact};
use crate::breaking::journal::{Line, Value};
use crate::failure::chain;
use milena::config::ConsumerBuilder;
use milena::consumer::{Position, Records};
use milena::{Consumer, Error, GroupMetadata, OffsetReset, TopicPartition, TransactionalProducer};
use std::time::Duration;

/// The pause between transactions.
const PACE: Duration = Duration::from_millis(5);

/// How long a poll waits for records.
const POLL: Duration = Duration::from_millis(200);

/// How many records one transaction copies at most.
const RECORDS_MAX: usize = 40;

pub(super) async fn run(client: &mut Client) -> Result<(), Error> {
    // First of all, or a zombie could still commit what is read next (T-40).
    let mut producer = client.transactional().await?;
    let mut copier = Copier::start(client)?;
    let mut knows_where = false;
    loop {
        if !knows_where {
            knows_where = noted(copier.go_to_committed().await).is_some();
        }
        let over = client.is_over_after(PACE).await;
        if !knows_where {
            continue;
        }
        let Some(records) = noted(copier.consumer.poll(POLL).await) else {
            continue;
        };
        if !records.is_empty() {
            knows_where = copy(client, &mut producer, &copier, &records).await?;
        } else if over && noted(copier.is_at_end().await) == Some(true) {
            break;
        }
    }
    copier.consumer.close().await;
    producer.close(CLOSE_LIMIT).await
}

/// The reading half.
struct Copier {
    consumer: Consumer,
    group: String,
    partitions: Vec<TopicPartition>,
}

impl Copier {
    fn start(client: &Client) -> Result<Self, Error> {
        let input = client.assignment.input.clone().unwrap_or_default();
        let config = ConsumerBuilder::new(client.assignment.bootstrap.clone())
            .request_timeout(REQUEST_TIMEOUT)
            .connect_timeout(REQUEST_TIMEOUT)
            .retry_backoff(BACKOFF, BACKOFF_MAX)
            .reconnect_backoff(BACKOFF, BACKOFF_MAX)
            .offset_reset(OffsetReset::Error)
            .fetch_wait_max(Duration::from_millis(200))
            .poll_records_max(RECORDS_MAX)
            .build()?;
        let mut consumer = Consumer::new(config)?;
        let partitions: Vec<_> = (0..client.assignment.partitions)
            .map(|partition| TopicPartition::new(input.as_str(), partition))
            .collect();
        consumer.assign(&partitions)?;
        Ok(Self {
            consumer,
            group: input,
            partitions,
        })
    }

    /// Goes on where the last committed transaction ended.
    async fn go_to_committed(&mut self) -> Result<(), Error> {
        let committed = self
            .consumer
            .committed_offsets(&self.group, &self.partitions)
            .await?;
        for partition in &self.partitions {
            let next = committed.get(partition).copied().flatten();
            let position = next.map_or(Position::Earliest, Position::from);
            self.consumer.seek(partition, position)?;
        }
        Ok(())
    }

    /// Whether everything that can be read has been.
    async fn is_at_end(&self) -> Result<bool, Error> {
        let ends = self.consumer.end_offsets(&self.partitions).await.all()?;
        for partition in &self.partitions {
            let position = self.consumer.position(partition)?;
            let end = ends.get(partition);
            if end.is_none_or(|end| position.is_none_or(|at| at.offset < *end)) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Copies what was read; says whether that was committed, so that the next records are those behind.
async fn copy(
    client: &mut Client,
    producer: &mut TransactionalProducer,
    copier: &Copier,
    records: &Records,
) -> Result<bool, Error> {
    let number = client.next_transaction();
    let transaction = match producer.begin().await {
        Ok(transaction) => transaction,
        Err(error) => return transact::give_up_or_go_on(number, error).map(|()| false),
    };
    let mut deliveries = Vec::new();
    let topic = client.assignment.topic.clone();
    for record in records {
        let original = record.value.and_then(read_value);
        let copy = (client.next_value(), record.partition, original);
        transact::send(&transaction, number, &topic, copy, &mut deliveries).await;
    }
    let group = GroupMetadata::unmanaged(copier.group.as_str());
    let offsets = transaction.send_offsets(records.offsets_to_commit(), group);
    let added = noted(offsets.await).is_some();
    // Some are aborted on purpose: what is read again then must be copied again.
    let commit = added && client.random.u8(..8) != 0;
    let told = transact::producer_end(transaction, number, commit).await;
    transact::end(told, producer, number, deliveries).await
}

fn read_value(bytes: &[u8]) -> Option<Value> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// Says what went wrong, where it is no more than a delay.
fn noted<T>(result: Result<T, Error>) -> Option<T> {
    result
        .inspect_err(|error| say(&Line::Note(chain(error))))
        .ok()
}
