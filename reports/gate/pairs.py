"""Rows of a gate: one target under one workload on both sides, with its valid pairs.

Which trials count: a trial is valid where nothing hard speaks against its measurement; a pair
is valid where both of its trials are. A row decides with at least 5 valid pairs that are at
least three quarters of those planned; below that it is invalid, as what is left out may have
been left out for a reason. In stored results each side has to have as many valid trials.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bench.results.durability import Probe
from bench.results.records import ProductRecord
from bench.scenario.scenario import Scenario, Workload
from bench.stats.noninferiority import MIN_PAIRS
from reports.dataset import Dataset
from reports.durability import durability
from reports.gate.metrics import GateMetric, figures

VALID_SHARE = 0.75
"""Share of the planned pairs that must be valid."""
SUFFIXES = ("-base", "-new")
"""What a paired run appends to the names of targets: of the baseline, of the candidate."""


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
        suffix: what its targets' names end in; empty for stored results.
    """

    data: Dataset
    suffix: str = ""

    @property
    def scenario(self) -> Scenario:
        """What was run."""
        return self.data.runs[0].scenario

    def rows(self) -> list[tuple[str, str]]:
        """Return target and workload of each row of this side, names without the suffix, in the scenario's order."""
        planned = {(trial.target, trial.workload) for trial in self.data.runs[0].plan}
        return [
            (target.name.removesuffix(self.suffix), workload.name)
            for workload in self.scenario.workloads
            for target in self.scenario.targets
            if target.name.endswith(self.suffix) and (target.name, workload.name) in planned
        ]

    def workload(self, name: str) -> Workload:
        """Return a workload by name."""
        return next(one for one in self.scenario.workloads if one.name == name)

    def survives(self, target: str, workload: str) -> str:
        """Return what a confirmed message of a row survives, by what the run counted where it did."""
        return _survives(self.scenario, self.data.products, target + self.suffix, workload, self.data.durability)


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


def is_paired(scenario: Scenario) -> bool:
    """Return whether all targets come in twos, as a paired run names them."""
    names = {target.name for target in scenario.targets}
    base, new = ({name.removesuffix(end) for name in names if name.endswith(end)} for end in SUFFIXES)
    return bool(base) and base == new and len(names) == 2 * len(base)


Products = Mapping[str, ProductRecord]
"""What products say, by broker."""


def unlike_promises(scenario: Scenario, products: Products) -> Iterator[str]:
    """Return a fault for each row of a paired run whose settings promise unlike things to a confirmed message."""
    base, new = SUFFIXES
    for workload in scenario.workloads:
        for name in (one.name.removesuffix(base) for one in scenario.targets if one.name.endswith(base)):
            old, its = (_survives(scenario, products, name + end, workload.name) for end in (base, new))
            yield from _unlike(name, workload.name, old, its)


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
        differ = [field for field in old if field != "only" and old[field] != its[field]]
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
    base: Side, new: Side, metric: GateMetric, cell: PairedCell, *, paired: bool
) -> tuple[list[float], list[float]]:
    """Return the figures of the candidate's and the baseline's trials, in the same order where they are paired."""
    old = figures(base.data, metric, cell.target + base.suffix, cell.workload)
    its = figures(new.data, metric, cell.target + new.suffix, cell.workload)
    if paired:
        shared = sorted(old.keys() & its.keys())
        return [its[k] for k in shared], [old[k] for k in shared]
    return list(its.values()), list(old.values())


def _planned(side: Side, target: str, workload: str) -> int:
    name = target + side.suffix
    return sum(trial.target == name and trial.workload == workload for trial in side.data.runs[0].plan)


def _valid(side: Side, target: str, workload: str) -> set[int]:
    records = side.data.records.values()
    name = target + side.suffix
    return {one.repetition for one in records if (one.target, one.workload) == (name, workload) and one.valid}


def _faults(side: Side, target: str, workload: str) -> Counter[str]:
    name, found = target + side.suffix, Counter[str]()
    for one in side.data.records.values():
        if (one.target, one.workload) == (name, workload) and not one.valid:
            hard = [note.code for note in one.health if note.hard]
            found[", ".join(hard) or str(one.outcome)] += 1
    absent = side.data.absent
    missing = int(((absent["target"] == name) & (absent["workload"] == workload)).sum())
    return found + Counter({"no result": missing})
