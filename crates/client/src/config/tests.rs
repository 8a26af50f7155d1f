use std::time::Duration;

use super::*;

const HERE: [&str; 1] = ["localhost:9092"];

fn here() -> ProducerBuilder {
    ProducerBuilder::new(HERE)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The setting named first by the error.
fn refused<T: std::fmt::Debug>(result: Result<T, ConfigError>) -> String {
    let error = result.unwrap_err();
    for part in [
        error.setting(),
        error.value(),
        error.reason(),
        error.remedy(),
    ] {
        assert!(!part.is_empty(), "{error:?}");
    }
    error.setting().to_owned()
}

#[test]
fn the_defaults_work() {
    let config = here().build().unwrap();
    assert!(config.idempotent);
    assert_eq!(config.acks, Acks::All);
    assert_eq!(config.max_in_flight, 5);
    assert_eq!(config.linger, Duration::from_millis(5));
    assert_eq!(config.delivery_timeout, seconds(120));
    assert_eq!(config.record_bytes_max, config.request_bytes_max);
}

#[test]
fn build_names_the_setting_that_cannot_work() {
    use milena_codec::{Compression, Limits};
    type Change = fn(ProducerBuilder) -> ProducerBuilder;
    let table: &[(&str, Change)] = &[
        ("client_id", |b| b.client_id("x".repeat(40_000))),
        ("request_timeout", |b| b.request_timeout(Duration::ZERO)),
        ("connect_timeout", |b| b.connect_timeout(Duration::ZERO)),
        ("metadata_max_age", |b| b.metadata_max_age(Duration::ZERO)),
        ("retry_backoff", |b| {
            b.retry_backoff(Duration::ZERO, seconds(1))
        }),
        ("retry_backoff_max", |b| {
            b.retry_backoff(seconds(2), seconds(1))
        }),
        ("reconnect_backoff_max", |b| {
            b.reconnect_backoff(seconds(2), seconds(1))
        }),
        ("in_flight_requests_max", |b| b.in_flight_requests_max(0)),
        ("request_timeout", |b| {
            b.request_timeout(seconds(30 * 24 * 3600))
        }),
        ("limits.frame_bytes", |b| {
            let mut limits = Limits::default();
            limits.frame_bytes = 7;
            b.limits(limits)
        }),
        // P-1
        ("acks", |b| b.enable_idempotence(true).acks(Acks::Leader)),
        ("acks", |b| {
            b.enable_idempotence(true).acks(Acks::NoneMayLose)
        }),
        ("retries", |b| b.enable_idempotence(true).retries(0)),
        ("max_in_flight", |b| b.max_in_flight(6)),
        ("max_in_flight", |b| b.max_in_flight(0)),
        ("max_in_flight", |b| {
            b.enable_idempotence(false).max_in_flight(65)
        }),
        // P-4
        ("delivery_timeout", |b| b.delivery_timeout(seconds(30))),
        ("delivery_timeout", |b| b.delivery_timeout(Duration::ZERO)),
        ("delivery_timeout", |b| {
            b.linger(seconds(100)).delivery_timeout(seconds(120))
        }),
        ("linger", |b| b.linger(seconds(30 * 24 * 3600))),
        ("max_block", |b| b.max_block(seconds(30 * 24 * 3600))),
        ("request_bytes_max", |b| b.request_bytes_max(1_023)),
        ("request_bytes_max", |b| b.request_bytes_max(101 << 20)),
        ("record_bytes_max", |b| b.record_bytes_max(2 << 20)),
        ("record_bytes_max", |b| b.record_bytes_max(0)),
        ("record_bytes_max", |b| {
            b.record_bytes_max(1 << 20).buffer_memory(1 << 10)
        }),
        ("batch_bytes", |b| b.batch_bytes(2 << 20)),
        ("batch_bytes", |b| {
            b.batch_bytes(64 << 10).buffer_memory(32 << 10)
        }),
        ("buffer_memory", |b| b.buffer_memory(100)),
        ("compression_level", |b| {
            b.compression(Compression::Gzip).compression_level(10)
        }),
        ("compression_level", |b| {
            b.compression(Compression::Snappy).compression_level(1)
        }),
        // presets
        ("retries", |b| {
            b.delivery_guarantee(DeliveryGuarantee::AtMostOnce)
                .retries(3)
        }),
        ("acks", |b| {
            b.delivery_guarantee(DeliveryGuarantee::AtLeastOnce)
                .acks(Acks::Leader)
        }),
        ("retries", |b| {
            b.delivery_guarantee(DeliveryGuarantee::AtLeastOnce)
                .retries(0)
        }),
        ("acks", |b| {
            b.delivery_guarantee(DeliveryGuarantee::ExactlyOnce)
                .acks(Acks::Leader)
        }),
        ("enable_idempotence", |b| {
            b.delivery_guarantee(DeliveryGuarantee::ExactlyOnce)
                .enable_idempotence(false)
        }),
        ("transactional_id", |b| {
            b.delivery_guarantee(DeliveryGuarantee::ExactlyOnce)
        }),
    ];
    for (row, (setting, change)) in table.iter().enumerate() {
        assert_eq!(refused(change(here()).build()), *setting, "row {row}");
    }
}

/// P-2, and what follows from it.
#[test]
fn build_names_the_transactional_setting_that_cannot_work() {
    type Change = fn(ProducerBuilder) -> ProducerBuilder<Transactional>;
    let table: &[(&str, Change)] = &[
        ("transactional_id", |b| b.transactional_id("")),
        ("transactional_id", |b| {
            b.transactional_id("x".repeat(40_000))
        }),
        ("transaction_timeout", |b| {
            b.transactional_id("t").transaction_timeout(Duration::ZERO)
        }),
        ("enable_idempotence", |b| {
            b.enable_idempotence(false).transactional_id("t")
        }),
        ("acks", |b| b.acks(Acks::Leader).transactional_id("t")),
        ("retries", |b| b.retries(0).transactional_id("t")),
        ("max_in_flight", |b| {
            b.max_in_flight(6).transactional_id("t")
        }),
        ("delivery_guarantee", |b| {
            b.transactional_id("t")
                .delivery_guarantee(DeliveryGuarantee::None)
        }),
        ("delivery_guarantee", |b| {
            b.transactional_id("t")
                .delivery_guarantee(DeliveryGuarantee::AtMostOnce)
        }),
        ("acks", |b| {
            let exactly_once = DeliveryGuarantee::ExactlyOnce;
            b.transactional_id("t")
                .delivery_guarantee(exactly_once)
                .acks(Acks::Leader)
        }),
    ];
    for (row, (setting, change)) in table.iter().enumerate() {
        assert_eq!(refused(change(here()).build()), *setting, "row {row}");
    }
}

#[test]
fn a_bootstrap_list_that_names_no_broker_is_rejected() {
    for list in [&[][..], &[""], &["localhost:0x1"], &["localhost:9092,:"]] {
        let result = ProducerBuilder::new(list.iter().copied()).build();
        assert_eq!(refused(result), "bootstrap", "{list:?}");
    }
    let both = ProducerBuilder::new(["one:1, two:2", "[::1]:3"])
        .build()
        .unwrap();
    assert_eq!(both.client.bootstrap.len(), 3);
}

#[test]
fn idempotence_by_default_is_overridden_and_by_the_callers_wish_it_is_not() {
    let quiet = here().acks(Acks::Leader).build().unwrap();
    assert!(!quiet.idempotent);
    assert!(!here().retries(0).build().unwrap().idempotent);
    assert!(
        here()
            .enable_idempotence(true)
            .acks(Acks::Leader)
            .build()
            .is_err()
    );
    assert!(
        here()
            .acks(Acks::All)
            .retries(1)
            .build()
            .unwrap()
            .idempotent
    );
}

#[test]
fn an_unasked_delivery_timeout_is_raised_to_one_attempt() {
    let config = here()
        .request_timeout(seconds(200))
        .linger(seconds(1))
        .build()
        .unwrap();
    assert_eq!(config.delivery_timeout, seconds(201));
    let config = here().delivery_timeout(seconds(31)).build().unwrap();
    assert_eq!(config.delivery_timeout, seconds(31));
}

#[test]
fn deliveries_of_a_transaction_end_before_its_coordinator_aborts_it() {
    let config = here().transactional_id("t").build().unwrap();
    assert_eq!(config.producer.delivery_timeout, seconds(50));
    let long = here()
        .transactional_id("t")
        .transaction_timeout(seconds(600))
        .build()
        .unwrap();
    assert_eq!(long.producer.delivery_timeout, seconds(120));
}

/// T-45: asked for through the builder, in either order.
#[cfg(feature = "two-phase-commit")]
#[test]
fn build_refuses_a_transaction_timeout_beside_two_phase_commit() {
    let timeout = seconds(30);
    for builder in [
        here()
            .transactional_id("t")
            .two_phase_commit(true)
            .transaction_timeout(timeout),
        here()
            .transactional_id("t")
            .transaction_timeout(timeout)
            .two_phase_commit(true),
    ] {
        let error = builder.clone().build().unwrap_err();
        assert_eq!(error.setting(), "transaction_timeout");
        assert!(error.to_string().contains("two_phase_commit"), "{error}");
        let without = builder.two_phase_commit(false).build().unwrap();
        assert_eq!(without.transaction_timeout, timeout);
    }
}

#[test]
fn unasked_sizes_follow_the_bounds_that_were_asked_for() {
    let small = here().request_bytes_max(32 << 10).build().unwrap();
    assert_eq!(
        (small.batch_bytes, small.record_bytes_max),
        (32 << 10, 32 << 10)
    );
    let large = here().request_bytes_max(8 << 20).build().unwrap();
    assert_eq!(
        (large.batch_bytes, large.record_bytes_max),
        (64 << 10, 8 << 20)
    );
    let tight = here().buffer_memory(16 << 10).build().unwrap();
    assert_eq!(
        (tight.batch_bytes, tight.record_bytes_max),
        (16 << 10, 16 << 10)
    );
}

#[test]
fn presets_set_what_was_not_asked_for() {
    let build = |guarantee| here().delivery_guarantee(guarantee).build().unwrap();
    let none = build(DeliveryGuarantee::None);
    assert_eq!(
        (none.acks, none.retries, none.idempotent),
        (Acks::NoneMayLose, 0, false)
    );
    let once = build(DeliveryGuarantee::AtMostOnce);
    assert_eq!(
        (once.acks, once.retries, once.idempotent),
        (Acks::All, 0, false)
    );
    let least = build(DeliveryGuarantee::AtLeastOnce);
    assert_eq!(
        (least.acks, least.retries, least.idempotent),
        (Acks::All, u32::MAX, true)
    );
    let exactly = here()
        .transactional_id("t")
        .delivery_guarantee(DeliveryGuarantee::ExactlyOnce)
        .build()
        .unwrap();
    assert!(exactly.producer.idempotent);
}

#[test]
fn what_strengthens_a_preset_is_taken() {
    let none = here()
        .delivery_guarantee(DeliveryGuarantee::None)
        .enable_idempotence(true);
    let none = none.build().unwrap();
    assert_eq!((none.acks, none.idempotent), (Acks::All, true));
    let once = here().delivery_guarantee(DeliveryGuarantee::AtMostOnce);
    assert!(
        once.enable_idempotence(true)
            .retries(3)
            .build()
            .unwrap()
            .idempotent
    );
}

#[test]
fn a_rejection_is_one_line_with_name_value_reason_and_remedy() {
    let error = here().max_in_flight(6).build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "max_in_flight = 6 cannot work: brokers recognise a repeated batch among the last 5 of a \
         producer only; choose 1..=5, or switch idempotence off"
    );
}

#[test]
fn a_level_reaches_its_own_codec_only() {
    use milena_codec::Compression;
    use milena_codec::record::Compressor;
    let pairs = [
        ("bootstrap.servers", "localhost:9092"),
        ("compression.zstd.level", "7"),
        ("compression.gzip.level", "9"),
        ("compression.type", "gzip"),
    ];
    let read = ProducerBuilder::<Idempotent>::from_properties(pairs).unwrap();
    let config = read.builder.build().unwrap();
    assert_eq!(
        config.compression,
        Compressor::with_level(Compression::Gzip, 9).unwrap()
    );
}

/// D-85 among others.
#[test]
fn a_consumers_build_names_the_setting_that_cannot_work() {
    use crate::types::IsolationLevel::ReadUncommitted;
    type Change = fn(ConsumerBuilder) -> ConsumerBuilder;
    let table: &[(&str, Change)] = &[
        ("fetch_bytes_min", |b| b.fetch_bytes_min(0)),
        ("fetch_bytes_max", |b| b.fetch_bytes_max(-1)),
        ("partition_fetch_bytes_max", |b| {
            b.partition_fetch_bytes_max(0)
        }),
        ("poll_records_max", |b| b.poll_records_max(0)),
        ("prefetch_bytes_max", |b| b.prefetch_bytes_max(0)),
        ("fetch_wait_max", |b| b.fetch_wait_max(seconds(30))),
        ("fetch_wait_max", |b| {
            b.request_timeout(Duration::from_millis(400))
        }),
        ("rack", |b| b.rack("r".repeat(40_000))),
        ("request_timeout", |b| b.request_timeout(Duration::ZERO)),
        ("isolation_level", |b| {
            b.delivery_guarantee(DeliveryGuarantee::ExactlyOnce)
                .isolation_level(ReadUncommitted)
        }),
    ];
    for (row, (setting, change)) in table.iter().enumerate() {
        assert_eq!(
            refused(change(ConsumerBuilder::new(HERE)).build()),
            *setting,
            "row {row}"
        );
    }
    let exactly_once =
        ConsumerBuilder::new(HERE).delivery_guarantee(DeliveryGuarantee::ExactlyOnce);
    assert!(exactly_once.build().is_ok());
}

#[test]
fn answers_that_are_asked_for_fit_into_a_frame() {
    // A broker's answer beyond the limit ends the connection, and the same is asked for again.
    let limited = |frame_bytes| {
        let mut limits = milena_codec::Limits::default();
        limits.frame_bytes = frame_bytes;
        ConsumerBuilder::new(["localhost:9092"]).limits(limits)
    };
    let config = limited(1 << 20).build().unwrap();
    assert_eq!(config.fetch_bytes_max, 7 << 17);
    let config = limited(100 << 20).build().unwrap();
    assert_eq!(config.fetch_bytes_max, 50 << 20);
    let config = limited(1 << 20).fetch_bytes_max(1000).build().unwrap();
    assert_eq!(config.fetch_bytes_max, 1000);
    let error = limited(1 << 20).fetch_bytes_max(1 << 20).build();
    assert_eq!(error.unwrap_err().setting(), "fetch_bytes_max");
    let unlike = ConsumerBuilder::from_properties([
        ("bootstrap.servers", "localhost:9092"),
        ("fetch.max.bytes", "200000000"),
    ]);
    assert_eq!(unlike.unwrap_err().setting(), "fetch.max.bytes");
}
