"""What the store keeps of a run, and the series made of it. Pure.

The store has one row a trial and metric; a trial that cannot be trusted has none. Each row says
what must be alike for two figures to be comparable (`KEY`): rows that are alike in it make one
series, with one point a run, the geometric mean of its trials.

Points stand in the order of commits, not of measurements, so that an old commit measured today
takes its place among the old ones. Where each run of a series knows its position among first
parents, that orders it; else the time of the commit does, or of the measurement where a run
knows none of its commit. Runs of a branch are no part of the main series: its own begins with the
main one up to where the branch left it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.host.hostclass import host_class
from bench.results.records import RunRecord
from bench.scenario.scenario import Workload
from reports.dataset import Dataset
from reports.history.commit import COMMIT, UNKNOWN, MeasuredCommit

STORE_VERSION = 2
KEY = ("scenario", "mode", "target", "workload", "load", "metric", "host_class")
"""What two figures share that may stand in one series."""
COLUMNS = (
    *("store_version", "run_id", "seed", "trial", "trial_utc", "repetition"),
    *KEY,
    *("value", "time_utc"),
    *COMMIT,
)
FILE = "file"
"""Column of rows that were read: the file they stand in. There is one a run, whatever the run is called."""
_STRETCH = 3
"""Usual distances of its runs without one before a series is silent or has ended, if that is longer."""
_PACE_POINTS = 20
PERCENTILES = ("p50", "p99", "p99.9")
"""Of latencies, that a history keeps."""


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

    @property
    def direction(self) -> str:
        """Which is better: lower or higher."""
        return "lower" if self.lower_is_better else "higher"


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
    for percentile in PERCENTILES
} | {
    "achieved rate": SeriesMetric(lower_is_better=False, scale=1.0, unit="msg/s"),
    "broker CPU": SeriesMetric(lower_is_better=True, scale=1.0, unit="µs/msg"),
}
"""Metrics of the store, by name. Latencies are stored in ns."""


def rows(data: Dataset, measured: MeasuredCommit | str) -> pd.DataFrame:
    """Return the rows of all usable trials of a run, background traffic aside, columns as in COLUMNS.

    Args:
        data: of one run.
        measured: what it measured, or any word for it.
    """
    measured = MeasuredCommit(measured) if isinstance(measured, str) else measured
    [run] = data.runs
    found = _figures(data)
    found = found[(found["value"] > 0) & (found["value"] < float("inf"))]  # also leaves NaN out
    loads = {workload.name: load_digest(workload) for workload in run.scenario.workloads}
    found = found.rename(columns={"index": "trial", "start_utc": "trial_utc"}).assign(
        **_common(run, measured), load=found["workload"].map(loads)
    )
    return found[list(COLUMNS)].reset_index(drop=True)


def _common(run: RunRecord, measured: MeasuredCommit) -> dict[str, Any]:
    return {
        "store_version": STORE_VERSION,
        "run_id": run.run_id,
        "seed": run.seed,
        "scenario": run.scenario.name,
        "mode": run.mode,
        "host_class": host_class(run.host),
        "time_utc": run.started_utc,
        **measured.columns(),
    }


def load_digest(workload: Workload) -> str:
    """Return eight digits that change with anything a workload does; fields left at their default do not matter."""
    text = workload.model_dump_json(exclude_defaults=True, exclude={"description", "part_of", "at", "received_at"})
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _figures(data: Dataset) -> pd.DataFrame:
    background = [workload.name for workload in data.scenario.workloads if workload.background]
    usable = data.trials[data.trials["usable"] & ~data.trials["workload"].isin(background)]
    columns = ["run_id", "index", "tag", "entered", *(f"{way}{name}" for way in ("", "all_") for name in PERCENTILES)]
    timed = usable.merge(data.latency[columns], on=["run_id", "index", "tag"])
    timed = timed[timed["receipt"] != "both"].copy()
    timed["tag"] = timed["tag"] + np.where(timed["receipt"] == "kernel", BY_KERNEL, "")
    plain, metered = timed[timed["entered"].isna()], timed[timed["entered"].notna()]
    parts = [
        *((plain, name + " " + plain["tag"], plain[name]) for name in PERCENTILES),
        *((metered, name + " " + metered["tag"], metered[f"all_{name}"]) for name in PERCENTILES),
        *((metered, name + " " + metered["tag"] + UNDISTURBED, metered[name]) for name in PERCENTILES),
        (usable, pd.Series("achieved rate", usable.index), usable["received_rate"]),
        (usable, pd.Series("broker CPU", usable.index), usable["broker_cpu_us_per_message"].astype(float)),
    ]
    return pd.concat(
        [
            frame[["index", "start_utc", "repetition", "target", "workload"]].assign(metric=metric, value=value)
            for frame, metric, value in parts
        ],
        ignore_index=True,
    )


@dataclass(frozen=True)
class Series:
    """One metric of one workload on one target, under one scenario, on one class of hosts, over commits.

    Attributes:
        name: eight digits that stand for all of `key`.
        key: values of `KEY`, by name.
        metric: how its metric reads.
        values: one a run, in the unit of the store.
        trials: how many each is the mean of.
        run_ids, commits: one a run, in order of commits.
        times: when each was measured.
        parents: first parent of each commit; empty where it is not known.
        branch: whose series it is; empty for the main one.
        begin: index of the branch's first point; those before it are the main one's.
    """

    name: str
    key: dict[str, str]
    metric: SeriesMetric
    values: NDArray[np.float64]
    trials: tuple[int, ...]
    run_ids: tuple[str, ...]
    commits: tuple[str, ...]
    times: tuple[datetime, ...]
    parents: tuple[str, ...] = ()
    branch: str = ""
    begin: int = 0

    @property
    def title(self) -> str:
        """What it is of, without the class of hosts."""
        quick = ", quick" if self.key["mode"] == "quick" else ""
        return f"{self.key['target']}, {self.key['workload']}: {self.key['metric']} ({self.key['scenario']}{quick})"

    @property
    def newest(self) -> datetime:
        """When it was measured last."""
        return max(self.times)

    @property
    def runs_a_week(self) -> float | None:
        """Of the last 20 of them; None where that cannot be told."""
        late = sorted(self.times)[-_PACE_POINTS:]
        taken = late[-1] - late[0]
        return (len(late) - 1) * timedelta(weeks=1) / taken if taken > timedelta(0) else None

    def without_run(self, now: datetime, limit: timedelta) -> timedelta | None:
        """Return how long it has had no run, where that is longer than a limit and than its usual distances."""
        late = sorted(self.times)[-_PACE_POINTS:]
        usual = float(np.median([(b - a).total_seconds() for a, b in pairwise(late)] or [0.0]))
        gap = now - self.newest
        return gap if gap > max(limit, timedelta(seconds=_STRETCH * usual)) else None


def series_of(rows: pd.DataFrame, branch: str = "", metrics: Mapping[str, SeriesMetric] = METRICS) -> list[Series]:
    """Return the series of a store, those of a scenario together; metrics that are not known are left out.

    Args:
        rows: as `store.Store.rows` returns them.
        branch: whose series; by default those of the main branch.
        metrics: how each reads.
    """
    points = _points(rows[rows["metric"].isin(metrics.keys())])
    made = []
    for key, group in points.groupby(list(KEY), sort=True):
        names = [str(part) for part in key]
        main = group[group["on_main"]]
        own = group[~group["on_main"] & (group["branch"] == branch)]
        if (branch and own.empty) or (main.empty and not branch):
            continue
        ordered = _in_order(main)
        begin = 0
        if branch:
            own = _of_newest_base(own)
            before = ordered[_until_base(ordered, own)]
            begin, ordered = len(before), pd.concat([before, own], ignore_index=True)
        made.append(
            Series(
                name=_digits(names),
                key=dict(zip(KEY, names, strict=True)),
                metric=metrics[names[KEY.index("metric")]],
                values=np.exp(ordered["value"].to_numpy(float)),
                trials=tuple(ordered["trials"].tolist()),
                run_ids=tuple(ordered["run_id"].tolist()),
                commits=tuple(ordered["commit"].tolist()),
                times=tuple(ordered["time"].tolist()),
                parents=tuple(ordered["parent"].tolist()),
                branch=branch,
                begin=begin,
            )
        )
    return made


def branches_of(rows: pd.DataFrame) -> dict[str, int]:
    """Return how many runs each branch beside the main one has, those measured last first."""
    others = rows[rows["branch"] != rows["main"]].drop_duplicates(FILE).sort_values("time_utc", ascending=False)
    return {str(name): int((others["branch"] == name).sum()) for name in others["branch"].drop_duplicates()}


def _points(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row a run and series: the mean of its logarithms, and where it stands."""
    first = ["run_id", *COMMIT, "time_utc"]
    points = (
        rows.assign(value=np.log(rows["value"]))
        .groupby([*KEY, FILE], sort=True, observed=True)
        .agg(value=("value", "mean"), trials=("value", "size"), **{name: (name, "first") for name in first})
        .reset_index()
    )
    times = {name: _times(points[name]) for name in ("time_utc", "committed_utc", "base_committed_utc")}
    return points.assign(
        on_main=points["branch"] == points["main"],
        time=times["time_utc"],
        moment=times["committed_utc"].fillna(times["time_utc"]),
        base_moment=times["base_committed_utc"],
    )


def _times(texts: "pd.Series[str]") -> "pd.Series[pd.Timestamp]":
    # Of one precision, whatever the texts have: one column fills gaps of another.
    return pd.to_datetime(texts.where(texts != ""), utc=True, format="ISO8601").astype("datetime64[us, UTC]")


def _in_order(points: pd.DataFrame) -> pd.DataFrame:
    first = ["position"] if (points["position"] != UNKNOWN).all() else []
    return points.sort_values([*first, "moment", "time", FILE], ignore_index=True)


def _of_newest_base(points: pd.DataFrame) -> pd.DataFrame:
    """Return the points of a branch that left the main one where its newest did, in order.

    Others were made before the branch was rebased, or took in the main one: their level may be of another base.
    """
    ordered = _in_order(points)
    newest = points.sort_values(["time", FILE]).iloc[-1]
    kept: pd.DataFrame = ordered[ordered["base"] == newest["base"]]
    return kept.reset_index(drop=True)


def _until_base(main: pd.DataFrame, own: pd.DataFrame) -> "pd.Series[bool]":
    """Return which points of the main branch a branch grew from."""
    base = own.iloc[0]
    if base["base_position"] != UNKNOWN and (main["position"] != UNKNOWN).all():
        return main["position"].le(base["base_position"])
    left = base["base_moment"] if pd.notna(base["base_moment"]) else own["moment"].min()
    return main["moment"].le(left)


def _digits(names: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(names).encode()).hexdigest()[:8]
