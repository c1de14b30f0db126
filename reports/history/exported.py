"""A store as one CSV: a line a trial and metric, in the columns that `formats.plain_csv` reads. Pure."""

from collections.abc import Mapping

import pandas as pd

from reports.history.formats.plain_csv import COLUMNS
from reports.history.series import SeriesMetric

_NAMES = {"time_utc": "time", "run_id": "run", "committed_utc": "committed"}


def to_history_csv(rows: pd.DataFrame, metrics: Mapping[str, SeriesMetric]) -> str:
    """Return the rows of a store as CSV, in order of time, values in the unit that is named beside them.

    Args:
        rows: columns as `series.COLUMNS`.
        metrics: how each reads; rows of others are left out.
    """
    known = rows[rows["metric"].isin(metrics.keys())]
    read = known["metric"].map(metrics)
    frame = known.assign(
        value=known["value"] * read.map(lambda one: one.scale),
        unit=read.map(lambda one: one.unit),
        direction=read.map(lambda one: one.direction),
        branch=known["branch"].where(known["branch"] != known["main"], ""),
        at=pd.to_datetime(known["time_utc"], utc=True, format="ISO8601"),
    )
    ordered = frame.sort_values(["at", "run_id", "target", "workload", "metric", "repetition"], kind="stable")
    return ordered.rename(columns=_NAMES)[list(COLUMNS)].to_csv(index=False, lineterminator="\n")
