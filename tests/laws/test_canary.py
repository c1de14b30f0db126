"""The canary on a real core: unmoved while the core is its own, shifted once another process wants it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from bench.run.canary import Canaries, warm

CANARY = 0.05
"""Shift from which on a trial is invalid (measurement §10)."""
PATIENCE_S = 10.0


@pytest.fixture
def core() -> Iterator[int]:
    """One core, to which this thread is pinned meanwhile."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    yield max(allowed)
    os.sched_setaffinity(0, allowed)


@pytest.mark.usefixtures("core")
def test_a_quiet_pair_does_not_move_the_canary() -> None:
    """On a core of its own; where other work of this host comes between, the next pair is as good."""
    warm()
    until_s, shifts = time.monotonic() + PATIENCE_S, [1.0]
    while min(shifts) > CANARY and time.monotonic() < until_s:
        run = Canaries()
        shifts.append(run.pair(run.read(), run.read()).shift)
    assert min(shifts) <= CANARY


def test_a_busy_process_on_its_core_shifts_the_canary(core: int) -> None:
    """Half of the core is gone, though every cycle is as fast as before; told without anything to compare with."""
    warm()
    busy = f"import os\nos.sched_setaffinity(0, {{{core}}})\nprint(1, flush=True)\nwhile True: pass\n"
    with subprocess.Popen([sys.executable, "-c", busy], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        run = Canaries()
        found = run.pair(run.read(), run.read())
        process.kill()
    assert found.shift > 0.3
    assert found.before_waited > 0.3
    assert found.after_waited > 0.3
