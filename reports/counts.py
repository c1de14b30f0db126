"""Runs by count: each phase over all of its messages, the host's pauses beside it, and what a backlog took. Pure."""

from collections.abc import Iterable, Iterator

from bench.results.records import BacklogRecord, TrialRecord
from bench.units import NS_PER_S
from reports.dataset import Dataset
from reports.model import Model, Spread, spread
from reports.patterns import filled_or_drained


class CountRow(Model):
    """One phase of a workload whose messages are counted, of one target."""

    target: str
    workload: str
    phase: str
    """`enqueue`, `dequeue`, or `whole`, in which both go on at once."""
    messages: int
    """In each trial."""
    rate: Spread
    """Messages a second, over all of them."""
    length_s: Spread
    """From the first send to the last confirm (enqueue), from the first subscription to the last receive (dequeue), or
    from the first send to the last receive (whole); seconds."""
    away: Spread
    """Share of that time in which a CPU of the host was away; nothing is left out of the rate for it."""
    backlog_rss: Spread
    """By how much the broker's resident memory had grown when its backlog was full, bytes; of `enqueue` alone."""
    backlog_disk: Spread
    """By how much its folder had, bytes; the same."""


def counts(data: Dataset) -> Iterator[CountRow]:
    """Yield the phases of each row that has usable trials, in the scenario's order."""
    for workload in data.scenario.workloads:
        if not workload.messages:
            continue
        for target in data.scenario.targets:
            rows = data.usable(workload.name, target.name)
            if len(rows):
                keys = zip(rows["run_id"], rows["index"], strict=True)
                yield _row(
                    [data.records[str(run), int(index)] for run, index in keys],
                    target=target.name,
                    workload=workload.name,
                    phase=filled_or_drained(workload) or "whole",
                    messages=workload.messages,
                )


def _row(trials: Iterable[TrialRecord], *, target: str, workload: str, phase: str, messages: int) -> CountRow:
    phases = [one for trial in trials for one in trial.phases]
    lain = [trial.backlog for trial in trials if trial.backlog is not None]
    return CountRow(
        target=target,
        workload=workload,
        phase=phase,
        messages=messages,
        rate=spread([one.rate for one in phases]),
        length_s=spread([(one.end_ns - one.begin_ns) / NS_PER_S for one in phases]),
        away=spread([one.away_share for one in phases]),
        backlog_rss=spread([_grown(one, "rss") for one in lain]),
        backlog_disk=spread([_grown(one, "data_bytes") for one in lain]),
    )


def _grown(lay: BacklogRecord, what: str) -> float | None:
    """Return by how much a reading had grown; None where it had not, or is not known."""
    before, full = getattr(lay, f"{what}_before"), getattr(lay, what)
    return None if before is None or full is None else max(full - before, 0)
