"""A trial's histogram log: checked against its record, and cut into bins of whole seconds."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from bench.archive import Trial
from bench.record import hlog
from bench.record.histogram import Seconds
from bench.results import TrialRecord
from reports.quantiles import PERCENTILES, Distribution, messages_needed

SECONDS_COLUMNS = ["tag", "from_s", "to_s", "count", "p50", "p99", "max"]
Logged = dict[str, Seconds]
"""Tag -> its buckets by second after the start."""


def read_log(stored: Trial) -> Logged:
    """Return what latency.hlog holds; empty where the trial measured nothing.

    Raises:
        ValueError: the log is damaged, or its measured part disagrees with trial.json.
        OSError: it cannot be read.
    """
    trial = stored.record
    if not trial.latency:
        return {}
    logged = hlog.read_seconds(stored.folder / "latency.hlog")
    for name, expected in trial.latency.items():
        part = logged.get(name)
        measured = 0 if part is None else int(part.between(trial.measure_from_s, trial.measure_to_s).count.sum())
        if measured != expected.count:
            message = f"latency.hlog holds {measured} values of {name} and trial.json {expected.count}"
            raise ValueError(message)
    return logged


def bins(trial: TrialRecord, tag: str, logged: Logged) -> Iterator[dict[str, Any]]:
    """Yield one row a bin of whole seconds, wide enough for p99; times after the start of the measured part."""
    if tag not in logged:
        return
    seconds = max(trial.measure_to_s - trial.measure_from_s, 1)
    # A tenth is allowed for uneven arrivals.
    width = -(-messages_needed(99.0) * 10 * seconds // max(9 * trial.latency[tag].count, 1))
    width = min(width, seconds)
    part = logged[tag]
    rows = part.second < trial.measure_to_s
    place, index, count = (part.second[rows] - trial.measure_from_s) // width, part.index[rows], part.count[rows]
    order = np.lexsort((index, place))
    place, index, count = place[order], index[order], count[order]
    for begin, end in _runs(place):
        # A bucket may come from several seconds: distributions want each once.
        first = np.flatnonzero(np.diff(index[begin:end], prepend=-1))
        values = Distribution.of_buckets(index[begin:end][first], np.add.reduceat(count[begin:end], first))
        at = int(place[begin])
        yield {
            "tag": tag,
            "from_s": max(at * width, -trial.measure_from_s),
            "to_s": min((at + 1) * width, seconds),
            "count": values.count,
            "p50": values.reliable(PERCENTILES["p50"]),
            "p99": values.reliable(PERCENTILES["p99"]),
            "max": values.max_ns,
        }


def _runs(values: np.ndarray[Any, np.dtype[np.int64]]) -> Iterator[tuple[int, int]]:
    """Yield begin and end of each run of equal values."""
    if len(values):
        edges = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist(), len(values)]
        yield from pairwise(edges)
