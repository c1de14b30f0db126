"""Now and sleep: the real clock and, for tests and the memory driver, a virtual one.

Times are integer nanoseconds of CLOCK_MONOTONIC, which is one clock for all processes of
a host.
"""

import time
from typing import Protocol


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
