//! Reads committed records while the bank is open and shows them to the auditor.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use milena::Consumer;
use milena::consumer::{Position, TopicPartition};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::auditor::{Auditor, Fate, Id};
use super::ledger::{Bank, Entry};
use super::venue::Venue;
use crate::consume::are_passed;
use crate::failure::{Failure, chain};
use crate::perf::progress::Progress;

const POLL: Duration = Duration::from_millis(50);
/// How long the reader waits for the last committed transfers after the tellers have gone.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was read, to the end.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) auditor: Auditor,
    /// Offsets passed, all partitions together.
    pub(crate) offsets: i64,
}

/// The reader at work.
#[derive(Debug)]
pub(crate) struct Reader {
    closing: oneshot::Sender<BTreeMap<Id, Fate>>,
    task: JoinHandle<Result<Read, Failure>>,
}

impl Reader {
    pub(crate) fn start(
        venue: &Venue,
        topic: &str,
        bank: Bank,
        transfers: u64,
    ) -> Result<Self, Failure> {
        let connect = &venue.connect;
        let config = connect
            .with_defaults(venue.reader_settings())
            .consumer(&[])?
            .build()?;
        let mut consumer = Consumer::new(config)?;
        let partitions: Vec<_> = (0..bank.partitions)
            .map(|number| TopicPartition::new(topic, number))
            .collect();
        consumer.assign(&partitions)?;
        for partition in &partitions {
            consumer.seek(partition, Position::Earliest)?;
        }
        let (closing, closed) = oneshot::channel();
        let audit = Audit {
            consumer,
            partitions,
            auditor: Auditor::new(bank),
            progress: Progress::of("transfers", transfers),
            told: 0,
            last_read: Instant::now(),
        };
        Ok(Self {
            closing,
            task: tokio::spawn(audit.run(closed)),
        })
    }

    /// The tellers have gone, and say how each transfer ended: read to the end.
    pub(crate) async fn finish(self, fates: BTreeMap<Id, Fate>) -> Result<Read, Failure> {
        // A reader that failed has gone already, and says why.
        let _ = self.closing.send(fates);
        self.task
            .await
            .map_err(|error| Failure::Said(format!("the reader vanished: {error}")))?
    }

    /// The tellers could not work.
    pub(crate) async fn abandon(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

struct Audit {
    consumer: Consumer,
    partitions: Vec<TopicPartition>,
    auditor: Auditor,
    progress: Progress,
    /// Violations that were printed.
    told: usize,
    /// When a poll last went well.
    last_read: Instant,
}

impl Audit {
    async fn run(
        mut self,
        mut closed: oneshot::Receiver<BTreeMap<Id, Fate>>,
    ) -> Result<Read, Failure> {
        let fates = loop {
            self.read().await?;
            match closed.try_recv() {
                Ok(fates) => break fates,
                Err(oneshot::error::TryRecvError::Empty) => {}
                Err(oneshot::error::TryRecvError::Closed) => break BTreeMap::new(),
            }
        };
        self.read_on(&fates).await?;
        self.auditor.close(&fates);
        let mut offsets = 0;
        for partition in &self.partitions {
            offsets += self
                .consumer
                .position(partition)?
                .map_or(0, |next| next.offset);
        }
        self.consumer.close().await;
        Ok(Read {
            auditor: self.auditor,
            offsets,
        })
    }

    /// Reads until all committed transfers have come, and past everything written until now: what
    /// comes late, or should not come at all, is seen too.
    async fn read_on(&mut self, fates: &BTreeMap<Id, Fate>) -> Result<(), Failure> {
        let deadline = Instant::now() + PATIENCE;
        while !self.has_all(fates) && Instant::now() < deadline {
            self.read().await?;
        }
        let ends = self.consumer.end_offsets(&self.partitions).await.all()?;
        while !are_passed(&self.consumer, &ends)? && Instant::now() < deadline {
            self.read().await?;
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<(), Failure> {
        let records = match self.consumer.poll(POLL).await {
            Ok(records) => records,
            // An outage, which poll tells and which may pass: the place is kept.
            Err(error) if error.is_retriable() && self.last_read.elapsed() < PATIENCE => {
                tracing::info!(error = %chain(&error), "the reader waits");
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        self.last_read = Instant::now();
        let before = self.auditor.settled();
        for record in &records {
            match record.value.map(serde_json::from_slice::<Entry>) {
                Some(Ok(entry)) => self.auditor.observe(entry),
                Some(Err(_)) | None => {
                    let place = format!("partition {}, offset {}", record.partition, record.offset);
                    self.auditor.observe_unreadable(place);
                }
            }
        }
        self.progress
            .advance((self.auditor.settled() - before) as u64);
        for violation in self.auditor.violations().iter().skip(self.told).take(1) {
            eprintln!("milena: {violation}");
        }
        self.told = self.auditor.violations().len();
        Ok(())
    }

    fn has_all(&self, fates: &BTreeMap<Id, Fate>) -> bool {
        let mut committed = fates.iter().filter(|(_, fate)| **fate == Fate::Committed);
        committed.all(|(id, _)| self.auditor.has_settled(*id))
    }
}
