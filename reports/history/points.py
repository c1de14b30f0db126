"""From a results folder to the rows of the store: one a trial and metric.

A trial that cannot be trusted has no row. What makes two figures comparable stands in
each row: scenario, mode, target, workload with a digest of its fields, host class.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.host.hostclass import host_class
from bench.results.records import RunRecord
from bench.scenario.scenario import Workload
from reports.dataset import Dataset

STORE_VERSION = 1
KEY = ("scenario", "mode", "target", "workload", "load", "metric", "host_class")
"""What two figures share that may stand in one series."""
COLUMNS = ("store_version", "run_id", "seed", "trial", "repetition", *KEY, "value", "commit", "time_utc")
_PERCENTILES = ("p50", "p99", "p99.9")


@dataclass(frozen=True)
class SeriesMetric:
    """How a metric reads.

    Attributes:
        lower_is_better: as for a latency.
        scale: from the stored unit to the printed one.
        unit: printed.
    """

    lower_is_better: bool
    scale: float
    unit: str


_LATENCY = SeriesMetric(lower_is_better=True, scale=1e-6, unit="ms")
METRICS = {f"{percentile} {tag}": _LATENCY for tag in ("response", "service") for percentile in _PERCENTILES} | {
    "achieved rate": SeriesMetric(lower_is_better=False, scale=1.0, unit="msg/s"),
    "broker CPU": SeriesMetric(lower_is_better=True, scale=1.0, unit="µs/msg"),
}
"""Metrics of the store, by name. Latencies are stored in ns."""


def rows(data: Dataset, commit: str) -> pd.DataFrame:
    """Return the rows of all usable trials of a run, columns as in COLUMNS.

    Args:
        data: of one run.
        commit: of the user's repository, or any word for what was measured.
    """
    [run] = data.runs
    found = _figures(data)
    found = found[(found["value"] > 0) & (found["value"] < float("inf"))]  # also leaves NaN out
    loads = {workload.name: load_digest(workload) for workload in run.scenario.workloads}
    found = found.rename(columns={"index": "trial"}).assign(**_common(run, commit), load=found["workload"].map(loads))
    return found[list(COLUMNS)].reset_index(drop=True)


def _common(run: RunRecord, commit: str) -> dict[str, Any]:
    return {
        "store_version": STORE_VERSION,
        "run_id": run.run_id,
        "seed": run.seed,
        "scenario": run.scenario.name,
        "mode": run.mode,
        "host_class": host_class(run.host),
        "commit": commit,
        "time_utc": run.started_utc,
    }


def load_digest(workload: Workload) -> str:
    """Return eight digits that change with anything a workload does; fields left at their default do not matter."""
    text = workload.model_dump_json(exclude_defaults=True, exclude={"description", "part_of"})
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _figures(data: Dataset) -> pd.DataFrame:
    usable = data.trials[data.trials["usable"]]
    timed = usable.merge(data.latency[["run_id", "index", "tag", *_PERCENTILES]], on=["run_id", "index", "tag"])
    parts = [
        *((timed, name + " " + timed["tag"], timed[name]) for name in _PERCENTILES),
        (usable, pd.Series("achieved rate", usable.index), usable["achieved_rate"]),
        (usable, pd.Series("broker CPU", usable.index), usable["broker_cpu_us_per_message"].astype(float)),
    ]
    return pd.concat(
        [
            frame[["index", "repetition", "target", "workload"]].assign(metric=metric, value=value)
            for frame, metric, value in parts
        ],
        ignore_index=True,
    )
