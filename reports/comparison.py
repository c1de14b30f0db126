"""What `bench compare` says: rows against each other by target, by workload, or of two runs.

By target it is the report's own table: the same estimates, family and verdicts. Two stored
runs were not interleaved, so their difference holds also what changed on the host meanwhile:
they give "no sign of change down to x %" or "suspect", never better or worse (Bulej et al.,
"Duet benchmarking", ICPE 2020). Pure: datasets in, Comparisons out.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal

from bench.results import comparability
from bench.scenario.scenario import Target, Workload
from bench.stats.estimate import LEAST_FOR_INTERVAL
from bench.stats.ratio import Comparison, Pair, Verdict, compare, compare_family
from reports.cases import MIN_CPUS, MIN_TRIALS, Case, Cells, Row, cases_of, cells_of
from reports.comparability import client_of, receipt_of, settings_of
from reports.dataset import Dataset
from reports.exclusions import usable_pairs, why_not
from reports.model import Model
from reports.naming import names
from reports.summary import Cell
from reports.verdict import comparisons

COMPARISONS_SCHEMA_VERSION = 1
QUICK = "a quick run names no winner"
"""Why nothing is decided by one."""


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
    """Interval of the ratio at level 1 - alpha; None of fewer than four pairs."""
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


@dataclass(frozen=True)
class _Side:
    """One row as it stands in a comparison."""

    name: str
    data: Dataset
    target: Target
    workload: Workload
    case: Case
    row: Row
    cell: Cell

    @property
    def settings(self) -> comparability.Row:
        return settings_of(self.data, self.target, self.workload)

    @property
    def why_not(self) -> str:
        """Why nothing can be decided about this row; empty where something can."""
        if not self.row.estimates:
            return self.cell.latency_ns["p99"].why if not self.case.by_throughput else self.cell.achieved_rate.why
        return why_not(self.row)


def by_target(data: Dataset, *, allow: bool = False) -> Comparisons:
    """Compare every two targets under each workload."""
    cells = cells_of(data)
    cases = cases_of(data, names(data), cells, allow=allow)
    judged = comparisons(cases)
    lines, refused = [], []
    for sides in _sides(data, cells, cases):
        for a, b in combinations(sides, 2):
            differs = comparability.unlike(a.settings, b.settings, "target")
            if differs and not allow:
                refused.append(_refused(a.workload.name, a, b, differs))
                continue
            found = judged.get((a.workload.name, a.target.name, b.target.name))
            lines.append(_line(a.workload.name, a, b, found, differs))
    return Comparisons(by="target", lines=tuple(lines), refused=tuple(refused), runs=_runs(data))


def by_workload(data: Dataset, *, allow: bool = False) -> Comparisons:
    """Compare, for each target, every two workloads that are judged by the same metric."""
    cells = cells_of(data)
    sides = [side for group in _sides(data, cells, cases_of(data, names(data), cells)) for side in group]
    pairs, refused = [], []
    for target in data.scenario.targets:
        mine = [side for side in sides if side.target.name == target.name]
        for a, b in combinations(mine, 2):
            if a.case.metric != b.case.metric:
                continue
            differs = comparability.unlike(a.settings, b.settings, "workload")
            if differs and not allow:
                refused.append(_refused("", a, b, differs))
            else:
                pairs.append((_called(a), _called(b), differs))
    ready = [(a, b) for a, b, _ in pairs if not _undecidable(a, b)]
    family = compare_family([_pair(a, b) for a, b in ready], delta=[a.case.delta[0] for a, _ in ready])
    judged = {(a.name, b.name): found for (a, b), found in zip(ready, family, strict=True)}
    lines = [_line("", a, b, judged.get((a.name, b.name)), differs) for a, b, differs in pairs]
    return Comparisons(by="workload", lines=tuple(lines), refused=tuple(refused), runs=_runs(data))


def by_run(first: Dataset, second: Dataset, *, allow: bool = False) -> Comparisons:
    """Compare two stored runs, row by row; the second may be of another scenario with rows of the same names."""
    one, other = ({_cell(side): side for side in _all_sides(data)} for data in (first, second))
    pairs, refused = [], []
    for cell in one.keys() & other.keys():
        a, b = one[cell], other[cell]
        differs = comparability.unlike(a.settings, b.settings, "run")
        if differs and not allow:
            refused.append(_refused(cell[1], a, b, differs))
        elif a.case.metric == b.case.metric:
            pairs.append((a, b, differs))
    order = list(one)
    pairs.sort(key=lambda pair: order.index(_cell(pair[0])))
    refused.sort(key=lambda each: order.index((each.first, each.workload)))
    ready = [(a, b) for a, b, _ in pairs if not _why_not_stored(a, b)]
    deltas = [max(a.case.delta[0], b.case.delta[0]) for a, b in ready]
    family = compare_family([_pair(a, b, paired=False) for a, b in ready], paired=False, delta=deltas)
    judged = {_cell(a): found for (a, _), found in zip(ready, family, strict=True)}
    lines = [_stored(a, b, judged.get(_cell(a)), differs) for a, b, differs in pairs]
    alone = [
        f"{target} under {workload}"
        for target, workload in [*one, *other]
        if (target, workload) not in one.keys() & other.keys()
    ]
    return Comparisons(
        by="run",
        lines=tuple(lines),
        refused=tuple(refused),
        runs=(*_runs(first), *_runs(second)),
        alone=tuple(alone),
    )


def _sides(data: Dataset, cells: Cells, cases: Sequence[Case]) -> Iterator[list[_Side]]:
    """Yield the rows of each workload, in the scenario's order of targets."""
    targets = {target.name: target for target in data.scenario.targets}
    for case in cases:
        for workload in case.question.workloads:
            yield [
                _Side(name, data, targets[name], workload, case, row, cells[name, workload.name])
                for row in case.rows[workload.name]
                for name in (row.name.target,)
            ]


def _all_sides(data: Dataset) -> Iterator[_Side]:
    cells = cells_of(data)
    for group in _sides(data, cells, cases_of(data, names(data), cells)):
        yield from group


def _cell(side: _Side) -> tuple[str, str]:
    return side.target.name, side.workload.name


def _called(side: _Side) -> _Side:
    """Return a row named after its target and workload."""
    return replace(side, name=f"{side.target.name} {side.workload.name}")


def _runs(data: Dataset) -> tuple[str, ...]:
    return tuple(run.run_id for run in data.runs)


def _refused(workload: str, a: _Side, b: _Side, differs: tuple[str, ...]) -> NotCompared:
    return NotCompared(workload=workload, first=a.name, second=b.name, unlike=differs)


def _pair(a: _Side, b: _Side, *, paired: bool = True) -> Pair:
    first, second = a.row.estimates, b.row.estimates
    if not paired:
        return Pair(list(first.values()), list(second.values()), lower_is_better=not a.case.by_throughput)
    shared = [key for key in usable_pairs(a.row, b.row) if math.isfinite(first[key] + second[key])]
    return Pair([first[k] for k in shared], [second[k] for k in shared], lower_is_better=not a.case.by_throughput)


def _undecidable(a: _Side, b: _Side) -> str:
    """Return why no verdict is given on two rows of one run; empty where one is."""
    shared = len(_pair(a, b).first)
    if a.case.mode == "quick":
        return QUICK
    if a.case.by_throughput and (a.case.cpus or 0) < MIN_CPUS:
        return f"nothing is ranked by throughput on fewer than {MIN_CPUS} CPUs"
    for side in (a, b):
        if side.why_not:
            return f"{side.name}: {side.why_not}"
    if shared < MIN_TRIALS:
        return f"{shared} usable pairs of {MIN_TRIALS} needed"
    return _cost(a, b) if a.case.by_throughput else _receipt(a, b)


def _cost(a: _Side, b: _Side) -> str:
    return comparability.unequal_cost(*(client_of(side.data, side.target, side.workload) for side in (a, b))) or ""


def _receipt(a: _Side, b: _Side) -> str:
    return comparability.unlike_receipt(*(receipt_of(side.data, side.target, side.workload) for side in (a, b))) or ""


def _line(workload: str, a: _Side, b: _Side, judged: Comparison | None, differs: tuple[str, ...]) -> ComparedRows:
    """Return a line with a verdict, or with an estimate alone and the reason."""
    why = "" if judged else _undecidable(a, b)
    pair = _pair(a, b)
    found = judged or (compare(pair, delta=a.case.delta[0]) if pair.first else None)
    verdict = judged.verdict if judged else Verdict.UNDECIDED
    needed = judged.trials_needed if judged else MIN_TRIALS if "usable pairs" in why else None
    remarks = [why, _cost(a, b) if not a.case.by_throughput else ""]
    why = "; ".join(remark for remark in dict.fromkeys(remarks) if remark)
    return _row(workload, a, b, found, verdict=verdict.value, trials_needed=needed, why=why, unlike=differs)


def _why_not_stored(a: _Side, b: _Side) -> str:
    """Return why nothing is said of two stored rows; empty where something is."""
    if "quick" in (a.case.mode, b.case.mode):
        return QUICK
    own = next((side.why_not for side in (a, b) if side.why_not), "")
    return own or ("" if a.case.by_throughput else _receipt(a, b))


def _stored(a: _Side, b: _Side, found: Comparison | None, differs: tuple[str, ...]) -> ComparedRows:
    """Return what two stored rows say: at most a suspicion."""
    why = _why_not_stored(a, b)
    suspect = found is not None and found.verdict in {Verdict.BETTER, Verdict.WORSE}
    low, high = (found.low, found.high) if found is not None and found.n > 1 else (None, None)
    down_to = None if low is None or high is None or suspect else max(high - 1, 1 - low)
    verdict = "undecided" if found is None else "suspect" if suspect else "no sign of change"
    if found is not None and not suspect and down_to is None:
        verdict, why = "undecided", "one trial shows no spread"
    needed = found.trials_needed if found and not suspect else None
    said = _row(a.workload.name, a, b, found, verdict=verdict, trials_needed=needed, why=why, unlike=differs)
    return said.model_copy(update={"down_to": _finite(down_to)})


def _row(workload: str, a: _Side, b: _Side, found: Comparison | None, **said: Any) -> ComparedRows:
    """Return a line: who was compared, what was found, and what is said of it."""
    return ComparedRows(
        workload=workload,
        first=a.name,
        second=b.name,
        metric=a.case.metric,
        n=found.n if found else 0,
        ratio=found.ratio if found else None,
        low=_finite(found.low) if found and found.n >= LEAST_FOR_INTERVAL else None,
        high=_finite(found.high) if found and found.n >= LEAST_FOR_INTERVAL else None,
        alpha=found.alpha if found else None,
        delta=a.case.delta[0],
        delta_from=a.case.delta[1],
        **said,
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
