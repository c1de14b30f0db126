"""The time left: the plan's estimate at first, what was seen later, never negative."""

import pytest

from bench.cli.progress import time_left


def test_it_learns_from_what_was_seen() -> None:
    """Four trials estimated at 150 s in all that take 300 s each: the last ones are foreseen better and better."""
    assert time_left(150, 0, 0, 1, 4) == pytest.approx(150)
    late = [time_left(150, 300 * done, 0, done + 1, 4) / (300 * (4 - done)) for done in range(4)]
    assert late == sorted(late)
    assert late[-1] > 0.75


def test_it_runs_down_within_a_trial_and_never_below_zero() -> None:
    """Seconds pass within a trial too; a trial that takes longer than foreseen shows zero, not less."""
    assert time_left(100, 30, 4, 4, 10) == pytest.approx(time_left(100, 30, 0, 4, 10) - 4)
    assert time_left(10, 0, 60, 1, 1) == 0
