"""What a port answers is looked at in bounded time, and told where it is not what was asked for."""

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from brokers.admin import handshake
from brokers.admin.base import Address
from brokers.admin.handshake import HEADER_091, SASL_HEADER, answers, stranger
from brokers.endpoint import Protocol


@contextmanager
def port(says: bytes, pause_s: float = 0.0) -> Iterator[Address]:
    """Yield a port that says something to all who come, octet by octet where it pauses, and then waits."""
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client, suppress(OSError):
                    for octet in says if pause_s else ():
                        client.sendall(bytes((octet,)))
                        if over.wait(pause_s):
                            return
                    if not pause_s:
                        client.sendall(says)
                    over.wait(0.5)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield Address("127.0.0.1", listener.getsockname()[1], "/", "", "")
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


@pytest.mark.parametrize(
    ("protocol", "says", "words"),
    [
        ("amqp091", b"HTTP/1.1 400 Bad\x1b[31m", r"something else is spoken there: it answered b'HTTP/1.1 400 Bad'"),
        ("amqp091", b"AMQP\x00\x00\x0a\x02", r"another version of AMQP is spoken .* b'AMQP\\x00\\x00\\n\\x02'"),
        ("amqp10", HEADER_091, r"another version of AMQP is spoken there: it answered b'AMQP"),
        ("amqp10", b"\x1b[31mSSH", r"something else is spoken there: it answered b'\\x1b\[31mSSH'"),
    ],
)
def test_something_else_is_quoted(protocol: Protocol, says: bytes, words: str) -> None:
    """Its first octets, escaped."""
    with port(says) as at:
        found = stranger(protocol, at)
        assert not answers(protocol, at)
    assert re.match(words, found), found


@pytest.mark.parametrize(("protocol", "says"), [("amqp091", b"\x01\x00\x00\x00\x00"), ("amqp10", SASL_HEADER)])
def test_a_broker_is_no_stranger(protocol: Protocol, says: bytes) -> None:
    """Nor is one that has not said all of it yet."""
    with port(says) as at:
        assert answers(protocol, at)
        assert stranger(protocol, at) == ""
    with port(says[:2]) as at:
        assert stranger(protocol, at) == ""


def test_octets_that_come_one_by_one_are_not_awaited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience is with all of them together."""
    monkeypatch.setattr(handshake, "CONNECT_TIMEOUT_S", 0.4)
    with port(SASL_HEADER, pause_s=0.3) as at:
        begun = time.monotonic()
        assert not answers("amqp10", at)
        assert time.monotonic() - begun < 2
