"""From series to what is said of each: changes proposed, confirmed or dismissed, and what watching it can show. Pure.

Statistics of a stored series can propose a change, never prove one: hosts age, kernels and
neighbours change. Only an interleaved re-run of old and new decides, or somebody who meant it. A
step smaller than the smallest relevant effect is no change here, however certain it is.

But small steps add up. *Drift* is what the certain ones among them have come to since the last
level that somebody judged: it asks for two of them, mostly in one direction, and for a sum that
matters. As each of them is a split that the detector holds for certain, noise without one raises
no alarm by drift. A slope may also be split so that the halves differ by more than matters: then
no commit stands out, none is named, and it is part of the drift (`is_slope`).

Whether there is a change is decided by the splits of the detector, which leave three points on
either side; where it is, by the likelihood of each place (`bench.stats.change_point.locate`).
"""

import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.stats.change_point import ALPHA, LEAST, Location, changes, is_slope, locate, permutations_for
from bench.stats.detection import noise
from bench.stats.ratio import DELTA, Verdict
from reports.history.promise import Promise
from reports.history.series import Series
from reports.history.store import ACCEPTED, END, LEVEL

BUDGET = 1.0
"""False alarms a week that are allowed over all series."""
_LEVELS = (0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
_NEAR = 2
_ONE_WAY = 0.5
"""Share of all small steps that must be left when those up and those down are set off."""
AT_THE_ENDS = 5
"""Points by which the first and the last level of a drift are told."""


class State(StrEnum):
    """What is known of a change."""

    PROPOSED = "proposed"
    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"
    ACCEPTED = "accepted"


@dataclass(frozen=True)
class HistoryRules:
    """How a history is watched.

    Attributes:
        budget: false alarms a week, over all series.
        delta: smallest relevant effect, as a share.
        silent_after: time without a run, while other series had some, that is told.
        ends_after: the same, after which a series has ended.
    """

    budget: float = BUDGET
    delta: float = DELTA
    silent_after: timedelta = timedelta(days=14)
    ends_after: timedelta = timedelta(days=60)


@dataclass(frozen=True)
class LevelChange:
    """A change of level.

    Attributes:
        at: index of the first point of the new level, the likeliest one.
        low, high: the first and the last point that may be it.
        run_id, commit: of the likeliest one.
        ratio: median of the new level over that of the old one.
        p_value: see `bench.stats.change_point`; None where it was accepted without being seen.
        worse: whether the new level is the worse one.
        state: proposed, confirmed, dismissed or accepted.
        by: the run that confirmed or dismissed it, or why it was accepted; empty where nobody did.
    """

    at: int
    low: int
    high: int
    run_id: str
    commit: str
    ratio: float
    p_value: float | None
    worse: bool
    state: State
    by: str


@dataclass(frozen=True)
class Drift:
    """What steps that are too small to matter, or parts of a slope, have added up to since the last level judged.

    Attributes:
        since: index of the first point of that level; until: of the newest point.
        steps: how many there are.
        ratio: newest level over that one, changes beside the drift set off.
        worse: whether the newest level is the worse one.
    """

    since: int
    until: int
    steps: int
    ratio: float
    worse: bool


@dataclass(frozen=True)
class Judged:
    """A series and what is said of it.

    Attributes:
        found: changes, in order of commits; on a branch, those of its own.
        small: steps that are certain and smaller than the smallest relevant effect.
        drift: what they add up to, if that matters.
        promise: what watching it can show.
        silent: time without a run, while other series had some, that is longer than allowed.
        ended: whether it will have no more: it raises no alarm and costs none.
    """

    series: Series
    found: tuple[LevelChange, ...]
    small: int
    drift: Drift | None
    promise: Promise
    silent: timedelta | None
    ended: bool

    @property
    def suspects(self) -> tuple[LevelChange, ...]:
        """Changes that nobody has confirmed, dismissed or accepted."""
        return () if self.ended else tuple(one for one in self.found if one.state is State.PROPOSED)

    @property
    def suspect(self) -> bool:
        """Whether somebody has to look at it."""
        return not self.ended and bool(self.suspects or self.drift or self.silent)


@dataclass(frozen=True)
class Watched:
    """All series of a store, or of a branch in it.

    Attributes:
        level: chance of a first change in a series without one, as the budget allows it.
        budget: false alarms a week that are allowed.
        branch: whose series they are; empty for the main one.
        branches: other branches of the store, with the number of their runs.
        silent: time since the last run of all, where that is longer than allowed.
        skipped: a sentence for each file of the store that cannot be read.
    """

    series: tuple[Judged, ...]
    level: float
    budget: float
    branch: str = ""
    branches: Mapping[str, int] = field(default_factory=dict)
    silent: timedelta | None = None
    skipped: tuple[str, ...] = ()

    @property
    def alive(self) -> tuple[Judged, ...]:
        """Series that have not ended."""
        return tuple(one for one in self.series if not one.ended)

    @property
    def suspect(self) -> bool:
        """Whether somebody has to look at it."""
        return self.silent is not None or any(one.suspect for one in self.series)

    @property
    def alarms_a_week(self) -> float | None:
        """False alarms a week over all series that tell of it, at most; None where none does."""
        known = [rate for one in self.alive if (rate := one.promise.alarms_a_week) is not None]
        return sum(known) if known else None


@dataclass(frozen=True)
class Told:
    """What was said of points, each named by its series and run: verdict and run, or why it was accepted."""

    verdicts: Mapping[tuple[str, str], tuple[str, str]]
    levels: Mapping[tuple[str, str], str]
    ends: Mapping[tuple[str, str], str]

    @classmethod
    def of(cls, confirmations: pd.DataFrame, acceptances: pd.DataFrame) -> "Told":
        """Return what rows as `store.CONFIRMED` and `store.ACCEPTED` say."""
        verdicts = {
            (series, run_id): (verdict, by)
            for series, run_id, verdict, by in _texts(confirmations, "series", "run_id", "verdict", "by")
        }
        accepted = list(_texts(acceptances, *ACCEPTED))
        levels, ends = (
            {(series, run_id): why for series, run_id, what, why in accepted if what == wanted}
            for wanted in (LEVEL, END)
        )
        return cls(verdicts, levels, ends)

    def of_level(self, series: str, run_id: str) -> bool:
        """Return whether somebody has judged the level that a run is of."""
        return (series, run_id) in self.verdicts or (series, run_id) in self.levels


def _texts(frame: pd.DataFrame, *columns: str) -> Iterator[tuple[str, ...]]:
    return zip(*(frame[column].astype(str) for column in columns), strict=True)


def judge(
    series: Sequence[Series],
    confirmations: pd.DataFrame,
    acceptances: pd.DataFrame | None = None,
    *,
    rules: HistoryRules | None = None,
    newest: datetime | None = None,
) -> Watched:
    """Judge every series at a level that keeps the budget of false alarms.

    Args:
        series: of one store, or of a branch in it.
        confirmations: rows as `store.CONFIRMED`.
        acceptances: rows as `store.ACCEPTED`.
        rules: how they are watched.
        newest: when anything was measured last; by default the last of these series.
    """
    rules = rules or HistoryRules()
    told = Told.of(confirmations, pd.DataFrame(columns=list(ACCEPTED)) if acceptances is None else acceptances)
    newest = newest or max((one.newest for one in series), default=datetime.min.replace(tzinfo=UTC))
    ended = [_has_ended(one, told, rules, newest) for one in series]
    paces = [one.runs_a_week or 0.0 for one, over in zip(series, ended, strict=True) if not over]
    level = level_for(rules.budget, paces)
    judged = (_judge(one, told, level, rules) for one in series)
    return Watched(
        tuple(
            replace(one, ended=True)
            if over
            else replace(one, silent=None if one.series.branch else one.series.without_run(newest, rules.silent_after))
            for one, over in zip(judged, ended, strict=True)
        ),
        level,
        rules.budget,
    )


def _has_ended(one: Series, told: Told, rules: HistoryRules, newest: datetime) -> bool:
    last = one.run_ids[-1]
    return not one.branch and ((one.name, last) in told.ends or one.without_run(newest, rules.ends_after) is not None)


def level_for(budget: float, runs_a_week: Sequence[float]) -> float:
    """Return the largest of a few levels at which equal noise raises no more alarms a week than the budget.

    Each new run is one test of each of its series. Where even the smallest level exceeds the
    budget it is used; where nothing is known of the pace, the usual one.
    """
    tests = sum(runs_a_week)
    if tests <= 0:
        return ALPHA
    return next((level for level in _LEVELS if level * tests <= budget), _LEVELS[-1])


@dataclass(frozen=True)
class Split:
    """A change of level, as it was seen or accepted.

    Attributes:
        location: where it is.
        p_value: None where it was accepted.
        step: of the levels between which it was decided, as a logarithm.
        size: of the levels between places as located.
    """

    location: Location
    p_value: float | None
    step: float
    size: float


def _judge(one: Series, told: Told, level: float, rules: HistoryRules) -> Judged:
    splits, large, drift = look(one, told, level, rules.delta)
    places = [split.location.at for split in splits]
    spread, correlation = noise(np.log(one.values), places)
    length = len(one.values)
    return Judged(
        series=one,
        found=tuple(_found(one, split, places, told) for split in large if split.location.high >= one.begin),
        small=sum(split.p_value is not None and abs(split.step) <= math.log1p(rules.delta) for split in splits),
        drift=drift,
        promise=Promise(
            spread=spread,
            correlation=correlation,
            points=length,
            since=length - (places[-1] if places else 0),
            runs_a_week=one.runs_a_week,
            level=level,
            delta=rules.delta,
        ),
        silent=None,
        ended=False,
    )


def look(one: Series, told: Told, level: float, delta: float) -> tuple[list[Split], list[Split], Drift | None]:
    """Return all splits of a series; steps that matter, and those accepted; and what the others add up to."""
    logs = np.log(one.values)
    accepted = [at for at, run_id in enumerate(one.run_ids) if at and (one.name, run_id) in told.levels]
    splits = _splits(logs, accepted, level, seed=int(one.name, 16))
    least = math.log1p(delta)
    edges = [0, *(split.location.at for split in splits), len(logs)]
    large = [
        split
        for split, before, at, after in zip(splits, edges, edges[1:], edges[2:], strict=False)
        if split.p_value is None
        or (abs(split.step) > least and (bool(one.branch) or not is_slope(logs[before:after], at - before)))
    ]
    return splits, large, None if one.branch else _drift(one, splits, large, told, least)


def _splits(logs: NDArray[np.float64], accepted: Sequence[int], level: float, seed: int) -> list[Split]:
    """Return all splits of a series, those that were accepted and those that are seen between them."""
    seen: list[tuple[int, float | None, Location]] = [(at, None, Location(at, at, at)) for at in accepted]
    for begin, end in pairwise([0, *accepted, len(logs)]):
        part = logs[begin:end]
        between = changes(part, alpha=level, permutations=permutations_for(level), seed=seed)
        located = locate(part, [change.at for change in between])
        seen += [
            (begin + change.at, change.p_value, Location(begin + place.at, begin + place.low, begin + place.high))
            for change, place in zip(between, located, strict=True)
        ]
    seen.sort(key=lambda split: split[0])
    steps = _steps(logs, [at for at, _, _ in seen])
    sizes = _steps(logs, [location.at for _, _, location in seen])
    return [
        Split(location, p_value, step, size)
        for (_, p_value, location), step, size in zip(seen, steps, sizes, strict=True)
    ]


def _steps(logs: NDArray[np.float64], places: Sequence[int]) -> list[float]:
    levels = [float(np.median(part)) for part in np.split(logs, list(places)) if len(part)]
    return [after - before for before, after in pairwise(levels)]


def _found(one: Series, split: Split, places: Sequence[int], told: Told) -> LevelChange:
    low, high = max(split.location.low, one.begin), split.location.high  # a branch's own change is none of the main one
    at = max(split.location.at, low)
    state, by = State.PROPOSED, ""
    if split.p_value is None:
        state, by = State.ACCEPTED, told.levels[one.name, one.run_ids[at]]
    elif verdict := next(_nearby(one, split.location, places, told), None):
        by = verdict[1]
        state = State.DISMISSED if verdict[0] == Verdict.SAME else State.CONFIRMED
    return LevelChange(
        at=at,
        low=low,
        high=high,
        run_id=one.run_ids[at],
        commit=one.commits[at],
        ratio=math.exp(split.size),
        p_value=split.p_value,
        worse=(split.size > 0) == one.metric.lower_is_better,
        state=state,
        by=by,
    )


def _nearby(one: Series, location: Location, places: Sequence[int], told: Told) -> Iterator[tuple[str, str]]:
    """Return the confirmation of this change, and of no other; its place may move as more points come."""
    low, high = min(location.low, location.at - _NEAR), max(location.high, location.at + _NEAR)
    for near in sorted(range(max(low, 0), min(high + 1, len(one.run_ids))), key=lambda near: abs(near - location.at)):
        nearest = min(places, key=lambda place: abs(place - near))
        if nearest == location.at and (one.name, one.run_ids[near]) in told.verdicts:
            yield told.verdicts[one.name, one.run_ids[near]]


def _drift(one: Series, splits: Sequence[Split], large: Sequence[Split], told: Told, least: float) -> Drift | None:
    judged = [at for at, run_id in enumerate(one.run_ids) if told.of_level(one.name, run_id)]
    places = [split.location.at for split in splits]
    first = bisect_right(places, max(judged, default=-1))
    small = [split.step for split in splits[first:] if split not in large]
    total = sum(small)
    slope = any(abs(step) > least for step in small)
    if (len(small) < 2 and not slope) or abs(total) <= max(least, _ONE_WAY * sum(map(abs, small))):  # noqa: PLR2004
        return None
    since, end = [0, *places][first], [*places, len(one.values)][first]
    logs = np.log(one.values)
    old, new = logs[since:end][:AT_THE_ENDS], logs[min(places[-1], len(logs) - LEAST) :][-AT_THE_ENDS:]
    ends = float(np.median(new) - np.median(old)) - sum(split.size for split in splits[first:] if split in large)
    # Few points tell the ends of a slope better than the medians of levels do, but must not take back what these say.
    size = ends if math.copysign(1, total) * ends > least else total
    return Drift(
        since=since,
        until=len(one.values) - 1,
        steps=len(small),
        ratio=math.exp(size),
        worse=(size > 0) == one.metric.lower_is_better,
    )
