//! What becomes of requests on their way.

use super::cluster::OFFSETS;
use super::sender::{Answered, Produce};
use super::world::{World, partition_named};
use super::*;

/// Something on its way.
#[derive(Debug)]
pub(super) enum Happening {
    /// A request reaches the cluster; its answer follows unless nobody waits any more.
    Arrives {
        sent: Sent,
        fate: Fate,
        answered: bool,
    },
    Returns {
        sent: Sent,
        answer: Answer,
    },
    MarkersWritten,
    Usurped,
}

#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) generation: u32,
    pub(super) what: What,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Ask(Request, TransactionVersion),
    Produce(Produce, TransactionVersion),
}

#[derive(Clone, Debug)]
pub(super) enum Answer {
    Code(ErrorCode),
    Identity(ProducerIdentity),
    Described(DescribedTransaction),
    Broker,
    NotSent,
    Ambiguous,
}
const REQUEST_TIMEOUT: u64 = 200_000;

impl World {
    /// The machine sends: what must hold then, holds.
    pub(super) fn ask(&mut self, request: Request) {
        let outstanding = if goes_to_group(&request) {
            &mut self.group_outstanding
        } else {
            &mut self.outstanding
        };
        *outstanding += 1;
        assert_eq!(*outstanding, 1, "T-30: {request:?}");
        self.offsets_outstanding |= matches!(request, Request::TxnOffsetCommit { .. });
        if let Request::EndTxn { direction, .. } = &request {
            assert_eq!(self.sender.status(), NO_WORK, "T-34");
            assert!(!self.offsets_outstanding, "T-34");
            let pending = self.machine.pending_operation().unwrap();
            assert_eq!(pending, direction.operation(), "T-64");
        }
        if let Request::InitProducerId { producer, .. } = &request {
            let is_first = self.machine.state() == State::Initializing;
            assert_eq!(producer.is_some(), !is_first, "T-44");
        }
        self.send(What::Ask(request, self.machine.version()));
    }

    pub(super) fn send(&mut self, what: What) {
        let sent = Sent {
            generation: self.generation,
            what,
        };
        let fate = self.fates.pop_front().unwrap_or(Fate::Delivered);
        if fate != Fate::Delivered {
            self.last_fault = self.now;
        }
        // A different delay for each, so that nothing falls into step.
        let delay = 500 + self.queued % 7 * 130;
        let arrives = |answered| Happening::Arrives {
            sent: sent.clone(),
            fate,
            answered,
        };
        let ambiguous = Happening::Returns {
            sent: sent.clone(),
            answer: Answer::Ambiguous,
        };
        match fate {
            Fate::Delivered | Fate::Moved | Fate::Doubtful | Fate::Misleading | Fate::Refused => {
                self.later(delay, arrives(true));
            }
            Fate::NotSent => {
                self.later(
                    delay,
                    Happening::Returns {
                        sent,
                        answer: Answer::NotSent,
                    },
                );
            }
            Fate::RequestLost => self.later(REQUEST_TIMEOUT, ambiguous),
            Fate::AnswerLost => {
                self.later(delay, arrives(false));
                self.later(REQUEST_TIMEOUT, ambiguous);
            }
            Fate::Late(millis) => {
                self.may_be_fenced |= fences_if_late(&sent.what);
                self.later(REQUEST_TIMEOUT, ambiguous);
                self.later(REQUEST_TIMEOUT + u64::from(millis) * 1000, arrives(false));
            }
        }
    }

    pub(super) fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Arrives {
                sent,
                fate,
                answered,
            } => {
                let answer = match fate {
                    Fate::Moved => Answer::Code(moved(&sent.what)),
                    Fate::Doubtful => {
                        self.apply(&sent.what, fate);
                        Answer::Code(doubtful(&sent.what))
                    }
                    Fate::Misleading
                        if matches!(sent.what, What::Ask(Request::EndTxn { .. }, _)) =>
                    {
                        self.apply(&sent.what, fate);
                        Answer::Code(ErrorCode::InvalidTxnState)
                    }
                    Fate::Delivered
                    | Fate::RequestLost
                    | Fate::AnswerLost
                    | Fate::Late(_)
                    | Fate::NotSent
                    | Fate::Misleading
                    | Fate::Refused => self.apply(&sent.what, fate),
                };
                self.last_fault = self.last_fault.max(if answered { 0 } else { self.now });
                if answered {
                    self.later(300, Happening::Returns { sent, answer });
                }
            }
            Happening::Returns { sent, answer } if sent.generation == self.generation => {
                match sent.what {
                    What::Produce(produce, _) => self.produce_returns(produce, &answer),
                    What::Ask(request, _) => self.answer(&request, &answer),
                }
            }
            Happening::Returns { .. } => {}
            Happening::MarkersWritten => {
                self.markers_are_due = false;
                self.cluster.write_markers();
            }
            Happening::Usurped => {
                self.last_fault = self.now;
                if self.cluster.init(ProducerIdentity::NONE).is_err() {
                    self.later(5_000, Happening::Usurped);
                }
            }
        }
    }

    fn apply(&mut self, what: &What, fate: Fate) -> Answer {
        let code =
            |result: Result<(), ErrorCode>| Answer::Code(result.err().unwrap_or(ErrorCode::None));
        let who = |result: Result<ProducerIdentity, ErrorCode>| match result {
            Ok(identity) => Answer::Identity(identity),
            Err(code) => Answer::Code(code),
        };
        let now = self.now;
        match what {
            What::Produce(..) if fate == Fate::Refused => Answer::Code(ErrorCode::InvalidRecord),
            What::Produce(p, version) => Answer::Code(self.cluster.append(
                *version,
                p.producer,
                p.partition,
                Some(p.sequence),
                p.write,
                now,
            )),
            What::Ask(request, version) => match request {
                Request::FindCoordinator { .. } => Answer::Broker,
                Request::InitProducerId { producer, .. } => who(self.cluster.init(*producer)),
                Request::AddOffsetsToTxn { producer, .. } => {
                    code(self.cluster.add(*producer, &[OFFSETS], now))
                }
                Request::AddPartitionsToTxn {
                    producer,
                    partitions,
                } => {
                    let partitions: Vec<_> = partitions
                        .iter()
                        .map(|partition| usize::try_from(partition.partition()).unwrap())
                        .collect();
                    code(self.cluster.add(*producer, &partitions, now))
                }
                Request::TxnOffsetCommit {
                    producer, offsets, ..
                } => {
                    let transaction = usize::try_from(offsets[0].offset).unwrap();
                    let write = Write {
                        transaction,
                        number: usize::MAX,
                    };
                    let (producer, version) = (*producer, *version);
                    Answer::Code(
                        self.cluster
                            .append(version, producer, OFFSETS, None, write, now),
                    )
                }
                Request::EndTxn {
                    producer,
                    direction,
                } => who(self.cluster.end(*version, *producer, *direction)),
                Request::DescribeTransactions => Answer::Described(self.cluster.describe()),
            },
        }
    }

    fn produce_returns(&mut self, produce: Produce, answer: &Answer) {
        let code = match answer {
            Answer::Code(code) => Some(*code),
            Answer::NotSent => Some(ErrorCode::NotEnoughReplicas),
            Answer::Ambiguous | Answer::Identity(_) | Answer::Described(_) | Answer::Broker => None,
        };
        let is_concurrent = code == Some(ErrorCode::ConcurrentTransactions);
        let partition = partition_named(produce.partition);
        self.machine
            .produce_answered(&partition, is_concurrent, self.clock());
        match self.sender.answered(produce, code, self.now) {
            Answered::Acknowledged(write) => {
                *self.acknowledged.entry(write.transaction).or_default() += 1;
            }
            Answered::Failed(cause, outcome) => self.machine.batch_failed(cause, outcome),
            Answered::Nothing => {}
        }
    }

    fn answer(&mut self, request: &Request, answer: &Answer) {
        let now = self.clock();
        if goes_to_group(request) {
            self.group_outstanding -= 1;
        } else {
            self.outstanding -= 1;
        }
        self.offsets_outstanding &= !matches!(request, Request::TxnOffsetCommit { .. });
        let machine = &mut self.machine;
        match request {
            Request::FindCoordinator { kind, .. } => {
                machine.handle_find_coordinator(*kind, answer.reply(COORDINATOR), now);
            }
            Request::InitProducerId { .. } => {
                machine.handle_init_producer_id(answer.initialized(), now);
            }
            Request::AddOffsetsToTxn { .. } => {
                machine.handle_add_offsets(answer.reply(()), now);
            }
            Request::AddPartitionsToTxn { partitions, .. } => {
                let all = partitions
                    .iter()
                    .map(|p| (p.clone(), ErrorCode::None))
                    .collect();
                machine.handle_add_partitions(answer.reply(all), now);
            }
            Request::TxnOffsetCommit { offsets, .. } => {
                let all = offsets
                    .iter()
                    .map(|o| (o.partition.clone(), ErrorCode::None))
                    .collect();
                machine.handle_txn_offset_commit(answer.reply(all), now);
            }
            Request::EndTxn { .. } => machine.handle_end_txn(answer.identity(), now),
            Request::DescribeTransactions => {
                machine.handle_describe_transactions(answer.described(), now);
            }
        }
    }
}

impl Answer {
    fn reply<T>(&self, value: T) -> Reply<T> {
        match self {
            Self::Ambiguous => Reply::Ambiguous,
            Self::NotSent => Reply::NotSent(NotSent::Unreachable),
            Self::Code(code) if !code.is_none() => Reply::Refused(*code),
            Self::Code(_) | Self::Identity(_) | Self::Described(_) | Self::Broker => {
                Reply::Answered(value)
            }
        }
    }

    fn identity(&self) -> Reply<ProducerIdentity> {
        self.reply(if let Self::Identity(identity) = self {
            *identity
        } else {
            identity(-1, -1)
        })
    }

    fn initialized(&self) -> Reply<Initialized> {
        match self.identity() {
            Reply::Answered(identity) => Reply::Answered(identity.into()),
            Reply::Refused(code) => Reply::Refused(code),
            Reply::NotSent(why) => Reply::NotSent(why),
            Reply::Ambiguous => Reply::Ambiguous,
        }
    }

    fn described(&self) -> Reply<DescribedTransaction> {
        let (state, producer) = (DescribedState::Other, ProducerIdentity::NONE);
        let nothing = DescribedTransaction { state, producer };
        self.reply(if let Self::Described(described) = self {
            *described
        } else {
            nothing
        })
    }
}

fn goes_to_group(request: &Request) -> bool {
    let kind = CoordinatorKind::Group;
    matches!(request, Request::FindCoordinator { kind: found, .. } if *found == kind)
        || matches!(request, Request::TxnOffsetCommit { .. })
}

/// The first init names no epoch that could be too old. A registration of the first protocol can open a
/// transaction after the end of its own, and raising the epoch then fences whoever asks for it.
fn fences_if_late(what: &What) -> bool {
    match what {
        What::Ask(Request::InitProducerId { producer, .. }, _) => !producer.is_some(),
        What::Ask(Request::AddPartitionsToTxn { .. } | Request::AddOffsetsToTxn { .. }, _) => true,
        What::Ask(..) | What::Produce(..) => false,
    }
}

/// A leader or coordinator that is none any more.
fn moved(what: &What) -> ErrorCode {
    match what {
        What::Produce(..) => ErrorCode::NotLeaderOrFollower,
        What::Ask(Request::FindCoordinator { .. }, _) => ErrorCode::CoordinatorNotAvailable,
        What::Ask(..) => ErrorCode::NotCoordinator,
    }
}

/// Processed, and not said so.
fn doubtful(what: &What) -> ErrorCode {
    match what {
        What::Produce(..) => ErrorCode::RequestTimedOut,
        What::Ask(Request::EndTxn { .. }, _) => ErrorCode::UnknownServerError,
        What::Ask(..) => ErrorCode::CoordinatorNotAvailable,
    }
}
