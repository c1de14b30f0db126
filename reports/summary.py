"""What a report says, as typed data: the one source of HTML, Markdown and JSON.

Every number that is printed is here, unrounded; `summary.json` is this model written out,
and the text under each field documents its key. None means "no number"; a field next to it
says why.
"""

import json
from typing import Literal

from reports.costs import CostRow, IdleRow, StartRow
from reports.counts import CountRow
from reports.method import MethodLine
from reports.model import Model, Spread
from reports.patterns import JudgedTag
from reports.place_rows import PlaceCosts
from reports.sustained import Sustained
from reports.swept import Value, point_words

SUMMARY_SCHEMA_VERSION = 3
SATURATED = 0.99
"""Share of the offered messages that must arrive within the measured part."""


class RowFigures(Model):
    """What some trials of one row measured."""

    achieved_rate: Spread
    """Messages received a second of the measured part; in a closed loop with a pause meter, a second in which the
    host's CPUs were there."""
    latency_ns: dict[str, Spread]
    """By p50, p90, p99, p99.9, p99.99, max, mean; nanoseconds."""
    broker_cpu_us: Spread
    """CPU time of the broker's process tree, microseconds a message."""
    client_cpu_us: Spread
    """CPU time of all our workers, microseconds a message."""
    broker_rss: Spread
    """Peak resident memory of the broker's process tree, bytes."""


class Uncounted(RowFigures):
    """What a row's trials measured where none of them could be used: shown, and the ground of no verdict."""

    trials: int
    """Finished trials, all of them left out."""


class Cell(RowFigures):
    """One row of the summary table: a target under a workload."""

    target: str
    workload: str
    flow: str
    """Which flow of it, where its trials had several at once; else empty. `workload` is then the name of both."""
    at: dict[str, Value]
    """Of a point of a sweep: the value of each swept field, by its path in the workload; else empty."""
    planned: int
    """Trials planned."""
    n: int
    """Trials that could be used."""
    overloaded: int
    """How many of these did not carry the load; if any did not, no latency is printed for the row."""
    overload: str
    """What is then printed in place of its latencies; empty otherwise."""
    background: bool
    """Whether it is a flow that is there for the others' sake: it is measured, and not judged."""
    latency_tag: JudgedTag
    """`response` (received - intended; of calls the round trip), `service` (received - sent) in a closed loop, or
    `confirm` (confirmed - intended) where nobody consumes, or while a queue is filled."""
    messages: int
    """Latencies measured, all usable trials together."""
    in_flight: int | None
    """Bound of messages in flight; None in an open loop."""
    offered_rate: float | None
    """Messages a second that were asked for; None in a closed loop."""
    due_rate: float | None
    """Messages (copies, see `copies`) a second that consumers could get in the measured parts: random arrivals make it
    differ from what was asked for, and what the broker refused or ended by a rule is not in it; None in a closed loop
    or without a usable trial."""
    copies: float
    """Copies that are owed of each message, on average."""
    fate: str
    """What became of messages that never came, where a percentile has no bound, such as `were returned`."""
    beside_ns: dict[str, dict[str, Spread]]
    """Latencies that explain those above, p50, p99 and max of all messages, by tag: `last`, when the last of several
    copies was received - intended; `reply_lag`, our own lateness at answering calls."""
    all_ns: dict[str, Spread]
    """Percentiles of all messages, those that a pause of the host touched included; empty where no pause meter
    watched, as `latency_ns` is of all messages then."""
    entered: float | None
    """Share of the messages that entered the estimates of `latency_ns`; None where they are of all messages."""
    client_cores: Spread
    """Share of one core that the busiest worker used."""
    uncounted: Uncounted | None
    """What trials left out measured, where there are no others."""
    left_out_over_used: float | None
    """The figure that decides (p99, in a closed loop the achieved rate) of the trials left out, over that of those
    used, geometric means; None where one of them has none."""
    client_bound: bool
    """Our client was the limit in some trial of an older result, where that did not yet make a trial invalid: the row
    is a lower bound and cannot win."""
    durability: str
    """What a confirmed message survives."""
    remarks: tuple[str, ...]
    """What a reader must know of this row."""

    @property
    def asked_rate(self) -> float | None:
        """Messages (copies) a second that were asked for; None in a closed loop."""
        return None if self.offered_rate is None else self.offered_rate * self.copies

    @property
    def saturated(self) -> bool:
        """Whether it was overloaded, or less than 0.99 of what was offered arrived in time."""
        if self.due_rate is None or self.achieved_rate.centre is None:
            return False
        return self.overloaded > 0 or self.achieved_rate.centre < SATURATED * self.due_rate

    @property
    def shown(self) -> RowFigures:
        """What a table shows of the row: its own figures, or those of trials that do not count."""
        return self.uncounted or self


class TargetSummary(Model):
    """One target and what it is."""

    name: str
    """As all rows of this summary name it."""
    target: str
    """Its name in the scenario."""
    group: str
    """Where several rows are of that target: the version, place or run, or the side of a paired run; else empty."""
    label: str
    """For tables and figures."""
    full: str
    """Product, version and protocol."""
    broker: str
    protocol: str
    driver: str
    place: str
    runtime: str
    limits: dict[str, str]
    """How memory cap and CPU count are applied."""
    labels: tuple[str, ...]
    """Words about the broker that a report must show."""


class Compared(Model):
    """One comparison of two targets under one workload."""

    workload: str
    first: str
    second: str
    metric: str
    n: int
    ratio: float
    """First over second, geometric mean over pairs of trials."""
    low: float | None
    """Interval of the ratio at level 1 - alpha: its lower end."""
    high: float | None
    """Its upper end."""
    alpha: float
    """Level after Holm's correction over all comparisons of the report."""
    delta: float
    """Smallest relevant effect, as a share: a difference below it is no verdict."""
    delta_from: str
    """Where that comes from: the usual one, or the noise floor of the host and the run that measured it."""
    verdict: Literal["better", "worse", "same", "undecided"]
    """Of the first side."""
    trials_needed: int | None
    """Trials that would decide, if estimate and spread stay as they are."""
    whole_ratio: float | None = None
    """The same of all messages, pauses of the host included; None where `ratio` is of all messages."""
    whole_low: float | None = None
    """Lower end of its interval."""
    whole_high: float | None = None
    """Upper end of it."""
    whole_verdict: Literal["better", "worse", "same", "undecided"] | None = None
    """What all messages say. Where they decide otherwise than the estimates, `verdict` is undecided."""


class Trust(Model):
    """What an answer rests on."""

    trials_low: int
    """Number of usable trials of the row that has fewest."""
    trials_high: int
    planned: int
    """Trials planned a row."""
    left_out: int
    """Finished trials that are not counted."""
    warnings: tuple[str, ...]
    """Codes of health that made no trial invalid."""
    hard: tuple[str, ...]
    """Codes of health that made trials invalid."""
    findings: tuple[str, ...]
    """Codes of what brokers did wrong."""
    unlike: tuple[str, ...]
    """Settings in which brokers differ, or that a broker reports otherwise than it was asked for."""
    durability: tuple[str, ...]
    """What a confirmed message survives; more than one where rows differ."""
    spread_low: float | None
    """Standard deviation of the logarithms of a row's trial estimates, about the relative standard deviation; of the
    row with the least."""
    spread_high: float | None
    """The same of the row with the most."""
    relevant: float
    """Smallest relevant effect, as a share."""
    relevant_from: str
    """Where that comes from: the usual one, or the noise floor of the host and the run that measured it."""
    lines: tuple[str, ...]
    """The same in words."""


class Answer(Model):
    """One question of the scenario and what the data say to it."""

    question: str
    workloads: tuple[str, ...]
    """More than one in a sweep."""
    swept: tuple[str, ...]
    """Fields in which they differ, by their paths; `load.rate` makes a curve."""
    asks: str
    """The question in words of the shape of the work, such as `Which answers a call sooner?`."""
    load: str
    metric: str
    """What decides: `p99 response` (`p99 round trip`, `p99 confirm`), or `achieved rate` in a closed loop."""
    kind: Literal["winner", "ahead", "same", "open", "measured", "not ranked", "no result"]
    """`ahead`: every row of one product and version is better than every row of the others. `measured`: there is one
    row only, and nothing to compare."""
    unit: str
    """Of what is achieved: `msg/s`, `calls/s`, `copies/s`."""
    headline: str
    """The verdict in a few words."""
    effect: str
    """By how much, with interval; or why there is no verdict."""
    exclusions: str
    """Which rows with a figure, or pairs of them, are not compared, and why."""
    figures: str
    """Every row's figure."""
    sentence: str
    """All of the above."""
    winner: str | None
    """Target that won, if any."""
    remarks: tuple[str, ...]
    trust: Trust


class HeadToHead(Model):
    """Two products over all loads that both were asked for."""

    first: str
    """Product and version."""
    second: str
    first_ahead: tuple[str, ...]
    """Workloads in which the first is ahead."""
    second_ahead: tuple[str, ...]
    """Workloads in which the second is ahead."""
    alike: tuple[str, ...]
    """Workloads in which a verdict says that they do not differ by what is relevant."""
    undecided: tuple[str, ...]
    """Workloads in which they are not told apart."""
    unlike: tuple[str, ...]
    """Workloads in which no two of their rows survive the same, so that none are compared."""
    nothing: tuple[str, ...]
    """Workloads in which one of them has no figure that could be compared."""
    seen: int
    """How many of these loads were decided by what was seen alone, without a verdict."""
    sentence: str
    """The same in words."""


class LedgerRow(Model):
    """What happened to every message of a row, warm-up included, summed over its finished trials."""

    target: str
    workload: str
    trials: int
    sent: int
    confirmed: int
    received: int
    lost: int
    undelivered: int
    unconfirmed_missing: int
    duplicated: int
    redelivered: int
    reordered: int
    refused: int
    returned: int
    unknown: int
    foreign: int
    stray: int
    owed: int
    """Copies that queues with consumers were owed; less than 0 in older results."""
    by_rule: int
    """Copies that a rule of a queue may have ended, and no dead letters tell."""
    ended: int
    """Copies that the broker ended by a rule, as dead letters tell."""
    late: int
    """Replies that came after their time-out, of those received."""
    missing: int
    """Workers that handed over no account."""
    unknown_trials: int
    """Trials with such a worker: their sums are not whole, and they are not among those that balance."""
    balanced: int
    """Trials whose sums hold."""
    little_checked: int
    """Trials on which Little's law was checked."""
    little_holds: int


class NoteRow(Model):
    """A note on the measurement (health) or on the broker (finding)."""

    kind: Literal["health", "finding"]
    code: str
    hard: bool
    target: str | None
    """None where trials of several rows have the same text."""
    workload: str | None
    trials: tuple[int, ...]
    """Places in the run's order."""
    count: int
    """How many."""
    text: str
    """The note of the first of these trials."""


class SettingValue(Model):
    """One setting of one broker."""

    broker: str
    asked: str | None
    reported: str | None
    differs: bool
    """The broker reports another value than was asked for."""


class SettingRow(Model):
    """One setting, side by side."""

    key: str
    values: tuple[SettingValue, ...]
    unlike: bool
    """Brokers that have this setting differ in it."""

    @property
    def differs(self) -> bool:
        """Whether a broker reports another value than was asked for."""
        return any(value.differs for value in self.values)


class Differing(Model):
    """A setting in which rows of one workload differ, and whether the comparison is about it."""

    key: str
    workloads: tuple[str, ...]
    """The workloads under which the values are these."""
    values: dict[str, str]
    """By target."""
    intended: bool
    """Whether they are meant to differ in it; targets that are not are not compared."""


class Fact(Model):
    """One fact of the environment; one value a run."""

    key: str
    values: tuple[str, ...]


class LeftOut(Model):
    """A finished trial that is not counted."""

    target: str
    workload: str
    repetition: int
    """From 0."""
    why: str
    p99_ns: float | None
    """What it would have shown."""
    achieved_rate: float


class Knee(Model):
    """Where one row's latency bends as the load rises."""

    question: str
    target: str
    rate: float | None
    """Highest rate before the bend, messages a second; None where already the lowest was too much."""
    next_rate: float | None
    """The lowest rate beyond it; None where no rate tried bent the curve."""
    why: str
    """What happens at `next_rate`."""


class Trace(Model):
    """One target's line in a figure: the geometric mean over its usable trials, and their range."""

    question: str
    kind: Literal["percentiles", "time"]
    target: str
    column: str
    """What is drawn: by percentile `response` or `service`, over time `p99` or `p50`."""
    x: tuple[float, ...]
    """Percent of the messages; over time the middle of a bin, seconds after the measured part began (negative: in the
    warm-up)."""
    y_ns: tuple[float, ...]
    """As long as `x`; nanoseconds."""
    low_ns: tuple[float, ...]
    """Smallest of a trial."""
    high_ns: tuple[float, ...]
    """Largest of a trial."""


class Mark(Model):
    """Something that happened in a trial, drawn above latency over time."""

    question: str
    event: str
    """Its kind, such as `restart` or `host away`."""
    target: str
    from_s: float
    """Seconds after the measured part began."""
    to_s: float
    """When it ended; the same where it is a moment."""
    text: str


class Caption(Model):
    """The words of a figure: what it is, and the finding that it shows."""

    name: str
    """Unique in the report; the file's name where figures are exported."""
    question: str
    """Name of the question it belongs to; empty for one over all."""
    kind: str
    title: str
    sentence: str


class Absent(Model):
    """What was planned and has no result."""

    run_id: str
    target: str
    workload: str
    repetition: int
    """From 0."""
    why: str


class RunSummary(Model):
    """One run that the report reads."""

    run_id: str
    started_utc: str
    seed: int
    command: str
    image_digests: dict[str, str]
    """By recipe."""


class Summary(Model):
    """A whole report."""

    schema_version: int = SUMMARY_SCHEMA_VERSION
    title: str
    question: str
    mode: Literal["full", "quick"]
    runs: tuple[RunSummary, ...]
    caveats: tuple[str, ...]
    """What holds for every answer."""
    head_to_head: tuple[HeadToHead, ...]
    """Product against product, where there are at least three loads; else empty."""
    answers: tuple[Answer, ...]
    targets: tuple[TargetSummary, ...]
    cells: tuple[Cell, ...]
    comparisons: tuple[Compared, ...]
    ledger: tuple[LedgerRow, ...]
    notes: tuple[NoteRow, ...]
    settings: tuple[SettingRow, ...]
    differing: tuple[Differing, ...]
    """Settings in which rows differ; those that are not meant to differ come first."""
    environment: tuple[Fact, ...]
    absent: tuple[Absent, ...]
    promises: tuple[str, ...]
    """What a confirmed message survives, workload by workload."""
    not_shown: tuple[str, ...]
    """What these numbers cannot tell."""
    left_out: tuple[LeftOut, ...]
    counts: tuple[CountRow, ...]
    """Where messages were counted: their rates by phase, and what backlogs took."""
    costs: tuple[CostRow, ...]
    idles: tuple[IdleRow, ...]
    starts: tuple[StartRow, ...]
    place_costs: tuple[PlaceCosts, ...]
    """What each place costs, where a broker was measured in several; else empty."""
    knees: tuple[Knee, ...]
    sustained: tuple[Sustained, ...]
    """Highest sustainable rates, where a search was made."""
    traces: tuple[Trace, ...]
    marks: tuple[Mark, ...]
    captions: tuple[Caption, ...]
    method: tuple[MethodLine, ...]
    trials_finished: int
    trials_usable: int
    trials_planned: int

    def to_json(self) -> str:
        """Return it as `summary.json` has it; what has no number is null, never NaN."""
        return json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def row_label(self, cell: Cell, answer: Answer) -> str:
        """Return what a table of an answer calls a row: its target's label and, in a sweep, its point."""
        label = next(target.label for target in self.targets if target.name == cell.target)
        return f"{label}, {point_words(cell.at) or cell.workload}" if len(answer.workloads) > 1 else label

    def panel(self, question: str, kind: str, column: str) -> dict[str, Trace]:
        """Return the lines of one panel of a figure by target."""
        wanted = (question, kind, column)
        return {line.target: line for line in self.traces if (line.question, line.kind, line.column) == wanted}

    def cell(self, target: str, workload: str) -> Cell:
        """Return a row; raise KeyError where there is none."""
        for cell in self.cells:
            if (cell.target, cell.workload) == (target, workload):
                return cell
        raise KeyError((target, workload))
