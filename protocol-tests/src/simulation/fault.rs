//! What can go wrong in a simulated run, and when.

use super::random::Random;
use super::workload::Workload;
use milena_broker::{CoordinatorKind, ErrorCode, Loss};
use std::fmt;
use std::time::Duration;

pub(super) const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
const LIST_OFFSETS: i16 = 2;
const METADATA: i16 = 3;
const OFFSET_FETCH: i16 = 9;
const FIND_COORDINATOR: i16 = 10;
const API_VERSIONS: i16 = 18;
const INIT_PRODUCER_ID: i16 = 22;
const ADD_PARTITIONS_TO_TXN: i16 = 24;
const ADD_OFFSETS_TO_TXN: i16 = 25;
pub(super) const END_TXN: i16 = 26;
const TXN_OFFSET_COMMIT: i16 = 28;

/// The requests that write, and those without which nothing can be written.
const WRITING: [i16; 7] = [
    PRODUCE,
    INIT_PRODUCER_ID,
    ADD_PARTITIONS_TO_TXN,
    ADD_OFFSETS_TO_TXN,
    END_TXN,
    END_TXN,
    TXN_OFFSET_COMMIT,
];
const READING: [i16; 6] = [
    FETCH,
    LIST_OFFSETS,
    METADATA,
    OFFSET_FETCH,
    FIND_COORDINATOR,
    API_VERSIONS,
];

/// A fault and when it happens, counted from the start of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedFault {
    /// When.
    pub at: Duration,
    /// What.
    pub fault: Fault,
}

/// Trouble. Slots are the actors of the workload by number, partitions those of the run by number.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "Display says what each of them is")]
#[non_exhaustive]
pub enum Fault {
    ChangeTransactionVersion {
        to: i16,
    },
    Crash {
        slot: usize,
        down: Duration,
    },
    Cut {
        slot: Option<usize>,
        broker_id: Option<i32>,
    },
    Freeze {
        slot: Option<usize>,
        broker_id: Option<i32>,
        to_broker: bool,
        to_client: bool,
        lasting: Duration,
    },
    HoldHighWatermark {
        partition: usize,
        lasting: Duration,
    },
    HoldMarkers {
        partition: usize,
        lasting: Duration,
    },
    LoadCoordinator {
        kind: CoordinatorKind,
        lasting: Duration,
    },
    MoveCoordinator {
        kind: CoordinatorKind,
        broker_id: i32,
    },
    MoveLeader {
        partition: usize,
        broker_id: i32,
    },
    /// A client's next EndTxn is kept until so many of its Produce requests have come after it.
    Overtake {
        slot: usize,
        by: u64,
        at_most: Duration,
    },
    PauseBroker {
        broker_id: i32,
        lasting: Duration,
    },
    Requests {
        api_key: i16,
        trouble: Trouble,
    },
    Sleep {
        slot: usize,
        lasting: Duration,
    },
    Slow {
        broker_id: i32,
        by: Duration,
        lasting: Duration,
    },
    StopBroker {
        broker_id: i32,
        lasting: Duration,
    },
}

/// What happens to the next request of an API, or the next few.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as above")]
#[non_exhaustive]
pub enum Trouble {
    CutAnswer { after: usize },
    DelayAnswer { by: Duration },
    DelayRequest { by: Duration },
    Hold { lasting: Duration },
    LoseAnswer { times: u64, loss: Loss },
    LoseRequest { times: u64, loss: Loss },
    Refuse { code: ErrorCode, times: u64 },
}

impl fmt::Display for TimedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {:>6} ms  {:?}", self.at.as_millis(), self.fault)
    }
}

/// The families of faults; a run has some of them only, so that rare combinations get their turn.
const KINDS: [Kind; 17] = [
    Kind::Broker,
    Kind::Coordinator,
    Kind::Crash,
    Kind::Cut,
    Kind::CutAnswer,
    Kind::Delay,
    Kind::Freeze,
    Kind::HighWatermark,
    Kind::Hold,
    Kind::Late,
    Kind::Leader,
    Kind::LoseAnswer,
    Kind::LoseRequest,
    Kind::Markers,
    Kind::Refuse,
    Kind::Sleep,
    Kind::Version,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Broker,
    Coordinator,
    Crash,
    Cut,
    CutAnswer,
    Delay,
    Freeze,
    HighWatermark,
    Hold,
    Late,
    Leader,
    LoseAnswer,
    LoseRequest,
    Markers,
    Refuse,
    Sleep,
    Version,
}

/// Draws schedules.
pub(super) struct Draw<'a> {
    pub(super) random: &'a mut Random,
    pub(super) workload: Workload,
    /// At the start.
    pub(super) transaction_version: i16,
    pub(super) brokers: i32,
    pub(super) partitions: usize,
    /// Faults begin before this.
    pub(super) until: Duration,
}

impl Draw<'_> {
    pub(super) fn schedule(&mut self) -> Vec<TimedFault> {
        let families = 1 + self.random.up_to(5);
        let kinds = self.random.some_of(&KINDS, families);
        let count = 2 + self.random.up_to(12);
        let until = u64::try_from(self.until.as_millis()).unwrap_or(0);
        let mut schedule: Vec<_> = (0..count)
            .map(|_| {
                let kind = self.random.one_of(&kinds, Kind::Cut);
                TimedFault {
                    at: self.random.millis(50, until),
                    fault: self.fault(kind),
                }
            })
            .collect();
        schedule.sort_by_key(|fault| fault.at);
        if self.workload.shares_ids() {
            self.never_back_from_version_2(&mut schedule);
        }
        schedule
    }

    /// Once the cluster was at version 2 it stays there, where several clients use one transactional id. A client
    /// that was fenced under version 2 by one that goes on under an older version is told by Kafka that its EndTxn
    /// was done, and is handed its successor's epoch; docs/PROTOCOL.md has more of it. No client can prevent what
    /// follows from that.
    fn never_back_from_version_2(&self, schedule: &mut [TimedFault]) {
        let mut version = self.transaction_version;
        for timed in schedule {
            if let Fault::ChangeTransactionVersion { to } = &mut timed.fault {
                *to = if version == 2 { 2 } else { *to };
                version = *to;
            }
        }
    }

    fn fault(&mut self, kind: Kind) -> Fault {
        match kind {
            Kind::Broker => self.broker_fault(),
            Kind::Coordinator => self.coordinator_fault(),
            Kind::Crash => Fault::Crash {
                slot: self.slot(),
                down: self.random.millis(1, 4_000),
            },
            Kind::Cut => Fault::Cut {
                slot: self.some_slot(),
                broker_id: self.some_broker(),
            },
            Kind::CutAnswer => Fault::Requests {
                api_key: self.api(),
                trouble: Trouble::CutAnswer {
                    after: self.random.up_to(40),
                },
            },
            Kind::Delay => self.delay(),
            Kind::Freeze => self.freeze(),
            Kind::HighWatermark => Fault::HoldHighWatermark {
                partition: self.partition(),
                lasting: self.lasting(),
            },
            Kind::Hold => Fault::Requests {
                api_key: self.random.one_of(&WRITING, PRODUCE),
                trouble: Trouble::Hold {
                    lasting: self.lasting(),
                },
            },
            Kind::Late => self.late(),
            Kind::Leader => Fault::MoveLeader {
                partition: self.partition(),
                broker_id: self.broker(),
            },
            Kind::LoseAnswer => Fault::Requests {
                api_key: self.api(),
                trouble: Trouble::LoseAnswer {
                    times: self.times(),
                    loss: self.loss(),
                },
            },
            Kind::LoseRequest => Fault::Requests {
                api_key: self.api(),
                trouble: Trouble::LoseRequest {
                    times: self.times(),
                    loss: self.loss(),
                },
            },
            Kind::Markers => Fault::HoldMarkers {
                partition: self.partition(),
                lasting: self.lasting(),
            },
            Kind::Refuse => self.refusal(),
            Kind::Sleep => Fault::Sleep {
                slot: self.slot(),
                lasting: self.random.millis(100, 14_000),
            },
            Kind::Version => Fault::ChangeTransactionVersion {
                to: i16::try_from(self.random.up_to(2)).unwrap_or(0),
            },
        }
    }

    fn broker_fault(&mut self) -> Fault {
        let (broker_id, lasting) = (self.broker(), self.lasting());
        match self.random.up_to(2) {
            0 => Fault::PauseBroker { broker_id, lasting },
            1 => Fault::StopBroker { broker_id, lasting },
            _ => Fault::Slow {
                broker_id,
                by: self.random.millis(5, 1_500),
                lasting,
            },
        }
    }

    fn coordinator_fault(&mut self) -> Fault {
        let kinds = [CoordinatorKind::Group, CoordinatorKind::Transaction];
        let kind = self.random.one_of(&kinds, CoordinatorKind::Transaction);
        if self.random.percent(50) {
            return Fault::MoveCoordinator {
                kind,
                broker_id: self.broker(),
            };
        }
        Fault::LoadCoordinator {
            kind,
            lasting: self.lasting(),
        }
    }

    fn delay(&mut self) -> Fault {
        let (api_key, by) = (self.api(), self.random.millis(1, 5_000));
        if self.random.percent(50) {
            Fault::Requests {
                api_key,
                trouble: Trouble::DelayAnswer { by },
            }
        } else {
            Fault::Requests {
                api_key,
                trouble: Trouble::DelayRequest { by },
            }
        }
    }

    /// Longer than anybody waits for an answer: it takes effect when its sender is elsewhere (KAFKA-17754).
    fn late(&mut self) -> Fault {
        let lasting = self.random.millis(2_000, 7_000);
        if self.random.percent(30) {
            return Fault::Requests {
                api_key: self.random.one_of(&[END_TXN, PRODUCE], END_TXN),
                trouble: Trouble::Hold { lasting },
            };
        }
        Fault::Overtake {
            slot: self.slot(),
            by: self.times(),
            at_most: lasting,
        }
    }

    fn freeze(&mut self) -> Fault {
        let ways = self.random.up_to(2);
        Fault::Freeze {
            slot: self.some_slot(),
            broker_id: self.some_broker(),
            to_broker: ways != 0,
            to_client: ways != 1,
            lasting: self.lasting(),
        }
    }

    /// Codes that a broker answers without having done anything, and that pass.
    fn refusal(&mut self) -> Fault {
        use ErrorCode::{
            ConcurrentTransactions, CoordinatorLoadInProgress, CoordinatorNotAvailable,
            FencedLeaderEpoch, LeaderNotAvailable, NotCoordinator, NotEnoughReplicas,
            NotLeaderOrFollower, UnknownLeaderEpoch, UnknownTopicOrPartition,
        };
        let api_key = self.api();
        let codes: &[ErrorCode] = match api_key {
            PRODUCE => &[NotLeaderOrFollower, NotEnoughReplicas],
            FETCH | LIST_OFFSETS => &[NotLeaderOrFollower, FencedLeaderEpoch, UnknownLeaderEpoch],
            METADATA => &[LeaderNotAvailable],
            FIND_COORDINATOR => &[CoordinatorNotAvailable],
            OFFSET_FETCH => &[CoordinatorLoadInProgress, NotCoordinator],
            API_VERSIONS => &[],
            ADD_PARTITIONS_TO_TXN => &[
                ConcurrentTransactions,
                NotCoordinator,
                UnknownTopicOrPartition,
            ],
            TXN_OFFSET_COMMIT => &[CoordinatorLoadInProgress, NotCoordinator],
            _ => &[
                ConcurrentTransactions,
                CoordinatorLoadInProgress,
                CoordinatorNotAvailable,
                NotCoordinator,
            ],
        };
        if codes.is_empty() {
            return self.delay();
        }
        Fault::Requests {
            api_key,
            trouble: Trouble::Refuse {
                code: self.random.one_of(codes, NotCoordinator),
                times: self.times(),
            },
        }
    }

    fn api(&mut self) -> i16 {
        if self.random.percent(75) {
            self.random.one_of(&WRITING, PRODUCE)
        } else {
            self.random.one_of(&READING, FETCH)
        }
    }

    fn slot(&mut self) -> usize {
        self.random.up_to(self.workload.slots() - 1)
    }

    fn some_slot(&mut self) -> Option<usize> {
        self.random.percent(70).then(|| self.slot())
    }

    fn broker(&mut self) -> i32 {
        self.random.between(1, self.brokers)
    }

    fn some_broker(&mut self) -> Option<i32> {
        self.random.percent(60).then(|| self.broker())
    }

    fn partition(&mut self) -> usize {
        self.random.up_to(self.partitions - 1)
    }

    fn times(&mut self) -> u64 {
        1 + u64::from(self.random.percent(40)) + u64::from(self.random.percent(20))
    }

    fn loss(&mut self) -> Loss {
        self.random.one_of(
            &[Loss::Disconnect, Loss::Disconnect, Loss::Silence],
            Loss::Disconnect,
        )
    }

    /// Mostly shorter than the client's patience, sometimes longer.
    fn lasting(&mut self) -> Duration {
        if self.random.percent(70) {
            self.random.millis(10, 2_500)
        } else {
            self.random.millis(2_500, 13_000)
        }
    }
}
