"""librdkafka as confluent-kafka from PyPI ships it: confluent.py BOOTSTRAP CLAIM, one claim a run.

A claim that does not hold raises; nothing printed is looked at.
"""

import sys
import time

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, OffsetSpec, ResourceType

LIMIT = 30


def producer(bootstrap, **config):
    return Producer({"bootstrap.servers": bootstrap, **config})


def consumer(bootstrap, group, **config):
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "topic.metadata.refresh.interval.ms": 500,
            **config,
        }
    )


def read(consumer, count):
    """The values of so many records, sorted."""
    values = []
    deadline = time.time() + LIMIT
    while len(values) < count:
        assert time.time() < deadline, f"only {values} within {LIMIT} s"
        record = consumer.poll(0.2)
        if record is None:
            continue
        if record.error():
            raise KafkaException(record.error())
        values.append(record.value().decode())
    return sorted(values)


def send(producer, topic, values):
    failed = []

    def delivered(error, _record):
        if error is not None:
            failed.append(error)

    for value in values:
        producer.produce(topic, value.encode(), on_delivery=delivered)
    assert producer.flush(LIMIT) == 0
    assert not failed, failed


def topics(bootstrap, **partitions):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    created = admin.create_topics([NewTopic(name, n, 1) for name, n in partitions.items()])
    for future in created.values():
        future.result(LIMIT)
    return admin


def it_lists_all_topics(bootstrap):
    admin = topics(bootstrap, listed=3)
    for client in (admin, producer(bootstrap), consumer(bootstrap, "g")):
        listed = client.list_topics(timeout=LIMIT).topics
        assert len(listed["listed"].partitions) == 3, listed
    described = admin.list_topics("listed", timeout=LIMIT)
    assert list(described.topics) == ["listed"], described


def it_subscribes_by_pattern_and_finds_topics_that_come_later(bootstrap):
    topics(bootstrap, **{"pattern-a": 1, "other": 1})
    reader = consumer(bootstrap, "patterns")
    reader.subscribe(["^pattern-.*"])
    writer = producer(bootstrap)
    send(writer, "pattern-a", ["a"])
    send(writer, "other", ["no"])
    assert read(reader, 1) == ["a"]
    topics(bootstrap, **{"pattern-b": 1})
    send(writer, "pattern-b", ["b"])
    assert read(reader, 1) == ["b"]
    reader.close()


def it_produces_with_every_compression(bootstrap):
    topics(bootstrap, compressed=2)
    codecs = ["none", "gzip", "snappy", "lz4", "zstd"]
    for codec in codecs:
        writer = producer(bootstrap, **{"compression.type": codec, "enable.idempotence": True})
        send(writer, "compressed", [codec * 200] * 3)
    reader = consumer(bootstrap, "compressions")
    reader.subscribe(["compressed"])
    assert read(reader, 15) == sorted(codec * 200 for codec in codecs for _ in range(3))
    reader.close()


def its_transactions_are_all_or_nothing(bootstrap):
    topics(bootstrap, transactions=2)
    writer = producer(bootstrap, **{"transactional.id": "confluent"})
    writer.init_transactions(LIMIT)
    for values, commit in ((["a", "b"], True), (["no"], False), (["c"], True)):
        writer.begin_transaction()
        send(writer, "transactions", values)
        if commit:
            writer.commit_transaction(LIMIT)
        else:
            writer.abort_transaction(LIMIT)
    reader = consumer(bootstrap, "transactions", **{"isolation.level": "read_committed"})
    reader.subscribe(["transactions"])
    assert read(reader, 3) == ["a", "b", "c"]
    reader.close()


def it_sends_offsets_in_a_transaction(bootstrap):
    admin = topics(bootstrap, **{"in": 1, "out": 1})
    send(producer(bootstrap), "in", ["a", "b"])
    reader = consumer(bootstrap, "copy", **{"enable.auto.commit": False})
    reader.subscribe(["in"])
    assert read(reader, 2) == ["a", "b"]
    writer = producer(bootstrap, **{"transactional.id": "copier"})
    writer.init_transactions(LIMIT)
    writer.begin_transaction()
    send(writer, "out", ["A", "B"])
    positions = reader.position(reader.assignment())
    writer.send_offsets_to_transaction(positions, reader.consumer_group_metadata(), LIMIT)
    writer.commit_transaction(LIMIT)
    reader.close()
    wanted = [ConsumerGroupTopicPartitions("copy", [TopicPartition("in", 0)])]
    listed = admin.list_consumer_group_offsets(wanted)
    assert listed["copy"].result(LIMIT).topic_partitions[0].offset == 2


def group(bootstrap, name, **config):
    topics(bootstrap, **{name: 4})
    send(producer(bootstrap), name, [str(n) for n in range(20)])
    members = [consumer(bootstrap, name, **config) for _ in range(2)]
    for member in members:
        member.subscribe([name])
    deadline = time.time() + LIMIT
    while [len(member.assignment()) for member in members] != [2, 2]:
        assert time.time() < deadline, [member.assignment() for member in members]
        for member in members:
            member.poll(0.1)
    members[0].close()
    while len(members[1].assignment()) != 4:
        assert time.time() < deadline, members[1].assignment()
        members[1].poll(0.1)
    members[1].close()


def a_classic_group_shares_the_partitions(bootstrap):
    config = {"heartbeat.interval.ms": 200, "session.timeout.ms": 6000}
    group(bootstrap, "classic", **config)
    strategy = {"partition.assignment.strategy": "cooperative-sticky"}
    group(bootstrap, "cooperative", **config, **strategy)


def a_consumer_group_shares_the_partitions(bootstrap):
    group(bootstrap, "next-generation", **{"group.protocol": "consumer"})


def its_admin_client_describes_and_alters(bootstrap):
    admin = topics(bootstrap, administered=1)
    resource = ConfigResource(ResourceType.TOPIC, "administered")
    configs = admin.describe_configs([resource])[resource].result(LIMIT)
    assert configs["cleanup.policy"].value == "delete", configs
    send(producer(bootstrap), "administered", ["a", "b"])
    partition = TopicPartition("administered", 0)
    ends = admin.list_offsets({partition: OffsetSpec.latest()})
    assert ends[partition].result(LIMIT).offset == 2
    cluster = admin.describe_cluster().result(LIMIT)
    assert cluster.nodes, cluster
    admin.delete_topics(["administered"])["administered"].result(LIMIT)
    try:
        topics(bootstrap, **{"not legal!": 1})
    except KafkaException as error:
        assert error.args[0].name() == "TOPIC_EXCEPTION", error
    else:
        raise AssertionError("a topic with an illegal name was created")


if __name__ == "__main__":
    globals()[sys.argv[2]](sys.argv[1])
