"""Routing keys as text, message by message, for drivers over client libraries.

Which key a message has is worked out by `bench.arrivals.keys`, for a block of
messages at a time, as a call of it costs a microsecond.
"""

from bench.arrivals.keys import by_producer, keys_of
from bench.drivers.base import ProducerLane, Route

_BLOCK = 1_024


class MessageKeys:
    """The routing keys of one producer's messages.

    Attributes:
        exchange: where they go; empty is the default exchange.
        only: the key, where all messages have the same; else None.
    """

    def __init__(self, route: Route | None, lane: ProducerLane) -> None:
        """Work out the first block; without a route the key of every message is the lane's queue."""
        self.exchange = "" if route is None else route.exchange
        self._block = 0
        self._keys: tuple[str, ...] = ()
        self._indices: list[int] = []
        self.only: str | None = lane.queue
        if route is not None:
            self._route, self._producer = route, lane.producer
            self._keys = route.keys
            self._indices = self._in_block(0)
            same = len(route.keys) == 1 or route.choice[0] == by_producer(1)[0]
            self.only = self._keys[self._indices[0]] if same else None

    def of(self, seq: int) -> str:
        """Return the key of a message."""
        if self.only is not None:
            return self.only
        block, at = divmod(seq, _BLOCK)
        if block != self._block:
            self._block, self._indices = block, self._in_block(block)
        return self._keys[self._indices[at]]

    def _in_block(self, block: int) -> list[int]:
        indices: list[int] = keys_of(self._route.choice, self._producer, block * _BLOCK, _BLOCK).tolist()
        return indices


def warm() -> None:
    """Compile or load what finds keys."""
    keys_of(by_producer(1), 0, 0, 1)
