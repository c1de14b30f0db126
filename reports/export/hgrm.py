"""HdrHistogram percentile files (`.hgrm`), one a row and tag, as its plotter and other tools read them.

Values are in milliseconds, over all usable trials of a row.
"""

import io
import re
from urllib.parse import quote

from hdrh.histogram import HdrHistogram

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
                    files[f"{quote(target.name, safe=' ,')}-{workload.name}-{tag}.hgrm"] = _text(histogram)
    return files


def _text(histogram: HdrHistogram) -> str:
    written = io.BytesIO()
    histogram.output_percentile_distribution(written, NS_PER_MS, _TICKS)
    # The package prints the mean in the unit asked for and forgets the deviation beside it. Asking
    # it again would take a third of the time that a file takes.
    text = written.getvalue().decode("ascii")
    return re.sub(
        r"(StdDeviation +=) +([\d.]+)\]", lambda found: f"{found[1]} {float(found[2]) / NS_PER_MS:12.3f}]", text
    )
