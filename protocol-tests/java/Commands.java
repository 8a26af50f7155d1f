import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.utils.internals.Exit;

/** Kafka's command line tools, one at a time, in this JVM: starting one each would take most of the time. */
final class Commands {
    private Commands() {}

    /** Stops a tool where it would end the JVM. */
    private static final class Ended extends RuntimeException {}

    /** What the tool prints on its standard output. */
    static synchronized Object run(JsonNode request) throws Exception {
        List<String> arguments = new ArrayList<>();
        request.get("arguments").forEach(argument -> arguments.add(argument.asText()));
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        ByteArrayOutputStream complaints = new ByteArrayOutputStream();
        List<Integer> statuses = new ArrayList<>();
        PrintStream out = System.out;
        PrintStream err = System.err;
        Exit.setExitProcedure((status, reason) -> {
            statuses.add(status);
            throw new Ended();
        });
        System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(complaints, true, StandardCharsets.UTF_8));
        try {
            Class.forName(request.get("class").asText()).getMethod("main", String[].class)
                .invoke(null, (Object) arguments.toArray(String[]::new));
        } catch (InvocationTargetException thrown) {
            if (!(thrown.getCause() instanceof Ended)) {
                throw thrown;
            }
        } finally {
            System.setOut(out);
            System.setErr(err);
            Exit.resetExitProcedure();
        }
        // The first counts: tools that catch everything meet Ended, and want to end with an error then.
        if (!statuses.isEmpty() && statuses.get(0) != 0) {
            throw new IllegalStateException("status " + statuses.get(0) + ": "
                + printed.toString(StandardCharsets.UTF_8) + complaints.toString(StandardCharsets.UTF_8));
        }
        return printed.toString(StandardCharsets.UTF_8);
    }
}
