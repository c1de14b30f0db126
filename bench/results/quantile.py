"""A quantile of one latency of one trial, as its record keeps it."""

import math

from bench.record.histogram import decode
from bench.record.payload import estimated
from bench.results.records import TagRecord


def quantile_ns(record: TagRecord | None, quantile: float) -> float | None:
    """Return a quantile of the measured part, pauses of the host left out where they are known.

    None where nothing is recorded.
    """
    if record is None or not record.count:
        return None
    if record.events is not None and record.censored is not None:
        found = estimated([record.events], [record.censored]).quantile(quantile, least=1)
        if math.isfinite(found):
            return found
    return float(decode(record.histogram).get_value_at_percentile(100 * quantile))
