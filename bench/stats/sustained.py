"""Whether a broker sustained a rate over a trial, and if not, by which criterion. Pure.

A rate is sustained when, over the whole measured part, at least 0.99 of what was offered
arrived, the backlog had no upward trend, nothing was lost, and p99 of the response kept to
the stated objective, where there is one (Karimov et al., ICDE 2018).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from bench.stats.steady import growth
from bench.units import percent, short_of_whole

ACHIEVED = 0.99
"""Least share of the offered messages that must arrive within the measured part."""
FAR = 0.9
"""Share below which a trial failed by far: more than noise of 5 % can do."""
GROWTH = 0.005
"""Growth of the backlog over the measured part, as a share of the messages offered, that counts."""


class Criterion(StrEnum):
    """What a trial can fail."""

    ENDED = "ended"
    ACHIEVED = "achieved"
    BACKLOG = "backlog"
    P99 = "p99"
    LOST = "lost"
    INVALID = "invalid"


@dataclass(frozen=True)
class Failure:
    """One criterion that a trial failed, with figures."""

    criterion: Criterion
    text: str


@dataclass(frozen=True)
class RateEvidence:
    """What a trial at a rate showed.

    Attributes:
        offered: messages due in the measured part.
        achieved: messages received within it.
        backlog: due and not received, at the end of each tick of the measured part.
        lost: messages that were confirmed and never arrived.
        p99_ns: of the response; None where no message arrived.
        ended: why the trial ended before its time; empty where it did not.
    """

    offered: int
    achieved: float
    backlog: NDArray[np.int64]
    lost: int
    p99_ns: float | None
    ended: str = ""


def failures(seen: RateEvidence, objective_ns: int | None = None) -> tuple[Failure, ...]:
    """Return the criteria that a trial failed; none where it sustained its rate.

    Args:
        seen: what the trial showed.
        objective_ns: highest p99 of the response that is allowed; None: any.
    """
    return tuple(_failures(seen, objective_ns))


def by_far(seen: RateEvidence) -> bool:
    """Return whether a trial that failed did so by far: less than 0.9 of what was offered arrived."""
    return seen.achieved < FAR * seen.offered


def _failures(seen: RateEvidence, objective_ns: int | None) -> Iterator[Failure]:
    if seen.ended:
        yield Failure(Criterion.ENDED, seen.ended)
    share = seen.achieved / seen.offered if seen.offered else 0.0
    if share < ACHIEVED and (seen.offered or not seen.ended):
        yield Failure(
            Criterion.ACHIEVED,
            f"{short_of_whole(share)} of what was offered arrived in time, {percent(ACHIEVED)} must",
        )
    grown = growth(seen.backlog.astype(np.float64), 1.0, seen.offered)
    if grown.rising and grown.share >= GROWTH:
        yield Failure(Criterion.BACKLOG, f"the backlog grew throughout, by {percent(grown.share)} of what was offered")
    if objective_ns is not None and (seen.p99_ns is None or seen.p99_ns > objective_ns):
        found = "unknown" if seen.p99_ns is None else f"{seen.p99_ns / 1e6:.2f} ms"
        yield Failure(Criterion.P99, f"p99 was {found}, at most {objective_ns / 1e6:.2f} ms is asked")
    if seen.lost:
        yield Failure(Criterion.LOST, f"{seen.lost:,} confirmed messages were lost")
