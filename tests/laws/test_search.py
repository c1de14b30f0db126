"""The search finds the capacity of simulated brokers: within [.95 μ, 1.01 μ], in few trials, and sees slow leaks."""

import math
from dataclasses import dataclass

import numpy as np
import pytest

from bench.stats.rate_search import NextTrial, Rules, Search, SearchResult
from bench.stats.sustained import Criterion, Failure, RateEvidence, by_far, failures

SHORT_S, HOLD_S = 5, 120
TICKS = 10


@dataclass
class Fluid:
    """A broker of capacity μ whose every second serves up to 5 % more or less; a leak stops it after a time."""

    rng: np.random.Generator
    capacity: float
    noise: float = 0.05
    leak_s: float = math.inf

    def trial(self, step: NextTrial) -> tuple[tuple[Failure, ...], bool]:
        """Return how one trial is judged, and whether it failed by far.

        The backlog is the reflected sum of what came less what could be served.
        """
        seconds = HOLD_S if step.hold else SHORT_S
        served = self.capacity * (1 + self.rng.uniform(-self.noise, self.noise, seconds))
        ticks = np.repeat(served, TICKS) / TICKS
        ticks[np.arange(len(ticks)) / TICKS >= self.leak_s] = 0.9 * self.capacity / TICKS
        net = np.cumsum(step.rate / TICKS - ticks)
        backlog = net - np.minimum.accumulate(np.minimum(net, 0.0))
        offered = round(step.rate * seconds)
        reading = RateEvidence(offered, offered - backlog[-1], backlog.astype(np.int64), lost=0, p99_ns=None)
        return failures(reading), by_far(reading)


def searched(broker: Fluid, start: float, rules: Rules | None = None) -> tuple[SearchResult, Search]:
    """Search to the end."""
    search = Search(rules or Rules(), start)
    while (step := search.next_step()) is not None:
        failed, far = broker.trial(step)
        search.take(failed, by_far=far)
    return search.found(), search


@pytest.mark.compiled
def test_the_answer_is_the_capacity() -> None:
    """Capacity μ with ±5 % noise: answer in [.95 μ, 1.01 μ], both ends held, ≤ 40 short trials, in ≥ 95 % of 200."""
    good = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        capacity = 10 ** rng.uniform(3, 5)
        found, search = searched(Fluid(rng, capacity), start=capacity * 10 ** rng.uniform(-2, 1))
        shorts = [taken for taken in search.taken if not taken.step.hold]
        held = {taken.step.rate: taken.verdict for taken in search.taken if taken.step.hold}
        assert len(shorts) <= 40
        good += (
            found.ended == "found"
            and found.low is not None
            and found.high is not None
            and 0.95 * capacity <= found.low <= 1.01 * capacity
            and (held[found.low], held[found.high]) == ("pass", "fail")
            and found.high / found.low <= 1.052
        )
    assert good >= 190


def test_an_informed_guess_needs_few_trials() -> None:
    """From within 30 % of the capacity in steps of 1.25: at most 24 short trials in each of 60, 14 in the middle."""
    counts = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        _, search = searched(Fluid(rng, 30_000), 30_000 * rng.uniform(0.7, 1.3), Rules(factor=1.25))
        counts.append(sum(not taken.step.hold for taken in search.taken))
    assert max(counts) <= 24
    assert np.median(counts) <= 14


@pytest.mark.parametrize("seed", range(5))
def test_a_leak_that_overflows_late_fails_its_hold(seed: int) -> None:
    """After 60 s a tenth of the capacity is gone: short trials find μ, holds do not, and the answer is below .9 μ."""
    broker = Fluid(np.random.default_rng(seed), 10_000, leak_s=60)
    found, search = searched(broker, 1_000)
    highest = max(taken.step.rate for taken in search.taken if not taken.step.hold and taken.verdict == "pass")
    first = next(taken for taken in search.taken if taken.step.hold)
    assert 9_500 <= highest <= 10_500
    assert first.step.rate >= 9_500
    assert first.verdict == "fail"
    assert found.low is not None
    assert 0.84 * 10_000 <= found.low <= 0.92 * 10_000
    assert {failure.criterion for failure in found.why} & {Criterion.ACHIEVED, Criterion.BACKLOG}
