"""Making a worker punctual: what the kernel and the interpreter are asked for, all of it optional.

A load generator that shares CPUs with its broker is late whenever the scheduler prefers
the broker, or the interpreter stops to collect garbage. No privilege is used: a higher
priority would starve the very broker that is measured.
"""

import ctypes
import gc
import os
import platform
import struct

_PR_SET_TIMERSLACK = 29
_SLICE_NS = 100_000  # the shortest that the kernel grants
_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
_SCHED_ATTR = struct.Struct("IIQiIQQQII")  # size, policy, flags, nice, priority, runtime, …: see sched_setattr(2)


def be_realtime() -> None:
    """Ask for sleeps that end on time, for being picked soon after waking, and for short collections.

    Timer slack of 1 ns instead of 50 µs: prctl(2), PR_SET_TIMERSLACK. A scheduler slice of
    0.1 ms: since Linux 6.12 `sched_runtime` of a normal task, which wins it an earlier
    deadline; older kernels ignore it. What is imported by now is left out of collections.
    """
    libc = ctypes.CDLL(None)
    prctl = getattr(libc, "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    number = _SCHED_SETATTR.get(platform.machine())
    if number is not None:
        nice = os.getpriority(os.PRIO_PROCESS, 0)
        attributes = _SCHED_ATTR.pack(_SCHED_ATTR.size, 0, 0, nice, 0, _SLICE_NS, 0, 0, 0, 0)
        libc.syscall(number, 0, ctypes.create_string_buffer(attributes), 0)
    gc.collect()
    gc.freeze()
