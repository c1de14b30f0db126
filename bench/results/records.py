"""The results folder: everything needed to redraw, re-check and re-run, in open formats.

```
<run-id>/
  run.json             RunRecord
  scenario.toml        as given
  durability.json      what brokers wrote for a confirmed message, see `bench.results.durability`
  trials/<nnn>-<target>-<workload>/
    trial.json         TrialRecord; renamed into place last, so its presence means finished
    latency.hlog       HdrHistogram V2 log: one line a second (of intended time) and tag
    timeline.parquet   one row each 100 ms, see TIMELINE_COLUMNS
    broker.log
```

The models are here; `bench.results.archive` writes and reads the folder.
"""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from bench.results.bare_path import BarePath
from bench.results.base import Record
from bench.results.cost import Cost, IdleCost
from bench.results.product_record import ProductRecord
from bench.scenario.scenario import Scenario

SCHEMA_VERSION = 4
"""2 keeps what products say (`RunRecord.products`); 3 where each broker ran, and which trial of a pair or of a search
one is. 1 and 2 are still read."""

Side = Literal["baseline", "candidate"]
Receipt = Literal["kernel", "read", "both"]
StepKind = Literal["guess", "short", "hold", "curve"]

_FEW_MESSAGES, _FEW_SHARE = 5, 0.01
"""Messages of a trial, and their share of it, that may lack a time of the kernel's: the first on a connection may."""
TAGS = ("response", "service", "send_lag", "backpressure", "confirm", "receive_lag", "last", "reply_lag")
"""Tags of latency.hlog. response = received - intended; service = received - sent; send_lag =
our own lateness at sending (sent - intended less backpressure); backpressure = the part of
sent - intended in which the driver had no room; confirm = confirmed - intended; receive_lag = our own lateness at
receiving (read - received), of messages whose time of receipt the kernel told: the others were received when they were
read; last = when the last of several copies was received - intended, where one worker receives them all; reply_lag =
our own lateness at answering (reply sent - request received - think time). With a pause meter the log also has of
response, service, send_lag and confirm `<tag>_events` and `<tag>_censored`, see `TagRecord`."""

MOST_TRIALS = 100_000
"""Of a run."""
FolderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$")]
"""A part of the name of a trial's folder: it leads nowhere else."""
TIMELINE_COLUMNS = {
    "at_ns": "int64",  # start of the tick, after the trial's start
    "phase": "string",  # warm-up, measure, drain
    "offered": "int64",  # messages due in this tick
    "sent": "int64",
    "received": "int64",  # unique messages
    "confirmed": "int64",
    "backlog": "int64",  # due and not received at the tick's end
    "broker_cpu_s": "float64",  # CPU seconds used in this tick, whole process tree; NaN = unknown
    "broker_rss": "float64",  # bytes
    "client_cpu_s": "float64",
    "client_rss": "float64",
    # Since busbench 0.2; NaN in older results. Counts that are read once a second are spread evenly over its ticks.
    "broker_threads": "float64",
    "client_threads": "float64",
    "broker_voluntary": "float64",  # context switches in this tick: the thread waited
    "broker_involuntary": "float64",  # the kernel took it from its CPU
    "client_voluntary": "float64",
    "client_involuntary": "float64",
    "broker_disk_read": "float64",  # bytes from block devices in this tick
    "broker_disk_written": "float64",
    "client_disk_read": "float64",
    "client_disk_written": "float64",
    "data_bytes": "float64",  # allocated in the broker's folder; in ticks in which it was read, else NaN
    "depth": "float64",  # messages in all queues, as the broker says; in ticks in which it was asked, else NaN
}
LATER_COLUMNS = tuple(TIMELINE_COLUMNS)[list(TIMELINE_COLUMNS).index("broker_threads") :]
"""Those that a timeline of busbench 0.1 lacks."""


PAUSE_COLUMNS = ("cpu", "begin_ns", "end_ns")
"""int64; times after the trial's start. A pause lies between two wakes, of which the second came late."""


class TrialOutcome(StrEnum):
    """How a trial ended."""

    COMPLETED = "completed"
    OVERLOADED = "overloaded"
    STALLED = "stalled"
    BROKER_FAILED = "broker-failed"
    DISCONNECTED = "disconnected"
    WORKER_FAILED = "worker-failed"
    ABORTED = "aborted"
    """By a condition of `--abort-on`, which it could not but meet."""


class Note(Record):
    """A note on the measurement (health) or on the broker (finding), with advice."""

    code: str
    """Member of a closed set, see `bench.run.health` and `bench.run.findings`."""
    hard: bool
    """Health only: makes the trial invalid."""
    text: str
    """One sentence, with figures, that ends in what to do."""


class Ledger(Record):
    """What happened to every message of a trial, warm-up included.

    owed = received + lost + by_rule + undelivered + unconfirmed_missing + what `ended` counts; `balanced` says that
    this and the sums of settlements hold. `sent` to `unknown` count messages, the others copies: a message is owed to
    as many queues as its key is bound to.
    """

    sent: int
    confirmed: int
    refused: int
    """Nacked, rejected or modified by the broker."""
    returned: int
    """Returned as unroutable, or released."""
    unknown: int
    """Sent and never settled, where confirms were asked for."""
    received: int
    """Unique copies received."""
    lost: int
    """Confirmed (without confirms: sent), never received, not ended by a rule, and not on the broker either."""
    undelivered: int
    """Confirmed (without confirms: sent) and not received, while they lay on the broker or the trial
    was cut before it could deliver them."""
    unconfirmed_missing: int
    """Not confirmed and never received: allowed, and counted."""
    duplicated: int
    """Deliveries beyond the first of a message."""
    redelivered: int
    """Deliveries that the broker marked as redelivered."""
    reordered: int
    """First deliveries, not marked as redelivered, with a lower number than one of the same producer
    seen before on that lane."""
    foreign: int
    """Bodies that were not ours."""
    stray: int
    """Deliveries of numbers that were never sent."""
    balanced: bool
    owed: int = -1
    """Copies that queues with consumers were owed; -1 in older results, where each message was one."""
    by_rule: int = 0
    """As `lost`, where a queue has a rule that may have ended them (time to live, greatest length, delivery limit) and
    no dead letters tell."""
    ended: dict[str, int] = Field(default_factory=dict)
    """Copies that the broker ended by a rule, by its reason, as dead letters tell: expired, maxlen, rejected,
    delivery_limit."""
    late: int = 0
    """Replies that came after their time-out; they are among `received`."""
    missing: int = 0
    """Workers that handed over no account, as they were killed or hung: what they sent and received is not known, so
    that the sums above are of the others, and nothing is balanced."""


class TagRecord(Record):
    """The measured part of one latency, merged over workers and seconds."""

    count: int
    histogram: str
    """Base64 of the HdrHistogram V2 encoding, zlib-compressed: 1 ns to 1 h, 3 digits."""
    negative: int
    """Values below 0: counted, not in the histogram."""
    out_of_range: int
    """Values above 1 h: counted, not in the histogram."""
    events: str | None = None
    """As `histogram`, of the messages that entered the estimate and ended before the host's next pause; None without
    a pause meter."""
    censored: str | None = None
    """As `histogram`, how long those were watched that entered and were cut off by a pause."""

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.events is None) != (self.censored is None):
            message = "events and censored stand together"
            raise ValueError(message)
        return self


class Usage(Record):
    """What one side used in the measured part; None where it cannot be known."""

    cpu_s: float | None
    cpu_us_per_message: float | None
    cpu_cores_busiest: float | None
    """Share of one core that the busiest worker put to use, busy waits left out (client), or the mean cores in use
    (broker)."""
    rss_peak: int | None


class Little(Record):
    """Little's law on a drained trial: the integral of the backlog equals the sum of responses."""

    backlog_integral_s: float
    response_sum_s: float
    holds: bool


class BrokerRecord(Record):
    """The broker as it reported itself in this trial."""

    name: str
    kind: str
    product: str
    version: str
    runtime: str
    asked: dict[str, str]
    reported: dict[str, str]
    limits: dict[str, str]
    labels: tuple[str, ...]
    started: int
    """How many times this broker had been started in the run when the trial began."""
    ground: dict[str, str] = Field(default_factory=dict)
    """What surrounded it: limits in force, network path, file system of its data, virtualisation; empty in older
    results and where someone else ran it."""
    ready_s: float | None = None
    """Of its last start, from the start of its program until every protocol answered, seconds; None in older results
    and where someone else ran it."""
    first_confirm_s: float | None = None
    """From the same instant until a first message was confirmed."""
    idle: IdleCost | None = None
    """What it used while nobody used it, after the run's first start of it; None where that was not measured."""


class Canary(Record):
    """A fixed computation, timed right before and right after a trial: whether the host stayed the same.

    A reading is made of short takes, most of each arithmetic and a part waiting for memory. The least of them tells how
    fast the host is, even if others were disturbed; the time in which they had no CPU tells of other load on it.
    """

    before_ns: int
    """The least take before the trial."""
    after_ns: int
    """The least take after it."""
    before_waited: float
    """Share of all takes before the trial in which the computation had no CPU, though it wanted one."""
    after_waited: float
    """The same after it."""
    reference_ns: int
    """Median of the least takes, over both readings of every trial of the run up to this one."""
    shift: float
    """The largest of both relative distances from the reference and of both shares waited: 0.05 = 5 %."""


Positive = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]


class PauseRecord(Record):
    """What the pause meter saw in the measured part, see `bench.pauses`."""

    fifo: bool
    """Whether its sleepers ran above all normal tasks; else they also see waits for a CPU that others use."""
    cpus: Annotated[int, Field(ge=1)]
    """CPUs that were watched."""
    count: Annotated[int, Field(ge=0)]
    """Pauses, of all CPUs."""
    away_share: Share
    """Share of CPU time in which a CPU was away."""
    longest_ns: Annotated[int, Field(ge=0)]
    """0 without a pause."""
    clean_s: Positive
    """Seconds of intended time that lie in no pause and in no drain of one."""
    drain: Positive | None
    """Seconds of drain that follow a second of pause, u/(1-u) with u = offered rate over capacity; None in a closed
    loop."""
    cpu_share: Positive
    """CPU time that the meter itself used, as a share of one CPU."""
    steal_share: float | None = None
    """Share of CPU time that the hypervisor says it took; the rest of `away_share` is of other tasks on this host, or
    not told by it. None where unknown."""
    crossing: Positive | None = None
    """Mean number of messages on their way as a pause began, over that at other times: 1 where pauses come without
    regard to the broker. None where there is too little to say."""
    crossing_low: Positive | None = None
    crossing_high: Positive | None = None
    """The 95 % interval of it."""
    lost: str = ""
    """Why there is no estimate, though there was a meter; empty where there is one."""


class PhaseRecord(Record):
    """One phase of a trial by count, over all of its messages."""

    name: Literal["enqueue", "dequeue", "whole"]
    """`enqueue`: from the first send to the last confirm, while nobody consumes. `dequeue`: from the first consumer's
    subscription (the first message, if that came before) to the last receive. `whole`: producers and consumers at once,
    from the first send to the last receive."""
    messages: Annotated[int, Field(ge=0)]
    """Confirmed; of the others, copies received."""
    begin_ns: int
    """After the trial's start."""
    end_ns: int
    """The same."""
    rate: Positive
    """Messages a second."""
    away_share: Share | None = None
    """Share of CPU time in which a CPU of the host was away meanwhile; None where no meter watched."""
    broker_usage: Usage
    """What was used in this phase."""
    client_usage: Usage
    """The same."""


class BacklogRecord(Record):
    """What a full backlog took of the broker, read while it lay; None where that was not to be had."""

    messages: int
    """Confirmed and not yet taken."""
    rss: int | None
    """Resident memory of the broker's process tree, bytes."""
    rss_before: int | None
    """The same as the trial began."""
    data_bytes: int | None
    """Allocated in the broker's folder."""
    data_bytes_before: int | None
    """The same as the trial began."""


class FlowRecord(Record):
    """One of several flows of a trial; fields are as of a trial, of this flow alone."""

    name: str
    """Of the flow."""
    background: bool = False
    """Whether it was there for the others' sake."""
    offered: int
    sent: int
    received: int
    dropped: int = 0
    achieved_rate: float
    backlog_growth: float | None = None
    latency: dict[str, TagRecord]
    """Tags of its part of latency.hlog begin with its name and a dot."""
    ledger: Ledger
    little: Little | None
    findings: tuple[Note, ...]
    counters: dict[str, int]


class TrialRecord(Record):
    """One trial: one target and one workload, once, on an empty queue."""

    schema_version: int = SCHEMA_VERSION
    index: int
    """Place in the run's order, from 0."""
    repetition: int
    target: str
    workload: str
    outcome: TrialOutcome
    reason: str
    """Why it did not complete; empty where it did."""
    start_utc: str
    """ISO 8601 time of the trial's first intended send."""
    start_monotonic_ns: int
    """The same instant on CLOCK_MONOTONIC."""
    measure_from_s: int
    """First measured second, after the start; warm-up before it."""
    measure_to_s: int
    """End of the measured part (exclusive)."""
    drained: bool
    """Whether every message sent was received before the drain ran out."""
    offered: int
    """Messages due in the measured part (closed loop: sent)."""
    sent: int
    """Messages of the measured part (by intended time) that were sent."""
    received: int
    """Messages of the measured part that were received, whenever."""
    dropped: int = 0
    """Messages of the measured part that were never sent, as the driver had no room for them for longer than
    `late_after`; 0 where late messages are sent."""
    achieved_rate: float
    """Messages received within the measured part, a second."""
    backlog_growth: float | None = None
    """Messages a second by which the backlog grew through the measured part (negative: shrank), the median slope of
    Theil and Sen; None for a closed loop, for a measured part under a second, and in older results."""
    latency: dict[str, TagRecord]
    """By tag; response and send_lag are absent for a closed loop, receive_lag where the kernel told no times."""
    ledger: Ledger
    little: Little | None
    broker: BrokerRecord
    broker_usage: Usage
    client_usage: Usage
    cost: Cost | None = None
    """CPU, memory, disk, wire and context switches; None in older results and on virtual time."""
    canary: Canary | None = None
    """None in older results and on virtual time."""
    pauses: PauseRecord | None = None
    """None in older results, on virtual time, and where no meter could be started."""
    ceiling: float | None = None
    """Messages a second that one pair of workers of the driver did at most against a peer that does nothing, with
    bodies of 100 B and the trial's settlements (`bench doctor --ceiling`); None where it was not measured with this
    version on this host. Health compares with it."""
    health: tuple[Note, ...]
    findings: tuple[Note, ...]
    counters: dict[str, int]
    """What the drivers counted, summed over workers."""
    client_cpus: str = ""
    """CPUs that our workers could run on, as the kernel had it, such as `0-1`; empty in older results and on virtual
    time."""
    phases: tuple[PhaseRecord, ...] = ()
    """Of a trial by count; one that did not come to its end is absent."""
    backlog: BacklogRecord | None = None
    """Of a trial in which a backlog lay."""
    flow: str = ""
    """The flow that the fields above are of, where there are several; broker, host and CPU are of all."""
    flows: tuple[FlowRecord, ...] = ()
    """The others."""

    @property
    def receipt(self) -> Receipt:
        """When messages of the measured part counted as received: `kernel`, when it had them, or when `read`."""
        lag, service = self.latency.get("receive_lag"), self.latency.get("service")
        told, count = (0 if one is None else one.count for one in (lag, service))
        if not told:
            return "read"
        return "kernel" if count - told <= max(_FEW_MESSAGES, _FEW_SHARE * count) else "both"

    @property
    def valid(self) -> bool:
        """Whether the measurement can be trusted; findings never make it invalid."""
        return self.outcome not in BROKE_OFF and not any(note.hard for note in self.health)


NO_RESULT = {
    TrialOutcome.WORKER_FAILED,
    TrialOutcome.BROKER_FAILED,
    TrialOutcome.DISCONNECTED,
    TrialOutcome.ABORTED,
}
BROKE_OFF = NO_RESULT | {TrialOutcome.STALLED}
"""As NO_RESULT, and where the broker did not answer any more, though its connections stood."""


class PairedTarget(Record):
    """Whom a target of a paired run stands for: one of the two sides' scenarios."""

    target: str
    """Its name in the scenario of its side; both sides have one of that name."""
    broker: str
    """Name of its broker there."""
    side: Side


class SearchStep(Record):
    """What a trial of a search is for."""

    workload: str
    """The workload whose rate is searched."""
    kind: StepKind
    """`guess`: the closed loop that warms a broker and says where to begin; `short`, `hold`: whether a rate holds;
    `curve`: latency against load."""
    rate: float | None
    """Offered messages a second; None in a closed loop."""


class PlannedTrial(Record):
    """One line of the plan: which trial it is, whatever its target and workload are called."""

    index: Annotated[int, Field(ge=0)]
    repetition: Annotated[int, Field(ge=0)]
    target: FolderName
    """Name in the run's scenario, as is the workload's."""
    workload: FolderName
    restart_broker: bool
    """Whether its broker is restarted for it."""
    paired: PairedTarget | None = None
    """None but in a paired run."""
    step: SearchStep | None = None
    """None but in a search."""
    makes_up_for: int | None = None
    """The repetition that it does once more, as the host was away for too long in one of its trials; else None."""


class ImageRecord(Record):
    """The image that brokers ran from."""

    recipe: str
    content_digest: str
    packages: dict[str, str]
    """Versions of the broker packages and runtimes (not the whole manifest)."""


class NoiseFloor(Record):
    """What an A/A run (one broker against itself) found on a host."""

    run_id: str
    """The run that measured it."""
    measured_utc: str
    host_class: str
    """See `bench.host.hostclass`."""
    pairs: int
    """The fewest pairs that a figure below is of."""
    effects: dict[str, float]
    """By metric, such as `p99 response`: the largest ratio of the two sides, less 1, that is inside the 95 % interval,
    over all workloads."""


class RunRecord(Record):
    """A run: its scenario as resolved, order, tools and host."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    started_utc: str
    mode: Literal["full", "quick"]
    scenario: Scenario
    """As resolved: overrides, `--quick` and sweeps applied."""
    seed: int
    overrides: tuple[str, ...]
    command: str
    """The command that repeats this run."""
    plan: Annotated[tuple[PlannedTrial, ...], Field(max_length=MOST_TRIALS)]
    tools: dict[str, str]
    """Versions of Python, busbench and the libraries that matter."""
    host: dict[str, str]
    """CPU model and count, memory, kernel, distribution, virtualisation, clock source, file system."""
    images: dict[str, ImageRecord]
    """By recipe name."""
    products: dict[str, ProductRecord] = Field(default_factory=dict)
    """What products say of themselves, by the broker's name in the scenario."""
    noise_floor: NoiseFloor | None = None
    """By how much two alike brokers differed on hosts of this class, as known when the run began (a full run of the
    scenario noise-floor measures it): comparisons look for no smaller effect. None where it was not measured."""
    purpose: Literal["run", "search"] = "run"
    """`search`: the plan and the scenario's workloads grew as each trial decided on the next; `search.json` tells."""
    interference: dict[str, str] = Field(default_factory=dict)
    """What else may run on CPUs that brokers and workers were pinned to, as text for people."""
    bare_paths: tuple[BarePath, ...] = ()
    """What the way to each place cost without a broker, measured after the trials; empty where it was not asked for."""
    not_here: dict[str, str] = Field(default_factory=dict)
    """Optional brokers of the scenario that this host could not start, and why: `scenario` is without them."""
    ended_early: str = ""
    """Which condition of `--abort-on` ended it before its plan was done, and where; empty where none did."""

    @model_validator(mode="after")
    def _the_parts_fit(self) -> Self:
        for parts in (self.scenario.brokers, self.scenario.targets, self.scenario.workloads):
            if len({one.name for one in parts}) < len(parts):
                message = f"two of {', '.join(sorted({one.name for one in parts}))} have one name"
                raise ValueError(message)
        for target in self.scenario.targets:
            if target.broker not in self.products:
                message = f"target {target.name} is of broker {target.broker}, of which `products` says nothing"
                raise ValueError(message)
        names = {one.name for one in self.scenario.targets}, {one.name for one in self.scenario.workloads}
        for planned in self.plan:
            if planned.target not in names[0] or planned.workload not in names[1]:
                message = f"trial {planned.index} is of {planned.target} and {planned.workload}, not of the scenario"
                raise ValueError(message)
        if len({planned.index for planned in self.plan}) < len(self.plan):
            message = "two planned trials have one index"
            raise ValueError(message)
        return self
