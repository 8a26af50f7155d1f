//! Every kind of scripted trouble, as a client meets it.

use crate::raw::{Produce, Raw, anonymous, checked, end, start};
use bytes::Bytes;
use kafka_protocol::messages::{
    ApiVersionsRequest, EndTxnRequest, InitProducerIdRequest, MetadataRequest, ProduceRequest,
};
use milena_broker::{Broker, ErrorCode, Event, Loss, Then, TransactionState, When};
use milena_codec::{ProducerEpoch, ProducerIdentity};
use std::time::Duration;

const PRODUCE: i16 = 0;
const END_TXN: i16 = 26;

async fn appended(broker: &Broker) -> usize {
    let entries = broker.history().entries();
    entries
        .iter()
        .filter(|entry| matches!(entry.event, Event::Append { .. }))
        .count()
}

#[tokio::test]
async fn a_code_is_answered_so_many_times_and_nothing_is_done() {
    let broker = &start().await;
    let mut raw = Raw::connect(broker);
    let fault = broker.faults().times(
        2,
        When::api(PRODUCE),
        Then::Answer(ErrorCode::NotEnoughReplicas),
    );
    for expected in [19, 19, 0] {
        assert_eq!(raw.produce(&Produce::default()).await.error_code, expected);
    }
    assert_eq!(fault.count(), 2);
    assert_eq!(appended(broker).await, 1);
}

#[tokio::test]
async fn a_partitions_error_leaves_the_others_alone() {
    let broker = &start().await;
    let mut raw = Raw::connect(broker);
    let when = When::api(PRODUCE).partition("t", 1);
    broker
        .faults()
        .every(when, Then::Answer(ErrorCode::NotLeaderOrFollower));
    let mut both = Produce::default().request();
    let mut second = both.topic_data[0].partition_data[0].clone();
    second.index = 1;
    both.topic_data[0].partition_data.push(second);
    let answer = raw.call(12, &both).await;
    let codes: Vec<_> = answer.responses[0]
        .partition_responses
        .iter()
        .map(|p| p.error_code)
        .collect();
    assert_eq!(codes, [0, 6]);
    // By id, too.
    let metadata = raw
        .call(12, &MetadataRequest::default().with_topics(None))
        .await;
    both.topic_data[0].topic_id = metadata.topics[0].topic_id;
    let answer = raw.call(13, &both).await;
    let codes: Vec<_> = answer.responses[0]
        .partition_responses
        .iter()
        .map(|p| p.error_code)
        .collect();
    assert_eq!(codes, [0, 6]);
}

#[tokio::test]
async fn only_the_client_that_is_meant_is_hit() {
    let broker = &start().await;
    broker.faults().every(
        When::any().client("victim"),
        Then::LoseRequest(Loss::Disconnect),
    );
    let mut victim = Raw::connect(broker).named("victim");
    let mut other = Raw::connect(broker).named("other");
    victim.send(0, &ApiVersionsRequest::default()).await;
    assert_eq!(victim.receive().await, None);
    other.call(0, &ApiVersionsRequest::default()).await;
    broker.faults().clear();
    Raw::connect(broker)
        .named("victim")
        .call(0, &ApiVersionsRequest::default())
        .await;
}

/// The heart of in-doubt: it happened, and the client does not know.
#[tokio::test]
async fn a_lost_answer_is_of_something_that_was_done() {
    let broker = &start().await;
    for loss in [Loss::Disconnect, Loss::Silence] {
        let mut raw = Raw::connect(broker);
        broker
            .faults()
            .once(When::api(PRODUCE), Then::LoseAnswer(loss));
        raw.send(12, &Produce::default().request()).await;
        match loss {
            Loss::Disconnect => assert_eq!(raw.receive().await, None),
            Loss::Silence => {
                raw.send(0, &ApiVersionsRequest::default()).await;
                let silence = tokio::time::timeout(Duration::from_millis(50), raw.receive()).await;
                assert!(silence.is_err(), "nothing comes any more");
            }
        }
    }
    assert_eq!(appended(broker).await, 2);
}

#[tokio::test]
async fn a_lost_request_is_not_done() {
    let broker = &start().await;
    let mut raw = Raw::connect(broker);
    broker.faults().after(
        1,
        1,
        When::api(PRODUCE),
        Then::LoseRequest(Loss::Disconnect),
    );
    assert_eq!(
        raw.produce(&Produce::default()).await.error_code,
        0,
        "skipped"
    );
    raw.send(12, &Produce::default().request()).await;
    assert_eq!(raw.receive().await, None);
    assert_eq!(appended(broker).await, 1);
}

#[tokio::test]
async fn an_answer_is_cut_in_the_middle_of_its_frame() {
    let broker = &start().await;
    let mut raw = Raw::connect(broker);
    broker
        .faults()
        .once(When::api(PRODUCE), Then::CutAnswer { after: 9 });
    raw.send(12, &Produce::default().request()).await;
    assert_eq!(raw.receive().await, None);
    assert_eq!(raw.left_over(), 9);
    assert_eq!(appended(broker).await, 1);
}

#[tokio::test]
async fn an_answer_comes_twice() {
    let broker = &start().await;
    let mut raw = Raw::connect(broker);
    broker.faults().once(When::api(PRODUCE), Then::AnswerTwice);
    let sent = raw.send(12, &Produce::default().request()).await;
    for _ in 0..2 {
        let answer = raw.answer::<ProduceRequest>(12, sent).await.unwrap();
        assert_eq!(answer.responses[0].partition_responses[0].base_offset, 0);
    }
}

#[tokio::test]
async fn any_bytes_can_be_the_answer() {
    let broker = &start().await;
    let mut raw = Raw::connect(broker);
    let nonsense = Bytes::from_static(b"nonsense");
    broker
        .faults()
        .once(When::any(), Then::AnswerBytes(nonsense));
    let sent = raw.send(0, &ApiVersionsRequest::default()).await;
    let frame = raw.receive().await.unwrap();
    assert_eq!(&frame[4..], b"nonsense");
    assert_eq!(frame[..4], sent.to_be_bytes());
}

#[tokio::test]
async fn delays_pass_with_the_clock() {
    let broker = &start().await;
    for then in [
        Then::DelayRequest(Duration::from_secs(600)),
        Then::DelayAnswer(Duration::from_secs(600)),
    ] {
        let before = appended(broker).await;
        let done_first = matches!(then, Then::DelayAnswer(_));
        let mut raw = Raw::connect(broker);
        let fault = broker.faults().once(When::api(PRODUCE), then);
        let sent = raw.send(12, &Produce::default().request()).await;
        fault.applied(1).await;
        let silence = tokio::time::timeout(Duration::from_millis(50), raw.receive()).await;
        assert!(silence.is_err());
        assert_eq!(appended(broker).await > before, done_first);
        broker.clock().advance(Duration::from_secs(600));
        raw.answer::<ProduceRequest>(12, sent).await.unwrap();
    }
}

/// D-40: a Produce that arrives after its transaction has ended is refused by its epoch, whoever waits for it.
#[tokio::test]
async fn a_held_produce_is_done_after_its_sender_has_gone() {
    let broker = &start().await;
    let mut raw = Raw::connect(broker);
    let producer = raw.init("tx").await.unwrap();
    let first = Produce {
        transactional_id: Some("tx"),
        producer,
        sequence: 0,
        ..Produce::default()
    };
    assert_eq!(raw.produce(&first).await.error_code, 0);
    let held = broker
        .faults()
        .once(When::api(PRODUCE).client("late"), Then::Hold);
    let mut late = Raw::connect(broker).named("late");
    let second = Produce {
        sequence: 1,
        ..first
    };
    let sent = late.send(12, &second.request()).await;
    held.applied(1).await;
    drop(late);
    let ended = raw.end("tx", producer, true).await;
    assert_eq!(checked(ended.error_code), Ok(()));
    let marker = |entry: &milena_broker::Entry| matches!(entry.event, Event::MarkerWritten { .. });
    broker.history().wait_for(0, marker).await;
    held.release();
    let done = |entry: &milena_broker::Entry| {
        matches!(&entry.event, Event::Answer { request, .. }
            if request.client_id.as_deref() == Some("late") && request.correlation_id == sent)
    };
    broker.history().wait_for(0, done).await;
    assert_eq!(appended(broker).await, 1, "it came too late");
}

/// A commit that arrives after a newer instance has taken over commits nothing.
#[tokio::test]
async fn a_held_end_of_a_transaction_comes_too_late_for_the_next_instance() {
    for version in 0..=2 {
        let builder = Broker::builder().transaction_version(version);
        let broker = &builder.topic("t", 1).in_memory().start().await.unwrap();
        let mut raw = Raw::connect(broker);
        let producer = raw.init("tx").await.unwrap();
        raw.add_partition("tx", producer, "t").await;
        let first = Produce {
            transactional_id: Some("tx"),
            producer,
            sequence: 0,
            ..Produce::default()
        };
        assert_eq!(raw.produce_in(9, &first).await.error_code, 0);
        let held = broker
            .faults()
            .once(When::api(END_TXN).client("late"), Then::Hold);
        let mut late = Raw::connect(broker).named("late");
        let sent = late.send(4, &end("tx", producer, true)).await;
        held.applied(1).await;
        // The newer instance has to ask again until the older one's transaction is aborted.
        let newer = loop {
            match raw.init("tx").await {
                Ok(newer) => break newer,
                Err(code) => assert_eq!(code, ErrorCode::ConcurrentTransactions),
            }
            let marker =
                |entry: &milena_broker::Entry| matches!(entry.event, Event::MarkerWritten { .. });
            broker.history().wait_for(0, marker).await;
        };
        assert!(newer.producer_epoch > producer.producer_epoch);
        held.release();
        let answer = late.answer::<EndTxnRequest>(4, sent).await.unwrap();
        assert_eq!(
            ErrorCode::from(answer.error_code),
            ErrorCode::ProducerFenced,
            "transaction.version {version}"
        );
        let fetched = raw.fetch("t", 0, true).await;
        assert_eq!(fetched.aborted_transactions.unwrap().len(), 1);
        assert_eq!(fetched.last_stable_offset, 2);
    }
}

/// D-36: before version 2 a commit has nothing that says of which transaction it is; since then its epoch does.
#[tokio::test]
async fn a_held_commit_ends_the_next_transaction_unless_the_epoch_tells_them_apart() {
    for (end_version, expected) in [(4, ErrorCode::None), (5, ErrorCode::ProducerFenced)] {
        let version = end_version - 3;
        let builder = Broker::builder().transaction_version(version);
        let broker = &builder.topic("t", 1).in_memory().start().await.unwrap();
        let mut raw = Raw::connect(broker);
        let producer = raw.init("tx").await.unwrap();
        raw.add_partition("tx", producer, "t").await;
        let held = broker
            .faults()
            .once(When::api(END_TXN).client("late"), Then::Hold);
        let mut late = Raw::connect(broker).named("late");
        let sent = late.send(end_version, &end("tx", producer, true)).await;
        held.applied(1).await;
        // The client asks again elsewhere, is answered, and begins the next transaction.
        let ended = raw.call(end_version, &end("tx", producer, true)).await;
        assert_eq!(checked(ended.error_code), Ok(()));
        let marker =
            |entry: &milena_broker::Entry| matches!(entry.event, Event::MarkerWritten { .. });
        broker.history().wait_for(0, marker).await;
        let next = match end_version {
            5 => ProducerIdentity::new(producer.producer_id, ProducerEpoch(ended.producer_epoch)),
            _ => producer,
        };
        raw.add_partition("tx", next, "t").await;
        held.release();
        let answer = late.answer::<EndTxnRequest>(end_version, sent).await;
        assert_eq!(ErrorCode::from(answer.unwrap().error_code), expected);
        let open = broker.transaction_state("tx") == Some(TransactionState::Ongoing);
        assert_eq!(open, end_version == 5, "whether the next one is still open");
    }
}

#[tokio::test]
async fn a_held_request_is_answered_if_its_sender_is_still_there() {
    let broker = &start().await;
    let mut raw = Raw::connect(broker);
    let held = broker.faults().once(When::api(22), Then::Hold);
    let request = anonymous();
    let sent = raw.send(5, &request).await;
    held.applied(1).await;
    held.release();
    let answer = raw.answer::<InitProducerIdRequest>(5, sent).await.unwrap();
    assert_eq!(answer.error_code, 0);
}

#[tokio::test]
async fn a_removed_script_does_nothing_more() {
    let broker = &start().await;
    let mut raw = Raw::connect(broker);
    let fault = broker
        .faults()
        .every(When::any(), Then::Answer(ErrorCode::InvalidRequest));
    raw.produce(&Produce::default()).await;
    fault.remove();
    assert_eq!(raw.produce(&Produce::default()).await.error_code, 0);
    assert_eq!(fault.count(), 1);
}

/// What happened, to which API, and whether it is told in full.
fn tell(event: &Event) -> (&'static str, i16, bool) {
    if let Event::Request { request, body } = event {
        ("request", request.api_key, body.is_some())
    } else if let Event::Fault { request, what } = event {
        ("fault", request.api_key, what == "answer twice")
    } else if let Event::Append { base_offset, .. } = event {
        ("append", PRODUCE, *base_offset == 0)
    } else if let Event::Answer { request, body } = event {
        ("answer", request.api_key, body.is_some())
    } else {
        ("something else", PRODUCE, false)
    }
}

#[tokio::test]
async fn the_history_tells_it_all_in_order() {
    let broker = Broker::builder()
        .topic("t", 1)
        .history_bodies(true)
        .in_memory();
    let broker = broker.start().await.unwrap();
    let mut raw = Raw::connect(&broker);
    broker.faults().once(When::api(PRODUCE), Then::AnswerTwice);
    raw.produce(&Produce::default()).await;
    let entries = broker.history().entries();
    let story: Vec<_> = entries.iter().map(|entry| tell(&entry.event)).collect();
    assert_eq!(
        story,
        [
            ("request", 0, true),
            ("fault", 0, true),
            ("append", 0, true),
            ("answer", 0, true)
        ]
    );
}
