//! Kafka's consumers in groups, by the classic protocol and by KIP-848.

use milena_protocol_tests::Failure;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::embedded::{Embedded, JavaProducer, PATIENCE_MS, builder, handle, java_on_embedded};

/// A member of a group, polling and committing until it is closed.
struct Member<'a> {
    embedded: &'a Embedded,
    handle: u64,
}

#[derive(Deserialize)]
struct Seen {
    values: Vec<String>,
    partitions: Vec<i32>,
}

impl Seen {
    /// What was read, sorted.
    fn texts(&self) -> Vec<String> {
        let text = |hex: &String| {
            let digits = hex.as_bytes().chunks(2);
            let bytes = digits.map(|pair| std::str::from_utf8(pair).unwrap());
            let bytes = bytes.map(|pair| u8::from_str_radix(pair, 16).unwrap());
            String::from_utf8(bytes.collect()).unwrap()
        };
        let mut texts: Vec<_> = self.values.iter().map(text).collect();
        texts.sort();
        texts
    }
}

impl<'a> Member<'a> {
    fn join(embedded: &'a Embedded, group: &str, topic: &str, own: &Value) -> Self {
        let handle = handle();
        let mut properties = json!({
            "group.id": group,
            "client.id": format!("member-{handle}"),
            "isolation.level": "read_committed",
            "enable.auto.commit": "false",
            "auto.offset.reset": "earliest",
            "fetch.max.wait.ms": "100",
        });
        for (key, value) in own.as_object().unwrap() {
            properties[key] = value.clone();
        }
        let request = json!({"member": handle, "topic": topic, "properties": properties});
        embedded.java::<()>("open_member", request);
        Self { embedded, handle }
    }

    fn try_wait(&self, partitions: Option<usize>, records: usize) -> Result<Seen, Failure> {
        let request = json!({
            "member": self.handle,
            "partitions": partitions,
            "records": records,
            "limit_ms": PATIENCE_MS,
        });
        self.embedded.try_java("await_member", request)
    }

    /// Waits until it has so many partitions.
    #[track_caller]
    fn has(&self, partitions: usize) -> Vec<i32> {
        self.try_wait(Some(partitions), 0).unwrap().partitions
    }

    /// Waits until it has read so many records, and says which, sorted.
    #[track_caller]
    fn reads(&self, records: usize) -> Vec<String> {
        self.try_wait(None, records).unwrap().texts()
    }

    #[track_caller]
    fn leave(self) {
        self.embedded
            .java::<()>("close_member", json!({"member": self.handle}));
    }
}

fn classic(assignor: &str) -> Value {
    json!({
        "group.protocol": "classic",
        "heartbeat.interval.ms": "100",
        "partition.assignment.strategy": format!("org.apache.kafka.clients.consumer.{assignor}"),
    })
}

fn consumer(assignor: &str) -> Value {
    json!({"group.protocol": "consumer", "group.remote.assignor": assignor})
}

/// One after the other: alone, shared, alone again, and a new member where the last one stopped.
#[track_caller]
fn a_group_shares_and_resumes(embedded: &Embedded, protocol: &Value) {
    for partition in 0..4 {
        embedded.write_to("t", partition, &[&format!("a{partition}")]);
    }
    let first = Member::join(embedded, "g", "t", protocol);
    assert_eq!(first.has(4), [0, 1, 2, 3]);
    assert_eq!(first.reads(4), ["a0", "a1", "a2", "a3"]);

    let second = Member::join(embedded, "g", "t", protocol);
    let (mut shared, other) = (second.has(2), first.has(2));
    shared.extend(other);
    shared.sort_unstable();
    assert_eq!(shared, [0, 1, 2, 3], "each partition has one reader");
    for partition in 0..4 {
        embedded.write_to("t", partition, &[&format!("b{partition}")]);
    }
    let (mut read, other) = (second.reads(2), first.reads(6));
    read.extend(other);
    read.sort();
    assert_eq!(
        read,
        ["a0", "a1", "a2", "a3", "b0", "b1", "b2", "b3"],
        "nothing is lost or read again"
    );

    first.leave();
    assert_eq!(second.has(4), [0, 1, 2, 3]);
    second.leave();
    let all = [(0, 2), (1, 2), (2, 2), (3, 2)].into();
    assert_eq!(embedded.committed_offsets("g", "t"), all);

    embedded.write_to("t", 3, &["c3"]);
    let third = Member::join(embedded, "g", "t", protocol);
    assert_eq!(third.reads(1), ["c3"], "it begins at what was committed");
    third.leave();
}

async fn a_classic_group_shares_partitions_and_resumes() {
    for assignor in ["RangeAssignor", "CooperativeStickyAssignor"] {
        let embedded = Embedded::with_topic("t", 4).await;
        a_group_shares_and_resumes(&embedded, &classic(assignor));
    }
}

/// KIP-848: the broker assigns.
async fn a_consumer_group_shares_partitions_and_resumes() {
    for assignor in ["uniform", "range"] {
        let embedded = Embedded::with_topic("t", 4).await;
        a_group_shares_and_resumes(&embedded, &consumer(assignor));
    }
}

/// The broker finds the topics that match, also those that come later.
async fn a_consumer_group_subscribes_by_a_pattern() {
    let builder = builder().topic("orders-1", 2).topic("other", 1);
    let embedded = Embedded::start(builder).await;
    let handle = handle();
    let properties = json!({
        "group.id": "g",
        "group.protocol": "consumer",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": "false",
        "fetch.max.wait.ms": "100",
    });
    let request = json!({"member": handle, "pattern": "orders-[0-9]", "properties": properties});
    embedded.java::<()>("open_member", request);
    let embedded = &embedded;
    let member = Member { embedded, handle };
    assert_eq!(member.has(2), [0, 1]);
    let later = json!([{"name": "orders-2", "partitions": 1, "configs": {}}]);
    embedded.java::<()>("create_topics", json!({"topics": later}));
    assert_eq!(member.has(3), [0, 0, 1]);
    embedded.write("other", &["not this"]);
    embedded.write("orders-2", &["this"]);
    assert_eq!(member.reads(1), ["this"]);
    member.leave();
}

/// A member of either kind sees a transaction's records when it is committed, and never aborted ones.
async fn members_of_groups_read_what_is_committed() {
    for protocol in [classic("RangeAssignor"), consumer("uniform")] {
        let embedded = Embedded::with_topic("t", 1).await;
        let member = Member::join(&embedded, "g", "t", &protocol);
        let producer = JavaProducer::transactional(&embedded, "tx");
        for (value, commit) in [
            ("no", false),
            ("yes", true),
            ("never", false),
            ("too", true),
        ] {
            producer.begin().unwrap();
            producer.send_to("t", 0, &[value]).unwrap();
            if commit {
                producer.commit().unwrap();
            } else {
                producer.abort().unwrap();
            }
        }
        assert_eq!(member.reads(2), ["too", "yes"]);
        member.leave();
    }
}

/// A static member (KIP-345) that comes back has its partitions without a rebalance of the others.
async fn a_static_member_comes_back_to_its_partitions() {
    for mut protocol in [classic("RangeAssignor"), consumer("uniform")] {
        let embedded = Embedded::with_topic("t", 2).await;
        protocol["group.instance.id"] = json!("one");
        let first = Member::join(&embedded, "g", "t", &protocol);
        first.has(2);
        protocol["group.instance.id"] = json!("two");
        let second = Member::join(&embedded, "g", "t", &protocol);
        let before = (first.has(1), second.has(1));
        // A static member does not leave its group when it is closed.
        first.leave();
        protocol["group.instance.id"] = json!("one");
        let back = Member::join(&embedded, "g", "t", &protocol);
        assert_eq!((back.has(1), second.has(1)), before);
        back.leave();
        second.leave();
    }
}

/// Coordinator of the group and leader of the partition go to another broker under way.
async fn a_group_goes_on_when_its_coordinator_and_its_leaders_move() {
    for protocol in [classic("RangeAssignor"), consumer("uniform")] {
        let embedded = Embedded::start(builder().brokers(3).topic("t", 3)).await;
        let member = Member::join(&embedded, "g", "t", &protocol);
        member.has(3);
        for round in 0..3 {
            for partition in 0..3 {
                let leader = (round + partition) % 3 + 1;
                embedded.broker.move_leader("t", partition, leader).unwrap();
            }
            embedded
                .broker
                .move_coordinator(milena_broker::CoordinatorKind::Group, "g", round + 1)
                .unwrap();
            for partition in 0..3 {
                embedded.write_to("t", partition, &["v"]);
            }
            let so_far = usize::try_from(round + 1).unwrap() * 3;
            assert_eq!(member.reads(so_far).len(), so_far);
        }
        member.leave();
        let all = [(0, 3), (1, 3), (2, 3)].into();
        assert_eq!(embedded.committed_offsets("g", "t"), all);
    }
}

java_on_embedded!(
    a_classic_group_shares_partitions_and_resumes,
    a_consumer_group_shares_partitions_and_resumes,
    a_consumer_group_subscribes_by_a_pattern,
    members_of_groups_read_what_is_committed,
    a_static_member_comes_back_to_its_partitions,
    a_group_goes_on_when_its_coordinator_and_its_leaders_move,
);
