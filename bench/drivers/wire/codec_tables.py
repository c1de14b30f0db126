"""What a compiled codec keeps for all connections and lanes of one port, as `connection` needs it.

Each protocol has its own (`wire091_tables`, `wire10_tables`); what they share is here.
"""

from abc import ABC, abstractmethod

import numpy as np

from bench.drivers.base import Int64
from bench.drivers.wire.context import WireContext

_SPAN = 4
"""A ring is so many windows long: a broker that settles out of order may leave gaps."""


def ring_span(window: int) -> int:
    """Return the length of a ring of unsettled messages for a window: a power of two; 1 where nothing is awaited."""
    return 1 << (_SPAN * window - 1).bit_length() if window else 1


class WireTables(ABC):
    """State of every connection and lane, and the calls of kernels on it.

    Attributes:
        context: what the connections share.
        cursor: its cursor; see `bench.wire.cursor`.
        acks: where acknowledgements are written; `acks_view` is it.
    """

    def __init__(self, context: WireContext, acks: int) -> None:
        """Make a buffer of `acks` octets for acknowledgements."""
        self.context = context
        self.cursor = context.cursor
        self.acks = np.zeros(acks, np.uint8)
        self.acks_view = self.acks.data

    @abstractmethod
    def scan(self, index: int, start: int, end: int, now_ns: int) -> int:
        """Use up octets of the inbox for a connection; return a status of its `connection`."""

    @abstractmethod
    def receive(self, descriptor: int, wake_fd: int, index: int, until_ns: int, gather_ns: int) -> int:
        """Receive on a connection in compiled code; return a `bench.drivers.wire.receive.Stop`."""

    @abstractmethod
    def pace(
        self,
        descriptor: int,
        index: int,
        lane: Int64,
        seq: Int64,
        due_ns: Int64,
        sent_ns: Int64,
        until_ns: int,
        coalesce_ns: int,
    ) -> int:
        """Send messages of one lane at their times in compiled code; return a `bench.drivers.wire.receive.Stop`."""

    @abstractmethod
    def encode(self, lane: Int64, seq: Int64, intended_ns: Int64, sent_ns: int, first: int, end: int) -> int:
        """Write messages first <= i < end, all of one connection, to the outbox; return the octets."""

    @abstractmethod
    def message_octets(self) -> int:
        """Return the octets of an encoded message, framing included, at most."""

    def counters(self) -> dict[str, int]:
        """Return what the codec counted, by name."""
        return {}
