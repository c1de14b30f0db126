"""HdrHistogram logs of any tool, jHiccup's, Java's and ours: one run each, percentiles of each tag as a whole. Pure."""

import math
import re
from datetime import UTC, datetime

import numpy as np

from bench.record import hlog
from reports.history.formats.contract import (
    LATENCY_UNITS,
    LATEST,
    ForeignFigure,
    ForeignFile,
    Format,
    ImportedRun,
    ImportRefusedError,
    percentiles,
    refused,
)
from reports.quantiles import Distribution

_BEGINS = re.compile(r'\s*(#\[(Histogram log|StartTime|BaseTime|Logged with)|"StartTimestamp"|Tag=[^,]*,)')
_YEAR_S = 365 * 86_400
"""A log that begins earlier is timed from the start of a program, and tells no time of day."""


def _seems(text: str) -> bool:
    return _BEGINS.match(text) is not None or ",HISTF" in text[:4_000]


def _read(source: ForeignFile) -> list[ImportedRun]:
    try:
        log = hlog.read_whole(source.text, source.name)
    except ValueError as error:
        raise ImportRefusedError([f"{error}: have the tool write the log anew"]) from None
    figures: list[ForeignFigure] = []
    for tag, counts in log.tags.items():
        found = Distribution(counts.highest, np.cumsum(counts.count), 0, 0, math.nan)
        figures += percentiles(found, tag or "latency", LATENCY_UNITS[source.unit])
    if not figures:
        message = "it holds no tag with the 20 values that a median takes: import a longer log"
        raise refused(source.name, message)
    known = _YEAR_S < log.start_epoch_s < LATEST.timestamp()
    time = datetime.fromtimestamp(log.start_epoch_s, UTC) if known else None
    return [ImportedRun(tuple(figures), time, identity=source.digest)]


FORMAT = Format("hlog", "a histogram log (HdrHistogram, jHiccup)", _seems, _read, unit="ns")
