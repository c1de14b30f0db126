"""Runs by count, as runs in which each phase is a workload with trials of its own. Pure.

A trial by count whose queue is filled and then drained has two figures, each of another question: which broker takes
the messages in sooner, and which gives them out sooner. Everything behind this page asks for rows of a target under a
workload, so that a phase needs no other way: its workload is called `<workload>-enqueue` or `<workload>-dequeue`, and
says in `phase` which it is.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from bench.results.archive import Run, Trial
from bench.results.records import MOST_TRIALS, PhaseRecord, PlannedTrial, TrialRecord
from bench.scenario.scenario import MOST_FLOWS, Workload

_PHASES: tuple[Literal["enqueue", "dequeue"], ...] = ("enqueue", "dequeue")


def by_phase(run: Run) -> Run:
    """Return a run with a workload for each phase of those that fill a queue and drain it; else as it is."""
    workloads = run.record.scenario.workloads
    split = {one.name: tuple(_parts(one)) for one in workloads if one.messages and one.phases == "enqueue-dequeue"}
    if not split:
        return run
    scenario = run.record.scenario.model_copy(
        update={"workloads": tuple(part for one in workloads for part in split.get(one.name, (one,)))}
    )
    plan = tuple(part for planned in run.record.plan for part in _planned(planned, split))
    lost = {planned.index for planned in run.record.plan if planned.workload in split} & {*run.unreadable}
    return replace(
        run,
        record=run.record.model_copy(update={"plan": plan, "scenario": scenario}),
        trials=tuple(part for trial in run.trials for part in _trials(trial, split)),
        unreadable=dict(run.unreadable) | {_second(index): run.unreadable[index] for index in lost},
    )


def _second(index: int) -> int:
    """Return by what number the dequeue phase of a trial is known; the enqueue phase has that of its trial."""
    return index + MOST_FLOWS * MOST_TRIALS


def _parts(workload: Workload) -> Iterator[Workload]:
    for phase in _PHASES:
        name = f"{workload.flow_of or workload.name}-{phase}"
        # The points of a sweep are one question in each phase.
        whole = f"{workload.part_of}-{phase}" if workload.part_of else ""
        yield workload.model_copy(update={"name": name, "phase": phase, "part_of": whole})


def _planned(planned: PlannedTrial, split: dict[str, tuple[Workload, ...]]) -> Iterator[PlannedTrial]:
    if planned.workload not in split:
        yield planned
        return
    first, second = split[planned.workload]
    yield planned.model_copy(update={"workload": first.name})
    yield planned.model_copy(update={"workload": second.name, "index": _second(planned.index)})


def _trials(trial: Trial, split: dict[str, tuple[Workload, ...]]) -> Iterator[Trial]:
    record = trial.record
    if record.workload not in split:
        yield trial
        return
    first, second = split[record.workload]
    found = {one.name: one for one in record.phases}
    # How long a message lay in the queue tells when it was put in, and nothing of the broker.
    confirms = {tag: part for tag, part in record.latency.items() if tag == "confirm"}
    yield replace(trial, record=_record(record, found.get("enqueue"), workload=first.name, latency=confirms))
    again = _record(record, found.get("dequeue"), workload=second.name, latency={}, index=_second(record.index))
    yield replace(trial, record=again.model_copy(update={"backlog": None, "findings": ()}), log_prefix="dequeue.")


def _record(record: TrialRecord, phase: PhaseRecord | None, **own: object) -> TrialRecord:
    """Return a trial as one of its phases alone; cost is of the whole trial, and left out."""
    if phase is None:
        return record.model_copy(update={"phases": (), "cost": None} | own)
    used = {"broker_usage": phase.broker_usage, "client_usage": phase.client_usage}
    mine = {"achieved_rate": phase.rate, "phases": (phase,), "cost": None}
    return record.model_copy(update=used | mine | own)
