"""The seconds under way as kernels see them: one row of int64 cells, and the arithmetic that counts into it.

A *page* holds one second: for each tag the buckets of an HDR histogram (those of
`HdrHistogram(1, 3_600_000_000_000, 3)`) and three totals, then when the second begins and when
it was last used. A few pages lie one after the other in one array, so that a kernel is
handed a single array however many seconds and tags there are. Which second has a page is
decided in `bench.record.histogram`; here they are only found and counted into.
"""

import numpy as np
from numpy.typing import NDArray

from bench.jit import kernel
from bench.units import NS_PER_S

LOWEST_NS = 1
HIGHEST_NS = 3600 * NS_PER_S
DIGITS = 3
BUCKETS = 33_792
"""Length of the counts array for 1 ns to 1 h with 3 significant digits."""

SUM, NEGATIVE, ABOVE = range(BUCKETS, BUCKETS + 3)
"""Cells of a tag after its buckets: sum of the values counted, values below 0, values above 1 h."""

FROM, USED = range(BUCKETS + 3, BUCKETS + 5)
"""Cells of a page, kept with its first tag: when its second begins, when it was last used."""

WIDTH = BUCKETS + 8
"""Cells of a tag: whole cache lines."""

FREE = -(1 << 63)
"""Stands in `FROM` of a page that has no second."""

Int64 = NDArray[np.int64]

_HALF_MAGNITUDE = 10  # log2 of half the 2,048 sub-buckets that 3 digits take
_HALF = 1 << _HALF_MAGNITUDE
_GROUP = 16  # cells looked at together; most buckets are empty


@kernel
def page_of(cells: Int64, stride: int, page: int, due_ns: int, at_ns: int) -> int:
    """Return the first cell of the page that holds an instant, used at `at_ns`; -1 where none does.

    `page` is a guess: the page of the row before, or -1.
    """
    if page >= 0 and 0 <= due_ns - cells[page + FROM] < NS_PER_S:
        return page
    for other in range(0, len(cells), stride):
        if cells[other + FROM] != FREE and 0 <= due_ns - cells[other + FROM] < NS_PER_S:
            cells[other + USED] = at_ns
            return other
    return -1


@kernel
def count(cells: Int64, base: int, value: int) -> None:
    """Count a value into the tag whose cells begin at `base`.

    Bucket arithmetic of HdrHistogram (AbstractHistogram.countsArrayIndex): the bucket is
    the position of the highest bit above 11, the sub-bucket the next 11 bits.
    """
    if value < 0:
        cells[base + NEGATIVE] += 1
        return
    if value > HIGHEST_NS:
        cells[base + ABOVE] += 1
        return
    bucket = 0
    rest = value >> (_HALF_MAGNITUDE + 1)
    while rest:  # compiled to one count of leading zeros
        rest >>= 1
        bucket += 1
    cells[base + ((bucket + 1) << _HALF_MAGNITUDE) + (value >> bucket) - _HALF] += 1
    cells[base + SUM] += value


@kernel
def count_rows(rows: Int64, first: int, cells: Int64, stride: int, offset: int) -> int:
    """Count rows, intended and value in ns, from `first` on into the tag `offset` cells into a page.

    Returns the first whose second has no page.
    """
    page, length = -1, len(rows[0])
    for i in range(first, length):
        page = page_of(cells, stride, page, int(rows[0, i]), int(rows[0, i]))
        if page < 0:
            return i
        count(cells, page + offset, int(rows[1, i]))
    return length


@kernel
def take_out(cells: Int64, base: int, found: Int64) -> int:
    """Move the buckets of a tag that are not empty into rows of index and count; return how many there are."""
    used = 0
    for group in range(base, base + BUCKETS, _GROUP):
        some = 0
        for cell in range(group, group + _GROUP):
            some |= cells[cell]
        if some:
            for cell in range(group, group + _GROUP):
                if cells[cell]:
                    found[0, used], found[1, used] = cell - base, cells[cell]
                    used += 1
                    cells[cell] = 0
    return used


def value_at(index: int) -> int:
    """Return the lowest value that falls into a bucket."""
    if index < 2 * _HALF:
        return index
    bucket = (index >> _HALF_MAGNITUDE) - 1
    return ((index & (_HALF - 1)) + _HALF) << bucket


def highest_ns(index: Int64) -> Int64:
    """Return the highest value that each bucket stands for, ns."""
    lowest = np.where(index < 2 * _HALF, index, ((index & (_HALF - 1)) + _HALF) << _shift(index))
    highest: Int64 = lowest + width_ns(index) - 1
    return highest


def width_ns(index: Int64) -> Int64:
    """Return how many values each bucket stands for."""
    width: Int64 = np.left_shift(np.int64(1), _shift(index))
    return width


def _shift(index: Int64) -> Int64:
    shift: Int64 = np.maximum((index >> _HALF_MAGNITUDE) - 1, 0)
    return shift
