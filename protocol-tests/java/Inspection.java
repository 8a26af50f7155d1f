import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ClassicGroupDescription;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.MemberDescription;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.TransactionListing;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;

/** The rest of Kafka's admin client: groups, transactions, producers, configurations, offsets. */
final class Inspection {
    private Inspection() {}

    private static Admin admin(JsonNode request) {
        return Administration.admin(request);
    }

    private static TopicPartition partition(JsonNode request) {
        return new TopicPartition(request.get("topic").asText(), request.get("partition").asInt());
    }

    private static ConfigResource topicResource(JsonNode request) {
        return new ConfigResource(ConfigResource.Type.TOPIC, request.get("topic").asText());
    }

    private static String group(JsonNode request) {
        return request.get("group").asText();
    }

    static Object describeCluster(JsonNode request) throws Exception {
        ObjectNode json = Tool.JSON.createObjectNode();
        json.put("cluster_id", admin(request).describeCluster().clusterId().get());
        Collection<Node> nodes = admin(request).describeCluster().nodes().get();
        json.set("brokers", Tool.JSON.valueToTree(nodes.stream().map(Node::id).sorted().toList()));
        return json;
    }

    static Object listTopics(JsonNode request) throws Exception {
        return admin(request).listTopics().names().get();
    }

    static Object createPartitions(JsonNode request) throws Exception {
        Map<String, NewPartitions> total =
            Map.of(request.get("topic").asText(), NewPartitions.increaseTo(request.get("total").asInt()));
        admin(request).createPartitions(total).all().get();
        return null;
    }

    static Object listGroups(JsonNode request) throws Exception {
        Map<String, Object> groups = new TreeMap<>();
        for (GroupListing listing : admin(request).listGroups().all().get()) {
            groups.put(listing.groupId(), Map.of(
                "type", listing.type().map(Object::toString).orElse("none"),
                "protocol", listing.protocol(),
                "state", listing.groupState().map(Object::toString).orElse("none")));
        }
        return groups;
    }

    static Object describeClassicGroup(JsonNode request) throws Exception {
        ClassicGroupDescription group =
            admin(request).describeClassicGroups(List.of(group(request))).describedGroups().get(group(request)).get();
        return json(group.state().toString(), group.protocolData(), group.coordinator(), group.members());
    }

    static Object describeConsumerGroup(JsonNode request) throws Exception {
        ConsumerGroupDescription group =
            admin(request).describeConsumerGroups(List.of(group(request))).describedGroups().get(group(request)).get();
        ObjectNode json =
            json(group.groupState().toString(), group.partitionAssignor(), group.coordinator(), group.members());
        json.put("type", group.type().toString());
        json.put("epoch", group.groupEpoch().orElse(null));
        return json;
    }

    private static ObjectNode json(String state, String assignor, Node coordinator, Collection<MemberDescription> members) {
        ObjectNode json = Tool.JSON.createObjectNode();
        json.put("state", state);
        json.put("assignor", assignor);
        json.put("coordinator", coordinator.id());
        ArrayNode list = json.putArray("members");
        for (MemberDescription member : members) {
            ObjectNode one = list.addObject();
            one.put("client_id", member.clientId());
            one.put("host", member.host());
            one.put("instance_id", member.groupInstanceId().orElse(null));
            one.set("partitions", Tool.JSON.valueToTree(
                member.assignment().topicPartitions().stream().map(TopicPartition::partition).sorted().toList()));
        }
        return json;
    }

    /** What a group has committed, by topic and partition, as the admin client sees it. */
    static Object listGroupOffsets(JsonNode request) throws Exception {
        Map<String, Long> offsets = new TreeMap<>();
        admin(request).listConsumerGroupOffsets(group(request)).partitionsToOffsetAndMetadata().get()
            .forEach((partition, offset) -> offsets.put(partition.toString(), offset.offset()));
        return offsets;
    }

    static Object alterGroupOffset(JsonNode request) throws Exception {
        Map<TopicPartition, OffsetAndMetadata> offset =
            Map.of(partition(request), new OffsetAndMetadata(request.get("offset").asLong(), "by hand"));
        admin(request).alterConsumerGroupOffsets(group(request), offset).all().get();
        return null;
    }

    static Object deleteGroupOffset(JsonNode request) throws Exception {
        admin(request).deleteConsumerGroupOffsets(group(request), java.util.Set.of(partition(request))).all().get();
        return null;
    }

    static Object deleteGroup(JsonNode request) throws Exception {
        admin(request).deleteConsumerGroups(List.of(group(request))).all().get();
        return null;
    }

    static Object listTransactions(JsonNode request) throws Exception {
        Map<String, String> states = new TreeMap<>();
        for (TransactionListing listing : admin(request).listTransactions().all().get()) {
            states.put(listing.transactionalId(), listing.state().toString());
        }
        return states;
    }

    static Object fenceProducers(JsonNode request) throws Exception {
        admin(request).fenceProducers(List.of(request.get("transactional_id").asText())).all().get();
        return null;
    }

    static Object describeProducers(JsonNode request) throws Exception {
        List<ProducerState> states = admin(request).describeProducers(List.of(partition(request)))
            .partitionResult(partition(request)).get().activeProducers();
        ArrayNode json = Tool.JSON.createArrayNode();
        for (ProducerState state : states) {
            ObjectNode one = json.addObject();
            one.put("producer_id", state.producerId());
            one.put("producer_epoch", state.producerEpoch());
            one.put("last_sequence", state.lastSequence());
            one.put("transaction_start", state.currentTransactionStartOffset().orElse(-1));
        }
        return json;
    }

    /** The settings of a topic that are its own. */
    static Object describeConfigs(JsonNode request) throws Exception {
        return admin(request).describeConfigs(List.of(topicResource(request))).all().get().get(topicResource(request))
            .entries().stream().collect(Collectors.toMap(ConfigEntry::name, entry -> Map.of(
                "value", String.valueOf(entry.value()),
                "is_default", entry.isDefault())));
    }

    /** Sets what has a value and takes back what is null. */
    static Object alterConfigs(JsonNode request) throws Exception {
        List<AlterConfigOp> operations = new ArrayList<>();
        JsonNode changes = request.get("changes");
        changes.fieldNames().forEachRemaining(name -> operations.add(changes.get(name).isNull()
            ? new AlterConfigOp(new ConfigEntry(name, null), AlterConfigOp.OpType.DELETE)
            : new AlterConfigOp(new ConfigEntry(name, changes.get(name).asText()), AlterConfigOp.OpType.SET)));
        admin(request).incrementalAlterConfigs(Map.of(topicResource(request), operations)).all().get();
        return null;
    }

    /** The earliest and latest offset, that of the largest timestamp, and the first not before a timestamp. */
    static Object listOffsets(JsonNode request) throws Exception {
        Map<String, OffsetSpec> specs = new HashMap<>(Map.of(
            "earliest", OffsetSpec.earliest(),
            "latest", OffsetSpec.latest(),
            "max_timestamp", OffsetSpec.maxTimestamp(),
            "at_timestamp", OffsetSpec.forTimestamp(request.get("timestamp").asLong())));
        Map<String, Long> offsets = new TreeMap<>();
        for (Map.Entry<String, OffsetSpec> spec : specs.entrySet()) {
            offsets.put(spec.getKey(), admin(request).listOffsets(Map.of(partition(request), spec.getValue()))
                .partitionResult(partition(request)).get().offset());
        }
        return offsets;
    }
}
