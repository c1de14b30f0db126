"""When the kernel runs a worker: punctually, or without haste. No privilege is used.

A worker that keeps a schedule is late whenever the scheduler prefers the broker, or the interpreter stops to collect
garbage. `be_punctual` asks for what helps.

Who keeps no schedule, and knows from the kernel when octets came, loses nothing by being run a little later, and
costs less: a worker that is woken for each message takes the CPU from the broker that was about to write the next
one, and pays for a wake-up each. `be_unhurried` lets the broker finish. It is no lower priority: it gets
its full share of a busy CPU, only not at once, and of an idle one it gets all, at once. (SCHED_BATCH, sched(7):
its wake-ups never preempt.)

A real-time priority was tried as well, and is not used; docs/performance.md says why.
"""

import contextlib
import ctypes
import gc
import os
import platform
import struct

_PR_SET_TIMERSLACK = 29
_SLICE_NS = 100_000  # the shortest that the kernel grants
_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
_SCHED_ATTR = struct.Struct("IIQiIQQQII")  # size, policy, flags, nice, priority, runtime, …: see sched_setattr(2)


def be_punctual() -> None:
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
    _freeze()


def be_unhurried() -> None:
    """Ask not to be run before others have finished, and for short collections; see sched_setscheduler(2)."""
    # Some sandboxes allow no change of policy, and it is only a matter of cost.
    with contextlib.suppress(AttributeError, OSError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    _freeze()


def _freeze() -> None:
    gc.collect()
    gc.freeze()
