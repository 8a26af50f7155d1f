import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.List;
import java.util.Random;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.message.LeaderChangeMessage;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.DefaultRecordBatch;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.utils.internals.ByteBufferOutputStream;

/**
 * Record batches by Apache Kafka's own classes: an oracle for the record codec.
 *
 * <p>{@code write SEED...} prints record batches, one JSON object a line: their bytes as hex, what Kafka's
 * reader finds in them, and the timestamps that were asked for (a batch with append time shows another); then a dot.
 * {@code read} does the reading alone, for lines of hex on its standard input.
 *
 * <p>Run: {@code java -cp 'LIBS/*' RecordVectors.java write 1}, with the jars of Kafka 4.4.0 in LIBS.
 */
public class RecordVectors {
    private static final byte MAGIC = RecordBatch.CURRENT_MAGIC_VALUE;
    private static final int NO_EPOCH = RecordBatch.NO_PARTITION_LEADER_EPOCH;

    private final Random random;

    private RecordVectors(long seed) {
        random = new Random(seed);
    }

    public static void main(String[] args) throws Exception {
        if (args.length >= 2 && args[0].equals("write")) {
            for (String seed : List.of(args).subList(1, args.length)) {
                new RecordVectors(Long.parseLong(seed)).writeAll();
            }
            System.out.println(".");
        } else if (args.length == 1 && args[0].equals("read")) {
            BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                System.out.println(batches(HexFormat.of().parseHex(line.strip())));
            }
        } else {
            System.err.println("usage: RecordVectors.java write SEED... | read");
            System.exit(2);
        }
    }

    // ---- writing

    private void writeAll() {
        for (CompressionType type : CompressionType.values()) {
            Compression codec = Compression.of(type).build();
            String name = type.name;
            plain(name + " one record", codec, 1, 0);
            plain(name + " no headers", codec, 20, 0);
            plain(name + " headers", codec, 10, 4);
            plain(name + " append time", codec, 5, 2, TimestampType.LOG_APPEND_TIME);
            idempotent(name + " idempotent", codec, 7, false, random.nextInt(1_000_000));
            idempotent(name + " transactional", codec, 7, true, 0);
            idempotent(name + " sequence wraps", codec, 6, true, Integer.MAX_VALUE - 2);
            idempotent(name + " last sequence", codec, 1, false, Integer.MAX_VALUE);
            gaps(name + " compacted", codec);
            deleteHorizon(name + " delete horizon", codec);
            long_(name + " long values", codec);
        }
        plain("gzip level 9", Compression.gzip().level(9).build(), 20, 1);
        plain("lz4 level 17", Compression.lz4().level(17).build(), 20, 1);
        plain("zstd level 22", Compression.zstd().level(22).build(), 20, 1);
        plain("zstd level -5", Compression.zstd().level(-5).build(), 20, 1);
        extremes();
        empty();
        control();
        several();
        legacy();
    }

    private record Appended(long offset, long timestamp, byte[] key, byte[] value, Header[] headers) {}

    private void plain(String name, Compression codec, int count, int headers) {
        plain(name, codec, count, headers, TimestampType.CREATE_TIME);
    }

    private void plain(String name, Compression codec, int count, int headers, TimestampType type) {
        long base = random.nextInt(1_000_000);
        long appended = type == TimestampType.CREATE_TIME ? RecordBatch.NO_TIMESTAMP : 1_700_000_123_456L;
        MemoryRecordsBuilder builder = builder(codec, type, base, appended,
                RecordBatch.NO_PRODUCER_ID, RecordBatch.NO_PRODUCER_EPOCH, RecordBatch.NO_SEQUENCE, false, false,
                random.nextInt(50), RecordBatch.NO_TIMESTAMP);
        print(name, builder, records(base, count, headers, 60));
    }

    private void idempotent(String name, Compression codec, int count, boolean transactional, int sequence) {
        long base = (1L << 40) + random.nextInt(1_000_000);
        MemoryRecordsBuilder builder = builder(codec, TimestampType.CREATE_TIME, base, RecordBatch.NO_TIMESTAMP,
                random.nextLong(1L << 50), (short) random.nextInt(Short.MAX_VALUE + 1), sequence, transactional,
                false, random.nextInt(50), RecordBatch.NO_TIMESTAMP);
        print(name, builder, records(base, count, 1, 30));
    }

    /** As compaction leaves a batch: records are missing at its beginning, inside, and at its end. */
    private void gaps(String name, Compression codec) {
        MemoryRecordsBuilder builder = builder(codec, TimestampType.CREATE_TIME, 1_000, RecordBatch.NO_TIMESTAMP,
                9, (short) 1, 70, true, false, 3, RecordBatch.NO_TIMESTAMP);
        List<Appended> appended = new ArrayList<>();
        for (Appended record : records(1_000, 12, 1, 30)) {
            if (record.offset % 3 == 1) {
                append(builder, record);
                appended.add(record);
            }
        }
        builder.overrideLastOffset(1_020);
        print(name, builder.build().buffer(), appended);
    }

    private void deleteHorizon(String name, Compression codec) {
        MemoryRecordsBuilder builder = builder(codec, TimestampType.CREATE_TIME, 500, RecordBatch.NO_TIMESTAMP,
                RecordBatch.NO_PRODUCER_ID, RecordBatch.NO_PRODUCER_EPOCH, RecordBatch.NO_SEQUENCE, false, false,
                3, 1_600_000_000_000L);
        print(name, builder, records(500, 4, 1, 30));
    }

    private void long_(String name, Compression codec) {
        long_(name, builder(codec, TimestampType.CREATE_TIME, 0, RecordBatch.NO_TIMESTAMP,
                RecordBatch.NO_PRODUCER_ID, RecordBatch.NO_PRODUCER_EPOCH, RecordBatch.NO_SEQUENCE, false, false,
                NO_EPOCH, RecordBatch.NO_TIMESTAMP));
    }

    private void long_(String name, MemoryRecordsBuilder builder) {
        List<Appended> appended = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            appended.add(new Appended(i, i, null, text(2_000), new Header[0]));
        }
        print(name, builder, appended);
    }

    private void extremes() {
        long[][] timestamps = {{0, Long.MAX_VALUE}, {Long.MAX_VALUE, 0}, {0, 63, 64, 8_191, 8_192, 1 << 20, 1L << 27, 1L << 34, 1L << 41, 1L << 48, 1L << 55}};
        for (long[] times : timestamps) {
            long base = Long.MAX_VALUE - 1_000;
            MemoryRecordsBuilder builder = builder(Compression.NONE, TimestampType.CREATE_TIME, base,
                    RecordBatch.NO_TIMESTAMP, Long.MAX_VALUE, Short.MAX_VALUE, Integer.MAX_VALUE, true, false,
                    Integer.MAX_VALUE, RecordBatch.NO_TIMESTAMP);
            List<Appended> appended = new ArrayList<>();
            for (int i = 0; i < times.length; i++) {
                appended.add(new Appended(base + i, times[i], new byte[0], new byte[0], new Header[0]));
            }
            print("none extreme timestamps", builder, appended);
        }
        for (int length : new int[] {62, 63, 64, 65, 8_192}) {
            MemoryRecordsBuilder builder = builder(Compression.NONE, TimestampType.CREATE_TIME, 0,
                    RecordBatch.NO_TIMESTAMP, -1, (short) -1, -1, false, false, NO_EPOCH, RecordBatch.NO_TIMESTAMP);
            byte[] value = new byte[length];
            Arrays.fill(value, (byte) 'v');
            print("none value of " + length, builder, List.of(new Appended(0, 0, null, value, new Header[0])));
        }
        MemoryRecordsBuilder builder = builder(Compression.NONE, TimestampType.CREATE_TIME, 0,
                RecordBatch.NO_TIMESTAMP, -1, (short) -1, -1, false, false, NO_EPOCH, RecordBatch.NO_TIMESTAMP);
        List<Appended> appended = new ArrayList<>();
        for (int i = 0; i < 130; i++) {
            appended.add(new Appended(i, i, null, null, new Header[0]));
        }
        print("none 130 nothings", builder, appended);
    }

    private void empty() {
        for (boolean control : new boolean[] {false, true}) {
            ByteBuffer buffer = ByteBuffer.allocate(DefaultRecordBatch.RECORD_BATCH_OVERHEAD);
            DefaultRecordBatch.writeEmptyHeader(buffer, MAGIC, 77, (short) 3, 40, 900, 910, 6,
                    TimestampType.CREATE_TIME, 1_234, true, control);
            buffer.flip();
            print("none emptied by compaction" + (control ? ", control" : ""), buffer, List.of());
        }
    }

    private void control() {
        for (ControlRecordType type : List.of(ControlRecordType.ABORT, ControlRecordType.COMMIT)) {
            for (int i = 0; i < 3; i++) {
                long timestamp = 1_700_000_000_000L + random.nextInt();
                MemoryRecords records = MemoryRecords.withEndTransactionMarker(random.nextInt(1_000), timestamp,
                        random.nextInt(50), random.nextInt(1_000), (short) random.nextInt(100),
                        new EndTransactionMarker(type, random.nextInt(1_000)));
                print("none marker " + type.name().toLowerCase(), records.buffer(),
                        List.of(new Appended(0, timestamp, null, null, null)));
            }
        }
        LeaderChangeMessage leader = new LeaderChangeMessage().setLeaderId(3);
        print("none leader change", MemoryRecords.withLeaderChangeMessage(7, 8, 9, ByteBuffer.allocate(512), leader).buffer(),
                List.of(new Appended(0, 8, null, null, null)));
        MemoryRecordsBuilder builder = builder(Compression.NONE, TimestampType.CREATE_TIME, 30,
                RecordBatch.NO_TIMESTAMP, 5, (short) 5, RecordBatch.NO_SEQUENCE, true, true, 5, RecordBatch.NO_TIMESTAMP);
        builder.appendEndTxnMarker(11, new EndTransactionMarker(ControlRecordType.ABORT, 4));
        builder.appendEndTxnMarker(12, new EndTransactionMarker(ControlRecordType.ABORT, 5));
        print("none two markers in one batch", builder.build().buffer(),
                List.of(new Appended(0, 11, null, null, null), new Appended(0, 12, null, null, null)));
    }

    /** Batches of several codecs behind each other, as a log has them. */
    private void several() {
        ByteBuffer all = ByteBuffer.allocate(1 << 16);
        List<Appended> appended = new ArrayList<>();
        long offset = 10;
        for (CompressionType type : CompressionType.values()) {
            MemoryRecordsBuilder builder = builder(Compression.of(type).build(), TimestampType.CREATE_TIME, offset,
                    RecordBatch.NO_TIMESTAMP, 1, (short) 0, (int) offset, false, false, 2, RecordBatch.NO_TIMESTAMP);
            for (Appended record : records(offset, 3, 1, 30)) {
                append(builder, record);
                appended.add(record);
            }
            all.put(builder.build().buffer());
            offset += 5;
        }
        all.flip();
        print("mixed codecs", all, appended);
    }

    /** Message sets of magic 0 and 1, which old segments hold; and a log that was written across two upgrades. */
    private void legacy() {
        ByteBuffer all = ByteBuffer.allocate(1 << 16);
        List<Appended> allAppended = new ArrayList<>();
        long offset = 100;
        for (byte magic : new byte[] {RecordBatch.MAGIC_VALUE_V0, RecordBatch.MAGIC_VALUE_V1, MAGIC}) {
            for (CompressionType type : List.of(CompressionType.NONE, CompressionType.GZIP, CompressionType.SNAPPY, CompressionType.LZ4)) {
                String name = "magic " + magic + " " + type.name;
                for (Appended record : legacy(all, magic, type, TimestampType.CREATE_TIME, offset, 1, name)) {
                    allAppended.add(record);
                }
                offset += 20;
                if (magic == MAGIC) {
                    continue;
                }
                print(name, legacyBuilder(magic, type, TimestampType.CREATE_TIME, 1_000), records(1_000, 9, 0, 60));
                print(name + " one", legacyBuilder(magic, type, TimestampType.CREATE_TIME, 7), records(7, 1, 0, 60));
                print(name + " at 0", legacyBuilder(magic, type, TimestampType.CREATE_TIME, 0), records(0, 1, 0, 60));
                legacy(ByteBuffer.allocate(1 << 16), magic, type, TimestampType.CREATE_TIME, 5_000, 3, name + " compacted");
                long_(name + " long values", legacyBuilder(magic, type, TimestampType.CREATE_TIME, 0));
                if (magic == RecordBatch.MAGIC_VALUE_V1) {
                    print(name + " append time", legacyBuilder(magic, type, TimestampType.LOG_APPEND_TIME, 30), records(30, 6, 0, 60));
                }
                if (type != CompressionType.NONE) {
                    unplacedWrapper(name + " unplaced wrapper", magic, type);
                }
            }
        }
        all.flip();
        print("magic 0, 1 and 2", all, allAppended);
    }

    /** Records of which all but each {@code keep}th are missing, as compaction leaves them. */
    private List<Appended> legacy(ByteBuffer all, byte magic, CompressionType type, TimestampType time, long base, int keep,
            String name) {
        MemoryRecordsBuilder builder = legacyBuilder(magic, type, time, base);
        List<Appended> appended = new ArrayList<>();
        for (Appended record : records(base, 12, 0, 30)) {
            if (record.offset % keep == 0) {
                append(builder, record);
                appended.add(record);
            }
        }
        ByteBuffer built = builder.build().buffer();
        all.put(built.duplicate());
        print(name + ", each " + keep, built, appended);
        return appended;
    }

    /** As some versions of librdkafka wrote wrappers: with offset 0, which the CRC does not cover. */
    private void unplacedWrapper(String name, byte magic, CompressionType type) {
        MemoryRecordsBuilder builder = legacyBuilder(magic, type, TimestampType.CREATE_TIME, 40);
        List<Appended> appended = records(40, 4, 0, 30);
        for (Appended record : appended) {
            append(builder, record);
        }
        ByteBuffer built = builder.build().buffer();
        built.putLong(built.position(), 0);
        print(name, built, appended);
    }

    private static MemoryRecordsBuilder legacyBuilder(byte magic, CompressionType type, TimestampType time, long base) {
        long appendTime = time == TimestampType.CREATE_TIME ? RecordBatch.NO_TIMESTAMP : 1_700_000_123_456L;
        // Magic 0 has no timestamps, and its builder insists on it.
        TimestampType known = magic == RecordBatch.MAGIC_VALUE_V0 ? TimestampType.NO_TIMESTAMP_TYPE : time;
        return new MemoryRecordsBuilder(new ByteBufferOutputStream(1024), magic, Compression.of(type).build(), known, base,
                appendTime, RecordBatch.NO_PRODUCER_ID, RecordBatch.NO_PRODUCER_EPOCH, RecordBatch.NO_SEQUENCE, false, false,
                NO_EPOCH, 1 << 20, RecordBatch.NO_TIMESTAMP);
    }

    private MemoryRecordsBuilder builder(Compression codec, TimestampType type, long base, long appendTime,
            long producerId, short epoch, int sequence, boolean transactional, boolean control, int leaderEpoch,
            long deleteHorizon) {
        return new MemoryRecordsBuilder(new ByteBufferOutputStream(1024), MAGIC, codec, type, base, appendTime,
                producerId, epoch, sequence, transactional, control, leaderEpoch, 1 << 20, deleteHorizon);
    }

    private List<Appended> records(long base, int count, int headersMax, int valueMax) {
        List<Appended> records = new ArrayList<>();
        long timestamp = 1_700_000_000_000L;
        for (int i = 0; i < count; i++) {
            timestamp += random.nextInt(2_000) - 500;
            byte[] key = random.nextInt(3) == 0 ? null : text(random.nextInt(12));
            byte[] value = random.nextInt(8) == 0 ? null : text(random.nextInt(valueMax));
            records.add(new Appended(base + i, timestamp, key, value, headers(headersMax)));
        }
        return records;
    }

    private Header[] headers(int max) {
        String[] keys = {"", "a", "a", "trace-id", "schlüssel", "鍵"};
        Header[] headers = new Header[max == 0 ? 0 : random.nextInt(max + 1)];
        for (int i = 0; i < headers.length; i++) {
            byte[] value = random.nextInt(3) == 0 ? null : text(random.nextInt(9));
            headers[i] = new RecordHeader(keys[random.nextInt(keys.length)], value);
        }
        return headers;
    }

    /** Compressible words with a byte of noise now and then. */
    private byte[] text(int length) {
        byte[] bytes = new byte[length];
        byte[] word = "{\"id\":12345,\"name\":\"milena\"}".getBytes(StandardCharsets.UTF_8);
        for (int i = 0; i < length; i++) {
            bytes[i] = random.nextInt(40) == 0 ? (byte) random.nextInt() : word[i % word.length];
        }
        return bytes;
    }

    private static void append(MemoryRecordsBuilder builder, Appended record) {
        builder.appendWithOffset(record.offset, record.timestamp, record.key, record.value, record.headers);
    }

    private static void print(String name, MemoryRecordsBuilder builder, List<Appended> appended) {
        for (Appended record : appended) {
            append(builder, record);
        }
        print(name, builder.build().buffer(), appended);
    }

    private static void print(String name, ByteBuffer buffer, List<Appended> appended) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        StringBuilder created = new StringBuilder();
        for (Appended record : appended) {
            created.append(created.isEmpty() ? "" : ",").append(record.timestamp);
        }
        System.out.println("{\"name\":\"" + name + "\",\"hex\":\"" + HexFormat.of().formatHex(bytes)
                + "\",\"created\":[" + created + "],\"batches\":" + batches(bytes) + "}");
    }

    // ---- reading

    private static String batches(byte[] bytes) {
        StringBuilder out = new StringBuilder("[");
        for (MutableRecordBatch batch : MemoryRecords.readableRecords(ByteBuffer.wrap(bytes)).batches()) {
            batch.ensureValid();
            out.append(out.length() == 1 ? "{" : ",{");
            field(out, "base_offset", batch.baseOffset());
            field(out, "last_offset", batch.lastOffset());
            field(out, "next_offset", batch.nextOffset());
            field(out, "size", batch.sizeInBytes());
            field(out, "leader_epoch", batch.partitionLeaderEpoch());
            field(out, "crc", batch.checksum());
            field(out, "compression", "\"" + batch.compressionType().name + "\"");
            field(out, "append_time", batch.timestampType() == TimestampType.LOG_APPEND_TIME);
            field(out, "max_timestamp", batch.maxTimestamp());
            field(out, "delete_horizon", batch.deleteHorizonMs().isPresent() ? batch.deleteHorizonMs().getAsLong() : null);
            field(out, "producer_id", batch.producerId());
            field(out, "producer_epoch", batch.producerEpoch());
            field(out, "base_sequence", batch.baseSequence());
            field(out, "last_sequence", batch.lastSequence());
            field(out, "transactional", batch.isTransactional());
            field(out, "control", batch.isControlBatch());
            field(out, "count", batch.countOrNull());
            out.append("\"records\":[");
            Iterator<Record> records = batch.iterator();
            while (records.hasNext()) {
                record(out, batch, records.next());
                out.append(records.hasNext() ? "," : "");
            }
            out.append("]}");
        }
        return out.append("]").toString();
    }

    private static void record(StringBuilder out, RecordBatch batch, Record record) {
        out.append("{");
        field(out, "offset", record.offset());
        field(out, "timestamp", record.timestamp());
        field(out, "sequence", record.sequence());
        field(out, "key", hex(record.key()));
        field(out, "value", hex(record.value()));
        if (batch.isControlBatch()) {
            ControlRecordType type = ControlRecordType.parse(record.key());
            field(out, "control_type", type.type());
            if (type == ControlRecordType.ABORT || type == ControlRecordType.COMMIT) {
                field(out, "coordinator_epoch", EndTransactionMarker.deserialize(record).coordinatorEpoch());
            }
        }
        out.append("\"headers\":[");
        String separator = "";
        for (Header header : record.headers()) {
            byte[] key = header.key().getBytes(StandardCharsets.UTF_8);
            byte[] value = header.value();
            out.append(separator).append("[").append(hex(ByteBuffer.wrap(key))).append(",")
                    .append(hex(value == null ? null : ByteBuffer.wrap(value))).append("]");
            separator = ",";
        }
        out.append("]}");
    }

    private static void field(StringBuilder out, String name, Object value) {
        out.append("\"").append(name).append("\":").append(value).append(",");
    }

    private static String hex(ByteBuffer bytes) {
        if (bytes == null) {
            return null;
        }
        byte[] copy = new byte[bytes.remaining()];
        bytes.duplicate().get(copy);
        return "\"" + HexFormat.of().formatHex(copy) + "\"";
    }
}
