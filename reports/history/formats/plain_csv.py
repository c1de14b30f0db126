"""A plain CSV of anybody's figures: a line a figure, with a head that names the columns. Pure.

`metric` and `value` are needed, and `time` or `commit`; the others may be there (`COLUMNS`).
`bench history export` writes the same columns.
"""

import csv
import io
import re
from collections.abc import Sequence
from datetime import datetime

from reports.history.formats.contract import Checks, ForeignFigure, ForeignFile, Format, ImportedRun, refused
from reports.history.series import METRICS

COLUMNS = {
    "time": "when it was measured: ISO 8601 with a zone, or a date, which is its midnight in UTC",
    "commit": "what was measured",
    "committed": "when the commit was made, as `time`; by it, or else by `time`, runs are in order",
    "branch": "where the commit is; empty for the main branch",
    "metric": "what the figure is, such as `p99 latency`",
    "value": "a number above 0",
    "unit": "such as `ms`",
    "direction": "which is better: `lower` or `higher`",
    "target": "what was measured, such as a broker",
    "workload": "how it was loaded",
    "load": "what changes with anything the workload does",
    "scenario": "what the workload is part of",
    "mode": "`full` or `quick`",
    "host_class": "the kind of host",
    "run": "what the run is called; by default after its time",
    "seed": "of the run, a whole number",
}
"""What each column holds."""
_MOST_LINES = 200_000
_DIRECTIONS = {"lower": True, "higher": False}
_NAME = re.compile(r"[A-Za-z0-9_.:+-]{1,100}")
_SEED = re.compile(r"[0-9]{1,18}")
_Row = dict[str, str]
_Key = tuple[str, int, datetime | None, str, datetime | None, str]


def _head(text: str) -> list[str]:
    return next(csv.reader([text.partition("\n")[0].lstrip("\ufeff").rstrip("\r")]), [])


def _seems(text: str) -> bool:
    try:
        return {"metric", "value"} <= set(_head(text[:10_000]))
    except csv.Error:
        return False


def _read(source: ForeignFile) -> list[ImportedRun]:
    checks = Checks(source.name)
    try:
        lines = csv.DictReader(io.StringIO(source.text.lstrip("\ufeff"), newline=""), restkey="", restval="")
        _check_head(checks, list(lines.fieldnames or ()))
        groups: dict[_Key, list[ForeignFigure]] = {}
        for number, row in enumerate(lines, start=2):
            if number > _MOST_LINES:
                checks.fault(f"line {number}", "one more", f"up to {_MOST_LINES:,} lines are allowed: cut the file")
                break
            figure = _figure(checks, f"line {number}", row)
            groups.setdefault(_key(checks, f"line {number}", row), []).append(figure)
    except csv.Error as error:
        raise refused(source.name, f"it is no CSV ({error}): write it anew") from None
    _check_names(checks, list(groups))
    checks.done()
    if not groups:
        raise refused(source.name, "it holds no line below its head: there is nothing to import")
    return [
        ImportedRun(tuple(figures), when, commit, committed, branch, name, seed)
        for (name, seed, when, commit, committed, branch), figures in groups.items()
    ]


def _check_head(checks: Checks, names: list[str]) -> None:
    known = ", ".join(COLUMNS)
    for name in dict.fromkeys(names):
        if name not in COLUMNS or names.count(name) > 1:
            checks.fault("column", name, f"each of {known} is allowed once: rename or remove it")
    for wanted in (("metric",), ("value",), ("time", "commit")):
        if not set(wanted) & set(names):
            checks.fault("head", ",".join(names), f"the column {' or '.join(wanted)} is missing: add it")
    checks.done()


def _figure(checks: Checks, line: str, row: _Row) -> ForeignFigure:
    if "" in row:
        checks.fault(line, row.pop(""), "there are more fields than columns")
    metric, known = row["metric"], METRICS.get(row["metric"])
    if not metric:
        checks.fault(f"{line}, metric", metric, "a name is needed")
    direction = row.get("direction", "")
    if known and not direction:
        direction = known.direction
    if direction not in _DIRECTIONS:
        checks.fault(f"{line}, direction", direction, f"which is better of {metric[:40]!r} is needed: lower or higher")
    if (mode := row.get("mode") or "full") not in {"full", "quick"}:
        checks.fault(f"{line}, mode", mode, "full or quick is allowed")
    return ForeignFigure(
        metric=metric,
        value=checks.number(f"{line}, value", row["value"], above=True),
        unit=row.get("unit") or (known.unit if known else ""),
        lower_is_better=_DIRECTIONS.get(direction, True),
        target=row.get("target", ""),
        workload=row.get("workload", ""),
        load=row.get("load", ""),
        scenario=row.get("scenario", ""),
        mode=mode,
        host_class=row.get("host_class", ""),
    )


def _key(checks: Checks, line: str, row: _Row) -> _Key:
    """Return what the figures of one run share."""
    name, seed, commit = row.get("run", ""), row.get("seed", ""), row.get("commit", "")
    when = checks.time(f"{line}, time", row.get("time", ""))
    if not row.get("time") and not commit:
        checks.fault(f"{line}, time", "", "a time or a commit is needed")
    if name and not _NAME.fullmatch(name):
        checks.fault(f"{line}, run", name, "up to 100 letters, digits and .:+- are allowed")
    if seed and not _SEED.fullmatch(seed):
        checks.fault(f"{line}, seed", seed, "a whole number of up to 18 digits is allowed")
        seed = ""
    committed = checks.time(f"{line}, committed", row.get("committed", ""))
    return name, int(seed or 0), when, commit, committed, row.get("branch", "")


def _check_names(checks: Checks, keys: Sequence[_Key]) -> None:
    """See to it that a run has one time and commit."""
    seen = set()
    for name, seed, *_ in keys:
        if name and (name, seed) in seen:
            checks.fault("run", name, "one time and one commit are allowed of each run: give others another name")
        seen.add((name, seed))


FORMAT = Format("csv", "a plain CSV (metric, value, and time or commit)", _seems, _read)
