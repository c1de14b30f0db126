"""The canary on a real core: unmoved while the core is its own, shifted once another process wants it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from bench.host.canary import Canaries, warm

pytestmark = pytest.mark.alone

CANARY = 0.05
"""Shift from which on a trial is invalid (measurement §10)."""
PATIENCE_S = 8.0
QUIET_PERCENT = 5.0
TRIES = 3
"""Pairs on cores that were quiet just before, of which one at least must be calm."""


def pin(core: int) -> None:
    """Let this thread run on one core alone."""
    os.sched_setaffinity(0, {core})


@pytest.fixture
def cores() -> Iterator[set[int]]:
    """The cores of this thread, which it gets back afterwards."""
    allowed = os.sched_getaffinity(0)
    yield allowed
    os.sched_setaffinity(0, allowed)


def quiet_core(cores: set[int]) -> int | None:
    """Return a core that next to nobody uses, as the kernel counts; None where there is none now."""
    busy = psutil.cpu_percent(interval=0.3, percpu=True)
    least = min(cores, key=lambda core: busy[core])
    return least if busy[least] <= QUIET_PERCENT else None


def test_a_quiet_pair_does_not_move_the_canary(cores: set[int]) -> None:
    """On a core of its own; where other work of this host comes between, the next pair is as good."""
    warm()
    until_s, shifts = time.monotonic() + PATIENCE_S, list[float]()
    while time.monotonic() < until_s:
        os.sched_setaffinity(0, cores)
        core = quiet_core(cores)
        if core is not None:
            pin(core)
            run = Canaries()
            shifts.append(run.pair(run.read(), run.read()).shift)
            if shifts[-1] <= CANARY:
                return
    if len(shifts) < TRIES:
        pytest.skip(f"no core of this host was quiet for {PATIENCE_S:.0f} s: end what works beside the tests")
    pytest.fail(f"shifted on quiet cores: {shifts}")


def test_a_busy_process_on_its_core_shifts_the_canary(cores: set[int]) -> None:
    """Half of the core is gone, though every cycle is as fast as before; told without anything to compare with."""
    warm()
    core = max(cores)
    pin(core)
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
