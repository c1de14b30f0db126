"""How much of a late send is the broker's doing. Pure.

A message is under *backpressure* while it is due and its driver has no room (window, credit, socket,
flow control); the rest of its lateness is the tool's own *send lag*. Episodes without room are
ordered, so the time under backpressure before any instant is a piecewise linear function of it, and a
message's share is the difference of two of its values. Kernels read the episodes from a
table with three rows: when each began, when it ended, and the time under backpressure before it.
"""

import numpy as np
from numpy.typing import NDArray

from bench.jit import kernel

Int64 = NDArray[np.int64]

_FIRST_CAPACITY = 64
_START, _END, _BEFORE = range(3)


@kernel
def _before(episodes: Int64, first: int, end: int, at_ns: int) -> int:
    """Return the time under backpressure before an instant, where there is an episode."""
    low, high = first, end
    if at_ns >= episodes[_START, end - 1]:  # the usual case: messages are sent after the last episode
        low = end
    while low < high:
        middle = (low + high) >> 1
        if episodes[_START, middle] <= at_ns:
            low = middle + 1
        else:
            high = middle
    if low == first:
        return int(episodes[_BEFORE, first])
    last = low - 1
    return int(episodes[_BEFORE, last] + min(at_ns, episodes[_END, last]) - episodes[_START, last])


@kernel
def backpressure_between(episodes: Int64, first: int, end: int, intended_ns: int, sent_ns: int) -> int:
    """Return the backpressure part of sent - intended, in [0, sent - intended]."""
    if first == end or sent_ns <= intended_ns:
        return 0
    backpressure_ns = _before(episodes, first, end, sent_ns) - _before(episodes, first, end, intended_ns)
    return min(backpressure_ns, sent_ns - intended_ns)


@kernel
def _split(episodes: Int64, first: int, end: int, rows: Int64) -> None:
    # Rows are intended and sent, ns; the backpressure part takes the place of the latter.
    for i in range(rows.shape[1]):
        rows[1, i] = backpressure_between(episodes, first, end, int(rows[0, i]), int(rows[1, i]))


class Backpressure:
    """The episodes in which a driver had no room.

    Attributes:
        episodes: the table that kernels read.
        first, end: the columns in use are first <= i < end.
    """

    def __init__(self) -> None:
        """Begin with room."""
        self.episodes: Int64 = np.zeros((3, _FIRST_CAPACITY), np.int64)
        self.first = 0
        self.end = 0
        self._total_ns = 0
        self._since: int | None = None

    def update(self, now_ns: int, *, room: bool) -> None:
        """Note whether there was room at `now_ns`; times never decrease."""
        if room:
            if self._since is not None:
                self._add(self._since, now_ns)
                self._since = None
        elif self._since is None:
            self._since = now_ns

    def forget(self, before_ns: int) -> None:
        """Drop the episodes that ended at or before an instant: nothing that is still to be sent was due then."""
        while self.first < self.end and self.episodes[_END, self.first] <= before_ns:
            self.first += 1

    def split(self, intended_ns: Int64, sent_ns: Int64) -> Int64:
        """Return the backpressure part of sent - intended, int64 ns in [0, sent - intended].

        Call it when the messages were sent, in order of intended time: episodes that ended
        before the first of them are forgotten.
        """
        rows: Int64 = np.stack((intended_ns, sent_ns))
        if len(intended_ns):
            self.forget(int(intended_ns[0]))
            _split(self.episodes, self.first, self.end, rows)
        parts: Int64 = rows[1]
        return parts

    def so_far(self, intended_ns: Int64, now_ns: int) -> Int64:
        """Return the backpressure part of now - intended of messages that still wait; as `split`."""
        parts = self.split(intended_ns, np.full(len(intended_ns), now_ns))
        if self._since is not None:
            parts += np.maximum(0, now_ns - np.maximum(intended_ns, self._since))
        return parts

    def _add(self, start_ns: int, end_ns: int) -> None:
        if end_ns <= start_ns:
            return
        if self.first == self.end:
            self.first = self.end = 0
        elif self.end == self.episodes.shape[1]:
            self._make_room()
        self.episodes[:, self.end] = start_ns, end_ns, self._total_ns
        self.end += 1
        self._total_ns += end_ns - start_ns

    def _make_room(self) -> None:
        """Move what is in use to the front, into a wider table where it fills more than half of it."""
        kept = self.episodes[:, self.first : self.end].copy()
        if 2 * kept.shape[1] > self.episodes.shape[1]:
            self.episodes = np.zeros((3, 2 * self.episodes.shape[1]), np.int64)
        self.episodes[:, : kept.shape[1]] = kept
        self.first, self.end = 0, kept.shape[1]
