//! Transactions over several partitions, some aborted on purpose.

use super::{Actor, LifeEnd, record};
use crate::simulation::journal::{End, Fate, Number, Value};
use crate::simulation::random::Random;
use milena::{
    Delivery, Error, TopicPartition, Transaction, TransactionOutcome, TransactionalProducer,
};
use std::fmt::Display;

/// A transaction was over, and how the client is.
pub(super) enum After {
    /// The next one can begin.
    Next(End),
    /// The client is at its end.
    Over,
}

impl Actor<'_> {
    pub(super) async fn transact(
        &self,
        transactional_id: &str,
        topic: &str,
        leaves: bool,
        mut random: Random,
    ) -> LifeEnd {
        let Some(mut producer) = self.start(transactional_id, &mut random).await else {
            return self.restart_or_leave(leaves);
        };
        let partitions = self.world.partitions_of(topic);
        loop {
            self.awake().await;
            if leaves && self.world.is_healed() || self.world.owes_nothing(self.slot) {
                return LifeEnd::Done;
            }
            let number = self.world.journal.begun();
            let transaction = match producer.begin().await {
                Ok(transaction) => transaction,
                Err(error) => {
                    // Nothing of it exists.
                    let refused = Fate::Refused(error.to_string());
                    self.world.journal.end_of(number, refused);
                    return self.restart_or_leave(leaves);
                }
            };
            let written = self.write(&transaction, number, &partitions, &mut random);
            let (sent, spoiled) = written.await;
            self.awake().await;
            let commit = !spoiled && !random.percent(25);
            let after = Self::finish(transaction, commit).await;
            match self
                .settle(&mut producer, number, commit, after, sent)
                .await
            {
                After::Next(End::Committed) => self.world.succeeded(self.slot),
                After::Next(End::Aborted) => {}
                After::Over => return self.restart_or_leave(leaves),
            }
            self.world.pause(self.slot, random.millis(0, 500)).await;
        }
    }

    /// Sends a few records. Gives those that were taken, and whether any was not.
    pub(super) async fn write(
        &self,
        transaction: &Transaction<'_>,
        number: Number,
        partitions: &[TopicPartition],
        random: &mut Random,
    ) -> (Vec<(Value, Delivery)>, bool) {
        let mut sent = Vec::new();
        let mut spoiled = false;
        for _ in 0..random.up_to(5) {
            let Some(partition) = partitions.get(random.up_to(partitions.len() - 1)) else {
                continue;
            };
            let one = self
                .send(partition, Some(number), None, |bytes| async move {
                    transaction.send(record(partition, &bytes)).await
                })
                .await;
            match one {
                Ok(one) => sent.push(one),
                Err(_) => spoiled = true,
            }
            if random.percent(20) {
                self.world.pause(self.slot, random.millis(0, 1_000)).await;
            }
        }
        (sent, spoiled)
    }

    /// Takes a transactional id over.
    pub(super) async fn start(
        &self,
        transactional_id: &str,
        random: &mut Random,
    ) -> Option<TransactionalProducer> {
        let config = self
            .producer(random)
            .transactional_id(transactional_id)
            .transaction_timeout(random.millis(3_000, 8_000))
            .build();
        let config = match config {
            Ok(config) => config,
            Err(error) => {
                self.world.journal.complain(error.to_string());
                return None;
            }
        };
        let connector = self.world.connector(self.life);
        let started = TransactionalProducer::start_with_connector(config, connector);
        started.await.ok()
    }

    pub(super) async fn finish(transaction: Transaction<'_>, commit: bool) -> Result<(), Error> {
        if commit {
            transaction.commit().await
        } else {
            transaction.abort().await
        }
    }

    /// Notes how a transaction ended, finding out where that is not known.
    pub(super) async fn settle(
        &self,
        producer: &mut TransactionalProducer,
        number: Number,
        commit: bool,
        ended: Result<(), Error>,
        sent: Vec<(Value, Delivery)>,
    ) -> After {
        let journal = &self.world.journal;
        let wanted = if commit { End::Committed } else { End::Aborted };
        let after = match ended {
            Ok(()) => {
                journal.end_of(number, Fate::Done(wanted));
                After::Next(wanted)
            }
            Err(error) if error.is_outcome_unknown() => {
                journal.end_of(number, Fate::Unknown(error.to_string()));
                self.find_out(producer, number).await
            }
            // Whatever else went wrong, nothing of it is or will be visible.
            Err(error) => {
                journal.end_of(number, Fate::Done(End::Aborted));
                if error.is_fatal() {
                    After::Over
                } else {
                    After::Next(End::Aborted)
                }
            }
        };
        for (value, delivery) in sent {
            // Its fate is noted; here it makes no difference any more.
            let _ = self.fate(value, delivery).await;
        }
        after
    }

    async fn find_out(&self, producer: &mut TransactionalProducer, number: Number) -> After {
        let Some(outcome) = self.outcome(producer, number).await else {
            return After::Over;
        };
        let end = match outcome {
            TransactionOutcome::Committed => End::Committed,
            TransactionOutcome::Aborted => End::Aborted,
        };
        self.world.journal.end_of(number, Fate::Done(end));
        After::Next(end)
    }

    /// Asks until the outcome is known; `None` if the client has ended.
    pub(super) async fn outcome(
        &self,
        producer: &mut TransactionalProducer,
        transaction: impl Display,
    ) -> Option<TransactionOutcome> {
        loop {
            match producer.outcome().await {
                Ok(Some(outcome)) => return Some(outcome),
                Ok(None) => {
                    self.world.journal.complain(format!(
                        "transaction {transaction}: its outcome was unknown, and then nothing was in doubt"
                    ));
                    return None;
                }
                Err(error) if error.is_outcome_unknown() && !error.is_fatal() => {
                    self.awake().await;
                }
                Err(_) => return None,
            }
        }
    }

    pub(super) fn restart_or_leave(&self, leaves: bool) -> LifeEnd {
        if leaves && self.world.is_healed() {
            LifeEnd::Done
        } else {
            LifeEnd::Restart
        }
    }
}
