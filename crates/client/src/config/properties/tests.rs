use std::time::Duration;

use super::*;
use crate::config::{
    Acks, ClientBuilder, ConsumerBuilder, ConsumerConfig, Idempotent, Partitioner, ProducerBuilder,
    ProducerConfig, RejectedSetting, SettingOf, Transactional,
};
use milena_codec::{ApiKey, Compression};
use std::collections::BTreeMap;

type Pairs = &'static [(&'static str, &'static str)];

/// Every key that set nothing.
fn noted<B>(read: &FromProperties<B>) -> Vec<String> {
    read.notes().map(|note| note.key.clone()).collect()
}

fn producer(pairs: &[(&str, &str)]) -> Result<(ProducerConfig, Vec<String>), ConfigError> {
    let read = ProducerBuilder::<Idempotent>::from_properties(pairs.iter().copied())?;
    let noted = noted(&read);
    let mut builder = read.builder;
    if !builder.client.bootstrap.is_explicit() {
        builder.client.set_bootstrap(["localhost:9092"]);
    }
    Ok((builder.build()?, noted))
}

#[test]
fn java_and_librdkafka_names_set_the_same() {
    type Holds = fn(&ProducerConfig) -> bool;
    let table: &[(&[&str], &str, Holds)] = &[
        (&["acks", "request.required.acks"], "-1", |c| {
            c.acks == Acks::All
        }),
        (&["acks", "request.required.acks"], "all", |c| {
            c.acks == Acks::All
        }),
        (&["acks", "request.required.acks"], "1", |c| {
            c.acks == Acks::Leader && !c.idempotent
        }),
        (&["acks"], "0", |c| c.acks == Acks::NoneMayLose),
        (&["enable.idempotence"], "FALSE", |c| !c.idempotent),
        (&["retries", "message.send.max.retries"], "7", |c| {
            c.retries == 7
        }),
        (
            &["max.in.flight", "max.in.flight.requests.per.connection"],
            "3",
            |c| c.max_in_flight == 3,
        ),
        (&["linger.ms", "queue.buffering.max.ms"], "20", |c| {
            c.linger.as_millis() == 20
        }),
        (&["linger.ms"], "0.5", |c| c.linger.as_micros() == 500),
        (&["batch.size"], "1000", |c| c.batch_bytes == 1000),
        (&["buffer.memory"], "10000000", |c| {
            c.buffer_memory == 10_000_000
        }),
        (&["queue.buffering.max.kbytes"], "2048", |c| {
            c.buffer_memory == 2 << 20
        }),
        (
            &["delivery.timeout.ms", "message.timeout.ms"],
            "40000",
            |c| c.delivery_timeout.as_secs() == 40,
        ),
        (&["max.block.ms"], "1500", |c| {
            c.max_block.as_millis() == 1500
        }),
        (&["compression.type", "compression.codec"], "zstd", |c| {
            c.compression.compression() == Compression::Zstd
        }),
        (&["max.request.size", "message.max.bytes"], "2000000", |c| {
            c.request_bytes_max == 2_000_000 && c.record_bytes_max == 2_000_000
        }),
        (&["partitioner.ignore.keys"], "true", |c| {
            c.partitioner == Partitioner::IgnoreKeys
        }),
        (&["client.id"], "me", |c| c.client.client_id == "me"),
        (&["request.timeout.ms"], "9000", |c| {
            c.client.request_timeout.as_secs() == 9
        }),
        (&["socket.connection.setup.timeout.ms"], "700", |c| {
            c.client.connect_timeout.as_millis() == 700
        }),
        (
            &["metadata.max.age.ms", "topic.metadata.refresh.interval.ms"],
            "60000",
            |c| c.client.metadata_max_age.as_secs() == 60,
        ),
        (&["retry.backoff.ms"], "3", |c| {
            c.client.retry_backoff.as_millis() == 3
        }),
        (&["retry.backoff.ms"], "4000", |c| {
            c.client.retry_backoff_max.as_millis() == 4000
        }),
        (&["reconnect.backoff.ms"], "4000", |c| {
            c.client.reconnect_backoff_max.as_millis() == 4000
        }),
        (&["reconnect.backoff.max.ms"], "90", |c| {
            c.client.reconnect_backoff_max.as_millis() == 90
        }),
        (&["milena.in.flight.requests.max"], "7", |c| {
            c.client.in_flight_requests_max == 7
        }),
        (&["milena.fail.unreachable.at.once"], "true", |c| {
            c.client.fail_unreachable_at_once
        }),
        (&["milena.max.versions"], "fetch:12, ApiVersions : 3", |c| {
            let caps = [(ApiKey::Fetch, 12), (ApiKey::ApiVersions, 3)];
            c.client.max_versions == BTreeMap::from(caps)
        }),
        (&["milena.record.bytes.max"], "1000", |c| {
            c.record_bytes_max == 1000
        }),
        (&["milena.delivery.guarantee"], "at_most_once", |c| {
            c.retries == 0
        }),
        (&["receive.message.max.bytes"], "5000", |c| {
            c.client.limits.frame_bytes == 5000
        }),
    ];
    for (keys, value, holds) in table {
        for key in *keys {
            let (config, unknown) = producer(&[(key, value)]).unwrap();
            assert!(holds(&config), "{key}={value}: {config:?}");
            assert!(unknown.is_empty(), "{key}: {unknown:?}");
        }
    }
}

#[test]
fn keys_that_set_nothing_are_listed_by_what_becomes_of_them() {
    let read = ProducerBuilder::<Idempotent>::from_properties([
        ("statistics.interval.ms", "1000"),
        (" linger.ms ", " 7 "),
        ("lingr.ms", "9"),
        ("queue.buffering.max.messages", "100000"),
        ("app.name", "x"),
        ("api.version.request", "true"),
        ("max.poll.records", "5"),
        ("group.id", "g"),
        ("compression.type", "lz4"),
        ("compression.lz4.level", "9"),
        ("compression.gzip.level", "9"),
    ])
    .unwrap();
    let keys = |notes: &[PropertyNote]| -> Vec<(String, Option<&'static str>)> {
        notes
            .iter()
            .map(|note| (note.key.clone(), note.instead))
            .collect()
    };
    let of = |pairs: &[(&str, Option<&'static str>)]| -> Vec<_> {
        pairs
            .iter()
            .map(|(key, instead)| ((*key).to_owned(), *instead))
            .collect()
    };
    assert_eq!(
        keys(&read.unknown),
        of(&[("lingr.ms", Some("linger.ms")), ("app.name", None)])
    );
    assert_eq!(
        keys(&read.lost),
        of(&[
            ("statistics.interval.ms", None),
            ("queue.buffering.max.messages", Some("buffer.memory"))
        ])
    );
    let without_effect = [
        "api.version.request",
        "max.poll.records",
        "group.id",
        "compression.lz4.level",
        "compression.gzip.level",
    ];
    assert_eq!(
        keys(&read.without_effect),
        of(&without_effect.map(|key| (key, None)))
    );
    assert_eq!(
        read.unknown[0].to_string(),
        "lingr.ms: no such setting, so it has no effect; did you mean linger.ms?"
    );
}

#[test]
fn everything_that_is_rejected_is_returned_at_once_and_no_setting_twice() {
    let error = producer(&[
        ("bootstrap.servers", "SSL://kafka:9093"),
        ("linger.ms", "soon"),
        ("security.protocol", "SASL_SSL"),
        ("sasl.password", "hunter2"),
        ("enable.idempotence", "true"),
        ("acks", "1"),
        ("max.request.size", "7"),
        ("message.timeout.ms", "1000"),
    ])
    .unwrap_err();
    let names: Vec<&str> = error.rejections().map(RejectedSetting::setting).collect();
    assert_eq!(
        names,
        [
            "linger.ms",
            "security.protocol",
            "sasl.password",
            "bootstrap.servers",
            "acks",
            "max.request.size",
            "message.timeout.ms"
        ]
    );
    let said = error.to_string();
    assert!(
        said.starts_with("7 settings cannot work (1) linger.ms = soon"),
        "{said}"
    );
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn addresses_are_read_as_librdkafka_writes_them() {
    let (config, _) = producer(&[(
        "metadata.broker.list",
        "a, PLAINTEXT://b:1, plaintext://c, [::1], [::1]:7,",
    )])
    .unwrap();
    let read: Vec<String> = config
        .client
        .bootstrap
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(read, ["a:9092", "b:1", "c:9092", "[::1]:9092", "[::1]:7"]);
    for (written, said) in [
        ("SASL_SSL://a:1", "SASL_SSL is not built yet"),
        ("::1", "brackets"),
        ("a:b", "port"),
        ("http://a", "http is not built"),
    ] {
        let error = producer(&[("bootstrap.servers", written)]).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn booleans_are_read_as_java_and_librdkafka_write_them() {
    for (text, value) in [
        ("1", true),
        ("T", true),
        ("True", true),
        ("0", false),
        ("f", false),
    ] {
        let (config, _) = producer(&[("enable.idempotence", text)]).unwrap();
        assert_eq!(config.idempotent, value, "{text}");
    }
}

/// Every key of Kafka 4.4.0's producer, consumer and admin client and of librdkafka 2.12's documentation, one way or
/// the other: as a setting, rejected with a reason, or listed with advice.
#[test]
fn no_key_of_java_or_librdkafka_is_unknown() {
    for key in include_str!("keys.txt").split_whitespace() {
        for reader in [Reader::Admin, Reader::Consumer, Reader::Producer] {
            let property = Property { key, value: "1" };
            let mut reading = Reading::new(reader);
            let mut client = ClientSettings::default();
            let none: &[Row<()>] = &[];
            reading.property(property, none, &mut (), &mut client);
            assert_eq!(reading.notes.unknown, [], "{reader:?}");
        }
    }
}

/// Errors at run time name the setting as the caller did, too.
#[test]
fn the_names_of_properties_are_kept() {
    let (config, _) = producer(&[("message.max.bytes", "5000"), ("linger.ms", "1")]).unwrap();
    let names = &config.client.names;
    assert_eq!(names.name("request_bytes_max"), "message.max.bytes");
    assert_eq!(names.name("record_bytes_max"), "message.max.bytes");
    assert_eq!(names.name("linger"), "linger.ms");
    assert_eq!(names.name("buffer_memory"), "buffer_memory");
}

#[test]
fn a_rejection_names_the_key_as_it_was_written() {
    let table: &[(&str, Pairs)] = &[
        // unreadable
        ("linger.ms", &[("linger.ms", "soon")]),
        ("linger.ms", &[("linger.ms", "-1")]),
        ("retries", &[("retries", "many")]),
        ("enable.idempotence", &[("enable.idempotence", "yes")]),
        ("acks", &[("acks", "2")]),
        ("compression.codec", &[("compression.codec", "brotli")]),
        (
            "queue.buffering.max.kbytes",
            &[("queue.buffering.max.kbytes", "18446744073709551615")],
        ),
        (
            "bootstrap.servers",
            &[
                ("metadata.broker.list", "a:1"),
                ("bootstrap.servers", "b:1"),
            ],
        ),
        // in conflict
        ("acks", &[("enable.idempotence", "true"), ("acks", "1")]),
        (
            "request.required.acks",
            &[
                ("enable.idempotence", "true"),
                ("request.required.acks", "0"),
            ],
        ),
        (
            "message.send.max.retries",
            &[
                ("message.send.max.retries", "0"),
                ("enable.idempotence", "true"),
            ],
        ),
        ("max.in.flight", &[("max.in.flight", "1000000")]),
        ("message.timeout.ms", &[("message.timeout.ms", "1000")]),
        (
            "max.in.flight",
            &[
                ("max.in.flight.requests.per.connection", "4"),
                ("max.in.flight", "5"),
            ],
        ),
        (
            "milena.max.versions",
            &[("milena.max.versions", "Fetch:-1")],
        ),
        (
            "milena.max.versions",
            &[("milena.max.versions", "Fetch=12")],
        ),
        ("milena.max.versions", &[("milena.max.versions", "Fetsh:1")]),
        (
            "milena.delivery.guarantee",
            &[("milena.delivery.guarantee", "twice")],
        ),
        (
            "retries",
            &[
                ("milena.delivery.guarantee", "at_least_once"),
                ("retries", "0"),
            ],
        ),
        // not built
        ("message.timeout.ms", &[("message.timeout.ms", "0")]),
        ("security.protocol", &[("security.protocol", "SSL")]),
        (
            "security.protocol",
            &[("security.protocol", "sasl_plaintext")],
        ),
        ("sasl.mechanism", &[("sasl.mechanism", "PLAIN")]),
        ("sasl.password", &[("sasl.password", "x")]),
        ("ssl.ca.location", &[("ssl.ca.location", "/etc/ca.pem")]),
        ("interceptor.classes", &[("interceptor.classes", "a.B")]),
        (
            "key.serializer",
            &[("key.serializer", "io.confluent.KafkaAvroSerializer")],
        ),
        ("partitioner.class", &[("partitioner.class", "a.B")]),
        ("partitioner", &[("partitioner", "consistent_random")]),
        (
            "partitioner.adaptive.partitioning.enable",
            &[("partitioner.adaptive.partitioning.enable", "false")],
        ),
        (
            "partitioner.availability.timeout.ms",
            &[("partitioner.availability.timeout.ms", "5")],
        ),
        (
            "transaction.two.phase.commit.enable",
            &[("transaction.two.phase.commit.enable", "true")],
        ),
        (
            "enable.gapless.guarantee",
            &[("enable.gapless.guarantee", "true")],
        ),
        (
            "compression.zstd.level",
            &[("compression.zstd.level", "23")],
        ),
        ("transactional.id", &[("transactional.id", "t")]),
    ];
    for (key, pairs) in table {
        let error = producer(pairs).unwrap_err();
        let mut named = error.rejections().map(RejectedSetting::setting);
        assert!(named.any(|named| named == *key), "{error}");
        assert!(
            !error.reason().is_empty() && !error.remedy().is_empty(),
            "{error}"
        );
    }
}

#[test]
fn what_asks_for_nothing_special_is_taken() {
    let pairs: Pairs = &[
        ("security.protocol", "plaintext"),
        ("sasl.jaas.config", ""),
        (
            "key.serializer",
            "org.apache.kafka.common.serialization.StringSerializer",
        ),
        ("partitioner", "murmur2_random"),
        ("acks", "all"),
        ("request.required.acks", "-1"),
    ];
    let (_, unknown) = producer(pairs).unwrap();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn a_transactional_producer_needs_its_id_and_gets_it() {
    let here = ("bootstrap.servers", "localhost:9092");
    let without = ProducerBuilder::<Transactional>::from_properties([here]).unwrap_err();
    assert_eq!(without.setting(), "transactional.id");
    let pairs = [
        here,
        ("transactional.id", "t"),
        ("transaction.timeout.ms", "20000"),
    ];
    let read = ProducerBuilder::<Transactional>::from_properties(pairs).unwrap();
    let config = read.builder.build().unwrap();
    assert_eq!(&*config.transactional_id, "t");
    assert_eq!(config.transaction_timeout, Duration::from_secs(20));

    let off = [
        here,
        ("transactional.id", "t"),
        ("enable.idempotence", "false"),
    ];
    let error = ProducerBuilder::<Transactional>::from_properties(off).unwrap_err();
    assert_eq!(error.setting(), "enable.idempotence");
}

#[test]
fn a_rejection_at_build_still_names_the_key() {
    let read = ProducerBuilder::<Idempotent>::from_properties([("linger.ms", "1")]).unwrap();
    assert_eq!(read.builder.build().unwrap_err().setting(), "bootstrap");
    let bad = [("metadata.broker.list", "nowhere:0")];
    let error = ProducerBuilder::<Idempotent>::from_properties(bad).unwrap_err();
    assert_eq!(error.setting(), "metadata.broker.list");
    let short = [
        ("message.timeout.ms", "31000"),
        ("metadata.broker.list", "a"),
    ];
    let read = ProducerBuilder::<Idempotent>::from_properties(short).unwrap();
    let slower = read.builder.request_timeout(Duration::from_secs(40));
    assert_eq!(slower.build().unwrap_err().setting(), "message.timeout.ms");
}

#[test]
fn the_admin_client_takes_the_common_keys() {
    let read = ClientBuilder::from_properties([("bootstrap.servers", "a:1,b:2"), ("acks", "1")]);
    let read = read.unwrap();
    assert_eq!(noted(&read), ["acks"]);
    assert_eq!(read.builder.config().unwrap().bootstrap.len(), 2);
}

#[test]
fn a_rejection_never_shows_a_secret() {
    for key in [
        "sasl.password",
        "sasl.jaas.config",
        "ssl.key.pem",
        "ssl.keystore.password",
    ] {
        let error = producer(&[(key, "hunter2")]).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

fn consumer(pairs: &[(&str, &str)]) -> Result<(ConsumerConfig, Vec<String>), ConfigError> {
    let here = [("bootstrap.servers", "localhost:9092")];
    let read = ConsumerBuilder::from_properties(here.iter().chain(pairs).copied())?;
    let noted = noted(&read);
    Ok((read.builder.build()?, noted))
}

#[test]
fn a_consumer_takes_java_and_librdkafka_names() {
    use crate::types::{IsolationLevel, OffsetReset};
    type Holds = fn(&ConsumerConfig) -> bool;
    let table: &[(&[&str], &str, Holds)] = &[
        (&["isolation.level"], "read_uncommitted", |c| {
            c.isolation_level == IsolationLevel::ReadUncommitted
        }),
        (&["auto.offset.reset"], "latest", |c| {
            c.offset_reset == OffsetReset::Latest
        }),
        (&["auto.offset.reset"], "beginning", |c| {
            c.offset_reset == OffsetReset::Earliest
        }),
        (&["auto.offset.reset"], "none", |c| {
            c.offset_reset == OffsetReset::Error
        }),
        (&["fetch.min.bytes"], "0", |c| c.fetch_bytes_min == 1),
        (&["fetch.max.bytes"], "1000", |c| c.fetch_bytes_max == 1000),
        (&["fetch.max.wait.ms", "fetch.wait.max.ms"], "70", |c| {
            c.fetch_wait_max.as_millis() == 70
        }),
        (
            &["max.partition.fetch.bytes", "fetch.message.max.bytes"],
            "99",
            |c| c.partition_fetch_bytes_max == 99,
        ),
        (&["queued.max.messages.kbytes"], "2048", |c| {
            c.prefetch_bytes_max == 2 << 20
        }),
        (&["max.poll.records"], "7", |c| c.poll_records_max == 7),
        (&["client.rack"], "a", |c| c.rack == "a"),
        (&["request.timeout.ms"], "9000", |c| {
            c.client.request_timeout.as_secs() == 9
        }),
        (&["enable.auto.commit"], "false", |_| true),
        (&["check.crcs"], "false", |c| !c.check_crcs),
    ];
    for (keys, value, holds) in table {
        for key in *keys {
            let (config, unknown) = consumer(&[(key, value)]).unwrap();
            assert!(holds(&config), "{key}={value}: {config:?}");
            assert!(unknown.is_empty(), "{key}: {unknown:?}");
        }
    }
}

#[test]
fn a_consumers_rejection_names_the_key() {
    let table: &[(&str, Pairs)] = &[
        ("isolation.level", &[("isolation.level", "committed")]),
        (
            "auto.offset.reset",
            &[("auto.offset.reset", "by_duration:PT1H")],
        ),
        ("fetch.wait.max.ms", &[("fetch.wait.max.ms", "60000")]),
        ("fetch.max.bytes", &[("fetch.max.bytes", "-1")]),
        ("group.id", &[("group.id", "g")]),
        // D-88
        ("enable.auto.commit", &[("enable.auto.commit", "true")]),
        ("check.crcs", &[("check.crcs", "maybe")]),
        (
            "allow.auto.create.topics",
            &[("allow.auto.create.topics", "true")],
        ),
        ("value.deserializer", &[("value.deserializer", "a.B")]),
        ("security.protocol", &[("security.protocol", "SASL_SSL")]),
    ];
    for (key, pairs) in table {
        assert_eq!(consumer(pairs).unwrap_err().setting(), *key);
    }
    let (_, unknown) = consumer(&[("acks", "all"), ("session.timeout.ms", "1")]).unwrap();
    assert_eq!(unknown, ["acks", "session.timeout.ms"]);
}

/// T-45: what waits for another system's decision has no timeout.
#[cfg(feature = "two-phase-commit")]
#[test]
fn a_transaction_timeout_beside_two_phase_commit_is_rejected() {
    let read = |more: &[(&str, &str)]| {
        let pairs = [
            ("bootstrap.servers", "localhost:9092"),
            ("transactional.id", "t"),
            ("transaction.two.phase.commit.enable", "true"),
        ];
        let all = pairs.iter().chain(more).copied();
        let read = ProducerBuilder::<Transactional>::from_properties(all)?;
        read.builder.build()
    };
    let error = read(&[("transaction.timeout.ms", "20000")]).unwrap_err();
    assert_eq!(error.setting(), "transaction.timeout.ms");
    let said = error.to_string();
    assert!(
        said.contains("transaction.two.phase.commit.enable"),
        "{said}"
    );

    let config = read(&[]).unwrap();
    assert!(config.two_phase_commit);
    let longest = Duration::from_millis(2_147_483_647);
    assert_eq!(config.transaction_timeout, longest);
    assert_eq!(config.producer.delivery_timeout, Duration::from_secs(120));
}

/// The ends of a range such as `1 ms..=2,147,483,647 ms`, where both are numbers.
fn ends(range: &str) -> Option<(i64, i64)> {
    let number = |text: &str| text.trim_end_matches(" ms").replace(',', "").parse().ok();
    let (low, high) = range.split_once("..=")?;
    Some((number(low)?, number(high)?))
}

#[test]
fn the_ranges_of_the_catalogue_are_those_that_are_checked() {
    let mut checked = 0;
    for setting in crate::config::settings() {
        let (Some((low, high)), Some(key)) = (ends(setting.range), setting.keys.first()) else {
            continue;
        };
        let is_accepted = |value: i64| {
            let value = value.to_string();
            let pairs = [(*key, value.as_str())];
            match setting.of {
                SettingOf::Consumer => consumer(&pairs).is_ok(),
                SettingOf::Client | SettingOf::Producer | SettingOf::TransactionalProducer => {
                    // Long waits and high levels need more of other settings.
                    let more = [
                        ("delivery.timeout.ms", i32::MAX.to_string()),
                        ("buffer.memory", (200 << 20).to_string()),
                        ("compression.type", "gzip".to_owned()),
                    ];
                    let longest = ["linger.ms", "request.timeout.ms"].contains(key);
                    let more = more.iter().map(|(key, value)| (*key, value.as_str()));
                    let all: Vec<_> = more.chain(pairs).collect();
                    longest && value == i32::MAX.to_string() || producer(&all).is_ok()
                }
            }
        };
        // 0 bytes are read as 1; a fetch as large as a frame can be is tested beside the rule.
        let of_a_fetch = key.contains("fetch");
        assert!(of_a_fetch || !is_accepted(low - 1), "{key} below {low}");
        assert!(is_accepted(low), "{key} = {low}");
        assert!(
            *key == "fetch.max.bytes" || is_accepted(high),
            "{key} = {high}"
        );
        assert!(of_a_fetch || !is_accepted(high + 1), "{key} above {high}");
        checked += 1;
    }
    assert!(checked > 15, "{checked}");
}
