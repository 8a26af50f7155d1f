import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** What Kafka's consumer sees. */
final class Reading {
    private Reading() {}

    private static KafkaConsumer<byte[], byte[]> consumer(JsonNode request) {
        Properties properties = new Properties();
        properties.put("fetch.max.wait.ms", "100");
        properties.put("max.poll.records", "100000");
        properties.put("enable.auto.commit", "false");
        properties.put("isolation.level", request.get("isolation").asText());
        properties.putAll(Tool.properties(request));
        return new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private static List<TopicPartition> partitions(KafkaConsumer<?, ?> consumer, JsonNode request) {
        return consumer.partitionsFor(request.get("topic").asText()).stream()
            .map(partition -> new TopicPartition(partition.topic(), partition.partition()))
            .collect(Collectors.toList());
    }

    /** Every record of a topic from its beginning to the end that the isolation level allows now. */
    static Object consume(JsonNode request) throws Exception {
        long deadline = System.nanoTime() + request.get("limit_ms").asLong() * 1_000_000;
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(request)) {
            List<TopicPartition> partitions = partitions(consumer, request);
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            ArrayNode records = Tool.JSON.createArrayNode();
            while (ends.entrySet().stream().anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
                if (System.nanoTime() > deadline) {
                    throw new TimeoutException("the end " + ends + " was not reached after " + records.size() + " records");
                }
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
                    // What was appended meanwhile is not part of the answer.
                    if (record.offset() < ends.get(new TopicPartition(record.topic(), record.partition()))) {
                        records.add(json(record));
                    }
                }
            }
            return records;
        }
    }

    /** The end of each partition that the isolation level allows now. */
    static Object endOffsets(JsonNode request) {
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(request)) {
            Map<Integer, Long> ends = new TreeMap<>();
            consumer.endOffsets(partitions(consumer, request)).forEach((partition, end) -> ends.put(partition.partition(), end));
            return ends;
        }
    }

    /**
     * The offsets a group has committed for a topic, by partition. The consumer waits through offsets whose transaction is
     * being decided, where the admin client leaves them out.
     */
    static Object committedOffsets(JsonNode request) {
        Properties properties = Tool.properties(request);
        properties.put("group.id", request.get("group").asText());
        properties.put("isolation.level", "read_committed");
        try (KafkaConsumer<byte[], byte[]> consumer =
            new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            Map<Integer, Long> offsets = new TreeMap<>();
            consumer.committed(Set.copyOf(partitions(consumer, request))).forEach((partition, offset) -> {
                if (offset != null) {
                    offsets.put(partition.partition(), offset.offset());
                }
            });
            return offsets;
        }
    }

    private static ObjectNode json(ConsumerRecord<byte[], byte[]> record) {
        ObjectNode json = Tool.JSON.createObjectNode();
        json.put("partition", record.partition());
        json.put("offset", record.offset());
        json.put("leader_epoch", record.leaderEpoch().orElse(null));
        json.put("timestamp", record.timestamp());
        json.put("timestamp_type", record.timestampType().toString());
        json.put("key", Tool.hex(record.key()));
        json.put("value", Tool.hex(record.value()));
        ArrayNode headers = json.putArray("headers");
        for (Header header : record.headers()) {
            headers.addArray().add(header.key()).add(Tool.hex(header.value()));
        }
        return json;
    }
}
