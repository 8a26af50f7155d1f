//! What was measured on Kafka, epoch by epoch.

mod two_phase;

use super::operations::SETTINGS;
use super::*;
use milena_codec::record::Marker;
use milena_codec::record::Marker::{Abort, Commit};
use proptest::prelude::*;

/// One transactional id, and the hand of a clock.
struct Lab {
    coordinator: TxnCoordinator,
    now: Time,
}

type Answer = Result<(i64, i16), ErrorCode>;

const FENCED: Answer = Err(ErrorCode::ProducerFenced);
const INVALID_STATE: Answer = Err(ErrorCode::InvalidTxnState);
const CONCURRENT: Answer = Err(ErrorCode::ConcurrentTransactions);
const UNKNOWN: Answer = Err(ErrorCode::InvalidProducerIdMapping);
/// What versions 0 and 1 answer to a good EndTxn.
const OK_V1: Answer = Ok((-1, -1));

impl Lab {
    fn new(transaction_version: i16) -> Self {
        let now = Time::from_unix_millis(1_000_000);
        Self {
            coordinator: TxnCoordinator::new(SETTINGS, transaction_version, now),
            now,
        }
    }

    /// One whose transactional id has been given out: producer 0 in epoch 0.
    fn initialised(transaction_version: i16) -> Self {
        let mut lab = Self::new(transaction_version);
        assert_eq!(lab.init(None), Ok((0, 0)));
        lab
    }

    fn init(&mut self, expected: Option<(i64, i16)>) -> Answer {
        self.init_with_timeout(expected, 60_000)
    }

    fn init_with_timeout(&mut self, expected: Option<(i64, i16)>, timeout_ms: i32) -> Answer {
        let request = InitProducerId {
            transactional_id: Some("tx"),
            timeout_ms,
            expected: expected.map(identity),
            enable_two_phase: false,
            keep_prepared: false,
        };
        let answer = self.coordinator.init_producer_id(&request, self.now);
        plain(answer.map(|initialized| initialized.producer))
    }

    fn add(&mut self, producer: (i64, i16), partition: i32) -> Result<(), ErrorCode> {
        let partition = data(partition);
        self.coordinator
            .add_partitions("tx", identity(producer), [partition], self.now)
    }

    fn end(&mut self, producer: (i64, i16), marker: Marker, bumps_epoch: bool) -> Answer {
        let request = EndTxn {
            transactional_id: "tx",
            producer: identity(producer),
            marker,
            bumps_epoch,
        };
        plain(self.coordinator.end(&request, self.now))
    }

    fn end_v1(&mut self, producer: (i64, i16), marker: Marker) -> Answer {
        self.end(producer, marker, false)
    }

    fn end_v2(&mut self, producer: (i64, i16), marker: Marker) -> Answer {
        self.end(producer, marker, true)
    }

    /// Lets markers fall due and writes them; gives their epochs.
    fn write_markers(&mut self) -> Vec<(Marker, i64, i16)> {
        self.now = self.now + Duration::from_millis(1);
        let mut written = Vec::new();
        while let Some(due) = self.coordinator.markers_due(self.now) {
            let ProducerIdentity {
                producer_id,
                producer_epoch,
            } = due.producer;
            written.push((due.marker, producer_id.0, producer_epoch.0));
            for partition in &due.partitions {
                self.coordinator
                    .marker_written(&due.transactional_id, partition, self.now);
            }
        }
        written
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
        self.coordinator.scan(self.now);
    }

    /// The markers of the last end are not written: every EndTxn 5, AddPartitionsToTxn and InitProducerId has to wait.
    fn is_busy_whoever_asks(&mut self) {
        for asked in [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (0, 77), (5_000, 0)] {
            for marker in [Commit, Abort] {
                assert_eq!(self.end_v2(asked, marker), CONCURRENT, "{asked:?}");
            }
            assert_eq!(self.add(asked, 0), Err(ErrorCode::ConcurrentTransactions));
            assert_eq!(self.init(Some(asked)), CONCURRENT, "{asked:?}");
        }
        assert_eq!(self.init(None), CONCURRENT);
    }

    fn state(&self) -> (TransactionState, i64, i16) {
        let transaction = self.coordinator.transaction("tx").unwrap();
        let producer = transaction.producer();
        let (id, epoch) = (producer.producer_id.0, producer.producer_epoch.0);
        (transaction.state(), id, epoch)
    }
}

fn identity((producer_id, epoch): (i64, i16)) -> ProducerIdentity {
    ProducerIdentity::new(ProducerId(producer_id), ProducerEpoch(epoch))
}

fn plain(answer: Result<ProducerIdentity, ErrorCode>) -> Answer {
    answer.map(|producer| (producer.producer_id.0, producer.producer_epoch.0))
}

fn data(partition: i32) -> TxnPartition {
    TxnPartition {
        topic: Arc::from("t"),
        partition,
    }
}

/// As measured on Kafka: registrations.
#[test]
fn init_producer_id_bumps_once_per_caller_and_fences_the_others() {
    let mut lab = Lab::initialised(2);
    assert_eq!(lab.init(Some((0, 0))), Ok((0, 1)), "with (pid, e)");
    assert_eq!(lab.init(Some((0, 0))), Ok((0, 1)), "its retry");
    assert_eq!(lab.init(Some((0, 9))), FENCED, "an epoch from nowhere");
    assert_eq!(lab.init(Some((1_000_000, 0))), FENCED, "wrong pid");
    assert_eq!(lab.init(None), Ok((0, 2)), "a new instance");
    assert_eq!(lab.init(Some((0, 1))), FENCED, "the old instance");
    let too_long = lab.init_with_timeout(None, i32::MAX);
    assert_eq!(too_long, Err(ErrorCode::InvalidTransactionTimeout));
    let zero = lab.init_with_timeout(None, 0);
    assert_eq!(zero, Err(ErrorCode::InvalidTransactionTimeout));
}

/// P-10.
#[test]
fn without_a_transactional_id_every_answer_is_a_fresh_producer() {
    let mut lab = Lab::initialised(2);
    for fresh in 1..4 {
        let request = InitProducerId {
            transactional_id: None,
            timeout_ms: i32::MAX,
            expected: None,
            enable_two_phase: false,
            keep_prepared: false,
        };
        let answer = lab.coordinator.init_producer_id(&request, lab.now);
        let answer = answer.map(|initialized| initialized.producer);
        assert_eq!(plain(answer), Ok((fresh, 0)));
    }
}

/// As measured on Kafka, T-53, T-60, T-64.
#[test]
fn the_matrix_of_version_2() {
    let mut lab = Lab::initialised(2);
    assert_eq!(lab.end_v2((0, 0), Commit), INVALID_STATE, "Empty, commit");
    assert_eq!(lab.end_v2((0, 0), Abort), Ok((0, 1)), "Empty, abort");
    assert_eq!(lab.add((0, 1), 0), Ok(()));
    assert_eq!(lab.end_v2((0, 0), Commit), FENCED, "Ongoing, retry");
    assert_eq!(lab.end_v2((0, 0), Abort), FENCED, "Ongoing, retry");
    assert_eq!(lab.end_v2((0, 1), Commit), Ok((0, 2)), "Ongoing, commit");

    lab.is_busy_whoever_asks();
    assert_eq!(lab.add((0, 2), 0), Err(ErrorCode::ConcurrentTransactions));
    assert_eq!(lab.init(None), CONCURRENT);
    assert_eq!(lab.write_markers(), [(Commit, 0, 2)]);

    assert_eq!(
        lab.end_v2((0, 1), Commit),
        Ok((0, 2)),
        "CompleteCommit, retry"
    );
    assert_eq!(
        lab.end_v2((0, 1), Abort),
        INVALID_STATE,
        "CompleteCommit, retry"
    );
    assert_eq!(
        lab.end_v2((0, 2), Commit),
        INVALID_STATE,
        "CompleteCommit, current"
    );
    assert_eq!(
        lab.end_v2((0, 2), Abort),
        Ok((0, 3)),
        "CompleteCommit, current"
    );
    assert_eq!(
        lab.end_v2((0, 2), Abort),
        Ok((0, 3)),
        "CompleteAbort, retry"
    );
    assert_eq!(
        lab.end_v2((0, 2), Commit),
        INVALID_STATE,
        "CompleteAbort, retry"
    );
    assert_eq!(
        lab.end_v2((0, 3), Commit),
        INVALID_STATE,
        "CompleteAbort, current"
    );

    assert_eq!(lab.add((0, 3), 0), Ok(()));
    assert_eq!(lab.end_v2((0, 3), Abort), Ok((0, 4)));
    lab.is_busy_whoever_asks();
    assert_eq!(lab.write_markers(), [(Abort, 0, 4)]);
}

/// As measured on Kafka, T-53, T-65, D-36, D-41.
#[test]
fn versions_0_and_1_keep_the_epoch_so_a_late_commit_ends_the_next_transaction() {
    let mut lab = Lab::initialised(2);
    assert_eq!(lab.end_v1((0, 0), Commit), INVALID_STATE);
    assert_eq!(lab.end_v1((0, 0), Abort), INVALID_STATE);
    assert_eq!(lab.add((0, 0), 0), Ok(()));
    assert_eq!(lab.end_v1((0, 0), Commit), OK_V1);
    assert_eq!(lab.end_v1((0, 0), Commit), CONCURRENT);
    assert_eq!(lab.end_v1((0, 0), Abort), CONCURRENT);
    assert_eq!(lab.end_v1((0, 7), Commit), FENCED);
    assert_eq!(lab.end_v1((5_000, 0), Abort), UNKNOWN);
    assert_eq!(lab.write_markers(), [(Commit, 0, 0)]);
    assert_eq!(lab.end_v1((0, 0), Commit), OK_V1, "again, same epoch");
    assert_eq!(lab.end_v1((0, 0), Abort), INVALID_STATE);
    assert_eq!(lab.add((0, 0), 0), Ok(()), "the next transaction");
    assert_eq!(lab.end_v1((0, 0), Commit), OK_V1, "the late duplicate");
    assert_eq!(lab.write_markers(), [(Commit, 0, 0)]);
}

/// As measured on Kafka.
#[test]
fn nobody_ends_what_is_not_theirs() {
    let mut lab = Lab::initialised(2);
    assert_eq!(lab.end_v2((5_000, 0), Commit), UNKNOWN);
    assert_eq!(lab.end_v1((5_000, 0), Commit), UNKNOWN);
    assert_eq!(
        lab.add((5_000, 0), 0),
        Err(ErrorCode::InvalidProducerIdMapping)
    );
    assert_eq!(lab.add((0, 9), 0), Err(ErrorCode::ProducerFenced));
    let request = EndTxn {
        transactional_id: "nope",
        producer: identity((1, 0)),
        marker: Commit,
        bumps_epoch: true,
    };
    assert_eq!(plain(lab.coordinator.end(&request, lab.now)), UNKNOWN);
}

/// As measured on Kafka (T-6): mixing versions is not rejected.
#[test]
fn the_version_of_end_txn_alone_decides_the_bump() {
    let mut lab = Lab::initialised(2);
    lab.add((0, 0), 2).unwrap();
    assert_eq!(lab.end_v1((0, 0), Commit), OK_V1);
    lab.write_markers();
    assert_eq!(lab.state(), (TransactionState::CompleteCommit, 0, 0));
    lab.add((0, 0), 2).unwrap();
    assert_eq!(lab.end_v2((0, 0), Commit), Ok((0, 1)));
    lab.write_markers();
    assert_eq!(lab.state(), (TransactionState::CompleteCommit, 0, 1));
}

/// As measured on Kafka, T-71, T-72.
#[test]
fn a_transaction_that_is_open_too_long_is_aborted_at_the_next_scan() {
    for (cluster, client_bumps) in [(2, true), (2, false), (0, false)] {
        let mut lab = Lab::new(cluster);
        lab.init_with_timeout(None, 1_000).unwrap();
        lab.add((0, 0), 0).unwrap();
        lab.pass(9);
        assert_eq!(lab.state().0, TransactionState::Ongoing, "no scan yet");
        lab.pass(2);
        assert_eq!(lab.state(), (TransactionState::PrepareAbort, 0, 1));
        assert_eq!(lab.write_markers(), [(Abort, 0, 1)]);
        assert_eq!(lab.state(), (TransactionState::CompleteAbort, 0, 1));
        let end = |lab: &mut Lab, marker| lab.end((0, 0), marker, client_bumps);
        let (commit, abort) = if client_bumps {
            (INVALID_STATE, Ok((0, 1)))
        } else {
            (FENCED, FENCED)
        };
        assert_eq!(end(&mut lab, Commit), commit);
        assert_eq!(end(&mut lab, Abort), abort);
        let old_epoch = if cluster == 2 { Ok((0, 1)) } else { FENCED };
        assert_eq!(
            lab.init(Some((0, 0))),
            old_epoch,
            "cluster of version {cluster}"
        );
        assert_eq!(lab.init(None), Ok((0, 2)));
    }
}

/// As measured on Kafka, T-40, D-52.
#[test]
fn a_new_instance_aborts_an_open_transaction_and_asks_once_more() {
    for cluster in [0, 2] {
        let mut lab = Lab::initialised(cluster);
        lab.add((0, 0), 0).unwrap();
        assert_eq!(lab.init(None), CONCURRENT);
        assert_eq!(
            lab.init(None),
            CONCURRENT,
            "the markers are not written yet"
        );
        assert_eq!(lab.write_markers(), [(Abort, 0, 1)]);
        assert_eq!(lab.init(None), Ok((0, 2)));
        for marker in [Commit, Abort] {
            assert_eq!(lab.end_v2((0, 0), marker), FENCED);
        }
        assert_eq!(lab.init(Some((0, 0))), FENCED);
    }
}

/// P-63, D-59, S-97.
#[test]
fn used_up_epochs_bring_a_new_producer_id_and_its_lost_answer_is_repeated() {
    let mut lab = Lab::initialised(2);
    lab.coordinator.set_epoch("tx", ProducerEpoch(32_766));
    lab.add((0, 32_766), 0).unwrap();
    assert_eq!(lab.end_v2((0, 32_766), Commit), Ok((1, 0)));
    assert_eq!(lab.end_v2((0, 32_766), Commit), CONCURRENT);
    assert_eq!(lab.write_markers(), [(Commit, 0, 32_767)]);
    assert_eq!(lab.state(), (TransactionState::CompleteCommit, 1, 0));
    assert_eq!(lab.end_v2((0, 32_766), Commit), Ok((1, 0)), "retried");
    assert_eq!(
        lab.end_v2((0, 32_766), Abort),
        INVALID_STATE,
        "retried the other way"
    );
    lab.add((1, 0), 0).unwrap();
    let too_late = lab.end_v2((0, 32_766), Commit);
    assert_eq!(too_late, UNKNOWN, "the next transaction is under way");
}

/// P-63: InitProducerId rotates as well, and knows its retry.
#[test]
fn init_producer_id_rotates_at_the_last_usable_epoch() {
    let mut lab = Lab::initialised(2);
    lab.coordinator.set_epoch("tx", ProducerEpoch(32_765));
    assert_eq!(lab.init(None), Ok((0, 32_766)));
    assert_eq!(lab.init(Some((0, 32_766))), Ok((1, 0)));
    assert_eq!(lab.init(Some((0, 32_766))), Ok((1, 0)), "its retry");
    assert_eq!(lab.init(Some((1, 0))), Ok((1, 1)));
}

/// D-60, S-89 (KAFKA-20090).
#[test]
fn fencing_at_the_last_usable_epoch_goes_on_under_a_new_producer_id() {
    for (cluster, after_abort) in [(2, (1, 0)), (0, (0, 32_767))] {
        let mut lab = Lab::initialised(cluster);
        lab.coordinator.set_epoch("tx", ProducerEpoch(32_766));
        lab.add((0, 32_766), 0).unwrap();
        assert_eq!(lab.init(None), CONCURRENT);
        assert_eq!(lab.write_markers(), [(Abort, 0, 32_767)]);
        let (_, id, epoch) = lab.state();
        assert_eq!((id, epoch), after_abort);
        let next = if cluster == 2 { (1, 1) } else { (1, 0) };
        assert_eq!(lab.init(None), Ok(next));
    }
}

/// D-44, D-50: a marker that cannot be written keeps the transaction in Prepare and is tried again.
#[test]
fn a_transaction_is_complete_only_when_its_last_marker_is_written() {
    let mut lab = Lab::initialised(2);
    lab.add((0, 0), 0).unwrap();
    lab.add((0, 0), 1).unwrap();
    lab.end_v2((0, 0), Commit).unwrap();
    lab.now = lab.now + SETTINGS.marker_delay;
    let due = lab.coordinator.markers_due(lab.now).unwrap();
    assert_eq!(due.partitions, [data(0), data(1)]);
    assert!(lab.coordinator.markers_due(lab.now).is_none());
    lab.coordinator.marker_written("tx", &data(0), lab.now);
    assert_eq!(lab.state().0, TransactionState::PrepareCommit);
    let retry = lab.coordinator.next_deadline().unwrap();
    assert_eq!(retry.since(lab.now), Duration::from_millis(100));
    let due = lab.coordinator.markers_due(retry).unwrap();
    assert_eq!(due.partitions, [data(1)]);
    lab.coordinator.marker_written("tx", &data(1), retry);
    assert_eq!(lab.state().0, TransactionState::CompleteCommit);
    assert!(
        lab.coordinator
            .markers_due(retry + Duration::from_secs(1))
            .is_none()
    );
}

/// T-73, D-58.
#[test]
fn an_idle_transactional_id_expires_and_a_busy_one_does_not() {
    let mut lab = Lab::initialised(2);
    lab.add((0, 0), 0).unwrap();
    assert!(!lab.coordinator.forget("tx"));
    lab.end_v2((0, 0), Commit).unwrap();
    lab.write_markers();
    lab.pass(7 * 24 * 3600 - 3600);
    assert_eq!(lab.state().0, TransactionState::CompleteCommit);
    lab.pass(2 * 3600);
    assert_eq!(lab.end_v2((0, 1), Abort), UNKNOWN);
    assert_eq!(
        lab.init(Some((0, 1))),
        Ok((1, 0)),
        "whoever asks gets a new producer"
    );
}

/// P-92.
#[test]
fn membership_of_partitions_is_verified_for_the_owner_only() {
    let mut lab = Lab::initialised(2);
    let verify = |lab: &Lab, producer| {
        let partitions = [data(0), data(1)];
        lab.coordinator
            .verify_partitions("tx", identity(producer), &partitions)
    };
    assert_eq!(verify(&lab, (0, 0)), Ok(vec![false, false]));
    lab.add((0, 0), 0).unwrap();
    assert_eq!(verify(&lab, (0, 0)), Ok(vec![true, false]));
    assert_eq!(verify(&lab, (0, 1)), Err(ErrorCode::ProducerFenced));
    assert_eq!(
        verify(&lab, (1, 0)),
        Err(ErrorCode::InvalidProducerIdMapping)
    );
    lab.end_v1((0, 0), Commit).unwrap();
    assert_eq!(verify(&lab, (0, 0)), Err(ErrorCode::ConcurrentTransactions));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// T-40, T-44, T-64, T-72, L-2: with partitions beside it, whoever asks, in either protocol.
    #[test]
    fn no_request_tears_a_transaction_or_lets_a_zombie_in(
        mode: u8,
        epoch: u8,
        operations in prop::collection::vec(any::<[u8; 2]>(), 1..200),
    ) {
        operations::run(&[vec![mode, epoch], operations.concat()].concat());
    }
}
