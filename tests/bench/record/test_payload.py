"""Buckets straight from a payload: the package's decoder is the twin, and damage is named."""

import base64
import zlib
from pathlib import Path

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from bench.record import hlog
from bench.record.buckets import HIGHEST_NS
from bench.record.histogram import Seconds, decode, encode, merge, new_histogram
from bench.record.payload import buckets


@given(st.lists(st.tuples(st.integers(0, HIGHEST_NS), st.integers(1, 2**40)), max_size=30))
def test_the_buckets_are_those_of_the_package(values: list[tuple[int, int]]) -> None:
    """Every bucket and count that the package decodes, and no other."""
    histogram = new_histogram()
    for value, times in values:
        histogram.record_value(value, times)
    text = encode(histogram)
    index, count = buckets(text)
    counts = np.ctypeslib.as_array(decode(text).counts).astype(np.int64)
    assert index.tolist() == np.flatnonzero(counts).tolist()
    assert count.tolist() == counts[index].tolist()


def test_a_log_reads_the_same_both_ways(tmp_path: Path) -> None:
    """Sparse seconds hold what the histograms of the same log hold, tag by tag and second by second."""
    rng = np.random.default_rng(1)
    parts = {}
    for tag in ("response", "confirm"):
        index = np.sort(rng.choice(9_000, 50, replace=False)).astype(np.int64)
        each = [
            Seconds(np.full(50, second), index, rng.integers(1, 99, 50), np.empty((0, 4), np.int64))
            for second in (0, 3)
        ]
        parts[tag] = merge(each)
    hlog.write(tmp_path / "latency.hlog", 1.7e9, parts)
    dense, sparse = hlog.read(tmp_path / "latency.hlog"), hlog.read_seconds(tmp_path / "latency.hlog")
    assert dense.keys() == sparse.keys() == parts.keys()
    for tag, by_second in dense.items():
        assert set(by_second) == set(sparse[tag].second.tolist()) == {0, 3}
        for second, histogram in by_second.items():
            counts = np.ctypeslib.as_array(histogram.counts).astype(np.int64)
            rows = sparse[tag].second == second
            assert sparse[tag].index[rows].tolist() == np.flatnonzero(counts).tolist()
            assert sparse[tag].count[rows].tolist() == counts[counts > 0].tolist()


def inflated(text: str, change: object) -> str:
    """Return a payload whose inside was changed."""
    data = base64.b64decode(text)
    inner = change(bytearray(zlib.decompress(data[8:])))  # type: ignore[operator]
    packed = zlib.compress(bytes(inner))
    return base64.b64encode(data[:4] + len(packed).to_bytes(4, "big") + packed).decode()


def test_damage_is_named() -> None:
    """What is no payload, cut short, of another range or beyond the last bucket is refused."""
    histogram = new_histogram()
    histogram.record_value(123_456, 7)
    text = encode(histogram)
    assert buckets(inflated(text, lambda inner: inner))[1].tolist() == [7]
    for bad in ("no base64!", "AAAA", base64.b64encode(b"x" * 60).decode(), text[: len(text) // 2]):
        with pytest.raises(ValueError, match="not an HdrHistogram V2 payload"):
            buckets(bad)
    with pytest.raises(ValueError, match="not a histogram of 1 ns to 1 h"):
        buckets(HdrHistogram(1, 1_000_000, 2).encode().decode("ascii"))
    with pytest.raises(ValueError, match="cut short or beyond"):
        buckets(inflated(text, lambda inner: inner[:-1]))

    def one_byte(inner: bytearray, counts: bytes) -> bytearray:
        inner[4:8] = len(counts).to_bytes(4, "big")
        return inner[:40] + counts

    with pytest.raises(ValueError, match="cut short or beyond"):  # a number that goes on after the end
        buckets(inflated(text, lambda inner: one_byte(inner, b"\x82")))
    beyond = bytes([0xFF, 0xFF, 0xFF, 0x7F, 0x02])  # a hundred million empty buckets, then one that is not
    with pytest.raises(ValueError, match="cut short or beyond"):
        buckets(inflated(text, lambda inner: one_byte(inner, beyond)))
