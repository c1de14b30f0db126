"""From the rows of the store to series: one point a run, the geometric mean of its trials. Pure."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.history.points import KEY, METRICS, SeriesMetric


@dataclass(frozen=True)
class Series:
    """One metric of one workload on one target, under one scenario, on one class of hosts, over time.

    Attributes:
        name: eight digits that stand for all of `key`.
        key: values of `points.KEY`, by name.
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
        known.assign(logarithm=np.log(known["value"]), time=pd.to_datetime(known["time_utc"], utc=True))
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
