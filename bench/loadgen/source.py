"""What is due: the open loop by the schedule, the closed loop by free tokens. Pure."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bench.arrivals.schedule import Schedule, Stripe
from bench.units import NS_PER_MS

Int64 = NDArray[np.int64]

BEAT_NS = 40 * NS_PER_MS
"""Longest time between two looks at what the conductor wrote."""


class Tokens(Protocol):
    """Where a closed loop learns of messages that arrived."""

    def tokens(self) -> int:
        """Return how many messages of this worker's producers were received by anyone."""

    def hunger(self, *, hungry: bool) -> None:
        """Tell the other side whether a token is waited for: only then need it wake this one."""


class Source(Protocol):
    """Decides how many messages are due.

    Attributes:
        closed: whether a message is due when it is sent, so that none can be late.
    """

    closed: bool

    def due(self, now_ns: int, end_ns: int) -> int:
        """Return how many messages not taken yet are due."""

    def take(self, count: int, now_ns: int) -> Int64:
        """Return the intended times of the next messages."""

    def plan(self, count: int, now_ns: int) -> Int64:
        """Return the intended times of the next messages, which stay to be taken."""

    def wait_ns(self, now_ns: int) -> int:
        """Return how long nothing new will be due without news from outside."""

    def over(self, now_ns: int, end_ns: int) -> bool:
        """Return whether nothing more will ever be due."""


class OpenLoop:
    """Due by the schedule alone."""

    closed = False

    def __init__(self, stripe: Stripe) -> None:
        """Follow a stripe of the schedule."""
        self._stripe = stripe

    def due(self, now_ns: int, end_ns: int) -> int:
        """Return how many messages not taken yet are due."""
        return self._stripe.due(now_ns if now_ns < end_ns else end_ns - 1)

    def take(self, count: int, now_ns: int) -> Int64:  # noqa: ARG002  (the loop's signature)
        """Return the intended times of the next messages."""
        return self._stripe.take(count)

    def plan(self, count: int, now_ns: int) -> Int64:  # noqa: ARG002  (the loop's signature)
        """Return the intended times of the next messages, which stay to be taken."""
        return self._stripe.peek(count)

    def wait_ns(self, now_ns: int) -> int:
        """Return the time to the next intended send."""
        return max(0, self._stripe.next_ns() - now_ns)

    def over(self, now_ns: int, end_ns: int) -> bool:  # noqa: ARG002
        """Return whether the next message lies beyond the end."""
        return self._stripe.next_ns() >= end_ns


class Anchor(Protocol):
    """Where an open loop learns when the measured part begins, ahead of that time."""

    def measured_ns(self) -> int:
        """Return when it begins, monotonic ns; 0 while that is not decided."""


class ProfiledLoop(OpenLoop):
    """Due by the schedule of the warm-up, and from the measured part on by a profile."""

    def __init__(self, stripe: Stripe, anchor: Anchor, profiled: Callable[[int], Schedule]) -> None:
        """Follow a stripe of the warm-up's schedule, and of `profiled(begin)` when the anchor tells the beginning."""
        super().__init__(stripe)
        self._anchor = anchor
        self._profiled: Callable[[int], Schedule] | None = profiled

    def due(self, now_ns: int, end_ns: int) -> int:
        """Return how many messages not taken yet are due."""
        if self._profiled is not None and (begin_ns := self._anchor.measured_ns()):
            self._stripe.follow(self._profiled(begin_ns))
            self._profiled = None
        return super().due(now_ns, end_ns)


class ClosedLoop:
    """Due while fewer than `bound` messages are between send and receive; intended = sent."""

    closed = True

    def __init__(self, bound: int, start_ns: int, tokens: Tokens) -> None:
        """Allow `bound` messages of this worker in flight from `start_ns` on."""
        self._bound = bound
        self._start_ns = start_ns
        self._tokens = tokens
        self._taken = 0
        self._hungry = False

    def due(self, now_ns: int, end_ns: int) -> int:
        """Return the number of free tokens."""
        if not self._start_ns <= now_ns < end_ns:
            return 0
        free = self._free()
        if (free <= 0) != self._hungry:
            self._hungry = not self._hungry
            self._tokens.hunger(hungry=self._hungry)
            # One may have come back between the look and the word.
            free = self._free()
        return max(0, free)

    def _free(self) -> int:
        # What a broker refuses and delivers all the same counts twice, and never makes more room than there is.
        return self._bound - max(0, self._taken - self._tokens.tokens())

    def take(self, count: int, now_ns: int) -> Int64:
        """Use tokens up; messages are intended now."""
        self._taken += count
        times = np.empty(count, np.int64)
        times.fill(now_ns)
        return times

    def plan(self, count: int, now_ns: int) -> Int64:
        """Return the time it is: what a token is free for is due now."""
        return np.full(count, now_ns, np.int64)

    def wait_ns(self, now_ns: int) -> int:
        """Return the time to the start, or one beat: a token wakes the port."""
        return self._start_ns - now_ns if now_ns < self._start_ns else BEAT_NS

    def over(self, now_ns: int, end_ns: int) -> bool:
        """Return whether the time is up."""
        return now_ns >= end_ns


class Confirms:
    """Tokens of a closed loop while nobody consumes: those of messages that the broker has settled."""

    def __init__(self, outcomes: Int64) -> None:
        """Count by a ledger's `outcomes`, messages settled by their kind, which grows as they are."""
        self._outcomes = outcomes

    def tokens(self) -> int:
        """Return how many messages of this worker's producers were settled."""
        return sum(self._outcomes.tolist())

    def hunger(self, *, hungry: bool) -> None:
        """Nobody else need know: a settlement wakes the port."""


class CountedSource:
    """Another source, up to a number of messages."""

    def __init__(self, source: Source, messages: int) -> None:
        """Let `messages` of a source be due, and no more."""
        self._source = source
        self._left = messages
        self.closed = source.closed

    def due(self, now_ns: int, end_ns: int) -> int:
        """Return how many messages not taken yet are due."""
        return min(self._source.due(now_ns, end_ns), self._left) if self._left else 0

    def take(self, count: int, now_ns: int) -> Int64:
        """Return the intended times of the next messages."""
        self._left -= count
        return self._source.take(count, now_ns)

    def plan(self, count: int, now_ns: int) -> Int64:
        """Return the intended times of the next messages, which stay to be taken."""
        return self._source.plan(count, now_ns)

    def wait_ns(self, now_ns: int) -> int:
        """Return how long nothing new will be due without news from outside."""
        return self._source.wait_ns(now_ns) if self._left else BEAT_NS

    def over(self, now_ns: int, end_ns: int) -> bool:
        """Return whether all were taken, or nothing more will ever be due."""
        return not self._left or self._source.over(now_ns, end_ns)
