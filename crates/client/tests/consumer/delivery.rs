//! What polls give.

use crate::*;
use milena::ErrorCode;

#[tokio::test(start_paused = true)]
async fn records_come_as_they_were_written_with_positions_and_ends() {
    let network = Network::new();
    let mut consumer = reading(&network, builder(), 1);
    let _bootstrap = introduced(&network, metadata(1, 1, 5)).await;
    let mut broker = greeted(&network, K1).await;
    let asked = broker.expect::<FetchRequest>().await;
    let records = batch(0, &["a", "b", "c"], Compression::Lz4);
    broker
        .answer(&asked, answer(9, vec![data(0, 8, records)]))
        .await;
    let records = consumer.poll(SECOND).await.unwrap();
    assert_eq!(values(&records), ["a", "b", "c"]);
    let first = records.iter().next().unwrap();
    assert_eq!((first.topic, first.partition, first.offset), ("t", 0, 0));
    assert_eq!(
        (first.leader_epoch, first.timestamp, first.key),
        (Some(5), 1_000, None)
    );
    let next: Vec<_> = records
        .next_offsets()
        .map(|(name, next)| (name.clone(), next))
        .collect();
    assert_eq!(next, [(tp(0), consumer.position(&tp(0)).unwrap().unwrap())]);
    assert_eq!((next[0].1.offset, next[0].1.leader_epoch), (3, Some(5)));
    assert_eq!(consumer.high_watermark(&tp(0)).unwrap(), Some(8));
    assert_eq!(consumer.last_stable_offset(&tp(0)).unwrap(), Some(8));
    assert_eq!(consumer.log_start_offset(&tp(0)).unwrap(), Some(0));
    assert_eq!(consumer.lag(&tp(0)).unwrap(), Some(5));
}

#[tokio::test(start_paused = true)]
async fn the_next_fetch_is_on_its_way_before_the_last_is_taken() {
    let network = Network::new();
    let mut consumer = reading(&network, builder(), 1);
    let _bootstrap = introduced(&network, metadata(1, 1, 5)).await;
    let mut broker = greeted(&network, K1).await;
    for (from, value) in [(0, "a"), (1, "b"), (2, "c")] {
        let asked = broker.expect::<FetchRequest>().await;
        assert_eq!(named(&asked), [(0, from)]);
        let records = batch(from, &[value], Compression::None);
        broker
            .answer(&asked, answer(9, vec![data(0, from + 1, records)]))
            .await;
    }
    broker.expect::<FetchRequest>().await;
    let records = consumer.poll(SECOND).await.unwrap();
    assert_eq!(values(&records), ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn a_poll_gives_no_more_records_than_asked_for_and_loses_none() {
    let network = Network::new();
    let mut consumer = reading(&network, builder().poll_records_max(2), 1);
    let _bootstrap = introduced(&network, metadata(1, 1, 5)).await;
    let mut broker = greeted(&network, K1).await;
    let asked = broker.expect::<FetchRequest>().await;
    let mut records = batch(0, &["a", "b", "c"], Compression::Gzip);
    records.extend(batch(3, &["d", "e"], Compression::None));
    broker
        .answer(&asked, answer(9, vec![data(0, 5, records)]))
        .await;
    let mut polled = Vec::new();
    for _ in 0..3 {
        let records = consumer.poll(SECOND).await.unwrap();
        let position = consumer.position(&tp(0)).unwrap().unwrap();
        polled.push((values(&records), position.offset));
    }
    let strings = |values: &[&str]| values.iter().map(ToString::to_string).collect::<Vec<_>>();
    let expected = [
        (strings(&["a", "b"]), 2),
        (strings(&["c", "d"]), 4),
        (strings(&["e"]), 5),
    ];
    assert_eq!(polled, expected);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_poll_has_taken_nothing() {
    let network = Network::new();
    let mut consumer = reading(&network, builder(), 1);
    // Dropped again and again, at whatever point it has reached.
    let peers = tokio::spawn({
        let network = network.clone();
        async move {
            let bootstrap = introduced(&network, metadata(1, 1, 5)).await;
            let mut broker = greeted(&network, K1).await;
            let asked = broker.expect::<FetchRequest>().await;
            let records = batch(0, &["a", "b"], Compression::None);
            broker
                .answer(&asked, answer(9, vec![data(0, 2, records)]))
                .await;
            (bootstrap, broker)
        }
    });
    let mut seen = Vec::new();
    for _ in 0..200 {
        tokio::select! {
            biased;
            () = tokio::task::yield_now() => {}
            records = consumer.poll(SECOND) => seen.extend(values(&records.unwrap())),
        }
    }
    if seen.is_empty() {
        seen.extend(values(&consumer.poll(SECOND).await.unwrap()));
    }
    assert_eq!(seen, ["a", "b"]);
    drop(peers.await);
}

#[tokio::test(start_paused = true)]
async fn an_empty_poll_takes_its_time_and_no_longer() {
    let network = Network::new();
    let mut consumer = reading(&network, builder(), 1);
    let _bootstrap = introduced(&network, metadata(1, 1, 5)).await;
    let mut broker = greeted(&network, K1).await;
    broker.expect::<FetchRequest>().await;
    let started = tokio::time::Instant::now();
    let records = consumer.poll(Duration::from_millis(300)).await.unwrap();
    assert!(records.is_empty());
    assert_eq!(started.elapsed().as_millis(), 300);
    assert!(consumer.poll(Duration::ZERO).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn hidden_records_end_a_poll_early_with_news_of_the_position() {
    //
    let network = Network::new();
    let mut consumer = reading(&network, builder(), 1);
    let _bootstrap = introduced(&network, metadata(1, 1, 5)).await;
    let mut broker = greeted(&network, K1).await;
    let asked = broker.expect::<FetchRequest>().await;
    let mut emptied = batch(0, &[], Compression::None);
    // A last offset delta of 6: compaction has removed all of it.
    emptied[23..27].copy_from_slice(&6_i32.to_be_bytes());
    let crc = milena_codec::record::crc32c([&emptied[21..]]);
    emptied[17..21].copy_from_slice(&crc.to_be_bytes());
    broker
        .answer(&asked, answer(9, vec![data(0, 7, emptied)]))
        .await;
    let started = tokio::time::Instant::now();
    let records = consumer.poll(60 * SECOND).await.unwrap();
    assert!(started.elapsed() < SECOND);
    assert!(records.is_empty());
    let moved: Vec<_> = records
        .next_offsets()
        .map(|(_, next)| next.offset)
        .collect();
    assert_eq!(moved, [7]);
}

#[tokio::test(start_paused = true)]
async fn damaged_records_are_an_error_until_they_are_passed_over_by_a_seek() {
    // R-39a, R-50
    let network = Network::new();
    let mut consumer = reading(&network, builder(), 1);
    let _bootstrap = introduced(&network, metadata(1, 1, 5)).await;
    let mut broker = greeted(&network, K1).await;
    let asked = broker.expect::<FetchRequest>().await;
    let mut records = batch(0, &["a"], Compression::None);
    let mut damaged = batch(1, &["b"], Compression::None);
    *damaged.last_mut().unwrap() ^= 1;
    records.extend(damaged);
    broker
        .answer(&asked, answer(9, vec![data(0, 3, records)]))
        .await;
    assert_eq!(values(&consumer.poll(SECOND).await.unwrap()), ["a"]);
    for _ in 0..2 {
        let error = consumer.poll(SECOND).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the records of t-0 at offset 1 are damaged"
        );
    }
    consumer.seek(&tp(0), Position::Offset(2)).unwrap();
    let asked = broker.expect::<FetchRequest>().await;
    assert_eq!(named(&asked), [(0, 2)]);
    let records = batch(2, &["c"], Compression::None);
    broker
        .answer(&asked, answer(9, vec![data(0, 3, records)]))
        .await;
    assert_eq!(values(&consumer.poll(SECOND).await.unwrap()), ["c"]);
}

#[tokio::test(start_paused = true)]
async fn a_record_count_that_lies_is_an_error_and_gives_nothing() {
    // L-27: found when a poll opens the batch; the poll says so at once.
    let network = Network::new();
    let mut consumer = reading(&network, builder().check_crcs(false), 1);
    let _bootstrap = introduced(&network, metadata(1, 1, 5)).await;
    let mut broker = greeted(&network, K1).await;
    let asked = broker.expect::<FetchRequest>().await;
    let mut records = batch(0, &["a", "b"], Compression::None);
    records[57..61].copy_from_slice(&1_i32.to_be_bytes());
    broker
        .answer(&asked, answer(9, vec![data(0, 2, records)]))
        .await;
    let error = consumer.poll(SECOND).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the records of t-0 at offset 0 are damaged"
    );
    assert_eq!(consumer.position(&tp(0)).unwrap().unwrap().offset, 0);
}

#[tokio::test(start_paused = true)]
async fn an_error_of_one_partition_is_told_and_the_others_go_on() {
    //
    let network = Network::new();
    let mut consumer = reading(&network, builder(), 2);
    let _bootstrap = introduced(&network, metadata(2, 1, 5)).await;
    let mut broker = greeted(&network, K1).await;
    let asked = broker.expect::<FetchRequest>().await;
    let refused =
        data(0, -1, Vec::new()).with_error_code(ErrorCode::TopicAuthorizationFailed.code());
    let records = batch(0, &["a"], Compression::None);
    broker
        .answer(&asked, answer(9, vec![refused, data(1, 1, records)]))
        .await;
    let mut outcomes = Vec::new();
    for _ in 0..2 {
        match consumer.poll(SECOND).await {
            Ok(records) => outcomes.push(values(&records).join(" ")),
            Err(error) => outcomes.push(error.code().unwrap().to_string()),
        }
    }
    outcomes.sort();
    assert_eq!(outcomes, ["TOPIC_AUTHORIZATION_FAILED (29)", "a"]);
}
