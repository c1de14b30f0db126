"""How many messages are complete, where consumers tell of copies: what gives a closed loop its tokens back. Pure."""

from collections.abc import Sequence

import numpy as np

from bench.arrivals.keys import keys_of
from bench.topology.layout import FlowRoute

_ROUNDS = 1024
"""How many messages of each producer are looked at together."""


class Completion:
    """Follows the messages of one worker, which deals them to its producers in turn.

    Copies are counted, not told apart: the next ones to come are taken to be those of the
    oldest message that misses some. A mean would do where all have as many; elsewhere the
    difference between what is owed and the mean is a random walk, by which a loop gains or
    loses places until it overruns its bound or stands still. A message that is owed to
    nobody is complete when all before it are.
    """

    def __init__(self, route: FlowRoute, producers: Sequence[int]) -> None:
        """Follow the messages of these producers, which have numbers of the whole trial."""
        self._uniform = route.uniform
        self._choice, self._copies = route.choosing, route.copies
        self._producers = tuple(producers)
        self._rounds = self._first = 0
        self._ends = np.zeros(1, np.int64)
        self._shown, self._missing = (0, 0), 0

    def messages(self, received: int, gone: int, sent: int, owed: int) -> int:
        """Return how many messages are complete.

        All but `received` may be of a moment ago, if they are passed when they are new.

        Args:
            received: copies that were received.
            gone: messages that were refused or returned, which count as complete.
            sent: messages that were sent.
            owed: copies owed of these, but for what is gone.
        """
        if self._uniform is not None:
            return received // max(self._uniform, 1) + gone
        if self._shown != (sent, owed):
            # Later the place of the last one sent is forgotten, as more were sent meanwhile and are complete.
            self._shown, self._missing = (sent, owed), self._owed(sent) - owed
        return self._of(received + self._missing)

    def _of(self, copies: int) -> int:
        """Return how many messages have no more copies than these, together."""
        while self._ends[-1] <= copies:
            self._look_further()
        found = int(np.searchsorted(self._ends, copies, side="right")) - 1
        self._first, self._ends = self._first + found, self._ends[found:]
        return self._first

    def _owed(self, messages: int) -> int:
        """Return the copies owed of the first messages; those complete but not sent yet are owed to nobody."""
        while len(self._ends) <= messages - self._first:
            self._look_further()
        return int(self._ends[max(messages - self._first, 0)])

    def _look_further(self) -> None:
        keys = [keys_of(self._choice, producer, self._rounds, _ROUNDS) for producer in self._producers]
        more = self._copies[np.stack(keys, axis=1).ravel()]
        self._ends = np.concatenate([self._ends, self._ends[-1] + np.cumsum(more)])
        self._rounds += _ROUNDS
