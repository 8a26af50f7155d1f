//! Which protocol a transaction runs under, and when that changes (§2.1).

use super::*;

/// T-2: what the cluster says in the middle of a transaction changes nothing in it.
#[test]
fn the_protocol_never_changes_within_a_transaction() {
    for (from, to) in [
        (TransactionVersion::One, TransactionVersion::Two),
        (TransactionVersion::Two, TransactionVersion::One),
    ] {
        let mut txn = Txn::written(from);
        txn.machine.observe(facts(to));
        assert_eq!(txn.machine.version(), from);
        txn.machine.commit().unwrap();
        assert_eq!(txn.machine.version(), from);
        let call = txn.call();
        assert_eq!(call.request.api(), Api::EndTxn);
        // T-6: EndTxn speaks of the protocol that the batches were sent under.
        let expected = if from == TransactionVersion::One {
            0..=4
        } else {
            5..=5
        };
        assert_eq!(call.versions, expected);
    }
}

/// T-3, S-40, L-13: the broker must not take the next transaction for a continuation of this one.
#[test]
fn an_upgrade_takes_effect_after_a_new_epoch() {
    let mut txn = Txn::written(TransactionVersion::One);
    txn.machine.observe(facts(TransactionVersion::Two));
    txn.end(Direction::Commit);
    txn.ended();
    txn.no_outcome(Operation::Commit);
    txn.asks(Api::InitProducerId);
    txn.initialized(identity(7, 1));
    txn.outcome(Operation::Commit).unwrap();
    txn.machine.begin().unwrap();
    assert_eq!(txn.machine.version(), TransactionVersion::Two);
}

/// T-3, T-85: also when the transaction that it is noticed in turned out empty.
#[test]
fn an_upgrade_seen_in_an_empty_transaction_needs_the_new_epoch_too() {
    let mut txn = Txn::written(TransactionVersion::One);
    txn.end(Direction::Commit);
    txn.ended();
    txn.outcome(Operation::Commit).unwrap();
    txn.machine.observe(facts(TransactionVersion::Two));
    txn.machine.begin().unwrap();
    assert_eq!(
        txn.machine.version(),
        TransactionVersion::One,
        "T-3: not without a new epoch"
    );
    txn.machine.commit().unwrap();
    txn.asks(Api::InitProducerId);
    txn.initialized(identity(7, 1));
    txn.outcome(Operation::Commit).unwrap();
    txn.machine.begin().unwrap();
    assert_eq!(txn.machine.version(), TransactionVersion::Two);
}

/// T-3: nothing was registered under this epoch, so nothing can be mistaken.
#[test]
fn an_upgrade_takes_effect_at_once_under_an_unused_epoch() {
    let mut txn = Txn::one();
    txn.machine.observe(facts(TransactionVersion::Two));
    txn.machine.begin().unwrap();
    assert_eq!(txn.machine.version(), TransactionVersion::Two);
}

/// T-4.
#[test]
fn a_downgrade_takes_effect_after_the_last_end_of_the_second_protocol() {
    let mut txn = Txn::written(TransactionVersion::Two);
    txn.machine.observe(facts(TransactionVersion::One));
    txn.end(Direction::Commit);
    txn.ended();
    txn.outcome(Operation::Commit).unwrap();
    assert_eq!(txn.machine.identity(), identity(7, 1));
    txn.machine.begin().unwrap();
    assert_eq!(txn.machine.version(), TransactionVersion::One);
    txn.machine.partition_touched(&partition(0)).unwrap();
    txn.asks(Api::AddPartitionsToTxn);
}

/// T-4: seen between two transactions it need not wait for another.
#[test]
fn a_downgrade_seen_between_transactions_takes_effect_at_once() {
    let mut txn = Txn::written(TransactionVersion::Two);
    txn.end(Direction::Commit);
    txn.ended();
    txn.outcome(Operation::Commit).unwrap();
    txn.machine.observe(facts(TransactionVersion::One));
    txn.machine.begin().unwrap();
    assert_eq!(txn.machine.version(), TransactionVersion::One);
}

/// T-2 (a): the success of InitProducerId is the first sample.
#[test]
fn the_protocol_is_sampled_when_init_succeeds() {
    let mut txn = Txn::uninitialized(TransactionVersion::One);
    txn.machine.init().unwrap();
    txn.asks(Api::FindCoordinator);
    txn.found(CoordinatorKind::Transaction, COORDINATOR);
    txn.asks(Api::InitProducerId);
    txn.machine.observe(facts(TransactionVersion::Two));
    txn.initialized(identity(7, 0));
    assert_eq!(txn.machine.version(), TransactionVersion::Two);
}

/// P-90.
#[test]
fn produce_versions_follow_the_protocol() {
    assert_eq!(Txn::one().machine.version().produce(), 3..=11);
    assert_eq!(Txn::two().machine.version().produce(), 12..=13);
}

/// T-6: an EndTxn of the wrong protocol is worse than none. Nothing was sent, so the outcome is known.
#[test]
fn a_coordinator_that_does_not_speak_the_protocol_is_not_asked_in_the_other() {
    let mut txn = Txn::written(TransactionVersion::Two);
    txn.end(Direction::Commit);
    txn.machine
        .handle_end_txn(Reply::NotSent(NotSent::VersionUnsupported), txn.now);
    assert_eq!(txn.state(), State::Fatal);
    assert!(
        !txn.outcome(Operation::Commit)
            .unwrap_err()
            .is_outcome_unknown()
    );
}

/// T-64: after an attempt in doubt the only way to an outcome is a broker that speaks it.
#[test]
fn a_commit_in_doubt_waits_for_a_coordinator_that_speaks_the_protocol() {
    let mut txn = Txn::written(TransactionVersion::Two);
    txn.end(Direction::Commit);
    txn.machine.handle_end_txn(Reply::Ambiguous, txn.now);
    for broker in [4, 5] {
        txn.asks(Api::FindCoordinator);
        txn.found(CoordinatorKind::Transaction, broker);
        txn.asks(Api::EndTxn);
        txn.machine
            .handle_end_txn(Reply::NotSent(NotSent::VersionUnsupported), txn.now);
        assert_eq!(txn.state(), State::Committing);
    }
}
