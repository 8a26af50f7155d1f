//! [`TransactionalProducer`] and the two forms of an open transaction: the public handles.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use milena_connection::{Connector, TcpConnector};

use super::session::{Answer, Request, Transacting, outcome_not_asked};
use super::{TransactionConfig, TransactionOutcome, TwoPhase};
use crate::client::Client;
use crate::config::TransactionalProducerConfig;
use crate::error::Error;
use crate::producer::driver::Command;
use crate::producer::handle::Core;
use crate::producer::handle::start;
use crate::producer::{Delivery, Record};
use crate::runtime;
use crate::types::{GroupMetadata, OffsetToCommit};

/// Writes in transactions: all records and offsets of one become visible together, or none does.
///
/// One instance at a time works under a transactional id: starting one fences every older one, ends what it left
/// open, and its owner learns so from an error that [`is_fenced`](Error::is_fenced). Not cloneable: a
/// [`Transaction`] borrows it, so a second one can't begin before the first ended. An [`OwnedTransaction`] can be kept
/// in a struct.
///
/// After an outage a fence can be the producer's own: Kafka does not recognise the late copy of an InitProducerId that
/// had no response. The cause of [`Error::Fenced`] says so where it may be that: then start again, if no other producer
/// is meant to have the id. Nothing of a fenced producer's open transaction becomes visible either way.
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
    last: Arc<LastTransaction>,
}

/// What the producer's handle knows of the transaction it began last, which may be in other hands.
#[derive(Debug, Default)]
struct LastTransaction {
    /// Its handle exists, so it can still be ended.
    is_open: AtomicBool,
    /// A commit or abort was requested, and its outcome has not come back to the caller.
    is_in_doubt: AtomicBool,
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
            last: Arc::default(),
        };
        let started = producer.core.ask_in_time(ask(Request::Init)).await;
        started.map_err(|late| late.timeout("taking over the transactional id"))??;
        Ok(producer)
    }

    /// Begins a transaction. No request is sent; a dropped transaction's abort is waited for first, at most `max_block`.
    ///
    /// # Errors
    ///
    /// * the terminal error of a producer that was fenced, failed or closed;
    /// * [`Error::Misuse`] while an [`OwnedTransaction`] of this producer is open, or while the outcome of a commit is
    ///   unknown: call [`outcome`](Self::outcome) first;
    /// * [`Error::Timeout`] if the last transaction's abort did not end within `max_block`, with its cause.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    #[doc(alias = "beginTransaction")]
    #[doc(alias = "begin_transaction")]
    pub async fn begin(&mut self) -> Result<Transaction<'_>, Error> {
        let owned = self.begin_owned().await?;
        Ok(Transaction {
            owned,
            producer: PhantomData,
        })
    }

    /// Begins a transaction that does not borrow the producer, to be kept in a struct, an actor or a sink. Its
    /// guarantees are those of [`begin`](Self::begin)'s: there is one open transaction at a time, and dropping it
    /// queues its abort without waiting.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), milena::Error> {
    /// use milena::{OwnedTransaction, ProducerBuilder, Record, TransactionalProducer};
    ///
    /// /// Commits after every hundredth record.
    /// struct Sink {
    ///     producer: TransactionalProducer,
    ///     open: Option<OwnedTransaction>,
    ///     records: usize,
    /// }
    ///
    /// impl Sink {
    ///     async fn write(&mut self, value: &[u8]) -> Result<(), milena::Error> {
    ///         let open = match self.open.take() {
    ///             Some(open) => open,
    ///             None => self.producer.begin_owned().await?,
    ///         };
    ///         open.send(Record::to("events").value(value)).await?;
    ///         self.records += 1;
    ///         if self.records % 100 == 0 {
    ///             return open.commit().await;
    ///         }
    ///         self.open = Some(open);
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let config = ProducerBuilder::new(["localhost:9092"]).transactional_id("events-1").build()?;
    /// let producer = TransactionalProducer::start(config).await?;
    /// let mut sink = Sink { producer, open: None, records: 0 };
    /// sink.write(b"1").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`begin`](Self::begin). While the transaction is open, another call of either is [`Error::Misuse`] at once;
    /// it does not wait.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn begin_owned(&mut self) -> Result<OwnedTransaction, Error> {
        self.require_outcome()?;
        if self.last.is_open.load(Ordering::Acquire) {
            return Err(Error::misuse(
                "a transaction of this producer is open; commit, abort or drop it first",
            ));
        }
        self.transaction += 1;
        let begun = self.core.ask_in_time(ask(Request::Begin)).await;
        begun.map_err(|late| late.timeout("the end of the last transaction"))??;
        Ok(OwnedTransaction::new(
            Arc::clone(&self.core),
            Arc::clone(&self.last),
            self.transaction,
        ))
    }

    /// How the last transaction ended, where its `commit` or `abort` did not return that: waits for the operation that
    /// goes on in the background, at most `max_block`. `None` if nothing is in doubt.
    ///
    /// # Errors
    ///
    /// [`Error::OutcomeUnknown`] again if it is still open after `max_block`; the terminal error of a producer that was
    /// fenced, failed or closed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the next call returns the same.
    pub async fn outcome(&mut self) -> Result<Option<TransactionOutcome>, Error> {
        if !self.last.is_in_doubt() {
            return self
                .core
                .shared
                .ended()
                .map_or(Ok(None), |error| Err(error.clone()));
        }
        let outcome = self.core.ask_in_time(ask(Request::Outcome)).await;
        self.last.set_in_doubt(outcome.is_err());
        outcome.map_err(|late| late.unknown("the last transaction's end"))?
    }

    /// The caller has to know how the last transaction ended before anything else (T-12).
    pub(super) fn require_outcome(&self) -> Result<(), Error> {
        if !self.last.is_in_doubt() {
            return Ok(());
        }
        let ended = self.core.shared.ended().cloned();
        Err(ended.unwrap_or_else(outcome_not_asked))
    }

    /// Closes the producer. An open transaction is aborted, also one that is [owned](OwnedTransaction) elsewhere: its
    /// calls fail with [`Error::Closed`] from then on. A commit under way is finished.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] if that took longer than `timeout`, with its cause: what is open is ended by the
    /// coordinator's transaction timeout or by the next instance.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, closing goes on in the background.
    pub async fn close(self, timeout: Duration) -> Result<(), Error> {
        self.core.close_transactional(timeout).await
    }
}

impl LastTransaction {
    fn is_in_doubt(&self) -> bool {
        self.is_in_doubt.load(Ordering::Acquire)
    }

    fn set_in_doubt(&self, is_in_doubt: bool) {
        self.is_in_doubt.store(is_in_doubt, Ordering::Release);
    }
}

/// Requests a commit or an abort; `is_asked` is set as soon as it is handed over, and from then on it goes on whether
/// its outcome is waited for or not.
async fn end(
    core: &Core,
    last: &LastTransaction,
    request: impl FnOnce(Answer<()>) -> Request,
    operation: &'static str,
    is_asked: &mut bool,
) -> Result<(), Error> {
    let command = |done| {
        *is_asked = true;
        last.set_in_doubt(true);
        Command::Transaction(request(done))
    };
    let outcome = core.ask_in_time(command).await;
    if outcome.is_ok() {
        last.set_in_doubt(false);
    }
    outcome.map_err(|late| late.unknown_if_asked(operation))?
}

/// An open transaction, which borrows its producer. Dropping it queues its abort and does not wait.
#[derive(Debug)]
#[must_use = "a transaction that is dropped is aborted"]
pub struct Transaction<'a> {
    owned: OwnedTransaction,
    producer: PhantomData<&'a mut TransactionalProducer>,
}

impl Transaction<'_> {
    /// Queues a record as part of this transaction; see [`Producer::send`](crate::Producer::send).
    ///
    /// # Errors
    ///
    /// As [`Producer::send`](crate::Producer::send). After a record that could not be queued the transaction can only
    /// be aborted, so that a commit can't silently omit it. From then on, and once a record sent before has failed,
    /// every send is rejected with [`Error::TransactionAbortable`] and its cause.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a call that is dropped before it returns has sent nothing, and the transaction can be committed.
    #[doc(alias = "produce")]
    pub async fn send(&self, record: Record<'_>) -> Result<Delivery, Error> {
        self.owned.send(record).await
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
        self.owned.send_offsets(offsets, group).await
    }

    /// Waits until the outcome of every record sent before is known, without ending the transaction.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn flush(&self) {
        self.owned.flush().await;
    }

    /// Commits: waits until all of it was appended and its commit is durable at the coordinator, at most `max_block`.
    ///
    /// Readers see it when the markers are written, shortly after.
    ///
    /// # Errors
    ///
    /// * fenced or fatal: the producer is unusable, and nothing of the transaction is visible unless the error
    ///   [`is_outcome_unknown`](Error::is_outcome_unknown);
    /// * outcome unknown: no response within `max_block`, with the last failure as its cause. The commit goes on;
    ///   [`TransactionalProducer::outcome`] returns how it ended;
    /// * [`Error::Timeout`]: the commit could not even be queued within `max_block`, and the transaction is aborted;
    /// * otherwise it could not be committed (a record or an offset failed) and was aborted; the next may begin.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the commit goes on; [`TransactionalProducer::outcome`] returns how it ended.
    #[doc(alias = "commitTransaction")]
    #[doc(alias = "commit_transaction")]
    pub async fn commit(self) -> Result<(), Error> {
        self.owned.commit().await
    }

    /// Aborts: what was not sent yet is dropped, what is on the wire is awaited, nothing becomes visible.
    ///
    /// # Errors
    ///
    /// Fenced or fatal: nothing is visible either. Outcome unknown, or [`Error::Timeout`] if it could not even be
    /// queued: no response within `max_block`; the abort goes on.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the abort goes on.
    #[doc(alias = "abortTransaction")]
    #[doc(alias = "abort_transaction")]
    pub async fn abort(self) -> Result<(), Error> {
        self.owned.abort().await
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

mod owned;
#[cfg(feature = "two-phase-commit")]
mod two_phase;

pub use owned::OwnedTransaction;

#[cfg(test)]
mod tests;
