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
from typing import Protocol

from bench.host.hostclass import host_class
from bench.results import records
from bench.results.comparability import receipt
from bench.results.durability import Probe
from bench.results.product_record import ProductRecord
from bench.results.records import RunRecord, TrialRecord
from bench.scenario.scenario import Scenario, Workload
from bench.stats.noninferiority import MIN_PAIRS
from reports.dataset import Dataset
from reports.durability import durability
from reports.gate.metrics import METRICS, figures

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


class GateSide(Protocol):
    """One side of a gate: a results folder, a part of one, or what a history keeps of a run.

    Targets are named as both sides call them.
    """

    @property
    def title(self) -> str:
        """What it is called where results are stored."""

    @property
    def host_class(self) -> str:
        """Of the host it was measured on."""

    @property
    def cpus(self) -> int | None:
        """CPUs of that host; None where that is not known."""

    @property
    def floors(self) -> Mapping[str, float]:
        """Noise floor of that host, as a share, by metric; empty where it is not known."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader must know of it as a baseline."""

    def quick(self) -> list[str]:
        """Return the runs that are quick looks."""

    def rows(self) -> list[tuple[str, str]]:
        """Return target and workload of each row."""

    def planned(self, target: str, workload: str) -> int:
        """Return how many trials of a row were planned."""

    def valid(self, target: str, workload: str) -> set[int]:
        """Return the repetitions of a row whose trial is valid."""

    def faults(self, target: str, workload: str) -> Counter[str]:
        """Return why the others of a row are not, with their numbers."""

    def receipt(self, target: str, workload: str) -> str | None:
        """Return when the messages of a row counted as received; None without a valid trial."""

    def lacks(self, metric: str) -> str:
        """Return why it can have no figure for a metric; empty where it can."""

    def figures(self, metric: str, target: str, workload: str, *, whole: bool = False) -> dict[int, float]:
        """Return repetition -> figure of each valid trial of a row, see `reports.gate.metrics.figures`."""


@dataclass(frozen=True)
class Side:
    """A results folder, or one side of a paired run's; a GateSide.

    Attributes:
        data: its trials.
        side: which rows of a paired run it has; None for stored results, of which it has all.
    """

    data: Dataset
    side: records.Side | None = None

    @property
    def run(self) -> RunRecord:
        """What was run."""
        return self.data.runs[0]

    @property
    def title(self) -> str:
        """Its run and the command that made it."""
        return f"{self.run.run_id} ({self.run.command})"

    @property
    def host_class(self) -> str:
        """See `GateSide`."""
        return host_class(self.run.host)

    @property
    def cpus(self) -> int | None:
        """See `GateSide`."""
        text = self.run.host.get("cpus", "")
        return int(text) if text.isdigit() else None

    @property
    def floors(self) -> Mapping[str, float]:
        """See `GateSide`."""
        return {} if self.run.noise_floor is None else self.run.noise_floor.effects

    @property
    def remarks(self) -> tuple[str, ...]:
        """None."""
        return ()

    def quick(self) -> list[str]:
        """See `GateSide`."""
        return [run.run_id for run in self.data.runs if run.mode == "quick"]

    @cached_property
    def names(self) -> dict[str, str]:
        """What its targets are called in the run, by what both sides call them."""
        if self.side is None:
            return {name: name for name in self.data.rows}
        return {key.target: name for name, key in self.data.rows.items() if key.group == self.side}

    def rows(self) -> list[tuple[str, str]]:
        """Return target and workload of each row, in the scenario's order; background traffic is not judged."""
        planned = {(trial.target, trial.workload) for trial in self.run.plan}
        return [
            (target, workload.name)
            for workload in self.run.scenario.workloads
            if not workload.background
            for target, name in self.names.items()
            if (name, workload.name) in planned
        ]

    def workload(self, name: str) -> Workload:
        """Return a workload by name."""
        return next(one for one in self.run.scenario.workloads if one.name == name)

    def survives(self, target: str, workload: str) -> str:
        """Return what a confirmed message of a row survives, by what the run counted where it did."""
        return _survives(self.run.scenario, self.data.products, self.names[target], workload, self.data.durability)

    def planned(self, target: str, workload: str) -> int:
        """See `GateSide`; what makes up for another trial is not counted."""
        name = self.names[target]
        return sum(
            trial.target == name and trial.workload == workload and trial.makes_up_for is None
            for trial in self.run.plan
        )

    def valid(self, target: str, workload: str) -> set[int]:
        """See `GateSide`."""
        return {one.repetition for one in self._trials(target, workload) if one.valid}

    def faults(self, target: str, workload: str) -> Counter[str]:
        """See `GateSide`; trials without a result are among them."""
        found = Counter[str]()
        for one in self._trials(target, workload):
            if not one.valid:
                hard = [note.code for note in one.health if note.hard]
                found[", ".join(hard) or str(one.outcome)] += 1
        absent = self.data.absent
        missing = int(((absent["target"] == self.names[target]) & (absent["workload"] == workload)).sum())
        return found + Counter({"no result": missing})

    def receipt(self, target: str, workload: str) -> str | None:
        """See `GateSide`."""
        return receipt(self._trials(target, workload))

    def lacks(self, metric: str) -> str:  # noqa: ARG002
        """Nothing: what has no figure has none by chance."""
        return ""

    def figures(self, metric: str, target: str, workload: str, *, whole: bool = False) -> dict[int, float]:
        """See `GateSide`."""
        return figures(self.data, METRICS[metric], self.names[target], workload, whole=whole)

    def _trials(self, target: str, workload: str) -> list[TrialRecord]:
        named = self.names[target]
        return [one for one in self.data.records.values() if (one.target, one.workload) == (named, workload)]


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
    def three_quarters(self) -> int:
        """Valid pairs without which too much was left out."""
        return math.ceil(VALID_SHARE * self.planned)

    @property
    def needed(self) -> int:
        """Valid pairs without which it decides nothing."""
        return max(MIN_PAIRS, self.three_quarters)


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


def check(base: GateSide, new: Side) -> tuple[str, ...]:
    """Return what stands on one side only.

    Raises:
        GateError: sides that cannot be compared: quick looks, no common row, unlike loads or promises.
    """
    shared = [row for row in new.rows() if row in base.rows()]
    faults = quick_looks(base, new)
    if isinstance(base, Side) and base.run is not new.run and base.run.ended_early:
        faults.append(f"{base.run.run_id} was ended early ({base.run.ended_early}): name a whole run as the baseline")
    if not shared:
        faults.append("baseline and candidate have no target and workload in common: compare runs of one scenario")
    if isinstance(base, Side):
        faults += _unlike_sides(base, new, shared)
    if faults:
        raise GateError(*faults)
    return tuple(
        f"{target}, {workload}: only in the {word}, not compared."
        for side, word, other in ((base, "baseline", new), (new, "candidate", base))
        for target, workload in side.rows()
        if (target, workload) not in other.rows()
    )


def quick_looks(*sides: GateSide) -> list[str]:
    """Return a fault for each run that was a quick look."""
    runs = dict.fromkeys(run for side in sides for run in side.quick())
    return [f"{run} is a quick look, which carries no verdict: run it without --quick" for run in runs]


def _unlike_sides(base: Side, new: Side, shared: Sequence[tuple[str, str]]) -> Iterator[str]:
    for name in dict.fromkeys(workload for _, workload in shared):
        old, its = base.workload(name).model_dump(), new.workload(name).model_dump()
        differ = [
            field for field in old if field not in {"only", "part_of", "at", "received_at"} and old[field] != its[field]
        ]
        if differ:
            yield f"workload {name}: {', '.join(differ)} differ, so the figures would: give both the same load"
    for target, workload in shared:
        yield from _unlike(target, workload, base.survives(target, workload), new.survives(target, workload))


def cells(base: GateSide, new: GateSide, *, paired: bool) -> Iterator[PairedCell]:
    """Return the rows that both sides have; those of one side where both are the same."""
    sides = (base,) if base is new else (base, new)
    for target, workload in new.rows():
        if (target, workload) not in base.rows():
            continue
        valid = [side.valid(target, workload) for side in sides]
        faults = sum((side.faults(target, workload) for side in sides), Counter[str]())
        why = "; ".join(f"{word} in {n} trial{'s' if n > 1 else ''}" for word, n in faults.most_common())
        planned = [side.planned(target, workload) for side in sides]
        if paired:
            yield PairedCell(target, workload, min(planned), len(set.intersection(*valid)), why)
            continue
        # Each side is held to its own plan: the one of which the larger share is left out speaks for the row.
        few, of = min(zip(map(len, valid), planned, strict=True), key=lambda one: (one[0] / max(one[1], 1), one[0]))
        yield PairedCell(target, workload, of, few, why)


@dataclass(frozen=True)
class PairedFigures:
    """The figures of a row's trials; where they are paired, those of one repetition stand at one place.

    Attributes:
        candidate, baseline: one a trial.
        places: the repetitions of pairs; None where trials are not paired.
    """

    candidate: list[float]
    baseline: list[float]
    places: list[int] | None = None


def paired_figures(
    base: GateSide, new: GateSide, metric: str, cell: PairedCell, *, paired: bool, whole: bool = False
) -> PairedFigures:
    """Return the figures of a row on both sides; with `whole` those of all messages."""
    its, old = (side.figures(metric, cell.target, cell.workload, whole=whole) for side in (new, base))
    if not paired:
        return PairedFigures(list(its.values()), list(old.values()))
    shared = sorted(old.keys() & its.keys())
    return PairedFigures([its[k] for k in shared], [old[k] for k in shared], shared)
