//! The consumer's public handle.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use milena_connection::{Connector, TcpConnector};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::committed;
use super::driver::{self, Shared};
use super::fetch::backoff::Backoff;
use super::fetch::machine::{Machine, NotAssigned, Settings};
use super::fetch::partition::Partition;
use super::offsets;
use super::opening::open;
use super::position::ResetTarget;
use super::records::Records;
use super::results::PartitionResults;
use crate::client::Client;
use crate::config::ConsumerConfig;
use crate::error::Error;
use crate::runtime::{self, after, now};
use crate::types::{NextOffset, OffsetAndTimestamp, Position, TopicPartition};

/// Reads records from partitions that the application assigns itself.
///
/// A task of its own fetches ahead, one request per broker at a time, up to
/// `prefetch_bytes_max`; [`poll`](Self::poll) takes what is there. The position of a partition is the
/// offset that the next poll begins with: it moves when a poll returns, not when its records are
/// processed, so commit [`Records::next_offsets`] once they are.
///
/// Dropping a consumer never waits: its task ends in the background. [`close`](Self::close) waits until
/// the brokers have been told.
///
/// ```no_run
/// # async fn run() -> Result<(), milena::Error> {
/// use std::time::Duration;
/// use milena::ConsumerBuilder;
/// use milena::consumer::{Consumer, Position, TopicPartition};
///
/// let mut consumer = Consumer::new(ConsumerBuilder::new(["localhost:9092"]).build()?)?;
/// let orders = TopicPartition::new("orders", 0);
/// consumer.assign(&[orders.clone()])?;
/// consumer.seek(&orders, Position::Earliest)?;
/// loop {
///     let records = consumer.poll(Duration::from_secs(1)).await?;
///     for record in &records {
///         println!("{}: {:?}", record.offset, record.value);
///     }
/// }
/// # }
/// ```
#[derive(Debug)]
#[doc(alias = "KafkaConsumer")]
#[doc(alias = "BaseConsumer")]
#[doc(alias = "StreamConsumer")]
pub struct Consumer {
    shared: Arc<Shared>,
    /// Never sent to: the task stops when it is dropped.
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Consumer {
    /// Starts a consumer that speaks TCP. Nothing is sent before partitions are assigned.
    ///
    /// Must be called in a tokio runtime: the consumer's task runs there.
    ///
    /// # Errors
    /// [`Error::Configuration`] if the bootstrap list can't be used, [`Error::Misuse`] outside a
    /// runtime.
    pub fn new(config: ConsumerConfig) -> Result<Self, Error> {
        Self::with_connector(config, Arc::new(TcpConnector::default()))
    }

    /// Starts a consumer on a transport of the caller's.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_connector(
        config: ConsumerConfig,
        connector: Arc<dyn Connector>,
    ) -> Result<Self, Error> {
        let client = Client::with_connector(config.client.clone(), connector)?;
        Self::start_on(&client, config)
    }

    /// Starts a consumer of a client that has the client-level settings of `config`.
    pub(crate) fn start_on(client: &Client, config: ConsumerConfig) -> Result<Self, Error> {
        let runtime = runtime::runtime()?;
        let machine = Machine::new(settings(&config, client.seed()));
        let shared = Arc::new(Shared::new(machine, client.handle(), config));
        let (stop, stopped) = oneshot::channel();
        let task = runtime.spawn(driver::run(Arc::clone(&shared), stopped));
        Ok(Self { shared, stop, task })
    }

    /// Reads these partitions from now on, and no others. Those that were read before keep their
    /// position; new ones start by `offset_reset` unless [`seek`](Self::seek) says otherwise.
    ///
    /// # Errors
    /// [`Error::Misuse`] for a topic without a name or a partition below 0; nothing is changed then.
    pub fn assign(&mut self, partitions: &[TopicPartition]) -> Result<(), Error> {
        if let Some(wrong) = partitions
            .iter()
            .find(|name| name.topic().is_empty() || name.partition() < 0)
        {
            return Err(Error::misuse(format!("`{wrong}` cannot be assigned")));
        }
        self.shared.machine().assign(partitions);
        // Leaders may be known already.
        let snapshot = self.shared.cluster.snapshot();
        if snapshot.version() > 0 {
            self.shared.learn(&snapshot);
        }
        self.shared.nudge();
        Ok(())
    }

    /// The partitions that are read, in order.
    #[must_use]
    pub fn assignment(&self) -> Vec<TopicPartition> {
        self.shared.machine().assignment().cloned().collect()
    }

    /// Goes to another place in a partition. Takes effect with the next poll: nothing from before is
    /// delivered any more, and an error that ended the reading of the partition is forgotten.
    ///
    /// Places other than offsets are looked up in the background; see
    /// [`wait_for_positions`](Self::wait_for_positions).
    ///
    /// # Errors
    /// [`Error::Misuse`] for a partition that is not assigned, or an offset, epoch or time below 0.
    #[doc(alias = "seekToBeginning")]
    #[doc(alias = "seekToEnd")]
    #[doc(alias = "seek_partitions")]
    pub fn seek(&mut self, partition: &TopicPartition, to: Position) -> Result<(), Error> {
        if let Position::Offset(number) | Position::OffsetAndEpoch { offset: number, .. } = to
            && number < 0
        {
            return Err(Error::misuse(format!(
                "{number} is no offset: they begin with 0"
            )));
        }
        if let Position::OffsetAndEpoch { leader_epoch, .. } = to
            && leader_epoch < 0
        {
            return Err(Error::misuse(format!(
                "{leader_epoch} is no epoch: they begin with 0"
            )));
        }
        // On the wire -1 is the end of the log and -2 its start, and -1 is also what a record without a
        // timestamp has.
        if let Position::Timestamp(time) = to
            && time < 0
        {
            return Err(Error::misuse(format!("{time} ms is before the epoch")));
        }
        let sought = self.shared.machine().seek(partition, to);
        self.shared.nudge();
        sought.map_err(|NotAssigned| not_assigned(partition))
    }

    /// Waits for records, at most for `timeout` (`Duration::MAX` waits for ever), and takes at most `poll_records_max` of them.
    ///
    /// The result may be empty: after `timeout`, and as soon as a position moved past records that are
    /// not shown (control records, aborted transactions; R-32), which
    /// [`Records::next_offsets`] tells. With a `timeout` of zero it takes what is there. It gives fewer
    /// than `poll_records_max` also if its batches were decompressed to [`Limits::decompressed_bytes`](milena_codec::Limits::decompressed_bytes)
    /// by then.
    ///
    /// # Errors
    /// The error of one partition; the others go on with the next poll, and so does this one unless
    /// said otherwise. What was read before an error is returned first.
    ///
    /// - [`Error::CorruptRecords`], [`Error::OffsetOutOfRange`], [`Error::LogTruncated`], and
    ///   [`Error::Misuse`] without a position: every poll returns it again until the partition is sought.
    /// - [`Error::Broker`] for what the broker rejects; it is asked again. A topic or partition that does
    ///   not exist is one once metadata has said so for `retry_backoff_max` (1 s by default), as it may just
    ///   have been created, and again as often as that; records come as soon as it exists. One that is
    ///   deleted while it is read is one after `request_timeout`, as brokers that restart may not know it.
    /// - [`Error::Malformed`] for a response that is not what was requested; it is asked again. A broker whose
    ///   responses bring nothing for `request_timeout`, although there is something to read, is one too; the
    ///   cause names it, the partition and what it sends.
    /// - [`Error::Transport`] and the like: at once if waiting cannot help; after `timeout`, or `request_timeout` if
    ///   that is shorter, if no broker was ever reached (at once with `fail_unreachable_at_once`); otherwise after `request_timeout` without any. It is
    ///   tried again all the time.
    /// - [`Error::Closed`] if the consumer's task is gone, with its runtime.
    ///
    /// # Cancel safety
    /// Nothing is taken before the moment it returns: a poll that is dropped has lost nothing.
    #[doc(alias = "recv")]
    pub async fn poll(&mut self, timeout: Duration) -> Result<Records, Error> {
        let deadline = after(now(), timeout);
        let failures = self.shared.health().failures();
        // Polls that find something at once must not keep the task from fetching more.
        tokio::task::yield_now().await;
        loop {
            if let Some(records) = self.collect()? {
                return Ok(records);
            }
            if let Some(error) = self.shared.health().unrecoverable(now(), failures) {
                return Err(error);
            }
            if self.task.is_finished() {
                return Err(Error::Closed {
                    what: "the consumer",
                });
            }
            if self.wait(deadline).await.is_err() {
                let lasting = self.shared.lasting_outage();
                let outage = lasting.or_else(|| self.shared.health().unreached(failures));
                return outage.map_or_else(|| Ok(Records::default()), Err);
            }
        }
    }

    /// Waits until every assigned partition has a position, or an error that the next poll returns, at most
    /// for `timeout`.
    ///
    /// After a seek to the end this is the moment from which on every new record will be seen.
    ///
    /// # Errors
    /// [`Error::Timeout`], whose cause is what keeps a partition from getting its position, such as a leader
    /// that is missing; and as [`poll`](Self::poll) where no broker can be reached.
    ///
    /// # Cancel safety
    /// Can be dropped and called again at any time.
    pub async fn wait_for_positions(&mut self, timeout: Duration) -> Result<(), Error> {
        let started = now();
        let deadline = after(started, timeout);
        let failures = self.shared.health().failures();
        while !self.shared.machine().is_settled() {
            if let Some(error) = self.shared.health().unrecoverable(now(), failures) {
                return Err(error);
            }
            if self.wait(deadline).await.is_err() {
                return Err(Error::Timeout {
                    operation: "looking up positions".into(),
                    elapsed: now().saturating_duration_since(started),
                    cause: self.shared.unsettled_cause().map(Arc::new),
                });
            }
        }
        // What happened meanwhile is for the next poll, which looks before it waits.
        Ok(())
    }

    /// Where the next poll begins with a partition; `None` while that is being looked up.
    ///
    /// # Errors
    /// [`Error::Misuse`] for a partition that is not assigned.
    pub fn position(&self, partition: &TopicPartition) -> Result<Option<NextOffset>, Error> {
        self.read(partition, |partition| {
            partition.position.known().map(NextOffset::from)
        })
    }

    /// The last stable offset, where readers of committed records stop: the first offset of the oldest
    /// open transaction, or the high watermark. As the last answer told it; `None` before.
    ///
    /// # Errors
    /// [`Error::Misuse`] for a partition that is not assigned.
    pub fn last_stable_offset(&self, partition: &TopicPartition) -> Result<Option<i64>, Error> {
        self.read(partition, |partition| {
            partition.watermarks.last_stable_offset
        })
    }

    /// The high watermark: the end of what all in-sync replicas have. As the last answer told it;
    /// `None` before.
    ///
    /// # Errors
    /// [`Error::Misuse`] for a partition that is not assigned.
    pub fn high_watermark(&self, partition: &TopicPartition) -> Result<Option<i64>, Error> {
        self.read(partition, |partition| partition.watermarks.high_watermark)
    }

    /// The first offset that the log still has. As the last answer told it; `None` before.
    ///
    /// # Errors
    /// [`Error::Misuse`] for a partition that is not assigned.
    pub fn log_start_offset(&self, partition: &TopicPartition) -> Result<Option<i64>, Error> {
        self.read(partition, |partition| partition.watermarks.log_start_offset)
    }

    /// How many offsets the position is behind the end of what this consumer may see: the last stable
    /// offset under [`IsolationLevel::ReadCommitted`](super::IsolationLevel::ReadCommitted), the high watermark otherwise (R-40, L-24).
    ///
    /// Counts offsets, of which not all need be records. An open transaction holds the last stable
    /// offset back: a lag of 0 below the [high watermark](Self::high_watermark) says that a reader of
    /// committed records waits for one to end (R-98). `None` before the first answer.
    ///
    /// # Errors
    /// [`Error::Misuse`] for a partition that is not assigned.
    #[doc(alias = "currentLag")]
    pub fn lag(&self, partition: &TopicPartition) -> Result<Option<u64>, Error> {
        let level = self.shared.config.isolation_level;
        self.read(partition, |partition| partition.lag(level))
    }

    /// Stops fetching and delivering these partitions. What was fetched is kept for
    /// [`resume`](Self::resume) (R-37).
    ///
    /// # Errors
    /// [`Error::Misuse`] if one is not assigned; none is paused then.
    pub fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), Error> {
        self.change(partitions, Machine::pause)
    }

    /// Goes on with partitions that were paused.
    ///
    /// # Errors
    /// [`Error::Misuse`] if one is not assigned; none is resumed then.
    pub fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), Error> {
        self.change(partitions, Machine::resume)
    }

    /// The first offset that each of these logs still has, asked of the leaders now. They need not be
    /// assigned.
    ///
    /// Each partition has its own result, within `request_timeout`: one without a leader, or whose topic
    /// does not exist, delays the others until then and does not fail them.
    ///
    /// # Errors
    /// Per partition: [`Error::Broker`] with what the broker rejects; [`Error::Timeout`] after
    /// `request_timeout`, with what stood in the way last as its cause; [`Error::Transport`] at once if no
    /// broker was ever reached.
    ///
    /// # Cancel safety
    /// Can be dropped and called again at any time.
    #[doc(alias = "beginningOffsets")]
    #[doc(alias = "query_watermark_offsets")]
    #[doc(alias = "fetch_watermarks")]
    pub async fn beginning_offsets(&self, partitions: &[TopicPartition]) -> PartitionResults<i64> {
        self.ends(partitions, ResetTarget::Earliest).await
    }

    /// The end of what this consumer may see of each of these logs, asked of the leaders now: the last stable
    /// offset under [`IsolationLevel::ReadCommitted`](super::IsolationLevel::ReadCommitted), the high
    /// watermark otherwise. They need not be assigned.
    ///
    /// # Errors
    /// As [`beginning_offsets`](Self::beginning_offsets).
    ///
    /// # Cancel safety
    /// Can be dropped and called again at any time.
    #[doc(alias = "endOffsets")]
    #[doc(alias = "query_watermark_offsets")]
    #[doc(alias = "fetch_watermarks")]
    pub async fn end_offsets(&self, partitions: &[TopicPartition]) -> PartitionResults<i64> {
        self.ends(partitions, ResetTarget::Latest).await
    }

    /// For each of these partitions, the first record with this time or a later one, in milliseconds
    /// since the epoch; `None` if there is none, or none that this consumer may see yet.
    ///
    /// # Errors
    /// As [`beginning_offsets`](Self::beginning_offsets); [`Error::Misuse`] for a time below 0.
    ///
    /// # Cancel safety
    /// Can be dropped and called again at any time.
    #[doc(alias = "offsetsForTimes")]
    #[doc(alias = "offsets_for_timestamp")]
    pub async fn offsets_for_times(
        &self,
        times: &[(TopicPartition, i64)],
    ) -> PartitionResults<Option<OffsetAndTimestamp>> {
        let questions = times
            .iter()
            .map(|(name, time)| (name.clone(), ResetTarget::Timestamp(*time)));
        offsets::look_up(&self.shared, questions).await
    }

    /// What a group has committed for these partitions: where a reader that assigns its partitions itself
    /// goes on after a restart, or after an aborted transaction (R-95). `None` where nothing is
    /// committed. They need not be assigned.
    ///
    /// Waits for transactions that have offsets of this group in them to end (R-96), so that what it
    /// returns is never replaced by a commit that was under way (L-3).
    ///
    /// # Errors
    /// [`Error::Broker`] for what is refused, and never `None` in its place;
    /// [`Error::UnsupportedVersion`] from brokers before 2.5; [`Error::Timeout`] after a minute of
    /// trying.
    ///
    /// # Cancel safety
    /// Can be dropped and called again at any time.
    #[doc(alias = "committed")]
    pub async fn committed_offsets(
        &self,
        group_id: &str,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, Option<NextOffset>>, Error> {
        if partitions.is_empty() {
            return Ok(BTreeMap::new());
        }
        committed::fetch(&self.shared, group_id, partitions).await
    }

    /// Ends the consumer: the brokers' sessions and the connections are closed, which takes about a
    /// second at most. Nothing is committed.
    ///
    /// # Cancel safety
    /// Dropped early, the end goes on in the background.
    pub async fn close(self) {
        let Self { stop, task, .. } = self;
        drop(stop);
        // An error means that the task is gone, which is what we want.
        let _ = task.await;
    }

    /// Waits for news until the deadline.
    async fn wait(&self, deadline: Instant) -> Result<(), tokio::time::error::Elapsed> {
        tokio::time::timeout_at(deadline.into(), self.shared.news()).await
    }

    /// What there is to give now; `None` if there is nothing. Nothing in it waits.
    fn collect(&self) -> Result<Option<Records>, Error> {
        let records_max = self.shared.config.poll_records_max;
        loop {
            let taken = self.shared.machine().take(records_max);
            if taken.made_room {
                self.shared.nudge();
            }
            if let Some((name, fault)) = taken.fault {
                return Err(fault.into_error(&name));
            }
            let opened = open(taken, records_max, &self.shared.config.client.limits);
            let (records, failed) = opened.settle(&mut self.shared.machine());
            if !records.says_nothing() {
                return Ok(Some(records));
            }
            if !failed {
                return Ok(None);
            }
            // All that was taken could not be opened: the reason is taken next.
        }
    }

    fn read<T>(
        &self,
        name: &TopicPartition,
        read: impl FnOnce(&Partition) -> T,
    ) -> Result<T, Error> {
        let machine = self.shared.machine();
        machine
            .partition(name)
            .map(read)
            .map_err(|NotAssigned| not_assigned(name))
    }

    fn change(
        &self,
        names: &[TopicPartition],
        change: impl Fn(&mut Machine, &TopicPartition) -> Result<(), NotAssigned>,
    ) -> Result<(), Error> {
        let mut machine = self.shared.machine();
        for name in names {
            machine
                .partition(name)
                .map_err(|NotAssigned| not_assigned(name))?;
        }
        for name in names {
            change(&mut machine, name).map_err(|NotAssigned| not_assigned(name))?;
        }
        drop(machine);
        self.shared.nudge();
        Ok(())
    }

    async fn ends(&self, names: &[TopicPartition], target: ResetTarget) -> PartitionResults<i64> {
        let questions = names.iter().map(|name| (name.clone(), target));
        let found = offsets::look_up(&self.shared, questions).await;
        found.filter_map(|found| found.map(|found| found.offset))
    }
}

fn not_assigned(name: &TopicPartition) -> Error {
    Error::misuse(format!("{name} is not assigned"))
}

fn settings(config: &ConsumerConfig, seed: u64) -> Settings {
    let client = &config.client;
    Settings {
        isolation_level: config.isolation_level,
        offset_reset: config.offset_reset,
        fetch_wait_max: config.fetch_wait_max,
        partition_fetch_bytes_max: config.partition_fetch_bytes_max,
        prefetch_bytes_max: config.prefetch_bytes_max,
        decompressed_bytes_max: client.limits.decompressed_bytes,
        preferred_replica_lease: client.metadata_max_age,
        unknown_partition_timeout: client.retry_backoff_max,
        stall_timeout: client.request_timeout,
        throttle_max: client.request_timeout,
        backoff: Backoff {
            first: client.retry_backoff,
            longest: client.retry_backoff_max,
        },
        seed,
    }
}
