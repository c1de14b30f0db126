"""When octets came: the time at which the kernel got them, on the monotonic clock.

A read tells when a process was next given a CPU; the kernel knows when the octets came. With
SO_TIMESTAMPNS (socket(7)) recvmsg(2) hands over the time of the last segment that it read from. What waits
unread in a socket is put together, and keeps the time of the last of it (Linux: tcp_try_coalesce). So a time is exact
for what came alone, an upper bound for what waited together, and never later than the read. Read less that
time is the *receive lag*: lateness of ours, not of the broker.

Two limits. Of messages that waited together the lag is that of the last, so that it is a lower bound there, and their
response an upper one. And a peer may have only so many segments unacknowledged (some ten on a new connection): our
kernel puts off acknowledging what nobody reads, by up to 40 ms, so that beyond those a reader that is late by
milliseconds keeps the peer from sending at all, and the response holds that.

The kernel tells CLOCK_REALTIME; everything else here is CLOCK_MONOTONIC. The two run alike, and their difference
stays the same to the nanosecond until somebody sets the clock. So it is measured at each read: a reading of the real
clock between two of the monotonic one says that the difference lies within so much. Where that agrees with all that
was measured before, the bounds only become closer. Where it cannot, the clock was set: the bounds begin anew,
and what this read gave has no time of the kernel's, as that may be of before or after.

What has no such time counts as received when it was read, and has no receive lag: TLS, as a record is no segment; a
socket that refuses the option; a kernel that tells nothing.
"""

import socket
from typing import NamedTuple

import numpy as np

from bench.drivers.sockets.stream import SO_TIMESTAMPNS
from bench.host import libc
from bench.jit import kernel_aside
from bench.wire.octets import Int64

_NS_PER_S = 1_000_000_000
_SLACK_NS = 2
"""Both clocks are told in whole ns."""
_FAR_NS = 1 << 62


WANTED, LOW_NS, HIGH_NS, CLOCK_SET, LAST_RECEIVED_NS, LAST_READ_NS = range(6)
"""Cells: whether the socket tells times of the kernel's; the least and the most that real less monotonic time can be;
how often the real clock was set; when the octets of the last read came, or, where the kernel did not tell, were read;
and when they were read, monotonic ns."""

_VECTOR_AT, _CONTROL_AT, _VECTOR, _CONTROL = 2, 4, 7, 9
"""Cells of a message: in a struct msghdr where the vector is, and the control messages; then a struct iovec, and a
struct cmsghdr with a struct timespec."""
_CONTROL_BYTES = 64
_TIMESTAMP_BYTES = 32
_KIND = (SO_TIMESTAMPNS << 32) | socket.SOL_SOCKET
"""Level and type of a control message that tells a time."""


class Timestamps(NamedTuple):
    """What reading with a time works with.

    Attributes:
        cells: int64 (6,), named above.
        message: int64 (17,), scratch: what recvmsg(2) is handed.
        clock: int64 (2,), scratch: a struct timespec.
    """

    cells: Int64
    message: Int64
    clock: Int64


def make_timestamps() -> Timestamps:
    """Return timestamps of a port that knows nothing yet, and wants none."""
    stamps = Timestamps(np.zeros(6, np.int64), np.zeros(_CONTROL + 8, np.int64), np.zeros(2, np.int64))
    stamps.cells[[LOW_NS, HIGH_NS]] = -_FAR_NS, _FAR_NS
    return stamps


@kernel_aside
def read_octets(address: np.uint64, descriptor: int, room: np.uint64, stamps: Timestamps) -> int:
    """Read from a socket without waiting, and note when that was and when it came; return as recv(2) does."""
    cells, message, clock = stamps.cells, stamps.message, stamps.clock
    if not cells[WANTED]:
        got = libc.recv(descriptor, address, room, libc.MSG_DONTWAIT)
        if got > 0:
            cells[LAST_RECEIVED_NS] = cells[LAST_READ_NS] = clock_ns(libc.CLOCK_MONOTONIC, clock)
        return int(got)
    at = message.ctypes.data
    message[_VECTOR_AT], message[_VECTOR_AT + 1] = at + np.uint64(8 * _VECTOR), 1
    message[_CONTROL_AT], message[_CONTROL_AT + 1] = at + np.uint64(8 * _CONTROL), _CONTROL_BYTES
    message[_VECTOR], message[_VECTOR + 1] = address, room
    got = libc.recvmsg(descriptor, at, libc.MSG_DONTWAIT)
    if got <= 0:
        return int(got)
    read_ns = clock_ns(libc.CLOCK_MONOTONIC, clock)
    real_ns = clock_ns(libc.CLOCK_REALTIME, clock)
    same = bracket(cells, read_ns, real_ns, clock_ns(libc.CLOCK_MONOTONIC, clock))
    told = message[_CONTROL_AT + 1] >= _TIMESTAMP_BYTES and message[_CONTROL + 1] == _KIND
    kernel_ns = message[_CONTROL + 2] * _NS_PER_S + message[_CONTROL + 3]
    cells[LAST_READ_NS] = read_ns
    cells[LAST_RECEIVED_NS] = on_monotonic(cells, kernel_ns, read_ns) if same and told else read_ns
    return int(got)


@kernel_aside
def bracket(cells: Int64, before_ns: int, real_ns: int, after_ns: int) -> bool:
    """Take a reading of the real clock between two of the monotonic one; return whether nobody set the clock."""
    low_ns, high_ns = real_ns - after_ns, real_ns - before_ns
    if low_ns > cells[HIGH_NS] + _SLACK_NS or high_ns < cells[LOW_NS] - _SLACK_NS:
        cells[LOW_NS], cells[HIGH_NS] = low_ns, high_ns
        cells[CLOCK_SET] += 1
        return False
    cells[LOW_NS], cells[HIGH_NS] = max(cells[LOW_NS], low_ns), min(cells[HIGH_NS], high_ns)
    return True


@kernel_aside
def on_monotonic(cells: Int64, kernel_ns: int, read_ns: int) -> int:
    """Return a real time of the kernel's on the monotonic clock; that of the read, where it would be later."""
    return int(min(kernel_ns - (cells[LOW_NS] + cells[HIGH_NS]) // 2, read_ns))


@kernel_aside
def clock_ns(clock: int, times: Int64) -> int:
    """Return the time of a clock."""
    libc.clock_gettime(clock, times.ctypes.data)
    return int(times[0] * _NS_PER_S + times[1])
