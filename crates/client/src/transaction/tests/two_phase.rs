//! Two-phase commit (KIP-939): what is prepared, and who ends it how (T-45).

use super::*;

/// Of a cluster that can take part.
fn two_phase_facts() -> ClusterFacts {
    ClusterFacts {
        init_producer_id_max: Some(6),
        ..facts(TransactionVersion::Two)
    }
}

impl Txn {
    pub(super) fn of_two_phase(two_phase: TwoPhase) -> Self {
        let mut txn = Self::uninitialized(TransactionVersion::Two);
        txn.machine.config.two_phase = two_phase;
        txn.machine.observe(two_phase_facts());
        txn
    }

    /// Up to the InitProducerId that is then on its way.
    #[track_caller]
    pub(super) fn initializing_two_phase(two_phase: TwoPhase) -> Self {
        let mut txn = Self::of_two_phase(two_phase);
        txn.machine.init().unwrap();
        txn.asks(Api::FindCoordinator);
        txn.found(CoordinatorKind::Transaction, COORDINATOR);
        txn.asks(Api::InitProducerId);
        txn
    }

    /// Initialised as producer 7, epoch 0.
    pub(super) fn ready_two_phase() -> Self {
        let mut txn = Self::initializing_two_phase(TwoPhase::On);
        txn.initialized(identity(7, 0));
        txn.outcome(Operation::Init).unwrap();
        txn.events();
        txn
    }

    /// With a transaction prepared in which something was written.
    pub(super) fn prepared_two_phase() -> Self {
        let mut txn = Self::ready_two_phase();
        txn.write();
        txn.machine.prepare().unwrap();
        txn.idle();
        txn.outcome(Operation::Prepare).unwrap();
        txn.events();
        txn
    }

    /// Producer 7 in epoch 4, for which the transaction of epoch 3 was kept.
    pub(super) fn recovered_two_phase() -> Self {
        let mut txn = Self::initializing_two_phase(TwoPhase::Keeping);
        txn.keeps(identity(7, 4), Some(identity(7, 3)));
        txn.outcome(Operation::Init).unwrap();
        txn.events();
        txn
    }

    fn keeps(&mut self, producer: ProducerIdentity, ongoing: Option<ProducerIdentity>) {
        let initialized = Initialized { producer, ongoing };
        self.machine
            .handle_init_producer_id(Reply::Answered(initialized), self.now);
    }

    fn name(&self) -> Option<ProducerIdentity> {
        self.machine.prepared()
    }
}

/// T-45: the fields for it are of version 6, and no older one may leave them out.
#[test]
fn two_phase_commit_is_asked_for_in_version_6_only() {
    for two_phase in [TwoPhase::On, TwoPhase::Keeping] {
        let mut txn = Txn::of_two_phase(two_phase);
        txn.machine.init().unwrap();
        txn.asks(Api::FindCoordinator);
        txn.found(CoordinatorKind::Transaction, COORDINATOR);
        let call = txn.call();
        assert_eq!(call.versions, 6..=6);
        assert_eq!(
            call.request,
            Request::InitProducerId {
                producer: ProducerIdentity::NONE,
                transaction_timeout: Duration::from_secs(60),
                two_phase,
            }
        );
    }
}

/// T-45: before anything is asked, and with what is missing.
#[test]
fn a_cluster_that_cannot_take_part_is_refused_before_anything_is_asked_of_it() {
    let too_old = ClusterFacts {
        init_producer_id_max: Some(5),
        ..two_phase_facts()
    };
    let first_protocol = ClusterFacts {
        transaction_version: Some(1),
        ..two_phase_facts()
    };
    for (facts, missing) in [
        (too_old, "the former is missing"),
        (first_protocol, "the latter is missing"),
    ] {
        let mut txn = Txn::of_two_phase(TwoPhase::Keeping);
        txn.machine.observe(facts);
        txn.machine.init().unwrap();
        txn.asks(Api::FindCoordinator);
        txn.found(CoordinatorKind::Transaction, COORDINATOR);
        txn.idle();
        assert_eq!(txn.state(), State::Fatal);
        let error = txn.outcome(Operation::Init).unwrap_err();
        assert!(error.is_fatal(), "{error:?}");
        assert!(causes(&error).contains(missing), "{}", causes(&error));
    }
}

/// P-91, T-45: the level is there, but a broker of the cluster does not reach it.
#[test]
fn a_cluster_that_is_being_upgraded_cannot_take_part_yet() {
    let mut txn = Txn::initializing_two_phase(TwoPhase::Keeping);
    txn.machine.observe(ClusterFacts {
        produce_max: Some(11),
        ..two_phase_facts()
    });
    txn.keeps(identity(7, 4), Some(identity(7, 3)));
    let error = txn.outcome(Operation::Init).unwrap_err();
    assert!(
        causes(&error).contains("the latter is missing"),
        "{error:?}"
    );
    txn.idle();
}

/// T-45: the coordinator is older than the brokers that were seen so far.
#[test]
fn a_coordinator_without_version_6_ends_the_init_with_what_is_missing() {
    let mut txn = Txn::initializing_two_phase(TwoPhase::On);
    let not_sent = Reply::NotSent(NotSent::VersionUnsupported);
    txn.machine.handle_init_producer_id(not_sent, txn.now);
    let error = txn.outcome(Operation::Init).unwrap_err();
    assert!(error.is_fatal(), "{error:?}");
    let said = causes(&error);
    assert!(
        said.contains("two_phase_commit needs InitProducerId 6"),
        "{said}"
    );
}

fn causes(error: &Error) -> String {
    let mut said = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause {
        said = format!("{said}: {deeper}");
        cause = deeper.source();
    }
    said
}

/// T-41: the cluster does not let this client; the init may be made again.
#[test]
fn two_phase_commit_that_is_not_allowed_refuses_the_init_only() {
    let mut txn = Txn::initializing_two_phase(TwoPhase::On);
    txn.init_refused(ErrorCode::TransactionalIdAuthorizationFailed);
    let error = txn.outcome(Operation::Init).unwrap_err();
    assert!(!error.is_fatal(), "{error:?}");
    assert_eq!(txn.state(), State::Uninitialized);
    txn.machine.init().unwrap();
}

/// T-34, T-45: all of the transaction is in the logs before its name is told.
#[test]
fn a_transaction_is_prepared_once_all_of_it_has_a_definite_result() {
    let mut txn = Txn::ready_two_phase();
    txn.write();
    txn.sender.unresolved_batches = 1;
    txn.machine
        .send_offsets(group("g", true), vec![offset(0, 5)])
        .unwrap();
    txn.machine.prepare().unwrap();
    assert!(matches!(txn.events()[..], [Event::Flush]));
    txn.asks(Api::FindCoordinator);
    txn.found(CoordinatorKind::Group, GROUP_COORDINATOR);
    txn.asks(Api::TxnOffsetCommit);
    txn.sender = NO_WORK;
    txn.idle();
    assert_eq!(txn.state(), State::Preparing);
    assert_eq!(txn.name(), None);
    let results = vec![(partition(0), ErrorCode::None)];
    txn.machine
        .handle_txn_offset_commit(Reply::Answered(results), txn.now);
    txn.idle();
    txn.outcome(Operation::Prepare).unwrap();
    assert_eq!(txn.state(), State::Prepared);
    assert_eq!(txn.name().unwrap(), identity(7, 0));
}

/// T-45: a prepare whose flush fails never leaves a prepared transaction.
#[test]
fn a_transaction_of_which_something_fails_while_it_is_prepared_can_only_be_aborted() {
    let failures: [fn(&mut Txn); 3] = [
        |txn| {
            let cause = broker_error(ErrorCode::InvalidRecord);
            txn.machine.batch_failed(cause, BatchOutcome::NotAppended);
        },
        |txn| {
            let cause = broker_error(ErrorCode::RequestTimedOut);
            txn.machine.batch_failed(cause, BatchOutcome::Unknown);
        },
        |txn| txn.machine.send_failed(too_large()),
    ];
    for fail in failures {
        let mut txn = Txn::ready_two_phase();
        txn.write();
        txn.sender.unresolved_batches = 1;
        txn.machine.prepare().unwrap();
        fail(&mut txn);
        txn.sender = NO_WORK;
        txn.idle();
        let error = txn.outcome(Operation::Prepare).unwrap_err();
        assert!(error.is_abortable(), "{error:?}");
        assert_eq!((txn.state(), txn.name()), (State::AbortableError, None));
        txn.machine.prepare().unwrap_err();
        txn.machine.commit().unwrap_err();
        txn.end(Direction::Abort);
        txn.ended();
        txn.outcome(Operation::Abort).unwrap();
        assert_eq!(txn.state(), State::Ready);
    }
}

/// T-10, T-45: clearly refused, and nothing changes.
#[test]
fn a_prepared_transaction_takes_no_more() {
    for mut txn in [Txn::prepared_two_phase(), Txn::recovered_two_phase()] {
        let name = txn.name();
        let offsets = vec![offset(0, 5)];
        let refused = [
            txn.machine.begin(),
            txn.machine.partition_touched(&partition(0)),
            txn.machine.send_offsets(group("g", true), offsets),
            txn.machine.prepare().map(drop),
        ];
        for refusal in refused {
            let said = refusal.unwrap_err().to_string();
            assert!(said.contains("the transaction is prepared"), "{said}");
        }
        txn.machine.init().unwrap_err();
        assert_eq!(txn.machine.may_send(&partition(0), txn.now), MaySend::No);
        assert_eq!((txn.state(), txn.name()), (State::Prepared, name));
        txn.idle();
    }
}

#[test]
fn only_a_producer_of_two_phase_commit_prepares() {
    let mut txn = Txn::written(TransactionVersion::Two);
    let said = txn.machine.prepare().unwrap_err().to_string();
    assert!(said.contains("two_phase_commit(true)"), "{said}");
    assert_eq!(txn.state(), State::InTransaction);
}

/// T-12: whoever gave the preparation up aborts, and hears no more of it.
#[test]
fn an_abort_takes_the_place_of_a_pending_preparation() {
    let mut txn = Txn::ready_two_phase();
    txn.write();
    txn.sender.unresolved_batches = 1;
    txn.machine.prepare().unwrap();
    txn.machine.abort().unwrap();
    txn.no_outcome(Operation::Prepare);
    txn.sender = NO_WORK;
    txn.asks(Api::EndTxn);
    txn.ended();
    txn.outcome(Operation::Abort).unwrap();
    assert_eq!((txn.state(), txn.name()), (State::Ready, None));
}

/// T-45: by the pair under which it was written.
#[test]
fn a_prepared_transaction_is_committed_or_aborted() {
    for direction in [Direction::Commit, Direction::Abort] {
        let mut txn = Txn::prepared_two_phase();
        txn.end(direction);
        txn.ended();
        txn.outcome(direction.operation()).unwrap();
        assert_eq!(txn.machine.identity(), identity(7, 1));
        txn.write();
    }
}

/// T-45: the transaction's name is the pair that it was written under, and the new pair ends it.
#[test]
fn what_was_kept_is_ended_by_the_new_pair() {
    for direction in [Direction::Commit, Direction::Abort] {
        let mut txn = Txn::recovered_two_phase();
        assert_eq!(txn.state(), State::Prepared);
        assert_eq!(txn.name().unwrap(), identity(7, 3));
        assert_eq!(txn.machine.identity(), identity(7, 4));
        txn.end(direction);
        txn.ended();
        txn.outcome(direction.operation()).unwrap();
        assert_eq!(txn.machine.identity(), identity(7, 5));
        txn.write();
    }
}

#[test]
fn nothing_is_prepared_where_nothing_was_kept() {
    let mut txn = Txn::initializing_two_phase(TwoPhase::Keeping);
    txn.keeps(identity(7, 4), None);
    txn.outcome(Operation::Init).unwrap();
    assert_eq!((txn.state(), txn.name()), (State::Ready, None));
    txn.write();
}

/// An instance that keeps nothing has nothing to end, whatever it is told.
#[test]
fn only_an_instance_that_asked_for_it_is_given_what_was_kept() {
    let mut txn = Txn::initializing_two_phase(TwoPhase::On);
    txn.keeps(identity(7, 4), Some(identity(7, 3)));
    assert_eq!((txn.state(), txn.name()), (State::Ready, None));
}

/// A transaction without a record was prepared, and is asked to end.
fn ending_empty(direction: Direction) -> Txn {
    let mut txn = Txn::ready_two_phase();
    txn.machine.begin().unwrap();
    txn.machine.prepare().unwrap();
    txn.idle();
    txn.outcome(Operation::Prepare).unwrap();
    assert_eq!(txn.name().unwrap(), identity(7, 0));
    match direction {
        Direction::Commit => txn.machine.commit().unwrap(),
        Direction::Abort => txn.machine.abort().unwrap(),
    };
    txn
}

/// T-45, T-52: nothing ends an empty transaction at the coordinator, so the next one would have its name, and
/// would be committed after a crash in the name of this one.
#[test]
fn an_empty_transaction_that_was_prepared_takes_its_name_with_it() {
    for direction in [Direction::Commit, Direction::Abort] {
        let mut txn = ending_empty(direction);
        let call = txn.call();
        assert_eq!(call.versions, 6..=6);
        let Request::InitProducerId {
            producer,
            two_phase,
            ..
        } = call.request
        else {
            panic!("T-53: {:?}", call.request);
        };
        assert_eq!(
            (producer, two_phase),
            (identity(7, 0), TwoPhase::Keeping),
            "T-44, and whatever is open there is not aborted"
        );
        txn.initialized(identity(7, 1));
        txn.outcome(direction.operation()).unwrap();
        txn.machine.begin().unwrap();
        txn.machine.prepare().unwrap();
        txn.idle();
        assert_eq!(txn.name().unwrap(), identity(7, 1));
    }
}

/// T-45: an instance that was fenced raises its epoch. Kafka's coordinators do not compare that while a transaction is
/// open, so only who keeps it leaves the newer instance's alone.
#[test]
fn a_raise_that_finds_the_transaction_of_a_newer_instance_leaves_it_open() {
    for direction in [Direction::Commit, Direction::Abort] {
        let mut txn = ending_empty(direction);
        txn.asks(Api::InitProducerId);
        txn.keeps(identity(7, 2), Some(identity(7, 1)));
        // Nothing was written, so it had ended; what failed came after.
        txn.outcome(direction.operation()).unwrap();
        let error = txn.machine.begin().unwrap_err();
        assert!(error.is_fenced(), "{error:?}");
        let said = causes(&error);
        assert!(
            said.contains("a newer producer has a transaction open"),
            "{said}"
        );
        txn.idle();
    }
}

/// T-45, L-29: what was aborted is begun again by a batch that was given up, before the epoch is raised.
#[test]
fn a_raise_that_finds_a_late_batch_of_what_was_aborted_aborts_it_again() {
    let mut txn = Txn::ready_two_phase();
    txn.write();
    txn.end(Direction::Abort);
    txn.end_refused(ErrorCode::InvalidTxnState);
    txn.asks(Api::DescribeTransactions);
    txn.described(DescribedState::Empty, identity(7, 0));
    txn.asks(Api::InitProducerId);
    txn.keeps(identity(7, 1), Some(identity(7, 0)));
    let Request::EndTxn {
        producer,
        direction,
    } = txn.asks(Api::EndTxn)
    else {
        unreachable!();
    };
    assert_eq!((producer, direction), (identity(7, 1), Direction::Abort));
    txn.no_outcome(Operation::Abort);
    txn.machine
        .handle_end_txn(Reply::Answered(identity(7, 2)), txn.now);
    txn.outcome(Operation::Abort).unwrap();
    assert_eq!(
        (txn.state(), txn.name(), txn.machine.identity()),
        (State::Ready, None, identity(7, 2))
    );
    txn.write();
}

/// T-38 does not hold here: the other system may have committed, so nothing is aborted on our own account.
#[test]
fn a_refused_commit_of_a_prepared_transaction_is_never_followed_by_an_abort() {
    for mut txn in [Txn::prepared_two_phase(), Txn::recovered_two_phase()] {
        txn.end(Direction::Commit);
        txn.end_refused(ErrorCode::TransactionAbortable);
        let error = txn.outcome(Operation::Commit).unwrap_err();
        assert!(error.is_fatal() && !error.is_outcome_unknown(), "{error:?}");
        assert_eq!(txn.state(), State::Fatal);
        txn.machine.abort().unwrap_err();
        txn.idle();
    }
}

/// L-25: refused as if there were nothing to commit. Whoever ended it, it was not this producer.
#[test]
fn a_prepared_transaction_that_somebody_else_aborted_ends_the_producer_with_that() {
    let mut txn = Txn::recovered_two_phase();
    txn.end(Direction::Commit);
    txn.end_refused(ErrorCode::InvalidTxnState);
    txn.asks(Api::DescribeTransactions);
    txn.described(DescribedState::CompleteAbort, identity(7, 5));
    let error = txn.outcome(Operation::Commit).unwrap_err();
    let said = causes(&error);
    assert!(
        said.contains("the prepared transaction to commit is aborted"),
        "{said}"
    );
    assert!(error.is_fatal() && !error.is_outcome_unknown(), "{error:?}");
}

/// L-25: until it has ended, a kept transaction is described under its own pair.
#[test]
fn a_kept_transaction_that_is_still_open_is_ended_again() {
    let described = [
        (DescribedState::Ongoing, identity(7, 3)),
        (DescribedState::PrepareCommit, identity(7, 4)),
        (DescribedState::PrepareAbort, identity(7, 4)),
    ];
    for (state, producer) in described {
        let mut txn = Txn::recovered_two_phase();
        txn.end(Direction::Commit);
        txn.end_refused(ErrorCode::InvalidTxnState);
        txn.asks(Api::DescribeTransactions);
        txn.described(state, producer);
        let Request::EndTxn { producer, .. } = txn.asks(Api::EndTxn) else {
            unreachable!();
        };
        assert_eq!(producer, identity(7, 4));
        txn.ended();
        txn.outcome(Operation::Commit).unwrap();
    }
}

/// T-64: as with any commit.
#[test]
fn a_commit_in_doubt_of_a_prepared_transaction_is_repeated_until_it_is_known() {
    let mut txn = Txn::recovered_two_phase();
    txn.end(Direction::Commit);
    txn.machine.handle_end_txn(Reply::Ambiguous, txn.now);
    txn.asks(Api::FindCoordinator);
    txn.found(CoordinatorKind::Transaction, COORDINATOR);
    txn.asks(Api::EndTxn);
    txn.end_refused(ErrorCode::InvalidTxnState);
    txn.asks(Api::DescribeTransactions);
    txn.described(DescribedState::CompleteCommit, identity(7, 5));
    txn.outcome(Operation::Commit).unwrap();
    assert_eq!(txn.machine.identity(), identity(7, 5));
}

/// T-45: a newer instance has the transaction, and this one leaves it alone.
#[test]
fn an_instance_that_was_fenced_does_not_end_what_it_prepared() {
    let mut txn = Txn::prepared_two_phase();
    txn.end(Direction::Commit);
    txn.end_refused(ErrorCode::ProducerFenced);
    let error = txn.outcome(Operation::Commit).unwrap_err();
    assert!(error.is_fenced(), "{error:?}");
    txn.idle();
}

/// T-76 does not hold here: whoever closes has decided nothing.
#[test]
fn closing_leaves_a_prepared_transaction_open() {
    for how in [Close::Graceful, Close::Forced] {
        for mut txn in [Txn::prepared_two_phase(), Txn::recovered_two_phase()] {
            txn.machine.close(how);
            assert!(matches!(txn.events()[..], [Event::Closed]));
            txn.idle();
        }
    }
}

/// T-76: nobody has its name yet.
#[test]
fn closing_aborts_a_transaction_that_is_still_being_prepared() {
    let mut txn = Txn::ready_two_phase();
    txn.write();
    txn.sender.unresolved_batches = 1;
    txn.machine.prepare().unwrap();
    txn.machine.close(Close::Graceful);
    txn.sender = NO_WORK;
    let Request::EndTxn { direction, .. } = txn.asks(Api::EndTxn) else {
        unreachable!();
    };
    assert_eq!(direction, Direction::Abort);
}

/// T-45: the first protocol keeps the epoch, and with it the name.
#[test]
fn no_transaction_begins_where_the_next_would_have_its_name() {
    let mut txn = Txn::ready_two_phase();
    txn.machine.observe(ClusterFacts {
        transaction_version: Some(1),
        ..two_phase_facts()
    });
    let said = causes(&txn.machine.begin().unwrap_err());
    assert!(said.contains("transaction.version 2"), "{said}");
    assert_eq!(txn.state(), State::Ready);
    txn.machine.observe(two_phase_facts());
    txn.machine.begin().unwrap();
}
