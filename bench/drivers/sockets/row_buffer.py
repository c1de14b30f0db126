"""Rows of int64 gathered one by one and handed over a poll at a time.

A row is packed into a preallocated buffer that doubles when full: one call of
`struct.pack_into` a message, where seven assignments into numpy arrays cost four times as
much. No time, socket or protocol lives here.
"""

import struct

import numpy as np

from bench.drivers.base import Deliveries, Int64, Settlements, empty_deliveries, empty_settlements

_FIRST_CAPACITY = 1_024
_NO_SETTLEMENTS = empty_settlements()
_NO_DELIVERIES = empty_deliveries()


class Rows:
    """A growing table of int64, filled by rows and read by columns."""

    def __init__(self, columns: int) -> None:
        """Make an empty table of so many columns."""
        self._layout = struct.Struct(f"={columns}q")
        self._columns = columns
        self._length = 0
        self._capacity = _FIRST_CAPACITY
        self._buffer = bytearray(self._capacity * self._layout.size)

    def __len__(self) -> int:
        """Return the number of rows since the last `take`."""
        return self._length

    def add(self, *values: int) -> None:
        """Append one row; there must be a value for each column."""
        if self._length == self._capacity:
            self._buffer = self._buffer + bytearray(len(self._buffer))
            self._capacity *= 2
        self._layout.pack_into(self._buffer, self._length * self._layout.size, *values)
        self._length += 1

    def take(self) -> Int64:
        """Return the rows as contiguous columns, shape (columns, rows), and begin anew."""
        table = np.frombuffer(self._buffer, np.int64, self._length * self._columns)
        self._length = 0
        return table.reshape(-1, self._columns).T.copy()


class SettlementRows(Rows):
    """Gathers (lane, seq, outcome, at_ns)."""

    def __init__(self) -> None:
        """Make an empty table."""
        super().__init__(4)

    def settlements(self) -> Settlements:
        """Return what was gathered since the last call."""
        return Settlements(*self.take()) if len(self) else _NO_SETTLEMENTS


class DeliveryRows(Rows):
    """Gathers (lane, producer, seq, intended_ns, sent_ns, received_ns, redelivered).

    Attributes:
        foreign: bodies without our stamp since the last call of `deliveries`.
    """

    def __init__(self) -> None:
        """Make an empty table."""
        super().__init__(7)
        self.foreign = 0

    def deliveries(self) -> Deliveries:
        """Return what was gathered since the last call."""
        foreign, self.foreign = self.foreign, 0
        if not len(self) and not foreign:
            return _NO_DELIVERIES
        lane, producer, seq, intended_ns, sent_ns, received_ns, redelivered = self.take()
        return Deliveries(lane, producer, seq, intended_ns, sent_ns, received_ns, redelivered, foreign)
