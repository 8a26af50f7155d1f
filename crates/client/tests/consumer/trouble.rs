//! Brokers that are away, hang, or are none.

use crate::*;
use milena::{Error, ErrorCode};
use std::io;

#[tokio::test(start_paused = true)]
async fn a_first_contact_is_waited_for_within_the_poll_and_its_failure_is_the_error() {
    //
    let network = Network::new();
    network.refuse(BOOTSTRAP, io::ErrorKind::ConnectionRefused);
    let mut consumer = reading(&network, builder(), 1);
    let started = tokio::time::Instant::now();
    let error = consumer.poll(10 * SECOND).await.unwrap_err();
    assert!(started.elapsed() >= 10 * SECOND, "{:?}", started.elapsed());
    assert!(error.is_retriable(), "{error:?}");
    network.permit(BOOTSTRAP);
    let (records, _peers) = tokio::join!(consumer.poll(60 * SECOND), one_record(&network));
    assert_eq!(values(&records.unwrap()), ["a"]);
}

/// A broker that gives its one record to the first fetch.
async fn one_record(network: &Network) -> (Peer, Peer) {
    let bootstrap = introduced(network, metadata(1, 1, 5)).await;
    let mut broker = greeted(network, K1).await;
    let asked = broker.expect::<FetchRequest>().await;
    let records = batch(0, &["a"], Compression::None);
    broker
        .answer(&asked, answer(9, vec![data(0, 1, records)]))
        .await;
    (bootstrap, broker)
}

#[tokio::test(start_paused = true)]
async fn a_wrong_address_is_an_error_at_once_where_that_is_wanted_and_tried_again() {
    // L-30
    let network = Network::new();
    network.refuse(BOOTSTRAP, io::ErrorKind::ConnectionRefused);
    let mut consumer = reading(&network, builder().fail_unreachable_at_once(true), 1);
    let started = tokio::time::Instant::now();
    let error = consumer.poll(60 * SECOND).await.unwrap_err();
    assert!(started.elapsed() < 2 * SECOND, "{:?}", started.elapsed());
    assert!(error.is_retriable(), "{error:?}");
    // Every poll tries; what it tells has happened during it.
    assert!(consumer.poll(60 * SECOND).await.is_err());
    network.permit(BOOTSTRAP);
    let (records, _peers) = tokio::join!(consumer.poll(60 * SECOND), one_record(&network));
    assert_eq!(values(&records.unwrap()), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_port_that_speaks_tls_is_told_at_once() {
    // L-30
    let network = Network::new();
    let mut consumer = reading(&network, builder(), 1);
    let script = async {
        let mut peer = network.accept(BOOTSTRAP).await;
        peer.expect_any("ApiVersions").await;
        peer.send(&[21, 3, 3, 0, 2, 2, 40]).await;
        peer
    };
    let (polled, _peer) = tokio::join!(consumer.poll(60 * SECOND), script);
    let error = polled.unwrap_err();
    assert!(matches!(error, Error::WrongListener { .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn an_advertised_address_that_nobody_reaches_is_told_at_once() {
    let network = Network::new();
    network.refuse(K1, io::ErrorKind::ConnectionRefused);
    let mut consumer = reading(&network, builder(), 1);
    let script = introduced(&network, metadata(1, 1, 5));
    let (polled, _bootstrap) = tokio::join!(consumer.poll(60 * SECOND), script);
    let error = polled.unwrap_err();
    let Error::Transport { address, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(address.as_deref(), Some(K1));
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_restarts_is_waited_for_and_read_on_from_the_same_place() {
    //
    let network = Network::new();
    let mut consumer = reading(&network, builder(), 1);
    let _bootstrap = introduced(&network, metadata(1, 1, 5)).await;
    let mut broker = greeted(&network, K1).await;
    let asked = broker.expect::<FetchRequest>().await;
    let records = batch(0, &["a"], Compression::None);
    broker
        .answer(&asked, answer(9, vec![data(0, 1, records)]))
        .await;
    assert_eq!(values(&consumer.poll(SECOND).await.unwrap()), ["a"]);
    broker.expect::<FetchRequest>().await;
    drop(broker);
    network.refuse(K1, io::ErrorKind::ConnectionRefused);
    assert!(consumer.poll(5 * SECOND).await.unwrap().is_empty());
    network.permit(K1);
    let _other = Anyone::at(&network, K2, &metadata(1, 1, 5));
    let mut broker = Anyone::at(&network, K1, &metadata(1, 1, 5));
    let script = broker.answer(|asked: Received<FetchRequest>| {
        assert_eq!(
            (asked.request.session_epoch, named(&asked)),
            (0, vec![(0, 1)])
        );
        answer(4, vec![data(0, 2, batch(1, &["b"], Compression::None))])
    });
    let (records, ()) = tokio::join!(consumer.poll(60 * SECOND), script);
    assert_eq!(values(&records.unwrap()), ["b"]);
}

#[tokio::test(start_paused = true)]
async fn an_outage_that_lasts_is_told() {
    let network = Network::new();
    let mut consumer = reading(&network, builder(), 1);
    let _bootstrap = introduced(&network, metadata(1, 1, 5)).await;
    let mut broker = greeted(&network, K1).await;
    let asked = broker.expect::<FetchRequest>().await;
    broker
        .answer(&asked, answer(9, vec![data(0, 0, Vec::new())]))
        .await;
    broker.expect::<FetchRequest>().await;
    drop(broker);
    network.refuse(K1, io::ErrorKind::ConnectionRefused);
    assert!(consumer.poll(10 * SECOND).await.unwrap().is_empty());
    let error = consumer.poll(30 * SECOND).await.unwrap_err();
    assert!(matches!(error, Error::Transport { .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_came_back_without_its_partitions_is_no_outage() {
    // L-30 only tells what stands in the way; nothing is asked of the old leader ever again.
    let network = Network::new();
    let mut consumer = reading(&network, builder(), 1);
    let bootstrap = introduced(&network, metadata(1, 1, 5)).await;
    let mut broker = greeted(&network, K1).await;
    let asked = broker.expect::<FetchRequest>().await;
    broker
        .answer(&asked, answer(9, vec![data(0, 0, Vec::new())]))
        .await;
    broker.expect::<FetchRequest>().await;
    drop((broker, bootstrap));
    network.refuse(K1, io::ErrorKind::ConnectionRefused);
    assert!(consumer.poll(SECOND).await.unwrap().is_empty());

    network.permit(K1);
    let moved = metadata(1, 2, 6);
    let _elsewhere = [BOOTSTRAP, K1].map(|address| Anyone::at(&network, address, &moved));
    let mut leader = Anyone::at(&network, K2, &moved);
    let idle = async {
        loop {
            let empty = |_: Received<FetchRequest>| answer(4, vec![data(0, 0, Vec::new())]);
            leader.answer(empty).await;
            tokio::time::sleep(SECOND / 2).await;
        }
    };
    let polls = async {
        for _ in 0..90 {
            assert!(consumer.poll(SECOND).await.unwrap().is_empty());
        }
    };
    tokio::select! {
        () = polls => {}
        () = idle => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_hung_broker_costs_the_request_timeout_and_its_connection() {
    // P-43
    let network = Network::new();
    let mut consumer = reading(&network, builder().request_timeout(5 * SECOND), 1);
    let _bootstrap = introduced(&network, metadata(1, 1, 5)).await;
    let mut hung = greeted(&network, K1).await;
    hung.expect::<FetchRequest>().await;
    let script = async {
        hung.expect_end().await;
        let _other = Anyone::at(&network, K2, &metadata(1, 1, 5));
        let mut broker = Anyone::at(&network, K1, &metadata(1, 1, 5));
        let records = batch(0, &["a"], Compression::None);
        let records = |_: Received<FetchRequest>| answer(9, vec![data(0, 1, records)]);
        broker.answer(records).await;
        broker
    };
    let poll = async {
        loop {
            // The first failure of a consumer that was never answered is told.
            match consumer.poll(60 * SECOND).await {
                Ok(records) => break values(&records),
                Err(error) => assert!(error.is_retriable(), "{error:?}"),
            }
        }
    };
    let (polled, _broker) = tokio::join!(poll, script);
    assert_eq!(polled, ["a"]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_read_is_asked_for_again_and_not_too_often() {
    // L-22, L-26: a count of topics that no frame could hold.
    let network = Network::new();
    let _consumer = reading(&network, builder(), 1);
    let _bootstrap = introduced(&network, metadata(1, 1, 5)).await;
    let mut broker = greeted(&network, K1).await;
    let started = tokio::time::Instant::now();
    for _ in 0..4 {
        let asked = broker.expect::<FetchRequest>().await;
        assert_eq!(asked.request.session_epoch, 0);
        let mut body = vec![0; 10];
        body.extend([0xff, 0xff, 0xff, 0xff, 0x0f]);
        broker
            .answer_body(&asked.header, asked.header.correlation_id, &body)
            .await;
    }
    assert!(
        started.elapsed() > Duration::from_millis(500),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn dropping_a_consumer_does_not_wait_and_lets_the_brokers_know() {
    // L-20, R-90
    let network = Network::new();
    let consumer = reading(&network, builder(), 1);
    let mut bootstrap = introduced(&network, metadata(1, 1, 5)).await;
    let mut broker = greeted(&network, K1).await;
    let asked = broker.expect::<FetchRequest>().await;
    broker
        .answer(&asked, answer(9, vec![data(0, 0, Vec::new())]))
        .await;
    broker.expect::<FetchRequest>().await;
    drop(consumer);
    let mut other = greeted(&network, K1).await;
    let asked = other.expect::<FetchRequest>().await;
    assert_eq!(
        (asked.request.session_id, asked.request.session_epoch),
        (9, -1)
    );
    other.answer(&asked, FetchResponse::default()).await;
    broker.expect_end().await;
    bootstrap.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn closing_ends_although_no_broker_answers() {
    let network = Network::new();
    let consumer = reading(&network, builder(), 1);
    let _bootstrap = introduced(&network, metadata(1, 1, 5)).await;
    let mut broker = greeted(&network, K1).await;
    let asked = broker.expect::<FetchRequest>().await;
    broker
        .answer(&asked, answer(9, vec![data(0, 0, Vec::new())]))
        .await;
    broker.expect::<FetchRequest>().await;
    network.swallow(K1);
    let started = tokio::time::Instant::now();
    consumer.close().await;
    assert!(started.elapsed() <= 2 * SECOND, "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_ever_is_one() {
    let network = Network::new();
    network.refuse(BOOTSTRAP, io::ErrorKind::ConnectionRefused);
    let mut consumer = reading(&network, builder(), 1);
    consumer.seek(&tp(0), Position::Latest).unwrap();
    let settled = consumer.wait_for_positions(Duration::MAX).await;
    assert!(settled.unwrap_err().is_retriable());
    assert!(consumer.poll(Duration::MAX).await.is_err());
    // Nothing is assigned, so nothing can come.
    consumer.assign(&[]).unwrap();
    let polled = tokio::time::timeout(3_600 * SECOND, consumer.poll(Duration::MAX)).await;
    assert!(polled.is_err(), "{polled:?}");
}

/// The topic as a broker describes it that does not know it.
fn unknown_topic() -> MetadataResponse {
    let mut described = metadata(1, 1, 5);
    let topic = &mut described.topics[0];
    topic.error_code = ErrorCode::UnknownTopicOrPartition.code();
    topic.partitions.clear();
    described
}

///
#[tokio::test(start_paused = true)]
async fn a_topic_that_does_not_exist_is_an_error_of_poll_within_seconds() {
    let network = Network::new();
    let mut consumer = reading(&network, builder(), 1);
    let _bootstrap = Anyone::at(&network, BOOTSTRAP, &unknown_topic());
    let _k1 = Anyone::at(&network, K1, &unknown_topic());
    let _k2 = Anyone::at(&network, K2, &unknown_topic());
    let begin = tokio::time::Instant::now();
    let error = consumer.poll(60 * SECOND).await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::UnknownTopicOrPartition));
    assert!(error.to_string().contains("t-0"), "{error}");
    let took = begin.elapsed();
    assert!((SECOND..4 * SECOND).contains(&took), "{took:?}");
}

///
#[tokio::test(start_paused = true)]
async fn waiting_for_positions_in_vain_has_its_cause() {
    let network = Network::new();
    let mut consumer = reading(&network, builder(), 1);
    consumer.seek(&tp(0), Position::Latest).unwrap();
    let mut described = metadata(1, 1, 5);
    described.topics[0].partitions[0].leader_id = BrokerId(-1);
    let _bootstrap = Anyone::at(&network, BOOTSTRAP, &described);
    let _k1 = Anyone::at(&network, K1, &described);
    let _k2 = Anyone::at(&network, K2, &described);
    let error = consumer.wait_for_positions(SECOND).await.unwrap_err();
    let Error::Timeout {
        cause: Some(cause), ..
    } = &error
    else {
        panic!("{error:?}");
    };
    assert_eq!(cause.code(), Some(ErrorCode::LeaderNotAvailable));
    assert!(cause.to_string().contains("t-0"), "{cause}");
}
