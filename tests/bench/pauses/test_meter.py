"""The pause meter on this host: it sees a CPU that is taken, is answered in time, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bench.pauses.meter import PRIORITY, PauseMeter
from bench.pauses.watch import PauseWatch
from bench.units import NS_PER_MS

pytestmark = pytest.mark.compiled


@pytest.fixture
def meter() -> Iterator[PauseMeter]:
    """Return a meter at rest."""
    with PauseMeter(Path("/nowhere")) as made:
        yield made


def _hog(cpu: int, seconds: float) -> None:
    """Take a CPU for a while, above the meter."""
    os.sched_setaffinity(0, {cpu})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY + 10))
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


def _may_have_priority() -> bool:
    try:
        before = os.sched_getscheduler(0)
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        os.sched_setscheduler(0, before, os.sched_param(0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not _may_have_priority(), reason="this user may not run at SCHED_FIFO")
def test_a_cpu_that_is_taken_is_seen(meter: PauseMeter) -> None:
    """A task above the meter takes a CPU for 30 ms: a pause of that CPU from before it to after it."""
    meter.run()
    assert meter.trouble == ""
    watch = PauseWatch(meter.board, 0.0)
    begun_ns = time.monotonic_ns()
    hog = threading.Thread(target=_hog, args=(meter.cpus[0], 0.03))
    hog.start()
    hog.join()
    ended_ns = time.monotonic_ns()
    until = time.monotonic() + 5
    while watch.known_ns <= ended_ns and time.monotonic() < until:
        watch.look()
        time.sleep(0.001)
    meter.rest()
    found = watch.pauses()
    mine = found[(found[:, 0] == meter.cpus[0]) & (found[:, 1] < ended_ns) & (found[:, 2] > begun_ns)]
    # The thread may have to wait for the interpreter in between, and the meter wakes then.
    assert (mine[:, 2] - mine[:, 1]).sum() > 25 * NS_PER_MS
    assert watch.fifo
    assert not watch.lost
    assert 0 < watch.cpu_share < 0.2


def test_it_runs_again_and_forgets(meter: PauseMeter) -> None:
    """Each run begins with a clear board, and between runs no sleeper is left."""
    for _ in range(2):
        meter.run()
        assert meter.trouble == ""
        assert meter.board.watermark_ns > 0
        meter.rest()
        assert _threads(meter) == 1
    woke_ns = meter.board.watermark_ns
    time.sleep(0.01)
    assert meter.board.watermark_ns == woke_ns


def _threads(meter: PauseMeter) -> int:
    process = meter._process
    assert process is not None
    tasks = psutil.Process(process.pid).threads()
    # Numba and NumPy may keep pools of their own; sleepers are those with a real-time policy.
    return 1 + sum(os.sched_getscheduler(task.id) == os.SCHED_FIFO for task in tasks)


def test_one_that_is_killed_is_noticed(meter: PauseMeter) -> None:
    """It says so at the next word, and stays unusable."""
    meter.run()
    process = meter._process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    process.wait(5)
    meter.rest()
    assert "ended" in meter.trouble
    meter.run()
    assert "ended" in meter.trouble


def test_it_ends_with_who_started_it() -> None:
    """Closed, its process is gone, and the memory with it."""
    meter = PauseMeter(Path("/nowhere"))
    process = meter._process
    assert process is not None
    meter.run()
    meter.close()
    assert process.poll() is not None
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(meter.fd)
    meter.close()


STARTER = """
import os, signal, sys
from pathlib import Path
from bench.pauses.meter import PauseMeter
meter = PauseMeter(Path("/nowhere"))
meter.run()
os.kill(meter._process.pid, signal.SIGSTOP)
print(meter._process.pid, flush=True)
signal.pause()
"""


def test_a_stopped_meter_ends_with_its_starter() -> None:
    """It reads no end of its input then; the kernel ends it."""
    with subprocess.Popen([sys.executable, "-c", STARTER], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        meter = psutil.Process(int(starter.stdout.readline()))
        starter.kill()
    _, alive = psutil.wait_procs([meter], timeout=10)
    assert alive == []
