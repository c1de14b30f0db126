"""Numbers and stamps in byte buffers, for compiled code; also right where the compiler is switched off.

AMQP is big endian (0-9-1, 4.2.5.1; 1.0, 1.3), our stamp little endian (`bench.arrivals.stamp`). Each
octet is made an int64 before it is shifted: a numpy uint8 would overflow, and Numba makes a
float of what mixes signed and unsigned numbers. Indices are unsigned, which spares the
compiled code a look for negative ones and lets it move eight octets at once. The caller
has looked that the octets are there.
"""

import numpy as np
from numpy.typing import NDArray

from bench.arrivals import stamp
from bench.jit import kernel_part

Octets = NDArray[np.uint8]
Int64 = NDArray[np.int64]

STAMP = stamp.SIZE
COMPACT_STAMP = stamp.COMPACT_SIZE
DIGITS = 13
"""Decimal digits of a sequence number in a text."""
_MAGIC = stamp.MAGIC
_SEQ_MASK = stamp.SEQ_MASK
_TIME_BITS = stamp.TIME_BITS
_TIME_MASK = stamp.TIME_MASK
_LARGEST = 0x7FFF_FFFF_FFFF_FFFF


@kernel_part
def octet(buf: Octets, at: int) -> int:
    """Return one octet as int64."""
    found: int = np.int64(buf[np.uint64(at)])  # type: ignore[assignment]
    return found


@kernel_part
def get16(buf: Octets, at: int) -> int:
    """Return an unsigned number of two octets, big endian."""
    return (octet(buf, at) << 8) | octet(buf, at + 1)


@kernel_part
def get32(buf: Octets, at: int) -> int:
    """Return an unsigned number of four octets, big endian."""
    return (get16(buf, at) << 16) | get16(buf, at + 2)


@kernel_part
def get63(buf: Octets, at: int) -> int:
    """Return a number of eight octets, big endian; what needs the 64th bit is returned as the largest int64."""
    if octet(buf, at) & 0x80:
        return _LARGEST
    return (get32(buf, at) << 32) | get32(buf, at + 4)


@kernel_part
def put16(buf: Octets, at: int, value: int) -> None:
    """Write an unsigned number of two octets, big endian."""
    buf[np.uint64(at)] = (value >> 8) & 0xFF
    buf[np.uint64(at + 1)] = value & 0xFF


@kernel_part
def put32(buf: Octets, at: int, value: int) -> None:
    """Write an unsigned number of four octets, big endian."""
    put16(buf, at, value >> 16)
    put16(buf, at + 2, value)


@kernel_part
def put64(buf: Octets, at: int, value: int) -> None:
    """Write a number of eight octets, big endian."""
    put32(buf, at, value >> 32)
    put32(buf, at + 4, value)


@kernel_part
def copy(out: Octets, at: int, source: Octets, start: int, length: int) -> None:
    """Copy source[start : start + length] to out[at:]; they must not overlap."""
    for i in range(length):
        out[np.uint64(at + i)] = source[np.uint64(start + i)]


@kernel_part
def _get_little32(buf: Octets, at: int) -> int:
    lower = octet(buf, at) | (octet(buf, at + 1) << 8)
    return lower | (octet(buf, at + 2) << 16) | (octet(buf, at + 3) << 24)


@kernel_part
def get_little64(buf: Octets, at: int) -> int:
    """Return a signed number of eight octets, little endian, as a stamp has it."""
    return _get_little32(buf, at) | (_get_little32(buf, at + 4) << 32)


@kernel_part
def _put_little64(buf: Octets, at: int, value: int) -> None:
    for i in range(8):
        buf[np.uint64(at + i)] = (value >> (8 * i)) & 0xFF


@kernel_part
def read_stamp(buf: Octets, at: int, table: Int64, first: int, column: int) -> bool:
    """Read the stamp at `at` into four rows of a table from `first` on, in the order of `bench.arrivals.stamp`.

    Returns False, and writes nothing, where there is none.
    """
    if _get_little32(buf, at) != _MAGIC:
        return False
    table[first, column] = _get_little32(buf, at + 4)
    table[first + 1, column] = get_little64(buf, at + 8) & _SEQ_MASK
    table[first + 2, column] = get_little64(buf, at + 16)
    table[first + 3, column] = get_little64(buf, at + 24)
    return True


@kernel_part
def stamp_seq(buf: Octets, at: int) -> int:
    """Return the sequence number of the stamp at `at`; -1 where there is none."""
    return get_little64(buf, at + 8) & _SEQ_MASK if _get_little32(buf, at) == _MAGIC else -1


@kernel_part
def write_stamp(buf: Octets, at: int, producer: int, seq: int, intended_ns: int, sent_ns: int) -> None:
    """Write a stamp over 32 octets; see `bench.arrivals.stamp`."""
    _put_little64(buf, at, _MAGIC | (producer << 32))
    _put_little64(buf, at + 8, seq)
    _put_little64(buf, at + 16, intended_ns)
    _put_little64(buf, at + 24, sent_ns)


@kernel_part
def read_compact_stamp(buf: Octets, at: int, table: Int64, first: int, column: int, now_ns: int) -> None:
    """Read the compact stamp at `at` as `read_stamp` does, at `now_ns`."""
    word = get_little64(buf, at)
    intended_ns = now_ns - ((now_ns - (word & _TIME_MASK)) & _TIME_MASK)
    table[first, column] = (word >> _TIME_BITS) & ((1 << (64 - _TIME_BITS)) - 1)
    table[first + 1, column] = compact_seq(buf, at)
    table[first + 2, column] = intended_ns
    table[first + 3, column] = intended_ns


@kernel_part
def compact_seq(buf: Octets, at: int) -> int:
    """Return the sequence number of the compact stamp at `at`."""
    return _get_little32(buf, at + 8)


@kernel_part
def write_compact_stamp(buf: Octets, at: int, producer: int, seq: int, intended_ns: int) -> None:
    """Write a compact stamp over 12 octets; see `bench.arrivals.stamp`."""
    _put_little64(buf, at, (intended_ns & _TIME_MASK) | (producer << _TIME_BITS))
    for i in range(4):
        buf[np.uint64(at + 8 + i)] = (seq >> (8 * i)) & 0xFF


@kernel_part
def put_digits(out: Octets, at: int, number: int) -> None:
    """Write the last `DIGITS` decimal digits of a number, with leading zeros."""
    for i in range(DIGITS):
        out[np.uint64(at + DIGITS - 1 - i)] = 48 + number % 10
        number //= 10
