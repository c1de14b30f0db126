"""From the text of a logged histogram to its buckets, without a histogram between them.

A report of a thousand trials reads some hundred thousand lines, of each of which it wants a
few hundred counts; the package's decoder fills 33,792 cells for each. The format is V2 of
HdrHistogram (AbstractHistogram.encodeIntoCompressedByteBuffer): a cookie and a length, then
deflated a header of 40 bytes and the counts, ZigZag in LEB128 of at most 9 bytes, where a
negative number stands for so many empty buckets.
"""

import base64
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.jit import kernel
from bench.record.buckets import BUCKETS, DIGITS, HIGHEST_NS, LOWEST_NS, Int64, highest_ns
from bench.stats.survival import Survival, kaplan_meier

_OUTER = struct.Struct(">ii")
_HEADER = struct.Struct(">iiiiqqd")
_COMPRESSED, _PLAIN = 0x1C849304, 0x1C849303
_MOST_BYTES = _HEADER.size + 9 * BUCKETS
"""Of a histogram in which each count takes its longest form."""
_MOST_MESSAGES = 2**53
"""In one histogram: sums of so many stay exact."""
_NIBBLE = ~0xF0  # where a cookie keeps the size of a word


def buckets(text: str) -> tuple[Int64, Int64]:
    """Return the non-empty buckets of a base64 V2 text, in rising order, and their counts.

    Raises:
        ValueError: it is none, or not of the range and precision that we log.
    """
    try:
        data = base64.b64decode(text, validate=True)
        cookie, length = _OUTER.unpack_from(data)
        inner = _inflated(data[_OUTER.size : _OUTER.size + length])
        plain, size, offset, digits, lowest, highest, ratio = _HEADER.unpack_from(inner)
    except (ValueError, struct.error, zlib.error) as error:
        message = f"not an HdrHistogram V2 payload: {text[:24]!r}… ({error})"
        raise ValueError(message) from None
    given = (cookie & _NIBBLE, plain & _NIBBLE, offset, digits, lowest, highest, ratio)
    if given != (_COMPRESSED & _NIBBLE, _PLAIN & _NIBBLE, 0, DIGITS, LOWEST_NS, HIGHEST_NS, 1.0):
        message = f"not a histogram of 1 ns to 1 h with {DIGITS} digits: {text[:24]!r}…"
        raise ValueError(message)
    counts = np.frombuffer(inner, np.uint8, offset=_HEADER.size)
    found = np.empty((2, len(counts)), np.int64)
    used = _expand(counts, found) if size == len(counts) else -1
    if used < 0:
        message = f"a histogram's counts are cut short or beyond its range: {text[:24]!r}…"
        raise ValueError(message)
    return found[0, :used].copy(), found[1, :used].copy()  # else each would hold all of `found`


def _inflated(data: bytes) -> bytes:
    """Inflate; raise ValueError where more comes out than a histogram of our range can take."""
    inflater = zlib.decompressobj()
    inner = inflater.decompress(data, _MOST_BYTES)
    if not inflater.eof:
        message = f"cut short, or more than {_MOST_BYTES:,} bytes"
        raise ValueError(message)
    return inner


def estimated(events: Sequence[str], censored: Sequence[str], *, beyond: int = 0) -> Survival:
    """Return the estimate of latencies in ns from base64 V2 texts of events and of censored ones, which add up.

    `beyond` messages never came, or took longer than a histogram holds.

    Raises:
        ValueError: see `buckets`.
    """
    counts = np.zeros((2, BUCKETS), np.int64)
    for row, texts in zip(counts, (events, censored), strict=True):
        for text in texts:
            index, count = buckets(text)
            row[index] += count
    index = np.flatnonzero(counts.any(axis=0))
    return kaplan_meier(highest_ns(index), counts[0, index], counts[1, index], beyond=beyond)


@kernel
def _expand(data: NDArray[np.uint8], found: Int64) -> int:  # pragma: no cover
    at = used = 0
    bucket = messages = np.int64(0)
    while at < len(data):
        value, shift = np.int64(0), 0
        while True:
            if at == len(data):
                return -1
            byte = np.int64(data[at])
            at += 1
            if shift == 56:  # noqa: PLR2004  (the ninth byte is whole)
                value |= byte << shift
                break
            value |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004  (no more follow)
                break
            shift += 7
        number = ((value >> 1) & 0x7FFFFFFFFFFFFFFF) ^ -(value & 1)
        if number < 0:
            if number < bucket - BUCKETS:  # not its negative: that of the least integer is itself
                return -1
            bucket -= number
            continue
        if bucket >= BUCKETS or number > _MOST_MESSAGES - messages:
            return -1
        if number > 0:
            messages += number
            found[0, used], found[1, used] = bucket, number
            used += 1
        bucket += 1
    return used
