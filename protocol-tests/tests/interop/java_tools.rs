//! The command line tools that come with Kafka.

use serde_json::json;

use crate::embedded::{Embedded, JavaProducer, builder, java_on_embedded};

/// What one of Kafka's tools prints.
#[track_caller]
fn print(embedded: &Embedded, class: &str, arguments: &[&str]) -> String {
    let mut all = vec!["--bootstrap-server".to_owned(), embedded.bootstrap()];
    all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    let request = json!({"class": class, "arguments": all});
    embedded.java("command", request)
}

const TRANSACTIONS: &str = "org.apache.kafka.tools.TransactionsCommand";
const GROUPS: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";
const CONFIGS: &str = "org.apache.kafka.tools.ConfigCommand";
const FEATURES: &str = "org.apache.kafka.tools.FeatureCommand";
const VERSIONS: &str = "org.apache.kafka.tools.BrokerApiVersionsCommand";
const OFFSETS: &str = "org.apache.kafka.tools.GetOffsetShell";

async fn kafka_transactions_lists_describes_and_finds_what_hangs() {
    let embedded = Embedded::with_topic("t", 1).await;
    let producer = JavaProducer::transactional(&embedded, "tx");
    producer.begin().unwrap();
    producer.send_to("t", 0, &["a"]).unwrap();
    let line = |printed: &str, word: &str| {
        let mut lines = printed.lines();
        let line = lines.find(|line| line.split_whitespace().any(|w| w == word));
        line.map(|line| {
            line.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .unwrap_or_else(|| panic!("no {word} in {printed}"))
    };
    let listed = print(&embedded, TRANSACTIONS, &["list"]);
    assert_eq!(line(&listed, "tx")[3], "Ongoing");
    let id = line(&listed, "tx")[2].clone();
    let described = ["describe", "--transactional-id", "tx"];
    let described = print(&embedded, TRANSACTIONS, &described);
    assert!(
        line(&described, "tx").contains(&"t-0".to_owned()),
        "{described}"
    );
    let producers = ["describe-producers", "--topic", "t", "--partition", "0"];
    let producers = print(&embedded, TRANSACTIONS, &producers);
    assert_eq!(line(&producers, &id)[0], id);
    let hanging = ["find-hanging", "--topic", "t"];
    let hanging = print(&embedded, TRANSACTIONS, &hanging);
    assert!(!hanging.contains(&id), "it is open, and known: {hanging}");
}

async fn kafka_consumer_groups_describes_lag_and_resets_offsets() {
    let embedded = Embedded::with_topic("t", 1).await;
    embedded.write("t", &["a", "b", "c"]);
    let reset = [
        "--group",
        "g",
        "--topic",
        "t",
        "--reset-offsets",
        "--to-offset",
        "1",
        "--execute",
    ];
    print(&embedded, GROUPS, &reset);
    assert_eq!(embedded.committed_offsets("g", "t"), [(0, 1)].into());
    let described = print(&embedded, GROUPS, &["--describe", "--group", "g"]);
    let line = described
        .lines()
        .find(|line| line.starts_with('g'))
        .unwrap();
    let columns: Vec<_> = line.split_whitespace().collect();
    assert_eq!(columns[..6], ["g", "t", "0", "1", "3", "2"]);
    assert_eq!(print(&embedded, GROUPS, &["--list"]).trim(), "g");
    print(&embedded, GROUPS, &["--delete", "--group", "g"]);
    assert_eq!(print(&embedded, GROUPS, &["--list"]).trim(), "");
}

async fn kafka_topics_configs_and_offsets_work() {
    let embedded = Embedded::start(builder().brokers(2)).await;
    let create = ["--create", "--topic", "t", "--partitions", "2"];
    print(&embedded, TOPICS, &create);
    let described = print(&embedded, TOPICS, &["--describe", "--topic", "t"]);
    assert!(described.contains("PartitionCount: 2"), "{described}");
    let entity = ["--entity-type", "topics", "--entity-name", "t"];
    let alter = ["--alter", "--add-config", "retention.bytes=1234567"];
    print(&embedded, CONFIGS, &[&entity[..], &alter[..]].concat());
    let described = print(&embedded, CONFIGS, &[&entity[..], &["--describe"]].concat());
    assert!(described.contains("retention.bytes=1234567"), "{described}");
    embedded.write_to("t", 1, &["a", "b"]);
    let offsets = print(&embedded, OFFSETS, &["--topic", "t"]);
    let mut lines: Vec<_> = offsets.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["t:0:0", "t:1:2"]);
}

async fn kafka_features_and_broker_api_versions_understand_the_broker() {
    let embedded = Embedded::start(builder().transaction_version(1)).await;
    let features = print(&embedded, FEATURES, &["describe"]);
    let line = features
        .lines()
        .find(|line| line.contains("transaction.version"))
        .unwrap_or_else(|| panic!("{features}"));
    assert!(line.contains("SupportedMaxVersion: 2"), "{line}");
    assert!(line.contains("FinalizedVersionLevel: 1"), "{line}");
    let versions = print(&embedded, VERSIONS, &[]);
    for expected in ["Produce(0): 0 to 13", "EndTxn(26): 0 to 5"] {
        assert!(versions.contains(expected), "no {expected} in {versions}");
    }
}

java_on_embedded!(
    kafka_transactions_lists_describes_and_finds_what_hangs,
    kafka_consumer_groups_describes_lag_and_resets_offsets,
    kafka_topics_configs_and_offsets_work,
    kafka_features_and_broker_api_versions_understand_the_broker,
);
