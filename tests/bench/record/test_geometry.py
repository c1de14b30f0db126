"""Histograms of any range and precision: the package is the twin; what is none is refused."""

import base64

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from bench.record import hlog
from bench.record.buckets import BUCKETS, highest_ns
from bench.record.geometry import Geometry
from bench.record.payload import OURS, any_buckets

RANGES = st.builds(
    lambda lowest, times, digits: (lowest, lowest * times, digits),
    st.integers(1, 10**6),
    st.integers(2, 10**12),
    st.integers(1, 4),
)


@given(RANGES, st.lists(st.tuples(st.floats(0, 1), st.integers(1, 2**30)), min_size=1, max_size=20))
def test_buckets_and_their_values_are_those_of_the_package(
    bounds: tuple[int, int, int], values: list[tuple[float, int]]
) -> None:
    """How many there are, which are not empty, and the highest value of each."""
    histogram = HdrHistogram(*bounds)
    for share, times in values:
        histogram.record_value(int(share * bounds[1]), times)
    geometry, index, count = any_buckets(histogram.encode().decode("ascii"))
    assert geometry == Geometry(*bounds)
    assert geometry.buckets == histogram.counts_len
    counts = np.ctypeslib.as_array(histogram.counts).astype(np.int64)
    assert index.tolist() == np.flatnonzero(counts).tolist()
    assert count.tolist() == counts[index].tolist()
    twin = [histogram.get_highest_equivalent_value(histogram.get_value_from_index(place)) for place in index.tolist()]
    assert geometry.highest_of(index).tolist() == twin


def test_ours_is_one_of_them() -> None:
    """The constants of our own buckets are the same arithmetic."""
    every = np.arange(BUCKETS)
    assert OURS.buckets == BUCKETS
    assert OURS.highest_of(every).tolist() == highest_ns(every).tolist()


@pytest.mark.parametrize(
    ("lowest", "highest", "digits"),
    [(0, 10, 2), (1, 1, 2), (10, 19, 2), (1, 100, 6), (1, 100, -1), (1, 2**63, 2), (2**60, 2**62, 3), (-5, 10, 1)],
)
def test_a_range_that_no_histogram_has(lowest: int, highest: int, digits: int) -> None:
    """Java and the package refuse them too."""
    with pytest.raises(ValueError, match="no histogram"):
        Geometry(lowest, highest, digits)


@pytest.mark.parametrize(
    ("cookie", "words"), [(0x1C849312, "format V1"), (0x1C849309, "format V0"), (0x0C72124F, "floating point values")]
)
def test_other_kinds_of_histograms_are_named(cookie: int, words: str) -> None:
    """By their cookies, with file and line, as a log may hold them."""
    payload = base64.b64encode(cookie.to_bytes(4, "big") + bytes(40)).decode()
    with pytest.raises(ValueError, match=rf"x\.hlog:1: .*it is a histogram of {words}, which is not read"):
        hlog.read_whole(f"0.0,1.0,1.0,{payload}\n", "x.hlog")


def line(start: str, tag: str = "") -> str:
    """Return a line of a log with three values."""
    histogram = HdrHistogram(1, 10**6, 2)
    for value in (1, 50, 90_000):
        histogram.record_value(value)
    return f"{tag}{start},1.0,0.09,{histogram.encode().decode()}"


def test_comments_and_the_legend_are_understood() -> None:
    """Of jHiccup and others; the last start time counts, as for Java; what is no comment is a fault, with its line."""
    comments = [
        "#[Logged with jHiccup version 2.0.7]",
        "#[Histogram log format version 1.2]",
        "#",
        "#[StartTime: soon]",
        "",
    ]
    head = [*comments, "#[StartTime: 1441753532.570 (seconds since epoch), Tue Sep 08 16:05:32 PDT 2015]"]
    legend = '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"'
    log = hlog.read_whole("\r\n".join([*head, legend, line("0.1"), line("0.9", "Tag=,"), line("1", "Tag=A,")]), "x")
    assert log.start_epoch_s == 1441753532.570
    assert {tag: int(one.count.sum()) for tag, one in log.tags.items()} == {hlog.UNTAGGED: 6, "A": 3}
    assert log.tags["A"].highest.tolist() == [1, 50, 90_111]
    with pytest.raises(ValueError, match=r"x:3: no line of a histogram log"):
        hlog.read_whole("\n".join([legend, line("0.1"), "soon"]), "x")


@pytest.mark.parametrize(
    ("head", "start", "after"),
    [
        ("#[StartTime: 1441753532]\n#[BaseTime: 1441753530]", "5", 3.0),
        ("#[StartTime: 1441753532]", "5", 5.0),
        ("#[StartTime: 1441753532]", "1441753533.5", 1.5),
        ("", "1441753533.5", 0.0),
    ],
)
def test_times_are_relative_or_absolute(head: str, start: str, after: float) -> None:
    """To the base time; without one to the start time, or absolute where they do not lie a year before it."""
    [(_, found, _)] = hlog._Lines(f"{head}\n{line(start)}", "x").intervals(any_buckets)
    assert found == after


def test_too_many_values_are_refused() -> None:
    """Sums of more than 2^53 would not be exact."""
    histogram = HdrHistogram(1, 10**6, 2)
    histogram.record_value(5, 2**52)
    text = "\n".join(f"{second}.0,1.0,1.0,{histogram.encode().decode()}" for second in range(3))
    with pytest.raises(ValueError, match=r"x: it counts more than 9,007,199,254,740,992 values of one tag"):
        hlog.read_whole(text, "x")


def test_a_log_of_many_different_values_is_refused_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines of few values add up however many they are; what tells too many apart is refused."""
    monkeypatch.setattr(hlog, "_MOST_ROWS", 4)
    log = hlog.read_whole("\n".join(line(str(second)) for second in range(50)), "x")
    assert log.tags[hlog.UNTAGGED].count.tolist() == [50, 50, 50]
    with pytest.raises(ValueError, match="x: it holds more than 4 different values"):
        hlog.read_whole("\n".join(line("1", f"Tag={tag},") for tag in "ABCD"), "x")


def test_what_is_kept_of_a_line_is_no_larger_than_what_it_counts() -> None:
    """A line whose counts take much room holds none of it once it is read."""
    histogram = HdrHistogram(1, 10**6, 2)
    histogram.record_value(10**6)
    _, index, count = any_buckets(histogram.encode().decode())
    assert index.base is None or index.base.nbytes == index.nbytes + count.nbytes
