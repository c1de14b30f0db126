"""Drift: small steps that add up are found, and what does not drift raises no alarm by it."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from bench.stats.ratio import DELTA
from reports.history.changes import Drift, Told, look
from reports.history.series import METRICS, Series
from tests.laws.test_change import autocorrelated

KEY = {"metric": "p99 response", "mode": "full", "target": "t", "workload": "w", "scenario": "s"}
NOBODY = Told({}, {}, {})


def drift_of(logs: np.ndarray, level: float = 0.05) -> tuple[Drift | None, bool, int]:
    """Return the drift of a series of daily runs, whether its splits alone would raise an alarm, and its changes."""
    names = tuple(f"run-{k}" for k in range(len(logs)))
    times = tuple(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=k) for k in range(len(logs)))
    series = Series("00000000", KEY, METRICS[KEY["metric"]], np.exp(logs), (1,) * len(logs), names, names, times)
    splits, large, drift = look(series, NOBODY, level, DELTA)
    return drift, any(abs(split.step) > math.log1p(DELTA) for split in splits), len(large)


@pytest.mark.compiled
@pytest.mark.parametrize(("each", "total"), [(0.002, 0.13), (0.004, 0.27)])
@pytest.mark.parametrize(("level", "count"), [(0.05, 100), (0.001, 40)])
def test_many_small_steps_are_found_as_what_they_add_up_to(each: float, total: float, level: float, count: int) -> None:
    """Sixty runs of + 0.2 % (0.4 %) at 1 % noise: a drift of about 13 % (27 %) is told in 95 %.

    So it is at whatever level a budget leaves, and few commits are blamed for a step that there is not.
    """
    rng = np.random.default_rng(5)
    seen = [drift_of(rng.normal(0, 0.01, 60) + np.arange(60) * math.log1p(each), level) for _ in range(count)]
    found = [drift for drift, _, _ in seen if drift is not None]
    assert len(found) >= 0.95 * count
    assert all(one.worse and one.since == 0 and one.until == 59 for one in found)
    assert sum(changes for _, _, changes in seen) <= 0.3 * count
    # Its ends are medians of five runs, so that two runs' worth is missing at either end.
    assert np.median([one.ratio for one in found]) - 1 == pytest.approx(total * 55 / 59, rel=0.15)


@pytest.mark.compiled
@pytest.mark.parametrize(("rho", "most"), [(0.0, 0.01), (0.3, 0.02), (0.4, 0.03)])
def test_noise_raises_no_alarm_by_drift(rho: float, most: float) -> None:
    """Stationary noise has a drift where no other alarm is in hardly any series, correlated or not, at any spread."""
    rng = np.random.default_rng(11)
    for spread in (0.01, 0.03, 0.05):
        added = 0
        for _ in range(100):
            drift, other, _ = drift_of(spread * autocorrelated(rng, 60, rho))
            added += drift is not None and not other
        print(f"correlation {rho}, spread {spread:.0%}: drift alone in {added} of 100 series")  # noqa: T201
        assert added / 100 <= most


@pytest.mark.compiled
def test_a_step_is_no_drift() -> None:
    """One large step, or up and down again by small ones, is none."""
    rng = np.random.default_rng(2)
    levels = np.repeat([0.0, 0.3], 30), np.repeat([0.0, 0.04, 0.0, 0.04], 25)
    assert [drift_of(rng.normal(0, 0.005, len(level)) + level)[0] for level in levels] == [None, None]


@pytest.mark.compiled
@pytest.mark.parametrize("rho", [0.0, 0.6])
def test_no_step_is_lost_to_a_slope(rho: float) -> None:
    """Where splits alone would raise an alarm at a step, the step is told as one: 5, 20 or 60 points after it."""
    rng = np.random.default_rng(23)
    for size, spread in ((0.1, 0.03), (0.2, 0.05), (0.07, 0.02)):
        for after in (5, 20, 60):
            for _ in range(15):
                step = np.where(np.arange(40 + after) >= 40, math.log1p(size), 0.0)
                _, alarm, told = drift_of(spread * autocorrelated(rng, 40 + after, rho) + step)
                assert bool(told) == alarm
