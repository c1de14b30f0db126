"""The HdrHistogram log: version 1.2 of the format, with tags, written and read.

The writer is ours because the package's one writes no tags and fails on the start time; the
reader because it is to be quick, and to believe no stranger. The format is that of
HistogramLogReader (org.hdrhistogram:HdrHistogram): comments, of which `#[StartTime: …` and
`#[BaseTime: …` have a meaning, a legend, then `Tag=x,start_s,length_s,max_ms,payload`, where
the tag may be missing. Start times are relative to the base time; where none is told, they
are absolute, or relative to the start time if they lie more than a year before it.
"""

import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import numpy as np
from hdrh.histogram import HdrHistogram

from bench.record.geometry import Geometry
from bench.record.histogram import Int64, Seconds, encode, to_histogram
from bench.record.payload import any_buckets, buckets
from bench.units import NS_PER_MS
from bench.untrusted import read_text

_Decoded = TypeVar("_Decoded")
_LEGEND_BEGINS = '"StartTimestamp"'
_LEGEND = f'{_LEGEND_BEGINS},"Interval_Length","Interval_Max","Interval_Compressed_Histogram"'
MOST_BYTES = 2**28
"""Of a log; an hour of eight tags takes some 40 MB."""
_MOST_BUCKETS, _BUCKETS_A_BYTE = 1_000_000, 4
"""In a log, and more by its size: a bucket takes about a byte there; one that swells beyond is none of ours."""
UNTAGGED = ""
"""The tag of lines that carry none."""
_MOST_S = 10**9
_YEAR_S = 365 * 86_400
_MOST_ROWS = 2**21
"""Values that a log of another tool may tell apart, all tags together."""
_MOST_VALUES = 2**53
"""Of a tag: sums of so many stay exact."""
_NOTE = re.compile(r"#\[(StartTime|BaseTime): *([^ ,\]]+)")
FORMER_TAGS = {"slip": "send_lag", "blocked": "backpressure"}
"""What older logs call some tags; they are read under their names of today."""


def write(path: Path, start_epoch_s: float, latencies: Mapping[str, Seconds]) -> None:
    """Write one line for each second and tag that holds a value, in order of time.

    Args:
        path: the file, replaced where it exists.
        start_epoch_s: real time of second 0.
        latencies: by tag.
    """
    when = datetime.fromtimestamp(start_epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    lines = [
        "#[Histogram log format version 1.2]",
        f"#[StartTime: {start_epoch_s:.3f} (seconds since epoch), {when}]",
        f"#[BaseTime: {start_epoch_s:.3f} (seconds since epoch)]",
        _LEGEND,
    ]
    rows = [(second, tag) for tag, part in latencies.items() for second in np.unique(part.second).tolist()]
    for second, tag in sorted(rows):
        part = latencies[tag]
        chosen = part.second == second
        histogram = to_histogram(part.index[chosen], part.count[chosen])
        maximum_ms = histogram.get_max_value() / NS_PER_MS
        lines.append(f"Tag={tag},{second:.3f},1.000,{maximum_ms:.6f},{encode(histogram)}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read(path: Path) -> dict[str, dict[int, HdrHistogram]]:
    """Return tag -> second -> histogram.

    Raises:
        ValueError: see `read_seconds`.
    """
    return {
        tag: {
            second: to_histogram(part.index[part.second == second], part.count[part.second == second])
            for second in np.unique(part.second).tolist()
        }
        for tag, part in read_seconds(path).items()
    }


def read_seconds(path: Path, tags: Collection[str] | None = None) -> dict[str, Seconds]:
    """Return the buckets of each tag by second after the start, or of some tags.

    Intervals that round to one second add up. `Seconds.totals` is empty, as a log holds neither sums nor what was
    out of range.

    Raises:
        ValueError: a line is not of the format, or a histogram not of our range and precision; the message names
            file and line.
    """
    found: dict[str, list[tuple[int, Int64, Int64]]] = {}
    text = read_text(path, MOST_BYTES)
    left = _MOST_BUCKETS + _BUCKETS_A_BYTE * len(text)
    for tag, start_s, (index, count) in _Lines(text, str(path)).intervals(buckets, tags, FORMER_TAGS):
        if (left := left - len(index)) < 0:
            message = f"{path} swells to more buckets than a log of its size holds"
            raise ValueError(message)
        found.setdefault(tag, []).append((round(start_s), index, count))
    return {
        tag: Seconds(
            np.repeat([second for second, _, _ in parts], [len(index) for _, index, _ in parts]),
            np.concatenate([index for _, index, _ in parts]),
            np.concatenate([count for _, _, count in parts]),
            np.empty((0, 4), np.int64),
        )
        for tag, parts in found.items()
    }


@dataclass(frozen=True)
class Counts:
    """What a log holds of one tag, all intervals together: one row a non-empty bucket, in rising order.

    Attributes:
        highest: value that the bucket stands for, in the unit of the log; int64.
        count: values in it, int64.
    """

    highest: Int64
    count: Int64


@dataclass(frozen=True)
class WholeLog:
    """A log of any tool, each tag as a whole.

    Attributes:
        start_epoch_s: when it begins, seconds since the epoch.
        tags: what was counted, by tag; lines without a tag have `UNTAGGED`.
    """

    start_epoch_s: float
    tags: dict[str, Counts]


def read_whole(text: str, name: str) -> WholeLog:
    """Read the log of any tool, whatever its intervals, and the range and precision of its histograms.

    Args:
        text: of the log.
        name: of the file, for messages.

    Raises:
        ValueError: a line is not of the format, or counts are too many; the message names file and line.
    """
    lines, rows = _Lines(text, name), 0
    held: dict[tuple[str, Geometry], _Sum] = {}
    for tag, _, (geometry, index, count) in lines.intervals(any_buckets):
        held.setdefault((tag, geometry), _Sum()).add(index, count)
        rows += len(index)
        if rows > 2 * _MOST_ROWS:
            rows = sum(one.added_up() for one in held.values())
            if rows > _MOST_ROWS:
                message = f"{name}: it holds more than {_MOST_ROWS:,} different values"
                raise ValueError(message)
    parts: dict[str, list[tuple[Int64, Int64]]] = {}
    values: dict[str, int] = {}
    for (tag, geometry), one in held.items():
        # Histograms that resize themselves are of several geometries, and share buckets.
        index, count = one.buckets()
        parts.setdefault(tag, []).append((geometry.highest_of(index), count))
        values[tag] = values.get(tag, 0) + one.values
    if max(values.values(), default=0) > _MOST_VALUES:
        message = f"{name}: it counts more than {_MOST_VALUES:,} values of one tag"
        raise ValueError(message)
    return WholeLog(lines.start_s, {tag: Counts(*_added_up(some)) for tag, some in parts.items()})


@dataclass
class _Lines:
    """The lines of a log, and what its comments said so far."""

    text: str
    name: str
    start_s: float = math.nan
    base_s: float = math.nan

    def intervals(
        self,
        decoded: Callable[[str], _Decoded],
        tags: Collection[str] | None = None,
        renamed: Mapping[str, str] = MappingProxyType({}),
    ) -> Iterator[tuple[str, float, _Decoded]]:
        """Yield the tag of each interval, its seconds after the start, and its histogram."""
        for number, line in enumerate(self.text.splitlines(), start=1):
            if not line or line.startswith(("#", _LEGEND_BEGINS)):
                self._note(line)
                continue
            tag, fields = UNTAGGED, line.split(",")
            try:
                if line.startswith("Tag="):
                    tag = fields.pop(0)[len("Tag=") :]
                    tag = renamed.get(tag, tag)
                start, _length, _maximum, payload = fields
                if tags is None or tag in tags:
                    yield tag, self._after_start(start), decoded(payload)
            except ValueError as error:
                message = f"{self.name}:{number}: no line of a histogram log ({error})"
                raise ValueError(message) from error

    def _note(self, line: str) -> None:
        """Keep the time that a comment tells, if it does."""
        if found := _NOTE.match(line):
            with suppress(ValueError):
                if found[1] == "StartTime":
                    self.start_s = float(found[2])
                else:
                    self.base_s = float(found[2])

    def _after_start(self, text: str) -> float:
        start = float(text)
        if math.isnan(self.start_s):
            self.start_s = start
        if math.isnan(self.base_s):
            self.base_s = self.start_s if start < self.start_s - _YEAR_S else 0.0
        after = start + (self.base_s - self.start_s)
        if not abs(after) <= _MOST_S:  # a comparison with NaN is false
            message = f"{text[:24]!r} is no second of a log"
            raise ValueError(message)
        return after


@dataclass
class _Sum:
    """Counts of one tag and geometry."""

    values: int = 0
    parts: list[tuple[Int64, Int64]] = field(default_factory=list)

    def add(self, index: Int64, count: Int64) -> None:
        """Add the buckets of an interval."""
        self.values += int(count.sum())
        self.parts.append((index, count))

    def buckets(self) -> tuple[Int64, Int64]:
        """Return the buckets, in rising order, and the count of each."""
        self.parts = [_added_up(self.parts)]
        return self.parts[0]

    def added_up(self) -> int:
        """Return how many buckets are not empty, and hold no more rows than that."""
        return len(self.buckets()[0])


def _added_up(parts: Sequence[tuple[Int64, Int64]]) -> tuple[Int64, Int64]:
    """Return keys in rising order, each once, and the sum of the counts of each."""
    keys, place = np.unique(np.concatenate([key for key, _ in parts]), return_inverse=True)
    count = np.zeros(len(keys), np.int64)
    np.add.at(count, place, np.concatenate([count for _, count in parts]))
    return keys, count
