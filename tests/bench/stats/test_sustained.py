"""Criteria of a sustained rate: each fails by itself, with figures, and a pause that is worked off fails none."""

import numpy as np
import pytest

from bench.stats.sustained import Criterion, RateEvidence, by_far, failures


def reading(**changes: object) -> RateEvidence:
    """Return what a sound trial showed, changed."""
    fields: dict[str, object] = {
        "offered": 10_000,
        "achieved": 9_999.0,
        "backlog": np.full(100, 3, np.int64),
        "lost": 0,
        "p99_ns": 2e6,
    }
    return RateEvidence(**(fields | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "criterion", "words"),
    [
        ({"achieved": 9_899.0}, Criterion.ACHIEVED, "98.9 %"),
        ({"backlog": np.arange(100)}, Criterion.BACKLOG, "1 %"),
        ({"p99_ns": 6e6}, Criterion.P99, "6.00 ms"),
        ({"p99_ns": None}, Criterion.P99, "unknown"),
        ({"lost": 1}, Criterion.LOST, "1 confirmed"),
        ({"ended": "overloaded: too much"}, Criterion.ENDED, "overloaded"),
        ({"ended": "broker-failed: gone", "offered": 0, "achieved": 0.0}, Criterion.ENDED, "gone"),
    ],
)
def test_each_criterion_fails_alone(changes: dict[str, object], criterion: Criterion, words: str) -> None:
    """A sound trial has no failure; each change makes exactly one, in words with figures."""
    assert failures(reading(), 5_000_000) == ()
    [found] = failures(reading(**changes), 5_000_000)
    assert found.criterion is criterion
    assert words in found.text


def test_a_failure_by_far_is_below_nine_tenths() -> None:
    """0.9 of what was offered is not by far, a message less is."""
    assert not by_far(reading(achieved=9_000.0))
    assert by_far(reading(achieved=8_999.0))


def test_without_an_objective_any_latency_will_do() -> None:
    """p99 is judged only where an objective is stated; nothing offered is nothing achieved."""
    assert failures(reading(p99_ns=None)) == ()
    assert [one.criterion for one in failures(reading(offered=0, achieved=0.0))] == [Criterion.ACHIEVED]


def test_a_pause_that_is_worked_off_is_no_trend() -> None:
    """A backlog that jumps and falls back, or falls throughout, fails nothing; nor does a short or empty one."""
    paused = np.zeros(120, np.int64)
    paused[40:60] = np.linspace(500, 0, 20).astype(np.int64)
    for backlog in (paused, np.arange(100)[::-1], np.arange(2), np.empty(0, np.int64)):
        assert failures(reading(backlog=backlog)) == ()
