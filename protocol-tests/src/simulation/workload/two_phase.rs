//! Transactions that are committed together with one of a database (KIP-939), by processes that take the transactional
//! id from each other and die between any two steps.

use super::transact::After;
use super::{Actor, LifeEnd, TRANSACTIONAL_ID};
use crate::simulation::database::Commit;
use crate::simulation::instances::Moment;
use crate::simulation::journal::{End, Fate, Number};
use crate::simulation::random::Random;
use milena::{Error, PreparedTransaction, TransactionOutcome, TransactionalProducer};
use std::time::Duration;

/// A client that has taken the id over, and when it had.
struct Instance {
    producer: TransactionalProducer,
    started: Moment,
}

/// How the end of a prepared transaction is asked for.
#[derive(Clone, Copy, Debug)]
enum Ask {
    Abort,
    Commit,
    /// As the database says.
    Complete,
}

/// What came of it.
enum Ended {
    As(TransactionOutcome),
    /// It had ended before.
    Before,
    /// The client is at its end.
    Over,
}

impl Actor<'_> {
    pub(super) async fn participate(&self, leaves: bool, mut random: Random) -> LifeEnd {
        // Who leaves does so with nothing open: nobody might come after it.
        let Some(mut instance) = self.take_over(&mut random).await else {
            return LifeEnd::Restart;
        };
        loop {
            self.awake().await;
            if leaves && self.world.is_healed() || self.world.owes_nothing(self.slot) {
                return LifeEnd::Done;
            }
            match self.transfer(&mut instance, &mut random).await {
                After::Next(End::Committed) => self.world.succeeded(self.slot),
                After::Next(End::Aborted) => {}
                After::Over => return LifeEnd::Restart,
            }
            self.world.pause(self.slot, random.millis(0, 500)).await;
        }
    }

    /// Takes the database and then the id over, and ends what was left open as the database says.
    async fn take_over(&self, random: &mut Random) -> Option<Instance> {
        let builder = self.producer(random).transactional_id(TRANSACTIONAL_ID);
        let config = match builder.two_phase_commit(true).build() {
            Ok(config) => config,
            Err(error) => {
                self.world.journal.complain(error.to_string());
                return None;
            }
        };
        let connector = self.world.connector(self.life);
        self.world.database.take_over(self.life);
        self.linger(random).await;
        let instances = &self.world.instances;
        let began = instances.starts();
        let start = TransactionalProducer::start_keeping_prepared_with_connector(config, connector);
        let (producer, left) = start.await.ok()?;
        let started = instances.started(began);
        let mut instance = Instance { producer, started };
        self.linger(random).await;
        let Ok(stored) = self.world.database.prepared_if_owned(self.life) else {
            // It may be that Kafka takes this one for the newest, and the database another one.
            instances.count(|takeovers| takeovers.late_decisions += 1);
            return None;
        };
        self.linger(random).await;
        let ended = self.end(&mut instance, Ask::Complete, left.is_some());
        let outcome = match ended.await {
            Ended::As(outcome) => outcome,
            Ended::Before => return Some(instance),
            Ended::Over => return None,
        };
        let left = left.map(|left| left.to_string());
        instances.count(|takeovers| match outcome {
            TransactionOutcome::Committed => takeovers.committed += 1,
            TransactionOutcome::Aborted => takeovers.aborted += 1,
        });
        let journal = &self.world.journal;
        if left.is_none() || (outcome == TransactionOutcome::Committed) != (left == stored) {
            journal.complain(format!(
                "{left:?} was left open, {stored:?} is stored, and it ended {outcome:?}"
            ));
        }
        if outcome == TransactionOutcome::Committed
            && let Some(number) = stored.and_then(|name| self.world.database.number_of(&name))
        {
            journal.end_of(number, Fate::Done(End::Committed));
        }
        Some(instance)
    }

    /// One transaction of both systems.
    async fn transfer(&self, instance: &mut Instance, random: &mut Random) -> After {
        let journal = &self.world.journal;
        let number = journal.begun();
        self.world.instances.begun(number);
        let transaction = match instance.producer.begin().await {
            Ok(transaction) => transaction,
            Err(error) => {
                // Nothing of it exists.
                journal.end_of(number, Fate::Refused(error.to_string()));
                return After::Over;
            }
        };
        let partitions = self.world.partitions_of("records");
        let (sent, spoiled) = self.write(&transaction, number, &partitions, random).await;
        self.linger(random).await;
        if random.percent(10) {
            let aborted = Self::finish(transaction, false).await;
            let producer = &mut instance.producer;
            return self.settle(producer, number, false, aborted, sent).await;
        }
        let prepared = transaction.prepare().await;
        let mut values = Vec::new();
        let mut failed = spoiled;
        for (value, delivery) in sent {
            failed |= self.fate(value, delivery).await.is_err();
            values.push(value);
        }
        let prepared = match prepared {
            Ok(prepared) => prepared,
            // Nobody knows its name, so nobody can decide to commit it.
            Err(error) => {
                journal.end_of(number, Fate::Done(End::Aborted));
                return if error.is_fatal() {
                    After::Over
                } else {
                    After::Next(End::Aborted)
                };
            }
        };
        if failed {
            journal.complain(format!(
                "transaction {number} was prepared, and a record of it had failed"
            ));
        }
        let name = prepared.to_string();
        if let Some(other) = self.world.instances.named(name.clone(), number) {
            journal.complain(format!("transactions {other} and {number} are both {name}"));
        }
        let is_empty = values.is_empty();
        let commit = Commit {
            number,
            name,
            values,
        };
        self.linger(random).await;
        let (ask, is_owner) = self.decide(commit, random);
        self.linger(random).await;
        // Nothing was written: the coordinator knows nothing of it, and has nothing to refuse.
        let ended = self.end(instance, ask, !is_empty).await;
        match self.note(number, ended) {
            // Whatever it writes, nothing of it can be decided to be committed.
            After::Next(end) if is_owner => After::Next(end),
            After::Next(_) | After::Over => After::Over,
        }
    }

    /// Decides over a prepared transaction. `false`: somebody else has the database.
    fn decide(&self, commit: Commit, random: &mut Random) -> (Ask, bool) {
        let ends = |random: &mut Random, ask| random.one_of(&[ask, Ask::Complete], ask);
        if random.percent(25) {
            return (ends(random, Ask::Abort), true);
        }
        let is_lost = random.percent(15);
        if is_lost && random.percent(50) {
            // It never arrived. The application does not know.
            return (Ask::Complete, true);
        }
        match self.world.database.commit(self.life, commit) {
            Ok(()) if is_lost => (Ask::Complete, true),
            Ok(()) => (ends(random, Ask::Commit), true),
            Err(_) => {
                let instances = &self.world.instances;
                instances.count(|takeovers| takeovers.late_decisions += 1);
                (ends(random, Ask::Abort), false)
            }
        }
    }

    /// Ends what is prepared, until the outcome is known or the client has ended. `is_known`: the coordinator has
    /// it, so that it can refuse who is superseded.
    async fn end(&self, instance: &mut Instance, ask: Ask, is_known: bool) -> Ended {
        let instances = &self.world.instances;
        let late = is_known && instances.is_superseded(instance.started);
        if late {
            instances.count(|takeovers| takeovers.late_ends += 1);
        }
        let mut asked = self.ask(&mut instance.producer, ask).await;
        loop {
            match asked {
                Ok(Some(outcome)) => {
                    if late {
                        self.world.journal.complain(format!(
                            "process {} was superseded, and then asked to {ask:?}: {outcome:?}",
                            self.life
                        ));
                    }
                    return Ended::As(outcome);
                }
                Ok(None) => return Ended::Before,
                Err(error) if error.is_fatal() => return Ended::Over,
                Err(error) if error.is_outcome_unknown() => {
                    let outcome = self.outcome(&mut instance.producer, "a prepared one");
                    match outcome.await {
                        Some(outcome) => asked = Ok(Some(outcome)),
                        None => return Ended::Over,
                    }
                }
                Err(_) => {
                    let pause = Duration::from_millis(100);
                    self.world.pause(self.slot, pause).await;
                    asked = self.ask(&mut instance.producer, Ask::Complete).await;
                }
            }
        }
    }

    async fn ask(
        &self,
        producer: &mut TransactionalProducer,
        ask: Ask,
    ) -> Result<Option<TransactionOutcome>, Error> {
        match ask {
            Ask::Abort => {
                producer.abort_prepared().await?;
                Ok(Some(TransactionOutcome::Aborted))
            }
            Ask::Commit => {
                producer.commit_prepared().await?;
                Ok(Some(TransactionOutcome::Committed))
            }
            Ask::Complete => {
                let stored = self.world.database.prepared();
                let stored = stored.and_then(|name| name.parse::<PreparedTransaction>().ok());
                producer.complete(stored.as_ref()).await
            }
        }
    }

    /// Notes how a transaction of this process ended.
    fn note(&self, number: Number, ended: Ended) -> After {
        let end = match ended {
            Ended::As(TransactionOutcome::Committed) => End::Committed,
            Ended::As(TransactionOutcome::Aborted) => End::Aborted,
            Ended::Before => {
                let journal = &self.world.journal;
                journal.complain(format!(
                    "transaction {number} was prepared, and then nothing was"
                ));
                return After::Over;
            }
            // A newer instance has it, or the next one finds it.
            Ended::Over => return After::Over,
        };
        self.world.journal.end_of(number, Fate::Done(end));
        After::Next(end)
    }

    /// Between two steps: at once, mostly; or after a while, in which somebody may take over; or never.
    async fn linger(&self, random: &mut Random) {
        let (dies, dawdles) = (random.percent(3), random.percent(25));
        if dies && !self.world.is_healed() {
            self.world.crash(self.slot, random.millis(1, 3_000));
            std::future::pending::<()>().await;
        }
        if dawdles {
            let pause = random.duration(Duration::ZERO, Duration::from_secs(3));
            self.world.pause(self.slot, pause).await;
        }
        self.awake().await;
    }
}
