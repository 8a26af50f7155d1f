import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Kafka's producers, each open until it is closed and known by a handle. */
final class Writing {
    private static final Map<Long, KafkaProducer<byte[], byte[]>> PRODUCERS = new ConcurrentHashMap<>();

    private Writing() {}

    private static KafkaProducer<byte[], byte[]> producer(JsonNode request) {
        return PRODUCERS.get(request.get("producer").asLong());
    }

    /** Opens a producer; with a transactional id, initialises its transactions too. */
    static Object open(JsonNode request) {
        KafkaProducer<byte[], byte[]> producer =
            new KafkaProducer<>(Tool.properties(request), new ByteArraySerializer(), new ByteArraySerializer());
        if (request.path("properties").has("transactional.id")) {
            try {
                producer.initTransactions();
            } catch (RuntimeException failure) {
                producer.close(Duration.ZERO);
                throw failure;
            }
        }
        PRODUCERS.put(request.get("producer").asLong(), producer);
        return null;
    }

    static Object begin(JsonNode request) {
        producer(request).beginTransaction();
        return null;
    }

    /** Sends records and waits until each is acknowledged. */
    static Object send(JsonNode request) throws Exception {
        KafkaProducer<byte[], byte[]> producer = producer(request);
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (JsonNode record : request.get("records")) {
            ProducerRecord<byte[], byte[]> out = new ProducerRecord<>(
                request.get("topic").asText(),
                record.get("partition").isNull() ? null : record.get("partition").asInt(),
                record.get("timestamp").isNull() ? null : record.get("timestamp").asLong(),
                Tool.bytes(record.get("key")),
                Tool.bytes(record.get("value")));
            for (JsonNode header : record.get("headers")) {
                out.headers().add(header.get(0).asText(), Tool.bytes(header.get(1)));
            }
            sent.add(producer.send(out));
        }
        producer.flush();
        ArrayNode acknowledged = Tool.JSON.createArrayNode();
        for (Future<RecordMetadata> future : sent) {
            RecordMetadata metadata = future.get();
            ObjectNode json = acknowledged.addObject();
            json.put("partition", metadata.partition());
            json.put("offset", metadata.offset());
            json.put("timestamp", metadata.timestamp());
        }
        return acknowledged;
    }

    /** Sends offsets of a topic on behalf of a group that only has a name. */
    static Object sendOffsets(JsonNode request) {
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        JsonNode positions = request.get("offsets");
        positions.fieldNames().forEachRemaining(partition -> offsets.put(
            new TopicPartition(request.get("topic").asText(), Integer.parseInt(partition)),
            new OffsetAndMetadata(positions.get(partition).asLong())));
        producer(request).sendOffsetsToTransaction(offsets, new ConsumerGroupMetadata(request.get("group").asText()));
        return null;
    }

    static Object commit(JsonNode request) {
        producer(request).commitTransaction();
        return null;
    }

    static Object abort(JsonNode request) {
        producer(request).abortTransaction();
        return null;
    }

    /** Closes a producer. With limit_ms 0 it goes without ending its open transaction. */
    static Object close(JsonNode request) {
        PRODUCERS.remove(request.get("producer").asLong()).close(Duration.ofMillis(request.get("limit_ms").asLong()));
        return null;
    }
}
