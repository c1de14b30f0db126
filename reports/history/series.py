"""What the store keeps of a run, and the series made of it. Pure.

The store has one row a trial and metric; a trial that cannot be trusted has none. Each row says
what must be alike for two figures to be comparable (`KEY`): rows that are alike in it make one
series, with one point a run, the geometric mean of its trials.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

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
UNDISTURBED = " without pauses"
"""How the name of a metric ends whose percentiles leave the host's pauses out: it is a series of its own."""
BY_KERNEL = " by the kernel"
"""What the name of a latency has where messages are received when the kernel has them, again a series of its own."""
METRICS = {
    f"{percentile} {tag}{by}{end}": _LATENCY
    for end in ("", UNDISTURBED)
    for by in ("", BY_KERNEL)
    for tag in ("response", "service")
    for percentile in _PERCENTILES
} | {
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
    text = workload.model_dump_json(exclude_defaults=True, exclude={"description", "part_of", "received_at"})
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _figures(data: Dataset) -> pd.DataFrame:
    usable = data.trials[data.trials["usable"]]
    columns = ["run_id", "index", "tag", "entered", *(f"{way}{name}" for way in ("", "all_") for name in _PERCENTILES)]
    timed = usable.merge(data.latency[columns], on=["run_id", "index", "tag"])
    timed = timed[timed["receipt"] != "both"].copy()
    timed["tag"] = timed["tag"] + np.where(timed["receipt"] == "kernel", BY_KERNEL, "")
    plain, metered = timed[timed["entered"].isna()], timed[timed["entered"].notna()]
    parts = [
        *((plain, name + " " + plain["tag"], plain[name]) for name in _PERCENTILES),
        *((metered, name + " " + metered["tag"], metered[f"all_{name}"]) for name in _PERCENTILES),
        *((metered, name + " " + metered["tag"] + UNDISTURBED, metered[name]) for name in _PERCENTILES),
        (usable, pd.Series("achieved rate", usable.index), usable["received_rate"]),
        (usable, pd.Series("broker CPU", usable.index), usable["broker_cpu_us_per_message"].astype(float)),
    ]
    return pd.concat(
        [
            frame[["index", "repetition", "target", "workload"]].assign(metric=metric, value=value)
            for frame, metric, value in parts
        ],
        ignore_index=True,
    )


@dataclass(frozen=True)
class Series:
    """One metric of one workload on one target, under one scenario, on one class of hosts, over time.

    Attributes:
        name: eight digits that stand for all of `key`.
        key: values of `KEY`, by name.
        values: one a run, in the unit of the store.
        trials: how many each is the mean of.
        run_ids, commits, times: one a run, in order of time.
    """

    name: str
    key: dict[str, str]
    values: NDArray[np.float64]
    trials: tuple[int, ...]
    run_ids: tuple[str, ...]
    commits: tuple[str, ...]
    times: tuple[datetime, ...]

    @property
    def metric(self) -> SeriesMetric:
        """How its metric reads."""
        return METRICS[self.key["metric"]]

    @property
    def title(self) -> str:
        """What it is of, without the class of hosts."""
        quick = ", quick" if self.key["mode"] == "quick" else ""
        return f"{self.key['target']}, {self.key['workload']}: {self.key['metric']} ({self.key['scenario']}{quick})"


def series_of(rows: pd.DataFrame) -> list[Series]:
    """Return the series of a store, those of a scenario together; metrics that are not known are left out."""
    known = rows[rows["metric"].isin(METRICS.keys())]
    points = (
        known.assign(
            logarithm=np.log(known["value"]), time=pd.to_datetime(known["time_utc"], utc=True, format="ISO8601")
        )
        .groupby([*KEY, "run_id", "seed"], sort=True, observed=True)
        .agg(
            value=("logarithm", "mean"),
            trials=("logarithm", "size"),
            time=("time", "first"),
            commit=("commit", "first"),
        )
        .reset_index()
    )
    made = []
    for key, group in points.groupby(list(KEY), sort=True):
        names = [str(part) for part in key]
        ordered = group.sort_values(["time", "run_id"])
        made.append(
            Series(
                name=_digits(names),
                key=dict(zip(KEY, names, strict=True)),
                values=np.exp(ordered["value"].to_numpy(float)),
                trials=tuple(ordered["trials"].tolist()),
                run_ids=tuple(ordered["run_id"].tolist()),
                commits=tuple(ordered["commit"].tolist()),
                times=tuple(ordered["time"].tolist()),
            )
        )
    return made


def _digits(names: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(names).encode()).hexdigest()[:8]
