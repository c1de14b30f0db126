"""What `bench compare` prints and writes as JSON, as typed data."""

from typing import Literal

from reports.model import Model

COMPARISONS_SCHEMA_VERSION = 1


class ComparedRows(Model):
    """Two rows against each other."""

    workload: str
    """Name of the workload of both; empty where workloads are compared."""
    first: str
    """A target; by workload, target and workload; by run, the row of the first run."""
    second: str
    metric: str
    """`p99 response`, or `achieved rate` in a closed loop."""
    n: int
    """Pairs of trials; of two stored runs, trials of the smaller side."""
    ratio: float | None
    """First over second, geometric mean; None where there is nothing to compare."""
    low: float | None
    """Interval of the ratio at level 1 - alpha."""
    high: float | None
    alpha: float | None
    """Level after Holm's correction, over all lines with a verdict; 0.05 where there is none."""
    delta: float
    """Smallest relevant effect, as a share."""
    delta_from: str
    """Where that comes from."""
    verdict: Literal["better", "worse", "same", "undecided", "suspect", "no sign of change"]
    """Of the first side; the last two are of stored runs, and no others are, where something could be compared."""
    trials_needed: int | None
    """Trials that would decide, if estimate and spread stay as they are."""
    down_to: float | None = None
    """`no sign of change` only: the largest change that the interval leaves possible, as a share."""
    why: str = ""
    """Why there is no verdict, and what else limits it."""
    unlike: tuple[str, ...] = ()
    """With `--allow`: in what else the rows differ."""


class NotCompared(Model):
    """Two rows that are not compared, and in what they differ beside what they are compared by."""

    workload: str
    first: str
    second: str
    unlike: tuple[str, ...]


class Comparisons(Model):
    """Everything that one `bench compare` found."""

    schema_version: int = COMPARISONS_SCHEMA_VERSION
    by: Literal["target", "workload", "run"]
    runs: tuple[str, ...]
    """Ids of the runs."""
    lines: tuple[ComparedRows, ...]
    refused: tuple[NotCompared, ...]
    alone: tuple[str, ...] = ()
    """By run only: rows that one of the runs has and the other has not."""
