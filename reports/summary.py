"""What a report says, as typed data: the one source of HTML, Markdown and JSON.

Every number that is printed stands here, unrounded; `summary.json` is this model written
out, and the text under each field documents its key. None means "no number", and a
reason stands beside it.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict

SUMMARY_SCHEMA_VERSION = 1


class Model(BaseModel):
    """Base of everything a report says."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class Spread(Model):
    """A number over the usable trials of a row: the median of the trials' estimates, and their range."""

    median: float | None
    low: float | None
    """Smallest over trials."""
    high: float | None
    """Largest over trials; None where a trial has no bound, see `never`."""
    n: int
    """Trials that have the number."""
    never: int = 0
    """Trials in which the message of this rank never came, so that no bound is known."""
    at_least: int = 0
    """Trials in which the message of this rank was dropped: the highest value of those received stands for it, so
    that where there are any, `median`, `low` and `high` are lower bounds and print with "≥"."""
    why: str = ""
    """Why `median` is None."""


class Cell(Model):
    """One row of the summary table: a target under a workload."""

    target: str
    workload: str
    planned: int
    """Trials planned."""
    n: int
    """Trials that could be used."""
    latency_tag: Literal["response", "service"]
    """`response` (received - intended), or `service` (received - sent) in a closed loop."""
    messages: int
    """Latencies measured, all usable trials together."""
    in_flight: int | None
    """Bound of messages in flight; None in an open loop."""
    offered_rate: float | None
    """Messages a second that were due; None in a closed loop."""
    achieved_rate: Spread
    """Messages received a second of the measured part."""
    latency_ns: dict[str, Spread]
    """By p50, p90, p99, p99.9, p99.99, max, mean; nanoseconds."""
    broker_cpu_us: Spread
    """CPU time of the broker's process tree, microseconds a message."""
    client_cpu_us: Spread
    """CPU time of all our workers, microseconds a message."""
    client_cores: Spread
    """Share of one core that the busiest worker used."""
    broker_rss: Spread
    """Peak resident memory of the broker's process tree, bytes."""
    client_bound: bool
    """A worker used 85 % of a core or more in some trial: the row is a lower bound and wins nothing."""
    durability: str
    """What a confirmed message survives."""
    remarks: tuple[str, ...]
    """What a reader must know of this row."""


class TargetSummary(Model):
    """One target and what it is."""

    name: str
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
    """Words of the broker's that a report must show."""


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
    """Interval of the ratio at level 1 - alpha."""
    high: float | None
    alpha: float
    """Level after Holm's correction over all comparisons of the report."""
    verdict: Literal["better", "worse", "same", "undecided"]
    """Of the first side."""
    trials_needed: int | None
    """Trials that would decide, if estimate and spread stay as they are."""


class Answer(Model):
    """One question of the scenario and what the data say to it."""

    question: str
    workloads: tuple[str, ...]
    """More than one in a sweep."""
    load: str
    sentence: str
    winner: str | None
    """Target that won, if any."""
    remarks: tuple[str, ...]


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
    balanced: int
    """Trials whose sums hold."""
    little_checked: int
    """Trials on which Little's law was checked."""
    little_holds: int


class NoteRow(Model):
    """A word on the measurement (health) or on the broker (finding)."""

    kind: Literal["health", "finding"]
    code: str
    hard: bool
    target: str | None
    """None where trials of several rows have the same text."""
    workload: str | None
    trials: tuple[int, ...]
    """Places in the run's order."""
    text: str
    """Of the first of these trials."""


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


class Fact(Model):
    """One fact of the environment; one value a run."""

    key: str
    values: tuple[str, ...]


class Absent(Model):
    """What was planned and has no result."""

    target: str
    workload: str
    repetition: int
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
    answers: tuple[Answer, ...]
    targets: tuple[TargetSummary, ...]
    cells: tuple[Cell, ...]
    comparisons: tuple[Compared, ...]
    ledger: tuple[LedgerRow, ...]
    notes: tuple[NoteRow, ...]
    settings: tuple[SettingRow, ...]
    environment: tuple[Fact, ...]
    absent: tuple[Absent, ...]
    promises: tuple[str, ...]
    """What a confirmed message survives, workload by workload."""
    not_shown: tuple[str, ...]
    """What this run says nothing about."""
    trials_finished: int
    trials_usable: int
    trials_planned: int

    def cell(self, target: str, workload: str) -> Cell:
        """Return a row; raise KeyError where there is none."""
        for cell in self.cells:
            if (cell.target, cell.workload) == (target, workload):
                return cell
        raise KeyError((target, workload))
