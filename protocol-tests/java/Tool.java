import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * Apache Kafka's own clients at the service of tests in another language.
 *
 * <p>One request per line of standard input, {"id":1,"operation":"consume",...}; one answer per line of standard output,
 * {"id":1,"result":...} or {"id":1,"error":"..."}. Requests run side by side and are answered as they finish. Bytes are
 * hexadecimal, absent ones null. The program ends with its input.
 */
public final class Tool {
    static final ObjectMapper JSON = new ObjectMapper();
    private static final HexFormat HEX = HexFormat.of();

    private interface Operation {
        Object run(JsonNode request) throws Exception;
    }

    private static final Map<String, Operation> OPERATIONS = Map.ofEntries(
        Map.entry("abort", Writing::abort),
        Map.entry("alter_configs", Inspection::alterConfigs),
        Map.entry("alter_group_offset", Inspection::alterGroupOffset),
        Map.entry("await_member", Members::await),
        Map.entry("begin", Writing::begin),
        Map.entry("close_member", Members::close),
        Map.entry("close_producer", Writing::close),
        Map.entry("command", Commands::run),
        Map.entry("commit", Writing::commit),
        Map.entry("committed_offsets", Reading::committedOffsets),
        Map.entry("consume", Reading::consume),
        Map.entry("create_partitions", Inspection::createPartitions),
        Map.entry("create_topics", Administration::createTopics),
        Map.entry("delete_group", Inspection::deleteGroup),
        Map.entry("delete_group_offset", Inspection::deleteGroupOffset),
        Map.entry("delete_records", Administration::deleteRecords),
        Map.entry("delete_topics", Administration::deleteTopics),
        Map.entry("describe_classic_group", Inspection::describeClassicGroup),
        Map.entry("describe_cluster", Inspection::describeCluster),
        Map.entry("describe_configs", Inspection::describeConfigs),
        Map.entry("describe_consumer_group", Inspection::describeConsumerGroup),
        Map.entry("describe_producers", Inspection::describeProducers),
        Map.entry("describe_topic", Administration::describeTopic),
        Map.entry("describe_transaction", Administration::describeTransaction),
        Map.entry("end_offsets", Reading::endOffsets),
        Map.entry("fence_producers", Inspection::fenceProducers),
        Map.entry("list_group_offsets", Inspection::listGroupOffsets),
        Map.entry("list_groups", Inspection::listGroups),
        Map.entry("list_offsets", Inspection::listOffsets),
        Map.entry("list_topics", Inspection::listTopics),
        Map.entry("list_transactions", Inspection::listTransactions),
        Map.entry("open_member", Members::open),
        Map.entry("open_producer", Writing::open),
        Map.entry("send", Writing::send),
        Map.entry("send_offsets", Writing::sendOffsets),
        Map.entry("set_feature", Administration::setFeature));

    public static void main(String[] arguments) throws Exception {
        PrintStream answers = System.out;
        System.setOut(System.err);
        ExecutorService threads = Executors.newCachedThreadPool();
        BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = requests.readLine(); line != null; line = requests.readLine()) {
            JsonNode request = JSON.readTree(line);
            threads.submit(() -> {
                byte[] answer = answer(request);
                synchronized (answers) {
                    answers.write(answer, 0, answer.length);
                    answers.flush();
                }
            });
        }
        Runtime.getRuntime().halt(0);
    }

    private static byte[] answer(JsonNode request) {
        ObjectNode answer = JSON.createObjectNode();
        answer.set("id", request.get("id"));
        try {
            Object result = OPERATIONS.get(request.get("operation").asText()).run(request);
            answer.set("result", JSON.valueToTree(result));
        } catch (Throwable failure) {
            Throwable cause = failure instanceof ExecutionException && failure.getCause() != null ? failure.getCause() : failure;
            answer.put("error", cause.toString());
        }
        return (answer + "\n").getBytes(StandardCharsets.UTF_8);
    }

    /** The client settings of a request: its bootstrap servers and its own properties. */
    static Properties properties(JsonNode request) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", request.get("bootstrap").asText());
        JsonNode own = request.path("properties");
        own.fieldNames().forEachRemaining(key -> properties.put(key, own.get(key).asText()));
        return properties;
    }

    static String hex(byte[] bytes) {
        return bytes == null ? null : HEX.formatHex(bytes);
    }

    static byte[] bytes(JsonNode hex) {
        return hex == null || hex.isNull() ? null : HEX.parseHex(hex.asText());
    }
}
