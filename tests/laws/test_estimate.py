"""The interval of a row covers what it should, and is that of the textbook."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from bench.stats.estimate import estimate


def slow_twin(values: list[float], level: float) -> tuple[float, float, float]:
    """Return centre and interval by sums alone."""
    logs = [float(np.log(value)) for value in values]
    mean = sum(logs) / len(logs)
    variance = sum((log - mean) ** 2 for log in logs) / (len(logs) - 1)
    half = stats.t.ppf((1 + level) / 2, len(logs) - 1) * (variance / len(logs)) ** 0.5
    with np.errstate(over="ignore"):
        return tuple(float(np.exp(mean + sign * half)) for sign in (0, -1, 1))  # type: ignore[return-value]


@example([1.0, 29809865.0], 0.9921875)  # beyond what a float holds
@given(st.lists(st.floats(1e-3, 1e9), min_size=2, max_size=30), st.floats(0.5, 0.999))
def test_the_interval_is_that_of_its_slow_twin(values: list[float], level: float) -> None:
    """Centre and both ends equal the textbook's sums."""
    found = estimate(values, level)
    assert (found.value, found.low, found.high) == pytest.approx(slow_twin(values, level))


@pytest.mark.parametrize("n", [3, 10])
def test_the_interval_covers_the_truth(n: int) -> None:
    """Log-normal trial effects of 8 %: 95 % intervals cover the true centre in 93 to 97 % of 4,000 rows."""
    rng = np.random.default_rng(7)
    rows = rng.lognormal(np.log(5.0), 0.08, (4_000, n))
    covered = 0
    for row in rows:
        found = estimate(row.tolist())
        covered += (found.low or 0) <= 5.0 <= (found.high or 0)
    assert 0.93 <= covered / len(rows) <= 0.97


def test_one_trial_has_no_interval() -> None:
    """A single trial gives its number, and nobody knows its spread."""
    found = estimate([4.0])
    assert (found.n, found.value, found.low, found.high, found.spread) == (1, pytest.approx(4.0), None, None, None)


@pytest.mark.parametrize("values", [[], [0.0, 1.0], [1.0, float("inf")], [float("nan")]])
def test_what_is_no_estimate_is_refused(values: list[float]) -> None:
    """Nothing, zero, infinity and NaN have no logarithm to average."""
    with pytest.raises(ValueError, match="positive and finite"):
        estimate(values)
