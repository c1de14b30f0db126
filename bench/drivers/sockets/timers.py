"""Callbacks that are due at a time, for drivers: heartbeats, acknowledgements that linger.

Times are integer nanoseconds of the clock that the caller reads; no clock is read here.
"""

import heapq
from collections.abc import Callable
from itertools import count

NEVER_NS = 2**63 - 1


class Timer:
    """One callback that waits for its time."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], object]) -> None:
        """Wait to call `callback`."""
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        """Call nothing when the time comes."""
        self.callback = None


class Timers:
    """Timers in order of their times; those of one time run in the order they were set."""

    def __init__(self) -> None:
        """Begin with none."""
        self._heap: list[tuple[int, int, Timer]] = []
        self._order = count()

    @property
    def next_due_ns(self) -> int:
        """When `run` has something to do; `NEVER_NS` where nothing waits."""
        return self._heap[0][0] if self._heap else NEVER_NS

    def call_at(self, due_ns: int, callback: Callable[[], object]) -> Timer:
        """Have `run` call `callback` once at `due_ns` or later."""
        timer = Timer(callback)
        heapq.heappush(self._heap, (due_ns, next(self._order), timer))
        return timer

    def run(self, now_ns: int) -> None:
        """Call what is due; what these calls set for now waits for the next `run`."""
        due = []
        while self._heap and self._heap[0][0] <= now_ns:
            due.append(heapq.heappop(self._heap)[2])
        for timer in due:
            callback, timer.callback = timer.callback, None
            if callback is not None:
                callback()
