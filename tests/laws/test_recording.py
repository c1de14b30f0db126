"""Recording: what is counted equals what the hdrhistogram package counts, in any order, to any reader."""

from pathlib import Path

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
from hypothesis import given
from hypothesis import strategies as st

from bench.record import hlog
from bench.record.histogram import HIGHEST_NS, SecondsRecorder, merge, new_histogram, to_histogram
from bench.units import NS_PER_S

pytestmark = pytest.mark.compiled


values = st.lists(st.integers(-5, HIGHEST_NS + 5), max_size=60)


def recorded(sample: list[int], seconds: int = 3) -> SecondsRecorder:
    """Record values over some seconds, two batches."""
    recorder = SecondsRecorder(0)
    intended = np.arange(len(sample), dtype=np.int64) * NS_PER_S * seconds // max(len(sample), 1)
    half = len(sample) // 2
    data = np.array(sample, np.int64)
    recorder.record(intended[:half], data[:half])
    recorder.record(intended[half:], data[half:])
    return recorder


@given(values)
def test_counts_equal_record_value(sample: list[int]) -> None:
    """A histogram filled by the kernel encodes to the same bytes as one filled value by value."""
    part = recorded(sample).finish()
    reference = new_histogram()
    inside = [v for v in sample if 0 <= v <= HIGHEST_NS]
    for value in inside:
        assert reference.record_value(value)
    assert to_histogram(part.index, part.count).encode() == reference.encode()
    assert part.sum_ns == sum(inside)
    assert part.negative == sum(v < 0 for v in sample)
    assert part.out_of_range == sum(v > HIGHEST_NS for v in sample)


@given(st.lists(st.integers(2_000, HIGHEST_NS), min_size=1, max_size=40))
def test_bucket_error_is_below_a_thousandth(sample: list[int]) -> None:
    """From 2 µs on, the reported maximum is within 0.1 % of the true one."""
    part = recorded(sample).finish()
    assert to_histogram(part.index, part.count).get_max_value() == pytest.approx(max(sample), rel=1e-3)


@given(values, values, values)
def test_merge_order_is_irrelevant(a: list[int], b: list[int], c: list[int]) -> None:
    """Merging parts in any order gives one histogram."""
    parts = [recorded(sample).finish() for sample in (a, b, c)]
    forward, backward = merge(parts), merge(parts[::-1])
    left = to_histogram(forward.index, forward.count)
    assert left.encode() == to_histogram(backward.index, backward.count).encode()


def test_stragglers_of_closed_seconds_are_kept() -> None:
    """Values that come for a second long closed are in that second's histogram."""
    recorder = SecondsRecorder(0)
    for second in range(40):
        recorder.record(np.array([second * NS_PER_S]), np.array([5_000]))
    recorder.record(np.array([3 * NS_PER_S + 5]), np.array([6_000_000]))
    assert int(recorder.finish().between(3, 4).count.sum()) == 2


def test_live_quantile_is_that_of_the_histogram() -> None:
    """The quantiles shown live lie in the buckets that the histogram names."""
    recorder = SecondsRecorder(0)
    sample = np.random.default_rng(3).integers(1_000, 50_000_000, 5_000)
    recorder.record(np.zeros(5_000, np.int64), sample)
    reference = new_histogram()
    for value in sample.tolist():
        reference.record_value(value)
    for percent, shown in zip((50, 99), recorder.quantiles_ns(0, (0.5, 0.99)), strict=True):
        assert reference.values_are_equivalent(shown, reference.get_value_at_percentile(percent))


def test_the_log_is_read_by_the_package(tmp_path: Path) -> None:
    """The package's reader finds every tag with equal counts and percentiles."""
    rng = np.random.default_rng(5)
    recorders = {tag: SecondsRecorder(0) for tag in ("response", "send_lag")}
    for recorder in recorders.values():
        at = np.sort(rng.integers(0, 5 * NS_PER_S, 4_000))
        recorder.record(at, rng.integers(10_000, 90_000_000, 4_000))
    parts = {tag: recorder.finish() for tag, recorder in recorders.items()}
    path = tmp_path / "latency.hlog"
    hlog.write(path, 1_700_000_000.25, parts)

    reader = HistogramLogReader(str(path), new_histogram())
    found = {tag: new_histogram() for tag in parts}
    lines = 0
    while (interval := reader.get_next_interval_histogram()) is not None:
        found[interval.get_tag()].add(interval)
        lines += 1
    reader.input_file.close()
    assert lines == 10
    assert reader.get_start_time_sec() == pytest.approx(1_700_000_000.25)
    for tag, part in parts.items():
        ours: HdrHistogram = to_histogram(part.index, part.count)
        assert found[tag].get_total_count() == ours.get_total_count() == 4_000
        for percentile in (50, 90, 99, 99.9, 100):
            assert found[tag].get_value_at_percentile(percentile) == ours.get_value_at_percentile(percentile)


def test_our_reader_reads_our_log(tmp_path: Path) -> None:
    """Reading gives back each second and tag."""
    part = recorded([1_000, 2_000, 3_000]).finish()
    hlog.write(tmp_path / "x.hlog", 0.0, {"service": part})
    back = hlog.read(tmp_path / "x.hlog")
    assert {second: h.get_total_count() for second, h in back["service"].items()} == {0: 1, 1: 1, 2: 1}


def test_a_damaged_log_is_named(tmp_path: Path) -> None:
    """A line that is no histogram is reported with file and line."""
    path = tmp_path / "bad.hlog"
    path.write_text("#[x]\nTag=a,0.0,1.0,1.0,HISTFnonsense\n")
    with pytest.raises(ValueError, match=r"bad\.hlog:2"):
        hlog.read(path)
