//! The responses to administrators, body by body: error codes, messages, nulls and all.

use kafka_protocol::messages::alter_configs_request::{
    AlterConfigsResource as FullResource, AlterableConfig as FullConfig,
};
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_topic_partitions_request::TopicRequest;
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::*;
use milena_codec::message::Request;
use milena_codec::{BatchBuilder, BatchStamp, Compression, RecordToWrite};
use milena_protocol_tests::raw::{
    Coordinator, RawConnection, create_topic, find_coordinator, text, topic_name,
};
use milena_protocol_tests::{Failure, Flavour, Kafka, conformance};
use std::fmt::{Debug, Write as _};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long what was altered may take to show.
const SETTLE_LIMIT: Duration = Duration::from_secs(2);
const SETTLE_PAUSE: Duration = Duration::from_millis(50);

/// What is asked, and what is compared of the response.
type Case = (
    String,
    Box<dyn Fn(&mut RawConnection) -> Result<String, Failure>>,
);

/// Sends the request as it is and compares all of the response, apart from what `mask` takes out.
fn case<R>(what: &str, version: i16, request: R, mask: impl Fn(&mut R::Response) + 'static) -> Case
where
    R: Request<Response: Debug> + Debug,
{
    let name = std::any::type_name::<R>()
        .rsplit("::")
        .next()
        .unwrap_or_default();
    let ask = move |connection: &mut RawConnection| {
        let mut response = connection.call(version, &request)?;
        mask(&mut response);
        Ok(format!("{response:#?}"))
    };
    (format!("{name} {version}: {what}"), Box::new(ask))
}

/// Ids differ; that there is one does not.
fn mask_id(id: &mut Uuid) {
    if !id.is_nil() {
        *id = Uuid::from_u128(1);
    }
}

fn create(what: &str, version: i16, topics: Vec<CreatableTopic>, validate_only: bool) -> Case {
    let request = CreateTopicsRequest::default()
        .with_topics(topics)
        .with_timeout_ms(30_000)
        .with_validate_only(validate_only);
    case(what, version, request, |response| {
        for topic in &mut response.topics {
            mask_id(&mut topic.topic_id);
            for config in topic.configs.iter_mut().flatten() {
                // The tests' brokers are configured alike where it matters.
                if config.name.as_str() == "retention.ms" {
                    config.value = None;
                    config.config_source = 0;
                }
            }
        }
        response.topics.sort_by(|a, b| a.name.cmp(&b.name));
    })
}

fn topic(name: &str, partitions: i32, replication: i16) -> CreatableTopic {
    CreatableTopic::default()
        .with_name(topic_name(name))
        .with_num_partitions(partitions)
        .with_replication_factor(replication)
}

fn config(name: &str, value: Option<&str>) -> CreatableTopicConfig {
    CreatableTopicConfig::default()
        .with_name(text(name))
        .with_value(value.map(text))
}

fn creations(name: &str) -> Vec<Case> {
    let assigned = |index: i32, brokers: &[i32]| {
        CreatableReplicaAssignment::default()
            .with_partition_index(index)
            .with_broker_ids(brokers.iter().map(|id| BrokerId(*id)).collect())
    };
    let manual = |assignments: Vec<CreatableReplicaAssignment>| {
        topic(&format!("{name}-manual"), -1, -1).with_assignments(assignments)
    };
    let with = |configs: Vec<CreatableTopicConfig>| {
        topic(&format!("{name}-config"), 1, 1).with_configs(configs)
    };
    let mut cases = Vec::new();
    for version in [2, 4, 5, 7] {
        let own = format!("{name}-v{version}");
        let configs = vec![config("cleanup.policy", Some("compact"))];
        cases.push(create(
            "good",
            version,
            vec![topic(&own, 2, 1).with_configs(configs)],
            false,
        ));
        cases.push(create(
            "there already",
            version,
            vec![topic(&own, 2, 1)],
            false,
        ));
        cases.push(create(
            "there already",
            version,
            vec![topic(&own, 2, 1)],
            true,
        ));
    }
    cases.push(create(
        "defaults",
        7,
        vec![topic(&format!("{name}-defaults"), -1, -1)],
        false,
    ));
    for (what, one) in [
        ("no partitions", topic(&format!("{name}-x"), 0, 1)),
        ("partitions below 0", topic(&format!("{name}-x"), -2, 1)),
        ("no replicas", topic(&format!("{name}-x"), 1, 0)),
        ("replicas below 0", topic(&format!("{name}-x"), 1, -2)),
        ("too many replicas", topic(&format!("{name}-x"), 1, 2)),
        ("no name", topic("", 1, 1)),
        ("a dot", topic(".", 1, 1)),
        ("two dots", topic("..", 1, 1)),
        ("an illegal name", topic("what is this?", 1, 1)),
        ("a long name", topic(&"x".repeat(250), 1, 1)),
        ("an internal topic", topic("__cluster_metadata", 1, 1)),
        ("unknown config", with(vec![config("no.such", Some("1"))])),
        (
            "config of another kind",
            with(vec![config("segment.bytes", Some("x"))]),
        ),
        (
            "config out of range",
            with(vec![config("min.insync.replicas", Some("0"))]),
        ),
        (
            "unknown policy",
            with(vec![config("cleanup.policy", Some("x"))]),
        ),
        (
            "config that is null",
            with(vec![config("cleanup.policy", None)]),
        ),
        ("no assignment", manual(vec![assigned(0, &[])])),
        ("unknown broker", manual(vec![assigned(0, &[77])])),
        ("the same broker twice", manual(vec![assigned(0, &[1, 1])])),
        ("partition 0 is missing", manual(vec![assigned(1, &[1])])),
        (
            "partition 0 twice",
            manual(vec![assigned(0, &[1]), assigned(0, &[1])]),
        ),
        (
            "assignment and number",
            manual(vec![assigned(0, &[1])]).with_num_partitions(1),
        ),
        (
            "assignment and replication",
            manual(vec![assigned(0, &[1])]).with_replication_factor(1),
        ),
    ] {
        cases.push(create(what, 7, vec![one.clone()], true));
        cases.push(create(what, 5, vec![one], false));
    }
    let twice = vec![
        topic(&format!("{name}-t"), 1, 1),
        topic(&format!("{name}-t"), 1, 1),
    ];
    cases.push(create("the same topic twice", 7, twice, false));
    let assigned = vec![manual(vec![assigned(0, &[1]), assigned(1, &[1])])];
    cases.push(create("assigned", 7, assigned, false));
    cases.push(create("nothing", 7, vec![], false));
    cases
}

fn deletions(name: &str) -> Vec<Case> {
    let by_name = |topic: &str| DeleteTopicState::default().with_name(Some(topic_name(topic)));
    let by_id = |id| DeleteTopicState::default().with_topic_id(id);
    let mut cases = Vec::new();
    let mut delete = |what: &str, topics: Vec<DeleteTopicState>| {
        let request = DeleteTopicsRequest::default()
            .with_topics(topics)
            .with_timeout_ms(30_000);
        cases.push(case(what, 6, request, |response| {
            response
                .responses
                .iter_mut()
                .for_each(|topic| mask_id(&mut topic.topic_id));
            response.responses.sort_by_key(|topic| topic.name.clone());
        }));
    };
    delete("good", vec![by_name(&format!("{name}-v2"))]);
    delete("gone", vec![by_name(&format!("{name}-v2"))]);
    delete("unknown id", vec![by_id(Uuid::from_u128(7))]);
    delete("neither", vec![by_id(Uuid::nil())]);
    let both = by_name(&format!("{name}-v4")).with_topic_id(Uuid::from_u128(7));
    delete("both", vec![both]);
    delete(
        "twice",
        vec![
            by_name(&format!("{name}-v4")),
            by_name(&format!("{name}-v4")),
        ],
    );
    for version in [1, 5] {
        let names = vec![
            topic_name(&format!("{name}-v{version}")),
            topic_name("nope"),
        ];
        let request = DeleteTopicsRequest::default()
            .with_topic_names(names)
            .with_timeout_ms(30_000);
        cases.push(case("by name", version, request, |response| {
            response.responses.sort_by_key(|topic| topic.name.clone());
            response
                .responses
                .iter_mut()
                .for_each(|topic| mask_id(&mut topic.topic_id));
        }));
    }
    cases
}

fn partitions(name: &str) -> Vec<Case> {
    let more = |what: &str, topic: &str, count| {
        let topic = CreatePartitionsTopic::default()
            .with_name(topic_name(topic))
            .with_count(count)
            .with_assignments(None);
        let request = CreatePartitionsRequest::default()
            .with_topics(vec![topic])
            .with_timeout_ms(30_000);
        case(what, 3, request, |_| {})
    };
    vec![
        more("good", name, 4),
        more("as many", name, 4),
        more("fewer", name, 1),
        more("none", name, 0),
        more("unknown topic", "nope", 4),
    ]
}

fn configs(name: &str) -> Vec<Case> {
    let describe = |what: &str, kind: i8, of: &str, keys: Option<&[&str]>| {
        let keys = keys.map(|keys| keys.iter().map(|key| text(key)).collect());
        let resource = DescribeConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(of))
            .with_configuration_keys(keys);
        let request = DescribeConfigsRequest::default()
            .with_resources(vec![resource])
            .with_include_synonyms(true);
        case(what, 4, request, |response| {
            for result in &mut response.results {
                result.configs.sort_by_key(|config| config.name.to_string());
            }
        })
    };
    let set = |what: &str, kind: i8, of: &str, changes: &[(i8, &str, Option<&str>)]| {
        let changes = changes.iter().map(|(operation, name, value)| {
            AlterableConfig::default()
                .with_config_operation(*operation)
                .with_name(text(name))
                .with_value(value.map(text))
        });
        let resource = AlterConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(of))
            .with_configs(changes.collect());
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
        case(what, 1, request, |_| {})
    };
    let replace = |what: &str, of: &str, values: &[(&str, Option<&str>)]| {
        let values = values.iter().map(|(name, value)| {
            FullConfig::default()
                .with_name(text(name))
                .with_value(value.map(text))
        });
        let resource = FullResource::default()
            .with_resource_type(2)
            .with_resource_name(text(of))
            .with_configs(values.collect());
        case(
            what,
            2,
            AlterConfigsRequest::default().with_resources(vec![resource]),
            |_| {},
        )
    };
    let keys: Option<&[&str]> = Some(&[
        "cleanup.policy",
        "min.insync.replicas",
        "remote.storage.enable",
        "segment.bytes",
        "no.such",
    ]);
    vec![
        describe("topic", 2, name, keys),
        describe("unknown topic", 2, "nope", None),
        describe("illegal topic", 2, "what is this?", None),
        describe(
            "broker",
            4,
            "1",
            Some(&[
                "num.partitions",
                "message.max.bytes",
                "ssl.key.password",
                "auto.create.topics.enable",
            ]),
        ),
        describe("all brokers", 4, "", None),
        describe("another broker", 4, "77", None),
        describe("a broker of letters", 4, "x", None),
        set(
            "good",
            2,
            name,
            &[
                (0, "cleanup.policy", Some("compact")),
                (0, "segment.bytes", Some("2000000")),
            ],
        ),
        describe("topic altered", 2, name, keys),
        set("append", 2, name, &[(2, "cleanup.policy", Some("delete"))]),
        describe("topic appended", 2, name, Some(&["cleanup.policy"])),
        set(
            "subtract",
            2,
            name,
            &[(3, "cleanup.policy", Some("compact"))],
        ),
        describe("topic subtracted", 2, name, Some(&["cleanup.policy"])),
        set(
            "append to a number",
            2,
            name,
            &[(2, "segment.bytes", Some("1"))],
        ),
        set(
            "unknown operation",
            2,
            name,
            &[(9, "segment.bytes", Some("1"))],
        ),
        set("null", 2, name, &[(0, "segment.bytes", None)]),
        set(
            "twice",
            2,
            name,
            &[
                (0, "segment.bytes", Some("2000000")),
                (0, "segment.bytes", Some("2000001")),
            ],
        ),
        set("unknown name", 2, name, &[(0, "no.such", Some("1"))]),
        set("unknown name removed", 2, name, &[(1, "no.such", None)]),
        set("out of range", 2, name, &[(0, "segment.bytes", Some("5"))]),
        set(
            "unknown topic",
            2,
            "nope",
            &[(0, "segment.bytes", Some("2000000"))],
        ),
        set("removed", 2, name, &[(1, "segment.bytes", None)]),
        describe("topic removed", 2, name, keys),
        set(
            "static setting of a broker",
            4,
            "1",
            &[(0, "num.partitions", Some("3"))],
        ),
        set(
            "setting of all",
            4,
            "",
            &[(0, "log.cleaner.threads", Some("2"))],
        ),
        describe("all brokers altered", 4, "", None),
        describe("broker altered", 4, "1", Some(&["log.cleaner.threads"])),
        set(
            "setting of all removed",
            4,
            "",
            &[(1, "log.cleaner.threads", None)],
        ),
        set(
            "unknown broker",
            4,
            "77",
            &[(0, "log.cleaner.threads", Some("2"))],
        ),
        replace("all at once", name, &[("max.message.bytes", Some("5000"))]),
        describe(
            "replaced",
            2,
            name,
            Some(&["max.message.bytes", "cleanup.policy"]),
        ),
        replace("null", name, &[("max.message.bytes", None)]),
        replace("unknown name", name, &[("no.such", Some("1"))]),
        replace("unknown topic", "nope", &[]),
        replace("nothing", name, &[]),
        case(
            "version 0",
            0,
            ListConfigResourcesRequest::default(),
            |_| {},
        ),
        case(
            "brokers",
            1,
            ListConfigResourcesRequest::default().with_resource_types(vec![4]),
            |_| {},
        ),
        case(
            "an unknown type",
            1,
            ListConfigResourcesRequest::default().with_resource_types(vec![77]),
            |_| {},
        ),
    ]
}

fn coordinators_and_groups(name: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    for version in 0..=6 {
        for (kind, key) in [(0, "g"), (1, "t"), (0, ""), (2, "x"), (7, "x")] {
            if version == 0 && kind != 0 {
                continue;
            }
            let mut request = FindCoordinatorRequest::default().with_key_type(kind);
            if version < 4 {
                request.key = text(key);
            } else {
                request.coordinator_keys = vec![text(key)];
            }
            cases.push(case(
                &format!("{kind} {key:?}"),
                version,
                request,
                |response| {
                    response.port = i32::from(response.port > 0);
                    for coordinator in &mut response.coordinators {
                        coordinator.port = i32::from(coordinator.port > 0);
                    }
                },
            ));
        }
    }
    let group = |key: &str| GroupId(text(key));
    for version in [0, 5, 6] {
        let request = DescribeGroupsRequest::default().with_groups(vec![group("nope"), group("")]);
        cases.push(case("unknown", version, request, |response| {
            response.groups.sort_by_key(|group| group.group_id.clone())
        }));
    }
    let request = DeleteGroupsRequest::default().with_groups_names(vec![group("nope"), group("")]);
    cases.push(case("unknown", 2, request, |response| {
        response.results.sort_by_key(|r| r.group_id.clone())
    }));
    let request =
        ConsumerGroupDescribeRequest::default().with_group_ids(vec![group("nope"), group("")]);
    cases.push(case("unknown", 1, request, |response| {
        response.groups.sort_by_key(|group| group.group_id.clone());
    }));
    let topic = OffsetDeleteRequestTopic::default()
        .with_name(topic_name(name))
        .with_partitions(vec![OffsetDeleteRequestPartition::default()]);
    let request = OffsetDeleteRequest::default()
        .with_group_id(group("nope"))
        .with_topics(vec![topic]);
    cases.push(case("unknown", 0, request, |_| {}));
    let id = |id: &str| TransactionalId(text(id));
    let request =
        DescribeTransactionsRequest::default().with_transactional_ids(vec![id("nope"), id("")]);
    cases.push(case("unknown", 0, request, |response| {
        response
            .transaction_states
            .sort_by_key(|state| state.transactional_id.clone());
    }));
    let request = ListTransactionsRequest::default().with_state_filters(vec![text("Nope")]);
    cases.push(case("unknown state", 1, request, |_| {}));
    cases
}

fn topics(name: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    for version in [1, 9, 12, 13] {
        let named = |name: &str| MetadataRequestTopic::default().with_name(Some(topic_name(name)));
        let wanted = vec![named(name), named("nope"), named("what is this?")];
        let mut request = MetadataRequest::default()
            .with_topics(Some(wanted))
            .with_allow_auto_topic_creation(true);
        request.include_topic_authorized_operations = version >= 8;
        cases.push(case("three", version, request, |response| {
            response.cluster_id = None;
            response
                .brokers
                .iter_mut()
                .for_each(|broker| broker.port = 0);
            response
                .topics
                .iter_mut()
                .for_each(|topic| mask_id(&mut topic.topic_id));
            response.topics.sort_by_key(|topic| topic.name.clone());
        }));
    }
    let by_id = MetadataRequestTopic::default().with_topic_id(Uuid::from_u128(7));
    let request = MetadataRequest::default().with_topics(Some(vec![by_id]));
    cases.push(case("unknown id", 12, request, |response| {
        response.cluster_id = None;
        response.brokers.clear();
    }));
    let wanted = |name: &str| TopicRequest::default().with_name(topic_name(name));
    let request = DescribeTopicPartitionsRequest::default()
        .with_topics(vec![wanted(name), wanted("nope"), wanted("what is this?")])
        .with_response_partition_limit(2000);
    cases.push(case("three", 0, request, |response| {
        response
            .topics
            .iter_mut()
            .for_each(|topic| mask_id(&mut topic.topic_id));
        response.topics.sort_by_key(|topic| topic.name.clone());
    }));
    for before in [-1, 0, 5, -2] {
        let partition = DeleteRecordsPartition::default().with_offset(before);
        let topic = DeleteRecordsTopic::default()
            .with_name(topic_name(name))
            .with_partitions(vec![partition]);
        let request = DeleteRecordsRequest::default()
            .with_topics(vec![topic])
            .with_timeout_ms(10_000);
        cases.push(case(&format!("before {before}"), 2, request, |_| {}));
    }
    for version in [0, 2] {
        cases.push(case(
            "all",
            version,
            DescribeClusterRequest::default(),
            |response| {
                response.cluster_id = text("");
                response.controller_id = BrokerId(0);
                response
                    .brokers
                    .iter_mut()
                    .for_each(|broker| broker.port = 0);
            },
        ));
    }
    cases
}

/// Produce 12, for what the response says of a batch that is rejected.
fn writes(name: &str) -> Vec<Case> {
    let record = |key: Option<&'static [u8]>, timestamp| RecordToWrite {
        timestamp,
        key,
        value: Some(b"v"),
        headers: &[],
    };
    let batch = |records: &[RecordToWrite<'_>]| {
        let mut builder = BatchBuilder::default();
        for record in records {
            builder.append(record).unwrap();
        }
        let closed = builder.close(Compression::None).unwrap();
        bytes::Bytes::from(closed.to_vec(&BatchStamp::NONE))
    };
    let write = |what: &str, topic: &str, records: bytes::Bytes| {
        let partition = PartitionProduceData::default().with_records(Some(records));
        let topic = TopicProduceData::default()
            .with_name(topic_name(topic))
            .with_partition_data(vec![partition]);
        let request = ProduceRequest::default()
            .with_acks(-1)
            .with_timeout_ms(10_000)
            .with_topic_data(vec![topic]);
        case(what, 12, request, |response| {
            let partitions = response.responses.iter_mut();
            let partitions = partitions.flat_map(|topic| &mut topic.partition_responses);
            for error in partitions.flat_map(|partition| &mut partition.record_errors) {
                let message = error.batch_index_error_message.take().unwrap_or_default();
                // Up to when is the time of the request.
                let what = message
                    .split_once(" within [")
                    .map_or(&*message, |(what, _)| what);
                error.batch_index_error_message = Some(text(what));
            }
        })
    };
    const FAR: i64 = 9_000_000_000_000_000;
    let compacted = format!("{name}-compacted");
    let small = format!("{name}-small");
    let keyless = record(None, 1_000);
    let late = record(Some(b"k"), FAR);
    let mut corrupt = batch(&[record(Some(b"k"), 1_000)]).to_vec();
    if let Some(last) = corrupt.last_mut() {
        *last ^= 1;
    }
    let good = batch(&[record(Some(b"k"), 1_000)]);
    let two = bytes::Bytes::from([good.clone(), good.clone()].concat());
    let with = |name: &str, key: &str, value: &str| {
        create(
            "for writes",
            7,
            vec![topic(name, 1, 1).with_configs(vec![config(key, Some(value))])],
            false,
        )
    };
    let four = [
        record(None, 1),
        record(None, 2),
        record(None, 3),
        record(None, 4),
    ];
    vec![
        with(&compacted, "cleanup.policy", "compact"),
        with(&small, "max.message.bytes", "10"),
        write("no key", &compacted, batch(&[keyless])),
        write("four without a key", &compacted, batch(&four)),
        write("too large", &small, good.clone()),
        write(
            "too late",
            name,
            batch(&[late, record(Some(b"k"), 1_000), late]),
        ),
        write("corrupt", name, corrupt.into()),
        write("two batches", name, two),
        write("nothing", name, bytes::Bytes::new()),
        write("unknown topic", "nope", good),
    ]
}

async fn administrators_are_told_the_same_in_the_same_words(kafka: &Kafka) {
    let embedded = Flavour::EmbeddedTv2.shared().unwrap();
    for kind in [Coordinator::Group, Coordinator::Transaction] {
        find_coordinator(&kafka.bootstrap(), kind, "x").unwrap();
    }
    let name = format!("admin-{}", kafka.topic_name());
    let sides = [kafka.bootstrap(), embedded.bootstrap()];
    let mut connections = sides.map(|brokers| {
        create_topic(&brokers, &name, 2, &[]).unwrap();
        RawConnection::connect(&brokers[0]).unwrap()
    });
    let cases = [
        topics(&name),
        writes(&name),
        creations(&name),
        partitions(&name),
        configs(&name),
        coordinators_and_groups(&name),
        deletions(&name),
    ];
    let mut story = String::new();
    for (what, ask) in cases.into_iter().flatten() {
        let [real, embedded] = &mut connections;
        let answered = ask(embedded).unwrap();
        let mut expected = ask(real).unwrap();
        // What was altered takes Kafka a moment to show, and a coordinator one to come up.
        let deadline = Instant::now() + SETTLE_LIMIT;
        while expected != answered && what.contains("Describe") && Instant::now() < deadline {
            std::thread::sleep(SETTLE_PAUSE);
            expected = ask(real).unwrap();
        }
        if expected != answered {
            let _ = writeln!(story, "--- {what}");
            for difference in diff(&expected, &answered) {
                let _ = writeln!(story, "{difference}");
            }
        }
    }
    assert!(story.is_empty(), "{story}");
}

/// The lines that only one has, with a sign for whose.
fn diff(expected: &str, answered: &str) -> Vec<String> {
    let (kafka, embedded): (Vec<_>, Vec<_>) =
        (expected.lines().collect(), answered.lines().collect());
    if kafka.len() == embedded.len() {
        let pairs = kafka.iter().zip(&embedded).filter(|(a, b)| a != b);
        return pairs
            .flat_map(|(a, b)| [format!("Kafka    {a}"), format!("embedded {b}")])
            .collect();
    }
    let only = |sign: &'static str, these: &[&str], those: &[&str]| -> Vec<String> {
        let only = these.iter().filter(|line| !those.contains(line));
        only.map(|line| format!("{sign}{line}")).collect()
    };
    let mut lines = only("Kafka    ", &kafka, &embedded);
    lines.extend(only("embedded ", &embedded, &kafka));
    lines.push(format!("{} lines and {}", kafka.len(), embedded.len()));
    lines
}

conformance!(on [kafka_4_3_1_tv2]; administrators_are_told_the_same_in_the_same_words);
