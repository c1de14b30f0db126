"""Change points: alarms at the nominal rate, steps found in time, spikes let be, and a twin by the definition."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.stats.change_point import CERTAIN, LEAST, best_scores, changes, is_slope, locate, permutations_for
from bench.stats.detection import AFTER, alarm_rate, delay, noise, points_needed, smallest_step

STEP = math.log(1.1)


def score(left: list[float], right: list[float]) -> float:
    """Return the energy distance of two sides times nm / (n + m), sum by sum (equation 5 of Matteson & James)."""
    n, m = len(left), len(right)
    across = sum(abs(a - b) for a in left for b in right)
    within = [sum(abs(side[i] - side[k]) for i in range(len(side)) for k in range(i)) for side in (left, right)]
    energy = 2 / (n * m) * across - within[0] / math.comb(n, 2) - within[1] / math.comb(m, 2)
    return n * m / (n + m) * energy


def slow_best(values: list[float]) -> tuple[float, int]:
    """Return the best score of any split and its place."""
    places = range(LEAST, len(values) - LEAST + 1)
    return max([(0.0, 0), *((score(values[:k], values[k:]), k) for k in places)], key=lambda pair: pair[0])


@given(st.lists(st.integers(-1000, 1000), min_size=2 * LEAST, max_size=14))
def test_the_best_split_is_that_of_the_definition(numbers: list[int]) -> None:
    """The score by ranks and running sums equals the double sums, ties included."""
    expected, _ = slow_best([float(number) for number in numbers])
    n = len(numbers)
    mean = sum(abs(a - b) for a in numbers for b in numbers) / (n * (n - 1))
    [found] = best_scores(np.array([numbers], float))
    assert found * mean == pytest.approx(expected, rel=1e-9, abs=1e-9 * max(mean, 1))


def test_the_change_is_where_the_definition_has_its_best_split() -> None:
    """The first change found lies where the double sums are largest."""
    rng = np.random.default_rng(9)
    for _ in range(20):
        series = rng.normal(0, 1, 24)
        series[rng.integers(4, 20) :] += 6
        places = [change.at for change in changes(series, alpha=0.05)]
        assert slow_best(series.tolist())[1] in places


@pytest.mark.compiled
@pytest.mark.parametrize("length", [50, 200])
@pytest.mark.parametrize("permutations", [19, 99])
def test_equal_noise_raises_alarms_at_the_nominal_rate(length: int, permutations: int) -> None:
    """At the smallest level, 1 / (R + 1), that share of series without a change has one, within binomial error."""
    rng = np.random.default_rng(length + permutations)
    level, runs = 1 / (permutations + 1), 1_000
    alarms = sum(
        bool(changes(rng.lognormal(0, 0.5, length), alpha=level, permutations=permutations, seed=k))
        for k in range(runs)
    )
    assert abs(alarms / runs - level) <= 3 * math.sqrt(level * (1 - level) / runs)


@pytest.mark.compiled
@pytest.mark.parametrize("before", [20, 50, 200])
def test_a_step_of_ten_percent_is_found_after_five_points(before: int) -> None:
    """With 3 % noise a step of 10 % is found in 95 % of series when 5 points have come, and in its place."""
    rng = np.random.default_rng(before)
    found = placed = 0
    for seed in range(200):
        series = rng.normal(0, 0.03, before + 5)
        series[before:] += STEP
        seen = changes(series, seed=seed)
        found += bool(seen)
        placed += any(abs(change.at - before) <= 1 for change in seen)
    assert found / 200 >= 0.95
    assert placed / 200 >= 0.9


@pytest.mark.compiled
@pytest.mark.parametrize(("place", "most"), [(None, 0.01), (25, 0.01), (-1, 0.06)])
def test_a_spike_is_no_change(place: int | None, most: float) -> None:
    """One point of fifty, 17 spreads away, raises no more alarms than noise does; few even as the newest point."""
    rng = np.random.default_rng(3)
    alarms = 0
    for seed in range(300):
        series = rng.normal(0, 0.03, 50)
        series[rng.integers(50) if place is None else place] += 0.5
        alarms += bool(changes(series, seed=seed))
    assert alarms / 300 <= most + 3 * math.sqrt(most * (1 - most) / 300)


def autocorrelated(rng: np.random.Generator, length: int, rho: float) -> np.ndarray:
    """Return AR(1) noise of spread 1, point by point."""
    series = [rng.normal()]
    for _ in range(length - 1):
        series.append(rho * series[-1] + math.sqrt(1 - rho**2) * rng.normal())
    return np.array(series)


@pytest.mark.compiled
@pytest.mark.parametrize("length", [50, 100])
def test_alarms_on_correlated_noise_are_many_and_foretold(length: int) -> None:
    """At a correlation of .4 alarms are many times the nominal rate, and `alarm_rate` says how many."""
    rng = np.random.default_rng(length)
    alarms = sum(bool(changes(autocorrelated(rng, length, 0.4), seed=k)) for k in range(500)) / 500
    said = alarm_rate(length, 0.4)
    print(f"n = {length}: {alarms:.1%} of series with a correlation of .4 raise an alarm, {said:.1%} foretold")  # noqa: T201
    assert alarms > 0.05
    assert said == pytest.approx(alarms, abs=0.06)


@pytest.mark.compiled
def test_alarms_on_white_noise_are_foretold_at_the_level() -> None:
    """Without correlation the foretold rate is the level."""
    assert alarm_rate(60, 0.0) == pytest.approx(0.01, abs=0.01)


@pytest.mark.compiled
def test_delay_and_smallest_step_hold_on_fresh_series() -> None:
    """A step as large as is said, so many points ago, is found in about 95 % of series by the detector itself."""
    rng = np.random.default_rng(8)
    after = delay(50, 3.0, 0.0)
    step = smallest_step(50, 0.0)
    assert after is not None
    assert step is not None
    for size, points in ((3.0, after), (step, 5)):
        hits = 0
        for seed in range(200):
            series = rng.normal(0, 1, 50 + points)
            series[50:] += size
            hits += bool(changes(series, seed=seed))
        assert hits / 200 >= 0.87
    assert delay(50, 0.1, 0.0) is None
    assert delay(50, 8.0, 0.0) == LEAST
    assert smallest_step(1, 0.0) is None


def slow_location(values: list[float]) -> list[float]:
    """Return the posterior of each first point of the new level, by integrals over the spread (Smith, 1975)."""
    n, weights = len(values), []
    for k in range(1, n):
        sides = values[:k], values[k:]
        rest = sum((one - sum(side) / len(side)) ** 2 for side in sides for one in side)
        # Flat priors of both levels integrate to 2 pi s² / sqrt(k (n - k)), that of the spread is 1 / s.
        grid = np.exp(np.linspace(-6, 6, 4_001))
        density = grid ** (2 - n) * np.exp(-rest / (2 * grid**2)) / math.sqrt(k * (n - k))
        weights.append(float(np.sum(density)))  # ds / s is even on a grid of logarithms
    return [weight / sum(weights) for weight in weights]


def test_a_place_has_the_posterior_of_the_definition() -> None:
    """The likeliest place, and the places that hold 97 %, are those of numerical integrals."""
    rng = np.random.default_rng(31)
    for _ in range(20):
        values = [*rng.normal(0, 1, rng.integers(3, 12)), *rng.normal(2, 1, rng.integers(3, 12))]
        posterior = slow_location(values)
        [found] = locate(values, [LEAST])
        assert posterior[found.at - 1] == pytest.approx(max(posterior))
        order = sorted(range(len(posterior)), key=lambda k: -posterior[k])
        held = next(m for m in range(1, len(order) + 1) if sum(posterior[k] for k in order[:m]) >= CERTAIN)
        assert (found.low, found.high) == (min(order[:held]) + 1, max(order[:held]) + 1)


@pytest.mark.compiled
@pytest.mark.parametrize(("noise_of", "factor", "exact"), [(0.02, 1.2, 0.95), (0.03, 1.1, 0.75), (0.02, 1.06, 0.7)])
def test_a_change_is_where_it_is_said_to_be_as_soon_as_it_is_seen(noise_of: float, factor: float, exact: float) -> None:
    """The first alarm names the point of a step, or a range that holds it, in 95 %; a large step is named exactly."""
    held = named = widths = alarms = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        series = rng.normal(0, noise_of, 60)
        series[40:] += math.log(factor)
        for length in range(42, 61):
            if seen := changes(series[:length], seed=seed):
                location = locate(series[:length], [change.at for change in seen])[-1]
                held += location.low <= 40 <= location.high
                named += location.at == 40
                widths += location.high - location.low + 1
                alarms += 1
                break
    shares = f"exact {named / alarms:.1%}, held {held / alarms:.1%} by {widths / alarms:.1f} points"
    print(f"× {factor} at a noise of {noise_of}: {shares}")  # noqa: T201
    assert alarms >= 190
    assert held / alarms >= 0.95
    assert named / alarms >= exact


def test_a_step_is_no_slope_and_a_slope_no_step() -> None:
    """With noise or without; steps of three to five spreads are never taken for slopes, nor one on a slope."""
    rng = np.random.default_rng(17)
    steps = slopes = on_slopes = 0
    for case in range(300):
        series = rng.normal(0, 1, 40)
        place = int(rng.integers(5, 36))
        step = np.where(np.arange(40) >= place, 3 + case % 3, 0.0)
        slope = np.linspace(0, 8, 40)
        steps += is_slope(series + step, place)
        slopes += is_slope(series + slope, locate(series + slope, [20])[0].at)
        on_slopes += is_slope(series + slope + 2 * step, place)
    assert steps == 0
    assert slopes / 300 >= 0.95
    assert on_slopes / 300 <= 0.02
    line, level = np.arange(20.0), np.repeat([0.0, 1.0], 10)
    assert is_slope(line, 10)
    assert not is_slope(level, 10)
    assert not is_slope(line[:7], 3)


def test_places_of_series_without_noise_are_exact() -> None:
    """Rounding errors decide nothing, and levels that are one have a place too."""
    values = [2.0] * 30 + [2.04] * 30 + [2.1] * 10
    assert [(one.low, one.at, one.high) for one in locate(values, [30, 60])] == [(30, 30, 30), (60, 60, 60)]
    [nowhere] = locate([1.0] * 10, [5])
    assert nowhere.low == 1
    assert locate([1.0, 2.0], []) == []


@pytest.mark.compiled
@pytest.mark.parametrize(("runs", "level"), [(1, 0.01), (2, 0.01), (3, 0.01), (5, 0.01), (10, 0.01), (5, 0.05)])
def test_what_is_promised_with_few_runs_holds(runs: int, level: float) -> None:
    """A step as large as is promised, by the spread of these very runs, is found in 95 % within 3 points.

    Where no step is promised a step of any size would be missed more often, and with as many more
    runs as are said to be needed a promise holds.
    """
    step, needed = smallest_step(runs, 0.0, level, runs), points_needed(runs, level, runs)
    assert needed is not None
    assert (step is None) == (needed > 0)
    if step is None:
        assert found_by_detector(runs, 1_000.0, level) < 0.95
        assert found_by_detector(runs + needed - 1, 20.0, level) < 0.97
        step = smallest_step(runs + needed, 0.0, level, runs + needed)
        assert step is not None
    assert found_by_detector(runs + needed, step, level) == pytest.approx(0.95, abs=0.03)


def found_by_detector(before: int, step: float, level: float) -> float:
    """Return the share of fresh series in which the detector finds a step of so many of their own spreads."""
    rng, hits, count = np.random.default_rng(before), 0, 400
    for seed in range(count):
        series = rng.normal(0, 1, before + AFTER)
        series[before:] += step * (noise(series[:before], [])[0] or 1.0)
        hits += bool(changes(series, alpha=level, permutations=permutations_for(level), seed=seed))
    return hits / count


def test_several_changes_are_found_in_order() -> None:
    """Up, down and up again: three changes, where they were made."""
    rng = np.random.default_rng(4)
    series = np.concatenate([rng.normal(level, 1, 40) for level in (0, 6, -2, 3)])
    assert [change.at for change in changes(series)] == [40, 80, 120]


def test_noise_is_measured_between_changes() -> None:
    """Spread and correlation are those within levels, whatever the steps and spikes between."""
    rng = np.random.default_rng(6)
    series = autocorrelated(rng, 4_000, 0.5)
    series[2_000:] += 30
    series[77] += 100
    spread, correlation = noise(series, [2_000])
    assert spread == pytest.approx(1, rel=0.1)
    assert correlation == pytest.approx(0.5, abs=0.1)
    assert noise([1.0, 1.0, 1.0], []) == (0.0, 0.0)
    assert noise([], []) == (None, 0.0)
    assert noise([1.0, 2.0], []) == (None, 0.0)
    assert noise([1.0, 2.0, 3.0], []) == (1.0, 0.0)


def test_a_seed_repeats_what_chance_decides() -> None:
    """The same seed gives the same p-values."""
    series = np.random.default_rng(2).normal(0, 1, 40)
    series[20:] += 0.9
    assert changes(series, alpha=0.5, seed=1) == changes(series, alpha=0.5, seed=1)


@pytest.mark.parametrize("values", [[], [1.0], [2.0] * 30, [1.0, 2.0, 3.0, 4.0, 5.0]])
def test_short_and_constant_series_have_no_change(values: list[float]) -> None:
    """Nothing is found where there is nothing to split."""
    assert changes(values) == []


def test_missing_points_and_impossible_levels_are_refused() -> None:
    """A NaN is no point, and 19 permutations cannot give 1 %."""
    with pytest.raises(ValueError, match="finite"):
        changes([1.0, math.nan])
    with pytest.raises(ValueError, match="at least 99"):
        changes([1.0, 2.0], permutations=19)
