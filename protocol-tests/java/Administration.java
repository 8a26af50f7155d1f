import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.FeatureUpdate;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.admin.TransactionDescription;
import org.apache.kafka.clients.admin.UpdateFeaturesOptions;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;

/** What Kafka's admin client does and knows. One client per cluster, kept: each test's topics go through it. */
final class Administration {
    private static final Map<String, Admin> ADMINS = new ConcurrentHashMap<>();

    private Administration() {}

    static Admin admin(JsonNode request) {
        return ADMINS.computeIfAbsent(request.get("bootstrap").asText(), unused -> Admin.create(Tool.properties(request)));
    }

    /** Creates topics and waits until the brokers asked know a leader for each partition. */
    static Object createTopics(JsonNode request) throws Exception {
        List<NewTopic> topics = new ArrayList<>();
        for (JsonNode topic : request.get("topics")) {
            Map<String, String> configs = new HashMap<>();
            JsonNode own = topic.get("configs");
            own.fieldNames().forEachRemaining(key -> configs.put(key, own.get(key).asText()));
            topics.add(new NewTopic(topic.get("name").asText(), Optional.of(topic.get("partitions").asInt()), Optional.empty())
                .configs(configs));
        }
        Admin admin = admin(request);
        admin.createTopics(topics).all().get();
        long deadline = System.nanoTime() + 30_000_000_000L;
        for (NewTopic topic : topics) {
            while (!hasLeaders(admin, topic)) {
                if (System.nanoTime() > deadline) {
                    throw new IllegalStateException(topic.name() + " has no leaders after 30 s");
                }
                Thread.sleep(5);
            }
        }
        return null;
    }

    private static boolean hasLeaders(Admin admin, NewTopic topic) throws Exception {
        try {
            List<TopicPartitionInfo> partitions = describe(admin, topic.name()).partitions();
            return partitions.size() == topic.numPartitions()
                && partitions.stream().allMatch(partition -> partition.leader() != null && !partition.leader().isEmpty());
        } catch (ExecutionException notYet) {
            return false;
        }
    }

    private static TopicDescription describe(Admin admin, String topic) throws Exception {
        return admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
    }

    static Object deleteTopics(JsonNode request) throws Exception {
        List<String> names = new ArrayList<>();
        request.get("topics").forEach(name -> names.add(name.asText()));
        admin(request).deleteTopics(names).all().get();
        return null;
    }

    /** Moves the start of each partition named in "before" up to that offset. */
    static Object deleteRecords(JsonNode request) throws Exception {
        Map<TopicPartition, RecordsToDelete> starts = new HashMap<>();
        JsonNode before = request.get("before");
        before.fieldNames().forEachRemaining(partition -> starts.put(
            new TopicPartition(request.get("topic").asText(), Integer.parseInt(partition)),
            RecordsToDelete.beforeOffset(before.get(partition).asLong())));
        admin(request).deleteRecords(starts).all().get();
        return null;
    }

    /** The leader of each partition, -1 where there is none, and the topic's id. */
    static Object describeTopic(JsonNode request) throws Exception {
        TopicDescription description = describe(admin(request), request.get("topic").asText());
        Map<Integer, Integer> leaders = new TreeMap<>();
        for (TopicPartitionInfo partition : description.partitions()) {
            leaders.put(partition.partition(), partition.leader() == null ? -1 : partition.leader().id());
        }
        return Map.of("topic_id", description.topicId().toString(), "leaders", leaders);
    }

    static Object describeTransaction(JsonNode request) throws Exception {
        String id = request.get("transactional_id").asText();
        TransactionDescription description = admin(request).describeTransactions(List.of(id)).description(id).get();
        ObjectNode json = Tool.JSON.createObjectNode();
        json.put("state", description.state().toString());
        json.put("coordinator", description.coordinatorId());
        json.put("producer_id", description.producerId());
        json.put("producer_epoch", description.producerEpoch());
        return json;
    }

    /** Moves a finalized feature of the cluster up or down. */
    static Object setFeature(JsonNode request) throws Exception {
        short level = (short) request.get("level").asInt();
        boolean down = request.get("downgrade").asBoolean();
        FeatureUpdate.UpgradeType type = down ? FeatureUpdate.UpgradeType.SAFE_DOWNGRADE : FeatureUpdate.UpgradeType.UPGRADE;
        admin(request).updateFeatures(
            Map.of(request.get("feature").asText(), new FeatureUpdate(level, type)), new UpdateFeaturesOptions()).all().get();
        return null;
    }
}
