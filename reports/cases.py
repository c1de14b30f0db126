"""The rows of each question as a verdict needs them: trial estimates, and which pairs are barred. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from bench.results.records import NoiseFloor
from bench.scenario.scenario import Target, Workload
from bench.stats.noise_floor import relevant
from reports.cells import cell, latency_of
from reports.comparability import otherwise_received, unequal, unlike_rows
from reports.dataset import Dataset
from reports.durability import Durability, durability
from reports.format import Name
from reports.model import Spread
from reports.outcomes import NEVER
from reports.questions import Question, questions
from reports.summary import Cell

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
        whole: as `estimates`, of all messages, where those leave the host's pauses out; else empty.
        doubt: why the estimates decide nothing; empty where they may.
        fate: what became of the messages that never came.
    """

    name: Name
    workload: str
    estimates: Trials
    centre: float | None
    client_bound: bool
    durability: Durability
    overload: str = ""
    whole: Trials = field(default_factory=dict)
    doubt: str = ""
    fate: str = NEVER

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
        return relevant(self.question.floor, self.floors)

    def bars(self, workload: str, a: Row, b: Row) -> bool:
        """Whether two rows of a workload are not compared, in whatever order they are named."""
        names = a.name.target, b.name.target
        return any((workload, *pair) in self.barred for pair in (names, names[::-1]))

    @property
    def targets(self) -> set[str]:
        """The targets that have a row."""
        return {row.name.target for rows in self.rows.values() for row in rows}

    @property
    def by_throughput(self) -> bool:
        """A closed loop is judged by throughput, a rate by p99 response."""
        return self.question.closed_loop

    @property
    def metric(self) -> str:
        """Name of what is compared."""
        return self.question.metric


Cells = Mapping[tuple[str, str], Cell]
"""By target and workload."""


def cells_of(data: Dataset) -> dict[tuple[str, str], Cell]:
    """Return every row of the summary table, by target and workload."""
    scenario = data.scenario
    return {
        (target.name, workload.name): cell(data, target, workload)
        for workload in scenario.workloads
        for target in scenario.targets
    }


def cases_of(data: Dataset, found: Mapping[str, Name], cells: Cells, *, allow: bool = False) -> list[Case]:
    """Return every question with its rows.

    Args:
        data: the runs.
        found: what targets are called.
        cells: their rows of the summary table.
        allow: let rows be compared that are unlike.
    """
    return [_case(data, question, found, cells, allow=allow) for question in questions(data.scenario)]


def metric_of(question: Question, row: Cell) -> Spread:
    """Return what decides a question, of one row."""
    return row.achieved_rate if question.closed_loop else row.latency_ns["p99"]


def _case(data: Dataset, question: Question, found: Mapping[str, Name], cells: Cells, *, allow: bool) -> Case:
    rows = {
        workload.name: [
            _row(data, question, found[target.name], target, workload, cells)
            for target in data.scenario.targets
            if cells[target.name, workload.name].planned
        ]
        for workload in question.workloads
    }
    cpus = [run.host.get("cpus", "") for run in data.runs]
    known = min(int(text) for text in cpus) if all(text.isdigit() for text in cpus) else None
    barred = unequal(data, question) if question.closed_loop else otherwise_received(data, question)
    if not allow:
        barred = unlike_rows(data, question) | barred
    floors = tuple(run.noise_floor for run in data.runs)
    return Case(question=question, rows=rows, mode=data.runs[0].mode, cpus=known, floors=floors, barred=barred)


def _row(data: Dataset, question: Question, name: Name, target: Target, workload: Workload, cells: Cells) -> Row:
    row = cells[target.name, workload.name]
    whole: Trials = {}
    if question.closed_loop:
        estimates = _by_trial(data.usable(workload.name, target.name), "achieved_rate")
    else:
        rows = latency_of(data, target.name, workload)
        estimates, whole = _by_trial(rows, "p99"), _by_trial(rows, "all_p99")
    measured = metric_of(question, row)
    return Row(
        name=name,
        workload=workload.name,
        estimates=estimates,
        centre=math.inf if measured.never and measured.centre is None else measured.centre,
        client_bound=row.client_bound,
        durability=durability(data.products, target.broker, workload, data.durability),
        overload="" if question.closed_loop else row.overload,
        whole=whole,
        doubt=measured.why if row.entered is not None and measured.n == 0 and estimates else "",
        fate=row.fate,
    )


def _by_trial(frame: pd.DataFrame, column: str) -> Trials:
    keys = zip(frame["run_id"], frame["repetition"], strict=True)
    return {
        (str(run_id), int(repetition)): float(value)
        for (run_id, repetition), value in zip(keys, frame[column], strict=True)
        if value > 0  # also leaves NaN out
    }
