"""The relay: a broker that does no work, for whole trials that use its address.

Run as `python -m bench.ceiling.relay [--port PORT]`; it prints its port. It speaks AMQP 0-9-1
and 1.0 on that port, told apart by the protocol header, to clients of any name and password,
on any virtual host. What is published to a queue is delivered to a consumer of that queue, in
order and octet for octet, and forgotten as it is delivered:

- Queues and messages live in memory; flags and arguments of a declaration are ignored.
- A consumer is delivered what its prefetch or credit allows beyond what it has acknowledged.
  Nothing is delivered twice: what is refused, or unacknowledged when a consumer ends, is lost.
- A message is confirmed or accepted when it is in its queue.
- Messages that are ready take `--memory` MiB at most, beside what one read of each connection
  brings (256 KiB). From there on no connection that has published is read, so that publishers
  are held back by TCP, until half of it is left. A client that publishes and consumes on one
  connection cannot acknowledge meanwhile, as at any broker that holds publishers back so.

It ends when its standard input does, where that is a pipe or a terminal, or on a signal.
"""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

from bench.ceiling.relay091 import Relay091
from bench.ceiling.relay091_frames import HEADER as HEADER091
from bench.ceiling.relay10 import HEADER as HEADER10
from bench.ceiling.relay10 import SASL_HEADER, Relay10
from bench.ceiling.relay_queues import RelayStore
from bench.host.rlimit import allow_most

_BACKLOG = 4_096
_MIB = 1 << 20
_ENDS: dict[bytes, type[Relay091] | type[Relay10]] = {HEADER091: Relay091, HEADER10: Relay10, SASL_HEADER: Relay10}
"""By protocol header."""


class Arrival(asyncio.Protocol):
    """A client whose protocol is not known yet."""

    def __init__(self, store: RelayStore, product: str) -> None:
        """Wait for its protocol header."""
        self._store, self._product = store, product
        self._transport: asyncio.Transport | None = None
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  (for the type checker)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Hand it over to its protocol's end, or name one and hang up (AMQP 0-9-1 specification, 4.2.2)."""
        assert self._transport is not None  # noqa: S101  (for the type checker)
        self._data += data
        header = self._data[: len(HEADER091)]
        if len(header) < len(HEADER091):
            return
        if header not in _ENDS:
            self._transport.write(HEADER091)
            self._transport.close()
            return
        end = _ENDS[header](self._store, self._transport, self._product)
        self._transport.set_protocol(end)
        end.data_received(self._data)


async def serve(port: int, store: RelayStore, product: str) -> None:
    """Listen on 127.0.0.1, print the port, serve until told to end.

    Args:
        port: 0 = a free one.
        store: of the queues.
        product: how the relay names itself.

    Raises:
        OSError: the port cannot be had.
    """
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    server = await loop.create_server(lambda: Arrival(store, product), "127.0.0.1", port, backlog=_BACKLOG)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    with suppress(PermissionError):  # a file or /dev/null has no end to wait for
        loop.add_reader(sys.stdin.fileno(), ended.set)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await ended.wait()


def main(words: Sequence[str] | None = None) -> None:
    """Serve by what the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.ceiling.relay", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--port", type=int, default=0, help="port of 127.0.0.1; by default a free one")
    parser.add_argument("--memory", type=int, default=64, help="MiB of messages that are ready, at most (64)")
    parser.add_argument("--product", default="busbench relay", help="how it names itself to clients")
    given = parser.parse_args(words)
    allow_most()
    try:
        asyncio.run(serve(given.port, RelayStore(given.memory * _MIB), given.product))
    except OSError as error:
        parser.exit(1, f"--port {given.port} cannot be had ({os.strerror(error.errno or 0)}): name another\n")


if __name__ == "__main__":
    main()
