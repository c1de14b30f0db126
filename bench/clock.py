"""Now and sleep: the real clock and, for tests and the memory driver, a virtual one.

Times are integer nanoseconds of CLOCK_MONOTONIC, which is one clock for all processes of
a host.
"""

import ctypes
import time
from typing import Protocol

_PR_SET_TIMERSLACK = 29


class Clock(Protocol):
    """A source of time."""

    def now_ns(self) -> int:
        """Return monotonic nanoseconds."""

    def sleep_ns(self, ns: int) -> None:
        """Wait; return at once where `ns` is not positive."""


class RealClock:
    """CLOCK_MONOTONIC."""

    def now_ns(self) -> int:
        """Return monotonic nanoseconds."""
        return time.monotonic_ns()

    def sleep_ns(self, ns: int) -> None:
        """Wait; return at once where `ns` is not positive."""
        if ns > 0:
            time.sleep(ns / 1e9)


class VirtualClock:
    """Time that passes only when someone sleeps."""

    def __init__(self, start_ns: int = 0) -> None:
        """Start at `start_ns`."""
        self._now_ns = start_ns

    def now_ns(self) -> int:
        """Return virtual nanoseconds."""
        return self._now_ns

    def sleep_ns(self, ns: int) -> None:
        """Let time pass at once."""
        if ns > 0:
            self._now_ns += ns


def tighten_timer_slack() -> bool:
    """Ask the kernel to end this thread's sleeps within 1 ns instead of 50 µs.

    See prctl(2), PR_SET_TIMERSLACK. Returns whether it could be done (Linux only).
    """
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    return prctl is not None and prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0) == 0
