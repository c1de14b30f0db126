"""The test of independence: level under independence, silence where there is little."""

import numpy as np

from bench.stats.crossing import crossing


def test_alike_counts_are_independent_and_more_at_pauses_are_not() -> None:
    """The ratio is that of means, and the interval holds 1 only where they are alike."""
    rng = np.random.default_rng(1)
    block, is_pause = np.repeat(np.arange(40), 10), np.tile([True] * 3 + [False] * 7, 40)
    on_way = rng.poisson(5, 400)
    alike = crossing(block, is_pause, on_way)
    assert alike is not None
    assert alike.independent
    more = crossing(block, is_pause, np.where(is_pause, on_way * 2, on_way))
    assert more is not None
    assert not more.independent
    assert more.low < more.ratio < more.high
    assert abs(more.ratio / alike.ratio - 2) < 1e-9


def test_the_interval_keeps_its_level() -> None:
    """Counts that are alike within a second: of 200 such trials about one in twenty is called dependent."""
    rng = np.random.default_rng(2)
    alarms = 0
    for _ in range(200):
        busy = rng.exponential(5, 60)
        block = np.repeat(np.arange(60), 12)
        is_pause = rng.random(len(block)) < 0.25
        found = crossing(block, is_pause, rng.poisson(busy[block]))
        alarms += found is not None and not found.independent
    assert 2 <= alarms <= 24


def test_little_says_nothing() -> None:
    """Pauses in fewer than ten seconds, few probes, or an empty broker."""
    few = np.array([True] * 9 + [False] * 50)
    ones = np.ones(59, np.int64)
    assert crossing(np.arange(59), few, ones) is None
    assert crossing(np.arange(59), ~few, ones) is None
    burst = np.repeat([True, False], [30, 100])
    assert crossing(np.where(burst, 3, np.arange(130)), burst, np.ones(130, np.int64)) is None
    assert crossing(np.arange(100), np.arange(100) % 2 == 0, np.zeros(100, np.int64)) is None
