//! [`TransactionalProducer`] and [`Transaction`]: the public handles.

use std::sync::Arc;
use std::time::Duration;

use milena_connection::{Connector, TcpConnector};

use super::session::{Answer, Request, Transacting, outcome_not_asked};
use super::{TransactionConfig, TwoPhase};
use crate::client::Client;
use crate::config::TransactionalProducerConfig;
use crate::error::Error;
use crate::producer::driver::Command;
use crate::producer::handle::Core;
use crate::producer::handle::start;
use crate::producer::{Delivery, Record};
use crate::runtime;
use crate::types::{GroupMetadata, OffsetToCommit};

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransactionOutcome {
    /// Its records and offsets become visible to readers of committed records.
    Committed,
    /// Nothing of it does.
    Aborted,
}

/// Writes in transactions: all records and offsets of one become visible together, or none does.
///
/// One instance at a time works under a transactional id: starting one fences every older one, ends what it left
/// open, and its owner learns so from an error that [`is_fenced`](Error::is_fenced). Not cloneable: a transaction
/// borrows it, so a second one can't begin before the first ended.
///
/// ```no_run
/// # async fn run() -> Result<(), milena::Error> {
/// use milena::{ProducerBuilder, Record, TransactionalProducer};
///
/// let config = ProducerBuilder::new(["localhost:9092"]).transactional_id("transfers-1").build()?;
/// let mut producer = TransactionalProducer::start(config).await?;
/// let transaction = producer.begin().await?;
/// transaction.send(Record::to("debits").key(b"alice").value(b"-10")).await?;
/// transaction.send(Record::to("credits").key(b"bob").value(b"+10")).await?;
/// match transaction.commit().await {
///     Ok(()) => println!("both or, before, neither"),
///     Err(error) if error.is_fenced() => println!("another instance has taken over: stop here"),
///     Err(error) if error.is_outcome_unknown() => println!("{:?}", producer.outcome().await?),
///     Err(error) => println!("aborted, nothing is visible: {error}"),
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[doc(alias = "KafkaProducer")]
pub struct TransactionalProducer {
    pub(super) core: Arc<Core>,
    transaction: u64,
    /// A commit or abort was asked for, and its outcome has not come back to the caller.
    is_in_doubt: bool,
}

impl TransactionalProducer {
    /// Starts a producer that speaks TCP: fences older instances of its transactional id and waits until what
    /// they left open has ended (T-40).
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`]; [`Error::WrongListener`] at once if something else than a broker listens there;
    /// [`Error::Timeout`] if no coordinator could be had within `max_block`, caused by what went wrong last; a fatal
    /// [`Error::Broker`], such as TRANSACTIONAL_ID_AUTHORIZATION_FAILED.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, older instances may have been fenced already; starting again is safe.
    #[doc(alias = "initTransactions")]
    #[doc(alias = "init_transactions")]
    pub async fn start(config: TransactionalProducerConfig) -> Result<Self, Error> {
        Self::start_with_connector(config, Arc::new(TcpConnector::new())).await
    }

    /// Starts a producer on a transport of the caller's.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    ///
    /// # Cancel safety
    ///
    /// As [`start`](Self::start).
    pub async fn start_with_connector(
        config: TransactionalProducerConfig,
        connector: Arc<dyn Connector>,
    ) -> Result<Self, Error> {
        let client = Client::with_connector(config.producer.client.clone(), connector)?;
        Self::start_on(&client, config).await
    }

    /// Starts a producer of a client that has the client-level settings of `config`.
    pub(crate) async fn start_on(
        client: &Client,
        config: TransactionalProducerConfig,
    ) -> Result<Self, Error> {
        #[cfg(feature = "two-phase-commit")]
        let two_phase = if config.two_phase_commit {
            TwoPhase::On
        } else {
            TwoPhase::Off
        };
        #[cfg(not(feature = "two-phase-commit"))]
        let two_phase = TwoPhase::Off;
        Self::start_as(client, config, two_phase).await
    }

    pub(super) async fn start_as(
        client: &Client,
        config: TransactionalProducerConfig,
        two_phase: TwoPhase,
    ) -> Result<Self, Error> {
        let runtime = runtime::runtime()?;
        let cluster = client.handle();
        let seed = client.seed();
        let client = client.config();
        let transacting = Transacting::new(
            TransactionConfig {
                transactional_id: Arc::clone(&config.transactional_id),
                transaction_timeout: config.transaction_timeout,
                registration_timeout: registration_timeout(config.producer.max_block),
                two_phase,
                retry_backoff: client.retry_backoff,
                retry_backoff_max: client.retry_backoff_max,
                seed,
            },
            client.request_timeout,
        );
        let transactional = Some((config.transactional_id, transacting));
        let (core, driver) = start(config.producer, transactional, cluster, seed);
        runtime.spawn(driver.run());
        let producer = Self {
            core: Arc::new(core),
            transaction: 0,
            is_in_doubt: false,
        };
        let started = producer.core.ask_in_time(ask(Request::Init)).await;
        started.map_err(|late| late.timeout("taking over the transactional id"))??;
        Ok(producer)
    }

    /// Begins a transaction. No request is sent (T-16); a dropped transaction's abort is waited for first.
    ///
    /// # Errors
    ///
    /// The reason of its end once the producer is fenced or failed for good. [`Error::Misuse`] while the outcome
    /// of a commit is unknown: ask [`outcome`](Self::outcome) first (T-12).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    #[doc(alias = "beginTransaction")]
    #[doc(alias = "begin_transaction")]
    pub async fn begin(&mut self) -> Result<Transaction<'_>, Error> {
        self.require_outcome()?;
        self.transaction += 1;
        let begun = self.core.ask_in_time(ask(Request::Begin)).await;
        begun.map_err(|late| late.timeout("the end of the last transaction"))??;
        Ok(Transaction {
            producer: self,
            ended: false,
        })
    }

    /// How the last transaction ended, when its `commit` or `abort` could not tell: waits for the operation that
    /// goes on in the background (T-12). `None` if nothing is in doubt.
    ///
    /// # Errors
    ///
    /// [`Error::OutcomeUnknown`] again if it is still open after `max_block`; the reason of the producer's end.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: whoever asks again is told the same.
    pub async fn outcome(&mut self) -> Result<Option<TransactionOutcome>, Error> {
        if !self.is_in_doubt {
            return self
                .core
                .shared
                .ended()
                .map_or(Ok(None), |error| Err(error.clone()));
        }
        let outcome = self.core.ask_in_time(ask(Request::Outcome)).await;
        self.is_in_doubt = outcome.is_err();
        outcome.map_err(|late| late.unknown("the last transaction's end"))?
    }

    /// Whatever comes next, the caller has to know how the last transaction ended (T-12).
    pub(super) fn require_outcome(&self) -> Result<(), Error> {
        if !self.is_in_doubt {
            return Ok(());
        }
        let ended = self.core.shared.ended().cloned();
        Err(ended.unwrap_or_else(outcome_not_asked))
    }

    /// Asks for a commit or an abort; `is_asked` is set as soon as it is handed over, and from then on it goes on
    /// whether its outcome is waited for or not.
    pub(super) async fn end(
        &mut self,
        request: impl FnOnce(Answer<()>) -> Request,
        operation: &'static str,
        is_asked: &mut bool,
    ) -> Result<(), Error> {
        let Self {
            core, is_in_doubt, ..
        } = self;
        let command = |done| {
            *is_asked = true;
            *is_in_doubt = true;
            Command::Transaction(request(done))
        };
        let outcome = core.ask_in_time(command).await;
        if outcome.is_ok() {
            self.is_in_doubt = false;
        }
        outcome.map_err(|late| late.unknown_if_asked(operation))?
    }

    /// Ends the producer. An open transaction was dropped before and is aborted; a running commit is finished.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] if that took longer than `timeout`: what is open is ended by the coordinator's timeout or
    /// by the next instance.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the end goes on in the background.
    pub async fn close(self, timeout: Duration) -> Result<(), Error> {
        self.core.close_transactional(timeout).await
    }
}

/// An open transaction. Dropping it queues its abort and does not wait.
#[derive(Debug)]
#[must_use = "a transaction that is dropped is aborted"]
pub struct Transaction<'a> {
    pub(super) producer: &'a mut TransactionalProducer,
    pub(super) ended: bool,
}

impl Transaction<'_> {
    /// Hands a record over as part of this transaction; see [`Producer::send`](crate::Producer::send).
    ///
    /// # Errors
    ///
    /// As [`Producer::send`](crate::Producer::send). A record that could not be taken leaves the transaction with
    /// the abort as its only end, so that a commit can't silently omit it (T-15). From then on, and once a record
    /// sent before has failed, every send is refused with [`Error::TransactionAbortable`] and its cause (T-11).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a call that is dropped before it ends has sent nothing, and spoils nothing.
    #[doc(alias = "produce")]
    pub async fn send(&self, record: Record<'_>) -> Result<Delivery, Error> {
        let core = &self.producer.core;
        core.send(&record, self.producer.transaction)
            .await
            .inspect_err(|error| core.shared.mark_abortable(error))
    }

    /// Makes consumed offsets part of this transaction: they count as committed exactly if it commits.
    ///
    /// Each offset is the offset of the next record to consume. Waits for the group coordinator's response, at most
    /// `max_block` (`max.block.ms`).
    ///
    /// # Errors
    ///
    /// * [`Error::TransactionAbortable`] if the coordinator rejected the offsets, for example because the member is
    ///   no longer in its group, or if nothing but retriable rejections and lost requests came back for `max_block`,
    ///   for example because a topic was deleted; the last of them is the cause. The transaction can only be aborted;
    /// * [`Error::OutcomeUnknown`] if the response is still outstanding after `max_block`.
    ///   [`commit`](Self::commit) then commits the offsets too, or fails; the same call made again is
    ///   [`Error::Misuse`];
    /// * [`Error::Timeout`] if the request could not even be queued, which changed nothing;
    /// * the terminal error of a producer that was fenced, failed or closed.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the offsets may or may not be part of the transaction; a commit waits for them all the same.
    #[doc(alias = "sendOffsetsToTransaction")]
    #[doc(alias = "send_offsets_to_transaction")]
    pub async fn send_offsets(
        &self,
        offsets: Vec<OffsetToCommit>,
        group: GroupMetadata,
    ) -> Result<(), Error> {
        let command = ask(|done| Request::SendOffsets {
            offsets,
            group,
            done,
        });
        let outcome = self.producer.core.ask_in_time(command).await;
        outcome.map_err(|late| late.unknown_if_asked("adding offsets to the transaction"))?
    }

    /// Waits until every record sent before was answered, without ending the transaction.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn flush(&self) {
        self.producer.core.flush().await;
    }

    /// Commits: waits until all of it was appended and its commit is decided (T-34, T-60).
    ///
    /// Readers see it when the markers are written, shortly after.
    ///
    /// # Errors
    ///
    /// * fenced or fatal: the producer is at its end, nothing of the transaction is visible unless the error
    ///   [`is_outcome_unknown`](Error::is_outcome_unknown);
    /// * outcome unknown: no answer within `max_block`, caused by what went wrong last. The commit goes on;
    ///   [`TransactionalProducer::outcome`] tells;
    /// * [`Error::Timeout`]: it could not even be handed over within `max_block`, and is aborted;
    /// * otherwise it could not be committed (a record or an offset failed) and was aborted; the next may begin.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the commit goes on; [`TransactionalProducer::outcome`] tells its end.
    #[doc(alias = "commitTransaction")]
    #[doc(alias = "commit_transaction")]
    pub async fn commit(mut self) -> Result<(), Error> {
        let Self { producer, ended } = &mut self;
        producer.end(Request::Commit, "the commit", ended).await
    }

    /// Aborts: what was not sent yet is dropped, what is on the wire is awaited (T-36), nothing becomes visible.
    ///
    /// # Errors
    ///
    /// Fenced or fatal: nothing is visible either. Outcome unknown, or [`Error::Timeout`] if it could not even be handed
    /// over: no answer within `max_block`; the abort goes on.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the abort goes on.
    #[doc(alias = "abortTransaction")]
    #[doc(alias = "abort_transaction")]
    pub async fn abort(mut self) -> Result<(), Error> {
        let Self { producer, ended } = &mut self;
        producer.end(Request::Abort, "the abort", ended).await
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.producer.core.shared.request_abort();
        }
    }
}

/// How long partitions and offsets may wait to be registered: a little less than a caller waits, so that the caller
/// receives the rejection and not only that there was no response in time.
fn registration_timeout(max_block: Duration) -> Duration {
    max_block.saturating_sub((max_block / 10).min(Duration::from_millis(100)))
}

/// A request as a command.
pub(super) fn ask<T>(
    request: impl FnOnce(Answer<T>) -> Request,
) -> impl FnOnce(Answer<T>) -> Command {
    |done| Command::Transaction(request(done))
}

#[cfg(feature = "two-phase-commit")]
mod two_phase;

#[cfg(test)]
mod tests;
