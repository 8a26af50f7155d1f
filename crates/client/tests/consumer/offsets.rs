//! Looking up where to read.

use crate::*;
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use kafka_protocol::messages::{
    ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
};
use milena::consumer::OffsetReset;
use milena::{Error, ErrorCode};

fn found(offsets: &[(i32, i64)]) -> ListOffsetsResponse {
    let partition = |(index, offset): &(i32, i64)| {
        ListOffsetsPartitionResponse::default()
            .with_partition_index(*index)
            .with_offset(*offset)
            .with_timestamp(-1)
            .with_leader_epoch(5)
    };
    let topic = ListOffsetsTopicResponse::default()
        .with_name(topic_name())
        .with_partitions(offsets.iter().map(partition).collect());
    ListOffsetsResponse::default().with_topics(vec![topic])
}

/// The timestamps that were asked for, by partition.
fn questions(asked: &Received<ListOffsetsRequest>) -> Vec<(i32, i64)> {
    let partitions = asked
        .request
        .topics
        .iter()
        .flat_map(|topic| &topic.partitions);
    partitions
        .map(|partition| (partition.partition_index, partition.timestamp))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_seek_to_the_end_is_done_once_the_position_is_known() {
    //
    let network = Network::new();
    let mut consumer = reading(&network, builder(), 1);
    consumer.seek(&tp(0), Position::Latest).unwrap();
    assert_eq!(consumer.position(&tp(0)).unwrap(), None);
    let script = async {
        let bootstrap = introduced(&network, metadata(1, 1, 5)).await;
        let mut broker = greeted(&network, K1).await;
        let asked = broker.expect::<ListOffsetsRequest>().await;
        assert_eq!(questions(&asked), [(0, -1)]);
        assert_eq!(asked.request.isolation_level, 1);
        assert_eq!(
            asked.request.topics[0].partitions[0].current_leader_epoch,
            5
        );
        broker.answer(&asked, found(&[(0, 40)])).await;
        (bootstrap, broker)
    };
    let (settled, _peers) = tokio::join!(consumer.wait_for_positions(SECOND), script);
    settled.unwrap();
    let position = consumer.position(&tp(0)).unwrap().unwrap();
    assert_eq!((position.offset, position.leader_epoch), (40, None));
    let mut broker = greeted(&network, K1).await;
    assert_eq!(named(&broker.expect::<FetchRequest>().await), [(0, 40)]);
}

#[tokio::test(start_paused = true)]
async fn without_a_position_the_policy_decides() {
    let network = Network::new();
    for (policy, question) in [(OffsetReset::Earliest, -2), (OffsetReset::Latest, -1)] {
        let config = builder().offset_reset(policy).build().unwrap();
        let mut consumer = Consumer::with_connector(config, network.connector()).unwrap();
        consumer.assign(&[tp(0)]).unwrap();
        let _bootstrap = introduced(&network, metadata(1, 1, 5)).await;
        let mut broker = greeted(&network, K1).await;
        let asked = broker.expect::<ListOffsetsRequest>().await;
        assert_eq!(questions(&asked), [(0, question)]);
    }
    let mut consumer =
        Consumer::with_connector(builder().build().unwrap(), network.connector()).unwrap();
    consumer.assign(&[tp(0)]).unwrap();
    let error = consumer.poll(SECOND).await.unwrap_err();
    assert!(matches!(error, Error::Misuse { .. }), "{error:?}");
    assert!(error.to_string().contains("seek"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn ends_and_times_are_asked_of_the_leaders_now() {
    // one partition is not ready and is asked again, one has no such record.
    let network = Network::new();
    let consumer =
        Consumer::with_connector(builder().build().unwrap(), network.connector()).unwrap();
    let _bootstrap = Anyone::at(&network, BOOTSTRAP, &metadata(2, 1, 5));
    let _other = Anyone::at(&network, K2, &metadata(2, 1, 5));
    let mut broker = Anyone::at(&network, K1, &metadata(2, 1, 5));
    let script = async {
        broker
            .answer(|asked: Received<ListOffsetsRequest>| {
                assert_eq!(questions(&asked), [(0, -1), (1, -1)]);
                let mut answer = found(&[(0, 40), (1, -1)]);
                let code = ErrorCode::OffsetNotAvailable.code();
                answer.topics[0].partitions[1].error_code = code;
                answer
            })
            .await;
        broker
            .answer(|asked: Received<ListOffsetsRequest>| {
                assert_eq!(questions(&asked), [(1, -1)]);
                found(&[(1, 50)])
            })
            .await;
    };
    let names = [tp(0), tp(1)];
    let (ends, ()) = tokio::join!(consumer.end_offsets(&names), script);
    assert_eq!(
        ends.all().unwrap().into_values().collect::<Vec<_>>(),
        [40, 50]
    );
    let script = broker.answer(|asked: Received<ListOffsetsRequest>| {
        assert_eq!(questions(&asked), [(0, 1_000), (1, 2_000)]);
        let mut answer = found(&[(0, 7), (1, -1)]);
        answer.topics[0].partitions[0].timestamp = 1_001;
        answer
    });
    let times = [(tp(0), 1_000), (tp(1), 2_000)];
    let (times, ()) = tokio::join!(consumer.offsets_for_times(&times), script);
    let times = times.all().unwrap();
    let found = times[&tp(0)].unwrap();
    assert_eq!((found.offset, found.timestamp), (7, Some(1_001)));
    assert_eq!(times[&tp(1)], None);
}

/// the others have their results, and the one without a leader names itself and its cause.
#[tokio::test(start_paused = true)]
async fn a_partition_without_a_leader_fails_alone_within_request_timeout() {
    let network = Network::new();
    let config = builder().request_timeout(5 * SECOND).build().unwrap();
    let consumer = Consumer::with_connector(config, network.connector()).unwrap();
    let mut described = metadata(2, 1, 5);
    let headless = &mut described.topics[0].partitions[1];
    headless.leader_id = BrokerId(-1);
    headless.error_code = ErrorCode::LeaderNotAvailable.code();
    let _bootstrap = Anyone::at(&network, BOOTSTRAP, &described);
    let _other = Anyone::at(&network, K2, &described);
    let mut broker = Anyone::at(&network, K1, &described);
    let script = broker.answer(|asked: Received<ListOffsetsRequest>| {
        assert_eq!(questions(&asked), [(0, -1)]);
        found(&[(0, 40)])
    });
    let asked_at = tokio::time::Instant::now();
    let names = [tp(0), tp(1)];
    let (ends, ()) = tokio::join!(consumer.end_offsets(&names), script);
    let took = asked_at.elapsed();
    assert!((5 * SECOND..6 * SECOND).contains(&took), "{took:?}");
    assert_eq!(ends.get(&tp(0)).unwrap().as_ref().unwrap(), &40);
    let error = ends.get(&tp(1)).unwrap().as_ref().unwrap_err();
    assert!(error.to_string().contains("t-1"), "{error}");
    assert_eq!(error.code(), Some(ErrorCode::LeaderNotAvailable));
}

#[tokio::test(start_paused = true)]
async fn a_lookup_of_ends_takes_request_timeout_at_most_however_slow_its_leaders_are() {
    let network = Network::new();
    let config = builder().request_timeout(50 * SECOND).build().unwrap();
    let consumer = Consumer::with_connector(config, network.connector()).unwrap();
    let _bootstrap = Anyone::at(&network, BOOTSTRAP, &metadata(1, 1, 5));
    let _broker = Anyone::at(&network, K1, &metadata(1, 1, 5));
    let asked_at = tokio::time::Instant::now();
    let error = consumer.end_offsets(&[tp(0)]).await.all().unwrap_err();
    assert!(
        matches!(&error, Error::Timeout { cause: Some(_), .. }),
        "{error:?}"
    );
    let took = asked_at.elapsed();
    assert!((50 * SECOND..51 * SECOND).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_seek_with_an_epoch_asks_the_leader_first_and_a_cut_log_is_told() {
    //
    let network = Network::new();
    let mut consumer = reading(&network, builder(), 1);
    let to = Position::OffsetAndEpoch {
        offset: 10,
        leader_epoch: 4,
    };
    consumer.seek(&tp(0), to).unwrap();
    let _bootstrap = introduced(&network, metadata(1, 1, 5)).await;
    let mut broker = greeted(&network, K1).await;
    let asked = broker.expect::<OffsetForLeaderEpochRequest>().await;
    assert_eq!(asked.request.replica_id, BrokerId(-1));
    let question = &asked.request.topics[0].partitions[0];
    assert_eq!(
        (question.current_leader_epoch, question.leader_epoch),
        (5, 4)
    );
    let end = EpochEndOffset::default()
        .with_leader_epoch(4)
        .with_end_offset(6);
    let topic = OffsetForLeaderTopicResult::default()
        .with_topic(topic_name())
        .with_partitions(vec![end]);
    let answer = OffsetForLeaderEpochResponse::default().with_topics(vec![topic]);
    broker.answer(&asked, answer).await;
    let error = consumer.poll(SECOND).await.unwrap_err();
    let Error::LogTruncated {
        position,
        diverging_offset,
        ..
    } = error
    else {
        panic!("{error:?}")
    };
    assert_eq!((position, diverging_offset), (10, Some(6)));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_is_refused_with_a_word_on_it() {
    let network = Network::new();
    let mut consumer = reading(&network, builder(), 1);
    for refused in [
        consumer.seek(&tp(0), Position::Offset(-1)),
        consumer.seek(
            &tp(0),
            Position::OffsetAndEpoch {
                offset: 1,
                leader_epoch: -1,
            },
        ),
        // On the wire these are the end and the start of the log.
        consumer.seek(&tp(0), Position::Timestamp(-1)),
        consumer.seek(&tp(0), Position::Timestamp(-2)),
        consumer.seek(&tp(1), Position::Offset(0)),
        consumer.pause(&[tp(0), tp(1)]),
        consumer.assign(&[tp(-1)]),
        consumer.assign(&[TopicPartition::new("", 0)]),
        consumer.position(&tp(1)).map(drop),
        consumer.lag(&tp(1)).map(drop),
    ] {
        let error = refused.unwrap_err();
        assert!(matches!(error, Error::Misuse { .. }), "{error:?}");
    }
    assert_eq!(consumer.assignment(), [tp(0)]);
}
