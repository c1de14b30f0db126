"""Percentile files (`.hgrm`) of HdrHistogram's tools, jHiccup, wrk2 and ours: one run each. Pure.

A file has a line for some percentiles only. Of another one the figure is that of the next line
above it, which is a little higher, and the same in every file of as many lines.
"""

import math
import re

import numpy as np

from reports.history.formats.contract import (
    LATENCY_UNITS,
    Checks,
    ForeignFile,
    Format,
    ImportedRun,
    percentiles,
    refused,
)
from reports.quantiles import Distribution

_HEAD = re.compile(r"^[ \t]*Value[ \t]+Percentile[ \t]+TotalCount[ \t]+1/\(1-Percentile\)[ \t\r]*$", re.MULTILINE)
_TOTAL = re.compile(r"Total ?[Cc]ount\s*=\s*([\d.]+)")
_MOST_LINES = 100_000
_MOST_MESSAGES = 2**53
_COLUMNS = (3, 4)
_EXACT = 1e9
"""Values are kept as integers of this fraction of the unit."""


def _seems(text: str) -> bool:
    return _HEAD.search(text) is not None


def _read(source: ForeignFile) -> list[ImportedRun]:
    head = _HEAD.search(source.text)
    if head is None:
        raise refused(source.name, "the line `Value Percentile TotalCount 1/(1-Percentile)` is missing: write it anew")
    checks = Checks(source.name)
    first = source.text.count("\n", 0, head.end()) + 1
    values, counts = [0.0], [0.0]
    for number, line in enumerate(source.text[head.end() :].split("\n"), start=first):
        fields = line.split()
        if line.startswith("#"):  # the footer: #[Mean, #[Max with the total count, #[Buckets
            _check_total(checks, f"line {number}", line, counts[-1])
            continue
        if not fields:
            continue
        if len(fields) not in _COLUMNS or number - first > _MOST_LINES:
            checks.fault(f"line {number}", line, f"value, percentile and count are allowed, in {_MOST_LINES:,} lines")
            break
        value, count = checks.number(f"line {number}, Value", fields[0]), _count(checks, number, fields[2])
        if checks.failed:
            break
        if value < values[-1] or count < counts[-1]:
            checks.fault(f"line {number}", line, "values and counts rise from line to line")
            break
        values.append(value)
        counts.append(count)
    checks.done()
    held = np.round(np.array(values[1:]) * _EXACT)
    if len(held) and held[-1] >= 2**63:
        raise refused(source.name, f"a value is {values[-1]:g}: at most 9e9 is allowed, so name its unit with --unit")
    found = Distribution(held.astype(np.int64), np.array(counts[1:], np.int64), 0, 0, math.nan)
    figures = tuple(percentiles(found, "latency", LATENCY_UNITS[source.unit] / _EXACT))
    if not figures:
        raise refused(source.name, "it counts fewer values than the 20 that a median takes: import a longer one")
    return [ImportedRun(figures, identity=source.digest)]


def _count(checks: Checks, number: int, text: str) -> float:
    count = checks.number(f"line {number}, TotalCount", text)
    if count > _MOST_MESSAGES or count != int(count):
        checks.fault(f"line {number}, TotalCount", text, f"a whole number up to {_MOST_MESSAGES:,} is allowed")
        return 0.0
    return count


def _check_total(checks: Checks, place: str, line: str, counted: float) -> None:
    if (found := _TOTAL.search(line)) and checks.number(place, found[1]) != counted:
        checks.fault(place, line, f"the lines above count {counted:.0f}: the file is cut short, write it anew")


FORMAT = Format("hgrm", "a percentile file (.hgrm of HdrHistogram's tools)", _seems, _read, unit="ms")
