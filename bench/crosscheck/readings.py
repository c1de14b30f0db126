"""What a crosscheck leaves: readings of both sides, and what they say together. Pure."""

from pydantic import Field

from bench.results.base import Record


class Reading(Record):
    """One run of one tool under the load, measured part only."""

    side: str
    """Driver, or name of the peer."""
    pair: int
    """From 1; 0 = the pair that warmed the broker, not counted."""
    sent_per_s: float
    received_per_s: float
    p50_ns: int
    """Of received - sent, as the tool computes it."""
    p99_ns: int
    cpu_us_per_message: float | None
    """CPU time of all its processes (sending and receiving) a message received."""
    rss_peak: int | None
    """Bytes resident, all its processes together."""
    broker_cpu_us_per_message: float | None = None
    """CPU time of the broker a message received."""
    notes: tuple[str, ...] = ()
    """What the suite says against a run of its own."""


class Medians(Record):
    """Medians of one side over the counted pairs."""

    side: str
    version: str
    """Of the client library or the peer."""
    sent_per_s: float
    received_per_s: float
    p50_ns: float
    p99_ns: float
    cpu_us_per_message: float | None
    rss_peak: float | None
    broker_cpu_us_per_message: float | None = None


class Ratio(Record):
    """A driver of ours over the peer, for one figure: geometric mean over pairs."""

    driver: str
    figure: str
    ratio: float
    low: float | None
    """Ends of its 95 % interval: Student's t on the logarithms, pairs as units; None below three pairs."""
    high: float | None


class Captured(Record):
    """One tool's own reading beside that of a packet capture of the same seconds."""

    side: str
    own_p50_ns: int
    own_p99_ns: int
    wire_p50_ns: int
    wire_p99_ns: int
    messages: int
    """Messages seen both on their way to the broker and back."""
    unmatched: int
    """Messages seen on one way only, those left out that were on their way when the capture began or ended."""
    dropped: int
    """Packets that the kernel could not hand to the capture."""


class Checked(Record):
    """One target under one workload."""

    target: str
    workload: str
    protocol: str
    peer: str
    asked: str
    """The load, for people."""
    medians: tuple[Medians, ...]
    ratios: tuple[Ratio, ...]
    readings: tuple[Reading, ...]
    captured: tuple[Captured, ...] = ()
    drivers: dict[str, str] = Field(default_factory=dict)
    """Our drivers, and what each is."""
    command: str
    """The peer's command line, without credentials."""
    differs: str
    """What the peer's figures mean that ours do not."""


class Crosscheck(Record):
    """A whole crosscheck."""

    schema_version: int = 1
    scenario: str
    started_utc: str
    pairs: int
    warm_up_s: int
    """Time under load of each JVM before its measured part, at least."""
    checked: tuple[Checked, ...]
    refused: tuple[str, ...]
    """What was left out, and why."""
    brokers: dict[str, str]
    """Product and version by name of the broker."""
    tools: dict[str, str]
    host: dict[str, str]
