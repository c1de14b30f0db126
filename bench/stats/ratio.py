"""Whether one target is better than another: an interval of the ratio of trial estimates.

The unit is the trial. The effect is the ratio of (geometric) means, its interval that of
Student's t on the logarithms, paired where trials were interleaved (Kalibera & Jones,
"Rigorous benchmarking in reasonable time", ISMM 2013, section 7). A difference must both
be certain and matter: it is judged against a smallest relevant effect. Pure.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from scipy import special

from bench.stats.estimate import logs

DELTA = 0.05
"""Smallest relevant effect: a ratio within 1/1.05 … 1.05 does not matter."""
ALPHA = 0.05
"""Chance of calling two equal targets unequal, over a whole family of comparisons."""
MOST_TRIALS = 10_000


class Verdict(StrEnum):
    """What a comparison says of the first side."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "same"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Pair:
    """Trial estimates of two sides, in the same order where trials are paired."""

    first: Sequence[float]
    second: Sequence[float]
    lower_is_better: bool = True
    """As for a latency; False as for a rate."""


@dataclass(frozen=True)
class Comparison:
    """First side over second side.

    Attributes:
        n: trials of the smaller side (paired: pairs).
        ratio: geometric mean of first / second.
        low, high: interval of the ratio at level 1 - alpha; 0 and infinity where n < 2.
        p_value: of "the ratio is 1", two-sided, before any correction.
        alpha: the level used, after Holm's correction in a family.
        verdict: better, worse, same or undecided.
        trials_needed: undecided only: trials that would decide if the estimate and the
            spread stay as they are; None where more than 10,000 would.
        error, freedom: standard error of the logarithm of the ratio, and its degrees of freedom.
        whole: the same comparison over all messages, where this one leaves the host's pauses out.
    """

    n: int
    ratio: float
    low: float
    high: float
    p_value: float
    alpha: float
    verdict: Verdict
    trials_needed: int | None = None
    error: float = float("inf")
    freedom: float = 0
    whole: "Comparison | None" = None

    @property
    def contradicted(self) -> bool:
        """Whether nothing is decided as all messages decide, and the estimates otherwise or nothing."""
        whole = self.whole
        return whole is not None and self.verdict is Verdict.UNDECIDED and whole.verdict is not Verdict.UNDECIDED

    @property
    def alone(self) -> bool:
        """Whether the estimates decide, and all messages leave it undecided."""
        whole = self.whole
        return whole is not None and self.verdict is not Verdict.UNDECIDED and whole.verdict is Verdict.UNDECIDED


@dataclass(frozen=True)
class _Effect:
    # Mean difference of logarithms, its standard error, degrees of freedom, and trials.
    mean: float
    error: float
    freedom: float
    n: int

    @property
    def p_value(self) -> float:
        if self.n < 2:  # noqa: PLR2004  (no spread is known of one trial)
            return 1.0
        if self.error == 0:
            return 1.0 if self.mean == 0 else 0.0
        return float(2 * special.stdtr(self.freedom, -abs(self.mean) / self.error))

    def half_width(self, alpha: float) -> float:
        if self.n < 2:  # noqa: PLR2004
            return float("inf")
        return float(-special.stdtrit(self.freedom, alpha / 2) * self.error) if self.error else 0.0


def compare(
    pair: Pair, *, paired: bool = True, delta: float = DELTA, alpha: float = ALPHA, widening: float = 1.0
) -> Comparison:
    """Compare the trial estimates of two targets.

    Args:
        pair: one positive, finite number a trial and side.
        paired: whether the k-th numbers of both sides belong together.
        delta: smallest relevant effect, as a share.
        alpha: the interval covers the true ratio with probability 1 - alpha.
        widening: how many times as large the error is as that of independent pairs, see `bench.stats.pair_drift`.

    Raises:
        ValueError: a number is not positive and finite, a side is empty, or pairs do not match.
    """
    return _judge(pair, _effect(pair, paired=paired, widening=widening), alpha=alpha, delta=delta)


def with_whole(estimate: Comparison, whole: Comparison) -> Comparison:
    """Return a comparison of estimates beside that of all messages: undecided where that one decides otherwise.

    Where all messages leave it merely undecided, the estimates stand.
    """
    contradicted = whole.verdict not in {estimate.verdict, Verdict.UNDECIDED}
    verdict = Verdict.UNDECIDED if contradicted else estimate.verdict
    return replace(estimate, verdict=verdict, whole=whole)


def compare_family(
    pairs: Sequence[Pair],
    *,
    paired: bool = True,
    delta: float | Sequence[float] = DELTA,
    alpha: float = ALPHA,
    widening: Sequence[float] | None = None,
) -> list[Comparison]:
    """Compare many pairs and hold the chance of any false difference at alpha.

    Holm's step-down procedure (Scandinavian Journal of Statistics 6, 1979): the k-th
    smallest of m p-values is judged at alpha / (m - k + 1) until one fails; that one and
    the rest keep the level at which it failed. Intervals are drawn at the same levels.
    `delta` is one smallest relevant effect for all pairs, or one for each; `widening` one for each, or
    none.

    Raises:
        ValueError: see `compare`.
    """
    wider = [1.0] * len(pairs) if widening is None else widening
    effects = [_effect(pair, paired=paired, widening=w) for pair, w in zip(pairs, wider, strict=True)]
    deltas = [float(delta)] * len(pairs) if isinstance(delta, int | float) else list(delta)
    order = sorted(range(len(effects)), key=lambda k: effects[k].p_value)
    judged: dict[int, Comparison] = {}
    level, failed = alpha, False
    for rank, k in enumerate(order):
        if not failed:
            level = alpha / (len(effects) - rank)
            failed = effects[k].p_value > level
        judged[k] = _judge(pairs[k], effects[k], alpha=level, delta=deltas[k])
    return [judged[k] for k in range(len(effects))]


def _effect(pair: Pair, *, paired: bool, widening: float) -> _Effect:
    first, second = logs(pair.first), logs(pair.second)
    if paired:
        if len(first) != len(second):
            message = f"pairs need two sides of equal length: got {len(first)} and {len(second)}"
            raise ValueError(message)
        difference = first - second
        n = len(difference)
        error = widening * float(difference.std(ddof=1)) / n**0.5 if n > 1 else float("inf")
        return _Effect(float(difference.mean()), error, n - 1, n)
    n = min(len(first), len(second))
    mean = float(first.mean() - second.mean())
    if n < 2:  # noqa: PLR2004
        return _Effect(mean, float("inf"), 0, n)
    # Welch's test: unequal variances, Satterthwaite's degrees of freedom.
    parts = [float(side.var(ddof=1)) / len(side) for side in (first, second)]
    weight = sum(part**2 / (len(side) - 1) for part, side in zip(parts, (first, second), strict=True))
    freedom = sum(parts) ** 2 / weight if weight else len(first) + len(second) - 2
    return _Effect(mean, widening * sum(parts) ** 0.5, freedom, n)


def _judge(pair: Pair, effect: _Effect, *, alpha: float, delta: float) -> Comparison:
    half = effect.half_width(alpha)
    low, high = effect.mean - half, effect.mean + half
    relevant = float(np.log1p(delta))
    result = Comparison(
        n=effect.n,
        ratio=float(np.exp(effect.mean)),
        low=float(np.exp(low)),
        high=float(np.exp(high)),
        p_value=effect.p_value,
        alpha=alpha,
        verdict=Verdict.UNDECIDED,
        error=effect.error,
        freedom=effect.freedom,
    )
    if (low > 0 or high < 0) and abs(effect.mean) > relevant:
        is_better = (effect.mean < 0) == pair.lower_is_better
        return replace(result, verdict=Verdict.BETTER if is_better else Verdict.WORSE)
    if -relevant <= low and high <= relevant:
        return replace(result, verdict=Verdict.SAME)
    return replace(result, trials_needed=_trials_needed(effect, alpha, relevant))


def trials_within(distance: float, spread: float, alpha: float, sides: float = 1.0) -> int | None:
    """Return the fewest trials whose interval reaches less than `distance` to either side.

    Args:
        distance: in logarithms of the ratio.
        spread: standard deviation of one trial's (pair's) logarithm.
        alpha: the interval covers with probability 1 - alpha.
        sides: degrees of freedom that each trial beyond the first brings.

    Returns:
        None where there is no distance, or more than 10,000 would be needed.
    """
    if distance <= 0:
        return None

    def decides(n: int) -> bool:
        return bool(-special.stdtrit((n - 1) * sides, alpha / 2) * spread / n**0.5 < distance)

    # The half-width falls with every trial, so the first number that decides can be bisected.
    first = 2 + bisect_left(range(2, MOST_TRIALS + 1), True, key=decides)  # noqa: FBT003
    return first if first <= MOST_TRIALS else None


def _trials_needed(effect: _Effect, alpha: float, relevant: float) -> int | None:
    # A relevant estimate needs an interval that leaves 1, a smaller one an interval that
    # stays inside the band.
    if effect.n < 2:  # noqa: PLR2004
        return None
    distance = abs(effect.mean) if abs(effect.mean) > relevant else relevant - abs(effect.mean)
    sides = max(effect.freedom / (effect.n - 1), 1)
    return trials_within(distance, effect.error * effect.n**0.5, alpha, sides)
