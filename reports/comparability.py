"""Which rows of a dataset are alike enough to compare, and in what they differ; see `bench.results.comparability`."""

from collections.abc import Callable, Iterator
from itertools import combinations

from bench.results import comparability
from bench.results.records import TrialRecord
from bench.scenario.scenario import Target, Workload
from reports.dataset import Dataset
from reports.durability import durability
from reports.questions import Question
from reports.summary import Differing

Barred = dict[tuple[str, str, str], tuple[str, ...]]
"""(workload, first target, second target) -> why they are not compared."""


def settings_of(data: Dataset, target: Target, workload: Workload) -> comparability.Row:
    """Return every setting of a row, as asked and as reported."""
    # Where several runs are shown side by side, each target belongs to one of them.
    run = next((each for each in data.runs if target in each.scenario.targets), data.runs[0])
    promise = durability(data.products, target.broker, workload, data.durability)
    return comparability.row(run, target, workload, _trials(data, target, workload), str(promise))


def client_of(data: Dataset, target: Target, workload: Workload) -> comparability.Client:
    """Return which client drove a row, and its CPU time a message: the median of the usable trials."""
    known = data.usable(workload.name, target.name)["client_cpu_us_per_message"].astype(float).dropna()
    shared = any(
        note.code == comparability.SHARED_CPUS for trial in _trials(data, target, workload) for note in trial.health
    )
    return comparability.Client(target.protocol, target.driver, float(known.median()) if len(known) else None, shared)


def receipt_of(data: Dataset, target: Target, workload: Workload) -> str | None:
    """Return when the messages of a row counted as received; None where it has no valid trial."""
    return comparability.receipt(_trials(data, target, workload))


def unlike_rows(data: Dataset, question: Question) -> Barred:
    """Return the pairs of targets that differ in settings which should be alike, with those settings."""
    rows = {workload.name: _rows_under(data, workload) for workload in question.workloads}

    def compare(workload: Workload, first: Target, second: Target) -> tuple[str, ...]:
        under = rows[workload.name]
        return comparability.unlike(under[first.name], under[second.name], "target")

    return _pairs(data, question, compare)


def unequal(data: Dataset, question: Question) -> Barred:
    """Return the pairs of targets that are not ranked by throughput or cost, as their clients cost unequal CPU time."""

    def compare(workload: Workload, first: Target, second: Target) -> tuple[str, ...]:
        why = comparability.unequal_cost(client_of(data, first, workload), client_of(data, second, workload))
        return (why,) if why else ()

    return _pairs(data, question, compare)


def otherwise_received(data: Dataset, question: Question) -> Barred:
    """Return the pairs of targets whose latencies are not compared, as one counts messages as received later."""

    def compare(workload: Workload, first: Target, second: Target) -> tuple[str, ...]:
        why = comparability.unlike_receipt(*(receipt_of(data, target, workload) for target in (first, second)))
        return (why,) if why else ()

    return _pairs(data, question, compare)


def differing(data: Dataset) -> tuple[Differing, ...]:
    """Return each setting in which rows of one workload differ; those that are not meant to differ come first."""
    found: dict[tuple[str, tuple[tuple[str, str], ...], bool], list[str]] = {}
    for workload in data.scenario.workloads:
        for key, values, intended in _differing_under(data, workload):
            found.setdefault((key, tuple(values.items()), intended), []).append(workload.name)
    rows = [
        Differing(key=key, workloads=tuple(workloads), values=dict(values), intended=intended)
        for (key, values, intended), workloads in found.items()
    ]
    keys = list(dict.fromkeys(row.key for row in rows))
    return tuple(sorted(rows, key=lambda row: (row.intended, keys.index(row.key))))


def _differing_under(data: Dataset, workload: Workload) -> Iterator[tuple[str, dict[str, str], bool]]:
    measured = {target.name for target in data.scenario.targets if _trials(data, target, workload)}
    rows = {name: row for name, row in _rows_under(data, workload).items() if name in measured}
    values: dict[str, dict[str, str]] = {}
    strange: set[str] = set()
    for (one, first), (other, second) in combinations(rows.items(), 2):
        for each in comparability.differences(first, second, "target"):
            values.setdefault(each.name, {}).update({one: each.first, other: each.second})
            if not each.intended:
                strange.add(each.name)
    yield from ((key, those, key not in strange) for key, those in values.items())


def _rows_under(data: Dataset, workload: Workload) -> dict[str, comparability.Row]:
    """Return the settings of each target under a workload, by target."""
    return {target.name: settings_of(data, target, workload) for target in data.scenario.targets}


def _pairs(data: Dataset, question: Question, compare: Callable[[Workload, Target, Target], tuple[str, ...]]) -> Barred:
    found = {}
    for workload in question.workloads:
        for first, second in combinations(data.scenario.targets, 2):
            why = compare(workload, first, second)
            if why:
                found[workload.name, first.name, second.name] = why
    return found


def _trials(data: Dataset, target: Target, workload: Workload) -> list[TrialRecord]:
    return [
        record for record in data.records.values() if record.target == target.name and record.workload == workload.name
    ]
