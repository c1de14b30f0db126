"""pika is fed whole frames, whatever pieces the socket gives."""

import pika
import pytest
from pika.frame import Heartbeat

from bench.drivers.pika.codec_connection import PikaConnection
from bench.drivers.pika.parameters import parameters
from bench.drivers.sockets.timers import Timers
from bench.host.clock import RealClock
from brokers.endpoint import Endpoint
from brokers.frame091 import frame_length

START = pika.frame.Method(
    0,
    pika.spec.Connection.Start(server_properties={"product": "test"}, mechanisms="PLAIN AMQPLAIN", locales="en_US"),
).marshal()


def connection() -> tuple[PikaConnection, list[BaseException]]:
    """Return a connection at the beginning of its handshake, and where its end is told."""
    ended = list[BaseException]()
    endpoint = Endpoint("amqp091", "127.0.0.1", 5672, "/", None, "guest", "secret")
    made = PikaConnection(parameters(endpoint, "test"), RealClock(), Timers(), print, ended.append, lambda: None)
    return made, ended


def test_a_frames_length_comes_from_its_header() -> None:
    """Seven bytes of header, the payload, one end octet; nothing before the header is whole."""
    frame = Heartbeat().marshal()
    assert [frame_length(frame[:n], 0) for n in range(8)] == [None] * 7 + [8]
    assert frame_length(b"xx" + START, 2) == len(START)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request", b"\x00" * 8, b"AMQP\x00\x00\x08\x00"])
def test_other_protocols_are_named(answer: bytes) -> None:
    """The error quotes what came."""
    with pytest.raises(ValueError, match=r"does not speak AMQP 0-9-1: it answered b'") as caught:
        frame_length(answer, 0)
    assert repr(answer[:4])[2:-1] in str(caught.value)


@pytest.mark.parametrize("piece", [1, 3, 7, 8, 1_000])
def test_frames_in_pieces_are_put_together(piece: int) -> None:
    """Byte by byte or all at once, pika answers connection.start with the same start-ok."""
    made, ended = connection()
    assert bytes(made.output) == b"AMQP\x00\x00\x09\x01"
    made.output.clear()
    for at in range(0, len(START), piece):
        made.feed(START[at : at + piece])
        assert made.missing == (len(START) - at - piece if 7 <= at + piece < len(START) else 0)
    assert b"\x00guest\x00secret" in made.output
    assert ended == []


def test_a_close_from_the_broker_ends_it_with_its_reason() -> None:
    """Code and text reach whoever waits."""
    made, ended = connection()
    made.feed(START)
    made.feed(pika.frame.Method(0, pika.spec.Connection.Close(403, "ACCESS_REFUSED", 0, 0)).marshal())
    assert [(e.reply_code, e.reply_text) for e in ended] == [(403, "ACCESS_REFUSED")]
