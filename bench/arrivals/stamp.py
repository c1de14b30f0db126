"""The bytes each message carries: 32 at the front of the body, little endian.

| offset | type | field |
|---|---|---|
| 0 | u32 | magic |
| 4 | u32 | producer, counted over the whole trial |
| 8 | i64 | sequence number of that producer |
| 16 | i64 | intended send time, monotonic ns |
| 24 | i64 | sent time, monotonic ns |

Pure.
"""

import struct

MAGIC = 0x31_42_42_42  # "BBB1"
_LAYOUT = struct.Struct("<IIqqq")
SIZE = _LAYOUT.size


def pack_into(body: bytearray | memoryview, producer: int, seq: int, intended_ns: int, sent_ns: int) -> None:
    """Write a stamp over the first 32 bytes of a body."""
    _LAYOUT.pack_into(body, 0, MAGIC, producer, seq, intended_ns, sent_ns)


def unpack(body: bytes | bytearray | memoryview) -> tuple[int, int, int, int] | None:
    """Return (producer, seq, intended_ns, sent_ns), or None where the body is not ours."""
    if len(body) < SIZE:
        return None
    magic, producer, seq, intended_ns, sent_ns = _LAYOUT.unpack_from(body)
    return (producer, seq, intended_ns, sent_ns) if magic == MAGIC else None
