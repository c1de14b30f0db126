"""Runs whose trials have several flows, as runs in which each flow is a workload with trials of its own. Pure.

A trial's record holds the flow that it is about, and those beside it. Everything behind this
page asks for rows of a target under a workload, so that a flow needs no other way: its
workload is called `<workload>-<flow>`, and says in `flow_of` whose flow it is.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

import pandas as pd

from bench.results.archive import Run, Trial
from bench.results.records import MOST_TRIALS, FlowRecord, PlannedTrial, TrialRecord
from bench.scenario.scenario import Workload
from reports.errors import ReportError

_OF_A_FLOW = (
    "offered",
    "sent",
    "received",
    "dropped",
    "achieved_rate",
    "backlog_growth",
    "latency",
    "ledger",
    "little",
    "findings",
    "counters",
)
"""Fields of a trial's record that are of one flow."""


def by_flow(run: Run) -> Run:
    """Return a run with a workload for each flow; as it is where every workload is one flow.

    Raises:
        ReportError: a flow would be called as another workload or flow is.
    """
    workloads = run.record.scenario.workloads
    parts = {workload.name: tuple(flows_of(workload)) for workload in workloads}
    if all(len(flows) == 1 for flows in parts.values()):
        return run
    names = [flow.name for workload in workloads for flow in parts[workload.name]]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        message = (
            f"{run.folder}: {', '.join(twice)} is the name of two workloads or flows: rename one, and run it again."
        )
        raise ReportError(message)
    plan = tuple(
        planned.model_copy(update={"workload": flow.name, "index": place(planned.index, number)})
        for planned in run.record.plan
        for number, flow in enumerate(parts[planned.workload])
    )
    scenario = run.record.scenario.model_copy(
        update={"workloads": tuple(flow for workload in workloads for flow in parts[workload.name])}
    )
    unreadable = {
        place(index, number): text
        for index, text in run.unreadable.items()
        for number in range(len(parts[_workload_of(run.record.plan, index)]))
    }
    return replace(
        run,
        record=run.record.model_copy(update={"plan": plan, "scenario": scenario}),
        trials=tuple(one for trial in run.trials for one in _trials(trial, parts[trial.record.workload])),
        unreadable=unreadable,
    )


def place(index: int, flow: int) -> int:
    """Return by what number a trial's flow is known; the first has that of its trial."""
    return index + flow * MOST_TRIALS


def of_trials(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the first row of each trial of a frame that has one a flow: that of the flow which the trial is about."""
    return frame[~pd.DataFrame({"run": frame["run_id"], "trial": frame["index"] % MOST_TRIALS}).duplicated()]


def trial_of(index: int) -> int:
    """Return the number of the trial that a flow's number is of."""
    return index % MOST_TRIALS


def _workload_of(plan: tuple[PlannedTrial, ...], index: int) -> str:
    return next(planned.workload for planned in plan if planned.index == index)


def flows_of(workload: Workload) -> Iterator[Workload]:
    """Yield a workload's flows, what it is about first, each named after it."""
    if not workload.flows:
        yield workload
        return
    given = workload.parts()
    first = next(flow for flow in given if not flow.background)
    for flow in (first, *(flow for flow in given if flow is not first)):
        # Points of a sweep are one question for each flow, not one for all; limits name what the scenario has.
        whole = f"{workload.part_of}-{flow.name}" if workload.part_of else ""
        swept = {_called(field, flow, given): value for field, value in workload.at.items()}
        yield flow.model_copy(
            update={
                "name": f"{workload.name}-{flow.name}",
                "part_of": whole,
                "at": swept,
                "flow_of": workload.given_name,
            }
        )


def _called(field: str, flow: Workload, flows: tuple[Workload, ...]) -> str:
    """Return the path of a swept field as reports on a flow call it: its own without more, that of another by name."""
    found = re.fullmatch(r"flows\.(\d+)\.(.+)", field)
    if found is None:
        return field
    owner = flows[int(found[1])].name
    return found[2] if owner == flow.name else f"{owner}.{found[2]}"


def _trials(trial: Trial, flows: tuple[Workload, ...]) -> Iterator[Trial]:
    if len(flows) == 1:
        yield trial
        return
    record = trial.record
    yield replace(trial, record=record.model_copy(update={"workload": flows[0].name, "flows": ()}))
    # They were written in this order: those beside the first, as the workload has them.
    for number, (flow, beside) in enumerate(zip(flows[1:], record.flows, strict=False), start=1):
        yield replace(trial, record=_record(record, beside, flow.name, number), log_prefix=f"{beside.name}.")


def _record(trial: TrialRecord, flow: FlowRecord, workload: str, number: int) -> TrialRecord:
    own = {name: getattr(flow, name) for name in _OF_A_FLOW}
    names = {"workload": workload, "index": place(trial.index, number), "flow": flow.name, "flows": ()}
    names |= {"phases": (), "backlog": None}
    return trial.model_copy(update=own | names)
