"""Waiting for any number of sockets, to the microsecond."""

import select
from collections.abc import Sequence

from bench.units import NS_PER_S

READABLE = select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR
"""Events after which a read gives something, be it an end."""


class Selector:
    """Waits for any number of sockets, to the microsecond.

    The timeout of epoll_wait(2) is in whole milliseconds, and Python rounds up to them,
    which alone would make a paced sender 0.5 ms late. That of select(2) is in
    microseconds, but it takes no descriptor above 1,023. An epoll descriptor is itself
    readable when one of its sockets is ready (epoll(7)), so the wait is a select of it.
    """

    def __init__(self) -> None:
        """Watch nothing yet."""
        self._epoll = select.epoll()

    def watch(self, descriptor: int, *, writable: bool = False) -> None:
        """Watch a descriptor from now on."""
        self._epoll.register(descriptor, select.EPOLLIN | (select.EPOLLOUT if writable else 0))

    def change(self, descriptor: int, *, writable: bool) -> None:
        """Watch, or watch no longer, whether a watched descriptor takes bytes."""
        self._epoll.modify(descriptor, select.EPOLLIN | (select.EPOLLOUT if writable else 0))

    def forget(self, descriptor: int) -> None:
        """Watch a descriptor no longer."""
        self._epoll.unregister(descriptor)

    def wait(self, timeout_ns: int) -> Sequence[tuple[int, int]]:
        """Return (descriptor, event mask) of what is ready, at the latest after `timeout_ns`."""
        if timeout_ns > 0 and not select.select((self._epoll,), (), (), timeout_ns / NS_PER_S)[0]:
            return ()
        return self._epoll.poll(0)

    def close(self) -> None:
        """Release the descriptor."""
        self._epoll.close()
