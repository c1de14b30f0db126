"""The append-only store: a folder of Parquet files, one a run, a judgement and a metric of another tool.

```
history/
  runs/<run-id>-<seed>-<digits>.parquet      columns as in `series.COLUMNS`
  confirmed/<series>-<run-id>.parquet        columns as in CONFIRMED
  accepted/<series>-<run-id>-<what>.parquet  columns as in ACCEPTED
  metrics/<digits>.parquet                   columns as in METRIC: one that another tool brought
```

Files are written once and whole, and never changed. What cannot be read later is not let in. A
store may still come from anybody, or from a newer version: a file with a fault is left out and
named, and says nothing against the others.
"""

import hashlib
import math
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from bench.results.parquet_table import read_table
from bench.results.schema_versions import newer_words
from brokers.plain_text import printable
from reports.errors import ReportError
from reports.history.commit import MeasuredCommit
from reports.history.series import COLUMNS, FILE, METRICS, STORE_VERSION, SeriesMetric

CONFIRMED = ("series", "run_id", "by", "verdict", "ratio", "low", "high", "n")
"""One row a confirmation: the series, the first run of the new level, the run that compared old and new, and what
that comparison said of the new side."""
ACCEPTED = ("series", "run_id", "what", "why")
"""One row an acceptance: the series, the run, what was accepted (LEVEL or END) and why, in words."""
LEVEL, END = "level", "end"
"""A new level that begins with a run, and a series that ends with it."""

METRIC = ("metric", "unit", "direction")
"""How a metric of another tool reads; its direction is `lower` or `higher`, whichever is better."""

_NUMBERED = {"store_version", "seed", "trial", "repetition", "n", "position", "base_position"}
_MEASURED = {"value", "ratio", "low", "high"}
_TIMES = {"time_utc", "committed_utc", "base_committed_utc"}
_YEARS = range(1970, 2200)
_MAY_BE_EMPTY = {"committed_utc", "base_committed_utc"}
_SINCE_2 = {"trial_utc": "", **{name: of for name, of in MeasuredCommit("").columns().items() if name != "commit"}}
"""Columns that version 1 lacks: its runs are of the main branch, in the order in which they were measured."""


@dataclass(frozen=True)
class _Column:
    words: str
    holds: Callable[["pd.Series[Any]"], bool]


_WHOLE = _Column("whole numbers", pd.api.types.is_integer_dtype)
_POSITIVE = _Column(
    "positive numbers",
    lambda held: pd.api.types.is_numeric_dtype(held) and bool(((held > 0) & (held < math.inf)).all()),
)
_TEXT = _Column("text", lambda held: all(isinstance(one, str) for one in held.unique()))


@dataclass(frozen=True)
class Stored:
    """What a store holds.

    Attributes:
        rows: of all runs, columns as in `series.COLUMNS`, and the file that each stands in.
        confirmations, acceptances: columns as in CONFIRMED and ACCEPTED.
        metrics: how each metric reads: ours, and those that other tools brought.
        skipped: a sentence for each file that cannot be read.
    """

    rows: pd.DataFrame
    confirmations: pd.DataFrame
    acceptances: pd.DataFrame
    metrics: dict[str, SeriesMetric]
    skipped: tuple[str, ...]


@dataclass(frozen=True)
class Store:
    """A store in a folder, which is made when something is added."""

    folder: Path

    def add(self, frame: pd.DataFrame) -> bool:
        """Append the rows of one run; return False where that run is in the store already.

        Two runs may have one name and seed, if two hosts began them within a second. They are one
        where the hosts are of one class and a trial began in the same microsecond.

        Raises:
            ReportError: a column holds what could not be read again, or the folder cannot be written.
        """
        try:
            frame = _sound(_of_columns(frame, COLUMNS))
        except ValueError as error:
            message = f"run {printable(str(frame.iloc[0].get('run_id', '')))} is not added: {error}."
            raise ReportError(message) from None
        first = frame.sort_values("trial").iloc[0]
        name = f"{_safe(first['run_id'])}-{first['seed']}"
        for file in sorted((self.folder / "runs").glob(f"{name}*.parquet")):
            with suppress(OSError, ValueError, KeyError):  # a file with a fault is no run
                if _is_same_run(read_table(file), frame):
                    return False
        digits = hashlib.sha256("\0".join(first[["host_class", "time_utc", "trial_utc"]]).encode()).hexdigest()[:8]
        return self._write(self.folder / "runs" / f"{name}-{digits}.parquet", frame)

    def confirm(self, frame: pd.DataFrame) -> bool:
        """Append a confirmation; return False where that change has one.

        Raises:
            ReportError: the folder cannot be written.
        """
        first = frame.iloc[0]
        name = f"{first['series']}-{_safe(first['run_id'])}.parquet"
        return self._write(self.folder / "confirmed" / name, frame)

    def accept(self, frame: pd.DataFrame) -> bool:
        """Append an acceptance; return False where it is there already.

        Raises:
            ReportError: the folder cannot be written.
        """
        first = frame.iloc[0]
        name = f"{first['series']}-{_safe(first['run_id'])}-{first['what']}.parquet"
        return self._write(self.folder / "accepted" / name, frame)

    def read(self) -> Stored:
        """Return everything that can be read, and what cannot.

        Raises:
            ReportError: it holds no run that can be read.
        """
        skipped: list[str] = []
        rows = self._read("runs", COLUMNS, skipped)
        if rows.empty:
            message = f"--store {self.folder} holds no run: add one with `bench history add results/latest`."
            if skipped:
                more = f" (and {len(skipped) - 1} more)" if len(skipped) > 1 else ""
                message = f"--store {self.folder} holds no run that can be read: {skipped[0]}{more}"
            raise ReportError(message)
        confirmations = self._read("confirmed", CONFIRMED, skipped)
        acceptances = self._read("accepted", ACCEPTED, skipped)
        return Stored(rows, confirmations, acceptances, self._metrics(skipped), tuple(skipped))

    def metrics(self) -> dict[str, SeriesMetric]:
        """Return how each metric reads: ours, and those that other tools brought."""
        return self._metrics([])

    def _metrics(self, skipped: list[str]) -> dict[str, SeriesMetric]:
        kept = self._read("metrics", METRIC, skipped)
        brought = {
            metric: SeriesMetric(direction != "higher", 1.0, unit)
            for metric, unit, direction in kept[list(METRIC)].itertuples(index=False, name=None)
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

    def _read(self, name: str, columns: tuple[str, ...], skipped: list[str]) -> pd.DataFrame:
        parts: dict[Path, pd.DataFrame] = {}
        for file in sorted((self.folder / name).glob("*.parquet")):
            try:
                frame = read_table(file)
                _refuse_newer(frame)
                parts[file] = _of_columns(_upgraded(frame), columns).assign(**{FILE: file.stem})
            except (OSError, ValueError) as error:
                skipped.append(_left_out(file, error))
        filled = {file: part for file, part in parts.items() if len(part)}
        if not filled:
            return pd.DataFrame(columns=[*columns, FILE])
        try:
            return _sound(
                pd.concat(filled.values(), ignore_index=True)
            )  # thousands at once, as most stores have no fault
        except ValueError:
            pass
        sound = []
        for file, part in filled.items():
            try:
                sound.append(_sound(part))
            except ValueError as error:
                skipped.append(_left_out(file, error))
        return pd.concat(sound, ignore_index=True) if sound else pd.DataFrame(columns=[*columns, FILE])

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


def files_of(stored: pd.DataFrame, added: pd.DataFrame) -> set[str]:
    """Return in which files of rows that were read a run stands: one, or none where it was not stored."""
    try:
        run = _sound(_of_columns(added, COLUMNS))
    except ValueError:  # it would not be stored, either
        return set()
    alike = stored[stored["run_id"].isin(run["run_id"]) & stored["seed"].isin(run["seed"])]
    return {str(file) for file, rows in alike.groupby(FILE) if _is_same_run(rows, run)}


def _is_same_run(stored: pd.DataFrame, added: pd.DataFrame) -> bool:
    """Return whether rows with one run id and seed are of one run."""
    keys = ["run_id", "seed", "host_class", "time_utc"]
    if "trial_utc" in stored.columns:  # not in version 1
        keys += ["trial", "trial_utc"]
    return len(stored[keys].drop_duplicates().merge(added[keys].drop_duplicates())) > 0


def _refuse_newer(frame: pd.DataFrame) -> None:
    """Refuse what a newer version wrote; its columns may be others, so that this comes first."""
    versions = frame.get("store_version")
    if versions is None or not len(versions) or not pd.api.types.is_integer_dtype(versions):
        return
    if (newest := int(versions.max())) > STORE_VERSION:
        raise ValueError(newer_words("it", "store_version", newest, STORE_VERSION))


def _upgraded(frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows of version 1 as version 2 has them; others as they are."""
    versions = frame.get("store_version")
    if versions is None or not len(versions) or set(versions) != {1}:
        return frame
    return frame.assign(**_SINCE_2)


def _left_out(file: Path, error: Exception) -> str:
    return f"{file.parent.name}/{printable(file.name)} is left out: {printable(str(error).splitlines()[0])}"


def _of_columns(frame: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    """Return these columns of a table; raise ValueError where one is missing."""
    if missing := [name for name in columns if name not in frame.columns]:
        message = f"it has no column {', '.join(missing)}"
        raise ValueError(message)
    return frame[list(columns)]


def _sound(frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows with their texts escaped and times in UTC; raise ValueError where a column holds something else."""
    for name in frame.columns:
        kind = _WHOLE if name in _NUMBERED else _POSITIVE if name in _MEASURED else _TEXT
        if not kind.holds(frame[name]):
            message = f"its column {name} holds something else than {kind.words}"
            raise ValueError(message)
        if kind is _TEXT:
            texts = frame[name].unique()
            told = {text: _in_utc(name, text) if name in _TIMES else printable(text) for text in texts}
            frame = (
                frame.assign(**{name: frame[name].map(told)}) if any(told[text] != text for text in texts) else frame
            )
    return frame


def _in_utc(name: str, text: str) -> str:
    """Return a time in UTC; raise ValueError where it is none, or does not say how far it is from UTC."""
    if not text and name in _MAY_BE_EMPTY:
        return ""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        when = None
    if when is None or when.year not in _YEARS:
        message = f"its {name} {text[:40]!r} is no time of ISO 8601 from {_YEARS[0]} to {_YEARS[-1]}"
        raise ValueError(message)
    if when.tzinfo is None:
        message = f"its {name} {text[:40]!r} does not say how far it is from UTC: +00:00 is missing, or another offset"
        raise ValueError(message)
    return when.astimezone(UTC).isoformat()


def _safe(name: str) -> str:
    return re.sub(r"[^\w.-]", "_", name)
