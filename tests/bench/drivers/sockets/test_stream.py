"""Plain and TLS sockets behave alike: what would block, what was closed, what broke, what hides."""

import select
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.drivers.sockets.connection import connect
from bench.drivers.sockets.stream import Stream
from brokers.tls import TlsError
from tests.tls_server import tls_server


@pytest.fixture
def plain() -> Iterator[tuple[Stream, socket.socket]]:
    """A stream that does not block and the other end, which does."""
    ours, theirs = socket.socketpair()
    ours.settimeout(0)
    with ours, theirs:
        yield Stream(ours), theirs


@pytest.fixture
def secure(certified: Path) -> Iterator[tuple[Stream, ssl.SSLSocket]]:
    """The same with TLS."""
    with tls_server(certified) as server:
        stream = Stream(connect(server.endpoint))
        yield stream, server.client()
        stream.close()


@pytest.fixture(params=["plain", "secure"])
def pair(request: pytest.FixtureRequest) -> tuple[Stream, socket.socket]:
    """Either."""
    found: tuple[Stream, socket.socket] = request.getfixturevalue(request.param)
    return found


def readable(stream: Stream) -> bool:
    """Return whether the socket has bytes, waiting for them for at most 1 s."""
    return bool(select.select([stream], [], [], 1)[0])


def read(stream: Stream, size: int) -> bytes:
    """Read as a loop over a selector does: again while something hides, else when the socket is readable."""
    data, buffer = b"", memoryview(bytearray(size))
    while stream.pending() or readable(stream):
        got = stream.recv_into(buffer)
        if got == 0:
            break
        data += bytes(buffer[: got or 0])
    return data


def test_bytes_come_and_go_and_end(pair: tuple[Stream, socket.socket]) -> None:
    """None where nothing has come, bytes as they come, 0 at the end and ever after."""
    stream, other = pair
    buffer = memoryview(bytearray(8))
    assert stream.recv_into(buffer) is None
    assert not stream.pending()
    other.sendall(b"hello")
    assert readable(stream)
    while (got := stream.recv_into(buffer)) is None:  # tickets of TLS 1.3 come first
        assert readable(stream)
    assert bytes(buffer[:got]) == b"hello"
    assert stream.send(memoryview(b"back")) == 4
    assert other.recv(8) == b"back"
    other.close()
    assert readable(stream)
    assert [stream.recv_into(buffer), stream.recv_into(buffer)] == [0, 0]


def test_a_full_socket_takes_nothing_and_the_rest_later(pair: tuple[Stream, socket.socket]) -> None:
    """0 is would block; what is sent again from where it stopped arrives whole and once."""
    stream, other = pair
    message = bytes(range(256)) * 40_000
    heard = bytearray()

    def listen() -> None:
        while len(heard) < len(message):
            heard.extend(other.recv(1 << 20))

    rest = memoryview(message)
    while sent := stream.send(rest):
        rest = rest[sent:]
    assert 0 < len(rest) < len(message)
    assert stream.send(rest) == 0
    listener = threading.Thread(target=listen)
    listener.start()
    while rest:
        select.select([], [stream], [], 1)
        rest = rest[stream.send(rest) :]
    listener.join(5)
    assert bytes(heard) == message


@pytest.mark.parametrize("size", [1, 100, 4_096, 100_000])
def test_nothing_hides_from_one_who_asks(secure: tuple[Stream, ssl.SSLSocket], size: int) -> None:
    """Records longer and shorter than the buffer are read to the last byte, and so is the end behind them."""
    stream, other = secure
    message = bytes(range(250)) * 20
    for _ in range(3):
        other.sendall(message)
        other.sendall(b"x")
    other.close()
    assert read(stream, size) == (message + b"x") * 3


def test_many_records_fill_one_buffer(secure: tuple[Stream, ssl.SSLSocket]) -> None:
    """A broker that makes a record of each frame costs no turn of the loop each."""
    stream, other = secure
    for _ in range(50):
        other.sendall(b"frame")
    buffer = memoryview(bytearray(1_000))
    got = reads = 0
    while got < 250:
        assert readable(stream)
        got += stream.recv_into(buffer[got:]) or 0
        reads += 1
    assert bytes(buffer[:got]) == b"frame" * 50
    assert reads < 10


def test_an_alert_is_told_in_words(certified: Path) -> None:
    """In TLS 1.3 the want of a certificate comes after the handshake."""
    with tls_server(certified, asks=True) as server:
        stream = Stream(connect(server.endpoint))
        with pytest.raises(TlsError, match=r"^TLS: tlsv13 alert certificate required$"):
            read(stream, 10)
        stream.close()


def test_bytes_before_a_fault_are_given_first(secure: tuple[Stream, ssl.SSLSocket]) -> None:
    """The fault is kept for the next read, and a selector need not tell of it."""
    stream, other = secure
    other.sendall(b"last words")
    with socket.socket(fileno=other.detach()) as bare:
        bare.sendall(b"no record of TLS at all")
        buffer = memoryview(bytearray(100))
        assert readable(stream)
        got = None
        while got is None:
            got = stream.recv_into(buffer)
        assert bytes(buffer[:got]) == b"last words"
        with pytest.raises(TlsError, match=r"^TLS: "):
            read(stream, 100)


def test_an_error_reads_without_its_number(plain: tuple[Stream, socket.socket]) -> None:
    """Its kind stays."""
    stream, other = plain
    other.close()
    with pytest.raises(BrokenPipeError, match=r"^Broken pipe$"):
        stream.send(memoryview(b"x"))
