"""Several runs of one scenario side by side: what may differ, and how their rows are told apart. Pure.

Without a dimension the trials of several runs are pooled, so their scenarios must be equal. With
one (`version`, `place` or `run`) they may differ in that alone, and each target becomes one target
for each value, named after it. Values that are equal are still pooled.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

from bench.results.archive import Run
from bench.results.durability import DurabilityRecord
from bench.results.records import TrialRecord
from bench.scenario.scenario import MemoryBroker, Scenario
from reports.errors import ReportError

Dimension = Literal["version", "place", "run"]
_FREE: dict[Dimension | None, set[str]] = {
    None: set(),
    "run": set(),
    "version": {"image"},
    "place": {"place", "external", "image"},
}


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
    fields = scenario.model_dump(mode="json")
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


def side_by_side(runs: Sequence[Run], by: Dimension | None) -> tuple[list[Run], Scenario]:
    """Return the runs with their targets named after the dimension, and the scenario of all of them."""
    scenario = runs[0].record.scenario
    if by is None or len(runs) == 1:
        return list(runs), scenario
    named = [_named(run, by) for run in runs]
    targets = {target.name: target for run in named for target in run.record.scenario.targets}
    brokers = {broker.name: broker for run in named for broker in run.record.scenario.brokers}
    order = {name: place for place, name in enumerate(target.name for target in scenario.targets)}
    return named, scenario.model_copy(
        update={
            # Rows of one target stand together; within it the runs keep their order (sorting is stable).
            "targets": tuple(sorted(targets.values(), key=lambda target: order[target.name.partition("@")[0]])),
            "brokers": tuple(brokers.values()),
        }
    )


def _named(run: Run, by: Dimension) -> Run:
    scenario = run.record.scenario
    value = {broker.name: _value(run, broker.name, by) for broker in scenario.brokers}
    slug = {name: f"@{re.sub(r'[^a-z0-9.]+', '-', text.lower())}" for name, text in value.items()}
    end = {target.name: slug[target.broker] for target in scenario.targets}
    targets = tuple(
        target.model_copy(
            update={
                "name": target.name + end[target.name],
                "label": f"{target.label or target.name}, {value[target.broker]}",
                "broker": target.broker + slug[target.broker],
            }
        )
        for target in scenario.targets
    )
    brokers = tuple(broker.model_copy(update={"name": broker.name + slug[broker.name]}) for broker in scenario.brokers)
    record = run.record.model_copy(
        update={
            "scenario": scenario.model_copy(update={"targets": targets, "brokers": brokers}),
            "products": {name + slug[name]: product for name, product in run.record.products.items()},
            "plan": tuple(
                line.model_copy(update={"target": line.target + end[line.target]}) for line in run.record.plan
            ),
        }
    )

    def renamed(trial: TrialRecord) -> TrialRecord:
        broker = trial.broker.model_copy(update={"name": trial.broker.name + slug[trial.broker.name]})
        return trial.model_copy(update={"target": trial.target + end[trial.target], "broker": broker})

    trials = tuple(replace(stored, record=renamed(stored.record)) for stored in run.trials)
    probes = tuple(
        probe.model_copy(update={"broker": probe.broker + slug[probe.broker]})
        for probe in (run.durability.probes if run.durability else ())
    )
    return replace(run, record=record, trials=trials, durability=DurabilityRecord(probes=probes))


def _value(run: Run, broker: str, by: Dimension) -> str:
    if by == "run":
        return run.record.started_utc[:16].replace("T", " ")
    settings = run.record.scenario.broker(broker)
    if by == "place":
        return "memory" if isinstance(settings, MemoryBroker) else settings.place
    versions = {stored.record.broker.version for stored in run.trials if stored.record.broker.name == broker}
    return "/".join(sorted(versions)) or "never started"
