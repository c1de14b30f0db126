"""Rows of a gate: one target under one workload on both sides, with its valid pairs.

Which trials count: a trial is valid where nothing hard speaks against its measurement; a pair
is valid where both of its trials are. A row decides with at least 5 valid pairs that are at
least three quarters of those planned; below that it is invalid, as what is left out may have
been left out for a reason. In stored results each side has to have as many valid trials.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from bench.results import records
from bench.results.comparability import receipt
from bench.results.durability import Probe
from bench.results.records import ProductRecord
from bench.scenario.scenario import Scenario, Workload
from bench.stats.noninferiority import MIN_PAIRS
from reports.dataset import Dataset
from reports.durability import durability
from reports.gate.metrics import GateMetric, figures

VALID_SHARE = 0.75
"""Share of the planned pairs that must be valid."""


class GateError(Exception):
    """Two sides cannot be gated.

    Attributes:
        faults: why, a line each.
    """

    def __init__(self, *faults: str) -> None:
        """Keep the faults."""
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True)
class Side:
    """Baseline or candidate.

    Attributes:
        data: its trials.
        side: which rows of a paired run it has; None for stored results, of which it has all.
    """

    data: Dataset
    side: records.Side | None = None

    @property
    def scenario(self) -> Scenario:
        """What was run."""
        return self.data.runs[0].scenario

    @cached_property
    def names(self) -> dict[str, str]:
        """What its targets are called in the run, by what both sides call them."""
        if self.side is None:
            return {name: name for name in self.data.rows}
        return {key.target: name for name, key in self.data.rows.items() if key.group == self.side}

    def rows(self) -> list[tuple[str, str]]:
        """Return target and workload of each row of this side, as both sides call them, in the scenario's order."""
        planned = {(trial.target, trial.workload) for trial in self.data.runs[0].plan}
        return [
            (target, workload.name)
            for workload in self.scenario.workloads
            for target, name in self.names.items()
            if (name, workload.name) in planned
        ]

    def workload(self, name: str) -> Workload:
        """Return a workload by name."""
        return next(one for one in self.scenario.workloads if one.name == name)

    def survives(self, target: str, workload: str) -> str:
        """Return what a confirmed message of a row survives, by what the run counted where it did."""
        return _survives(self.scenario, self.data.products, self.names[target], workload, self.data.durability)

    def receipt(self, target: str, workload: str) -> str | None:
        """Return when the messages of a row counted as received; None without a valid trial."""
        named = self.names[target]
        return receipt([one for one in self.data.records.values() if (one.target, one.workload) == (named, workload)])


@dataclass(frozen=True)
class PairedCell:
    """One row on both sides.

    Attributes:
        planned: pairs that were planned.
        valid: pairs of which both trials are valid; stored results: of the smaller side.
        why: what became of the others, such as `send-lag in 2 trials`.
    """

    target: str
    workload: str
    planned: int
    valid: int
    why: str

    @property
    def needed(self) -> int:
        """Valid pairs without which it decides nothing."""
        return max(MIN_PAIRS, math.ceil(VALID_SHARE * self.planned))


Products = Mapping[str, ProductRecord]
"""What products say, by broker."""


def unlike_promises(sides: Sequence[tuple[Scenario, Products]]) -> Iterator[str]:
    """Return a fault for each row of two sides whose settings promise unlike things to a confirmed message."""
    for workload in sides[0][0].workloads:
        for target in sides[0][0].targets:
            old, its = (_survives(*side, target.name, workload.name) for side in sides)
            yield from _unlike(target.name, workload.name, old, its)


def _survives(
    scenario: Scenario, products: Products, target: str, workload: str, probes: Mapping[str, Probe] | None = None
) -> str:
    broker = next(one.broker for one in scenario.targets if one.name == target)
    return durability(products, broker, next(one for one in scenario.workloads if one.name == workload), probes)


def _unlike(target: str, workload: str, old: str, new: str) -> Iterator[str]:
    if old != new:
        yield (
            f"{target}, {workload}: a confirmed message survives {old} in the baseline and {new} in the candidate:"
            " compare settings of one promise"
        )


def check(base: Side, new: Side) -> tuple[str, ...]:
    """Return what stands on one side only.

    Raises:
        GateError: sides that cannot be compared: quick looks, no common row, unlike loads or promises.
    """
    shared = [row for row in new.rows() if row in base.rows()]
    faults = [
        f"{run.run_id} is a quick look, which carries no verdict: run it without --quick"
        for run in (*base.data.runs, *(new.data.runs if new.data is not base.data else ()))
        if run.mode == "quick"
    ]
    if not shared:
        faults.append("baseline and candidate have no target and workload in common: compare runs of one scenario")
    for name in dict.fromkeys(workload for _, workload in shared):
        old, its = base.workload(name).model_dump(), new.workload(name).model_dump()
        differ = [
            field for field in old if field not in {"only", "part_of", "received_at"} and old[field] != its[field]
        ]
        if differ:
            faults.append(f"workload {name}: {', '.join(differ)} differ, so the figures would: give both the same load")
    for target, workload in shared:
        faults += _unlike(target, workload, base.survives(target, workload), new.survives(target, workload))
    if faults:
        raise GateError(*faults)
    return tuple(
        f"{target}, {workload}: only in the {word}, not compared."
        for side, word, other in ((base, "baseline", new), (new, "candidate", base))
        for target, workload in side.rows()
        if (target, workload) not in other.rows()
    )


def cells(base: Side, new: Side, *, paired: bool) -> Iterator[PairedCell]:
    """Return the rows that both sides have."""
    for target, workload in new.rows():
        if (target, workload) not in base.rows():
            continue
        planned = [_planned(side, target, workload) for side in (base, new)]
        valid = [_valid(side, target, workload) for side in (base, new)]
        faults = sum((_faults(side, target, workload) for side in (base, new)), Counter[str]())
        why = "; ".join(f"{word} in {n} trial{'s' if n > 1 else ''}" for word, n in faults.most_common())
        both = len(valid[0] & valid[1]) if paired else min(map(len, valid))
        yield PairedCell(target, workload, min(planned), both, why)


def estimates(
    base: Side, new: Side, metric: GateMetric, cell: PairedCell, *, paired: bool, whole: bool = False
) -> tuple[list[float], list[float]]:
    """Return the figures of the candidate's and the baseline's trials, in the same order where they are paired.

    With `whole` those of all messages, see `reports.gate.metrics.figures`.
    """
    its, old = (figures(side.data, metric, side.names[cell.target], cell.workload, whole=whole) for side in (new, base))
    if paired:
        shared = sorted(old.keys() & its.keys())
        return [its[k] for k in shared], [old[k] for k in shared]
    return list(its.values()), list(old.values())


def _planned(side: Side, target: str, workload: str) -> int:
    name = side.names[target]
    return sum(
        trial.target == name and trial.workload == workload and trial.makes_up_for is None
        for trial in side.data.runs[0].plan
    )


def _valid(side: Side, target: str, workload: str) -> set[int]:
    name, trials = side.names[target], side.data.records.values()
    return {one.repetition for one in trials if (one.target, one.workload) == (name, workload) and one.valid}


def _faults(side: Side, target: str, workload: str) -> Counter[str]:
    name, found = side.names[target], Counter[str]()
    for one in side.data.records.values():
        if (one.target, one.workload) == (name, workload) and not one.valid:
            hard = [note.code for note in one.health if note.hard]
            found[", ".join(hard) or str(one.outcome)] += 1
    absent = side.data.absent
    missing = int(((absent["target"] == name) & (absent["workload"] == workload)).sum())
    return found + Counter({"no result": missing})
