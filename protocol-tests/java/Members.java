import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Members of consumer groups: each polls on a thread of its own until it is closed, and commits what it has read. */
final class Members {
    private static final Map<Long, Member> MEMBERS = new ConcurrentHashMap<>();

    private Members() {}

    private static final class Member implements Runnable, ConsumerRebalanceListener {
        final KafkaConsumer<byte[], byte[]> consumer;
        final Thread thread = new Thread(this, "member");
        private final Set<TopicPartition> assigned = new HashSet<>();
        private final List<String> values = new ArrayList<>();
        private Throwable failure;

        Member(Properties properties, JsonNode request) {
            consumer = new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
            if (request.hasNonNull("pattern")) {
                consumer.subscribe(new SubscriptionPattern(request.get("pattern").asText()), this);
            } else {
                consumer.subscribe(List.of(request.get("topic").asText()), this);
            }
            thread.start();
        }

        @Override
        public void run() {
            try (consumer) {
                while (true) {
                    ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofSeconds(1));
                    if (!records.isEmpty()) {
                        consumer.commitSync();
                        read(records);
                    }
                }
            } catch (WakeupException closed) {
                // As it was told to.
            } catch (Throwable thrown) {
                fail(thrown);
            }
        }

        private synchronized void read(ConsumerRecords<byte[], byte[]> records) {
            for (ConsumerRecord<byte[], byte[]> record : records) {
                values.add(Tool.hex(record.value()));
            }
            notifyAll();
        }

        private synchronized void fail(Throwable thrown) {
            failure = thrown;
            notifyAll();
        }

        @Override
        public synchronized void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            assigned.addAll(partitions);
            notifyAll();
        }

        @Override
        public synchronized void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            assigned.removeAll(partitions);
            notifyAll();
        }

        synchronized ObjectNode await(JsonNode request) throws Exception {
            long deadline = System.nanoTime() + request.get("limit_ms").asLong() * 1_000_000;
            while (failure == null && !holds(request)) {
                long left = (deadline - System.nanoTime()) / 1_000_000;
                if (left <= 0) {
                    throw new IllegalStateException(assigned + " and " + values.size() + " records, not " + request);
                }
                wait(left);
            }
            if (failure != null) {
                throw new IllegalStateException(failure);
            }
            ObjectNode json = Tool.JSON.createObjectNode();
            json.set("values", Tool.JSON.valueToTree(values));
            json.set("partitions", Tool.JSON.valueToTree(assigned.stream().map(TopicPartition::partition).sorted().toList()));
            return json;
        }

        private boolean holds(JsonNode wanted) {
            JsonNode partitions = wanted.get("partitions");
            return (partitions.isNull() || partitions.asInt() == assigned.size())
                && wanted.get("records").asInt() <= values.size();
        }
    }

    /** Subscribes a member to a topic, or to those that the broker finds to match a pattern. */
    static Object open(JsonNode request) {
        MEMBERS.put(request.get("member").asLong(), new Member(Tool.properties(request), request));
        return null;
    }

    /** Waits until a member has that many partitions, if it matters, and has read at least that many records. */
    static Object await(JsonNode request) throws Exception {
        return MEMBERS.get(request.get("member").asLong()).await(request);
    }

    /** Has a member leave its group. */
    static Object close(JsonNode request) throws Exception {
        Member member = MEMBERS.remove(request.get("member").asLong());
        member.consumer.wakeup();
        member.thread.join();
        return null;
    }
}
