"""The bytes each message carries at the front of its body, little endian: one layout, and a compact form of it.

| offset | type | field |
|---|---|---|
| 0 | u32 | magic |
| 4 | u32 | producer, counted over the whole trial |
| 8 | u64 | sequence number of that producer (lower 56 bits), attempt (upper 8) |
| 16 | i64 | intended send time, monotonic ns |
| 24 | i64 | sent time, monotonic ns |

An attempt is 0 unless a producer sends a message again, after it lost a connection.

Bodies from 12 bytes on, for comparison with figures of other tools, carry the compact form.
It has no magic, so that bodies of others cannot be told apart, and no sent time, so that
there is no service latency: it is for queues of our own.

| offset | type | field |
|---|---|---|
| 0 | u64 | intended send time modulo 2^44 ns (4.8 h), lower 44 bits; producer (upper 20) |
| 8 | u32 | sequence number of that producer |

Which time is meant follows from when it is read: the last instant at or before then whose
lower 44 bits are these. Pure.
"""

import struct

MAGIC = 0x31_42_42_42  # "BBB1"
_LAYOUT = struct.Struct("<IIQqq")
SIZE = _LAYOUT.size
_COMPACT = struct.Struct("<QI")
COMPACT_SIZE = _COMPACT.size

SEQ_BITS = 56
SEQ_MASK = (1 << SEQ_BITS) - 1
"""Lower bits of the word at offset 8: the sequence number; the attempt is above."""
TIME_BITS = 44
TIME_MASK = (1 << TIME_BITS) - 1
MOST_COMPACT_PRODUCERS = 1 << (64 - TIME_BITS)


def pack_into(
    body: bytearray | memoryview, producer: int, seq: int, intended_ns: int, sent_ns: int, attempt: int = 0
) -> None:
    """Write a stamp over the first 32 bytes of a body."""
    _LAYOUT.pack_into(body, 0, MAGIC, producer, seq | attempt << SEQ_BITS, intended_ns, sent_ns)


def unpack(body: bytes | bytearray | memoryview) -> tuple[int, int, int, int] | None:
    """Return (producer, seq, intended_ns, sent_ns), or None where the body is not ours."""
    if len(body) < SIZE:
        return None
    magic, producer, word, intended_ns, sent_ns = _LAYOUT.unpack_from(body)
    return (producer, word & SEQ_MASK, intended_ns, sent_ns) if magic == MAGIC else None


def pack_compact_into(body: bytearray | memoryview, producer: int, seq: int, intended_ns: int) -> None:
    """Write a compact stamp over the first 12 bytes of a body."""
    _COMPACT.pack_into(body, 0, intended_ns & TIME_MASK | producer << TIME_BITS, seq)


def unpack_compact(body: bytes | bytearray | memoryview, now_ns: int) -> tuple[int, int, int, int] | None:
    """Return (producer, seq, intended_ns, intended_ns), or None where the body is too short; read at `now_ns`."""
    if len(body) < COMPACT_SIZE:
        return None
    word, seq = _COMPACT.unpack_from(body)
    intended_ns = unfolded(word & TIME_MASK, now_ns)
    return word >> TIME_BITS, seq, intended_ns, intended_ns


def unfolded(folded_ns: int, now_ns: int) -> int:
    """Return the last instant at or before `now_ns` whose lower 44 bits are `folded_ns`."""
    return now_ns - ((now_ns - folded_ns) & TIME_MASK)
