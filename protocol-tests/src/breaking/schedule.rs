//! What goes wrong and when, drawn from a seed before anything does.

use super::Workload;
use crate::proxy::Fault;
use fastrand::Rng;
use kafka_protocol::messages::ApiKey;
use std::time::Duration;

/// A pause, and what happens after it. A track is done one step after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Step<T> {
    /// How long nothing happens, counted from the end of the step before.
    pub pause: Duration,
    /// What happens then.
    pub trouble: T,
}

/// Trouble in the network of one workload.
#[derive(Clone, Debug, PartialEq)]
pub enum NetworkTrouble {
    /// The next request of this kind (of any, if none) meets with the fault.
    Fault(Option<ApiKey>, Fault),
    /// Nothing gets through for a while, and nothing is lost.
    Pause(Duration),
    /// So many bytes a second for each direction of each connection, for a while.
    Throttle(u32, Duration),
    /// Every connection is cut and new ones are closed at once, for a while.
    TurnAway(Duration),
}

/// Trouble with the brokers, one at a time.
#[derive(Clone, Debug, PartialEq)]
pub enum BrokerTrouble {
    /// SIGSTOP, and SIGCONT after a while.
    Freeze(i32, Duration),
    /// SIGKILL, and a start on the same data after a while.
    Kill(i32, Duration),
}

/// Trouble with one client process.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientTrouble {
    /// SIGSTOP, and SIGCONT after a while.
    Freeze(Duration),
    /// SIGKILL, and another process in its place at once.
    Kill,
    /// Another process under the same transactional id. If the older one is frozen, for how long it is, from
    /// before the other begins.
    TakeOver(Option<Duration>),
}

/// Everything that goes wrong in a run of some length.
///
/// Each track is a function of the seed and of its own name only: a run of one workload meets with what that
/// workload met with in the run of all.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// Where all of it comes from.
    pub seed: u64,
    /// How long it lasts.
    pub length: Duration,
}

impl Schedule {
    /// What happens to the network of a workload.
    #[must_use]
    pub fn network(&self, workload: Workload) -> Vec<Step<NetworkTrouble>> {
        self.track(&format!("network of {}", workload.name()), |random| {
            if workload == Workload::Late {
                return Step {
                    pause: milliseconds(random, 100..400),
                    trouble: late_request(random),
                };
            }
            Step {
                pause: milliseconds(random, 30..350),
                trouble: network_trouble(workload, random),
            }
        })
    }

    /// What happens to the brokers with the ids from 1 to `brokers`.
    #[must_use]
    pub fn brokers(&self, brokers: i32) -> Vec<Step<BrokerTrouble>> {
        self.track("brokers", |random| {
            let pause = milliseconds(random, 3_000..8_000);
            let id = random.i32(1..=brokers);
            let trouble = if random.u8(..4) == 0 {
                BrokerTrouble::Freeze(id, milliseconds(random, 500..7_000))
            } else {
                BrokerTrouble::Kill(id, milliseconds(random, 10..6_000))
            };
            Step { pause, trouble }
        })
    }

    /// What happens to the client with this name. Frozen clients sleep past the given time, which is that of
    /// their transactions.
    #[must_use]
    pub fn client(
        &self,
        name: &str,
        workload: Workload,
        past: Duration,
    ) -> Vec<Step<ClientTrouble>> {
        if workload == Workload::Late {
            return Vec::new();
        }
        self.track(name, |random| {
            let pause = milliseconds(random, 2_000..8_000);
            let trouble = match workload {
                Workload::Rivals => {
                    let long = past + milliseconds(random, 500..2_000);
                    let short = milliseconds(random, 100..3_000);
                    let frozen = [None, Some(short), Some(long)];
                    ClientTrouble::TakeOver(frozen[random.usize(..3)])
                }
                // A frozen client loses a dozen times as long as a killed one.
                Workload::Copy | Workload::Late | Workload::Produce | Workload::Transact
                    if random.u8(..3) > 0 =>
                {
                    ClientTrouble::Kill
                }
                Workload::Copy | Workload::Late | Workload::Produce | Workload::Transact => {
                    ClientTrouble::Freeze(past + milliseconds(random, 500..2_000))
                }
            };
            Step { pause, trouble }
        })
    }

    /// Draws steps until their time is up.
    fn track<T>(&self, name: &str, mut draw: impl FnMut(&mut Rng) -> Step<T>) -> Vec<Step<T>> {
        let salt = name.bytes().fold(self.seed, |salt, byte| {
            salt.wrapping_mul(31).wrapping_add(byte.into())
        });
        let mut random = Rng::with_seed(salt);
        let mut steps = Vec::new();
        let mut at = Duration::ZERO;
        loop {
            let step = draw(&mut random);
            at += step.pause;
            if at >= self.length {
                return steps;
            }
            steps.push(step);
        }
    }
}

fn network_trouble(workload: Workload, random: &mut Rng) -> NetworkTrouble {
    let fault = match random.u8(..100) {
        0..25 => Fault::LoseAnswer,
        25..40 => Fault::LoseRequest,
        40..50 => Fault::DelayAnswer(milliseconds(random, 5..400)),
        50..60 => Fault::DelayRequest(milliseconds(random, 5..400)),
        60..70 => Fault::CutAnswer {
            after: random.usize(1..60),
        },
        70..80 => Fault::CutRequest {
            after: random.usize(1..200),
        },
        80..90 => Fault::LateRequest {
            after: milliseconds(random, 5..3_000),
        },
        90..93 => Fault::BlackHole,
        93..95 => return NetworkTrouble::Pause(milliseconds(random, 100..2_500)),
        95..98 => {
            let rate = random.u32(500..20_000);
            return NetworkTrouble::Throttle(rate, milliseconds(random, 200..2_000));
        }
        _ => return NetworkTrouble::TurnAway(milliseconds(random, 50..2_000)),
    };
    let aims = aims(workload);
    // Now and then at whatever comes.
    NetworkTrouble::Fault(aims.get(random.usize(..=aims.len())).copied(), fault)
}

/// A request that arrives when the transaction it belongs to is over, its successor is open, or both are over.
fn late_request(random: &mut Rng) -> NetworkTrouble {
    let after = milliseconds(random, 2..400);
    let api = match random.u8(..10) {
        0..5 => ApiKey::EndTxn,
        5..9 => ApiKey::Produce,
        _ => ApiKey::AddPartitionsToTxn,
    };
    NetworkTrouble::Fault(Some(api), Fault::LateRequest { after })
}

/// The requests that matter to a workload; those named twice are hit twice as often.
fn aims(workload: Workload) -> &'static [ApiKey] {
    match workload {
        Workload::Copy => &[
            ApiKey::AddOffsetsToTxn,
            ApiKey::AddPartitionsToTxn,
            ApiKey::EndTxn,
            ApiKey::EndTxn,
            ApiKey::Fetch,
            ApiKey::OffsetFetch,
            ApiKey::Produce,
            ApiKey::Produce,
            ApiKey::TxnOffsetCommit,
            ApiKey::TxnOffsetCommit,
        ],
        Workload::Produce => &[ApiKey::Produce, ApiKey::Produce, ApiKey::Metadata],
        Workload::Late | Workload::Rivals | Workload::Transact => &[
            ApiKey::AddPartitionsToTxn,
            ApiKey::EndTxn,
            ApiKey::EndTxn,
            ApiKey::InitProducerId,
            ApiKey::Produce,
            ApiKey::Produce,
            ApiKey::Produce,
        ],
    }
}

fn milliseconds(random: &mut Rng, range: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(random.u64(range))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const PAST: Duration = Duration::from_secs(6);

    fn schedule(seed: u64) -> Schedule {
        Schedule {
            seed,
            length: Duration::from_secs(600),
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_troubles_and_another_gives_others() {
        let one = schedule(1);
        for workload in Workload::ALL {
            assert_eq!(one.network(workload), one.network(workload));
            assert_ne!(one.network(workload), schedule(2).network(workload));
            let name = workload.name();
            let client = one.client(name, workload, PAST);
            assert_eq!(client, one.client(name, workload, PAST));
        }
        assert_eq!(one.brokers(3), one.brokers(3));
        assert_ne!(one.brokers(3), schedule(2).brokers(3));
    }

    #[test]
    fn a_longer_run_begins_as_the_shorter_one() {
        let long = schedule(3);
        let short = Schedule {
            length: Duration::from_secs(60),
            ..long
        };
        let (long, short) = (long.brokers(3), short.brokers(3));
        assert!(!short.is_empty());
        assert_eq!(long[..short.len()], short);
    }

    #[test]
    fn every_fault_that_was_asked_for_is_drawn_for_every_workload() {
        for workload in Workload::ALL {
            let names: BTreeSet<&str> = schedule(4)
                .network(workload)
                .iter()
                .map(|step| match step.trouble {
                    NetworkTrouble::Fault(_, fault) => fault.name(),
                    NetworkTrouble::Pause(_) => "pause",
                    NetworkTrouble::Throttle(..) => "throttle",
                    NetworkTrouble::TurnAway(_) => "turned away",
                })
                .collect();
            let expected = [
                "answer cut mid-frame",
                "answer delayed",
                "answer lost",
                "black hole",
                "pause",
                "request cut mid-frame",
                "request delayed",
                "request late",
                "request lost",
                "throttle",
                "turned away",
            ];
            assert_eq!(names, expected.into(), "{workload:?}");
        }
    }

    #[test]
    fn late_requests_are_all_that_befalls_the_workload_of_that_name() {
        let track = schedule(6).network(Workload::Late);
        for api in [ApiKey::EndTxn, ApiKey::Produce, ApiKey::AddPartitionsToTxn] {
            assert!(track.iter().any(|step| matches!(
                step.trouble,
                NetworkTrouble::Fault(Some(aim), Fault::LateRequest { .. }) if aim == api
            )));
        }
        assert!(track.iter().all(|step| matches!(
            step.trouble,
            NetworkTrouble::Fault(_, Fault::LateRequest { .. })
        )));
        assert!(schedule(6).client("late", Workload::Late, PAST).is_empty());
    }

    #[test]
    fn frozen_clients_sleep_past_their_transactions_time() {
        for step in schedule(5).client("copy", Workload::Copy, PAST) {
            if let ClientTrouble::Freeze(time) = step.trouble {
                assert!(time > PAST);
            }
        }
        let rivals = schedule(5).client("rivals", Workload::Rivals, PAST);
        let frozen = |step: &Step<ClientTrouble>| matches!(step.trouble, ClientTrouble::TakeOver(Some(time)) if time > PAST);
        assert!(rivals.iter().any(frozen));
        assert!(rivals.iter().any(|step| !frozen(step)));
    }
}
