"""Every table of a report as CSV, one a file: those of the summary, and the trials behind them."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from reports.dataset import Dataset
from reports.model import Model
from reports.summary import Summary

_TABLES = (
    "answers", "targets", "cells", "comparisons", "counts", "costs", "idles", "knees", "sustained", "ledger", "notes",
    "left_out", "absent", "settings", "differing", "environment", "runs",
)  # fmt: skip
_FRAMES = ("trials", "latency", "seconds", "events")


def to_csv(summary: Summary, data: Dataset) -> dict[str, str]:
    """Return file name -> CSV text.

    Nested values get columns of their own, named by their path, such as `latency_ns.p99.estimate`;
    what has no number is empty, and what has no bound is `inf`.
    """
    files = {f"{name}.csv": _text([_flat(row) for row in getattr(summary, name)]) for name in _TABLES}
    return files | {f"{name}.csv": _frame(getattr(data, name)) for name in _FRAMES}


def _flat(row: Model) -> dict[str, Any]:
    flat: dict[str, Any] = {}

    def put(path: str, value: object) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                put(f"{path}.{key}" if path else str(key), inner)
        elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
            for place, inner in enumerate(value):
                put(f"{path}.{place}", inner)
        else:
            flat[path] = "; ".join(map(str, value)) if isinstance(value, list) else value

    put("", row.model_dump(mode="json"))
    return flat


def _text(rows: Sequence[dict[str, Any]]) -> str:
    return _frame(pd.DataFrame(list(rows)))


def _frame(frame: pd.DataFrame) -> str:
    return "" if not len(frame.columns) else frame.to_csv(index=False, lineterminator="\n")
