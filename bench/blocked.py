"""How much of a late send is the broker's doing. Pure.

A message is *blocked* while it is due and its driver has no room (window, credit, socket,
flow control); the rest of its lateness is the tool's own slip. Episodes without room are
few and ordered, so the blocked time before any instant is a piecewise linear function of
it, and a message's share is the difference of two of its values.
"""

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]


class Blocked:
    """The episodes in which a driver had no room."""

    def __init__(self) -> None:
        """Begin with room."""
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._since: int | None = None

    def update(self, now_ns: int, *, room: bool) -> None:
        """Note whether there was room at `now_ns`; times never decrease."""
        if room and self._since is not None:
            if now_ns > self._since:
                self._starts.append(self._since)
                self._ends.append(now_ns)
            self._since = None
        elif not room and self._since is None:
            self._since = now_ns

    def split(self, intended_ns: Int64, sent_ns: Int64) -> Int64:
        """Return the blocked part of sent - intended, int64 ns in [0, sent - intended].

        Call it when the messages were sent, in order of intended time: episodes that ended
        before the first of them are forgotten.
        """
        self._forget(int(intended_ns[0]) if len(intended_ns) else 0)
        if not self._starts:
            return np.zeros(len(intended_ns), np.int64)
        starts, ends = np.array(self._starts), np.array(self._ends)
        done = np.concatenate([[0], np.cumsum(ends - starts)])

        def before(at: Int64) -> Int64:
            episode = np.searchsorted(starts, at, side="right")
            inside = np.where(episode > 0, np.maximum(ends[episode - 1] - at, 0), 0)
            total: Int64 = done[episode] - inside
            return total

        blocked: Int64 = np.clip(before(sent_ns) - before(intended_ns), 0, np.maximum(sent_ns - intended_ns, 0))
        return blocked

    def _forget(self, before_ns: int) -> None:
        gone = 0
        while gone < len(self._ends) and self._ends[gone] <= before_ns:
            gone += 1
        if gone:
            del self._starts[:gone], self._ends[:gone]
