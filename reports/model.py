"""What every part of a summary is made of: the base of its models, and a number with its interval and range. Pure."""

import math
from collections.abc import Iterable

import numpy as np
from pydantic import BaseModel, ConfigDict

from bench.stats.estimate import LEAST_FOR_INTERVAL, estimate
from reports.format import count
from reports.outcomes import NEVER
from reports.quantiles import PERCENTILES, messages_needed


class Model(BaseModel):
    """Base of everything a report says."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class Spread(Model):
    """A number over the usable trials of a row: estimate with interval, median, and range over trials."""

    estimate: float | None = None
    """Geometric mean of the trials' estimates; None where a trial has no bound or is 0."""
    interval_low: float | None = None
    """Lower end of the 95 % interval of `estimate` (Student's t on logarithms); None where n < 4."""
    interval_high: float | None = None
    """Upper end of that interval."""
    noise: float | None = None
    """Standard deviation of the logarithms, so about the relative one from trial to trial; None where n < 4."""
    median: float | None
    """Median of the trials' estimates."""
    low: float | None
    """Smallest over trials."""
    high: float | None
    """Largest over trials; None where a trial has no bound, see `never`."""
    n: int
    """Trials that have the number."""
    few: tuple[float, ...] = ()
    """What each trial measured, in rising order, where they are too few for an interval; empty elsewhere."""
    never: int = 0
    """Trials in which the message of this rank never came, or that were overloaded, so that no bound is known."""
    why: str = ""
    """Why `median` is None."""

    @property
    def centre(self) -> float | None:
        """The number to print: the estimate, or the median where there is none."""
        return self.median if self.estimate is None else self.estimate


def spread(
    values: Iterable[float | None], unknown: str = "not known", *, unbounded: str = "", fate: str = NEVER
) -> Spread:
    """Return estimate, interval, median and range of what trials measured.

    Args:
        values: one a trial; None or NaN = no number, infinity = no bound is known.
        unknown: the reason to give where no trial has a number.
        unbounded: the reason to give where most have no bound; by default what became of the message.
        fate: that.
    """
    known = sorted(float(value) for value in values if value is not None and not math.isnan(value))
    if not known:
        return Spread(median=None, low=None, high=None, n=0, why=unknown)
    never = sum(math.isinf(value) for value in known)
    median = float(np.median(known)) if math.isfinite(known[len(known) // 2]) else math.inf
    centre = estimate(known) if not never and known[0] > 0 else None
    enough = centre if len(known) >= LEAST_FOR_INTERVAL else None
    return Spread(
        estimate=centre.value if centre else None,
        interval_low=enough.low if enough else None,
        interval_high=enough.high if enough else None,
        noise=enough.spread if enough else None,
        median=median if math.isfinite(median) else None,
        low=known[0] if math.isfinite(known[0]) else None,
        high=known[-1] if math.isfinite(known[-1]) else None,
        n=len(known),
        few=tuple(known) if 1 < len(known) < LEAST_FOR_INTERVAL and not never else (),
        never=never,
        why="" if math.isfinite(median) else unbounded or f"{fate} in {never} of {len(known)} trials",
    )


def not_enough(name: str, messages: float, seconds: float) -> str:
    """Return why a percentile is missing: how many messages it needs, and how many seconds more.

    Args:
        name: a key of PERCENTILES; any other is simply not known.
        messages: recorded a trial.
        seconds: measured a trial.
    """
    if name not in PERCENTILES:
        return "not known"
    needed = messages_needed(PERCENTILES[name])
    if not messages:
        return f"not enough data: {count(needed)} messages a trial needed"
    more = math.ceil((needed / messages - 1) * seconds)
    return f"not enough data: {count(needed)} messages a trial needed, {count(more)} s more at this rate"
