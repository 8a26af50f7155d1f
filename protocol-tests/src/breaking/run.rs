//! A run: a cluster, its clients, all that befalls them, and what is left.

use super::Workload;
use super::checker::{Evidence, Kind, Reading, Violation, check};
use super::client::{Assignment, TRANSACTION_TIMEOUT};
use super::journal::Role;
use super::report::Report;
use super::schedule::{BrokerTrouble, NetworkTrouble, Schedule, Step};
use super::seat::{Heard, Seat, Stage};
use crate::proxy::{Proxy, Rule};
use crate::{Failure, Flavour, Isolation, Kafka, KafkaConfig, ReadRecord, scratch};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const BROKERS: i32 = 3;
/// Of a cluster for [`Workload::Late`] alone: nothing befalls its broker.
const BROKERS_OF_LATE: i32 = 1;
const PARTITIONS: i32 = 4;

/// How long after the faults something new has to succeed.
const RECOVERY_LIMIT: Duration = Duration::from_secs(30);

/// How long open transactions may take to end once their writers are gone.
const STABLE_LIMIT: Duration = Duration::from_secs(30);

/// A broker is given up for dead within seconds, as the run lasts not much longer.
const PROPERTIES: [(&str, u32); 3] = [
    ("broker.heartbeat.interval.ms", 500),
    ("broker.session.timeout.ms", 4_000),
    ("replica.lag.time.max.ms", 5_000),
];

/// What a run is to be like.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where its faults come from.
    pub seed: u64,
    /// How long they last.
    pub length: Duration,
    /// What the clients do, all of it at the same time.
    pub workloads: Vec<Workload>,
    /// Which Kafka.
    pub flavour: Flavour,
    /// The program that is a client when its first argument is `client`.
    pub program: PathBuf,
}

impl Plan {
    /// Whether the network is all that breaks.
    fn spares_brokers(&self) -> bool {
        self.workloads
            .iter()
            .all(|workload| *workload == Workload::Late)
    }

    fn brokers(&self) -> i32 {
        if self.spares_brokers() {
            BROKERS_OF_LATE
        } else {
            BROKERS
        }
    }
}

/// Does it. Logs of the clients stay in `target/kafka-logs/breaking-SEED` if something was wrong.
///
/// # Errors
///
/// What the harness could not do; broken promises are in the report.
///
/// # Panics
///
/// If a broker does not come back, or Kafka's own consumer can't read.
pub fn run(plan: &Plan) -> Result<Report, Failure> {
    let proxies = plan.workloads.len();
    let mut config = KafkaConfig::new(plan.flavour)
        .brokers(plan.brokers().unsigned_abs() as usize)
        .proxies(proxies);
    for (key, value) in PROPERTIES {
        config = config.property(key, value);
    }
    let mut kafka = Kafka::try_start(&config)?;
    let stage = Arc::new(Stage {
        program: plan.program.clone(),
        logs: scratch::log_dir()?.join(format!("breaking-{}", plan.seed)),
        begun: Instant::now(),
        heard: Mutex::default(),
    });
    std::fs::create_dir_all(&stage.logs).map_err(Failure::io("making a folder for logs"))?;
    let networks: Vec<(Workload, Proxy)> = plan
        .workloads
        .iter()
        .map(|workload| (*workload, kafka.proxy_for_good()))
        .collect();
    let mut seats = Vec::new();
    for (workload, proxy) in &networks {
        seats.extend(seats_of(*workload, proxy, plan.seed, &kafka, &stage)?);
    }
    let mut report = Report {
        seed: plan.seed,
        length: plan.length,
        ..Report::default()
    };
    break_it(plan, &mut kafka, &networks, &mut seats, &stage)?;
    recover(&mut seats, &mut report)?;
    finish(&mut seats, &kafka, &mut report)?;
    drop(seats);
    judge(&kafka, &stage, &networks, &mut report);
    if report.violations.is_empty() {
        // They hold nothing of interest then, and much of it.
        let _ = std::fs::remove_dir_all(&stage.logs);
    }
    Ok(report)
}

/// The clients of a workload, at work, and their topics.
fn seats_of(
    workload: Workload,
    proxy: &Proxy,
    seed: u64,
    kafka: &Kafka,
    stage: &Arc<Stage>,
) -> Result<Vec<Seat>, Failure> {
    let seat = |name: &'static str, role, input: Option<&str>| {
        kafka.create_topic(name, PARTITIONS, &[]);
        let assignment = Assignment {
            role,
            life: 0,
            topic: name.to_owned(),
            input: input.map(str::to_owned),
            partitions: PARTITIONS,
            bootstrap: proxy.bootstrap(),
            seed,
        };
        Seat::new(name, workload, assignment, stage)
    };
    let name = workload.name();
    Ok(match workload {
        Workload::Copy => vec![
            seat(COPIED, Role::Transact, None)?,
            seat(name, Role::Copy, Some(COPIED))?,
        ],
        Workload::Produce => vec![seat(name, Role::Produce, None)?],
        Workload::Late | Workload::Rivals | Workload::Transact => {
            vec![seat(name, Role::Transact, None)?]
        }
    })
}

/// The topic that is copied, and the client that writes to it.
const COPIED: &str = "copied";

/// Everything that goes wrong. When it returns, nothing does any more.
fn break_it(
    plan: &Plan,
    kafka: &mut Kafka,
    networks: &[(Workload, Proxy)],
    seats: &mut [Seat],
    stage: &Stage,
) -> Result<(), Failure> {
    let schedule = Schedule {
        seed: plan.seed,
        length: plan.length,
    };
    let until = Instant::now() + plan.length;
    thread::scope(|scope| {
        for (workload, proxy) in networks {
            let track = schedule.network(*workload);
            scope.spawn(move || break_network(proxy, &track, until, stage));
        }
        let clients: Vec<_> = seats
            .iter_mut()
            .map(|seat| {
                let track = schedule.client(seat.name, seat.workload, TRANSACTION_TIMEOUT);
                scope.spawn(move || seat.suffer(&track, until))
            })
            .collect();
        let brokers = if plan.spares_brokers() {
            Vec::new()
        } else {
            schedule.brokers(BROKERS)
        };
        break_brokers(kafka, &brokers, until, stage);
        for client in clients {
            client
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        Ok(())
    })
}

fn break_brokers(kafka: &mut Kafka, track: &[Step<BrokerTrouble>], until: Instant, stage: &Stage) {
    for step in track {
        rest(step.pause, until);
        if Instant::now() >= until {
            return;
        }
        match step.trouble {
            BrokerTrouble::Freeze(id, time) => {
                stage.count("broker frozen");
                kafka.freeze(id);
                rest(time, until);
                kafka.thaw(id);
            }
            BrokerTrouble::Kill(id, time) => {
                stage.count("broker killed");
                kafka.kill(id);
                rest(time, until);
                kafka.restart(id);
            }
        }
    }
    rest(until.saturating_duration_since(Instant::now()), until);
}

fn break_network(proxy: &Proxy, track: &[Step<NetworkTrouble>], until: Instant, stage: &Stage) {
    for step in track {
        rest(step.pause, until);
        if Instant::now() >= until {
            break;
        }
        match step.trouble {
            NetworkTrouble::Fault(api, fault) => {
                proxy.add(api.map_or_else(Rule::any, Rule::on), fault);
            }
            NetworkTrouble::Pause(time) => {
                stage.count("network paused");
                proxy.pause(true);
                rest(time, until);
                proxy.pause(false);
            }
            NetworkTrouble::Throttle(rate, time) => {
                stage.count("network throttled");
                proxy.limit_rate(Some(rate));
                rest(time, until);
                proxy.limit_rate(None);
            }
            NetworkTrouble::TurnAway(time) => {
                stage.count("connections turned away");
                proxy.turn_away(true);
                proxy.cut_all();
                rest(time, until);
                proxy.turn_away(false);
            }
        }
    }
    proxy.clear();
}

/// Waits so long, and not past the end.
fn rest(time: Duration, until: Instant) {
    thread::sleep(time.min(until.saturating_duration_since(Instant::now())));
}

/// Does something with every seat at the same time.
fn at_once<'a, T: Send>(
    seats: impl Iterator<Item = &'a mut Seat>,
    what: impl Fn(&mut Seat) -> Result<T, Failure> + Sync,
) -> Result<Vec<(&'static str, T)>, Failure> {
    let what = &what;
    thread::scope(|scope| {
        let working: Vec<_> = seats
            .map(|seat| (seat.name, scope.spawn(move || what(seat))))
            .collect();
        let done = working.into_iter().map(|(name, thread)| {
            let result = thread.join();
            let result = result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            Ok((name, result))
        });
        done.collect()
    })
}

/// Demands progress of every client.
fn recover(seats: &mut [Seat], report: &mut Report) -> Result<(), Failure> {
    let calm = Instant::now();
    let recovered = at_once(seats.iter_mut(), |seat| seat.recover(calm, RECOVERY_LIMIT))?;
    for (name, time) in recovered {
        match time {
            Some(time) => {
                report.recoveries.insert(name, time);
            }
            None => report.violations.push(Violation::new(
                Kind::NoProgress,
                format!("{name}: nothing succeeded within {RECOVERY_LIMIT:?} after the faults"),
            )),
        }
    }
    Ok(())
}

/// Has everybody finish: the copies last, as they have to be complete.
fn finish(seats: &mut [Seat], kafka: &Kafka, report: &mut Report) -> Result<(), Failure> {
    for copies in [false, true] {
        let now = seats
            .iter_mut()
            .filter(|seat| (seat.role() == Role::Copy) == copies);
        let finished = at_once(now, Seat::finish)?;
        for (name, _) in finished.iter().filter(|(_, well)| !well) {
            report.violations.push(Violation::new(
                Kind::NoProgress,
                format!("{name}: could not finish what it had begun"),
            ));
        }
        for (name, _) in &finished {
            await_stable(kafka, name);
        }
    }
    Ok(())
}

/// Waits until the last transactions have ended; whether they have is for the checker to say.
fn await_stable(kafka: &Kafka, topic: &str) {
    let deadline = Instant::now() + STABLE_LIMIT;
    while kafka.end_offsets(topic, Isolation::ReadCommitted)
        != kafka.end_offsets(topic, Isolation::ReadUncommitted)
        && Instant::now() < deadline
    {
        thread::sleep(Duration::from_millis(100));
    }
}

/// Reads with Kafka's own consumer what is left, and has the checker look at it.
fn judge(kafka: &Kafka, stage: &Stage, networks: &[(Workload, Proxy)], report: &mut Report) {
    let Heard {
        histories,
        troubles,
        ..
    } = std::mem::take(&mut *stage.heard());
    let mut readings: BTreeMap<String, Reading> = histories
        .keys()
        .map(|topic| (topic.clone(), read(kafka, topic)))
        .collect();
    let input = readings.get(COPIED).cloned();
    for (topic, history) in histories {
        report.count(&topic, &history);
        let copied_from = input
            .clone()
            .filter(|_| topic == Workload::Copy.name())
            .map(|input| (input, kafka.committed_offsets(COPIED, COPIED)));
        let evidence = Evidence {
            reading: readings.remove(&topic).unwrap_or_default(),
            topic,
            history,
            copied_from,
        };
        report.violations.extend(check(&evidence));
    }
    report.troubles = troubles;
    for (_, proxy) in networks {
        for (fault, times) in proxy.seen().faults_by_name() {
            *report.troubles.entry(fault).or_default() += times;
        }
    }
}

fn read(kafka: &Kafka, topic: &str) -> Reading {
    let entry = |record: ReadRecord| {
        let value = record.text().parse().ok();
        (record.partition, record.offset, value)
    };
    let read = |isolation| {
        kafka
            .read(topic, isolation)
            .into_iter()
            .map(entry)
            .collect()
    };
    Reading {
        committed: read(Isolation::ReadCommitted),
        uncommitted: read(Isolation::ReadUncommitted),
        stable_ends: kafka.end_offsets(topic, Isolation::ReadCommitted),
        ends: kafka.end_offsets(topic, Isolation::ReadUncommitted),
    }
}
