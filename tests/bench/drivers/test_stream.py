"""Plain and TLS sockets behave alike: what would block, what was closed, what broke, what hides."""

import socket
from collections.abc import Iterator

import pytest

from bench.drivers.stream import Stream


@pytest.fixture
def plain() -> Iterator[tuple[Stream, socket.socket]]:
    """A stream that does not block and the other end, which does."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield Stream(ours), theirs


def test_a_plain_stream_says_what_a_socket_does(plain: tuple[Stream, socket.socket]) -> None:
    """None where nothing has come, bytes as they come, 0 at the end; nothing hides."""
    stream, other = plain
    buffer = memoryview(bytearray(8))
    assert stream.recv_into(buffer) is None
    other.sendall(b"hello")
    assert stream.recv_into(buffer) == 5
    assert bytes(buffer[:5]) == b"hello"
    assert stream.send(memoryview(b"back")) == 4
    assert other.recv(8) == b"back"
    assert not stream.pending()
    other.close()
    assert stream.recv_into(buffer) == 0


def test_a_full_plain_socket_takes_nothing(plain: tuple[Stream, socket.socket]) -> None:
    """0 is would block, and no error."""
    stream, _ = plain
    block = memoryview(bytes(1 << 20))
    while stream.send(block):
        pass
    assert stream.send(block) == 0


def test_an_error_reads_without_its_number(plain: tuple[Stream, socket.socket]) -> None:
    """Its kind stays."""
    stream, other = plain
    other.close()
    with pytest.raises(BrokenPipeError, match=r"^Broken pipe$"):
        stream.send(memoryview(b"x"))
