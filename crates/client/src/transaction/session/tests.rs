//! What callers hear of a transaction, and when.

use super::*;
use crate::producer::accumulator::Placed;
use crate::producer::accumulator::tests::{placing, shared};
use crate::producer::sender::PartitionResponse;
use crate::producer::sender::failure::Rejection;
use crate::transaction::tests::Txn;
use crate::transaction::{Body, CoordinatorKind, Reply, TransactionVersion};
use milena_codec::{ErrorCode, ProducerEpoch, ProducerId, ProducerIdentity};

/// A transaction with a record in it, as number 1 of its producer.
fn open() -> (Transacting, Shared) {
    let mut transacting = Transacting::over(Txn::written(TransactionVersion::Two).machine);
    let shared = shared();
    transacting.effects(&shared);
    (transacting, shared)
}

fn send(shared: &Shared, transaction: u64) -> Result<Placed, Error> {
    shared.place(&placing(b"late", transaction), &mut None)
}

fn fail(transacting: &mut Transacting, code: ErrorCode) {
    let failure = Failure::rejected(Rejection::of(3, &PartitionResponse::of(code)));
    let error = Error::broker(code, milena_codec::ApiKey::Produce, Some(3));
    transacting.batch_failed(error, &failure);
}

#[test]
fn a_send_is_refused_with_the_cause_once_its_transaction_can_only_be_aborted() {
    let (mut transacting, shared) = open();
    transacting.show(&shared);
    send(&shared, 1).unwrap();
    fail(&mut transacting, ErrorCode::InvalidRecord);
    transacting.show(&shared);
    let error = send(&shared, 1).unwrap_err();
    assert!(error.is_abortable(), "T-11: {error:?}");
    assert_eq!(error.code(), Some(ErrorCode::InvalidRecord));
    assert!(
        transacting
            .effects(&shared)
            .iter()
            .any(|effect| matches!(effect, Effect::FailUndrained(_))),
        "what was accepted before hears of it by now"
    );
}

#[test]
fn a_send_is_refused_once_another_could_not_be_taken() {
    let (_, shared) = open();
    let too_large = Error::RecordTooLarge {
        bytes: 2_000,
        bytes_max: 1_000,
        setting: "record_bytes_max".into(),
    };
    shared.mark_abortable(&too_large);
    let error = send(&shared, 1).unwrap_err();
    assert!(error.is_abortable(), "T-11, T-15: {error:?}");
}

#[test]
fn the_next_transaction_takes_records_again() {
    let (mut transacting, shared) = open();
    shared.standing.block(&Error::TransactionAborted);
    send(&shared, 1).unwrap_err();
    transacting.machine = Txn::ready(TransactionVersion::Two).machine;
    let (done, begun) = oneshot::channel();
    transacting.obey(Request::Begin(done), ClusterFacts::default());
    transacting.effects(&shared);
    begun.blocking_recv().unwrap().unwrap();
    send(&shared, 2).unwrap();
}

#[test]
fn a_send_of_a_fenced_producer_is_refused_as_fenced_before_anyone_is_told() {
    let (mut transacting, shared) = open();
    fail(&mut transacting, ErrorCode::ProducerFenced);
    transacting.show(&shared);
    let error = send(&shared, 1).unwrap_err();
    assert!(error.is_fenced(), "T-11, L-8: {error:?}");
    assert!(
        matches!(transacting.effects(&shared)[..], [Effect::End(_)]),
        "told after the state was set"
    );
}

/// Hands a request over; the answer comes here.
fn ask<T>(
    transacting: &mut Transacting,
    shared: &Shared,
    request: impl FnOnce(Answer<T>) -> Request,
) -> oneshot::Receiver<Result<T, Error>> {
    let (done, answer) = oneshot::channel();
    transacting.obey(request(done), ClusterFacts::default());
    transacting.effects(shared);
    answer
}

/// Lets the transaction go on by itself, as far as it can without a broker.
fn turn(transacting: &mut Transacting, shared: &Shared) {
    for _ in 0..3 {
        transacting.poll(Instant::now(), SenderStatus::default());
        transacting.effects(shared);
    }
}

/// The EndTxn that is on its way is answered: done.
fn end(transacting: &mut Transacting, shared: &Shared) {
    turn(transacting, shared);
    let next = ProducerIdentity::new(ProducerId(7), ProducerEpoch(1));
    let response = Body::EndTxn(Reply::Answered(next)).into();
    transacting.deliver(response, ClusterFacts::default(), Instant::now());
    transacting.effects(shared);
}

fn told<T>(mut answer: oneshot::Receiver<Result<T, Error>>) -> Result<T, Error> {
    answer.try_recv().expect("an answer")
}

/// T-12: the commit was not waited for, nor was the first who asked how it ended.
#[test]
fn an_outcome_is_kept_for_the_next_who_asks_if_the_last_did_not_wait() {
    let (mut transacting, shared) = open();
    drop(ask(&mut transacting, &shared, Request::Commit));
    drop(ask(&mut transacting, &shared, Request::Outcome));
    end(&mut transacting, &shared);
    drop(ask(&mut transacting, &shared, Request::Outcome));
    let asked = ask(&mut transacting, &shared, Request::Outcome);
    assert_eq!(told(asked).unwrap(), Some(TransactionOutcome::Committed));
}

/// T-12: the answer was on its way to the caller when it gave up waiting.
#[test]
fn an_outcome_that_crossed_with_the_end_of_the_wait_is_not_lost() {
    let (mut transacting, shared) = open();
    let commit = ask(&mut transacting, &shared, Request::Commit);
    end(&mut transacting, &shared);
    drop(commit);
    let asked = ask(&mut transacting, &shared, Request::Outcome);
    assert_eq!(told(asked).unwrap(), Some(TransactionOutcome::Committed));
}

#[test]
fn a_transaction_whose_begin_was_given_up_when_it_had_begun_keeps_no_other_from_beginning() {
    let (mut transacting, shared) = open();
    transacting.machine = Txn::ready(TransactionVersion::Two).machine;
    drop(ask(&mut transacting, &shared, Request::Begin));
    let begun = ask(&mut transacting, &shared, Request::Begin);
    turn(&mut transacting, &shared);
    told(begun).unwrap();
}

/// T-17: whoever calls too early is refused; the call that is under way does not suffer from it.
#[test]
fn offsets_sent_while_others_are_committed_are_refused_and_the_others_go_on() {
    let (mut transacting, shared) = open();
    let offsets = |done| Request::SendOffsets {
        offsets: vec![OffsetToCommit {
            partition: TopicPartition::new("orders", 0),
            offset: 5,
            leader_epoch: None,
            metadata: None,
        }],
        group: GroupMetadata::unmanaged("billing"),
        done,
    };
    let first = ask(&mut transacting, &shared, offsets);
    let second = ask(&mut transacting, &shared, offsets);
    assert!(matches!(told(second), Err(Error::Misuse { .. })));
    let now = Instant::now();
    let find = Body::FindCoordinator(CoordinatorKind::Group, Reply::Answered(2));
    let done = vec![(TopicPartition::new("orders", 0), ErrorCode::None)];
    let done = Body::TxnOffsetCommit(Reply::Answered(done));
    for body in [find, done] {
        transacting.poll(now, SenderStatus::default());
        transacting.deliver(body.into(), ClusterFacts::default(), now);
        transacting.effects(&shared);
    }
    told(first).unwrap();
}
