//! Two-phase commit (KIP-939): the handles' share of it.

use std::sync::Arc;

use milena_connection::{Connector, TcpConnector};

use super::{OwnedTransaction, Transaction, TransactionalProducer, ask, end};
use crate::client::Client;
use crate::config::TransactionalProducerConfig;
use crate::error::Error;
use crate::transaction::session::{Answer, Request};
use crate::transaction::{PreparedTransaction, TransactionOutcome, TwoPhase};

/// Two-phase commit (KIP-939). Experimental, behind the feature `two-phase-commit`: no released Apache Kafka broker
/// offers it; the embedded broker of `milena-broker` does.
///
/// A transaction of Kafka and one of a database become one: both happen, or neither does.
///
/// ```no_run
/// # use milena::{Error, PreparedTransaction, ProducerBuilder, Record, TransactionalProducer};
/// # struct Database;
/// # impl Database {
/// #     fn prepared(&self) -> Result<Option<PreparedTransaction>, Error> { Ok(None) }
/// #     fn transfer(&mut self, _: &PreparedTransaction) -> Result<(), Error> { Ok(()) }
/// # }
/// # async fn run(mut database: Database) -> Result<(), Error> {
/// let config = ProducerBuilder::new(["localhost:9092"])
///     .transactional_id("transfers-1")
///     .two_phase_commit(true)
///     .build()?;
/// // Whatever an instance before left: the database knows what was decided.
/// let (mut producer, _) = TransactionalProducer::start_keeping_prepared(config).await?;
/// producer.complete(database.prepared()?.as_ref()).await?;
///
/// let transaction = producer.begin().await?;
/// transaction.send(Record::to("transfers").value(b"alice to bob: 10")).await?;
/// let prepared = transaction.prepare().await?;
/// // One transaction of the database: what it has to do, and the name of Kafka's. Its commit is the decision.
/// match database.transfer(&prepared) {
///     Ok(()) => producer.commit_prepared().await?,
///     Err(_) => {
///         // Known to be rolled back. If even that is unknown: look, and `complete` with what is there.
///         producer.complete(database.prepared()?.as_ref()).await?;
///     }
/// }
/// # Ok(()) }
/// ```
impl TransactionalProducer {
    /// Starts a producer that speaks TCP, and keeps the transaction that an older instance left open; older instances
    /// are fenced all the same. Gives that transaction's name, if there is one: then
    /// [`complete`](Self::complete) has to come before the first [`begin`](Self::begin).
    ///
    /// [`start`](Self::start) would abort it, be it prepared or not.
    ///
    /// Kafka fences older instances, and cannot do it for the other system: an older instance that wakes up between
    /// its preparing and its decision would decide there for a commit, after this one has looked, found nothing and
    /// aborted. Where two instances can be alive at once, each has to take the other system over as well: to note
    /// itself as the owner there before it starts here, and to read and decide on condition that it still is.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start); [`Error::Misuse`] without
    /// [`two_phase_commit`](crate::ProducerBuilder::two_phase_commit). [`Error::Fatal`] with
    /// [`Error::UnsupportedVersion`] in it where the cluster cannot take part (no InitProducerId 6, or
    /// `transaction.version` below 2): before anything was asked of it. TRANSACTIONAL_ID_AUTHORIZATION_FAILED if it
    /// does not let this client (T-41, T-45).
    ///
    /// # Cancel safety
    ///
    /// Dropped early, older instances may have been fenced already; what is open stays so, and starting again is safe.
    pub async fn start_keeping_prepared(
        config: TransactionalProducerConfig,
    ) -> Result<(Self, Option<PreparedTransaction>), Error> {
        Self::start_keeping_prepared_with_connector(config, Arc::new(TcpConnector::new())).await
    }

    /// The same on a transport of the caller's.
    ///
    /// # Errors
    ///
    /// As [`start_keeping_prepared`](Self::start_keeping_prepared).
    ///
    /// # Cancel safety
    ///
    /// As [`start_keeping_prepared`](Self::start_keeping_prepared).
    pub async fn start_keeping_prepared_with_connector(
        config: TransactionalProducerConfig,
        connector: Arc<dyn Connector>,
    ) -> Result<(Self, Option<PreparedTransaction>), Error> {
        if !config.two_phase_commit {
            return Err(Error::misuse(
                "a prepared transaction is kept by producers of a two-phase commit only; build the \
                 configuration with two_phase_commit(true)",
            ));
        }
        let client = Client::with_connector(config.producer.client.clone(), connector)?;
        let producer = Self::start_as(&client, config, TwoPhase::Keeping).await?;
        let prepared = producer.prepared().await?;
        Ok((producer, prepared))
    }

    /// Ends the prepared transaction as was decided: commits it if `stored` names it, and aborts it if `stored`
    /// names another one or none. `None` if no transaction is prepared: it ended before.
    ///
    /// `stored` is what is in the other system now, after its own recovery. Of two transactions of an id no two have
    /// the same name, so that of an older one decides as none does. This is for the start, and for whenever the other
    /// system's answer was lost.
    ///
    /// # Errors
    ///
    /// As [`commit_prepared`](Self::commit_prepared). [`Error::Misuse`] while the outcome of an earlier end is
    /// unknown: ask [`outcome`](Self::outcome) first (T-12).
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the transaction is still prepared, or its end goes on; [`outcome`](Self::outcome) tells which:
    /// with `None` from there, call this again.
    #[doc(alias = "completeTransaction")]
    pub async fn complete(
        &mut self,
        stored: Option<&PreparedTransaction>,
    ) -> Result<Option<TransactionOutcome>, Error> {
        match self.prepared().await? {
            None => Ok(None),
            Some(prepared) if stored == Some(&prepared) || bug!(CompleteUnnamed) => {
                self.end_prepared(Request::Commit, "the commit").await?;
                Ok(Some(TransactionOutcome::Committed))
            }
            Some(_) => {
                self.end_prepared(Request::Abort, "the abort").await?;
                Ok(Some(TransactionOutcome::Aborted))
            }
        }
    }

    /// Commits the prepared transaction.
    ///
    /// # Errors
    ///
    /// * [`Error::Misuse`] if none is prepared;
    /// * outcome unknown: no answer within `max_block`. The commit goes on; [`outcome`](Self::outcome) tells;
    /// * fenced: a newer instance has kept the transaction, and ends it;
    /// * fatal: the commit was refused. The transaction is not aborted on that account: it is as its coordinator
    ///   has it, and a [new start](Self::start_keeping_prepared) shows how.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, as [`complete`](Self::complete).
    pub async fn commit_prepared(&mut self) -> Result<(), Error> {
        self.require_prepared().await?;
        self.end_prepared(Request::Commit, "the commit").await
    }

    /// Aborts the prepared transaction.
    ///
    /// # Errors
    ///
    /// As [`commit_prepared`](Self::commit_prepared).
    ///
    /// # Cancel safety
    ///
    /// Dropped early, as [`complete`](Self::complete).
    pub async fn abort_prepared(&mut self) -> Result<(), Error> {
        self.require_prepared().await?;
        self.end_prepared(Request::Abort, "the abort").await
    }

    async fn require_prepared(&self) -> Result<(), Error> {
        let prepared = self.prepared().await?;
        prepared.map(drop).ok_or_else(|| {
            Error::misuse("no transaction is prepared; prepare one, or start keeping what was")
        })
    }

    async fn prepared(&self) -> Result<Option<PreparedTransaction>, Error> {
        self.require_outcome()?;
        let prepared = self.core.ask_in_time(ask(Request::Prepared)).await;
        prepared.map_err(|late| late.timeout("looking for a prepared transaction"))?
    }

    async fn end_prepared(
        &mut self,
        request: impl FnOnce(Answer<()>) -> Request,
        operation: &'static str,
    ) -> Result<(), Error> {
        end(&self.core, &self.last, request, operation, &mut false).await
    }
}

impl Transaction<'_> {
    /// Prepares the transaction for a two-phase commit (KIP-939): waits until all of it was appended, and gives the
    /// name to store with the decision. It takes no more records and offsets, no timeout ends it, and it lives on
    /// whatever becomes of this process, until [`TransactionalProducer::commit_prepared`],
    /// [`abort_prepared`](TransactionalProducer::abort_prepared) or [`complete`](TransactionalProducer::complete).
    /// Readers of committed records wait behind it for as long.
    ///
    /// Experimental, behind the feature `two-phase-commit`.
    ///
    /// # Errors
    ///
    /// [`Error::Misuse`] without [`two_phase_commit`](crate::ProducerBuilder::two_phase_commit);
    /// [`Error::TransactionAbortable`] if a record or an offset failed; [`Error::Timeout`] after `max_block`; the
    /// reason of the producer's end. In every case the transaction is not prepared: it is being aborted, and the next
    /// may begin.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the transaction is aborted, as its name never reached anyone.
    #[doc(alias = "prepareTransaction")]
    pub async fn prepare(self) -> Result<PreparedTransaction, Error> {
        self.owned.prepare().await
    }
}

impl OwnedTransaction {
    /// Prepares the transaction for a two-phase commit (KIP-939). Experimental, behind the feature
    /// `two-phase-commit`.
    ///
    /// # Errors
    ///
    /// As [`Transaction::prepare`].
    ///
    /// # Cancel safety
    ///
    /// As [`Transaction::prepare`].
    pub async fn prepare(mut self) -> Result<PreparedTransaction, Error> {
        let prepared = self.core.ask_in_time(ask(Request::Prepare)).await;
        let prepared = prepared.map_err(|late| late.timeout("preparing the transaction"))??;
        // From here on a drop ends nothing.
        self.ended = true;
        Ok(prepared)
    }
}
