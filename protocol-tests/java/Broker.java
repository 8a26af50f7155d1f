import java.util.ArrayList;
import java.util.List;

/**
 * One Kafka broker, formatted first if its folder is empty. Both in one JVM, because a JVM costs as much to start as the formatting does.
 *
 * <p>Arguments: server.properties, cluster id, and the feature levels to format with ("transaction.version=2").
 */
public final class Broker {
    public static void main(String[] arguments) {
        String properties = arguments[0];
        List<String> format = new ArrayList<>(
            List.of("format", "--ignore-formatted", "--config", properties, "--cluster-id", arguments[1]));
        for (int i = 2; i < arguments.length; i++) {
            format.add("--feature");
            format.add(arguments[i]);
        }
        if (kafka.tools.StorageTool.execute(format.toArray(String[]::new), System.err) != 0) {
            System.exit(1);
        }
        kafka.Kafka.main(new String[] {properties});
    }
}
