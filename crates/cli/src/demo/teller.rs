//! A teller at work: transfers as transactions, some of them aborted on purpose.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use milena::config::TransactionalProducerConfig;
use milena::{Error, Record, Transaction, TransactionOutcome, TransactionalProducer};

use super::auditor::{Fate, Id};
use super::ledger::{Books, Entry, Transfer};
use super::storm::Signals;
use crate::failure::{Failure, chain};
use crate::interrupt::Interrupt;

/// What a teller says at the end of the day.
#[derive(Debug, Default)]
pub(crate) struct Day {
    pub(crate) fates: BTreeMap<Id, Fate>,
    pub(crate) aborted_on_purpose: u64,
    /// How often another instance took the seat in mid-transaction.
    pub(crate) taken_over: u64,
    /// From begin to the answer to commit.
    pub(crate) commits: Vec<Duration>,
    /// The time was up before all was done.
    pub(crate) time_was_up: bool,
    /// Why the teller went home early.
    pub(crate) ended_by: Option<String>,
}

/// One teller: a transactional producer and the books that it alone keeps.
pub(crate) struct Teller {
    pub(crate) number: usize,
    pub(crate) topic: String,
    pub(crate) books: Books,
    /// For another instance under the same transactional id.
    pub(crate) config: TransactionalProducerConfig,
    pub(crate) producer: TransactionalProducer,
    pub(crate) signals: Signals,
    pub(crate) interrupt: Interrupt,
    /// No transfer is begun after this.
    pub(crate) closing_time: Instant,
}

impl Teller {
    /// Makes so many transfers, or fewer if that cannot be.
    pub(crate) async fn work(mut self, transfers: u64) -> Day {
        let mut day = Day::default();
        for _ in 0..transfers {
            self.signals.next_turn().await;
            if self.interrupt.is_raised() {
                break;
            }
            if Instant::now() >= self.closing_time {
                day.time_was_up = true;
                break;
            }
            let Some(transfer) = self.books.plan() else {
                break;
            };
            let id = Id {
                teller: transfer.debit.teller,
                transfer: transfer.debit.transfer,
            };
            let made = if self.signals.is_taken_over(self.number) {
                self.be_taken_over(&transfer, &mut day).await
            } else {
                self.make(&transfer, &mut day).await
            };
            self.signals.count_transfer();
            match made {
                Ok(fate) => {
                    day.fates.insert(id, fate);
                    if fate == Fate::Unknown {
                        day.ended_by = Some(format!("the outcome of {id} is unknown"));
                        return day;
                    }
                }
                Err(failure) => {
                    // Whatever it was, its transaction may still be decided either way.
                    day.fates.insert(id, Fate::Unknown);
                    day.ended_by = failure.line();
                    return day;
                }
            }
        }
        if let Err(error) = self.producer.close(Duration::from_secs(30)).await {
            day.ended_by = Some(chain(&error));
        }
        day
    }

    /// One transfer from begin to end.
    async fn make(&mut self, transfer: &Transfer, day: &mut Day) -> Result<Fate, Failure> {
        let started = Instant::now();
        let transaction = self.producer.begin().await?;
        if let Err(error) = write(&transaction, &self.topic, transfer).await {
            tracing::info!(error = %chain(&error), "a transfer is aborted after a failure");
            if error.is_fatal() {
                return Err(error.into());
            }
            let aborted = transaction.abort().await;
            return self.fate(aborted, Fate::Aborted).await;
        }
        if transfer.debit.to_be_aborted {
            let aborted = transaction.abort().await;
            day.aborted_on_purpose += 1;
            return self.fate(aborted, Fate::Aborted).await;
        }
        let committed = transaction.commit().await;
        let fate = self.fate(committed, Fate::Committed).await?;
        if fate == Fate::Committed {
            day.commits.push(started.elapsed());
            self.books.book(transfer);
        }
        Ok(fate)
    }

    /// Another instance starts in mid-transaction: this one must not be able to commit any more, and the
    /// new one goes on.
    async fn be_taken_over(&mut self, transfer: &Transfer, day: &mut Day) -> Result<Fate, Failure> {
        let transaction = self.producer.begin().await?;
        let debit = send(&transaction, &self.topic, &transfer.debit).await?;
        transaction.flush().await;
        // Appended or not, it must never be seen.
        let _ = debit.await;
        let successor = TransactionalProducer::start(self.config.clone()).await?;
        // Half a transfer: whoever sees it committed sees it torn.
        let committed = transaction.commit().await;
        self.producer = successor;
        day.taken_over += 1;
        match committed {
            Ok(()) => Ok(Fate::Committed),
            // Even if this instance cannot know: the start of the other has ended it.
            Err(error) => {
                tracing::info!(error = %chain(&error), "a teller was taken over");
                Ok(Fate::Aborted)
            }
        }
    }

    /// How a transaction ended that was to end so.
    async fn fate(&mut self, ended: Result<(), Error>, meant: Fate) -> Result<Fate, Failure> {
        match ended {
            Ok(()) => Ok(meant),
            Err(error) if error.is_fatal() => Err(error.into()),
            Err(error) if error.is_outcome_unknown() => self.find_out().await,
            Err(_) => Ok(Fate::Aborted),
        }
    }

    async fn find_out(&mut self) -> Result<Fate, Failure> {
        Ok(match self.producer.outcome().await? {
            Some(TransactionOutcome::Committed) => Fate::Committed,
            Some(TransactionOutcome::Aborted) => Fate::Aborted,
            None => Fate::Unknown,
        })
    }
}

/// Writes both entries and waits until they are in the log: what is aborted on purpose shall be
/// there for a reader to see, if it saw wrong.
async fn write(
    transaction: &Transaction<'_>,
    topic: &str,
    transfer: &Transfer,
) -> Result<(), Error> {
    let debit = send(transaction, topic, &transfer.debit).await?;
    let credit = send(transaction, topic, &transfer.credit).await?;
    if transfer.debit.to_be_aborted {
        transaction.flush().await;
        debit.await?;
        credit.await?;
    }
    Ok(())
}

async fn send(
    transaction: &Transaction<'_>,
    topic: &str,
    entry: &Entry,
) -> Result<milena::Delivery, Error> {
    let key = entry.account.to_string();
    // The entry is made of numbers and names of its own: it always has a JSON form.
    let value = serde_json::to_vec(entry).unwrap_or_default();
    let record = Record::to(topic)
        .partition(entry.partitions.of(entry.side))
        .key(key.as_bytes())
        .value(&value);
    transaction.send(record).await
}
