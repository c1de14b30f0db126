"""From readings to medians and ratios: the warming pair never counts."""

import pytest

from bench.crosscheck.ratios import medians, order, ratios
from bench.crosscheck.readings import Reading


def read(side: str, pair: int, value: int, cpu: float | None = 10.0) -> Reading:
    """Return a reading whose latencies are a value."""
    return Reading(
        side=side,
        pair=pair,
        sent_per_s=100,
        received_per_s=100,
        p50_ns=value,
        p99_ns=2 * value,
        cpu_us_per_message=cpu,
        rss_peak=1000,
    )


def test_orders_alternate() -> None:
    """ABBA over pairs 1 to 4."""
    assert [order(("a", "b"), pair) for pair in (1, 2, 3)] == [("a", "b"), ("b", "a"), ("a", "b")]


def test_the_warming_pair_is_not_counted() -> None:
    """Pair 0 changes neither medians nor ratios."""
    readings = [read(side, pair, 10 if pair else 10**9) for pair in range(4) for side in ("ours", "peer")]
    assert medians(readings, "ours", "ours 1").p50_ns == 10
    assert {ratio.ratio for ratio in ratios(readings, "ours", "peer")} == {1.0}


def test_ratios_are_paired_by_number_whatever_the_order() -> None:
    """Each pair's ratio is 2: the interval has no width, though the pairs differ."""
    readings = [read("ours", pair, 20 * pair) for pair in (3, 1, 2)] + [
        read("peer", pair, 10 * pair) for pair in (1, 2, 3)
    ]
    p50 = next(ratio for ratio in ratios(readings, "ours", "peer") if ratio.figure == "p50_ns")
    assert (p50.ratio, p50.low, p50.high) == (pytest.approx(2), pytest.approx(2), pytest.approx(2))


@pytest.mark.parametrize(("pairs", "sure"), [(1, False), (2, False), (3, True)])
def test_an_interval_takes_three_pairs(pairs: int, sure: bool) -> None:  # noqa: FBT001
    """Fewer give the ratio alone."""
    readings = [read(side, pair, 10 + pair) for pair in range(1, pairs + 1) for side in ("ours", "peer")]
    assert all((ratio.low is not None) == sure for ratio in ratios(readings, "ours", "peer"))


def test_an_unknown_figure_has_no_ratio() -> None:
    """CPU that one run could not tell is left out; the rest stays."""
    readings = [read("ours", 1, 10, cpu=None), read("peer", 1, 10)]
    assert "cpu_us_per_message" not in {ratio.figure for ratio in ratios(readings, "ours", "peer")}
    assert medians(readings, "ours", "ours 1").cpu_us_per_message is None
    assert "p99_ns" in {ratio.figure for ratio in ratios(readings, "ours", "peer")}
