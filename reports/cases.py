"""The rows of each question as a verdict needs them: trial estimates, and which pairs are barred. Pure."""

import math
from collections.abc import Mapping

import pandas as pd

from bench.scenario.scenario import Target, Workload
from reports.cells import cell, latency_of, rows_of
from reports.comparability import unequal, unlike_rows
from reports.dataset import Dataset
from reports.durability import durability
from reports.format import Name
from reports.model import Spread
from reports.questions import Question, questions
from reports.rows import Case, Row, Trials
from reports.summary import Cell

Cells = Mapping[tuple[str, str], Cell]
"""By target and workload."""


def cells_of(data: Dataset) -> dict[tuple[str, str], Cell]:
    """Return every row of the summary table, by target and workload."""
    scenario = data.scenario
    return {
        (target.name, workload.name): cell(data, target, workload)
        for workload in scenario.workloads
        for target in scenario.targets
    }


def cases_of(data: Dataset, found: Mapping[str, Name], cells: Cells, *, allow: bool = False) -> list[Case]:
    """Return every question with its rows.

    Args:
        data: the runs.
        found: what targets are called.
        cells: their rows of the summary table.
        allow: let rows be compared that are unlike.
    """
    return [_case(data, question, found, cells, allow=allow) for question in questions(data.scenario)]


def metric_of(question: Question, row: Cell) -> Spread:
    """Return what decides a question, of one row."""
    return row.achieved_rate if question.closed_loop else row.latency_ns["p99"]


def _case(data: Dataset, question: Question, found: Mapping[str, Name], cells: Cells, *, allow: bool) -> Case:
    rows = {
        workload.name: [
            _row(data, question, found[target.name], target, workload, cells)
            for target in data.scenario.targets
            if cells[target.name, workload.name].planned
        ]
        for workload in question.workloads
    }
    cpus = [run.host.get("cpus", "") for run in data.runs]
    known = min(int(text) for text in cpus) if all(text.isdigit() for text in cpus) else None
    barred = unequal(data, question) if question.closed_loop else {}
    if not allow:
        barred = unlike_rows(data, question) | barred
    floors = tuple(run.noise_floor for run in data.runs)
    return Case(question=question, rows=rows, mode=data.runs[0].mode, cpus=known, floors=floors, barred=barred)


def _row(data: Dataset, question: Question, name: Name, target: Target, workload: Workload, cells: Cells) -> Row:
    row = cells[target.name, workload.name]
    trials = rows_of(data.trials, target.name, workload.name)
    if question.closed_loop:
        estimates = _by_trial(trials[trials["usable"]], "achieved_rate")
    else:
        estimates = _by_trial(latency_of(data, target.name, workload), "p99")
    measured = metric_of(question, row)
    return Row(
        name=name,
        workload=workload.name,
        estimates=estimates,
        centre=math.inf if measured.never and measured.centre is None else measured.centre,
        client_bound=row.client_bound,
        durability=durability(data.products, target.broker, workload, data.durability),
        overload="" if question.closed_loop else row.overload,
    )


def _by_trial(frame: pd.DataFrame, column: str) -> Trials:
    keys = zip(frame["run_id"], frame["repetition"], strict=True)
    return {
        (str(run_id), int(repetition)): float(value)
        for (run_id, repetition), value in zip(keys, frame[column], strict=True)
        if value > 0  # also leaves NaN out
    }
