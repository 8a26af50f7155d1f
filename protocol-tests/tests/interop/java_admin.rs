//! Kafka's admin client: everything it can ask the embedded broker for.

use milena_protocol_tests::Isolation;
use serde_json::{Value, json};

use crate::embedded::{Embedded, JavaProducer, PATIENCE_MS, builder, handle, java_on_embedded};

async fn topics_are_created_described_grown_and_deleted() {
    let embedded = Embedded::start(builder().brokers(3)).await;
    let topics = json!([
        {"name": "a", "partitions": 6, "configs": {"retention.bytes": "1000000"}},
        {"name": "b", "partitions": 1, "configs": {}},
    ]);
    embedded.java::<()>("create_topics", json!({"topics": topics}));
    let refused = embedded.try_java::<()>("create_topics", json!({"topics": topics}));
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("TopicExists"), "{refused}");
    assert_eq!(
        embedded.java::<Value>("list_topics", json!({})),
        json!(["a", "b"])
    );
    let described: Value = embedded.java("describe_topic", json!({"topic": "a"}));
    let mut leaders: Vec<_> = described["leaders"].as_object().unwrap().values().collect();
    leaders.sort_by_key(|leader| leader.as_i64());
    assert_eq!(leaders, [1, 1, 2, 2, 3, 3], "spread over the brokers");
    embedded.java::<()>("create_partitions", json!({"topic": "b", "total": 3}));
    let described: Value = embedded.java("describe_topic", json!({"topic": "b"}));
    assert_eq!(described["leaders"].as_object().unwrap().len(), 3);
    embedded.java::<()>("delete_topics", json!({"topics": ["a"]}));
    assert_eq!(
        embedded.java::<Value>("list_topics", json!({})),
        json!(["b"])
    );
    let cluster: Value = embedded.java("describe_cluster", json!({}));
    assert_eq!(cluster["brokers"], json!([1, 2, 3]));
}

async fn configurations_are_described_and_altered() {
    let embedded = Embedded::with_topic("t", 1).await;
    let of = |name: &str| {
        let all: Value = embedded.java("describe_configs", json!({"topic": "t"}));
        (all[name]["value"].clone(), all[name]["is_default"].clone())
    };
    let default = of("max.message.bytes");
    assert_eq!(default, (json!("1048588"), json!(true)));
    let set = json!({"topic": "t", "changes": {"max.message.bytes": "1000"}});
    embedded.java::<()>("alter_configs", set);
    assert_eq!(of("max.message.bytes"), (json!("1000"), json!(false)));
    let producer = JavaProducer::open(&embedded, json!({}));
    let refused = producer.send_to("t", 0, &[&"x".repeat(2000)]).unwrap_err();
    assert!(
        refused.to_string().contains("RecordTooLarge"),
        "it is kept to: {refused}"
    );
    let unset = json!({"topic": "t", "changes": {"max.message.bytes": null}});
    embedded.java::<()>("alter_configs", unset);
    assert_eq!(of("max.message.bytes"), default);
    let wrong = json!({"topic": "t", "changes": {"max.message.bytes": "many"}});
    let refused = embedded
        .try_java::<()>("alter_configs", wrong)
        .unwrap_err()
        .to_string();
    assert!(refused.contains("InvalidConfiguration"), "{refused}");
}

async fn offsets_are_listed_and_records_deleted() {
    let embedded = Embedded::with_topic("t", 1).await;
    let producer = JavaProducer::open(&embedded, json!({}));
    for (value, timestamp) in [("a", 100), ("b", 300), ("c", 200), ("d", 250)] {
        let record = milena_protocol_tests::WriteRecord::value(value)
            .partition(0)
            .timestamp(timestamp);
        let request = json!({"topic": "t", "records": [record]});
        producer.call::<Value>("send", request).unwrap();
    }
    let listed = || -> Value {
        let request = json!({"topic": "t", "partition": 0, "timestamp": 150});
        embedded.java("list_offsets", request)
    };
    let all = json!({"earliest": 0, "latest": 4, "max_timestamp": 1, "at_timestamp": 1});
    assert_eq!(listed(), all);
    let before = json!({"topic": "t", "before": {"0": 2}});
    embedded.java::<()>("delete_records", before);
    let left = json!({"earliest": 2, "latest": 4, "max_timestamp": 3, "at_timestamp": 2});
    assert_eq!(listed(), left);
    assert_eq!(embedded.read("t", Isolation::ReadCommitted), ["c", "d"]);
    let beyond = json!({"topic": "t", "before": {"0": 99}});
    let refused = embedded
        .try_java::<()>("delete_records", beyond)
        .unwrap_err()
        .to_string();
    assert!(refused.contains("OffsetOutOfRange"), "{refused}");
}

async fn transactions_and_their_producers_are_described() {
    let embedded = Embedded::with_topic("t", 1).await;
    let producer = JavaProducer::transactional(&embedded, "open");
    producer.begin().unwrap();
    producer.send_to("t", 0, &["a", "b"]).unwrap();
    let _idle = JavaProducer::transactional(&embedded, "idle");
    assert_eq!(
        embedded.java::<Value>("list_transactions", json!({})),
        json!({"idle": "Empty", "open": "Ongoing"})
    );
    let described: Value =
        embedded.java("describe_transaction", json!({"transactional_id": "open"}));
    assert_eq!(described["state"], "Ongoing");
    assert_eq!(described["coordinator"], 1);
    let partition = json!({"topic": "t", "partition": 0});
    let producers: Value = embedded.java("describe_producers", partition.clone());
    let expected = json!([{
        "producer_id": described["producer_id"],
        "producer_epoch": described["producer_epoch"],
        "last_sequence": 1,
        "transaction_start": 0,
    }]);
    assert_eq!(producers, expected);
    let fence = json!({"transactional_id": "open"});
    embedded.java::<()>("fence_producers", fence);
    producer.commit().unwrap_err();
    let unknown = json!({"transactional_id": "unheard of"});
    let refused = embedded
        .try_java::<Value>("describe_transaction", unknown)
        .unwrap_err()
        .to_string();
    assert!(refused.contains("TransactionalIdNotFound"), "{refused}");
}

async fn groups_of_both_kinds_are_listed_described_altered_and_deleted() {
    let embedded = Embedded::with_topic("t", 2).await;
    let mut handles = Vec::new();
    for protocol in ["classic", "consumer"] {
        let handle = handle();
        let properties = json!({
            "group.id": protocol,
            "group.protocol": protocol,
            "client.id": format!("client-{protocol}"),
            "enable.auto.commit": "false",
        });
        let request = json!({"member": handle, "topic": "t", "properties": properties});
        embedded.java::<()>("open_member", request);
        let wanted =
            json!({"member": handle, "partitions": 2, "records": 0, "limit_ms": PATIENCE_MS});
        embedded.java::<Value>("await_member", wanted);
        handles.push(handle);
    }
    let listed: Value = embedded.java("list_groups", json!({}));
    assert_eq!(
        listed["classic"],
        json!({"type": "Classic", "protocol": "consumer", "state": "Stable"})
    );
    assert_eq!(
        listed["consumer"],
        json!({"type": "Consumer", "protocol": "consumer", "state": "Stable"})
    );
    let member = |client: &str| {
        json!([{
            "client_id": client,
            "host": "/127.0.0.1",
            "instance_id": null,
            "partitions": [0, 1],
        }])
    };
    let classic: Value = embedded.java("describe_classic_group", json!({"group": "classic"}));
    assert_eq!(classic["members"], member("client-classic"));
    assert_eq!(
        (&classic["state"], &classic["assignor"]),
        (&json!("Stable"), &json!("range"))
    );
    let consumer: Value = embedded.java("describe_consumer_group", json!({"group": "consumer"}));
    assert_eq!(consumer["members"], member("client-consumer"));
    assert_eq!(
        (&consumer["state"], &consumer["assignor"], &consumer["type"]),
        (&json!("Stable"), &json!("uniform"), &json!("Consumer"))
    );
    for (group, handle) in ["classic", "consumer"].into_iter().zip(handles) {
        let delete = json!({"group": group});
        let refused = embedded
            .try_java::<()>("delete_group", delete.clone())
            .unwrap_err()
            .to_string();
        assert!(refused.contains("GroupNotEmpty"), "{refused}");
        embedded.java::<()>("close_member", json!({"member": handle}));
        let offset = json!({"group": group, "topic": "t", "partition": 1, "offset": 7});
        embedded.java::<()>("alter_group_offset", offset.clone());
        assert_eq!(
            embedded.java::<Value>("list_group_offsets", delete.clone()),
            json!({"t-1": 7})
        );
        embedded.java::<()>("delete_group_offset", offset);
        assert_eq!(
            embedded.java::<Value>("list_group_offsets", delete.clone()),
            json!({})
        );
        embedded.java::<()>("delete_group", delete);
    }
    assert_eq!(embedded.java::<Value>("list_groups", json!({})), json!({}));
}

java_on_embedded!(
    topics_are_created_described_grown_and_deleted,
    configurations_are_described_and_altered,
    offsets_are_listed_and_records_deleted,
    transactions_and_their_producers_are_described,
    groups_of_both_kinds_are_listed_described_altered_and_deleted,
);
