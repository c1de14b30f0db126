"""Messages in AMQP 1.0 streams; the messages are written by Proton's codec."""

import struct

import pytest
from proton import Message

from bench.crosscheck.frames10 import content, messages

HEADER = b"AMQP\x00\x01\x00\x00"
SASL_HEADER = b"AMQP\x03\x01\x00\x00"


def frame(body: bytes, channel: int = 0, kind: int = 0) -> bytes:
    """Return a frame."""
    return struct.pack(">IBBH", 8 + len(body), 2, kind, channel) + body


def transfer(payload: bytes, *, handle: bytes = b"\x43", more: bool | None = None, wide: bool = False) -> bytes:
    """Return the body of a transfer frame: list8 or list32, with a delivery tag of 8 bytes."""
    flag = {None: b"", True: b"\x40\x41", False: b"\x42\x56\x00"}[more]
    items = handle + b"\x52\x07" + b"\xa0\x08" + bytes(8) + b"\x43" + flag
    count = 4 + (2 if flag else 0)
    if wide:
        packed = b"\xd0" + struct.pack(">II", len(items) + 4, count) + items
    else:
        packed = b"\xc0" + bytes((len(items) + 1, count)) + items
    return b"\x00\x53\x14" + packed + payload


def flow() -> bytes:
    """Return a flow frame."""
    return frame(b"\x00\x53\x13\xc0\x03\x02\x43\x43")


def encoded(body: bytes, **fields: object) -> bytes:
    """Return a message as Proton encodes it."""
    return bytes(Message(body=body, inferred=True, **fields).encode())


def contents(data: bytes) -> list[bytes]:
    """Return the contents in a stream."""
    return [found for found, _ in messages(data)]


def test_a_message_ends_with_its_frame() -> None:
    """Content is the data section here; other frames and protocol headers are passed over."""
    message = encoded(b"hello", durable=True, id="an id")
    head = SASL_HEADER + frame(b"\x00\x53\x44\xc0\x03\x01\x50\x00", kind=1) + HEADER + flow() + frame(b"")
    data = head + frame(transfer(message)) + flow()
    assert list(messages(data)) == [(b"\x00\x53\x75\xa0\x05hello", len(data) - len(flow()))]


@pytest.mark.parametrize("wide", [False, True])
def test_a_message_in_several_frames(wide: bool) -> None:  # noqa: FBT001
    """Parts are joined until one says that no more follow; links may interleave."""
    message, other = encoded(b"a long body"), encoded(b"short")
    data = b"".join(
        [
            frame(transfer(message[:4], more=True, wide=wide)),
            frame(transfer(other, handle=b"\x52\x03", wide=wide)),
            frame(transfer(message[4:9], more=True, wide=wide)),
            frame(transfer(message[9:], more=False, wide=wide)),
        ]
    )
    assert contents(data) == [content(other), content(message)]


def test_content_is_what_a_broker_hands_on() -> None:
    """Header, annotations and properties may change on the way; application properties and body may not."""
    sent = encoded(b"body", properties={"time": 5})
    back = encoded(b"body", properties={"time": 5}, durable=True, priority=3, annotations={"x-a": 1}, user_id=b"me")
    assert sent != back
    assert content(sent) == content(back)
    assert content(sent) != content(encoded(b"body", properties={"time": 6}))


def test_a_footer_is_no_content() -> None:
    """Whatever stands behind the body is left out."""
    message = encoded(b"body")
    assert content(message + b"\x00\x53\x78\xc1\x01\x00") == content(message)


def test_a_message_without_body_has_no_content() -> None:
    """A header alone."""
    assert content(b"\x00\x53\x70\x45") == b""
    assert contents(frame(b"\x00\x53\x14\x45")) == [b""]


@pytest.mark.parametrize("cut", [1, 8, 20, 40])
def test_a_stream_that_begins_in_the_middle(cut: int) -> None:
    """The rest of a message whose beginning was not seen is passed over, wherever it begins."""
    data = b"".join(frame(transfer(encoded(body))) for body in (b"x" * 50, b"two", b"three", b"four"))
    assert contents(data[cut:]) == [content(encoded(body)) for body in (b"two", b"three", b"four")]


@pytest.mark.parametrize("cut", [1, 10, 25])
def test_a_stream_that_ends_in_the_middle(cut: int) -> None:
    """The message without an end is not there."""
    data = b"".join(frame(transfer(encoded(body))) for body in (b"one", b"two"))
    assert contents(data[:-cut]) == [content(encoded(b"one"))]


def test_nothing_is_found_in_nothing() -> None:
    """No bytes, and bytes of another protocol."""
    assert contents(b"") == []
    assert contents(b"GET / HTTP/1.1\r\n" * 20) == []
