"""HdrHistogram percentile files (`.hgrm`), one a row and tag, as its plotter and other tools read them.

They are to the letter what Java's `AbstractHistogram.outputPercentileDistribution` writes: the
package's own writer leaves the median out, prints `inf`, which no JavaScript understands, and
has other words below. Values are in milliseconds, over all usable trials of a row.
"""

import math
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from urllib.parse import quote

import numpy as np
from hdrh.histogram import HdrHistogram
from numpy.typing import NDArray

from bench.record.buckets import DIGITS, highest_ns, width_ns
from bench.record.payload import OURS
from bench.results.records import TAGS
from bench.units import NS_PER_MS
from reports.dataset import Dataset

_TICKS = 5
"""Lines for each halving of the distance to 100 %, as HdrHistogram's own tools take."""


def to_hgrm(data: Dataset) -> dict[str, str]:
    """Return file name -> text, for each row and tag that holds a value."""
    files = {}
    for workload in data.scenario.workloads:
        for target in data.scenario.targets:
            for tag in TAGS:
                histogram = data.histogram(target.name, workload.name, tag)
                if histogram.get_total_count():
                    # A target may be called after a version, which a broker tells.
                    files[f"{quote(target.name, safe=' ,')}-{workload.name}-{tag}.hgrm"] = percentile_text(histogram)
    return files


def percentile_text(histogram: HdrHistogram) -> str:
    """Return the percentile file of a histogram of ours that is not empty."""
    counts = np.ctypeslib.as_array(histogram.counts).astype(np.int64)
    index = np.flatnonzero(counts)
    count, highest, width = counts[index], highest_ns(index), width_ns(index)
    cumulative = np.cumsum(count)
    total = int(cumulative[-1])
    middle = (highest - width + 1) + (width >> 1)
    mean = float((middle * count.astype(np.float64)).sum()) / total
    deviation = math.sqrt(float(((middle - mean) ** 2 * count).sum()) / total)
    lines = [f"{'Value':>12} {'Percentile':>14} {'TotalCount':>10} {'1/(1-Percentile)':>14}", ""]
    for place, level in _levels(cumulative):
        line = f"{_fixed(highest[place] / NS_PER_MS, DIGITS, 12)} {_fixed(level / 100, 12)} {cumulative[place]:10d}"
        # The last one has no fourth column.
        lines.append(line + (f" {_fixed(1 / (1 - level / 100), 2, 14)}" if level < 100 else ""))  # noqa: PLR2004
    lines += [
        f"#[Mean    = {_fixed(mean / NS_PER_MS, 3, 12)}, StdDeviation   = {_fixed(deviation / NS_PER_MS, 3, 12)}]",
        f"#[Max     = {_fixed(highest[-1] / NS_PER_MS, 3, 12)}, Total count    = {total:12d}]",
        f"#[Buckets = {OURS.widths:12d}, SubBuckets     = {2 << OURS.half:12d}]",
    ]
    return "\n".join(lines) + "\n"


def _levels(cumulative: NDArray[np.int64]) -> Iterator[tuple[int, float]]:
    """Yield row and percentile of each line: as many lines for each halving of the distance to 100 %, then 100 %."""
    reached = 100.0 * cumulative / cumulative[-1]
    level, place, last = 0.0, 0, len(cumulative) - 1
    while True:
        place = int(np.searchsorted(reached, level))
        yield place, level
        if place == last:
            break
        level += 100 / (_TICKS * 2 ** (int(math.log(100 / (100 - level)) / math.log(2)) + 1))
    yield last, 100.0


def _fixed(value: float, places: int, width: int = 1) -> str:
    """Return a number with so many decimals, half of the last one rounded up as Java does."""
    rounded = Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    return f"{rounded:{width}f}"
