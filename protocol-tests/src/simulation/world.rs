//! What everybody in a run shares: the broker, the network, the journal, and who is up, asleep or gone.

use super::database::Database;
use super::instances::Instances;
use super::journal::{Journal, Life};
use super::lock;
use super::network::{HostId, Network};
use super::plan::{Plan, TROUBLE};
use super::random::Random;
use milena::TopicPartition;
use milena_broker::Broker;
use milena_connection::Connector;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

/// The group that copies commit their offsets to.
pub(super) const GROUP: &str = "copiers";

/// Successful operations that each writer owes after the faults have ended.
const OWED: u32 = 3;

/// One place for an actor; who sits in it may crash and come back as another process.
#[derive(Debug)]
pub(super) struct Slot {
    host: AtomicU32,
    /// How long the process that is to crash stays away.
    crash: Mutex<Option<Duration>>,
    crashed: Notify,
    asleep_until: Mutex<Option<Instant>>,
    /// Operations that succeeded after the faults had ended.
    successes: AtomicU32,
    done: AtomicBool,
}

/// The world of a run.
pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) broker: Arc<Broker>,
    pub(super) network: Network,
    pub(super) journal: Journal,
    pub(super) database: Database,
    pub(super) instances: Instances,
    slots: Vec<Slot>,
    hosts: AtomicU32,
    random: Mutex<Random>,
    healed: AtomicBool,
    /// Nobody sleeps longer, and no coordinator loads longer.
    trouble_ends: Instant,
}

impl World {
    pub(super) fn new(plan: Plan, broker: Arc<Broker>, network: Network, random: Random) -> Self {
        let slots = (0..plan.workload.slots()).map(|_| Slot {
            host: AtomicU32::new(0),
            crash: Mutex::new(None),
            crashed: Notify::new(),
            asleep_until: Mutex::new(None),
            successes: AtomicU32::new(0),
            done: AtomicBool::new(false),
        });
        Self {
            slots: slots.collect(),
            plan,
            broker,
            network,
            journal: Journal::default(),
            database: Database::default(),
            instances: Instances::default(),
            hosts: AtomicU32::new(0),
            random: Mutex::new(random),
            healed: AtomicBool::new(false),
            trouble_ends: Instant::now() + TROUBLE,
        }
    }

    /// All partitions, by the numbers that faults name them by.
    pub(super) fn partitions(&self) -> Vec<TopicPartition> {
        let topics = self.plan.workload.topics().iter();
        topics.flat_map(|topic| self.partitions_of(topic)).collect()
    }

    pub(super) fn partitions_of(&self, topic: &str) -> Vec<TopicPartition> {
        (0..self.plan.partitions)
            .map(|partition| TopicPartition::new(topic, partition))
            .collect()
    }

    /// A source of chance for one life of an actor.
    pub(super) fn random(&self) -> Random {
        lock(&self.random).fork()
    }

    /// A new process sits down in a slot.
    pub(super) fn start_life(&self, slot: usize) -> Life {
        let life = self.hosts.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(slot) = self.slots.get(slot) {
            slot.host.store(life, Ordering::Relaxed);
        }
        life
    }

    pub(super) fn connector(&self, life: Life) -> Arc<dyn Connector> {
        self.network.connector(HostId(life))
    }

    /// The process in a slot.
    pub(super) fn host(&self, slot: usize) -> Option<HostId> {
        let slot = self.slots.get(slot)?;
        Some(HostId(slot.host.load(Ordering::Relaxed)))
    }

    /// Crashes the process in a slot; another takes its place later.
    pub(super) fn crash(&self, slot: usize, down: Duration) {
        if let Some(slot) = self.slots.get(slot) {
            *lock(&slot.crash) = Some(down);
            slot.crashed.notify_one();
        }
    }

    /// Waits for a crash; says for how long the slot stays empty.
    pub(super) async fn crashed(&self, slot: usize) -> Duration {
        let Some(slot) = self.slots.get(slot) else {
            return std::future::pending().await;
        };
        loop {
            slot.crashed.notified().await;
            if let Some(down) = lock(&slot.crash).take() {
                return down;
            }
        }
    }

    /// Puts the application of a slot to sleep.
    pub(super) fn sleep(&self, slot: usize, lasting: Duration) {
        if let Some(slot) = self.slots.get(slot) {
            *lock(&slot.asleep_until) = Some(Instant::now() + self.within_trouble(lasting));
        }
    }

    /// What is left of the time for faults, if `lasting` is longer.
    pub(super) fn within_trouble(&self, lasting: Duration) -> Duration {
        let left = self.trouble_ends.saturating_duration_since(Instant::now());
        lasting.min(left)
    }

    /// Goes on once the application is awake.
    pub(super) async fn awake(&self, slot: usize) {
        while let Some(until) = self.asleep_until(slot) {
            sleep_until(until).await;
        }
    }

    fn asleep_until(&self, slot: usize) -> Option<Instant> {
        let until = *lock(&self.slots.get(slot)?.asleep_until);
        until.filter(|until| *until > Instant::now())
    }

    /// The application does something else for a while.
    pub(super) async fn pause(&self, slot: usize, pause: Duration) {
        sleep(pause).await;
        self.awake(slot).await;
    }

    /// From now on nothing goes wrong any more.
    pub(super) fn heal(&self) {
        self.healed.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_healed(&self) -> bool {
        self.healed.load(Ordering::Relaxed)
    }

    /// The actor in a slot did something that succeeded.
    pub(super) fn succeeded(&self, slot: usize) {
        if self.is_healed()
            && let Some(slot) = self.slots.get(slot)
        {
            slot.successes.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether a writer has done what it owes.
    pub(super) fn owes_nothing(&self, slot: usize) -> bool {
        let slot = self.slots.get(slot);
        slot.is_none_or(|slot| slot.successes.load(Ordering::Relaxed) >= OWED)
    }

    pub(super) fn set_done(&self, slot: usize) {
        if let Some(slot) = self.slots.get(slot) {
            slot.done.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn is_done(&self, slot: usize) -> bool {
        let slot = self.slots.get(slot);
        slot.is_none_or(|slot| slot.done.load(Ordering::Relaxed))
    }

    /// Whether a partition will not change any more: all that was decided is visible.
    pub(super) fn is_settled(&self, partition: &TopicPartition) -> bool {
        let marks = self
            .broker
            .watermarks(partition.topic(), partition.partition());
        marks.is_ok_and(|(stable, high)| stable == high)
    }

    /// The end of a partition.
    pub(super) fn end(&self, partition: &TopicPartition) -> i64 {
        let marks = self
            .broker
            .watermarks(partition.topic(), partition.partition());
        marks.map_or(0, |(_, high)| high)
    }
}
