import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.BinaryNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedOutputStream;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.ParameterizedType;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeSet;
import java.util.jar.JarFile;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.message.ProduceRequestData;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.protocol.Readable;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Field;
import org.apache.kafka.common.protocol.types.RawTaggedField;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.SimpleRecord;

/**
 * Messages by Apache Kafka's own generated classes: an oracle for every decoder and encoder of them.
 *
 * <p>Reads one command a line and answers in the same order:
 * <ul>
 * <li>{@code messages}: one line {@code NAME LOWEST HIGHEST} for each message that Kafka has classes for, then {@code .}
 * <li>{@code fill NAME VERSION SEED COUNT}: COUNT lines {@code HEX JSON}, a message filled by a seed each. The first holds
 * defaults only, the second the ends of all ranges
 * <li>{@code echo NAME VERSION HEX}: Kafka's reading of these bytes, {@code HEX JSON} again, or {@code ! REASON}
 * </ul>
 * The JSON is that of Kafka's converters, with a field {@code _tagN} (base64) for each tagged field they do not know.
 */
public final class MessageVectors {
    private static final HexFormat HEX = HexFormat.of();
    private static final String PACKAGE = "org/apache/kafka/common/message/";
    private static final String CONVERTER = "JsonConverter.class";

    private final Map<String, Kind> kinds = new HashMap<>();
    private final Map<Class<?>, Map<String, Property>> properties = new HashMap<>();

    /** A generated class. */
    private record Kind(String name, Schema[] schemas, Constructor<?> empty, Constructor<?> reading, Method toJson) {
        private int lowest() {
            int version = 0;
            while (schemas[version] == null) {
                version++;
            }
            return version;
        }
    }

    /** A field of a generated class. {@code name} is that of its accessor and of its place in the JSON. */
    private record Property(String name, Method getter, Method setter) {}

    public static void main(String[] arguments) throws Exception {
        PrintStream out = new PrintStream(new BufferedOutputStream(System.out, 1 << 16), false, StandardCharsets.UTF_8);
        System.setOut(System.err);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII), 1 << 16);
        MessageVectors vectors = new MessageVectors();
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            vectors.run(line.split(" ", -1), out);
        }
        out.flush();
        Runtime.getRuntime().halt(0);
    }

    private MessageVectors() throws Exception {
        String jar = ProduceRequestData.class.getProtectionDomain().getCodeSource().getLocation().getPath();
        try (JarFile entries = new JarFile(jar)) {
            for (var entry : new ArrayList<>(java.util.Collections.list(entries.entries()))) {
                String path = entry.getName();
                if (path.startsWith(PACKAGE) && path.endsWith(CONVERTER) && path.indexOf('$') < 0) {
                    add(path.substring(0, path.length() - CONVERTER.length()).replace('/', '.'));
                }
            }
        }
    }

    private void add(String className) throws Exception {
        Class<?> type = Class.forName(className);
        Schema[] schemas = (Schema[]) type.getField("SCHEMAS").get(null);
        if (schemas.length == 0) {
            return;
        }
        // The definitions call them ProduceRequest and RequestHeader; the suffix is the generator's.
        String name = type.getSimpleName().replaceFirst("(Request|Response|Header)Data$", "$1");
        Method toJson = Class.forName(className + "JsonConverter").getMethod("write", type, short.class, boolean.class);
        kinds.put(name, new Kind(name, schemas, type.getConstructor(),
                type.getConstructor(Readable.class, short.class), toJson));
    }

    private void run(String[] words, PrintStream out) throws Exception {
        switch (words[0]) {
            case "messages" -> {
                for (Kind kind : kinds.values()) {
                    out.println(kind.name + " " + kind.lowest() + " " + (kind.schemas.length - 1));
                }
                out.println(".");
                out.flush();
            }
            case "fill" -> {
                Kind kind = kinds.get(words[1]);
                short version = Short.parseShort(words[2]);
                long seed = Long.parseLong(words[3]);
                for (int i = 0; i < Integer.parseInt(words[4]); i++) {
                    Random random = new Random(31 * (31 * (31 * seed + words[1].hashCode()) + version) + i);
                    Message message = (Message) kind.empty.newInstance();
                    Manner manner = i == 0 ? Manner.DEFAULTS : i == 1 ? Manner.ENDS : Manner.ANY;
                    new Filler(random, manner).fill(message, kind.schemas[version]);
                    print(kind, version, message, out);
                }
            }
            case "echo" -> {
                Kind kind = kinds.get(words[1]);
                short version = Short.parseShort(words[2]);
                ByteBuffer bytes = ByteBuffer.wrap(HEX.parseHex(words[3]));
                try {
                    Message message = (Message) kind.reading.newInstance(new ByteBufferAccessor(bytes), version);
                    if (bytes.hasRemaining()) {
                        throw new IllegalArgumentException(bytes.remaining() + " bytes are left");
                    }
                    print(kind, version, message, out);
                } catch (InvocationTargetException | RuntimeException refusal) {
                    Throwable cause = refusal instanceof InvocationTargetException ? refusal.getCause() : refusal;
                    out.println("! " + cause.toString().replace('\n', ' '));
                }
            }
            default -> throw new IllegalArgumentException(words[0]);
        }
    }

    private void print(Kind kind, short version, Message message, PrintStream out) throws Exception {
        ByteBuffer buffer = MessageUtil.toByteBufferAccessor(message, version).buffer();
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        JsonNode json = (JsonNode) kind.toJson.invoke(null, message, version, false);
        addUnknownTags(json, message, kind.schemas[version]);
        out.println(HEX.formatHex(bytes) + " " + json);
    }

    /** Kafka's converters leave them out. */
    private void addUnknownTags(JsonNode json, Message message, Schema schema) throws Exception {
        for (BoundField bound : schema.fields()) {
            if (bound.def.type instanceof TaggedFields tagged) {
                for (Field field : tagged.fields().values()) {
                    addUnknownTags(json, message, field);
                }
                for (RawTaggedField raw : message.unknownTaggedFields()) {
                    ((ObjectNode) json).set("_tag" + raw.tag(), new BinaryNode(raw.data()));
                }
            } else {
                addUnknownTags(json, message, bound.def);
            }
        }
    }

    private void addUnknownTags(JsonNode json, Message message, Field field) throws Exception {
        Type element = field.type.arrayElementType().orElse(field.type);
        if (!(element instanceof Schema schema)) {
            return;
        }
        Property property = property(message.getClass(), field.name);
        JsonNode there = json.get(property.name);
        Object value = property.getter.invoke(message);
        if (there == null || there.isNull() || value == null) {
            return;
        }
        if (field.type.isArray()) {
            Iterator<JsonNode> nodes = there.elements();
            for (Object each : (Collection<?>) value) {
                addUnknownTags(nodes.next(), (Message) each, schema);
            }
        } else {
            addUnknownTags(there, (Message) value, schema);
        }
    }

    /** The schemas name fields in snake case, the classes in camel case. */
    private Property property(Class<?> type, String field) {
        return properties.computeIfAbsent(type, MessageVectors::properties).get(field.replace("_", "").toLowerCase());
    }

    private static Map<String, Property> properties(Class<?> type) {
        Map<String, Property> found = new HashMap<>();
        for (Method setter : type.getDeclaredMethods()) {
            if (!setter.getName().startsWith("set") || setter.getParameterCount() != 1) {
                continue;
            }
            String name = setter.getName().substring(3);
            try {
                String accessor = name.substring(0, 1).toLowerCase() + name.substring(1);
                found.put(name.toLowerCase(), new Property(accessor, type.getMethod(accessor), setter));
            } catch (NoSuchMethodException notAField) {
                continue;
            }
        }
        return found;
    }

    /** How fields are filled. */
    private enum Manner { DEFAULTS, ENDS, ANY }

    /** Fills the fields that a version has. */
    private final class Filler {
        private static final int MANY = 4;

        private final Random random;
        private final Manner manner;

        private Filler(Random random, Manner manner) {
            this.random = random;
            this.manner = manner;
        }

        private boolean oneIn(int several) {
            return random.nextInt(several) == 0;
        }

        private void fill(Message message, Schema schema) throws Exception {
            for (BoundField bound : schema.fields()) {
                if (bound.def.type instanceof TaggedFields tagged) {
                    for (Field field : tagged.fields().values()) {
                        if (manner == Manner.ENDS || oneIn(2)) {
                            set(message, field);
                        }
                    }
                    if (manner != Manner.DEFAULTS && oneIn(MANY)) {
                        unknownTags(message);
                    }
                } else {
                    set(message, bound.def);
                }
            }
        }

        private void unknownTags(Message message) {
            TreeSet<Integer> tags = new TreeSet<>();
            for (int i = random.nextInt(2); i >= 0; i--) {
                // Beyond all that Kafka uses, and of one to five bytes.
                tags.add(oneIn(3) ? 1 << (7 + random.nextInt(24)) : 50 + random.nextInt(200));
            }
            for (int tag : tags) {
                message.unknownTaggedFields().add(new RawTaggedField(tag, bytes()));
            }
        }

        private void set(Message message, Field field) throws Exception {
            Property property = property(message.getClass(), field.name);
            if (property == null) {
                throw new IllegalStateException(message.getClass() + " has no " + field.name);
            }
            java.lang.reflect.Type target = property.setter.getGenericParameterTypes()[0];
            boolean needed = property.getter.invoke(message) == null && !field.type.isNullable();
            if (manner != Manner.DEFAULTS || needed) {
                property.setter.invoke(message, value(field.type, target));
            }
        }

        private Object value(Type type, java.lang.reflect.Type target) throws Exception {
            if (type.isNullable() && oneIn(MANY)) {
                return null;
            }
            if (type.isArray()) {
                return array(type.arrayElementType().orElseThrow(), target);
            }
            if (type instanceof Schema schema) {
                Message message = (Message) ((Class<?>) target).getConstructor().newInstance();
                fill(message, schema);
                return message;
            }
            return scalar(type, (Class<?>) target);
        }

        @SuppressWarnings("unchecked")
        private Collection<Object> array(Type element, java.lang.reflect.Type target) throws Exception {
            Collection<Object> all;
            java.lang.reflect.Type of;
            if (target instanceof ParameterizedType list) {
                all = new ArrayList<>();
                of = list.getActualTypeArguments()[0];
            } else {
                all = (Collection<Object>) ((Class<?>) target).getConstructor().newInstance();
                of = ((ParameterizedType) ((Class<?>) target).getGenericSuperclass()).getActualTypeArguments()[0];
            }
            boolean leaf = !(element instanceof Schema);
            int count = leaf && oneIn(40) ? 126 + random.nextInt(4) : random.nextInt(MANY);
            for (int i = manner == Manner.ENDS ? Math.max(1, count) : count; i > 0; i--) {
                all.add(value(element, of));
            }
            return all;
        }

        private Object scalar(Type type, Class<?> target) {
            long bits = bits();
            if (target == boolean.class || target == Boolean.class) {
                return random.nextBoolean();
            } else if (target == byte.class || target == Byte.class) {
                return (byte) bits;
            } else if (target == short.class || target == Short.class) {
                return (short) bits;
            } else if (target == int.class || target == Integer.class) {
                return type == Type.UINT16 ? (int) bits & 0xffff : (int) bits;
            } else if (target == long.class || target == Long.class) {
                return type == Type.UNSIGNED_INT32 ? bits & 0xffff_ffffL : bits;
            } else if (target == double.class || target == Double.class) {
                return real();
            } else if (target == Uuid.class) {
                return oneIn(MANY) ? Uuid.ZERO_UUID : new Uuid(random.nextLong(), random.nextLong());
            } else if (target == String.class) {
                return text();
            } else if (target == byte[].class) {
                return bytes();
            } else if (target == ByteBuffer.class) {
                return ByteBuffer.wrap(bytes());
            }
            return records();
        }

        private long bits() {
            if (manner == Manner.ENDS) {
                // The ends of all four sizes at once: 0x7fff... and 0x8000... cut to fewer bits are -1 and 0.
                long[] ends = {Long.MAX_VALUE, Long.MIN_VALUE, 0x7fff_ffff_7fff_7f7fL, 0x8000_0000_8000_8080L};
                return ends[random.nextInt(ends.length)];
            }
            return oneIn(2) ? random.nextInt(200) - 50 : random.nextLong();
        }

        private double real() {
            double[] ends = {Double.MAX_VALUE, -Double.MIN_VALUE, -0.0, Double.NaN, Double.NEGATIVE_INFINITY};
            return manner == Manner.ENDS ? ends[random.nextInt(ends.length)] : random.nextGaussian() * 1_000;
        }

        private int length() {
            return manner == Manner.ENDS || oneIn(40) ? 125 + random.nextInt(5) : random.nextInt(12);
        }

        private byte[] bytes() {
            byte[] bytes = new byte[length()];
            random.nextBytes(bytes);
            return bytes;
        }

        /** With characters of one to four bytes. */
        private String text() {
            StringBuilder text = new StringBuilder();
            boolean foreign = oneIn(MANY);
            for (int i = length(); i > 0; i--) {
                int any = foreign ? random.nextInt(0x11_0000) : ' ' + random.nextInt(95);
                text.appendCodePoint(any >= 0xd800 && any < 0xe000 ? '"' : any);
            }
            return text.toString();
        }

        private MemoryRecords records() {
            SimpleRecord[] records = new SimpleRecord[1 + random.nextInt(2)];
            for (int i = 0; i < records.length; i++) {
                records[i] = new SimpleRecord(random.nextLong(1L << 41), bytes(), oneIn(MANY) ? null : bytes());
            }
            CompressionType type = CompressionType.values()[random.nextInt(CompressionType.values().length)];
            return MemoryRecords.withRecords(Compression.of(type).build(), records);
        }
    }
}
