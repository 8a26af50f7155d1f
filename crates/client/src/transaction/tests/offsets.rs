//! Offsets in a transaction (§2.7).

use super::*;

/// With offsets on their way to the group's coordinator.
fn sending(version: TransactionVersion, offsets: Vec<OffsetToCommit>) -> Txn {
    let mut txn = Txn::ready(version);
    txn.machine.begin().unwrap();
    txn.machine.send_offsets(group("g", true), offsets).unwrap();
    if version == TransactionVersion::One {
        txn.asks(Api::AddOffsetsToTxn);
        txn.machine.handle_add_offsets(Reply::Answered(()), txn.now);
    }
    txn.asks(Api::FindCoordinator);
    txn.found(CoordinatorKind::Group, GROUP_COORDINATOR);
    txn.asks(Api::TxnOffsetCommit);
    txn
}

fn answered(txn: &mut Txn, results: &[(i32, ErrorCode)]) {
    let results = results
        .iter()
        .map(|(number, code)| (partition(*number), *code))
        .collect();
    txn.machine
        .handle_txn_offset_commit(Reply::Answered(results), txn.now);
}

/// T-20, T-33: first registered at one coordinator, then committed at the other.
#[test]
fn the_first_protocol_registers_the_group_before_its_offsets() {
    let mut txn = Txn::one();
    txn.machine.begin().unwrap();
    txn.machine
        .send_offsets(group("g", true), vec![offset(0, 5)])
        .unwrap();
    let request = txn.ask();
    let group_id = Arc::from("g");
    assert_eq!(
        request,
        Request::AddOffsetsToTxn {
            producer: identity(7, 0),
            group_id
        }
    );
    txn.idle();
    txn.machine.handle_add_offsets(Reply::Answered(()), txn.now);
    let (kind, key) = (CoordinatorKind::Group, Arc::from("g"));
    assert_eq!(txn.ask(), Request::FindCoordinator { kind, key });
    txn.found(CoordinatorKind::Group, GROUP_COORDINATOR);
    let call = txn.call();
    assert_eq!(call.broker, Some(GROUP_COORDINATOR));
    assert_eq!(call.versions, 3..=4);
    assert_eq!(call.request.api(), Api::TxnOffsetCommit);
    answered(&mut txn, &[(0, ErrorCode::None)]);
    txn.outcome(Operation::SendOffsets).unwrap();
    txn.end(Direction::Commit);
}

/// T-33: under the second the group's coordinator registers itself.
#[test]
fn the_second_protocol_sends_offsets_directly() {
    let mut txn = Txn::two();
    txn.machine.begin().unwrap();
    txn.machine
        .send_offsets(group("g", false), vec![offset(0, 5)])
        .unwrap();
    txn.asks(Api::FindCoordinator);
    txn.found(CoordinatorKind::Group, GROUP_COORDINATOR);
    let call = txn.call();
    assert_eq!(call.versions, 5..=5);
    answered(&mut txn, &[(0, ErrorCode::None)]);
    txn.outcome(Operation::SendOffsets).unwrap();
    txn.end(Direction::Commit); // T-52
}

/// T-55, T-56, L-10: group, member, offset, leader epoch and metadata travel as they were given.
#[test]
fn the_consumers_membership_and_the_leader_epoch_travel() {
    for member in [true, false] {
        let mut txn = Txn::two();
        txn.machine.begin().unwrap();
        txn.machine
            .send_offsets(group("g", member), vec![offset(0, 5)])
            .unwrap();
        txn.asks(Api::FindCoordinator);
        txn.found(CoordinatorKind::Group, GROUP_COORDINATOR);
        let producer = identity(7, 0);
        let (group, offsets) = (group("g", member), vec![offset(0, 5)]);
        assert_eq!(
            txn.ask(),
            Request::TxnOffsetCommit {
                producer,
                group,
                offsets
            }
        );
    }
}

/// T-58.
#[test]
fn no_offsets_need_no_request() {
    for version in VERSIONS {
        let mut txn = Txn::ready(version);
        txn.machine.begin().unwrap();
        txn.machine
            .send_offsets(group("g", true), Vec::new())
            .unwrap();
        txn.idle();
        txn.outcome(Operation::SendOffsets).unwrap();
        txn.machine.commit().unwrap();
        txn.idle();
        txn.outcome(Operation::Commit).unwrap();
    }
}

/// §2.7: only those that failed.
#[test]
fn only_offsets_that_failed_are_sent_again() {
    let mut txn = sending(
        TransactionVersion::Two,
        vec![offset(0, 5), offset(1, 6), offset(2, 7)],
    );
    answered(
        &mut txn,
        &[
            (0, ErrorCode::None),
            (1, ErrorCode::UnknownTopicOrPartition),
        ],
    );
    let Request::TxnOffsetCommit { offsets, .. } = txn.ask() else {
        panic!()
    };
    assert_eq!(offsets, [offset(1, 6), offset(2, 7)]);
    answered(&mut txn, &[(1, ErrorCode::None), (2, ErrorCode::None)]);
    txn.outcome(Operation::SendOffsets).unwrap();
}

/// T-21, S-59: the group's coordinator is found anew, and the other one is not forgotten for it.
#[test]
fn a_moved_group_coordinator_is_found_again() {
    for code in [
        ErrorCode::CoordinatorNotAvailable,
        ErrorCode::NotCoordinator,
        ErrorCode::RequestTimedOut,
    ] {
        let mut txn = sending(TransactionVersion::Two, vec![offset(0, 5)]);
        answered(&mut txn, &[(0, code)]);
        let request = txn.ask();
        assert!(matches!(
            request,
            Request::FindCoordinator {
                kind: CoordinatorKind::Group,
                ..
            }
        ));
        txn.found(CoordinatorKind::Group, 5);
        assert_eq!(txn.call().broker, Some(5));
        answered(&mut txn, &[(0, ErrorCode::None)]);
        txn.machine.commit().unwrap();
        assert_eq!(txn.call().broker, Some(COORDINATOR));
    }
}

/// T-59, §2.7: what passes is repeated, the coordinator's translations of failed verifications too.
#[test]
fn passing_errors_of_offsets_are_repeated() {
    for code in [
        ErrorCode::CoordinatorLoadInProgress,
        ErrorCode::ConcurrentTransactions,
        ErrorCode::UnstableOffsetCommit,
        ErrorCode::UnknownTopicOrPartition,
        ErrorCode::NetworkException,
    ] {
        let mut txn = sending(TransactionVersion::Two, vec![offset(0, 5)]);
        answered(&mut txn, &[(0, code)]);
        assert!(matches!(txn.poll(), Output::WaitUntil(_)), "{code}");
        txn.asks(Api::TxnOffsetCommit);
    }
}

/// §2.7, D-rows of zombies: the consumer lost its place, so the transaction must not commit for it.
#[test]
fn offsets_that_an_abort_can_mend_spoil_the_transaction() {
    for version in VERSIONS {
        for code in [
            ErrorCode::IllegalGeneration,
            ErrorCode::UnknownMemberId,
            ErrorCode::FencedInstanceId,
            ErrorCode::GroupAuthorizationFailed,
            ErrorCode::TopicAuthorizationFailed,
            ErrorCode::OffsetMetadataTooLarge,
            ErrorCode::InvalidGroupId,
            ErrorCode::InvalidTxnState,
            ErrorCode::InvalidProducerIdMapping,
            ErrorCode::TransactionAbortable,
            // T-71: perhaps only timed out; the abort tells.
            ErrorCode::InvalidProducerEpoch,
            ErrorCode::Unknown(4711),
        ] {
            let mut txn = sending(version, vec![offset(0, 5)]);
            answered(&mut txn, &[(0, code)]);
            let error = txn.outcome(Operation::SendOffsets).unwrap_err();
            assert!(error.is_abortable(), "{code}");
            assert_eq!(error.code(), Some(code));
            assert!(txn.machine.commit().unwrap_err().is_abortable());
            txn.end(Direction::Abort);
        }
    }
}

/// §2.7.
#[test]
fn a_denied_id_and_an_old_message_format_are_fatal_for_offsets() {
    for code in [
        ErrorCode::TransactionalIdAuthorizationFailed,
        ErrorCode::UnsupportedForMessageFormat,
    ] {
        let mut txn = sending(TransactionVersion::Two, vec![offset(0, 5), offset(1, 5)]);
        answered(&mut txn, &[(0, ErrorCode::IllegalGeneration), (1, code)]);
        assert_eq!(txn.state(), State::Fatal);
        assert_eq!(
            txn.outcome(Operation::SendOffsets).unwrap_err().code(),
            Some(code)
        );
    }
}

/// §2.7: AddOffsetsToTxn's own table.
#[test]
fn refused_groups_spoil_or_end() {
    for (code, state) in [
        (ErrorCode::GroupAuthorizationFailed, State::AbortableError),
        (ErrorCode::UnknownProducerId, State::AbortableError),
        (ErrorCode::TransactionAbortable, State::AbortableError),
        (ErrorCode::TransactionalIdAuthorizationFailed, State::Fatal),
        (ErrorCode::InvalidTxnState, State::Fatal),
        (ErrorCode::InvalidProducerIdMapping, State::AbortableError),
        (ErrorCode::UnknownServerError, State::Fatal),
        (ErrorCode::ConcurrentTransactions, State::InTransaction),
        (ErrorCode::NotCoordinator, State::InTransaction),
    ] {
        let mut txn = Txn::one();
        txn.machine.begin().unwrap();
        txn.machine
            .send_offsets(group("g", true), vec![offset(0, 5)])
            .unwrap();
        txn.asks(Api::AddOffsetsToTxn);
        txn.machine
            .handle_add_offsets(Reply::Refused(code), txn.now);
        assert_eq!(txn.state(), state, "{code}");
    }
}

/// T-22: no right to the group.
#[test]
fn a_group_that_may_not_be_looked_for_spoils_the_transaction() {
    let mut txn = Txn::two();
    txn.machine.begin().unwrap();
    txn.machine
        .send_offsets(group("g", true), vec![offset(0, 5)])
        .unwrap();
    txn.asks(Api::FindCoordinator);
    let code = ErrorCode::GroupAuthorizationFailed;
    txn.machine
        .handle_find_coordinator(CoordinatorKind::Group, Reply::Refused(code), txn.now);
    assert_eq!(
        txn.outcome(Operation::SendOffsets).unwrap_err().code(),
        Some(code)
    );
    txn.machine.abort().unwrap();
    txn.idle();
    txn.outcome(Operation::Abort).unwrap();
}

/// T-31: the two coordinators are asked beside each other, and batches are sent meanwhile.
#[test]
fn offsets_and_partitions_go_side_by_side() {
    let mut txn = sending(TransactionVersion::One, vec![offset(0, 5)]);
    txn.machine.partition_touched(&partition(1)).unwrap();
    txn.asks(Api::AddPartitionsToTxn);
    txn.idle();
    txn.added(&[(1, ErrorCode::None)]);
    assert_eq!(txn.machine.may_send(&partition(1), txn.now), MaySend::Now);
}

/// T-34: EndTxn waits for the offsets, also those of a call that nobody waits for.
#[test]
fn end_waits_for_offsets_on_their_way() {
    for version in VERSIONS {
        let mut txn = sending(version, vec![offset(0, 5)]);
        txn.machine.commit().unwrap();
        txn.idle();
        answered(&mut txn, &[(0, ErrorCode::None)]);
        txn.asks(Api::EndTxn);

        let mut txn = sending(version, vec![offset(0, 5)]);
        txn.machine.abort().unwrap();
        let error = txn.outcome(Operation::SendOffsets).unwrap_err();
        assert!(matches!(error, Error::TransactionAborted), "{error:?}");
        txn.idle();
        answered(&mut txn, &[(0, ErrorCode::CoordinatorLoadInProgress)]);
        txn.asks(Api::EndTxn);
    }
}

/// T-38: offsets that fail while the commit waits for them.
#[test]
fn offsets_that_fail_while_committing_drop_the_commit() {
    let mut txn = sending(TransactionVersion::Two, vec![offset(0, 5)]);
    txn.machine.commit().unwrap();
    answered(&mut txn, &[(0, ErrorCode::IllegalGeneration)]);
    assert!(txn.outcome(Operation::Commit).unwrap_err().is_abortable());
    assert_eq!(txn.state(), State::AbortableError);
}

/// Several groups may commit in one transaction, each registered once and at its own coordinator.
#[test]
fn each_group_has_its_own_coordinator() {
    let mut txn = sending(TransactionVersion::One, vec![offset(0, 5)]);
    answered(&mut txn, &[(0, ErrorCode::None)]);
    txn.machine
        .send_offsets(group("g", true), vec![offset(0, 6)])
        .unwrap();
    txn.asks(Api::TxnOffsetCommit);
    answered(&mut txn, &[(0, ErrorCode::None)]);
    txn.machine
        .send_offsets(group("h", true), vec![offset(1, 6)])
        .unwrap();
    txn.asks(Api::AddOffsetsToTxn);
    txn.machine.handle_add_offsets(Reply::Answered(()), txn.now);
    let (kind, key) = (CoordinatorKind::Group, Arc::from("h"));
    assert_eq!(txn.ask(), Request::FindCoordinator { kind, key });
}

/// T-56: rather not at all than without the member.
#[test]
fn a_group_coordinator_too_old_for_members_spoils_the_transaction() {
    let mut txn = sending(TransactionVersion::One, vec![offset(0, 5)]);
    let reply = Reply::NotSent(NotSent::VersionUnsupported);
    txn.machine.handle_txn_offset_commit(reply, txn.now);
    assert!(
        txn.outcome(Operation::SendOffsets)
            .unwrap_err()
            .is_abortable()
    );
}
