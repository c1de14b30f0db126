"""The append-only store: a folder of Parquet files, one a run, a confirmation and a metric of another tool.

```
history/
  runs/<run-id>-<seed>.parquet        columns as in `series.COLUMNS`
  confirmed/<series>-<run-id>.parquet columns as in CONFIRMED
  metrics/<digits>.parquet            columns as in METRIC: one that another tool brought
```

Files are written once and whole, and never changed.
"""

import hashlib
import math
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bench.results.parquet_table import read_table
from bench.results.schema_versions import newer_words
from brokers.plain_text import printable
from reports.errors import ReportError
from reports.history.series import COLUMNS, METRICS, STORE_VERSION, SeriesMetric

CONFIRMED = ("series", "run_id", "by", "verdict", "ratio", "low", "high", "n")
"""One row a confirmation: the series, the first run of the new level, the run that compared old and new, and what
that comparison said of the new side."""

METRIC = ("metric", "unit", "direction")
"""How a metric of another tool reads; its direction is `lower` or `higher`, whichever is better."""

_NUMBERED = {"store_version", "seed", "trial", "repetition", "n"}
_MEASURED = {"value", "ratio", "low", "high"}


@dataclass(frozen=True)
class _Column:
    words: str
    holds: Callable[["pd.Series[Any]"], bool]


_WHOLE = _Column("whole numbers", pd.api.types.is_integer_dtype)
_POSITIVE = _Column(
    "positive numbers",
    lambda held: pd.api.types.is_numeric_dtype(held) and bool(((held > 0) & (held < math.inf)).all()),
)
_TEXT = _Column("text", lambda held: bool(held.map(lambda one: isinstance(one, str)).all()))


@dataclass(frozen=True)
class Store:
    """A store in a folder, which is made when something is added."""

    folder: Path

    def add(self, frame: pd.DataFrame) -> bool:
        """Append the rows of one run; return False where that run is in the store already.

        Raises:
            ReportError: the folder cannot be written.
        """
        first = frame.iloc[0]
        return self._write(self.folder / "runs" / f"{_safe(first['run_id'])}-{first['seed']}.parquet", frame)

    def confirm(self, frame: pd.DataFrame) -> bool:
        """Append a confirmation; return False where that change has one.

        Raises:
            ReportError: the folder cannot be written.
        """
        first = frame.iloc[0]
        name = f"{first['series']}-{_safe(first['run_id'])}.parquet"
        return self._write(self.folder / "confirmed" / name, frame)

    def rows(self) -> pd.DataFrame:
        """Return all rows.

        Raises:
            ReportError: the store is empty, or a file in it is none of ours or of a newer version.
        """
        frame = self._read("runs", COLUMNS)
        if frame.empty:
            message = f"--store {self.folder} holds no run: add one with `bench history add results/latest`."
            raise ReportError(message)
        return frame

    def confirmations(self) -> pd.DataFrame:
        """Return all confirmations.

        Raises:
            ReportError: a file is none of ours.
        """
        return self._read("confirmed", CONFIRMED)

    def metrics(self) -> dict[str, SeriesMetric]:
        """Return how each metric reads: ours, and those that other tools brought.

        Raises:
            ReportError: a file is none of ours.
        """
        kept = self._read("metrics", METRIC)
        brought = {
            metric: SeriesMetric(direction != "higher", 1.0, unit)
            for metric, unit, direction in kept.itertuples(index=False, name=None)
        }
        return brought | METRICS

    def keep_metric(self, name: str, metric: SeriesMetric) -> bool:
        """Keep how a metric of another tool reads; return False where that is kept already.

        Raises:
            ReportError: the folder cannot be written.
        """
        row = (name, metric.unit, metric.direction)
        digits = hashlib.sha256(name.encode()).hexdigest()[:16]
        return self._write(self.folder / "metrics" / f"{digits}.parquet", pd.DataFrame([row], columns=list(METRIC)))

    def _read(self, name: str, columns: tuple[str, ...]) -> pd.DataFrame:
        """Return the rows of all files; a store may come from anybody, so that each file is checked."""
        parts = [pd.DataFrame(columns=list(columns))]
        for file in sorted((self.folder / name).glob("*.parquet")):
            try:
                frame = read_table(file)
                _refuse_newer(file, frame)
                parts.append(_sound(frame, columns))
            except (OSError, ValueError) as error:
                said = str(error).splitlines()[0]
                message = (
                    f"--store {self.folder}: {name}/{file.name} cannot be read ({said}): move it away, or name another."
                )
                raise ReportError(message) from None
        whole = [part for part in parts if len(part)]
        return pd.concat(whole, ignore_index=True) if whole else parts[0]

    def _write(self, file: Path, frame: pd.DataFrame) -> bool:
        if file.exists():
            return False
        part = file.with_name(f".{file.name}.{os.getpid()}.part")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            frame.to_parquet(part, index=False)
            part.replace(file)
        except OSError as error:
            with suppress(OSError):
                part.unlink()
            message = f"--store {self.folder} cannot be written ({error.strerror}): name another folder."
            raise ReportError(message) from None
        return True


def _refuse_newer(file: Path, frame: pd.DataFrame) -> None:
    """Refuse what a newer version wrote; its columns may be others, so that this comes first."""
    versions = frame.get("store_version")
    if versions is None or not len(versions) or not pd.api.types.is_integer_dtype(versions):
        return
    if (newest := int(versions.max())) > STORE_VERSION:
        raise ReportError(newer_words(file, "store_version", newest, STORE_VERSION))


def _sound(frame: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    """Return the columns of a file, their texts escaped; raise ValueError where they hold something else."""
    if missing := [name for name in columns if name not in frame.columns]:
        message = f"it has no column {', '.join(missing)}"
        raise ValueError(message)
    frame = frame[list(columns)].copy()
    for name in columns:
        kind = _WHOLE if name in _NUMBERED else _POSITIVE if name in _MEASURED else _TEXT
        if not len(frame):
            continue
        if not kind.holds(frame[name]):
            message = f"its column {name} holds something else than {kind.words}"
            raise ValueError(message)
        if kind is _TEXT:
            frame[name] = frame[name].map(printable)
    if "time_utc" in columns:
        pd.to_datetime(frame["time_utc"], utc=True, format="ISO8601")
    return frame


def _safe(name: str) -> str:
    return re.sub(r"[^\w.-]", "_", name)
