"""Files of other tools into a store: which format each is, what they leave open, and what the store keeps of them.

Nothing is stored before every file is read and checked.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from bench.record.hlog import MOST_BYTES
from bench.untrusted import MOST_JSON_BYTES, read_text
from brokers.plain_text import printable
from reports.history.commit import MeasuredCommit
from reports.history.formats import (
    histogram_log,
    openmessaging,
    percentile_file,
    perftest_csv,
    perftest_json,
    plain_csv,
)
from reports.history.formats.contract import (
    Checks,
    ForeignFigure,
    ForeignFile,
    Format,
    ImportedRun,
    ImportRefusedError,
    refused,
)
from reports.history.series import COLUMNS, METRICS, STORE_VERSION, SeriesMetric
from reports.history.store import Store

FORMATS: Mapping[str, Format] = {
    one.FORMAT.name: one.FORMAT
    for one in (perftest_csv, perftest_json, openmessaging, histogram_log, percentile_file, plain_csv)
}
"""By the name that an option takes, in the order in which a file is looked at."""
_MOST_LETTERS = 200
_FIELDS = ("metric", "target", "workload", "load", "scenario", "mode", "host_class")
_TEXTS = (*_FIELDS, "unit")
_UNTIMED = (
    "the file tells no time, and no repository here knows one by its commit: give it with --time, such as"
    " 2026-01-31T12:00:00Z"
)
CommitTimes = Callable[[Sequence[str]], Mapping[str, datetime]]
"""Returns when commits were made, of those that are known."""


@dataclass(frozen=True)
class Given:
    """What a user says of files.

    Attributes:
        kind: name of their format; empty: it is told by their first lines.
        unit: of latencies, for formats that do not tell it; empty: the usual one.
        time, commit: of runs whose file tells neither; a file that does is not overruled.
        branch: of runs whose file does not tell it.
        main: what the main branch is called; runs of others never join its series.
        target, workload, host_class: instead of what files tell; empty: as they do.
    """

    kind: str = ""
    unit: str = ""
    time: str = ""
    commit: str = ""
    branch: str = ""
    main: str = ""
    target: str = ""
    workload: str = ""
    host_class: str = ""


@dataclass(frozen=True)
class Imported:
    """What became of a file.

    Attributes:
        format: what it was.
        runs, rows: that were added.
        known: runs that were in the store already.
    """

    format: Format
    runs: int
    rows: int
    known: int


def import_files(store: Store, files: Sequence[Path], given: Given, commit_times: CommitTimes) -> list[Imported]:
    """Add what files hold to a store, all of them or none.

    Args:
        store: to add to.
        files: to read.
        given: what they do not tell.
        commit_times: asked for runs that have a commit, whose time orders them.

    Returns:
        What became of each file, in their order.

    Raises:
        ImportRefusedError: a file cannot be read, or has faults, of which every one is told.
        ReportError: the store cannot be read or written.
    """
    faults: list[str] = []
    read: list[tuple[Format, list[pd.DataFrame]]] = []
    metrics = dict(store.metrics())
    for file in files:
        try:
            form, runs = _read(file, given)
            runs = _timed(str(file), runs, given, commit_times)
            metrics |= _checked_metrics(str(file), runs, metrics)
        except ImportRefusedError as error:
            faults += error.faults
        else:
            read.append((form, [_frame(run, form, given) for run in runs]))
    if faults:
        raise ImportRefusedError(faults)
    for name, metric in metrics.items():
        if name not in METRICS:
            store.keep_metric(name, metric)
    done = []
    for form, frames in read:
        added = [len(frame) for frame in frames if store.add(frame)]
        done.append(Imported(form, len(added), sum(added), len(frames) - len(added)))
    return done


def _read(file: Path, given: Given) -> tuple[Format, list[ImportedRun]]:
    name = str(file)
    try:
        # JSON takes some thirty times its size once it is parsed.
        text = read_text(file, MOST_JSON_BYTES if file.suffix == ".json" else MOST_BYTES)
    except OSError as error:
        raise refused(name, f"it cannot be read ({error.strerror}): name a file of another tool") from None
    except UnicodeDecodeError as error:
        raise refused(name, f"it is no text in UTF-8 (byte {error.start:,}): convert it") from None
    except ValueError as error:
        raise refused(name, f"{error}: cut it") from None
    form = FORMATS[given.kind] if given.kind else next((one for one in FORMATS.values() if one.seems(text)), None)
    if form is None:
        known = ", ".join(f"{one.words} ({one.name})" for one in FORMATS.values())
        raise refused(name, f"what it is cannot be told; {known} are read: name one with --format")
    if given.unit and not form.unit:
        raise refused(name, f"--unit is {given.unit!r}: {form.words} tells its units itself, so leave it out")
    return form, _plain(name, form.read(ForeignFile(name, text, given.unit or form.unit)))


def _plain(name: str, runs: Sequence[ImportedRun]) -> list[ImportedRun]:
    """Return runs whose texts are of bounded length, and fit for a terminal and a page."""
    checks = Checks(name)
    seen = {(field, getattr(run, field)) for run in runs for field in ("commit", "branch")}
    seen |= {(field, getattr(figure, field)) for run in runs for figure in run.figures for field in _TEXTS}
    for field, text in sorted(seen):
        if len(text) > _MOST_LETTERS:
            checks.fault(field, text, f"up to {_MOST_LETTERS} letters are allowed")
    checks.done()
    return [replace(run, commit=printable(run.commit), figures=tuple(map(_plain_figure, run.figures))) for run in runs]


def _plain_figure(figure: ForeignFigure) -> ForeignFigure:
    texts: dict[str, Any] = {field: printable(getattr(figure, field)) for field in _TEXTS}
    return replace(figure, **texts)


def _timed(name: str, runs: Sequence[ImportedRun], given: Given, commit_times: CommitTimes) -> list[ImportedRun]:
    """Return runs each of which has a time and, as far as it is known, a commit."""
    checks = Checks(name)
    wanted = checks.time("--time", given.time)
    for option, value, told in (
        ("--time", given.time, any(run.time for run in runs)),
        ("--commit", given.commit, any(run.commit for run in runs)),
    ):
        if value and told:
            checks.fault(option, value, "the file tells that itself: leave the option out")
    asked = list(dict.fromkeys(run.commit or given.commit for run in runs if run.commit or given.commit))
    made = commit_times(asked) if asked else {}
    timed = []
    for run in runs:
        commit = run.commit or given.commit
        time = run.time or wanted or made.get(commit)
        if time is None and not given.time:
            checks.fault("time", commit and f"that of commit {commit}", _UNTIMED)
        timed.append(replace(run, time=time, commit=commit, committed=run.committed or made.get(commit)))
    checks.done()
    return timed


def _checked_metrics(
    name: str, runs: Sequence[ImportedRun], known: Mapping[str, SeriesMetric]
) -> dict[str, SeriesMetric]:
    """Return how the metrics of runs read; each has one unit and one direction, here and in the store."""
    checks = Checks(name)
    found: dict[str, SeriesMetric] = {}
    figures = (figure for run in runs for figure in run.figures)
    for metric, unit, lower in dict.fromkeys((one.metric, one.unit, one.lower_is_better) for one in figures):
        here = SeriesMetric(lower, 1.0, unit)
        kept = known.get(metric) or found.setdefault(metric, here)
        if (here.unit, here.direction) != (kept.unit, kept.direction):
            checks.fault(
                f"unit and direction of {metric[:40]!r}",
                f"{unit}, {here.direction}",
                f"it is kept in {kept.unit or 'no unit'}, {kept.direction} is better: convert it, or give"
                " it another name",
            )
    checks.done()
    return found


def _frame(run: ImportedRun, form: Format, given: Given) -> pd.DataFrame:
    """Return the rows of a run, columns as `series.COLUMNS`."""
    assert run.time is not None  # noqa: S101  (for the type checker: `_timed` has seen to it)
    stamp = f"{run.time:%Y%m%dT%H%M%SZ}"
    figures = [_named(figure, form, given) for figure in run.figures]
    alike = "\0".join([run.identity, run.commit, run.time.isoformat(), *_keys(figures if run.identity else [])])
    common = {
        "store_version": STORE_VERSION,
        "run_id": run.run_id or f"{stamp}-{hashlib.sha256(alike.encode()).hexdigest()[:8]}",
        "seed": run.seed,
        "time_utc": run.time.isoformat(),
        "trial_utc": run.time.isoformat(),
        **MeasuredCommit(
            commit=run.commit,
            branch=run.branch or given.branch,
            main=given.main,
            committed_utc=run.committed.isoformat() if run.committed else "",
        ).columns(),
    }
    counted: dict[str, int] = {}
    rows = []
    for figure, key in zip(figures, _keys(figures), strict=True):
        repetition = counted[key] = counted.get(key, -1) + 1
        known = METRICS.get(figure.metric)
        value = figure.value / known.scale if known else figure.value
        fields = {name: getattr(figure, name) for name in _FIELDS}
        rows.append(common | fields | {"trial": repetition, "repetition": repetition, "value": value})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _keys(figures: Sequence[ForeignFigure]) -> Iterator[str]:
    """Yield for each figure what it shares with others of its series."""
    for figure in figures:
        yield "\0".join(getattr(figure, name) for name in _FIELDS)


def _named(figure: ForeignFigure, form: Format, given: Given) -> ForeignFigure:
    """Return a figure with the names that the user or, where nobody says, we give."""
    return replace(
        figure,
        target=given.target or figure.target or "unnamed",
        workload=given.workload or figure.workload or "unnamed",
        scenario=figure.scenario or form.name,
        host_class=given.host_class or figure.host_class or "unknown host",
    )
