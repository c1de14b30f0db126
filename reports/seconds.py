"""A trial's histogram log: checked against its record, and cut into bins of whole seconds."""

from collections.abc import Iterator
from typing import Any

import pandas as pd
from hdrh.histogram import HdrHistogram

from bench.archive import Trial
from bench.record import hlog
from bench.record.histogram import new_histogram
from bench.results import TrialRecord
from reports.quantiles import PERCENTILES, Distribution, messages_needed

SECONDS_COLUMNS = ["tag", "from_s", "to_s", "count", "p50", "p99", "max"]
Logged = dict[str, dict[int, HdrHistogram]]
"""Tag -> second after the start -> histogram."""


def read_log(stored: Trial) -> Logged:
    """Return what latency.hlog holds; empty where the trial measured nothing.

    Raises:
        ValueError: the log is damaged, or its measured part disagrees with trial.json.
        OSError: it cannot be read.
    """
    trial = stored.record
    if not trial.latency:
        return {}
    logged = hlog.read(stored.folder / "latency.hlog")
    for name, expected in trial.latency.items():
        measured = sum(
            histogram.get_total_count()
            for second, histogram in logged.get(name, {}).items()
            if trial.measure_from_s <= second < trial.measure_to_s
        )
        if measured != expected.count:
            message = f"latency.hlog holds {measured} values of {name} and trial.json {expected.count}"
            raise ValueError(message)
    return logged


def bins(trial: TrialRecord, tag: str, logged: Logged) -> Iterator[dict[str, Any]]:
    """Yield one row a bin of whole seconds, wide enough for p99; times after the start of the measured part."""
    if not trial.latency:
        return
    seconds = max(trial.measure_to_s - trial.measure_from_s, 1)
    # A tenth is allowed for uneven arrivals.
    width = -(-messages_needed(99.0) * 10 * seconds // max(9 * trial.latency[tag].count, 1))
    width = min(width, seconds)
    sums: dict[int, HdrHistogram] = {}
    for second, histogram in sorted(logged.get(tag, {}).items()):
        if second < trial.measure_to_s:
            place = (second - trial.measure_from_s) // width
            sums.setdefault(place, new_histogram()).add(histogram)
    for place, histogram in sums.items():
        values = Distribution.of(histogram)
        yield {
            "tag": tag,
            "from_s": max(place * width, -trial.measure_from_s),
            "to_s": min((place + 1) * width, seconds),
            "count": values.count,
            "p50": values.reliable(PERCENTILES["p50"]),
            "p99": values.reliable(PERCENTILES["p99"]),
            "max": values.max_ns,
        }


def widest(seconds: pd.DataFrame) -> int:
    """Return the width of a bin in whole seconds; 1 where there is none."""
    widths = seconds["to_s"] - seconds["from_s"]
    return int(widths.max()) if len(widths) else 1
