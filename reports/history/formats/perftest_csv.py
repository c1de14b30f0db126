"""The CSV of RabbitMQ's PerfTest (`--output-file`): one line an interval, one run a file. Pure.

The identity of the test (`--id`) is the workload, unless PerfTest made it up. A rate is the mean
over the intervals. A latency is the median over them of what each interval printed, and is
called so: percentiles of intervals cannot be joined. A file tells no time of day.
"""

import csv
import io
import re
from collections.abc import Iterator
from statistics import fmean, median

from reports.history.formats.contract import (
    LATENCY_UNITS,
    Checks,
    ForeignFigure,
    ForeignFile,
    Format,
    ImportedRun,
    refused,
)

_BEGINS = "id,time (s),published (msg/s)"
_RATES = {
    "published (msg/s)": "published rate",
    "confirmed (msg/s)": "confirmed rate",
    "received (msg/s)": "received rate",
}
_LATENCY = re.compile(r"(median|75th p\.|95th p\.|99th p\.) (consumer|confirm) latency \((.*)\)")
_NAMES = {"median": "p50", "75th p.": "p75", "95th p.": "p95", "99th p.": "p99"}
_MADE_UP = re.compile(r"test-\d+-\d+")
_MOST_LINES = 1_000_000


def _seems(text: str) -> bool:
    return text.startswith(_BEGINS)


def _read(source: ForeignFile) -> list[ImportedRun]:
    checks = Checks(source.name)
    columns: dict[tuple[str, str], list[float]] = {}
    try:
        lines = csv.DictReader(io.StringIO(source.text, newline=""), restkey="", restval="")
        names = list(lines.fieldnames or ())
        if _BEGINS.split(",") != names[:3] or len(set(names)) < len(names):
            raise refused(source.name, f"its head does not begin with {_BEGINS!r}, each once: name a file of PerfTest")
        wanted = [name for name in names if name in _RATES or _LATENCY.fullmatch(name)]
        for number, row in enumerate(lines, start=2):
            if "" in row or number > _MOST_LINES:
                allowed = f"{len(names)} fields are allowed in a line, and {_MOST_LINES:,} lines"
                checks.fault(f"line {number}", ",".join(row.get("", ())), allowed)
                break
            for name in wanted:
                if row[name]:  # it is empty where nothing was measured
                    columns.setdefault((row["id"], name), []).append(checks.number(f"line {number}, {name}", row[name]))
    except csv.Error as error:
        raise refused(source.name, f"it is no CSV ({error}): have PerfTest write it anew") from None
    figures = tuple(_figures(checks, columns))
    checks.done()
    if not figures:
        raise refused(source.name, "it holds no rate and no latency above 0: nothing was measured")
    return [ImportedRun(figures, identity=source.digest)]


def _figures(checks: Checks, columns: dict[tuple[str, str], list[float]]) -> Iterator[ForeignFigure]:
    for (test, name), values in columns.items():
        workload = "" if _MADE_UP.fullmatch(test) else test
        if rate := _RATES.get(name):
            if fmean(values) > 0:
                yield ForeignFigure(rate, fmean(values), "msg/s", lower_is_better=False, workload=workload)
        elif (found := _LATENCY.fullmatch(name)) and median(values) > 0:
            # A JVM whose locale knows no µ writes a question mark.
            scale = LATENCY_UNITS.get(found[3].replace("?", "µ"))
            if scale is None:
                checks.fault("column", name, f"one of {', '.join(LATENCY_UNITS)} is allowed as unit")
            else:
                words = f"{_NAMES[found[1]]} {found[2]} latency of intervals"
                yield ForeignFigure(words, median(values) * scale, "ms", lower_is_better=True, workload=workload)


FORMAT = Format("perftest-csv", "the CSV of PerfTest", _seems, _read)
