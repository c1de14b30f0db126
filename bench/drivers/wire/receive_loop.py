"""Receiving without Python: wait, read, stamp, scan, acknowledge, until there is something only Python can do.

One connection over plain TCP is served so, by a loop that each protocol makes of the two parts
here, as its own scan stands between them. A message costs its share of two system calls
and of a scan; when it came is noted with each read (`kernel_timestamps`), so that
rows may be gathered for milliseconds before anyone looks at them, and are none the worse.
"""

from enum import IntEnum
from typing import NamedTuple

import numba
import numpy as np

from bench.drivers.wire.kernel_timestamps import LAST_READ_NS, WANTED, Timestamps, clock_ns, read_octets
from bench.host import libc
from bench.jit import kernel_aside, kernel_entry
from bench.wire.cursor import OUT, READ_NS, TAKEN, Scanned
from bench.wire.octets import Int64, Octets

COMPILED = not getattr(numba.config, "DISABLE_JIT", 0)
"""Whether this can be used at all."""

_NS_PER_S = 1_000_000_000
ROWS_KEPT_FREE = 2_048
"""With fewer free rows than this no more is read."""

STATE_WIDTH = 15
DESCRIPTOR, WAKE, UNTIL, GATHER, COALESCE, STEP, WINDOW = range(7)
"""Cells of a loop's state that say what is asked for: the connected socket, which does not block; a
descriptor that ends the wait, or -1; when to return, monotonic ns; how long to go on after the first
octets, 0 = return at the first news. For pacing: the shortest time between two writes, ns, unless messages
are left over, or below 0, which is as 0, and where there is no room waits for it instead of returning; the
messages that go out in one write at most; those that a lane may have unconfirmed, 0 = none is awaited."""
RECEIVED, SENT, AT, END, STATUS, UNSENT_FROM, UNSENT_TO, COUNT = range(7, STATE_WIDTH)
"""Cells that say what came of it: octets received and sent; where the unfinished rest lies in the inbox; the
scan's status; which octets that were written the socket did not take; messages that were sent."""

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


class Loop(NamedTuple):
    """What a loop works with, beside the tables of its codec.

    Attributes:
        inbox: uint8, what is read; an unfinished rest lies in state[AT]..state[END].
        state: int64 (STATE_WIDTH,), the cells named above.
        times: int64 (2,), scratch: a struct timespec.
        polls: int64 (2,), scratch: two struct pollfd.
        received: int64, when octets were read and came; see `kernel_timestamps`.
        message: int64, scratch; see `kernel_timestamps.Timestamps`.
    """

    inbox: Octets
    state: Int64
    times: Int64
    polls: Int64
    received: Int64
    message: Int64


@kernel_aside
def begin(loop: Loop) -> None:
    """Make ready."""
    state, polls = loop.state, loop.polls
    state[RECEIVED] = state[SENT] = state[STATUS] = 0
    # struct pollfd: a descriptor of 32 bits, the events asked for, those returned.
    polls[0] = (libc.POLLIN << 32) | (state[DESCRIPTOR] & 0xFFFF_FFFF)
    polls[1] = (libc.POLLIN << 32) | (state[WAKE] & 0xFFFF_FFFF)


@kernel_aside
def read_more(loop: Loop, found: Scanned) -> int:
    """Wait, and read behind state[END]; return GO_ON or a `Stop`."""
    state, times, polls = loop.state, loop.times, loop.polls
    wake, end = state[WAKE], state[END]
    left_ns = state[UNTIL] - now_ns(times)
    if left_ns <= 0 and state[RECEIVED]:  # what makes no rows, such as heartbeats, may come without end
        return _TIME
    left_ns = max(0, left_ns)
    times[0], times[1] = left_ns // _NS_PER_S, left_ns % _NS_PER_S
    polls[0] &= 0xFFFF_FFFF_FFFF
    polls[1] &= 0xFFFF_FFFF_FFFF
    count = np.uint64(2 if wake >= 0 else 1)
    if libc.ppoll(polls.ctypes.data, count, times.ctypes.data, np.uint64(0)) <= 0:
        return _TIME
    if wake >= 0 and polls[1] >> 48:
        return _WOKEN
    got = _read(loop, end, len(loop.inbox) - end)
    return _came(loop, found, got) if got > 0 else _SOCKET


@kernel_aside
def _came(loop: Loop, found: Scanned, got: int) -> int:
    """Note that so many octets were read; return GO_ON."""
    state = loop.state
    found.cursor[READ_NS] = loop.received[LAST_READ_NS]
    if state[RECEIVED] == 0:
        state[UNTIL] = min(state[UNTIL], loop.received[LAST_READ_NS] + state[GATHER])
    state[RECEIVED] += got
    state[END] += got
    return GO_ON


@kernel_aside
def await_confirms(loop: Loop, found: Scanned, awaited: int) -> int:
    """As `read_more`, for a producer that awaits so many confirms: at most one need not wake it.

    One that comes alone has its exact time from the kernel, however late it is read. (Should a heartbeat or credit
    follow it before that, it has the time of those.) So a producer that keeps a schedule sleeps until its next
    message is due, and only then looks.
    """
    if awaited > 1 or loop.state[COALESCE] < 0 or not loop.received[WANTED]:
        return read_more(loop, found)
    times, left_ns = loop.times, loop.state[UNTIL] - now_ns(loop.times)
    if left_ns > 0:
        times[0], times[1] = left_ns // _NS_PER_S, left_ns % _NS_PER_S
        libc.ppoll(loop.polls.ctypes.data, np.uint64(0), times.ctypes.data, np.uint64(0))
    got = _read(loop, loop.state[END], len(loop.inbox) - loop.state[END])
    if got > 0:
        return _came(loop, found, got)
    # 0 is the end of the stream; an error is told by the send that follows.
    return _SOCKET if got == 0 else _TIME


@kernel_aside
def _read(loop: Loop, start: int, room: int) -> int:
    front = loop.inbox.ctypes.data + np.uint64(start)
    stamps = Timestamps(loop.received, loop.message, loop.times)
    return read_octets(front, loop.state[DESCRIPTOR], np.uint64(room), stamps)


@kernel_entry
def read_once(loop: Loop, start: int, room: int) -> int:
    """Read at most `room` octets into the inbox from `start` on, without waiting; return as recv(2) does."""
    return _read(Loop(*loop), start, room)


@kernel_aside
def settle_up(loop: Loop, found: Scanned, status: int) -> int:
    """After a scan: keep the rest, send what it wrote; return GO_ON or a `Stop`."""
    inbox, state, cursor = loop.inbox, loop.state, found.cursor
    at, length = cursor[TAKEN], cursor[OUT]
    cursor[OUT] = 0
    state[STATUS], state[AT] = status, at
    if status == 0:
        rest = state[END] - at
        for i in range(rest):
            inbox[np.uint64(i)] = inbox[np.uint64(at + i)]
        state[AT], state[END] = 0, rest
    if length and send_all(loop, found.out, length) != GO_ON:
        return _UNSENT
    if status != 0:
        return _SCAN
    if cursor[0] + cursor[1] >= found.rows.shape[1] - ROWS_KEPT_FREE:
        return _ROWS
    has_news = cursor[0] + cursor[1] + cursor[2] > 0
    return _TIME if state[GATHER] == 0 and has_news else GO_ON


@kernel_aside
def send_all(loop: Loop, out: Octets, length: int) -> int:
    """Send the front of a buffer; return GO_ON, or UNSENT where the socket did not take all of it."""
    state, flags = loop.state, libc.MSG_DONTWAIT | libc.MSG_NOSIGNAL
    sent = max(0, libc.send(state[DESCRIPTOR], out.ctypes.data, np.uint64(length), flags))
    state[SENT] += sent
    if sent < length:
        state[UNSENT_FROM], state[UNSENT_TO] = sent, length
        return _UNSENT
    return GO_ON


@kernel_aside
def now_ns(times: Int64) -> int:
    """Return the time of CLOCK_MONOTONIC."""
    return clock_ns(libc.CLOCK_MONOTONIC, times)
