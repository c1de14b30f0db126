"""On which CPUs our own processes run, by sched_setaffinity(2)."""

import contextlib
import os
from collections.abc import Collection, Iterable, Iterator


@contextlib.contextmanager
def on_cpus(numbers: Collection[int]) -> Iterator[None]:
    """Keep this thread, and what it starts meanwhile, to some CPUs; to those of before where none are named.

    Raises:
        OSError: that is not allowed.
    """
    if not numbers:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, numbers)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpus_of(pids: Iterable[int]) -> tuple[int, ...]:
    """Return the CPUs that any of some processes may run on, as the kernel has it; a process that is gone has none."""
    found: set[int] = set()
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            found |= os.sched_getaffinity(pid)
    return tuple(sorted(found))
