"""What the command line does with a store: add a run, judge and draw all series, confirm or accept a change."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pandas as pd

from bench.results.archive import write_whole
from bench.stats.noise_floor import relevant
from bench.stats.ratio import Comparison, Pair, Verdict, compare
from reports.dataset import Dataset, load
from reports.errors import ReportError
from reports.history.changes import HistoryRules, Watched, judge
from reports.history.commit import MeasuredCommit
from reports.history.page import in_order, render_page, write_png
from reports.history.series import Series, branches_of, load_digest, rows, series_of
from reports.history.store import ACCEPTED, CONFIRMED, END, LEVEL, Store

_SIDES = 2


def add(store: Store, folder: Path, measured: MeasuredCommit | str, *, unfinished: bool = False) -> int:
    """Add a run to a store; return the number of rows, 0 where the run is in it already.

    Args:
        store: to add to.
        folder: results of one run.
        measured: what was measured, or any word for it.
        unfinished: take a run whose plan is not done.

    Raises:
        ReportError: the run cannot be read, is not finished, has no trial to trust or a time that is none, or the store
            cannot be written.
    """
    data = load(folder)
    if len(data.absent) and not unfinished:
        planned = sum(len(run.plan) for run in data.runs)
        message = (
            f"{folder}: {len(data.absent)} of {planned} planned trials have no result, and a run is added once:"
            f" finish it with `bench run --resume {folder}`, or add it as it is with --unfinished."
        )
        raise ReportError(message)
    frame = rows(data, measured)
    if frame.empty:
        message = f"{folder}: no trial can be trusted, so there is nothing to add; its report says why."
        raise ReportError(message)
    return len(frame) if store.add(frame) else 0


def watch(
    store: Store,
    *,
    only: str = "",
    branch: str = "",
    rules: HistoryRules | None = None,
    now: datetime | None = None,
) -> Watched:
    """Judge the series of a store.

    Args:
        store: to read.
        only: a part of the title, or the digits, of the series that are wanted.
        branch: whose series; by default those of the main branch.
        rules: how they are watched; the budget is for these series.
        now: by which a store that gets no more runs is told; by default it is not.

    Raises:
        ReportError: the store cannot be read, or holds no such series.
    """
    rules = rules or HistoryRules()
    stored = store.read()
    branches = branches_of(stored.rows)
    series = series_of(stored.rows, branch, stored.metrics)
    if not series:
        there = ", ".join(branches) or "none"
        whose = "of it" if branch else "of its main branch"
        which = f"--branch {branch}: " * bool(branch) + f"--store {store.folder} holds no run {whose}"
        message = f"{which}; other branches with runs: {there}. Name one with --branch, or add runs with --main NAME."
        raise ReportError(message)
    wanted = [one for one in series if only in one.title or one.name == only]
    if not wanted:
        message = f"--only {only}: none of {len(series)} series has that in its name; `bench history show` lists them."
        raise ReportError(message)
    last = max(series, key=lambda one: one.newest)
    watched = judge(wanted, stored.confirmations, stored.acceptances, rules=rules, newest=last.newest)
    late = None if now is None or branch else last.without_run(now, rules.silent_after)
    return replace(watched, branch=branch, branches=branches, silent=late, skipped=stored.skipped)


def draw(watched: Watched, *, html: Path | None = None, png: Path | None = None) -> None:
    """Write the page and the picture of judged series, where a path is given.

    Raises:
        ReportError: a file cannot be written.
    """
    for path in (html, png):
        try:
            if path is not None and path == html:
                write_whole(path, render_page(watched))
            elif path is not None:
                write_png(path, in_order(watched))
        except OSError as error:
            message = f"{path} cannot be written ({error.strerror}): name a file in a folder that exists and has room."
            raise ReportError(message) from None


def confirm(
    store: Store, name: str, point: str, by: Path, *, old: str | None = None, new: str | None = None, branch: str = ""
) -> tuple[Comparison, bool]:
    """Judge a change by a run that measured old and new side by side, and keep the verdict.

    Args:
        store: to add to.
        name: digits of the series.
        point: run or commit (or how it begins) of the first point of the new level.
        by: results of the run.
        old: its target that is the old side; by default the first of two.
        new: its target that is the new side.
        branch: whose series; by default that of the main branch.

    Returns:
        The comparison, new over old, and whether it was added: a change is judged once, and not where it is undecided.

    Raises:
        ReportError: the series, the point or the sides are not found, or the store cannot be written.
    """
    stored = store.read()
    series = next((one for one in series_of(stored.rows, branch, stored.metrics) if one.name == name), None)
    if series is None:
        message = f"series {name!r} is not in --store {store.folder}: `bench history show` lists them."
        raise ReportError(message)
    run_id = _point(series, point)
    data = load(by)
    if data.runs[0].mode == "quick":
        message = f"run {data.runs[0].run_id} is a quick look, which carries no verdict: run it without --quick."
        raise ReportError(message)
    found = _compare(data, series, _sides(data, old, new))
    if found.verdict is Verdict.UNDECIDED:
        return found, False
    row = (name, run_id, data.runs[0].run_id, found.verdict.value, found.ratio, found.low, found.high, found.n)
    return found, store.confirm(pd.DataFrame([dict(zip(CONFIRMED, row, strict=True))]))


def accept(store: Store, point: str, why: str, *, only: str = "", end: bool = False) -> list[Series]:
    """Keep that a level is meant to be as it is from a point on, or that series are meant to end.

    Args:
        store: to add to.
        point: run or commit (or how it begins) at which the accepted level begins, or the series ends.
        why: in words: a new type of host, a new version of the broker.
        only: a part of the title, or the digits, of the series that are meant; by default all that have the point.
        end: series end with the point, as when a target is renamed.

    Returns:
        The series for which that is kept now, and was not before.

    Raises:
        ReportError: no series has the point, or the store cannot be written.
    """
    stored = store.read()
    every = series_of(stored.rows, metrics=stored.metrics)
    series = [one for one in every if only in one.title or one.name == only]
    hits = [(one, found[-1 if end else 0]) for one in series if (found := _points(one, point))]
    if not hits:
        named = f" with {only!r} in its name" if only else ""
        message = f"point {point!r} is no run or commit of a series{named}: `bench history show` names them."
        raise ReportError(message)
    kind = END if end else LEVEL
    return [
        one
        for one, run_id in hits
        if store.accept(pd.DataFrame([dict(zip(ACCEPTED, (one.name, run_id, kind, why), strict=True))]))
    ]


def _points(series: Series, point: str) -> list[str]:
    """Return the runs that a word stands for."""
    return [
        run_id
        for run_id, commit in zip(series.run_ids, series.commits, strict=True)
        if point and (point == run_id or commit.startswith(point))
    ]


def _point(series: Series, point: str) -> str:
    hits = _points(series, point)
    if not hits:
        message = (
            f"point {point!r} is no run or commit of series {series.name}: `bench history show` names its changes."
        )
        raise ReportError(message)
    return hits[0]


def _sides(data: Dataset, old: str | None, new: str | None) -> tuple[str, str]:
    targets = [target.name for target in data.runs[0].scenario.targets]
    if old is None and new is None and len(targets) == _SIDES:
        return targets[0], targets[1]
    for option, given in (("--old", old), ("--new", new)):
        if given not in targets:
            message = f"{option} {given or '(not given)'}: name one of the run's targets, {', '.join(targets)}."
            raise ReportError(message)
    if old == new:
        message = f"--old and --new are both {old}: name two targets, {', '.join(targets)}."
        raise ReportError(message)
    return str(old), str(new)


def _compare(data: Dataset, series: Series, sides: tuple[str, str]) -> Comparison:
    run = data.runs[0]
    frame = rows(data, "")
    frame = frame[(frame["workload"] == series.key["workload"]) & (frame["metric"] == series.key["metric"])]
    alike = [w for w in run.scenario.workloads if w.name == series.key["workload"]]
    if not alike or frame.empty or load_digest(alike[0]) != series.key["load"]:
        message = (
            f"run {run.run_id} has no trial to trust of {series.key['metric']} under the series' workload"
            f" {series.key['workload']} (load {series.key['load']}): confirm by a run of the same workload."
        )
        raise ReportError(message)
    by_side = [frame[frame["target"] == side].set_index("repetition")["value"] for side in sides]
    shared = sorted(set(by_side[0].index) & set(by_side[1].index))
    if not shared:
        message = f"run {run.run_id} has no repetition with a usable trial of both {' and '.join(sides)}: repeat it."
        raise ReportError(message)
    pair = Pair(
        [float(by_side[1][k]) for k in shared],
        [float(by_side[0][k]) for k in shared],
        lower_is_better=series.metric.lower_is_better,
    )
    return compare(pair, delta=relevant(series.key["metric"], [run.noise_floor])[0])
