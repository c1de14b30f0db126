"""Whether the trials of one row keep to an absolute limit: pass, fail, or undecided. Pure.

The two risks are those of the gate (`bench.stats.noninferiority`):

- *Fail*: the interval of the trials' geometric mean lies beyond the limit. It is drawn at the level `ALARM` over the
  number of limits (Bonferroni), so that a row exactly at its limits fails in at most that share of runs.
- *Pass*: the one-sided bound of the mean at `MISS` lies within the limit, so that what is beyond it passes in at most
  that share.

A count of faults has no noise to allow for: one trial beyond the limit fails it. Where some message never came a trial
has no figure, but is beyond any largest value: then the trials beyond the limit are counted, by the exact sign test.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import special

from bench.stats.estimate import estimate
from bench.stats.noninferiority import ALARM, MIN_PAIRS, MISS
from bench.stats.ratio import trials_within

LimitOutcome = Literal["pass", "fail", "undecided"]


@dataclass(frozen=True)
class Bounded:
    """The trials of one row, and what they must keep to.

    Attributes:
        values: one a trial; infinite where the message of that rank never came.
        bound: in the unit of the values.
        upper: whether it is the largest value that is allowed; else the smallest.
        counted: whether the values count faults, and may be 0.
    """

    values: Sequence[float]
    bound: float
    upper: bool = True
    counted: bool = False


@dataclass(frozen=True)
class LimitDecision:
    """What was found of one limit.

    Attributes:
        outcome: pass, fail or undecided.
        n: trials.
        level: of the interval.
        value: geometric mean; of a count the largest; None where some trial has no figure.
        low, high: interval of the mean at 1 - level; None for fewer than two trials, and for counts.
        needed: undecided only: trials that would decide if mean and spread stay as they are; None where that is not
            known, or more than 10,000 would be needed.
        beyond: trials beyond the limit.
    """

    outcome: LimitOutcome
    n: int
    level: float
    value: float | None = None
    low: float | None = None
    high: float | None = None
    needed: int | None = None
    beyond: int = 0


def keep_to(limits: Sequence[Bounded], *, alarm: float = ALARM, miss: float = MISS) -> list[LimitDecision]:
    """Judge rows by their limits; one decision each, in their order.

    Args:
        limits: all that are judged together; their number sets the level.
        alarm: chance that rows at their limits fail any.
        miss: chance that a row beyond its limit passes it.
    """
    level = alarm / max(len(limits), 1)
    return [_judged(one, level, miss) for one in limits]


def _judged(one: Bounded, level: float, miss: float) -> LimitDecision:
    values = np.asarray(one.values, np.float64)
    beyond = int((values > one.bound).sum() if one.upper else (values < one.bound).sum())
    found = LimitDecision("undecided", len(values), level, beyond=beyond)
    if not len(values):
        return found
    if one.counted:
        return _of_counts(replace(found, value=float(values.max() if one.upper else values.min())))
    if not np.all(np.isfinite(values) & (values > 0)):
        return _of_signs(found)
    return _of_means(one, found, miss)


def _of_counts(found: LimitDecision) -> LimitDecision:
    if found.beyond:
        return replace(found, outcome="fail")
    return replace(found, outcome="pass") if found.n >= MIN_PAIRS else replace(found, needed=MIN_PAIRS)


def _of_signs(found: LimitDecision) -> LimitDecision:
    if found.n < MIN_PAIRS or not found.beyond:
        return found
    p_value = float(special.bdtrc(found.beyond - 1, found.n, 0.5))
    return replace(found, outcome="fail") if p_value <= found.level else found


def _of_means(one: Bounded, found: LimitDecision, miss: float) -> LimitDecision:
    mean, one_sided = (estimate(one.values, 1 - alpha) for alpha in (found.level, 2 * miss))
    known = replace(found, value=mean.value, low=mean.low, high=mean.high)
    if mean.low is None or mean.high is None or one_sided.low is None or one_sided.high is None:
        return replace(known, needed=MIN_PAIRS)
    if found.n >= MIN_PAIRS:
        if mean.low > one.bound if one.upper else mean.high < one.bound:
            return replace(known, outcome="fail")
        if one_sided.high <= one.bound if one.upper else one_sided.low >= one.bound:
            return replace(known, outcome="pass")
    inside = mean.value <= one.bound if one.upper else mean.value >= one.bound
    distance = abs(float(np.log(one.bound / mean.value)))
    needed = trials_within(distance, mean.spread or 0.0, 2 * miss if inside else found.level)
    return replace(known, needed=None if needed is None else max(needed, MIN_PAIRS))
