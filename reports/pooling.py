"""Several runs of one scenario side by side: what may differ, and how their rows are told apart. Pure.

Without a dimension the trials of several runs are pooled, so their scenarios must be equal. With
one (`version`, `place` or `run`) they may differ in that alone, and each target becomes one target
for each value. Values that are equal are still pooled.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from bench.results.archive import Run
from bench.results.durability import DurabilityRecord
from bench.results.records import TrialRecord
from bench.scenario.scenario import Scenario
from reports.errors import ReportError

Dimension = Literal["version", "place", "run"]
_FREE: dict[Dimension | None, set[str]] = {
    None: set(),
    "run": set(),
    "version": {"image"},
    "place": {"place", "external", "image"},
}


@dataclass(frozen=True)
class RowKey:
    """What tells the rows of a report apart under one workload.

    Attributes:
        target: name of a target in the scenario.
        group: which of them: a value of the dimension, or the side of a paired run; empty where there is but one.
    """

    target: str
    group: str = ""


def check_alike(runs: Sequence[Run], by: Dimension | None) -> None:
    """Refuse runs that cannot stand in one report.

    Raises:
        ReportError: a run is given twice, or runs differ in more than the dimension.
    """
    first, seen = runs[0], {runs[0].record.run_id}
    for other in runs[1:]:
        if other.record.run_id in seen:
            message = f"{other.folder}: run {other.record.run_id} is given twice: name each folder once."
            raise ReportError(message)
        seen.add(other.record.run_id)
        if other.record.mode != first.record.mode:
            message = f"{first.folder} and {other.folder} differ in their mode (one is quick): make a report of each."
            raise ReportError(message)
        unlike = list(_differing(_fixed(first.record.scenario, by), _fixed(other.record.scenario, by)))
        if unlike:
            may = "cannot be pooled" if by is None else f"differ in more than their {by}"
            message = (
                f"{first.folder} and {other.folder} differ in their scenario ({', '.join(unlike[:5])}), so their trials"
                f" {may}: make a report of each, or name what differs: --by version, place or run."
            )
            raise ReportError(message)


def _fixed(scenario: Scenario, by: Dimension | None) -> dict[str, Any]:
    """Return what may not differ."""
    fields = scenario.model_dump(mode="json", exclude={"workloads": {"__all__": {"part_of", "at"}}})
    fields["brokers"] = [
        {key: value for key, value in broker.items() if key not in _FREE[by]} for broker in fields["brokers"]
    ]
    return fields


def _differing(a: Any, b: Any, path: str = "") -> Iterator[str]:
    """Yield the paths of the fields in which two files differ."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in a.keys() | b.keys():
            yield from _differing(a.get(key), b.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for place, (one, other) in enumerate(zip(a, b, strict=True)):
            yield from _differing(one, other, f"{path}.{place}")
    elif a != b:
        yield path


def side_by_side(runs: Sequence[Run], by: Dimension | None) -> tuple[list[Run], Scenario, dict[str, RowKey]]:
    """Return the runs, the scenario of all of them, and what each of its targets is, which have unique names.

    With a dimension, each run has the targets that it has in that scenario.
    """
    scenario = runs[0].record.scenario
    if by is None or len(runs) == 1:
        rows = {target.name: RowKey(target.name) for target in scenario.targets}
        paired = {line.target: line.paired for line in runs[0].record.plan if line.paired is not None}
        return list(runs), scenario, rows | {name: RowKey(one.target, one.side) for name, one in paired.items()}
    groups = [{broker.name: _group(run, broker.name, by) for broker in run.record.scenario.brokers} for run in runs]
    # Rows of one target stand together; within it the runs keep their order.
    keys = [RowKey(target.name, its[target.broker]) for target in scenario.targets for its in groups]
    named = [_named(run, its, by) for run, its in zip(runs, groups, strict=True)]
    targets = {target.name: target for run in named for target in run.record.scenario.targets}
    brokers = {broker.name: broker for run in named for broker in run.record.scenario.brokers}
    rows = {_called(key.target, key.group): key for key in keys}
    both = {"targets": tuple(targets[name] for name in rows), "brokers": tuple(brokers.values())}
    return named, scenario.model_copy(update=both), rows


def _called(name: str, group: str) -> str:
    """Return what a target or broker of a group is called; names hold no comma, so no two are called the same."""
    return f"{name}, {group}"


def _named(run: Run, groups: Mapping[str, str], by: Dimension) -> Run:
    scenario = run.record.scenario
    shown = {
        name: run.record.started_utc[:16].replace("T", " ") if by == "run" else its for name, its in groups.items()
    }
    brokers = {name: _called(name, group) for name, group in groups.items()}
    names = {target.name: _called(target.name, groups[target.broker]) for target in scenario.targets}
    targets = tuple(
        target.model_copy(
            update={
                "name": names[target.name],
                "label": f"{target.label or target.name}, {shown[target.broker]}",
                "broker": brokers[target.broker],
            }
        )
        for target in scenario.targets
    )
    its = tuple(broker.model_copy(update={"name": brokers[broker.name]}) for broker in scenario.brokers)
    record = run.record.model_copy(
        update={
            "scenario": scenario.model_copy(update={"targets": targets, "brokers": its}),
            "products": {brokers[name]: product for name, product in run.record.products.items()},
            "plan": tuple(line.model_copy(update={"target": names[line.target]}) for line in run.record.plan),
        }
    )

    def renamed(trial: TrialRecord) -> TrialRecord:
        broker = trial.broker.model_copy(update={"name": brokers[trial.broker.name]})
        return trial.model_copy(update={"target": names[trial.target], "broker": broker})

    trials = tuple(replace(stored, record=renamed(stored.record)) for stored in run.trials)
    probes = tuple(
        probe.model_copy(update={"broker": brokers[probe.broker]})
        for probe in (run.durability.probes if run.durability else ())
    )
    return replace(run, record=record, trials=trials, durability=DurabilityRecord(probes=probes))


def _group(run: Run, broker: str, by: Dimension) -> str:
    if by == "run":
        return run.record.run_id
    if by == "place":
        return run.record.products[broker].place.name
    versions = {stored.record.broker.version for stored in run.trials if stored.record.broker.name == broker}
    return "/".join(sorted(versions)) or "never started"
