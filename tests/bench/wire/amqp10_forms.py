"""Every legal encoding of AMQP 1.0 values and frames, as Hypothesis strategies, for tests.

Written from the standard (parts 1.6, 2.6, 2.7 and 3.2) without the codec under test.
"""

import struct
from typing import Any

from hypothesis import strategies as st

NULL = b"\x40"
NAMES = {
    0x13: "amqp:flow:list",
    0x14: "amqp:transfer:list",
    0x15: "amqp:disposition:list",
    0x23: "amqp:received:list",
    0x24: "amqp:accepted:list",
    0x25: "amqp:rejected:list",
    0x26: "amqp:released:list",
    0x27: "amqp:modified:list",
    0x70: "amqp:header:list",
    0x71: "amqp:delivery-annotations:map",
    0x72: "amqp:message-annotations:map",
    0x73: "amqp:properties:list",
    0x74: "amqp:application-properties:map",
    0x75: "amqp:data:binary",
    0x77: "amqp:amqp-value:*",
    0x78: "amqp:footer:map",
}


def uint(value: int) -> st.SearchStrategy[bytes]:
    """A uint in each of its forms."""
    forms = [struct.pack(">BI", 0x70, value)]
    if value <= 0xFF:
        forms.append(bytes((0x52, value)))
    if value == 0:
        forms.append(b"\x43")
    return st.sampled_from(forms)


def boolean(value: bool) -> st.SearchStrategy[bytes]:  # noqa: FBT001  (the value itself)
    """A boolean in each of its forms."""
    return st.sampled_from([b"\x41", b"\x56\x01"] if value else [b"\x42", b"\x56\x00"])


def binary(value: bytes) -> st.SearchStrategy[bytes]:
    """Bytes in each of their forms."""
    forms = [struct.pack(">BI", 0xB0, len(value)) + value]
    if len(value) <= 0xFF:
        forms.append(bytes((0xA0, len(value))) + value)
    return st.sampled_from(forms)


def compound(short: int, count: int, payload: bytes) -> st.SearchStrategy[bytes]:
    """A list (0xC0) or map (0xC1) in each of its forms."""
    forms = [struct.pack(">BII", short + 0x10, len(payload) + 4, count) + payload]
    if len(payload) < 0xFF and count <= 0xFF:
        forms.append(bytes((short, len(payload) + 1, count)) + payload)
    if short == 0xC0 and not count:
        forms.append(b"\x45")
    return st.sampled_from(forms)


@st.composite
def descriptor(draw: st.DrawFn, code: int) -> bytes:
    """A descriptor in each of its forms, the symbolic ones included."""
    name = NAMES[code].encode()
    forms = [bytes((0x53, code)), struct.pack(">BQ", 0x80, code)]
    forms += [bytes((0xA3, len(name))) + name, struct.pack(">BI", 0xB3, len(name)) + name]
    return b"\x00" + draw(st.sampled_from(forms))


@st.composite
def listed(draw: st.DrawFn, code: int, fields: list[st.SearchStrategy[bytes] | None]) -> bytes:
    """A described list; absent fields are null, or left out at its end."""
    while fields and fields[-1] is None and draw(st.booleans()):
        fields = fields[:-1]
    parts = [NULL if field is None else draw(field) for field in fields]
    return draw(descriptor(code)) + draw(compound(0xC0, len(parts), b"".join(parts)))


STATES: dict[int, list[st.SearchStrategy[bytes] | None]] = {
    0x23: [uint(3), st.just(b"\x80" + bytes(8))],
    0x24: [],
    0x25: [st.just(b"\x00\x53\x1d\xc0\x06\x01\xa3\x03a:b")],
    0x26: [],
    0x27: [boolean(True), boolean(False), st.just(b"\xc1\x01\x00")],  # noqa: FBT003  (values, not switches)
}


def state(code: int) -> st.SearchStrategy[bytes]:
    """A delivery state."""
    return listed(code, list(STATES[code]))


ANNOTATIONS = st.sampled_from(
    [(0, b""), (2, b"\xa3\x01k\xa1\x02vv"), (2, b"\xa3\x05x-opt\xb1\x00\x00\x01\x2c" + b"z" * 300)]
)


@st.composite
def section(draw: st.DrawFn, code: int) -> bytes:
    """A map section, or properties, with something in it."""
    if code == 0x73:
        return draw(listed(0x73, [None, None, st.just(b"\xa1\x05queue"), st.just(b"\xa1\x01s")]))
    count, payload = draw(ANNOTATIONS)
    return draw(descriptor(code)) + draw(compound(0xC1, count, payload))


HEADERS: list[tuple[list[st.SearchStrategy[bytes] | None], bool]] = [
    ([boolean(True), st.just(b"\x50\x04"), uint(70_000), boolean(True), uint(0)], False),  # noqa: FBT003
    ([boolean(False), None, None, None, None], False),  # noqa: FBT003
    ([None, None, None, boolean(False), None], True),  # noqa: FBT003
    ([boolean(True), None, None, None, uint(1)], True),  # noqa: FBT003
    ([None, None, None, boolean(True), uint(300)], True),  # noqa: FBT003
]


@st.composite
def message(draw: st.DrawFn, body: bytes) -> tuple[bytes, bool]:
    """A message in any legal form: (its bytes, whether its header says it came before)."""
    whole, redelivered = b"", False
    if draw(st.booleans()):
        fields, redelivered = draw(st.sampled_from(HEADERS))
        whole += draw(listed(0x70, list(fields)))
    for code in (0x71, 0x72, 0x73, 0x74):
        if draw(st.booleans()):
            whole += draw(section(code))
    if draw(st.booleans()):
        whole += draw(descriptor(0x77)) + draw(binary(body))
    else:
        cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=2)))
        for first, last in zip([0, *cuts], [*cuts, len(body)], strict=True):
            whole += draw(descriptor(0x75)) + draw(binary(body[first:last]))
    if draw(st.booleans()):
        whole += draw(section(0x78))
    return whole, redelivered


@st.composite
def frame(draw: st.DrawFn, body: bytes, channel: int = 0) -> bytes:
    """A frame around a performative and its payload, with or without an extended header."""
    extra = draw(st.sampled_from([0, 0, 0, 1, 3]))
    return struct.pack(">IBBH", 8 + 4 * extra + len(body), 2 + extra, 0, channel) + bytes(4 * extra) + body


def optional(draw: st.DrawFn, field: Any, *, needed: bool = False) -> Any:
    """Return a field, or None at random where it is not needed."""
    return field if needed or draw(st.booleans()) else None


@st.composite
def transfers(draw: st.DrawFn, handle: int, delivery: int, payload: bytes, *, settled: bool) -> list[bytes]:
    """The frames of one delivery in any legal form."""
    cuts = sorted(draw(st.lists(st.integers(0, len(payload)), max_size=3)))
    ends = [*cuts, len(payload)]
    says = draw(st.integers(0, len(cuts)))
    frames = []
    for number, (first, last) in enumerate(zip([0, *cuts], ends, strict=True)):
        more = number < len(cuts)
        fields: list[Any] = [
            uint(handle),
            optional(draw, uint(delivery), needed=number == 0),
            optional(draw, binary(delivery.to_bytes(4, "big") * 8), needed=number == 0),
            optional(draw, uint(0)),
            boolean(True) if settled and number == says else optional(draw, boolean(False)),  # noqa: FBT003
            optional(draw, boolean(more), needed=more),
            optional(draw, st.just(b"\x50\x00")),
            optional(draw, state(0x24)),
            optional(draw, boolean(False)),  # noqa: FBT003
            optional(draw, boolean(False)),  # noqa: FBT003
            optional(draw, boolean(True)),  # noqa: FBT003
        ]
        frames.append(draw(frame(draw(listed(0x14, fields)) + payload[first:last])))
    return frames
