"""One quantile of one latency: of the estimate where there is one, else of all messages."""

import numpy as np
import pytest

from bench.record.histogram import SecondsRecorder, encode, to_histogram
from bench.results.quantile import quantile_ns
from bench.results.records import TagRecord
from bench.run.merge import tag_record
from bench.units import NS_PER_MS


def record(*ms: int) -> TagRecord:
    """Return the record of such latencies."""
    recorder = SecondsRecorder(0)
    recorder.record(np.zeros(len(ms), np.int64), np.array(ms) * NS_PER_MS)
    return tag_record(recorder.finish())


def test_it_is_that_of_all_messages_without_a_meter() -> None:
    """To the three digits of a histogram; of nothing there is none."""
    some = record(*range(1, 101))
    assert quantile_ns(some, 0.5) == pytest.approx(50 * NS_PER_MS, rel=0.001)
    assert quantile_ns(some, 0.99) == pytest.approx(99 * NS_PER_MS, rel=0.001)
    assert quantile_ns(None, 0.5) is None
    assert quantile_ns(some.model_copy(update={"count": 0}), 0.5) is None


def test_pauses_are_left_out_where_they_are_known() -> None:
    """Of the events alone where nothing was cut off; of all messages where the estimate does not reach so far."""
    part, none = record(*range(1, 51)), np.empty(0, np.int64)
    nothing = encode(to_histogram(none, none))
    metered = record(*range(1, 101)).model_copy(update={"events": part.histogram, "censored": nothing})
    assert quantile_ns(metered, 0.5) == pytest.approx(25 * NS_PER_MS, rel=0.03)
    cut = metered.model_copy(update={"events": nothing, "censored": part.histogram})
    assert quantile_ns(cut, 0.5) == pytest.approx(50 * NS_PER_MS, rel=0.001)
