"""What watching a series can show, by what is known of its noise. Pure; simulated when it is asked for."""

import math
from dataclasses import dataclass
from functools import cached_property

from bench.stats.change_point import LEAST
from bench.stats.detection import alarm_rate, delay, points_needed, smallest_step

STEP = 0.10
"""The step whose delay is told, as a share."""
_LARGEST = 20.0
"""Spreads: a step that large is found as soon as any is."""


@dataclass(frozen=True)
class Promise:
    """What is known of a series' noise, and what follows for steps to come.

    Attributes:
        spread: standard deviation of its logarithms between changes; None where there are too few points.
        correlation: from point to point.
        points: that the series has.
        since: those since the last change.
        runs_a_week: of late; None where that cannot be told.
        level: chance of a first change in a series without one.
        delta: smallest relevant effect, as a share.
    """

    spread: float | None
    correlation: float
    points: int
    since: int
    runs_a_week: float | None
    level: float
    delta: float

    @cached_property
    def needed(self) -> int | None:
        """Points that must come before a step can be found 5 points later in 95 %; None beyond 30."""
        return points_needed(_tens(self.since), self.level, _tens(self.points))

    @cached_property
    def least_effect(self) -> float | None:
        """Smallest step found 5 points later in 95 %, as a share; None where there is none."""
        if self.spread is None or self.needed != 0:
            return None
        if not self.spread:
            return self.delta
        step = smallest_step(_tens(self.since), self.correlation, self.level, _tens(self.points))
        return None if step is None else max(math.expm1(step * self.spread), self.delta)

    @cached_property
    def delay(self) -> int | None:
        """Points after which a step of 10 % is found in 95 %; None beyond 30."""
        if self.spread is None:
            return None
        # Steps are rounded down to halves of a spread and lengths to tens, so that series share simulations.
        units = math.floor(2 * math.log1p(STEP) / self.spread) / 2 if self.spread else _LARGEST
        return delay(_tens(self.since), min(units, _LARGEST), self.correlation, self.level, _tens(self.points))

    @cached_property
    def alarms_a_week(self) -> float | None:
        """False alarms to be expected at most; None where that cannot be told."""
        if self.runs_a_week is None or self.points < LEAST:
            return None
        points = self.points + (self.needed or 0)  # before that there are none, and no promise either
        return self.runs_a_week * alarm_rate(_tens(points), self.correlation, self.level)


def _tens(points: int) -> int:
    return points // 10 * 10 if points >= 10 else points  # noqa: PLR2004
