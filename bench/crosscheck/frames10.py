"""The messages in a stream of AMQP 1.0 bytes, scanned frame by frame. Pure.

Independent of the codecs that measure: they are checked against it. It knows
frames (AMQP 1.0 part 2, section 2.3), the widths of encoded values (part 1, section 1.6),
the transfer performative (part 2, section 2.7.5) and the sections of a message (part 3,
section 3.2).
"""

import struct
from collections.abc import Iterator

from bench.crosscheck.pcap import frames

_PROTOCOL = b"AMQP"
_HEADER = struct.Struct(">IBBH")
_LONGEST = 1 << 20
_PERFORMATIVES = (*range(0x10, 0x19), *range(0x40, 0x45))
_TRANSFER = 0x14
_HANDLE, _MORE = 0, 5  # places in the list of a transfer
_APPLICATION_PROPERTIES, _FOOTER = 0x74, 0x78
_WIDTHS = {0x4: 0, 0x5: 1, 0x6: 2, 0x7: 4, 0x8: 8, 0x9: 16}
_SIZED = {0xA: "B", 0xB: "I", 0xC: "B", 0xD: "I", 0xE: "B", 0xF: "I"}


def messages(data: bytes | bytearray) -> Iterator[tuple[bytes, int]]:
    """Yield content and end offset of each message that a transfer carries, in order.

    The content is application properties and body, byte for byte: what a broker hands on as
    it came. Bytes that are no frame are passed over.
    """
    parts: dict[tuple[int, int], bytes] = {}
    for at, end, broken in frames(data, _frame_end):
        if broken:
            parts = {}
        if data[at : at + 4] == _PROTOCOL:
            continue
        _, offset, _, channel = _HEADER.unpack_from(data, at)
        body = bytes(data[at + 4 * offset : end])
        if body[:3] != bytes((0x00, 0x53, _TRANSFER)):
            continue
        handle, more, payload = _transfer(body)
        whole = parts.pop((channel, handle), b"") + payload
        if more:
            parts[channel, handle] = whole
        else:
            yield content(whole), end


def content(message: bytes) -> bytes:
    """Return the sections of a message from its application properties to its body."""
    at, begin = 0, None
    while at < len(message):
        code = message[at + 2] if message[at : at + 2] == b"\x00\x53" else -1
        if begin is None and _APPLICATION_PROPERTIES <= code < _FOOTER:
            begin = at
        if code == _FOOTER:
            break
        at = _value_end(message, at)
    return message[len(message) if begin is None else begin : at]


def _transfer(body: bytes) -> tuple[int, bool, bytes]:
    """Return handle, whether more frames follow, and payload of a transfer."""
    code = body[3]
    end = _value_end(body, 3)
    if code == 0x45:  # noqa: PLR2004  (list0)
        return 0, False, body[end:]
    at = 6 if code == 0xC0 else 12  # noqa: PLR2004  (list8 or list32: size and count stand before the items)
    items: list[bytes] = []
    while at < end and len(items) <= _MORE:
        after = _value_end(body, at)
        items.append(body[at:after])
        at = after
    more = len(items) > _MORE and items[_MORE] in (b"\x41", b"\x56\x01")
    return int.from_bytes(items[_HANDLE][1:], "big"), more, body[end:]


def _value_end(data: bytes, at: int) -> int:
    """Return the offset behind the value that begins here."""
    code = data[at]
    if code == 0x00:  # a descriptor and what it describes
        return _value_end(data, _value_end(data, at + 1))
    width = _WIDTHS.get(code >> 4)
    if width is not None:
        return at + 1 + width
    form = _SIZED[code >> 4]
    length = int(struct.unpack_from(f">{form}", data, at + 1)[0])
    return at + 1 + struct.calcsize(form) + length


def _frame_end(data: bytes | bytearray, at: int) -> int | None:
    """Return the offset behind the frame, or protocol header, that begins here; None where none does."""
    if at + _HEADER.size > len(data):
        return None
    if data[at : at + 4] == _PROTOCOL:
        return at + _HEADER.size
    size, offset, kind, _ = _HEADER.unpack_from(data, at)
    begin = at + 4 * offset
    if kind > 1 or offset < 2 or not 4 * offset <= size <= _LONGEST or at + size > len(data):  # noqa: PLR2004
        return None
    empty = 4 * offset == size
    known = data[begin : begin + 2] == b"\x00\x53" and data[begin + 2] in _PERFORMATIVES
    return int(at + size) if empty or known else None
