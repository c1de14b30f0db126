"""A trial's histogram log: checked against its record, and cut into bins of whole seconds."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from bench.record import hlog
from bench.record.buckets import BUCKETS, highest_ns
from bench.record.histogram import Seconds
from bench.results.archive import Trial
from bench.results.records import TrialRecord
from reports.quantiles import PERCENTILES, messages_needed, ranks

SECONDS_COLUMNS = ["tag", "from_s", "to_s", "count", "p50", "p99", "max"]
JUDGED = ("response", "service", "confirm")
"""Latencies that a trial may be about; it is about the first that it has."""
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
    prefix = stored.log_prefix
    tags = {*trial.latency, *(f"{tag}_events" for tag in JUDGED)}
    found = hlog.read_seconds(stored.folder / "latency.hlog", {f"{prefix}{tag}" for tag in tags})
    logged = {tag.removeprefix(prefix): seconds for tag, seconds in found.items()}
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
    if not len(place):
        return
    key = place * BUCKETS + index
    if np.any(np.diff(key) < 0):  # bins of one second each are in order already
        order = np.argsort(key, kind="stable")
        place, index, count = place[order], index[order], count[order]
    # All bins lie one after the other in one heap of counts; `before` is what lies below a bin.
    heap = np.cumsum(count)
    last = np.append(np.flatnonzero(np.diff(place)), len(place) - 1)
    before = np.concatenate([[0], heap[last[:-1]]])
    held = heap[last] - before

    def reliable(percent: float) -> list[float]:
        at = np.searchsorted(heap, before + ranks(percent, held))
        values: list[float] = np.where(held >= messages_needed(percent), highest_ns(index[at]), np.nan).tolist()
        return values

    columns = place[last].tolist(), held.tolist(), reliable(PERCENTILES["p50"]), reliable(PERCENTILES["p99"])
    for at, total, p50, p99, largest in zip(*columns, highest_ns(index[last]).tolist(), strict=True):
        yield {
            "tag": tag,
            "from_s": max(at * width, -trial.measure_from_s),
            "to_s": min((at + 1) * width, seconds),
            "count": total,
            "p50": p50,
            "p99": p99,
            "max": float(largest),
        }


def longest_ns(part: Seconds) -> dict[int, int]:
    """Return the longest value of each second, ns, by second after the start."""
    found: dict[int, int] = {}
    for second, value in zip(part.second.tolist(), highest_ns(part.index).tolist(), strict=True):
        found[second] = max(value, found.get(second, 0))
    return found


def widest(seconds: pd.DataFrame) -> int:
    """Return the width of a bin in whole seconds; 1 where there is none."""
    widths = seconds["to_s"] - seconds["from_s"]
    return int(widths.max()) if len(widths) else 1
