//! What the clients of a run do: each slot has an actor, whose process may crash and come back.

mod copy;
mod produce;
mod read;
mod transact;
#[cfg(feature = "two-phase-commit")]
mod two_phase;

use super::journal::{Fate, Life, Value};
use super::random::Random;
use super::world::World;
use milena::{Delivery, Error, ProducerBuilder, Record, TopicPartition};
use std::sync::Arc;
use std::time::Duration;

pub(super) use read::final_read;

/// The id that rivals share, and whose coordinator moves.
pub(super) const TRANSACTIONAL_ID: &str = "simulated";

/// What a run's clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Workload {
    /// Idempotent producers without transactions.
    Produce,
    /// Transactions, some of which are aborted on purpose.
    Transactions,
    /// Read, write a copy and commit the offset in one transaction, with partitions assigned by hand.
    Copy,
    /// Several producers that take the same transactional id from each other.
    Rivals,
    /// Transactions that are committed together with one of a database, by producers that take the same
    /// transactional id from each other (KIP-939); beside them transactions as usual. Drawn only with the feature
    /// `two-phase-commit`.
    TwoPhase,
}

/// What the actor of a slot does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Copier,
    /// Commits in Kafka what a database decides.
    Participant {
        /// Leaves once the faults have ended.
        leaves: bool,
    },
    Producer,
    Reader,
    /// Writes transactions under an id.
    Writer {
        transactional_id: &'static str,
        topic: &'static str,
        /// Leaves once the faults have ended.
        leaves: bool,
    },
}

/// How a life of an actor ended, other than by a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LifeEnd {
    /// There is nothing more to do.
    Done,
    /// Its client is at its end; the next one may try.
    Restart,
}

impl Workload {
    /// The topics it writes to.
    #[must_use]
    pub const fn topics(self) -> &'static [&'static str] {
        match self {
            Self::Copy => &["input", "copies"],
            Self::Produce | Self::Rivals | Self::Transactions | Self::TwoPhase => &["records"],
        }
    }

    const fn roles(self) -> &'static [Role] {
        const fn writer(transactional_id: &'static str, leaves: bool) -> Role {
            Role::Writer {
                transactional_id,
                topic: "records",
                leaves,
            }
        }
        match self {
            Self::Produce => &[Role::Producer, Role::Producer, Role::Reader],
            Self::Transactions => {
                &const {
                    [
                        writer(TRANSACTIONAL_ID, false),
                        writer("other", false),
                        Role::Reader,
                    ]
                }
            }
            Self::Copy => &[
                Role::Writer {
                    transactional_id: "feeder",
                    topic: "input",
                    leaves: false,
                },
                Role::Copier,
                Role::Copier,
                Role::Reader,
            ],
            Self::Rivals => {
                &const {
                    [
                        writer(TRANSACTIONAL_ID, false),
                        writer(TRANSACTIONAL_ID, true),
                        writer(TRANSACTIONAL_ID, true),
                        Role::Reader,
                    ]
                }
            }
            Self::TwoPhase => {
                &const {
                    [
                        Role::Participant { leaves: false },
                        Role::Participant { leaves: true },
                        writer("other", false),
                        Role::Reader,
                    ]
                }
            }
        }
    }

    /// How many actors it has.
    pub(super) const fn slots(self) -> usize {
        self.roles().len()
    }

    /// Whether several clients use one transactional id, so that one of them may be a zombie.
    pub(super) fn shares_ids(self) -> bool {
        matches!(self, Self::Copy | Self::Rivals | Self::TwoPhase)
    }

    /// Whether offsets are committed.
    pub(super) fn commits_offsets(self) -> bool {
        self == Self::Copy
    }
}

/// The actor of a slot, from its first process to its last.
pub(super) async fn act(world: Arc<World>, slot: usize) {
    let Some(role) = world.plan.workload.roles().get(slot).copied() else {
        return;
    };
    let mut random = world.random();
    loop {
        let life = world.start_life(slot);
        let actor = Actor {
            world: &world,
            slot,
            life,
        };
        let end = tokio::select! {
            biased;
            down = world.crashed(slot) => {
                // Before anything of it runs again: what it leaves behind reaches nobody.
                if let Some(host) = world.host(slot) {
                    world.network.kill(host);
                }
                tokio::time::sleep(down).await;
                continue;
            }
            end = actor.live(role, world.random()) => end,
        };
        if end == LifeEnd::Done {
            world.set_done(slot);
            return;
        }
        tokio::time::sleep(random.millis(1, 1_500)).await;
    }
}

/// What the clients of a life call themselves.
pub(super) fn client_id(life: Life) -> String {
    format!("life-{life}")
}

/// A process in a slot.
struct Actor<'a> {
    world: &'a Arc<World>,
    slot: usize,
    life: Life,
}

impl Actor<'_> {
    async fn live(&self, role: Role, random: Random) -> LifeEnd {
        match role {
            Role::Copier => self.copy(random).await,
            #[cfg(feature = "two-phase-commit")]
            Role::Participant { leaves } => self.participate(leaves, random).await,
            #[cfg(not(feature = "two-phase-commit"))]
            Role::Participant { leaves: _ } => LifeEnd::Done,
            Role::Producer => self.produce(random).await,
            Role::Reader => self.read(random).await,
            Role::Writer {
                transactional_id,
                topic,
                leaves,
            } => self.transact(transactional_id, topic, leaves, random).await,
        }
    }

    /// What the producers of a run have in common.
    fn producer(&self, random: &mut Random) -> ProducerBuilder {
        ProducerBuilder::new(self.world.broker.addresses())
            .client_id(client_id(self.life))
            .request_timeout(Duration::from_secs(2))
            .connect_timeout(Duration::from_secs(1))
            .metadata_max_age(Duration::from_secs(5))
            .max_block(Duration::from_secs(8))
            .linger(random.millis(0, 20))
            .batch_bytes(random.up_to(500))
            .max_in_flight(random.one_of(&[1, 2, 5, 5, 5], 5))
    }

    /// Sends a new record, and notes it before anything of it can be out.
    async fn send<'s, F>(
        &self,
        partition: &TopicPartition,
        transaction: Option<u64>,
        copy_of: Option<Value>,
        send: impl FnOnce(Vec<u8>) -> F,
    ) -> Result<(Value, Delivery), Error>
    where
        F: Future<Output = Result<Delivery, Error>> + 's,
    {
        let journal = &self.world.journal;
        let value = journal.sent(self.life, partition, transaction, copy_of);
        match send(bytes_of(value, copy_of)).await {
            Ok(delivery) => Ok((value, delivery)),
            Err(error) => {
                journal.fate_of_write(value, Fate::of(&error));
                Err(error)
            }
        }
    }

    /// Waits for what becomes of a record.
    async fn fate(&self, value: Value, delivery: Delivery) -> Result<(), Error> {
        match delivery.await {
            Ok(record) => {
                let offset = record.offset;
                self.world.journal.fate_of_write(value, Fate::Done(offset));
                Ok(())
            }
            Err(error) => {
                self.world.journal.fate_of_write(value, Fate::of(&error));
                Err(error)
            }
        }
    }

    async fn awake(&self) {
        self.world.awake(self.slot).await;
    }
}

/// A record for a partition. Its time is the record's number, so that no clock is in its bytes.
fn record<'a>(partition: &'a TopicPartition, bytes: &'a [u8]) -> Record<'a> {
    Record::to(partition.topic())
        .partition(partition.partition())
        .timestamp(1_000)
        .value(bytes)
}

/// A value as it is written: itself, what it is a copy of, and some bytes more.
fn bytes_of(value: Value, copy_of: Option<Value>) -> Vec<u8> {
    let mut bytes = value.to_be_bytes().to_vec();
    bytes.extend(copy_of.unwrap_or(Value::MAX).to_be_bytes());
    let filler = usize::try_from(value % 50).unwrap_or(0);
    bytes.resize(bytes.len() + filler, b'.');
    bytes
}

/// The value in a record.
pub(super) fn value_of(bytes: &[u8]) -> Option<Value> {
    bytes
        .first_chunk()
        .map(|first| Value::from_be_bytes(*first))
}
