"""Receiving without Python: wait, read, stamp, scan, acknowledge, until there is something only Python can do.

One connection over plain TCP is served so, by a loop that each protocol makes of the two parts
here, as its own scan stands between them. A message costs its share of two system calls
and of a scan; when it was received is read from the clock right after each read, so that
rows may be gathered for milliseconds before anyone looks at them, and are none the worse.
"""

from enum import IntEnum

import numba
import numpy as np

from bench.drivers.wire import libc
from bench.kernels import kernel
from bench.wire.octets import Int64, Octets

COMPILED = not getattr(numba.config, "DISABLE_JIT", 0)
"""Whether this can be used at all."""

_NS_PER_S = 1_000_000_000
STATE_WIDTH = 10
RECEIVED, SENT, AT, END, STATUS, UNSENT_FROM, UNSENT_TO, NOW, UNTIL, COUNT = range(STATE_WIDTH)
"""Indices of `state`: octets received and sent; where the unfinished rest lies in the inbox; the
scan's status; which acknowledgements the socket did not take; when the last read was; when to return; messages
that were sent."""

GO_ON = -1
"""What the parts of a loop return where it goes on; else a `Stop`."""


class Stop(IntEnum):
    """Why a loop returned."""

    TIME = 0
    """It was time, or there was news and nobody wished to gather."""
    WOKEN = 1
    """The wake descriptor is readable."""
    SCAN = 2
    """The scan has a status that is not MORE: see `state[STATUS]`."""
    SOCKET = 3
    """A read gave nothing or failed: read again to learn why."""
    ROWS = 4
    """The rows are nearly full."""
    UNSENT = 5
    """The socket did not take all acknowledgements, or messages; the scan's status is in `state[STATUS]`."""
    NO_ROOM = 6
    """A message is due and the window is full."""


_TIME, _WOKEN, _SCAN = int(Stop.TIME), int(Stop.WOKEN), int(Stop.SCAN)
_SOCKET, _ROWS, _UNSENT = int(Stop.SOCKET), int(Stop.ROWS), int(Stop.UNSENT)


@kernel
def begin(descriptor: int, wake: int, until_ns: int, polls: Int64, state: Int64) -> None:
    """Make ready for a loop on a connected socket that does not block; `wake` ends a wait, -1 = there is none."""
    state[RECEIVED] = state[SENT] = state[STATUS] = 0
    state[UNTIL] = until_ns
    # struct pollfd: a descriptor of 32 bits, the events asked for, those returned.
    polls[0] = (libc.POLLIN << 32) | descriptor
    polls[1] = (libc.POLLIN << 32) | (wake & 0xFFFF_FFFF)


@kernel
def read_more(
    descriptor: int, wake: int, gather_ns: int, inbox: Octets, times: Int64, polls: Int64, state: Int64
) -> int:
    """Wait, and read behind state[END]; return GO_ON or a `Stop`.

    Args:
        descriptor: of the socket.
        wake: see `begin`.
        gather_ns: how long to go on after the first octets.
        inbox: uint8.
        times: int64 (2,), scratch: a struct timespec.
        polls: int64 (2,), scratch: two struct pollfd.
        state: int64 (STATE_WIDTH,).
    """
    left_ns = max(0, state[UNTIL] - now_ns(times))
    times[0], times[1] = left_ns // _NS_PER_S, left_ns % _NS_PER_S
    polls[0] &= 0xFFFF_FFFF_FFFF
    polls[1] &= 0xFFFF_FFFF_FFFF
    count = np.uint64(2 if wake >= 0 else 1)
    if libc.ppoll(polls.ctypes.data, count, times.ctypes.data, np.uint64(0)) <= 0:
        return _TIME
    if wake >= 0 and polls[1] >> 48:
        return _WOKEN
    end = state[END]
    got = libc.recv(descriptor, inbox.ctypes.data + np.uint64(end), np.uint64(len(inbox) - end), libc.MSG_DONTWAIT)
    if got <= 0:
        return _SOCKET
    state[NOW] = now_ns(times)
    if state[RECEIVED] == 0:
        state[UNTIL] = min(state[UNTIL], state[NOW] + gather_ns)
    state[RECEIVED] += got
    state[END] = end + got
    return GO_ON


@kernel
def settle_up(
    descriptor: int,
    status: int,
    at: int,
    length: int,
    cursor: Int64,
    enough: int,
    gather_ns: int,
    inbox: Octets,
    acks: Octets,
    state: Int64,
) -> int:
    """After a scan: keep the rest, send acknowledgements; return GO_ON or a `Stop`.

    Args:
        descriptor: of the socket.
        status: of the scan.
        at: where it stopped.
        length: octets of `acks` to send.
        cursor: int64; its first three entries count settlements, deliveries, foreign bodies.
        enough: rows after which to stop.
        gather_ns: 0 = stop at the first news.
        inbox: uint8.
        acks: uint8.
        state: int64 (STATE_WIDTH,).
    """
    state[STATUS], state[AT] = status, at
    if status == 0:
        rest = state[END] - at
        for i in range(rest):
            inbox[np.uint64(i)] = inbox[np.uint64(at + i)]
        state[AT], state[END] = 0, rest
    if length and send_all(descriptor, acks, length, state) != GO_ON:
        return _UNSENT
    if status != 0:
        return _SCAN
    if cursor[0] + cursor[1] >= enough:
        return _ROWS
    has_news = cursor[0] + cursor[1] + cursor[2] > 0
    return _TIME if gather_ns == 0 and has_news else GO_ON


@kernel
def send_all(descriptor: int, outbox: Octets, length: int, state: Int64) -> int:
    """Send the front of the outbox; return GO_ON, or UNSENT where the socket did not take all of it."""
    flags = libc.MSG_DONTWAIT | libc.MSG_NOSIGNAL
    sent = max(0, libc.send(descriptor, outbox.ctypes.data, np.uint64(length), flags))
    state[SENT] += sent
    if sent < length:
        state[UNSENT_FROM], state[UNSENT_TO] = sent, length
        return _UNSENT
    return GO_ON


@kernel
def now_ns(times: Int64) -> int:
    """Return the time of CLOCK_MONOTONIC."""
    libc.clock_gettime(libc.CLOCK_MONOTONIC, times.ctypes.data)
    return int(times[0] * _NS_PER_S + times[1])
