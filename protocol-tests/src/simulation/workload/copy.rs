//! Reads, writes a copy of each record, and commits the offsets in the same transaction.

use super::transact::After;
use super::{Actor, LifeEnd, record, value_of};
use crate::simulation::journal::{End, Fate, Value};
use crate::simulation::random::Random;
use crate::simulation::world::GROUP;
use milena::consumer::{Position, Records};
use milena::{Consumer, Error, GroupMetadata, TopicPartition, TransactionalProducer};
use std::collections::BTreeMap;
use std::time::Duration;

/// The feeder's place.
const FEEDER: usize = 0;
const POLL: Duration = Duration::from_millis(300);

/// One copying process.
struct Copier {
    producer: TransactionalProducer,
    consumer: Consumer,
    partitions: Vec<TopicPartition>,
    /// Where a new process would go on, as far as this one knows.
    committed: BTreeMap<TopicPartition, i64>,
    readings: BTreeMap<TopicPartition, usize>,
}

impl Actor<'_> {
    pub(super) async fn copy(&self, mut random: Random) -> LifeEnd {
        // First the id, then the offsets: nobody else changes them any more (T-56).
        let Some(producer) = self.start(super::TRANSACTIONAL_ID, &mut random).await else {
            return LifeEnd::Restart;
        };
        let consumer = match self.consumer(&mut random) {
            Ok(consumer) => consumer,
            Err(error) => {
                self.world.journal.complain(error.to_string());
                return LifeEnd::Done;
            }
        };
        let mut copier = Copier {
            producer,
            consumer,
            partitions: self.world.partitions_of("input"),
            committed: BTreeMap::new(),
            readings: BTreeMap::new(),
        };
        if copier.consumer.assign(&copier.partitions).is_err() {
            return LifeEnd::Restart;
        }
        if self.rewind(&mut copier).await.is_err() {
            return LifeEnd::Restart;
        }
        loop {
            self.awake().await;
            if self.is_copied(&copier) {
                return LifeEnd::Done;
            }
            let records = match copier.consumer.poll(POLL).await {
                Ok(records) => records,
                Err(error) => {
                    self.complain_of_read(&error);
                    self.world.pause(self.slot, POLL).await;
                    continue;
                }
            };
            if records.next_offsets().len() == 0 {
                continue;
            }
            match self.copy_some(&mut copier, &records, &mut random).await {
                After::Next(End::Committed) => self.world.succeeded(self.slot),
                After::Next(End::Aborted) => {
                    if self.rewind(&mut copier).await.is_err() {
                        return LifeEnd::Restart;
                    }
                }
                After::Over => return LifeEnd::Restart,
            }
            self.rest(random.millis(0, 300)).await;
        }
    }

    /// One transaction: the copies of what was read and the offsets behind it.
    async fn copy_some(
        &self,
        copier: &mut Copier,
        records: &Records,
        random: &mut Random,
    ) -> After {
        let journal = &self.world.journal;
        let number = journal.begun();
        let offsets = records.offsets_to_commit();
        let covered: Vec<_> = offsets
            .iter()
            .map(|offset| (offset.partition.clone(), offset.offset))
            .collect();
        journal.offsets_of(number, covered.clone());
        let transaction = match copier.producer.begin().await {
            Ok(transaction) => transaction,
            Err(error) => {
                journal.end_of(number, Fate::Refused(error.to_string()));
                return After::Over;
            }
        };
        let mut sent = Vec::new();
        let mut spoiled = false;
        for read in records {
            let Some(value) = read.value.and_then(value_of) else {
                continue;
            };
            if let Some(reading) = copier.readings.get(&read.topic_partition()) {
                journal.read(*reading, read.offset, value);
            }
            let target = TopicPartition::new("copies", read.partition);
            let (tx, partition) = (&transaction, &target);
            let one = self
                .send(&target, Some(number), Some(value), |bytes| async move {
                    tx.send(record(partition, &bytes)).await
                })
                .await;
            match one {
                Ok(one) => sent.push(one),
                Err(_) => spoiled = true,
            }
        }
        if random.percent(15) {
            self.rest(random.millis(0, 1_500)).await;
        }
        let group = GroupMetadata::unmanaged(GROUP);
        spoiled |= transaction.send_offsets(offsets, group).await.is_err();
        self.awake().await;
        let commit = !spoiled && !random.percent(20);
        let ended = Self::finish(transaction, commit).await;
        let after = self
            .settle(&mut copier.producer, number, commit, ended, sent)
            .await;
        if let After::Next(End::Committed) = after {
            copier.committed.extend(covered);
        }
        after
    }

    /// The application does something else, but not while it has to show that it catches up: there may be a hundred
    /// records left to copy when the faults end, and most transactions have one.
    async fn rest(&self, pause: Duration) {
        if !self.world.is_healed() {
            self.world.pause(self.slot, pause).await;
        }
    }

    /// Goes back to what is committed.
    async fn rewind(&self, copier: &mut Copier) -> Result<(), Error> {
        let committed = loop {
            let asked = copier
                .consumer
                .committed_offsets(GROUP, &copier.partitions)
                .await;
            match asked {
                Ok(committed) => break committed,
                // It is asked until it answers; what is told instead of an offset is no offset (L-11).
                Err(error) if error.is_fatal() => return Err(error),
                Err(_) => {
                    self.world
                        .pause(self.slot, Duration::from_millis(100))
                        .await
                }
            }
        };
        for (partition, next) in committed {
            let from = next.map_or(0, |next| next.offset);
            copier.consumer.seek(&partition, Position::Offset(from))?;
            let reading = self.world.journal.reading(self.life, &partition, from);
            copier.readings.insert(partition.clone(), reading);
            copier.committed.insert(partition, from);
        }
        Ok(())
    }

    /// Whether all input there will ever be has been copied; rivals leave as soon as the faults end.
    fn is_copied(&self, copier: &Copier) -> bool {
        let is_first: Value = 1;
        if self.slot as Value > is_first && self.world.is_healed() {
            return true;
        }
        self.world.is_done(FEEDER)
            && copier.partitions.iter().all(|partition| {
                let committed = copier.committed.get(partition).copied().unwrap_or(0);
                self.world.is_settled(partition) && committed >= self.world.end(partition)
            })
    }
}
