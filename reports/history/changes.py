"""From series to what is said of each: changes proposed, confirmed or dismissed, and what watching it can show. Pure.

Statistics of a stored series can propose a change, never prove one: hosts age, kernels and
neighbours change. Only an interleaved re-run of old and new decides. A step smaller than the
smallest relevant effect is no change here, however certain it is.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np
import pandas as pd

from bench.stats.change_point import ALPHA, PERMUTATIONS, changes
from bench.stats.detection import alarm_rate, delay, noise, smallest_step
from bench.stats.ratio import DELTA, Verdict
from reports.history.series import Series

STEP = 0.10
"""The step whose delay is told, as a share."""
BUDGET = 1.0
"""False alarms a week that are allowed over all series."""
_LEVELS = (0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
_NEAR = 2
_WEEK_S = 7 * 86_400
_PACE_POINTS = 20


class State(StrEnum):
    """What is known of a change."""

    PROPOSED = "proposed"
    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"


@dataclass(frozen=True)
class LevelChange:
    """A change of level.

    Attributes:
        at: index of the first point of the new level.
        run_id, commit: of that point.
        ratio: median of the new level over that of the old one.
        p_value: see `bench.stats.change_point`.
        worse: whether the new level is the worse one.
        state: proposed, confirmed or dismissed.
        by: the run that confirmed or dismissed it; empty where none did.
    """

    at: int
    run_id: str
    commit: str
    ratio: float
    p_value: float
    worse: bool
    state: State
    by: str


@dataclass(frozen=True)
class Judged:
    """A series and what is said of it.

    Attributes:
        found: changes, in order of time.
        small: steps that are certain and smaller than the smallest relevant effect.
        spread: of its noise, as a share.
        correlation: of its noise from point to point.
        runs_a_week: of late; None where that cannot be told.
        alarms_a_week: false alarms to be expected at most; None where that cannot be told.
        least_effect: smallest step found 5 points later in 95 %, as a share; None where there is none.
        delay: points after which a step of 10 % is found in 95 %; None beyond 30.
    """

    series: Series
    found: tuple[LevelChange, ...]
    small: int
    spread: float
    correlation: float
    runs_a_week: float | None
    alarms_a_week: float | None
    least_effect: float | None
    delay: int | None

    @property
    def suspects(self) -> tuple[LevelChange, ...]:
        """Changes that nobody has confirmed or dismissed."""
        return tuple(one for one in self.found if one.state is State.PROPOSED)


@dataclass(frozen=True)
class Watched:
    """All series of a store.

    Attributes:
        level: chance of a first change in a series without one, as the budget allows it.
        budget: false alarms a week that are allowed.
    """

    series: tuple[Judged, ...]
    level: float
    budget: float

    @property
    def alarms_a_week(self) -> float:
        """False alarms a week over all series, at most."""
        return sum(one.alarms_a_week or 0.0 for one in self.series)


def judge(
    series: Sequence[Series], confirmations: pd.DataFrame, *, budget: float = BUDGET, delta: float = DELTA
) -> Watched:
    """Judge every series at a level that keeps the budget of false alarms.

    Args:
        series: of one store.
        confirmations: rows as `store.CONFIRMED`.
        budget: false alarms a week, over all series.
        delta: smallest relevant effect, as a share.
    """
    level = level_for(budget, [_pace(one) or 0.0 for one in series])
    told = {
        (series_name, run_id): (verdict, by)
        for series_name, run_id, verdict, by in zip(
            *(confirmations[column].astype(str) for column in ("series", "run_id", "verdict", "by")), strict=True
        )
    }
    return Watched(tuple(_judge(one, told, level, delta) for one in series), level, budget)


def level_for(budget: float, runs_a_week: Sequence[float]) -> float:
    """Return the largest of a few levels at which equal noise raises no more alarms a week than the budget.

    Each new run is one test of each of its series. Where even the smallest level exceeds the
    budget it is used; where nothing is known of the pace, the usual one.
    """
    tests = sum(runs_a_week)
    if tests <= 0:
        return ALPHA
    return next((level for level in _LEVELS if level * tests <= budget), _LEVELS[-1])


def _judge(one: Series, told: Mapping[tuple[str, str], tuple[str, str]], level: float, delta: float) -> Judged:
    logs = np.log(one.values)
    permutations = max(PERMUTATIONS, round(1 / level) - 1)
    seen = changes(logs, alpha=level, permutations=permutations, seed=int(one.name, 16))
    places = [change.at for change in seen]
    levels = [float(np.median(part)) for part in np.split(logs, places) if len(part)]
    steps = [after - before for before, after in pairwise(levels)]
    found = tuple(
        _found(one, change.at, step, change.p_value, told)
        for change, step in zip(seen, steps, strict=True)
        if abs(step) > math.log1p(delta)
    )
    spread, correlation = noise(logs, places)
    runs_a_week, length = _pace(one), len(one.values)
    since = length - (places[-1] if places else 0)
    step = smallest_step(_tens(since), correlation, level) if spread else 0.0
    return Judged(
        series=one,
        found=found,
        small=len(seen) - len(found),
        spread=math.expm1(spread),
        correlation=correlation,
        runs_a_week=runs_a_week,
        alarms_a_week=None if runs_a_week is None else runs_a_week * alarm_rate(_tens(length), correlation, level),
        least_effect=None if step is None else max(math.expm1(step * spread), delta),
        delay=_delay(since, spread, correlation, level),
    )


def _delay(since: int, spread: float, correlation: float, level: float) -> int | None:
    # Steps are rounded down to halves of a spread and lengths to tens, so that series share simulations.
    units = math.floor(2 * math.log1p(STEP) / spread) / 2 if spread else math.inf
    return delay(_tens(since), min(units, 20.0), correlation, level)


def _tens(length: int) -> int:
    return length // 10 * 10 if length >= 10 else length  # noqa: PLR2004


def _found(
    one: Series, at: int, step: float, p_value: float, told: Mapping[tuple[str, str], tuple[str, str]]
) -> LevelChange:
    verdict, by = next(_nearby(one, at, told), ("", ""))
    state = State.PROPOSED
    if verdict in {Verdict.BETTER, Verdict.WORSE}:
        state = State.CONFIRMED
    elif verdict == Verdict.SAME:
        state = State.DISMISSED
    return LevelChange(
        at=at,
        run_id=one.run_ids[at],
        commit=one.commits[at],
        ratio=math.exp(step),
        p_value=p_value,
        worse=(step > 0) == one.metric.lower_is_better,
        state=state,
        by=by,
    )


def _nearby(one: Series, at: int, told: Mapping[tuple[str, str], tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Return the confirmation of this change; its place may move by a point or two as more points come."""
    for place in sorted(range(at - _NEAR, at + _NEAR + 1), key=lambda place: abs(place - at)):
        if 0 <= place < len(one.run_ids) and (one.name, one.run_ids[place]) in told:
            yield told[one.name, one.run_ids[place]]


def _pace(one: Series) -> float | None:
    """Return runs a week over the last 20 of them."""
    late = one.times[-_PACE_POINTS:]
    seconds = (late[-1] - late[0]).total_seconds() if len(late) > 1 else 0.0
    return (len(late) - 1) * _WEEK_S / seconds if seconds > 0 else None
