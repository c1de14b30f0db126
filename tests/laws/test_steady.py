"""Steadiness and growth: slow twins, closed forms, and how often they speak up where there is nothing to say."""

from itertools import combinations, permutations
from statistics import median

import numpy as np
import pytest
from scipy import signal, stats

from bench.stats.steady import growth, mann_kendall, mser5, steadiness, theil_sen, trend

SEEDS = 200


def noise(rng: np.random.Generator, count: int, alike: float, spread: float) -> np.ndarray:
    """Return a stationary AR(1) series around 1."""
    shocks = rng.normal(size=count + 100) * np.sqrt(1 - alike**2)
    drawn: np.ndarray = 1 + spread * signal.lfilter([1], [1, -alike], shocks)[100:]
    return drawn


def slow_mser5(values: list[float]) -> int:
    """Return the cut as White defines it, sum by sum."""
    batches = [sum(values[i : i + 5]) / 5 for i in range(0, len(values) - 4, 5)]
    if len(batches) < 2:
        return 0
    marks = []
    for cut in range(len(batches) // 2 + 1):
        rest = batches[cut:]
        mean = sum(rest) / len(rest)
        marks.append(sum((z - mean) ** 2 for z in rest) / len(rest) ** 2)
    return marks.index(min(marks)) * 5


@pytest.mark.parametrize("seed", range(40))
def test_fast_equals_slow(seed: int) -> None:
    """MSER-5, the Theil-Sen slope and Mann-Kendall's statistic equal their definitions, ties included."""
    rng = np.random.default_rng(seed)
    values = np.round(rng.normal(10, 1, int(rng.integers(3, 60))), int(rng.integers(0, 4)))
    listed = values.tolist()
    assert mser5(values) == slow_mser5(listed)
    pairs = list(combinations(enumerate(listed), 2))
    assert theil_sen(values) == pytest.approx(median((y - x) / (j - i) for (i, x), (j, y) in pairs))
    rises = sum((y > x) - (y < x) for (_, x), (_, y) in pairs)
    sizes = [listed.count(value) for value in set(listed)]
    variance = sum(sign * t * (t - 1) * (2 * t + 5) for sign, t in [(1, len(listed)), *((-1, t) for t in sizes)]) / 18
    expected = (rises - (rises > 0) + (rises < 0)) / variance**0.5 if variance else 0.0
    assert mann_kendall(values) == pytest.approx(expected)


def test_the_variance_of_mann_kendall_is_that_over_all_orders() -> None:
    """Of the sum of signs over every order of six values, two of them equal: by counting, and by the formula."""
    orders = [np.array(order, float) for order in permutations((1, 2, 2, 3, 4, 5))]
    sums = [sum(np.sign(y - x) for x, y in combinations(order, 2)) for order in orders]
    rising = np.array([1.0, 2, 2, 3, 4, 5])
    assert (max(sums) - 1) / np.std(sums) == pytest.approx(mann_kendall(rising))


@pytest.mark.parametrize("count", [100, 199, 1000, 12_345])
def test_a_straight_line_has_its_slope_at_any_length(count: int) -> None:
    """Long series are averaged into blocks, which changes no slope."""
    found = trend(7 + 0.25 * np.arange(count))
    assert found.slope == pytest.approx(0.25)
    assert found.z > 10


@pytest.mark.parametrize("alike", [0.0, 0.4, 0.7])
@pytest.mark.parametrize("count", [20, 30, 60, 300])
def test_a_stationary_series_is_not_warned_of(count: int, alike: float) -> None:
    """In at most 5 % of 200 seeds, also where neighbours are alike."""
    spread = 0.05
    found = [steadiness(noise(np.random.default_rng(seed), count, alike, spread)) for seed in range(SEEDS)]
    assert sum(bool(one.lead or one.drift) for one in found) <= 0.05 * SEEDS


@pytest.mark.parametrize(("count", "spread"), [(30, 0.02), (60, 0.03), (120, 0.05), (300, 0.05)])
def test_a_transient_is_warned_of(count: int, spread: float) -> None:
    """One of 20 % that dies off over 30 intervals, in at least 95 % of 200 seeds: as a lead, or as a falling level."""
    transient = 1 + 0.2 * np.exp(-np.arange(count) / 30)
    found = [steadiness(transient * noise(np.random.default_rng(seed), count, 0.0, spread)) for seed in range(SEEDS)]
    assert sum(one.lead > 0 or one.drift < 0 for one in found) >= 0.95 * SEEDS


def test_a_pause_is_no_transient() -> None:
    """One interval of tenfold latency in the first half: MSER-5 on the values may cut it out; nothing is warned of."""
    for seed in range(SEEDS):
        series = noise(np.random.default_rng(seed), 60, 0.0, 0.02)
        series[12] *= 10
        found = steadiness(series)
        assert (found.lead, found.drift) == (0.0, 0.0)


def test_a_level_that_rises_to_the_end_drifts() -> None:
    """By its slope over the whole: 30 % here, within 5 % of the level."""
    found = steadiness(np.linspace(1, 1.35, 60) * noise(np.random.default_rng(1), 60, 0.0, 0.02))
    assert found.drift == pytest.approx(0.35 / 1.175, abs=0.05)


def test_what_cannot_be_judged_is_steady() -> None:
    """Too few seconds, seconds without messages, nothing at all."""
    for series in ([], [1.0], [1.0] * 9 + [2.0] * 10, [np.nan] * 30, [0.0] * 30, [1.0] * 30):
        found = steadiness(np.array(series))
        assert (found.lead, found.drift) == (0.0, 0.0)


def backlog(rate: float, capacity: float, seconds: int, seed: int = 0) -> np.ndarray:
    """Return the backlog of a single server each 100 ms: arrivals by chance, and what it can serve of them."""
    arrived = np.random.default_rng(seed).poisson(rate / 10, seconds * 10)
    held, found = 0.0, []
    for count in arrived:
        held = max(0.0, held + float(count) - capacity / 10)
        found.append(held)
    return np.array(found)


@pytest.mark.parametrize(("rate", "capacity"), [(1000, 970), (1000, 800), (5000, 1000)])
@pytest.mark.parametrize("seconds", [5, 30, 200])
def test_an_overloaded_server_grows_by_what_it_lacks(rate: int, capacity: int, seconds: int) -> None:
    """Offered less capacity, within chance (4 standard errors of the arrivals), and relevant."""
    found = growth(backlog(rate, capacity, seconds), 0.1, rate * seconds)
    assert found.per_s == pytest.approx(rate - capacity, abs=4 * 1.2 * np.sqrt(rate / seconds))
    assert found.relevant


@pytest.mark.parametrize("capacity", [1000, 1010, 1100, 2000])
@pytest.mark.parametrize("seconds", [30, 200])
def test_a_server_that_keeps_up_does_not_grow(capacity: int, seconds: int) -> None:
    """Not even at a load of 99 %, where its backlog wanders; at 100 %, a random walk, in a tenth of seeds at most."""
    found = [growth(backlog(1000, capacity, seconds, seed), 0.1, 1000 * seconds).relevant for seed in range(50)]
    assert sum(found) <= (5 if capacity == 1000 else 0)


@pytest.mark.parametrize("begin_s", [2, 12, 25])
def test_a_pause_is_no_growth(begin_s: int) -> None:
    """Three seconds of 30 in which nothing is served, worked off later or not before the end."""
    held, series = 0.0, []
    for tick in range(300):
        served = 0.0 if begin_s <= tick / 10 < begin_s + 3 else 130.0
        held = max(0.0, held + 100 - served)
        series.append(held)
    assert not growth(np.array(series), 0.1, 30_000).relevant


def test_nothing_offered_does_not_grow() -> None:
    """No message and no tick is no growth."""
    assert not growth(np.zeros(100), 0.1, 0).relevant
    assert not growth(np.zeros(0), 0.1, 0).relevant


def test_the_slope_is_scipys() -> None:
    """A second opinion on a series with outliers."""
    values = np.random.default_rng(3).standard_cauchy(80)
    assert theil_sen(values) == pytest.approx(stats.theilslopes(values).slope)
