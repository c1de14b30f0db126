"""How many messages are due by a time, and when the n-th is: a rate that changes, its integral and its inverse. Pure.

A rate is given by *pieces*; in each piece it goes in a straight line from one value to another.
The pieces repeat for ever, so that every number has its time. The integral Λ is
linear or a parabola in each piece; message n is due at Λ⁻¹(n). Fed with the arrivals of a
Poisson process of rate 1 instead of whole numbers, Λ⁻¹ gives a Poisson process of that rate
(Çinlar 1975, time-warping).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.units import NS_PER_S

Float64 = NDArray[np.float64]


class Piece(NamedTuple):
    """A stretch of time in which a rate goes in a straight line from one value to another.

    Attributes:
        length_ns: how long it lasts.
        begin: messages a second at its beginning.
        end: messages a second at its end.
    """

    length_ns: int
    begin: float
    end: float


class Cumulative:
    """The integral of a rate made of pieces that repeat."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        """Integrate pieces; at least one of them must have messages."""
        table = np.array(pieces, np.float64)
        self._length, self._begin = table[:, 0], table[:, 1] / NS_PER_S
        self._slope = (table[:, 2] - table[:, 1]) / NS_PER_S / self._length
        messages = (table[:, 1] + table[:, 2]) / (2 * NS_PER_S) * self._length
        self._starts = np.concatenate([[0.0], np.cumsum(self._length)])
        self._before = np.concatenate([[0.0], np.cumsum(messages)])

    def count(self, at_ns: Float64) -> Float64:
        """Return Λ: the messages due before times in ns after the beginning."""
        rounds, within = np.divmod(at_ns, self._starts[-1])
        piece = np.searchsorted(self._starts, within, "right") - 1
        passed = within - self._starts[piece]
        count = self._before[piece] + passed * (self._begin[piece] + self._slope[piece] * passed / 2)
        return np.asarray(rounds * self._before[-1] + count, np.float64)

    def times(self, messages: Float64) -> Float64:
        """Return Λ⁻¹: when so many messages were due, in ns after the beginning, rising.

        Where nothing is due for a while it is the end of that while.
        """
        rounds, within = np.divmod(messages, self._before[-1])
        piece = np.searchsorted(self._before, within, "right") - 1
        left, begin = within - self._before[piece], self._begin[piece]
        # The root of slope t²/2 + begin t = left, in the form that loses no digits and allows slope 0.
        root = begin + np.sqrt(np.maximum(begin * begin + 2 * self._slope[piece] * left, 0.0))
        passed = np.divide(2 * left, root, out=np.zeros_like(left), where=root > 0)
        passed = np.minimum(passed, self._length[piece])
        return np.asarray(rounds * self._starts[-1] + self._starts[piece] + passed, np.float64)
