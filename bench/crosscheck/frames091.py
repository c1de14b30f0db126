"""The messages in a stream of AMQP 0-9-1 bytes, scanned frame by frame. Pure.

Independent of the codecs that measure: they are checked against it. It knows
frames, and content that follows a method (AMQP 0-9-1, sections 2.3.5 and 4.2.6).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from bench.crosscheck.pcap import frames

PUBLISH, DELIVER = (60, 40), (60, 60)
"""Class and method of basic.publish and basic.deliver."""

_FRAME = struct.Struct(">BHI")
_METHOD, _HEADER, _BODY, _HEARTBEAT = 1, 2, 3, 8
_END = 0xCE
_LONGEST = 1 << 20


@dataclass
class _Content:
    """What follows a method on a channel."""

    length: int | None = None
    body: bytearray = field(default_factory=bytearray)


def messages(data: bytes | bytearray, method: tuple[int, int]) -> Iterator[tuple[bytes, int]]:
    """Yield body and end offset of each message that a method carries, in order.

    Bytes that are no frame (a protocol header, the rest of a frame whose beginning was not
    captured) are passed over.
    """
    contents: dict[int, _Content] = {}
    for at, end, broken in frames(data, _frame_end):
        if broken:
            contents = {}
        kind, channel, _ = _FRAME.unpack_from(data, at)
        payload = bytes(data[at + _FRAME.size : end - 1])
        if kind == _METHOD:
            contents.pop(channel, None)
            if struct.unpack_from(">HH", payload) == method:
                contents[channel] = _Content()
        elif kind != _HEARTBEAT and channel in contents:
            content = contents[channel]
            if kind == _HEADER:
                content.length = struct.unpack_from(">Q", payload, 4)[0]
            else:
                content.body += payload
            if content.length == len(content.body):
                yield bytes(content.body), end
                del contents[channel]


def _frame_end(data: bytes | bytearray, at: int) -> int | None:
    """Return the offset behind the frame that begins here; None where none does."""
    if at + _FRAME.size >= len(data):
        return None
    kind, _, length = _FRAME.unpack_from(data, at)
    end = at + _FRAME.size + length + 1
    least = {_METHOD: 4, _HEADER: 14, _BODY: 1, _HEARTBEAT: 0}.get(kind)
    if least is None or not least <= length <= _LONGEST or end > len(data) or data[end - 1] != _END:
        return None
    return int(end)
