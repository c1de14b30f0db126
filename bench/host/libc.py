"""System calls for compiled code: waiting, receiving, sending, the clock. Only where the compiler is on.

They are found by name in the C library of the process, with the signatures of their manual
pages; addresses are passed as numbers. A call that fails returns -1, and the caller leaves
it to Python to call again and say why.
"""

from typing import Any

from numba.core import types

_ADDRESS = types.uintp

ppoll: Any = types.ExternalFunction("ppoll", types.int32(_ADDRESS, types.uint64, _ADDRESS, _ADDRESS))
"""ppoll(2): descriptors, how many, struct timespec, signal mask (0 = as it is)."""

recv: Any = types.ExternalFunction("recv", types.int64(types.int32, _ADDRESS, types.uint64, types.int32))
"""recv(2): descriptor, buffer, its length, flags."""

recvmsg: Any = types.ExternalFunction("recvmsg", types.int64(types.int32, _ADDRESS, types.int32))
"""recvmsg(2): descriptor, struct msghdr, flags."""

send: Any = types.ExternalFunction("send", types.int64(types.int32, _ADDRESS, types.uint64, types.int32))
"""send(2): descriptor, octets, how many, flags."""

clock_gettime: Any = types.ExternalFunction("clock_gettime", types.int32(types.int32, _ADDRESS))
"""clock_gettime(2): clock, struct timespec."""

clock_nanosleep: Any = types.ExternalFunction(
    "clock_nanosleep", types.int32(types.int32, types.int32, _ADDRESS, _ADDRESS)
)
"""clock_nanosleep(2): clock, flags, struct timespec, where to write what was left (0 = nowhere)."""

CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_THREAD_CPUTIME_ID = 0, 1, 3
TIMER_ABSTIME = 1
MSG_DONTWAIT, MSG_NOSIGNAL = 0x40, 0x4000
POLLIN = 1
