//! Everything that a run does by design, drawn from its seed before it begins.

use super::fault::{Draw, TimedFault};
use super::random::Random;
use super::workload::Workload;
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

/// Faults begin in this time and have ended after it; then progress is demanded.
pub(super) const TROUBLE: Duration = Duration::from_secs(15);
/// How long after the faults have ended everything must be done.
pub(super) const PROGRESS: Duration = Duration::from_secs(30);

/// The workloads that most seeds choose from. Another one in here would make another run of every seed.
const USUAL: [Workload; 4] = [
    Workload::Produce,
    Workload::Transactions,
    Workload::Copy,
    Workload::Rivals,
];
/// One seed in so many is of the two-phase workload.
const TWO_PHASE_EVERY: u64 = 5;

/// One simulated run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Plan {
    /// What all of it comes from.
    pub seed: u64,
    /// What the clients do.
    pub workload: Workload,
    /// The cluster's `transaction.version` at the start.
    pub transaction_version: i16,
    /// Brokers of the cluster.
    pub brokers: i32,
    /// Partitions of each topic.
    pub partitions: i32,
    /// One-way delays of the network lie between these two.
    pub latency: (Duration, Duration),
    /// What goes wrong, in order. `transaction.version` goes up and down, but where clients share a transactional id
    /// it stays at 2 once it was there: Kafka itself breaks its promise otherwise.
    pub schedule: Vec<TimedFault>,
    /// Numbers of faults in the schedule that do not happen after all.
    pub without: BTreeSet<usize>,
    /// For the clients' settings and their choices.
    pub(super) random: Random,
}

impl Plan {
    /// The run of a seed.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let usual = random.one_of(&USUAL, Workload::Produce);
        let drawn_version = i16::try_from(random.up_to(2)).unwrap_or(2);
        let is_two_phase =
            cfg!(feature = "two-phase-commit") && seed % TWO_PHASE_EVERY == TWO_PHASE_EVERY - 1;
        let (workload, transaction_version) = if is_two_phase {
            // Under an older one successive transactions have the same name, so it is refused (T-45).
            (Workload::TwoPhase, 2)
        } else {
            (usual, drawn_version)
        };
        let brokers = random.one_of(&[1, 2, 3, 3], 3);
        let partitions = random.between(1, 3);
        let slowest = random.millis(1, 30);
        let mut faults = random.fork();
        let schedule = Draw {
            random: &mut faults,
            workload,
            transaction_version,
            brokers,
            partitions: workload.topics().len() * usize::try_from(partitions).unwrap_or(1),
            until: TROUBLE.mul_f32(0.8),
        }
        .schedule();
        Self {
            seed,
            workload,
            transaction_version,
            brokers,
            partitions,
            latency: (Duration::from_micros(100), slowest),
            schedule,
            without: BTreeSet::new(),
            random,
        }
    }

    /// The same run without some of its faults.
    #[must_use]
    pub fn without(mut self, faults: impl IntoIterator<Item = usize>) -> Self {
        self.without = faults.into_iter().collect();
        self
    }

    /// The faults that happen, with their numbers.
    pub fn faults(&self) -> impl Iterator<Item = (usize, &TimedFault)> {
        let happens = |(number, _): &(usize, &TimedFault)| !self.without.contains(number);
        self.schedule.iter().enumerate().filter(happens)
    }

    /// The command that repeats this run.
    #[must_use]
    pub fn command(&self) -> String {
        let mut command = format!(
            "cargo run -p milena-protocol-tests --bin simulate -- --seed {}",
            self.seed
        );
        if !self.without.is_empty() {
            let numbers: Vec<_> = self.without.iter().map(ToString::to_string).collect();
            command.push_str(" --without ");
            command.push_str(&numbers.join(","));
        }
        command
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "seed {}: {:?}, transaction.version {}, {} brokers, {} partitions a topic, up to {:?} one way",
            self.seed,
            self.workload,
            self.transaction_version,
            self.brokers,
            self.partitions,
            self.latency.1
        )?;
        for (number, fault) in self.faults() {
            writeln!(f, "  {number:>2}  {fault}")?;
        }
        Ok(())
    }
}
