"""Messages in AMQP 0-9-1 streams, written by pika's codec."""

import pytest
from pika import frame, spec

from bench.crosscheck.frames091 import DELIVER, PUBLISH, messages


def published(body: bytes, channel: int = 1, cut: int = 1_000) -> list[bytes]:
    """Return the frames of a basic.publish, its body in frames of `cut` bytes."""
    properties = spec.BasicProperties(delivery_mode=2, headers={"a": 1})
    method: bytes = frame.Method(channel, spec.Basic.Publish(exchange="", routing_key="queue")).marshal()
    header: bytes = frame.Header(channel, len(body), properties).marshal()
    bodies = [frame.Body(channel, body[at : at + cut]).marshal() for at in range(0, len(body), cut)]
    return [method, header, *bodies]


def delivered(body: bytes) -> list[bytes]:
    """Return the frames of a basic.deliver."""
    method: bytes = frame.Method(1, spec.Basic.Deliver("tag", 1, exchange="", routing_key="queue")).marshal()
    return [method, *published(body)[1:]]


def bodies(data: bytes, method: tuple[int, int] = PUBLISH) -> list[bytes]:
    """Return the bodies of the messages in a stream."""
    return [body for body, _ in messages(data, method)]


def test_a_message_ends_with_its_last_frame() -> None:
    """Body and end offset, the body in one frame, in several, or empty."""
    parts = [b"".join(published(body, cut=4)) for body in (b"one", b"longer body", b"")]
    data = b"".join(parts)
    ends = [len(b"".join(parts[: n + 1])) for n in range(3)]
    assert list(messages(data, PUBLISH)) == list(zip([b"one", b"longer body", b""], ends, strict=True))


def test_only_the_method_asked_for_counts() -> None:
    """A delivery is no publish; other methods, confirms and heartbeats are nothing."""
    others = [frame.Method(1, spec.Basic.Ack(5)).marshal(), frame.Heartbeat().marshal()]
    data = b"".join([*others, *delivered(b"back"), *others, *published(b"out")])
    assert bodies(data, PUBLISH) == [b"out"]
    assert bodies(data, DELIVER) == [b"back"]


def test_channels_may_interleave() -> None:
    """Each channel has its own content under way."""
    first, second = published(b"first", 1, cut=2), published(b"second", 2, cut=3)
    data = b"".join([first[0], second[0], second[1], first[1], first[2], second[2], first[3], second[3], first[4]])
    assert bodies(data) == [b"second", b"first"]


@pytest.mark.parametrize("cut", [1, 6, 7, 20, 45, 60])
def test_a_stream_that_begins_in_the_middle(cut: int) -> None:
    """The rest of a message whose beginning was not seen is passed over, wherever it begins."""
    data = b"".join(b"".join(published(body)) for body in (b"x" * 40, b"two", b"three"))
    assert bodies(data[cut:]) == [b"two", b"three"]


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_a_stream_that_ends_in_the_middle(cut: int) -> None:
    """The message without an end is not there."""
    data = b"".join(b"".join(published(body)) for body in (b"one", b"two"))
    assert bodies(data[:-cut]) == [b"one"]


def test_the_protocol_header_is_passed_over() -> None:
    """A stream from its very beginning."""
    start = frame.ProtocolHeader().marshal()
    assert bodies(start + b"".join([*published(b"one"), *published(b"two")])) == [b"one", b"two"]


def test_nothing_is_found_in_nothing() -> None:
    """No bytes, and bytes of another protocol."""
    assert bodies(b"") == []
    assert bodies(b"GET / HTTP/1.1\r\n" * 20) == []
