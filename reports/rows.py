"""What a verdict is made of: rows with their trial estimates, and questions with their rows. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.results.records import NoiseFloor
from bench.stats.noise_floor import relevant
from reports.durability import Durability
from reports.format import Name
from reports.questions import Question

MIN_TRIALS = 10
"""Usable trials a row that a verdict needs."""
MIN_CPUS = 4
"""CPUs a host needs for rows to be ranked by throughput."""

Trials = Mapping[tuple[str, int], float]
"""(run id, repetition) -> estimate of that trial."""
Key = tuple[str, str, str]
"""(workload, first target, second target)."""


@dataclass(frozen=True)
class Row:
    """One target under one workload, as far as a verdict needs it.

    Attributes:
        estimates: the metric in each usable trial: p99 in ns, or messages a second; infinite
            where more than 1 % of the messages never came or the broker was overloaded; trials
            without enough data are absent.
        centre: over trials; None where there is no estimate.
        overload: words in place of a latency where a trial's broker was overloaded.
    """

    name: Name
    workload: str
    estimates: Trials
    centre: float | None
    client_bound: bool
    durability: Durability
    overload: str = ""

    @property
    def finite(self) -> bool:
        """Whether every trial has a bound."""
        return all(value < float("inf") for value in self.estimates.values())


@dataclass(frozen=True)
class Case:
    """A question with its rows, by workload, and the run's circumstances."""

    question: Question
    rows: Mapping[str, Sequence[Row]]
    mode: str
    cpus: int | None
    floors: Sequence[NoiseFloor | None] = ()
    """What is known of the noise of the hosts of the runs."""
    barred: Mapping[Key, Sequence[str]] = field(default_factory=dict)
    """Pairs that are not compared, with the reasons."""

    @property
    def delta(self) -> tuple[float, str]:
        """Smallest relevant effect, and where it comes from in words."""
        return relevant(self.metric, self.floors)

    @property
    def by_throughput(self) -> bool:
        """A closed loop is judged by throughput, a rate by p99 response."""
        return self.question.closed_loop

    @property
    def metric(self) -> str:
        """Name of what is compared."""
        return "achieved rate" if self.by_throughput else "p99 response"
