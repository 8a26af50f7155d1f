//! Two-phase commit (KIP-939): what outlives its instance, and who may end it (T-45).

use super::*;

/// What a new instance is told: whom it is, and whose the transaction is that was kept for it.
type Kept = Result<((i64, i16), Option<(i64, i16)>), ErrorCode>;

impl Lab {
    /// One that takes part in two-phase commits, with a transaction of producer 0 in `epoch` open.
    fn prepared(transaction_version: i16, epoch: i16) -> Self {
        let mut lab = Self::initialised(transaction_version);
        lab.coordinator.settings.two_phase_commit = true;
        if epoch > 1 {
            lab.coordinator.set_epoch("tx", ProducerEpoch(epoch - 1));
        }
        assert_eq!(lab.start(true, false), Ok(((0, epoch), None)));
        lab.add((0, epoch), 0).unwrap();
        lab
    }

    fn start(&mut self, enable_two_phase: bool, keep_prepared: bool) -> Kept {
        let request = InitProducerId {
            transactional_id: Some("tx"),
            timeout_ms: 60_000,
            expected: None,
            enable_two_phase,
            keep_prepared,
        };
        let numbers = |producer: ProducerIdentity| {
            let (id, epoch) = (producer.producer_id.0, producer.producer_epoch.0);
            (id, epoch)
        };
        let answer = self.coordinator.init_producer_id(&request, self.now);
        answer.map(|initialized| {
            (
                numbers(initialized.producer),
                initialized.ongoing.map(numbers),
            )
        })
    }
}

/// T-45: what 4.3.1 answers, and every broker that is not set up for it.
#[test]
fn without_two_phase_commit_it_is_not_authorised_and_keeping_is_not_supported() {
    let mut lab = Lab::initialised(2);
    let denied = Err(ErrorCode::TransactionalIdAuthorizationFailed);
    assert_eq!(lab.start(true, false), denied);
    assert_eq!(lab.start(true, true), denied);
    assert_eq!(lab.start(false, true), Err(ErrorCode::UnsupportedVersion));
    assert_eq!(lab.state(), (TransactionState::Empty, 0, 0));
}

/// T-45: a kept transaction goes on under its own pair; the new instance has one of its own.
#[test]
fn a_kept_transaction_is_ended_by_the_new_pair_only() {
    for marker in [Commit, Abort] {
        let mut lab = Lab::prepared(2, 1);
        assert_eq!(lab.start(true, true), Ok(((0, 2), Some((0, 1)))));
        assert_eq!(lab.state(), (TransactionState::Ongoing, 0, 1));
        assert_eq!(lab.end_v2((0, 1), marker), FENCED, "the instance before");
        assert_eq!(lab.end_v2((0, 3), marker), FENCED);
        assert_eq!(lab.end_v2((0, 2), marker), Ok((0, 3)));
        lab.is_busy_whoever_asks();
        assert_eq!(lab.write_markers(), [(marker, 0, 2)], "of epoch 1");
        assert_eq!(lab.end_v2((0, 2), marker), Ok((0, 3)), "repeated");
        assert_eq!(lab.end_v2((0, 1), marker), FENCED);
        lab.add((0, 3), 0).unwrap();
        assert_eq!(lab.end_v2((0, 3), Commit), Ok((0, 4)));
    }
}

/// T-64: the other direction, once the end is decided.
#[test]
fn the_opposite_end_of_a_kept_transaction_is_refused_once_one_is_decided() {
    let mut lab = Lab::prepared(2, 1);
    lab.start(true, true).unwrap();
    lab.end_v2((0, 2), Commit).unwrap();
    lab.write_markers();
    assert_eq!(lab.end_v2((0, 2), Abort), INVALID_STATE);
}

/// T-45: nothing is added to what was kept, whoever asks.
#[test]
fn a_kept_transaction_takes_no_more_partitions() {
    let mut lab = Lab::prepared(2, 1);
    lab.start(true, true).unwrap();
    assert_eq!(lab.add((0, 2), 1), Err(ErrorCode::InvalidTxnState));
    assert_eq!(lab.add((0, 2), 0), Err(ErrorCode::InvalidTxnState));
    assert_eq!(lab.add((0, 1), 1), Err(ErrorCode::ProducerFenced));
    assert_eq!(
        lab.coordinator
            .verify_partitions("tx", identity((0, 2)), &[data(0)]),
        Err(ErrorCode::InvalidTxnState)
    );
}

#[test]
fn each_instance_that_keeps_it_fences_the_one_before() {
    let mut lab = Lab::prepared(2, 1);
    for epoch in 2..6 {
        assert_eq!(lab.start(true, true), Ok(((0, epoch), Some((0, 1)))));
        assert_eq!(lab.end_v2((0, epoch - 1), Commit), FENCED);
    }
    assert_eq!(lab.end_v2((0, 5), Commit), Ok((0, 6)));
    assert_eq!(lab.write_markers(), [(Commit, 0, 2)]);
}

/// T-45, T-72: while it is open, and after it was kept, however the next instance is set up.
#[test]
fn no_timeout_ends_a_transaction_of_a_two_phase_commit() {
    let mut lab = Lab::prepared(2, 1);
    lab.pass(30 * 24 * 3600);
    assert_eq!(lab.state(), (TransactionState::Ongoing, 0, 1));
    assert_eq!(lab.start(false, true), Ok(((0, 2), Some((0, 1)))));
    lab.pass(30 * 24 * 3600);
    assert_eq!(lab.state(), (TransactionState::Ongoing, 0, 1));
    assert_eq!(lab.end_v2((0, 2), Commit), Ok((0, 3)));
}

/// KIP-939: an operator's way out, and what an instance does that forgets to keep.
#[test]
fn a_new_instance_that_keeps_nothing_aborts_even_a_kept_transaction() {
    for (version, kept_before) in [(2, false), (2, true), (1, true)] {
        let mut lab = Lab::prepared(version, 1);
        if kept_before {
            lab.start(true, true).unwrap();
        }
        assert_eq!(
            lab.start(true, false),
            Err(ErrorCode::ConcurrentTransactions)
        );
        assert_eq!(lab.write_markers(), [(Abort, 0, 2)]);
        let epoch = if kept_before { 4 } else { 3 };
        assert_eq!(lab.start(true, false), Ok(((0, epoch), None)), "{version}");
        if kept_before {
            assert_eq!(lab.end_v2((0, 2), Commit), FENCED, "{version}");
        }
    }
}

#[test]
fn nothing_is_kept_where_nothing_is_open() {
    let mut lab = Lab::prepared(2, 1);
    lab.end_v2((0, 1), Commit).unwrap();
    let concurrent = Err(ErrorCode::ConcurrentTransactions);
    assert_eq!(lab.start(true, true), concurrent, "markers first");
    lab.write_markers();
    assert_eq!(lab.start(true, true), Ok(((0, 3), None)));
    lab.add((0, 3), 0).unwrap();
}

/// P-63: the new instance finds the epochs of the producer id used up.
#[test]
fn an_instance_that_keeps_it_gets_a_new_producer_id_when_the_epochs_are_used_up() {
    let mut lab = Lab::prepared(2, 32766);
    assert_eq!(lab.start(true, true), Ok(((1, 0), Some((0, 32766)))));
    assert_eq!(
        lab.end_v2((0, 32766), Commit),
        UNKNOWN,
        "as after every rotation"
    );
    assert_eq!(lab.start(true, true), Ok(((1, 1), Some((0, 32766)))));
    assert_eq!(lab.end_v2((1, 0), Commit), FENCED);
    assert_eq!(lab.end_v2((1, 1), Commit), Ok((1, 2)));
    assert_eq!(lab.end_v2((1, 1), Commit), CONCURRENT);
    assert_eq!(lab.write_markers(), [(Commit, 0, 32767)]);
    assert_eq!(lab.end_v2((1, 1), Commit), Ok((1, 2)));
    lab.add((1, 2), 0).unwrap();
}

/// P-63: its end finds them used up.
#[test]
fn the_end_of_a_kept_transaction_rotates_when_the_epochs_are_used_up() {
    let mut lab = Lab::prepared(2, 32765);
    assert_eq!(lab.start(true, true), Ok(((0, 32766), Some((0, 32765)))));
    assert_eq!(lab.end_v2((0, 32766), Commit), Ok((1, 0)));
    assert_eq!(lab.end_v2((0, 32766), Commit), CONCURRENT);
    assert_eq!(lab.write_markers(), [(Commit, 0, 32766)]);
    assert_eq!(lab.end_v2((0, 32766), Commit), Ok((1, 0)), "repeated");
    lab.add((1, 0), 0).unwrap();
}

/// P-63, twice over one transaction.
#[test]
fn a_transaction_that_is_kept_for_32767_instances_rotates_as_often_as_need_be() {
    let mut lab = Lab::prepared(2, 32766);
    assert_eq!(lab.start(true, true), Ok(((1, 0), Some((0, 32766)))));
    lab.coordinator.set_epoch("tx", ProducerEpoch(32766));
    assert_eq!(lab.start(true, true), Ok(((2, 0), Some((0, 32766)))));
    lab.coordinator.set_epoch("tx", ProducerEpoch(32766));
    assert_eq!(lab.end_v2((2, 32766), Abort), Ok((3, 0)));
    assert_eq!(lab.write_markers(), [(Abort, 0, 32767)]);
    assert_eq!(lab.end_v2((2, 32766), Abort), Ok((3, 0)), "repeated");
    assert_eq!(lab.state(), (TransactionState::CompleteAbort, 3, 0));
}

/// EndTxn below version 5 bumps nothing: the client keeps the pair that it got.
#[test]
fn version_1_ends_a_kept_transaction_and_keeps_the_pair() {
    let mut lab = Lab::prepared(1, 1);
    assert_eq!(lab.start(true, true), Ok(((0, 2), Some((0, 1)))));
    assert_eq!(lab.end_v1((0, 1), Commit), FENCED);
    assert_eq!(lab.end_v1((0, 2), Commit), OK_V1);
    assert_eq!(lab.end_v1((0, 2), Commit), CONCURRENT);
    assert_eq!(lab.write_markers(), [(Commit, 0, 1)]);
    assert_eq!(lab.end_v1((0, 2), Commit), OK_V1);
    lab.add((0, 2), 0).unwrap();
}

/// T-73: nothing of it is forgotten while it is open.
#[test]
fn an_id_with_a_prepared_transaction_does_not_expire() {
    let mut lab = Lab::prepared(2, 1);
    lab.pass(8 * 24 * 3600);
    assert!(!lab.coordinator.forget("tx"));
    assert_eq!(lab.start(true, true), Ok(((0, 2), Some((0, 1)))));
}
