"""Latency against load: which rates to try. Pure.

Each target is tried at the same shares of its own sustainable rate, and all targets at
equal absolute rates, which are those shares of the highest rate that any of them sustained.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SHARES = (0.1, 0.2, 0.35, 0.5, 0.65, 0.75, 0.85, 0.9, 0.95)
SATURATED = 0.99
"""Share of the offered rate below which a point is saturated."""


@dataclass(frozen=True)
class CurveTrial:
    """One trial to do: its target, messages a second, and the share aimed at (None: an absolute rate)."""

    target: str
    rate: float
    share: float | None


def points(sustained: Mapping[str, float], seed: int, shares: Sequence[float] = SHARES) -> tuple[CurveTrial, ...]:
    """Return the trials of a curve in a random order; the same for the same seed.

    Args:
        sustained: highest sustainable rate, msg/s, by target.
        seed: of the order.
        shares: of the sustainable rate.
    """
    own = [CurveTrial(target, _digits(share * rate), share) for target, rate in sustained.items() for share in shares]
    highest = max(sustained.values(), default=0.0)
    taken = {(point.target, point.rate) for point in own}
    equal = [
        CurveTrial(target, rate, None)
        for target in sustained
        for rate in (_digits(share * highest) for share in shares)
        if (target, rate) not in taken
    ]
    return tuple(random.Random(seed).sample(own + equal, len(own + equal)))  # noqa: S311  (an order, no secret)


def _digits(rate: float) -> float:
    return float(f"{rate:.4g}")
