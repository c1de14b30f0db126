"""How a histogram of any range and precision cuts values into buckets, for logs that others wrote. Pure.

It is the arithmetic of HdrHistogram (AbstractHistogram, org.hdrhistogram:HdrHistogram). Our own
histograms are all of one geometry, whose arithmetic `bench.record.buckets` has as constants.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bench.record.buckets import Int64

_MOST_DIGITS = 5
_MOST_MAGNITUDE = 61
"""Of the values of one bucket, in powers of two: what Java allows for integers of 64 bits."""


@dataclass(frozen=True)
class Geometry:
    """Range and precision of a histogram.

    Attributes:
        lowest: value that is told from 0, in the unit of the histogram.
        highest: value that it can hold.
        digits: significant digits to which values are told apart.
    """

    lowest: int
    highest: int
    digits: int

    def __post_init__(self) -> None:
        """Check that there is such a histogram.

        Raises:
            ValueError: there is none.
        """
        if not (0 <= self.digits <= _MOST_DIGITS and 1 <= self.lowest <= self.highest // 2 and self.highest < 2**63):
            message = f"no histogram goes from {self.lowest} to {self.highest} with {self.digits} digits"
            raise ValueError(message)
        if self.unit + self.half + 1 > _MOST_MAGNITUDE:
            message = f"no histogram tells {self.lowest} from 0 with {self.digits} digits"
            raise ValueError(message)

    @cached_property
    def unit(self) -> int:
        """Width of the narrowest bucket, as a power of two."""
        return self.lowest.bit_length() - 1

    @cached_property
    def half(self) -> int:
        """Buckets of one width, as a power of two; twice as many begin the histogram."""
        return (2 * int(10**self.digits) - 1).bit_length() - 1

    @cached_property
    def widths(self) -> int:
        """How many widths of buckets there are."""
        count = 1
        while (2 << self.half + self.unit) << (count - 1) <= self.highest:
            count += 1
        return count

    @cached_property
    def buckets(self) -> int:
        """How many buckets there are."""
        return (self.widths + 1) << self.half

    def highest_of(self, index: Int64) -> Int64:
        """Return the highest value that each bucket stands for."""
        half = 1 << self.half
        within = np.where(index < 2 * half, index, (index & (half - 1)) + half)
        shift = np.maximum((index >> self.half) - 1, 0) + self.unit
        highest: Int64 = (within << shift) + (np.left_shift(np.int64(1), shift) - 1)
        return highest
