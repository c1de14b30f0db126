"""A host that is away now and then, made by hand: every CPU is taken at the same moments, above all that we run.

    python -m tests.evidence.burner SHARE SEED SECONDS

Pauses of 2 to 30 ms take that share of the time. One process a CPU runs at SCHED_FIFO above the pause meter, as a
hypervisor is above everything: below the meter it could not delay the meter, which would then see nothing.
Needs the right to do so.
"""

import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bench.pauses.meter import PRIORITY
from bench.units import NS_PER_S
from tests.laws.pauses_simulated import pauses

_LEAD_NS = NS_PER_S // 5


def burn(cpu: int, spans: Sequence[tuple[int, int]]) -> None:
    """Take a CPU during some spans of monotonic time."""
    os.sched_setaffinity(0, {cpu})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY + 10))
    for begin_ns, end_ns in spans:
        left_ns = begin_ns - time.monotonic_ns()
        if left_ns > 0:
            time.sleep(left_ns / NS_PER_S)
        while time.monotonic_ns() < end_ns:
            pass


@contextmanager
def burning(share: float, seed: int, seconds: float) -> Iterator[None]:
    """Take a share of every CPU that we may use until the context ends; nothing for a share of 0."""
    if not share:
        yield
        return
    begin_ns = time.monotonic_ns() + _LEAD_NS
    made = pauses(share, 2, 30, seconds, seed)
    spans = [(begin_ns + int(a), begin_ns + int(b)) for a, b in zip(made.begin, made.end, strict=True)]
    context = multiprocessing.get_context("fork")
    burners = [context.Process(target=burn, args=(cpu, spans), daemon=True) for cpu in os.sched_getaffinity(0)]
    for one in burners:
        one.start()
    try:
        yield
    finally:
        for one in burners:
            one.kill()
            one.join()


if __name__ == "__main__":
    with burning(float(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])):
        time.sleep(float(sys.argv[3]))
