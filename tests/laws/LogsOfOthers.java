import java.io.File;
import java.util.Random;
import java.util.TreeMap;
import org.HdrHistogram.EncodableHistogram;
import org.HdrHistogram.Histogram;
import org.HdrHistogram.HistogramLogReader;
import org.HdrHistogram.HistogramLogWriter;

/** Writes logs as other tools do into a folder, and prints what Java's reader finds in every log of it, by tag. */
public class LogsOfOthers {
    static final long START_MS = 1_441_753_532_570L;
    static final Random RANDOM = new Random(7);

    /** Fills a histogram and writes it as an interval that begins so many ms after the start. */
    static void interval(HistogramLogWriter log, Histogram histogram, String tag, long fromMs, long toMs, double scale) {
        for (int values = 200 + RANDOM.nextInt(200); values > 0; values--) {
            histogram.recordValue((long) (-Math.log(1 - RANDOM.nextDouble()) * scale));
        }
        histogram.setTag(tag);
        histogram.setStartTimeStamp(START_MS + fromMs);
        histogram.setEndTimeStamp(START_MS + toMs);
        log.outputIntervalHistogram(histogram);
    }

    /** As jHiccup: no tags, two digits, no base time, and a stall after which two intervals round to one second. */
    static void jHiccup(File file) throws Exception {
        HistogramLogWriter log = new HistogramLogWriter(file);
        log.outputComment("[Logged with jHiccup version 2.0.7-SNAPSHOT]");
        log.outputLogFormatVersion();
        log.outputStartTime(START_MS);
        log.setBaseTime(START_MS);
        log.outputLegend();
        long[] times = {126, 1_133, 2_133, 3_134, 4_134, 5_132, 7_008, 7_133, 8_132};
        for (int i = 0; i + 1 < times.length; i++) {
            interval(log, new Histogram(20_000, 3_600_000_000_000L, 2), null, times[i], times[i + 1], 2e5);
        }
        log.close();
    }

    /** Two tags and lines without one, four intervals a second, histograms that resize themselves. */
    static void tagged(File file) throws Exception {
        HistogramLogWriter log = new HistogramLogWriter(file);
        log.outputLogFormatVersion();
        log.outputBaseTime(START_MS - 3_600_000);
        log.setBaseTime(START_MS - 3_600_000);
        log.outputStartTime(START_MS);
        log.outputLegend();
        for (int i = 0; i < 20; i++) {
            String tag = new String[] {"A", null, "B"}[i % 3];
            interval(log, new Histogram(3), tag, 250 * i, 250 * (i + 1), 1e3 * (1 << i));
        }
        log.close();
    }

    /** Our own range and precision, absolute times, no comment at all. */
    static void absolute(File file) throws Exception {
        HistogramLogWriter log = new HistogramLogWriter(file);
        for (int i = 0; i < 12; i++) {
            interval(log, new Histogram(1, 3_600_000_000_000L, 3), "response", 400 * i, 400 * (i + 1), 1e6);
        }
        log.close();
    }

    public static void main(String[] words) throws Exception {
        File folder = new File(words[0]);
        jHiccup(new File(folder, "jhiccup.hlog"));
        tagged(new File(folder, "tagged.hlog"));
        absolute(new File(folder, "absolute.hlog"));
        for (File file : folder.listFiles((place, name) -> name.endsWith(".hlog"))) {
            TreeMap<String, Histogram> found = new TreeMap<>();
            HistogramLogReader reader = new HistogramLogReader(file);
            for (EncodableHistogram one; (one = reader.nextIntervalHistogram()) != null; ) {
                String tag = one.getTag() == null ? "" : one.getTag();
                Histogram interval = (Histogram) one;
                if (!found.containsKey(tag)) {
                    found.put(tag, interval.copy());
                    found.get(tag).setAutoResize(true);
                } else {
                    found.get(tag).add(interval);
                }
            }
            for (String tag : found.keySet()) {
                Histogram one = found.get(tag);
                System.out.printf("%s,%s,%.3f,%d,%d%n", file.getName(), tag, reader.getStartTimeSec(),
                        one.getTotalCount(), one.getMaxValue());
                one.allValues().forEach(value -> {
                    if (value.getCountAtValueIteratedTo() > 0) {
                        System.out.printf("%s,%s,%d,%d%n", file.getName(), tag, value.getValueIteratedTo(),
                                value.getCountAtValueIteratedTo());
                    }
                });
            }
        }
    }
}
