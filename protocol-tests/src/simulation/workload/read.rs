//! A reader of committed records, during the run and at its end.

use super::{Actor, LifeEnd, value_of};
use crate::simulation::random::Random;
use crate::simulation::world::{GROUP, World};
use milena::consumer::Position;
use milena::{Consumer, ConsumerBuilder, Error, TopicPartition};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a poll waits.
const POLL: Duration = Duration::from_millis(300);

impl Actor<'_> {
    pub(super) async fn read(&self, mut random: Random) -> LifeEnd {
        let partitions = self.world.partitions();
        let mut reader = match self.reader(&partitions, &mut random) {
            Ok(reader) => reader,
            Err(error) => {
                self.world.journal.complain(error.to_string());
                return LifeEnd::Done;
            }
        };
        loop {
            self.awake().await;
            self.take(&mut reader).await;
            let writers = self.slot;
            let quiet = (0..writers).all(|slot| self.world.is_done(slot));
            if quiet && self.world.is_healed() && self.is_at_end(&reader, &partitions) {
                return LifeEnd::Done;
            }
            if !self.world.is_healed() && random.percent(2) {
                // Somebody else may read it all again.
                return LifeEnd::Restart;
            }
        }
    }

    /// A consumer of all partitions, from their beginning.
    fn reader(&self, partitions: &[TopicPartition], random: &mut Random) -> Result<Reader, Error> {
        let mut consumer = self.consumer(random)?;
        consumer.assign(partitions)?;
        let mut readings = BTreeMap::new();
        for partition in partitions {
            consumer.seek(partition, Position::Earliest)?;
            let reading = self.world.journal.reading(self.life, partition, 0);
            readings.insert(partition.clone(), reading);
        }
        Ok(Reader { consumer, readings })
    }

    pub(super) fn consumer(&self, random: &mut Random) -> Result<Consumer, Error> {
        let config = ConsumerBuilder::new(self.world.broker.addresses())
            .client_id(super::client_id(self.life))
            .request_timeout(Duration::from_secs(2))
            .connect_timeout(Duration::from_secs(1))
            .metadata_max_age(Duration::from_secs(5))
            .fetch_wait_max(random.millis(20, 500))
            .partition_fetch_bytes_max(random.between(100, 2_000))
            .fetch_bytes_max(random.between(200, 4_000))
            .poll_records_max(1 + random.up_to(30))
            .build()?;
        Consumer::with_connector(config, self.world.connector(self.life))
    }

    async fn take(&self, reader: &mut Reader) {
        let journal = &self.world.journal;
        match reader.consumer.poll(POLL).await {
            Ok(records) => {
                for record in &records {
                    let reading = reader.readings.get(&record.topic_partition());
                    let value = record.value.and_then(value_of);
                    if let (Some(reading), Some(value)) = (reading, value) {
                        journal.read(*reading, record.offset, value);
                    }
                }
            }
            Err(error) => {
                self.complain_of_read(&error);
                // Some errors are told by every poll, at once.
                tokio::time::sleep(POLL).await;
            }
        }
    }

    /// Trouble passes; these would not.
    pub(super) fn complain_of_read(&self, error: &Error) {
        if matches!(
            error,
            Error::CorruptRecords { .. }
                | Error::LogTruncated { .. }
                | Error::Malformed { .. }
                | Error::Misuse { .. }
                | Error::OffsetOutOfRange { .. }
        ) {
            self.world
                .journal
                .complain(format!("a reader was told: {error}"));
        }
    }

    fn is_at_end(&self, reader: &Reader, partitions: &[TopicPartition]) -> bool {
        partitions.iter().all(|partition| {
            let position = reader.consumer.position(partition);
            let position = position.ok().flatten().map_or(-1, |next| next.offset);
            self.world.is_settled(partition) && position >= self.world.end(partition)
        })
    }
}

struct Reader {
    consumer: Consumer,
    readings: BTreeMap<TopicPartition, usize>,
}

/// Reads everything once more when all is over, and asks what is committed.
pub(in crate::simulation) async fn final_read(world: &Arc<World>) -> Result<(), Error> {
    let slot = world.plan.workload.slots();
    let actor = Actor {
        world,
        slot,
        life: world.start_life(slot),
    };
    let partitions = world.partitions();
    let mut reader = actor.reader(&partitions, &mut world.random())?;
    while !actor.is_at_end(&reader, &partitions) {
        actor.take(&mut reader).await;
    }
    if world.plan.workload.commits_offsets() {
        let offsets = reader
            .consumer
            .committed_offsets(GROUP, &world.partitions_of("input"))
            .await?;
        let offsets = offsets
            .into_iter()
            .map(|(partition, next)| (partition, next.map(|next| next.offset)));
        world.journal.committed(offsets.collect());
    }
    Ok(())
}
