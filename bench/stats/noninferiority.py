"""Whether a candidate is worse than its baseline by more than is allowed: pass, regression, or undecided.

Two claims, each with its own risk, stated beforehand:

- *Regression* is claimed where any metric of the family got worse, so it is guarded over the
  whole family: intervals at Holm's levels (`compare_family`) must exclude 1, and the estimate
  must exceed the limit. Equal sides raise an alarm in at most `ALARM` of all gates.
- *Pass* is claimed where every metric stayed within its limit. As all must hold, each is tested
  at the level `MISS` by itself (the intersection-union test: Berger, Technometrics 24, 1982):
  the one-sided bound of the change must lie inside the limit.

Everything else is undecided. The number of pairs is fixed before the run, and nobody looks at
results in between. Only paired, interleaved trials can show a regression; others can make
one suspect. Pure.

Student's t decides, and nothing else does. Two things are said beside it:

- Where neighbouring pairs are alike (`bench.stats.pair_drift`), each side drifts for itself, and
  intervals are widened before they decide.
- Where some pair is an outlier, the signed-rank test gives a second opinion on the ratio by the
  same rules, at the level `ALARM` for that metric alone: with ten pairs it cannot reach Holm's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bench.stats.estimate import logs
from bench.stats.pair_drift import NONE, PairDrift, pair_drift
from bench.stats.ratio import Comparison, Pair, compare, compare_family, trials_within
from bench.stats.signed_rank import has_outliers, signed_rank

ALARM = 0.01
"""Chance that a gate on two equal sides reports any regression, over all its metrics."""
MISS = 0.05
"""Chance of passing a metric that is worse than its limit."""
POWER = 0.95
"""Chance with which a change as large as the printed smallest detectable one is found."""
MIN_PAIRS = 5
"""Fewer pairs decide nothing."""


class Judgement(StrEnum):
    """What a gate says of one metric."""

    PASS = "pass"  # noqa: S105  (no password)
    REGRESSION = "regression"
    SUSPECT = "suspect"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Measure:
    """One metric of one target under one workload, on both sides.

    Attributes:
        pair: trial estimates, candidate first and baseline second.
        limit: largest change for the worse that passes: a share, or for a count so many more a trial.
        counted: whether the numbers count faults, such as lost messages, and may be 0.
        places: of pairs, their place in time, such as the repetition; None: one after the other.
    """

    pair: Pair
    limit: float
    counted: bool = False
    places: Sequence[int] | None = None


@dataclass(frozen=True)
class SecondOpinion:
    """What the signed-rank test says where some pair is an outlier. Ratios are candidate over baseline.

    Attributes:
        outcome: by the rules of the gate, at the level `ALARM` for this measure alone.
        ratio: of Hodges and Lehmann.
        low, high: interval at 1 - ALARM; 0 and infinity where there are too few pairs for that.
    """

    outcome: Judgement
    ratio: float
    low: float
    high: float


@dataclass(frozen=True)
class Decision:
    """What was found of one measure. Ratios are candidate over baseline.

    Attributes:
        outcome: pass, regression, suspect (unpaired trials only) or undecided.
        n: pairs; unpaired, trials of the smaller side.
        level: of the interval, after correction over the family.
        ratio: geometric mean; None where some trial has no logarithm (a count, or no bound known).
        low, high: interval of the ratio at 1 - level.
        bound: the worst ratio that MISS leaves possible.
        detectable: smallest change for the worse, as a share, that this gate finds with POWER.
        needed: undecided only: pairs that would decide if estimate and spread stay as they are;
            None where more than 10,000 would, or where that is not known.
        worse: pairs in which the candidate was beyond the limit; only where `ratio` is None.
        drift: what neighbouring pairs of all lines have in common; the interval is widened by it.
        second: the second opinion, where a pair is an outlier and neighbouring pairs are not alike.
    """

    outcome: Judgement
    n: int
    level: float
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    bound: float | None = None
    detectable: float | None = None
    needed: int | None = None
    worse: int | None = None
    drift: PairDrift = NONE
    second: SecondOpinion | None = None

    @property
    def disputed(self) -> bool:
        """Whether the second opinion is another."""
        return self.second is not None and self.second.outcome is not self.outcome


def decide(
    measures: Sequence[Measure],
    *,
    paired: bool = True,
    alarm: float = ALARM,
    miss: float = MISS,
    power: float = POWER,
) -> list[Decision]:
    """Judge a family of measures; one decision each, in their order.

    Args:
        measures: all that the gate decides by; their number sets the correction.
        paired: whether the k-th numbers of both sides were measured in turn, on the same host.
        alarm: chance of any false regression over the family.
        miss: chance of passing one measure that is worse than its limit.
        power: of the printed smallest detectable change.

    Raises:
        ValueError: a side is empty, or pairs do not match.
    """
    for measure in measures:
        sides = len(measure.pair.first), len(measure.pair.second)
        if not min(sides) or (paired and sides[0] != sides[1]):
            message = f"both sides need trials, and pairs as many on either: got {sides[0]} and {sides[1]}"
            raise ValueError(message)
    smooth = [k for k, measure in enumerate(measures) if _has_logarithms(measure)]
    level = alarm / max(len(measures), 1)
    drift = _drift([measures[k] for k in smooth]) if paired else NONE
    wider = [drift.widening(len(measures[k].pair.first)) for k in smooth]
    family = compare_family(
        [measures[k].pair for k in smooth], paired=paired, delta=0, alpha=level * len(smooth), widening=wider
    )
    found = {}
    for k, comparison, widening in zip(smooth, family, wider, strict=True):
        one, rules = measures[k], _Rules(level, alarm, miss, power, widening, paired=paired)
        # Pairs that are alike are no more independent to the signed-rank test than to t.
        second = None if drift.allowed else _second(one, rules)
        found[k] = replace(_by_ratio(one, comparison, rules), drift=drift, second=second)
    return [found[k] if k in found else _by_signs(one, level, paired=paired) for k, one in enumerate(measures)]


def smallest_detectable(error: float, freedom: float, level: float, limit: float, power: float = POWER) -> float:
    """Return the smallest change for the worse that is found, as a share.

    The interval must leave 1: the noncentrality that a t test needs, by the normal
    approximation of the noncentral t (Abramowitz & Stegun 26.7.10), solved for it. And the
    estimate must exceed the limit.

    Args:
        error: standard error of the logarithm of the ratio.
        freedom: its degrees of freedom.
        level: of the two-sided test.
        limit: as a share.
        power: chance of finding it.
    """
    t, z = -special.stdtrit(freedom, level / 2), special.ndtri(power)
    needs = t * (1 - 1 / (4 * freedom)) + z * (1 + t**2 / (2 * freedom)) ** 0.5
    return float(np.expm1(max(needs * error, np.log1p(limit) + z * error)))


def _has_logarithms(measure: Measure) -> bool:
    values = np.asarray([*measure.pair.first, *measure.pair.second], np.float64)
    return not measure.counted and bool(np.all(np.isfinite(values) & (values > 0)))


@dataclass(frozen=True)
class _Rules:
    level: float
    alarm: float
    miss: float
    power: float
    widening: float
    paired: bool


def _differences(measure: Measure) -> NDArray[np.float64]:
    return logs(measure.pair.first) - logs(measure.pair.second)


def _drift(measures: Sequence[Measure]) -> PairDrift:
    return pair_drift(
        [(range(len(one.pair.first)) if one.places is None else one.places, _differences(one)) for one in measures]
    )


def _second(measure: Measure, rules: _Rules) -> SecondOpinion | None:
    """Judge pairs by the signed-rank test, where there are enough of them and one is an outlier."""
    if not rules.paired or len(measure.pair.first) < MIN_PAIRS:
        return None
    differences = _differences(measure)
    if not has_outliers(differences):
        return None
    side = 1 if measure.pair.lower_is_better else -1
    found, one_sided = (signed_rank(differences, alpha) for alpha in (rules.alarm, 2 * rules.miss))
    limit = float(np.log1p(measure.limit))
    worst = one_sided.high if side > 0 else -one_sided.low
    outcome = Judgement.UNDECIDED
    if side * found.estimate > limit and (found.low > 0 if side > 0 else found.high < 0):
        outcome = Judgement.REGRESSION
    elif worst <= limit:
        outcome = Judgement.PASS
    with np.errstate(over="ignore"):
        ratio, low, high = np.exp([found.estimate, found.low, found.high]).tolist()
    return SecondOpinion(outcome, ratio, low, high)


def _by_ratio(measure: Measure, found: Comparison, rules: _Rules) -> Decision:
    lower = measure.pair.lower_is_better
    # Changes for the worse are positive from here on.
    side = 1 if lower else -1
    estimate, limit = side * float(np.log(found.ratio)), float(np.log1p(measure.limit))
    one_sided = compare(measure.pair, paired=rules.paired, alpha=2 * rules.miss, widening=rules.widening)
    bound = one_sided.high if lower else one_sided.low
    result = Decision(Judgement.UNDECIDED, found.n, found.alpha, found.ratio, found.low, found.high, bound)
    if found.n < MIN_PAIRS:
        return result
    detectable = smallest_detectable(found.error, found.freedom, rules.level, measure.limit, rules.power)
    known = replace(result, detectable=detectable)
    certain = found.low > 1 if lower else found.high < 1
    if certain and estimate > limit:
        return replace(known, outcome=Judgement.REGRESSION if rules.paired else Judgement.SUSPECT)
    if side * np.log(bound) <= limit:
        return replace(known, outcome=Judgement.PASS)
    # A relevant estimate needs an interval that leaves 1, any other a bound inside the limit.
    distance, alpha = (estimate, found.alpha) if estimate > limit else (limit - estimate, 2 * rules.miss)
    sides = max(found.freedom / (found.n - 1), 1)
    needed = trials_within(distance, found.error * found.n**0.5, alpha, sides)
    return replace(known, needed=needed)


def _by_signs(measure: Measure, level: float, *, paired: bool) -> Decision:
    """Judge numbers without logarithms by the pairs that went wrong: the sign test, exact and one-sided.

    Pairs in which neither side has a bound say nothing. Passing takes that no pair went wrong.
    """
    candidate, baseline = list(measure.pair.first), list(measure.pair.second)
    if not paired:
        # Each of the candidate's against the worst of the baseline's: enough to suspect, never to prove.
        worst = max(baseline) if measure.pair.lower_is_better else min(baseline)
        baseline = [worst] * len(candidate)
    telling = [(new, old) for new, old in zip(candidate, baseline, strict=True) if np.isfinite(new) or np.isfinite(old)]
    worse, n = sum(_went_wrong(measure, telling)), len(telling)
    outcome = Judgement.UNDECIDED
    if n >= MIN_PAIRS:
        p_value = float(special.bdtrc(worse - 1, n, 0.5)) if worse else 1.0
        if not worse:
            outcome = Judgement.PASS
        elif not paired:
            outcome = Judgement.SUSPECT
        elif p_value <= level:
            outcome = Judgement.REGRESSION
    return Decision(outcome, n, level, worse=worse)


def _went_wrong(measure: Measure, pairs: Sequence[tuple[float, float]]) -> Iterator[bool]:
    for new, old in pairs:
        if measure.counted:
            yield new > old + measure.limit
        elif measure.pair.lower_is_better:
            yield new > old * (1 + measure.limit)
        else:
            yield new * (1 + measure.limit) < old
