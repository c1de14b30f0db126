"""What each place costs a broker: its rows over those of the same broker in a place of reference. Pure.

A broker is the same where product, protocol, driver and settings are; places differ in name or in their options. The
reference is the sandbox, else the host, else the place that comes first. A ratio is of trials of one repetition, with
Student's t on logarithms as everywhere. The bare path, measured without any broker, stands beside, so that a network is
not taken for virtualisation. What is emulated is named apart: it says nothing of virtualisation, and is never ranked.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

from bench.results.bare_path import BarePath
from bench.scenario.scenario import Target, Workload
from bench.stats.estimate import LEAST_FOR_INTERVAL, estimate
from bench.units import NS_PER_MS
from brokers.ground import EMULATED
from reports.cells import latency_of
from reports.dataset import Dataset
from reports.format import Name, listed, number
from reports.model import Spread, spread
from reports.place_rows import CPU, METRICS, P50, P99, PlaceCosts, PlaceRatio, PlaceRow

_REFERENCES = ("sandbox", "host")
_Trials = dict[tuple[str, int], float]


def place_costs(data: Dataset, found: Mapping[str, Name]) -> Iterator[PlaceCosts]:
    """Yield what places cost each broker that was measured in several."""
    groups: dict[tuple[str, ...], list[Target]] = {}
    for target in data.scenario.targets:
        groups.setdefault(_same(data, target), []).append(target)
    for targets in groups.values():
        places = [data.products[target.broker].place for target in targets]
        if len({place.words for place in places}) < 2 or len({place.words for place in places}) < len(targets):  # noqa: PLR2004
            continue  # one place, or rows that differ in something else too
        wanted = [place.name for place in places]
        at = next((wanted.index(name) for name in _REFERENCES if name in wanted), 0)
        rows = [
            row
            for workload in data.scenario.workloads
            if not workload.background
            for row in _rows(data, targets, targets[at], workload)
        ]
        name = found[targets[at].name]
        who = f"{name.product} {name.version}"
        yield PlaceCosts(
            broker=who,
            reference=places[at].words,
            rows=tuple(rows),
            sentence=_sentence(who, rows, quick=data.runs[0].mode == "quick"),
        )


def _same(data: Dataset, target: Target) -> tuple[str, ...]:
    """Return what makes the broker of a target the same as another in another place."""
    product = data.products[target.broker]
    queues = (product.transient.kind, product.durable.kind)
    caps = tuple(f"{name} {value}" for name, value in product.place.caps.items())
    return (product.kind, target.protocol, target.driver, str(target.options), *queues, *caps)


def _rows(data: Dataset, targets: Sequence[Target], reference: Target, workload: Workload) -> Iterator[PlaceRow]:
    theirs = _figures(data, reference, workload)
    for target in targets:
        if target == reference and workload.is_for(target.name):
            yield _row(data, target, workload, None)
        elif workload.is_for(target.name):
            mine = _figures(data, target, workload)
            yield _row(data, target, workload, {metric: _ratio(mine[metric], theirs[metric]) for metric in mine})


def _row(data: Dataset, target: Target, workload: Workload, ratios: dict[str, PlaceRatio] | None) -> PlaceRow:
    """Return a row with its ratios over the reference; None = it is that one."""
    records = [one for one in data.records.values() if one.broker.name == target.broker]
    idle = next((one.broker.idle for one in records if one.broker.idle), None)
    starts = {
        (run, one.broker.started): one.broker.first_confirm_s
        for (run, _), one in data.records.items()
        if one.broker.name == target.broker
    }
    path = _path(data, target.broker)
    return PlaceRow(
        target=target.name,
        workload=workload.name,
        place=data.products[target.broker].place.words,
        reference=ratios is None,
        emulated=any(EMULATED in one.broker.labels for one in records),
        ratios=ratios or {},
        first_confirm_s=spread(starts.values()),
        idle_cores=None if idle is None else idle.cpu_cores,
        idle_rss=None if idle is None else idle.rss,
        path_us=_microseconds(path, "p50_ns"),
        path_p99_us=_microseconds(path, "p99_ns"),
        path_cpu_us=spread(path.cpu_us if path else (), "not measured"),
    )


def _figures(data: Dataset, target: Target, workload: Workload) -> dict[str, _Trials]:
    latency, trials = latency_of(data, target.name, workload), data.usable(workload.name, target.name)
    found = {P50: (latency, "p50"), P99: (latency, "p99"), CPU: (trials, "broker_cpu_us_per_message")}
    return {
        metric: {
            (str(run), int(repetition)): float(value)
            for run, repetition, value in zip(frame["run_id"], frame["repetition"], frame[column], strict=True)
            if value is not None and 0 < value < math.inf
        }
        for metric, (frame, column) in found.items()
    }


def _ratio(mine: _Trials, theirs: _Trials) -> PlaceRatio:
    shared = sorted(mine.keys() & theirs.keys())
    if not shared:
        return PlaceRatio(n=0, ratio=None, low=None, high=None)
    one = estimate([mine[key] / theirs[key] for key in shared])
    enough = one.n >= LEAST_FOR_INTERVAL and one.high is not None and math.isfinite(one.high)
    low, high = (one.low, one.high) if enough else (None, None)
    return PlaceRatio(n=one.n, ratio=one.value, low=low, high=high)


def _path(data: Dataset, broker: str) -> BarePath | None:
    paths = (path for run in data.runs for path in run.bare_paths if broker in path.brokers)
    return next((path for path in paths if not path.why_not), None)


def _microseconds(path: BarePath | None, field: str) -> Spread:
    return spread([1000 * one / NS_PER_MS for one in getattr(path, field)] if path else (), "not measured")


def _sentence(who: str, rows: Sequence[PlaceRow], *, quick: bool) -> str:
    """Return the answer: of the first workload, place by place; tables have the others."""
    first = [row for row in rows if row.workload == rows[0].workload]
    reference = next((row for row in first if row.reference), None)
    if reference is None:
        return f"{who}: nothing is known of its place of reference."
    over = f"{who} under {reference.workload}, over {reference.place}"
    parts = [_costs(row, reference) for row in first if not row.reference and not row.emulated]
    said = f"{over}: {'; '.join(parts)}." if parts else f"{over}: no other place on real hardware."
    emulated = [_costs(row, reference) for row in first if row.emulated and not row.reference]
    if emulated:
        said += f" Emulated, so that it tells nothing of virtualisation: {listed(emulated)}."
    return f"{said} A quick look: it shows the shape, and no more." if quick else said


def _costs(row: PlaceRow, reference: PlaceRow) -> str:
    ratios = ", ".join(f"{metric} {row.ratios[metric].words}" for metric in METRICS if row.ratios[metric].n)
    if not ratios:
        return f"{row.place} has no figure to compare"
    mine, theirs = row.path_us.centre, reference.path_us.centre
    beside = "" if mine is None or theirs is None else f", its bare path {number(mine)} µs against {number(theirs)} µs"
    start = row.first_confirm_s.centre, reference.first_confirm_s.centre
    began = "" if None in start else f", first confirm after {number(start[0])} s against {number(start[1])} s"
    return f"{row.place} {ratios}{beside}{began}"
