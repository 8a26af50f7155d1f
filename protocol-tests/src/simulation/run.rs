//! One run, from the first task to the verdict.

use super::checker::{Decisions, Evidence, Kind, Log, Violation, check};
use super::instances::Takeovers;
use super::journal::Seen;
use super::nemesis;
use super::network::Network;
use super::plan::{PROGRESS, Plan, TROUBLE};
#[cfg(feature = "two-phase-commit")]
use super::workload::Workload;
use super::workload::{act, final_read};
use super::world::{GROUP, World};
use milena_broker::{Broker, Entry, Time};
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// Requests, answers and other events that a run may have; more of them are a loop that does not wait.
const EVENTS_MAX: usize = 1 << 18;
/// What the broker's clock shows at the start, in milliseconds: any day but 1970.
const START_MILLIS: i64 = 1_700_000_000_000;

/// What came of a run.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The promises that were broken.
    pub violations: Vec<Violation>,
    /// Records that were sent.
    pub records: usize,
    /// Transactions that were begun.
    pub transactions: usize,
    /// What became of transactions that were left open for a newer instance, in the two-phase workload.
    pub takeovers: Takeovers,
    /// Requests, answers, appends and the like at the broker.
    pub events: u64,
    /// How long it took by the simulated clock.
    pub simulated: Duration,
    happened: Vec<Entry>,
    seen: Seen,
}

/// Runs a plan on this thread.
#[must_use]
pub fn run(plan: &Plan) -> Outcome {
    // Clients draw their own seeds from this thread's source.
    fastrand::seed(plan.seed);
    let threads = Arc::new(AtomicUsize::new(0));
    let started = Arc::clone(&threads);
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .on_thread_start(move || {
            started.fetch_add(1, Ordering::Relaxed);
        })
        .build();
    let mut outcome = match runtime {
        Ok(runtime) => runtime.block_on(simulate(plan)),
        Err(error) => return Outcome::failed(format!("no runtime: {error}")),
    };
    if threads.load(Ordering::Relaxed) > 0 {
        // When it is done no seed decides: the next run may differ.
        let evidence = "a thread took part in the simulation".to_owned();
        let violation = Violation::new(Kind::Protocol, evidence);
        outcome.violations.push(violation);
    }
    outcome
}

impl Outcome {
    /// Everything that the broker and the applications saw, as text: the same for the same plan.
    #[must_use]
    pub fn history(&self) -> String {
        let mut text = String::new();
        for entry in &self.happened {
            let at = entry.at.unix_millis() - START_MILLIS;
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{at} {:?}", entry.event);
        }
        text.push_str(&self.seen.text());
        text
    }

    fn failed(evidence: String) -> Self {
        Self {
            violations: vec![Violation::new(Kind::Protocol, evidence)],
            happened: Vec::new(),
            seen: Seen::default(),
            records: 0,
            transactions: 0,
            takeovers: Takeovers::default(),
            events: 0,
            simulated: Duration::ZERO,
        }
    }
}

async fn simulate(plan: &Plan) -> Outcome {
    let mut random = plan.random.clone();
    let broker = match start(plan).await {
        Ok(broker) => Arc::new(broker),
        Err(error) => return Outcome::failed(format!("no broker: {error}")),
    };
    let network = Network::new(Arc::clone(&broker), plan.latency, random.fork());
    let world = Arc::new(World::new(plan.clone(), broker, network, random));
    let started = Instant::now();
    let late = live(&world, started + TROUBLE + PROGRESS).await;
    let simulated = started.elapsed();
    conclude(&world, late, simulated)
}

async fn start(plan: &Plan) -> Result<Broker, milena_broker::StartError> {
    let mut builder = Broker::builder()
        .in_memory()
        .brokers(plan.brokers)
        .seed(plan.seed)
        .clock_start(Time::from_unix_millis(START_MILLIS))
        .transaction_version(plan.transaction_version)
        .transaction_timeout_scan(Duration::from_secs(1))
        .auto_create_topics(false)
        .history_capacity(EVENTS_MAX);
    #[cfg(feature = "two-phase-commit")]
    {
        builder = builder.two_phase_commit(plan.workload == Workload::TwoPhase);
    }
    let replication = i16::try_from(plan.brokers).ok();
    for topic in plan.workload.topics() {
        let no_configs: [(&str, &str); 0] = [];
        builder = builder.topic_with(*topic, plan.partitions, replication, no_configs);
    }
    builder.start().await
}

/// Lets everybody act, until all is done or it is too late; says what was not done.
async fn live(world: &Arc<World>, deadline: Instant) -> Option<String> {
    let mut actors = JoinSet::new();
    for slot in 0..world.plan.workload.slots() {
        actors.spawn(act(Arc::clone(world), slot));
    }
    actors.spawn(nemesis::run(Arc::clone(world)));
    let all = async { while actors.join_next().await.is_some() {} };
    if timeout_at(deadline, all).await.is_err() {
        let slots = 0..world.plan.workload.slots();
        let busy: Vec<_> = slots.filter(|slot| !world.is_done(*slot)).collect();
        return Some(format!(
            "slots {busy:?} were not done {PROGRESS:?} after the faults had ended"
        ));
    }
    match timeout_at(deadline, final_read(world)).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(format!("the last reader failed: {error}")),
        Err(_) => Some(format!(
            "the last reader was not done {PROGRESS:?} after the faults had ended"
        )),
    }
}

/// The verdict.
fn conclude(world: &World, late: Option<String>, simulated: Duration) -> Outcome {
    let partitions = world.partitions();
    let logs = partitions.iter().map(|partition| {
        let batches = world.broker.log(partition.topic(), partition.partition());
        (partition.clone(), Log::read(&batches.unwrap_or_default()))
    });
    let mut violations = Vec::new();
    let mut committed = std::collections::BTreeMap::new();
    for partition in world.partitions_of("input") {
        let number = partition.partition();
        let (offset, pending) = world.broker.committed(GROUP, partition.topic(), number);
        if pending {
            let evidence = format!("an offset of {partition} waits for its transaction");
            violations.push(Violation::new(Kind::NoProgress, evidence));
        }
        committed.insert(partition, offset);
    }
    let evidence = Evidence {
        workload: world.plan.workload,
        complete: late.is_none(),
        seen: world.journal.take(),
        logs: logs.collect(),
        decisions: Decisions {
            asked: world.instances.transactions(),
            commits: world.database.commits(),
        },
        committed,
    };
    let history = world.broker.history();
    if history.forgotten() > 0 {
        let evidence = format!("more than {EVENTS_MAX} events: somebody asks in a tight loop");
        violations.push(Violation::new(Kind::NoProgress, evidence));
    }
    violations.extend(late.map(|late| Violation::new(Kind::NoProgress, late)));
    violations.extend(check(&evidence));
    Outcome {
        violations,
        happened: history.entries(),
        records: evidence.seen.writes.len(),
        transactions: evidence.seen.transactions.len(),
        takeovers: world.instances.takeovers(),
        events: history.next_number(),
        simulated,
        seen: evidence.seen,
    }
}
