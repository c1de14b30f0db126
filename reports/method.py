"""The method in short, as every report prints it. Text only."""

from reports.model import Model


class MethodLine(Model):
    """What is said about one part of the method, and its source."""

    text: str
    source: str = ""
    link: str = ""


METHOD = (
    MethodLine(
        text="Response = received − intended: messages are due at times fixed before the trial, so a pause of the"
        " broker counts in every message that it delays. Service = received − sent. A closed loop has no intended"
        " times and reports service only.",
        source="wrk2, on coordinated omission",
        link="https://github.com/giltene/wrk2",
    ),
    MethodLine(
        text="A message is received when the kernel had it, where that is known: what our consumer took to read it is"
        " receive lag, and not in the response. Else it is received when it was read. Latencies of rows that differ in"
        " this are not compared.",
        source="socket(7), SO_TIMESTAMPNS",
        link="https://man7.org/linux/man-pages/man7/socket.7.html",
    ),
    MethodLine(
        text="Latencies are whole nanoseconds of one monotonic clock, in HDR histograms with three significant digits."
        " Histograms are added; percentiles are never averaged.",
        source="HdrHistogram",
        link="https://github.com/HdrHistogram/HdrHistogram",
    ),
    MethodLine(
        text="A percentile is printed only where at least ten messages lie above it: p99.9 needs 10,000 messages a"
        " trial, p99.99 needs 100,000. A message that never came ranks above the maximum.",
    ),
    MethodLine(
        text="Where the host was away is known by a sleeper on each CPU. Messages due in such a pause, or while a queue"
        " drains after it, do not enter; one that a later pause cuts off counts as watched until then. Quantiles are"
        " Kaplan and Meier's estimate, printed where at least 30 messages are at risk and 10 separate stalls lie"
        " above. Those of all messages stand beside it, and no verdict is given that they contradict.",
        source="Kaplan & Meier, JASA 1958",
        link="https://doi.org/10.1080/01621459.1958.10501452",
    ),
    MethodLine(
        text="The unit is the trial. A row's figure is the geometric mean of its trials' figures, with the 95 %"
        " interval of Student's t on their logarithms.",
        source="Kalibera & Jones, ISMM 2013",
        link="https://doi.org/10.1145/2491894.2464160",
    ),
    MethodLine(
        text="Trials of all targets are interleaved in random order, each on an empty queue. The warm-up is recorded"
        " and not counted. Rows of different runs are shown side by side but not ranked.",
        source="Bulej et al., ICPE 2020",
        link="https://doi.org/10.1145/3358960.3379132",
    ),
    MethodLine(
        text="A verdict needs 10 trials a row: t interval of the paired log ratios, Holm-corrected over all"
        " comparisons of the report, against a smallest relevant effect of 5 %,"
        ' or the noise floor of the host where that is known and larger. "Not told apart" is an answer.',
    ),
    MethodLine(
        text="A row is overloaded if it did not carry the load in some trial. Its latency then grows with the length of"
        " the trial, so no latency is printed, and the row cannot win. A trial in which our own client was the limit"
        " is invalid; in older results its row is shown as a lower bound.",
    ),
    MethodLine(
        text="Health is about the measurement: a hard fault makes a trial invalid. Findings are about the broker: they"
        " stay in the data, since leaving out a bad broker's trials would make it look better.",
    ),
    MethodLine(
        text="CPU time is that of whole process trees in the measured part. The knee of a curve is the last rate before"
        " p99 exceeds twice the p99 at the lowest rate, or before less than 99 % of the messages arrive in time.",
    ),
)
