"""What `search.json` holds: each step of a search, the answers, and latency against load. Models only.

`bench.results.archive.read_search` reads it. Trials are those of the same results folder, by index.
"""

from typing import Literal

from bench.results.base import Record

SEARCH_SCHEMA_VERSION = 1

Verdict = Literal["pass", "fail", "invalid"]


class FailureRecord(Record):
    """One criterion that a trial failed."""

    criterion: str
    """ended, achieved, backlog, p99, lost or invalid; see `bench.stats.sustained`."""
    text: str
    """With figures."""


class StepRecord(Record):
    """One trial of a search, as it was judged."""

    target: str
    index: int
    """Of its trial."""
    rate: float
    """Offered messages a second."""
    hold: bool
    """Whether it was a long hold."""
    verdict: Verdict
    failures: tuple[FailureRecord, ...]
    share: float | None
    """Received within the measured part, as a share of what was offered; None where nothing was."""
    p99_ns: float | None
    """Of the response."""


class SustainedRate(Record):
    """The highest rate that one target sustained."""

    target: str
    workload: str
    """The scenario's workload whose rate was searched."""
    guess: float
    """Rate at which the search began: what a closed loop moved while the broker was warmed."""
    low: float | None
    """Highest rate that held; None where none did."""
    high: float | None
    """Lowest rate that failed its hold; None where none did."""
    why: str
    """What the hold at `high` failed, with figures."""
    client_bound: bool
    """Whether our own client, not the broker, may have held it back: the rate is a lower bound."""
    ended: Literal["found", "measurement", "limit", "nothing", "trials", "failed", "interrupted"]
    """`found`, or why the interval is not whole. `measurement`: `high` could not be measured, so that `low` is a lower
    bound; `limit`: the highest rate allowed held; `nothing`: no rate held; `trials`: it ran out of trials; `failed`:
    the broker could not be run; `interrupted`: the user ended it."""
    p99_ns: float | None
    """Of the response, in the hold at `low`."""
    short_trials: int
    holds: int
    seconds: float
    """What its trials took, the broker's start included."""


class CurvePoint(Record):
    """One trial of latency against load."""

    target: str
    index: int
    """Of its trial."""
    rate: float
    """Offered messages a second."""
    share: float | None
    """Of the target's own sustainable rate that was aimed at; None for a rate that all targets share."""
    achieved: float
    """Received a second within the measured part."""
    p50_ns: float | None
    p99_ns: float | None
    saturated: bool
    """Whether less than 0.99 of what was offered arrived in time."""
    valid: bool
    """Whether the measurement can be trusted."""


class SearchRecord(Record):
    """A search: how it was done, its steps in order, its answers, its curve."""

    schema_version: int = SEARCH_SCHEMA_VERSION
    workload: str
    """The scenario's workload whose rate was searched."""
    quick: bool
    objective_p99_ns: int | None
    """Highest p99 of the response that was allowed; None: any."""
    short_s: int
    """Measured seconds of a short trial."""
    hold_s: int
    """Measured seconds of a hold."""
    factor: float
    precision: float
    above: float
    votes: int
    steps: tuple[StepRecord, ...] = ()
    answers: tuple[SustainedRate, ...] = ()
    """One for each target, in the scenario's order."""
    curve: tuple[CurvePoint, ...] = ()
    """In the order of the trials; empty where none was asked for."""
