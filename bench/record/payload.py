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
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bench.jit import kernel
from bench.record.buckets import BUCKETS, DIGITS, HIGHEST_NS, LOWEST_NS, Int64, highest_ns
from bench.record.geometry import Geometry
from bench.stats.survival import Survival, kaplan_meier

_OUTER = struct.Struct(">ii")
_HEADER = struct.Struct(">iiiiqqd")
_COMPRESSED, _PLAIN = 0x1C849304, 0x1C849303
OURS = Geometry(LOWEST_NS, HIGHEST_NS, DIGITS)
"""Of every histogram that we log."""
_MOST_BYTES = _HEADER.size + 9 * BUCKETS
"""Of a histogram of ours in which each count takes its longest form."""
_MOST_BYTES_OF_OTHERS = 2**20
"""Of a histogram of any geometry: a hundred thousand counts of the longest form."""
_MOST_MESSAGES = 2**53
"""In one histogram: sums of so many stay exact."""
_NIBBLE = ~0xF0  # where a cookie keeps the size of a word
_OTHERS = {
    0x1C849302: "a histogram of format V1",
    0x1C849309: "a histogram of format V0",
    0x0C72124F & _NIBBLE: "a histogram of floating point values",
}
"""Cookies of what may stand in a log as well."""


@lru_cache(maxsize=64)
def _geometry(lowest: int, highest: int, digits: int) -> Geometry:
    return Geometry(lowest, highest, digits)


def buckets(text: str) -> tuple[Int64, Int64]:
    """Return the non-empty buckets of a base64 V2 text, in rising order, and their counts.

    Raises:
        ValueError: it is none, or not of the range and precision that we log.
    """
    geometry, index, count = _read(text, _MOST_BYTES)
    if geometry != OURS:
        message = f"not a histogram of 1 ns to 1 h with {DIGITS} digits: {text[:24]!r}…"
        raise ValueError(message)
    return index, count


def any_buckets(text: str) -> tuple[Geometry, Int64, Int64]:
    """Return what `buckets` does of a histogram of any range and precision, with these.

    Raises:
        ValueError: it is none.
    """
    return _read(text, _MOST_BYTES_OF_OTHERS)


def _read(text: str, most: int) -> tuple[Geometry, Int64, Int64]:
    try:
        geometry, size, inner = _opened(text, most)
    except (ValueError, struct.error, zlib.error) as error:
        message = f"not an HdrHistogram V2 payload: {text[:24]!r}… ({error})"
        raise ValueError(message) from None
    counts = np.frombuffer(inner, np.uint8, offset=_HEADER.size)
    found = np.empty((2, len(counts)), np.int64)
    used = _expand(counts, found, geometry.buckets) if size == len(counts) else -1
    if used < 0:
        message = f"a histogram's counts are cut short or beyond its range: {text[:24]!r}…"
        raise ValueError(message)
    index, count = found[:, :used].copy()  # what is kept of a line is what it counts, not what it takes
    return geometry, index, count


def _opened(text: str, most: int) -> tuple[Geometry, int, bytes]:
    """Return the geometry, the bytes that the counts are said to take, and header and counts."""
    data = base64.b64decode(text, validate=True)
    cookie, length = _OUTER.unpack_from(data)
    if other := _OTHERS.get(cookie & _NIBBLE):
        message = f"it is {other}, which is not read"
        raise ValueError(message)
    inner = _inflated(data[_OUTER.size : _OUTER.size + length], most)
    plain, size, offset, digits, lowest, highest, ratio = _HEADER.unpack_from(inner)
    if (cookie & _NIBBLE, plain & _NIBBLE, offset, ratio) != (_COMPRESSED & _NIBBLE, _PLAIN & _NIBBLE, 0, 1.0):
        message = "it is of an unknown encoding"
        raise ValueError(message)
    return _geometry(lowest, highest, digits), size, inner


def _inflated(data: bytes, most: int) -> bytes:
    """Inflate; raise ValueError where more comes out than so many bytes."""
    inflater = zlib.decompressobj()
    inner = inflater.decompress(data, most)
    if not inflater.eof:
        message = f"cut short, or more than {most:,} bytes"
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
def _expand(data: NDArray[np.uint8], found: Int64, buckets: int) -> int:  # pragma: no cover
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
            if number < bucket - buckets:  # not its negative: that of the least integer is itself
                return -1
            bucket -= number
            continue
        if bucket >= buckets or number > _MOST_MESSAGES - messages:
            return -1
        if number > 0:
            messages += number
            found[0, used], found[1, used] = bucket, number
            used += 1
        bucket += 1
    return used
