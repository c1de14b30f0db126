"""The HdrHistogram log: version 1.2 of the format, with tags, written and read.

The writer is ours because the package's one writes no tags and fails on the start time.
The format is that of HistogramLogProcessor (org.hdrhistogram:HdrHistogram): comment
lines, a legend, then `Tag=x,start_s,length_s,max_ms,payload`, start times relative to the
base time.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import numpy as np
from hdrh.histogram import HdrHistogram

from bench.record.histogram import Int64, Seconds, decode, encode, to_histogram
from bench.record.payload import buckets
from bench.units import NS_PER_MS
from bench.untrusted import read_text

_Decoded = TypeVar("_Decoded")
_LEGEND = '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"'
MOST_BYTES = 2**28
"""Of a log; an hour of eight tags takes some 40 MB."""
_MOST_BUCKETS, _BUCKETS_A_BYTE = 1_000_000, 4
"""In a log, and more by its size: a bucket takes about a byte there; one that swells beyond is none of ours."""
_MOST_S = 10**9
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
        ValueError: a line is not of the format; the message names file and line.
    """
    found: dict[str, dict[int, HdrHistogram]] = {}
    for tag, second, histogram in _lines(path, decode):
        found.setdefault(tag, {})[second] = histogram
    return found


def read_seconds(path: Path, tags: Collection[str] | None = None) -> dict[str, Seconds]:
    """Return the buckets of each tag by second, or of some tags: what `read` does, in a tenth of the time.

    `Seconds.totals` is empty, as a log holds neither sums nor what was out of range.

    Raises:
        ValueError: see `read`.
    """
    found: dict[str, list[tuple[int, Int64, Int64]]] = {}
    left = _MOST_BUCKETS + _BUCKETS_A_BYTE * path.stat().st_size
    for tag, second, (index, count) in _lines(path, buckets, tags):
        if (left := left - len(index)) < 0:
            message = f"{path} swells to more buckets than a log of its size holds"
            raise ValueError(message)
        found.setdefault(tag, []).append((second, index, count))
    return {
        tag: Seconds(
            np.repeat([second for second, _, _ in parts], [len(index) for _, index, _ in parts]),
            np.concatenate([index for _, index, _ in parts]),
            np.concatenate([count for _, _, count in parts]),
            np.empty((0, 4), np.int64),
        )
        for tag, parts in found.items()
    }


def _second(text: str) -> int:
    start = float(text)
    if not abs(start) <= _MOST_S:  # a comparison with NaN is false
        message = f"{text[:24]!r} is no second of a trial"
        raise ValueError(message)
    return round(start)


def _lines(
    path: Path, decoded: Callable[[str], _Decoded], tags: Collection[str] | None = None
) -> Iterator[tuple[str, int, _Decoded]]:
    for number, line in enumerate(read_text(path, MOST_BYTES).splitlines(), start=1):
        if not line.startswith("Tag="):
            continue
        fields = line[len("Tag=") :].split(",")
        try:
            tag, start, _length, _maximum, payload = fields
            tag = FORMER_TAGS.get(tag, tag)
            if tags is None or tag in tags:
                yield tag, _second(start), decoded(payload)
        except ValueError as error:
            message = f"{path}:{number}: no line of a histogram log ({error})"
            raise ValueError(message) from error
