"""Bodies are found in whatever Proton's own encoder makes, and our messages are read by it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from proton import Message, symbol

from bench.wire.amqp10_body import find_body, opening

BODY = bytes(range(32)) + b"payload"


def encoded(body: Any = BODY, *, inferred: bool = True, **fields: Any) -> bytes:
    """Encode with Proton; `inferred` makes a data section of bytes, else an amqp-value."""
    message = Message(body=body, inferred=inferred)
    for name, value in fields.items():
        setattr(message, name, value)
    return bytes(message.encode())


SHAPES: dict[str, dict[str, Any]] = {
    "bare": {},
    "durable": {"durable": True},
    "header and ttl": {"ttl": 60.0, "priority": 9},
    "properties": {"address": "/queues/q", "subject": "s" * 300, "correlation_id": "c"},
    "annotations": {"annotations": {symbol("x-exchange"): "", symbol("x-routing-key"): "q" * 400}},
    "instructions": {"instructions": {symbol("x-opt"): 1}},
    "application properties": {"properties": {"key": "value", "n": 2**40, "list": [1, 2.5, None, True]}},
    "amqp-value": {"inferred": False},
}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("size", [0, 32, 255, 256, 100_000])
def test_the_body_is_found_behind_any_sections(shape: str, size: int) -> None:
    """Whatever stands before it, in short and long encodings."""
    body = bytes(n % 251 for n in range(size))
    message = encoded(body, **SHAPES[shape])
    found = find_body(message)
    assert found is not None
    assert message[found.start : found.start + found.length] == body
    assert not found.redelivered


@pytest.mark.parametrize(
    ("fields", "redelivered"),
    [
        ({"delivery_count": 1}, True),
        ({"delivery_count": 300}, True),
        ({"delivery_count": 0, "durable": True}, False),
        ({"first_acquirer": True, "priority": 3}, False),
    ],
)
def test_redelivery_is_read_from_the_header(fields: dict[str, Any], redelivered: bool) -> None:  # noqa: FBT001
    """A delivery-count above 0 is a redelivery."""
    found = find_body(encoded(**fields))
    assert found is not None
    assert found.redelivered is redelivered


@pytest.mark.parametrize(
    ("first_acquirer", "redelivered"), [(b"\x42", True), (b"\x56\x00", True), (b"\x41", False), (b"\x40", False)]
)
def test_first_acquirer_false_is_a_redelivery(first_acquirer: bytes, redelivered: bool) -> None:  # noqa: FBT001
    """RabbitMQ marks redeliveries so; both encodings of false count, true and null do not."""
    fields = b"\x42\x50\x04\x40" + first_acquirer
    header = b"\x00\x53\x70\xc0" + bytes((len(fields) + 1, 4)) + fields
    wide = b"\x00\x80" + bytes(7) + b"\x70\xd0" + (len(fields) + 4).to_bytes(4, "big") + bytes(3) + b"\x04" + fields
    for section in (header, wide):
        found = find_body(section + b"\x00\x53\x75\xa0\x02hi")
        assert found is not None
        assert (found.length, found.redelivered) == (2, redelivered)


@pytest.mark.parametrize("body", ["text", 5, [b"a"], {"k": b"v"}, None])
def test_other_kinds_of_body_are_none(body: object) -> None:
    """Strings, numbers, lists and maps are not ours."""
    assert find_body(encoded(body, inferred=False)) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_survived(noise: bytes) -> None:
    """Bytes that are no message give None or a body inside of them, never an exception."""
    found = find_body(noise)
    assert found is None or 0 <= found.start <= found.start + found.length <= len(noise)


@given(st.integers(0, 60))
def test_a_message_cut_short_has_no_body(kept: int) -> None:
    """No prefix of a message passes for one."""
    whole = encoded(durable=True)
    assert find_body(whole[: min(kept, len(whole) - 1)]) is None


@pytest.mark.parametrize("size", [32, 255, 256, 131_072])
@pytest.mark.parametrize("durable", [True, False])
def test_proton_reads_our_messages(size: int, durable: bool) -> None:  # noqa: FBT001
    """Durability and body are what was asked for."""
    message = Message()
    message.decode(opening(size, durable=durable) + b"x" * size)
    assert (message.durable, bytes(message.body)) == (durable, b"x" * size)
