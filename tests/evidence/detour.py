"""A proxy that makes a broker slower by a known amount: each piece of data waits, or all of them now and then.

    python -m tests.evidence.detour PORT [--delay-us 30] [--stall-ms 300 --every-s 10]

It prints the port at which it listens on 127.0.0.1 and leads to PORT there; it ends with its standard input.
"""

import argparse
import ctypes
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_READ = 1 << 16
_PR_SET_TIMERSLACK = 29


class Stalls:
    """Moments at which nothing passes: for `stall_s` from each multiple of `every_s` on."""

    def __init__(self, stall_s: float, every_s: float) -> None:
        """Stall never where `stall_s` is 0."""
        self._stall_s, self._every_s = stall_s, every_s

    def left_s(self) -> float:
        """Return how much longer nothing passes."""
        return max(0.0, self._stall_s - time.monotonic() % self._every_s) if self._stall_s else 0.0


def carry(source: socket.socket, target: socket.socket, delay_s: float, stalls: Stalls) -> None:
    """Pass on what comes, one piece at a time, until the source ends."""
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    try:
        while data := source.recv(_READ):
            wait_s = max(delay_s, stalls.left_s())
            if wait_s:
                time.sleep(wait_s)
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        target.close()


def serve(listener: socket.socket, port: int, delay_s: float, stalls: Stalls) -> None:
    """Lead every connection to a port; the delay is on the way to it."""
    while True:
        near, _ = listener.accept()
        far = socket.create_connection(("127.0.0.1", port))
        for one in (near, far):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for source, target, wait_s in ((near, far, delay_s), (far, near, 0.0)):
            threading.Thread(target=carry, args=(source, target, wait_s, stalls), daemon=True).start()


@contextmanager
def detour(port: int, *flags: str) -> Iterator[int]:
    """Run the proxy before a port; yield its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.evidence.detour", str(port), *flags],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


def main() -> None:
    """Listen, say where, and serve until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--delay-us", type=float, default=0.0)
    parser.add_argument("--stall-ms", type=float, default=0.0)
    parser.add_argument("--every-s", type=float, default=10.0)
    given = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    stalls = Stalls(given.stall_ms / 1e3, given.every_s)
    threading.Thread(target=serve, args=(listener, given.port, given.delay_us / 1e6, stalls), daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
