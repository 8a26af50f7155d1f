//! The application, the sender and the machine in one thread, with one clock.

use std::collections::{BTreeMap, VecDeque};

use super::cluster::{self, Cluster, EntryFate, OFFSETS};
use super::network::{Happening, What};
use super::sender::Sender;
use super::*;

/// The transaction that is being run.
#[derive(Debug)]
struct Running {
    transaction: usize,
    direction: Direction,
    end_at: u64,
    has_begun_to_end: bool,
    aborts: bool,
    asked_to_abort: bool,
}

pub(super) struct World {
    base: Instant,
    pub(super) now: u64,
    pub(super) cluster: Cluster,
    pub(super) machine: TransactionMachine,
    pub(super) sender: Sender,
    /// How many producers there were.
    pub(super) generation: u32,
    pub(super) fates: VecDeque<Fate>,
    plans: VecDeque<(usize, Plan)>,
    running: Option<Running>,
    pub(super) told: BTreeMap<usize, Told>,
    /// Records acknowledged, by transaction.
    pub(super) acknowledged: BTreeMap<usize, usize>,
    queue: BTreeMap<(u64, u64), Happening>,
    pub(super) queued: u64,
    pub(super) markers_are_due: bool,
    level: TransactionVersion,
    level_changes_at: Option<usize>,
    pub(super) outstanding: u32,
    pub(super) group_outstanding: u32,
    pub(super) offsets_outstanding: bool,
    pub(super) last_fault: u64,
    /// Something happened that fences a producer and cannot be prevented.
    pub(super) may_be_fenced: bool,
}

const MARKERS: u64 = 2_000;

pub(super) fn partition_named(number: usize) -> TopicPartition {
    partition(i32::try_from(number).unwrap())
}

fn config() -> TransactionConfig {
    TransactionConfig {
        transactional_id: "payments".into(),
        transaction_timeout: Duration::from_micros(cluster::TRANSACTION_TIMEOUT),
        registration_timeout: Duration::from_secs(60),
        two_phase: TwoPhase::Off,
        retry_backoff: Duration::from_millis(20),
        retry_backoff_max: Duration::from_millis(500),
        seed: 3,
    }
}

impl World {
    pub(super) fn new(script: &Script) -> Self {
        let mut plans: VecDeque<_> = script.plans.iter().cloned().enumerate().collect();
        // Whatever happened before, at the end a transaction goes through.
        let last = Plan {
            writes: vec![0, 1],
            sends_offsets: true,
            send_fails: false,
            direction: Direction::Commit,
            pause: 0,
        };
        plans.push_back((plans.len(), last));
        let mut world = Self {
            base: Instant::now(),
            now: 0,
            cluster: Cluster::new(script.remembers_timed_out_epoch),
            machine: TransactionMachine::new(config()),
            sender: Sender::default(),
            generation: 0,
            fates: script.fates.iter().copied().collect(),
            plans,
            running: None,
            told: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            queue: BTreeMap::new(),
            queued: 0,
            markers_are_due: false,
            level: script.version,
            level_changes_at: script.level_changes_at,
            outstanding: 0,
            group_outstanding: 0,
            offsets_outstanding: false,
            last_fault: 0,
            // T-71: then a time-out cannot be told from a fence.
            may_be_fenced: script.usurped_at.is_some() || !script.remembers_timed_out_epoch,
        };
        if let Some(at) = script.usurped_at {
            world.later(u64::from(at) * 1000, Happening::Usurped);
        }
        world.start();
        world
    }

    /// A new producer under the same id.
    fn start(&mut self) {
        self.machine = TransactionMachine::new(config());
        self.machine.observe(facts(self.level));
        self.machine.init().unwrap();
        self.sender = Sender::default();
        self.generation += 1;
        self.outstanding = 0;
        self.group_outstanding = 0;
        self.offsets_outstanding = false;
        assert!(self.generation < 100, "no producer lives");
    }

    pub(super) fn clock(&self) -> Instant {
        self.base + Duration::from_micros(self.now)
    }

    pub(super) fn later(&mut self, delay: u64, happening: Happening) {
        self.queued += 1;
        self.queue
            .insert((self.now + delay, self.queued), happening);
    }

    /// Until every transaction is told about and nothing is on its way.
    pub(super) fn run(mut self) -> Self {
        loop {
            let wake = self.settle();
            if self.plans.is_empty() && self.running.is_none() && self.queue.is_empty() {
                return self;
            }
            let next = self
                .queue
                .keys()
                .next()
                .map_or(u64::MAX, |(at, _)| *at)
                .min(wake);
            assert!(
                next < u64::MAX,
                "stuck: {:?} {:?}",
                self.machine,
                self.running
            );
            let limit = self.last_fault + 60_000_000;
            assert!(
                next < limit,
                "no progress: {:?} {:?}",
                self.machine,
                self.running
            );
            self.now = self.now.max(next);
            self.cluster.time_out(self.now);
            while let Some(entry) = self.queue.first_entry().filter(|e| e.key().0 <= self.now) {
                let happening = entry.remove();
                self.happen(happening);
            }
        }
    }

    /// Lets everyone do what can be done now; the moment to go on at.
    fn settle(&mut self) -> u64 {
        loop {
            let mut wake = u64::MAX;
            self.hear();
            if self.act(&mut wake) {
                continue;
            }
            if self.cluster.is_preparing() && !self.markers_are_due {
                self.markers_are_due = true;
                self.later(MARKERS, Happening::MarkersWritten);
            }
            let clock = self.clock();
            if let Some(produce) = self.sender.poll(&self.machine, clock, self.now, &mut wake) {
                self.machine
                    .produce_attempted(&partition_named(produce.partition), clock);
                self.send(What::Produce(produce, self.machine.version()));
                continue;
            }
            let output = self.machine.poll(clock, self.sender.status());
            if let Output::Send(call) = output {
                self.ask(call.request);
                continue;
            }
            if self.hear() {
                continue;
            }
            if let Output::WaitUntil(at) = output {
                assert!(at > clock, "a wait that is over");
                let at = at.duration_since(self.base).as_micros();
                wake = wake.min(u64::try_from(at).unwrap() + 1);
            }
            return wake;
        }
    }

    /// Events, for the sender. True if there were any.
    fn hear(&mut self) -> bool {
        let mut heard = false;
        while let Some(event) = self.machine.poll_event() {
            heard = true;
            match event {
                Event::IdentityChanged(_) => self.sender.identity_changed(),
                Event::FailUndrained(_) => self.sender.fail_undrained(),
                Event::Fatal(_) => assert!(self.machine.stored_error().unwrap().is_fatal(), "L-8"),
                Event::Abortable(_)
                | Event::Closed
                | Event::Flush
                | Event::OperationEnded(_)
                | Event::PartitionsAdded(_)
                | Event::TransactionEnded(_) => {}
            }
        }
        heard
    }

    /// The application. True if it did something.
    fn act(&mut self, wake: &mut u64) -> bool {
        let state = self.machine.state();
        if matches!(state, State::Fenced | State::Fatal) {
            assert_eq!(
                self.machine.poll(self.clock(), self.sender.status()),
                Output::Idle,
                "T-75"
            );
            self.give_up();
            self.start();
            return true;
        }
        if let Some(initialized) = self.machine.take_outcome(Operation::Init) {
            initialized.unwrap();
            return true;
        }
        let Some(mut running) = self.running.take() else {
            return state == State::Ready && self.begin();
        };
        let acted = self.carry_on(&mut running, wake);
        if !self.told.contains_key(&running.transaction) {
            self.running = Some(running);
        }
        acted
    }

    fn begin(&mut self) -> bool {
        let Some((transaction, plan)) = self.plans.pop_front() else {
            return false;
        };
        if self.level_changes_at == Some(transaction) {
            self.level = match self.level {
                TransactionVersion::One => TransactionVersion::Two,
                TransactionVersion::Two => TransactionVersion::One,
            };
            self.machine.observe(facts(self.level));
        }
        self.machine.begin().unwrap();
        for (number, partition) in plan.writes.iter().enumerate() {
            self.machine
                .partition_touched(&partition_named(*partition))
                .unwrap();
            self.sender.queue(
                *partition,
                Write {
                    transaction,
                    number,
                },
            );
        }
        if plan.sends_offsets {
            let number = i64::try_from(transaction).unwrap();
            let offsets = vec![offset(i32::try_from(OFFSETS).unwrap(), number)];
            self.machine
                .send_offsets(group("g", true), offsets)
                .unwrap();
        }
        if plan.send_fails {
            self.machine.send_failed(too_large());
        }
        self.running = Some(Running {
            transaction,
            direction: plan.direction,
            end_at: self.now + u64::from(plan.pause) * 1000,
            has_begun_to_end: false,
            aborts: false,
            asked_to_abort: false,
        });
        true
    }

    fn carry_on(&mut self, running: &mut Running, wake: &mut u64) -> bool {
        if !running.has_begun_to_end {
            if self.now < running.end_at {
                *wake = (*wake).min(running.end_at);
                return false;
            }
            running.has_begun_to_end = true;
            running.aborts = running.direction == Direction::Abort;
            if !running.aborts
                && let Err(error) = self.machine.commit()
            {
                assert!(error.is_abortable(), "{error:?}");
                running.aborts = true;
            }
            return true;
        }
        if !running.aborts {
            match self.machine.take_outcome(Operation::Commit) {
                None => return false,
                Some(Ok(())) => self.tell(running.transaction, Told::Committed),
                Some(Err(error)) if error.is_outcome_unknown() => {
                    self.tell(running.transaction, Told::Unknown);
                }
                Some(Err(error)) => {
                    assert!(error.is_abortable(), "{error:?}");
                    running.aborts = true;
                }
            }
            return true;
        }
        if !running.asked_to_abort {
            running.asked_to_abort = true;
            self.machine.abort().unwrap();
            return true;
        }
        match self.machine.take_outcome(Operation::Abort) {
            None => false,
            Some(outcome) => {
                outcome.unwrap();
                self.tell(running.transaction, Told::NotCommitted);
                true
            }
        }
    }

    /// The producer is at its end: what does that say about the open transaction?
    fn give_up(&mut self) {
        let Some(running) = self.running.take() else {
            return;
        };
        let told = match self.machine.take_outcome(Operation::Commit) {
            Some(Ok(())) => Told::Committed,
            Some(Err(error)) if error.is_outcome_unknown() => Told::Unknown,
            Some(Err(_)) | None => Told::NotCommitted,
        };
        self.tell(running.transaction, told);
    }

    fn tell(&mut self, transaction: usize, told: Told) {
        assert_eq!(self.told.insert(transaction, told), None);
    }

    /// What is visible is what the application was told, transaction by transaction.
    pub(super) fn check(&self, script: &Script) {
        for (transaction, told) in &self.told {
            let plan = script.plans.get(*transaction);
            let planned = plan.map_or(3, |plan| {
                plan.writes.len() + usize::from(plan.sends_offsets)
            });
            let entries: Vec<_> = self
                .cluster
                .logs
                .iter()
                .flat_map(|log| &log.entries)
                .filter(|entry| entry.write.transaction == *transaction)
                .collect();
            let mut visible: Vec<_> = entries
                .iter()
                .filter(|entry| entry.fate == EntryFate::Committed)
                .map(|entry| entry.write)
                .collect();
            visible.sort_unstable();
            visible.dedup_by(|one, other| one == other && one.number == usize::MAX);
            let count = visible.len();
            visible.dedup();
            assert_eq!(
                visible.len(),
                count,
                "{transaction} shows a record twice: {entries:?}"
            );
            let expected: &[usize] = match told {
                Told::Committed => &[planned],
                Told::NotCommitted => &[0],
                Told::Unknown => &[0, planned],
            };
            if *told == Told::Committed {
                let sent = plan.map_or(2, |plan| plan.writes.len());
                let acknowledged = self
                    .acknowledged
                    .get(transaction)
                    .copied()
                    .unwrap_or_default();
                assert_eq!(acknowledged, sent, "{transaction} committed unacknowledged");
            }
            let fails = plan.is_some_and(|plan| plan.send_fails);
            assert!(!fails || *told == Told::NotCommitted, "T-15");
            assert!(
                expected.contains(&count),
                "{transaction} was told {told:?}, {count} of {planned} are visible: {entries:?}"
            );
        }
    }
}
