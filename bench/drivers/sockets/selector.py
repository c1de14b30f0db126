"""Waiting for any number of sockets, to the microsecond."""

import select
from collections.abc import Sequence

from bench.units import NS_PER_S

READABLE = select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR
"""Events after which a read gives something, perhaps the end of the stream."""

_FEW = 4
_SELECT_MOST = 1_024  # descriptors that select(2) takes


class Selector:
    """Waits for any number of sockets, to the microsecond.

    The timeout of epoll_wait(2) is in whole milliseconds, and Python rounds up to them,
    which alone would make a paced sender 0.5 ms late. That of select(2) is in
    microseconds, but it takes no descriptor above 1,023, and is slow with many. So a few
    sockets are selected from directly. For many, an epoll descriptor is itself readable
    when one of its sockets is ready (epoll(7)), and the wait is a select of it.
    """

    def __init__(self) -> None:
        """Watch nothing yet."""
        self._epoll = select.epoll()
        self._watched: dict[int, bool] = {}
        self._few: tuple[int, ...] | None = ()

    def watch(self, descriptor: int, *, writable: bool = False) -> None:
        """Watch a descriptor from now on."""
        self._epoll.register(descriptor, select.EPOLLIN | (select.EPOLLOUT if writable else 0))
        self._note(descriptor, writable=writable)

    def change(self, descriptor: int, *, writable: bool) -> None:
        """Watch, or watch no longer, whether a watched descriptor takes bytes."""
        self._epoll.modify(descriptor, select.EPOLLIN | (select.EPOLLOUT if writable else 0))
        self._note(descriptor, writable=writable)

    def forget(self, descriptor: int) -> None:
        """Watch a descriptor no longer."""
        self._epoll.unregister(descriptor)
        self._note(descriptor, writable=None)

    def wait(self, timeout_ns: int) -> Sequence[tuple[int, int]]:
        """Return (descriptor, event mask) of what is ready, at the latest after `timeout_ns`."""
        timeout_s = timeout_ns / NS_PER_S if timeout_ns > 0 else 0.0
        if self._few is not None:
            return [(descriptor, select.EPOLLIN) for descriptor in select.select(self._few, (), (), timeout_s)[0]]
        if timeout_s and not select.select((self._epoll,), (), (), timeout_s)[0]:
            return ()
        return self._epoll.poll(0)

    def close(self) -> None:
        """Release the descriptor."""
        self._epoll.close()

    def _note(self, descriptor: int, *, writable: bool | None) -> None:
        """Keep the few that select(2) alone can serve; None where there are more, or one wants to write."""
        if writable is None:
            self._watched.pop(descriptor, None)
        else:
            self._watched[descriptor] = writable
        few = len(self._watched) <= _FEW and not any(self._watched.values())
        self._few = tuple(self._watched) if few and max(self._watched, default=0) < _SELECT_MOST else None
