"""Open files: the soft limit is raised as far as the hard one allows, in the processes that hold connections."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bench.ceiling.measure import peer
from bench.run.shared_board import Board
from bench.run.worker_assignment import Assignment
from bench.run.worker_pool import WorkerPool
from bench.scenario.scenario import RateLoad, Workload
from tests.bench.drivers.amqp091_server import Amqp091Server

SOFT, HARD = resource.getrlimit(resource.RLIMIT_NOFILE)
LOW = 128


@pytest.fixture
def low() -> Iterator[None]:
    """Let children begin with a low soft limit."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (LOW, HARD))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (SOFT, HARD))


def soft_limit(pid: int) -> int:
    """Return the soft limit of another process's open files."""
    return resource.prlimit(pid, resource.RLIMIT_NOFILE)[0]


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    """In a process that begins with 64 of 256: the 200th file can be opened afterwards; without, it cannot."""
    code = """
import os, resource
from bench.host.rlimit import allow_most
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 256))
def opened():
    held = []
    try:
        while len(held) < 200:
            held.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
    for one in held:
        os.close(one)
    return len(held)
before = opened()
print(before < 64, allow_most(), opened())
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["True", "256", "200"]


@pytest.mark.usefixtures("low")
def test_the_null_peer_raises_it() -> None:
    """By the time it listens."""
    before = set(psutil.Process().children())
    with peer("amqp091"):
        [child] = set(psutil.Process().children()) - before
        assert soft_limit(child.pid) == HARD
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == LOW


@pytest.mark.usefixtures("low")
def test_a_worker_raises_it(tmp_path: Path) -> None:
    """By the time it is ready."""
    server, fd = Amqp091Server(), Board.share(1)
    task = Assignment(
        role="consumer",
        worker=0,
        row=0,
        rows=1,
        driver="wire091",
        workload=(work := Workload(name="w", load=RateLoad(kind="rate", rate=10))),
        route=work.laid_out("", ("q",), 1).flows[0],
        seed=1,
        endpoint=server.endpoint,
        conductor=os.getpid(),
        board_fd=fd,
        account=tmp_path / "consumer-0.npz",
    )
    board, pool = Board(1, fd), WorkerPool([task], tmp_path)
    pool.start()
    try:
        deadline = time.monotonic() + 60
        while not board.ready():
            pool.check()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert soft_limit(pool.pids[0]) == HARD
        board.stop()
        pool.see_off(20)
    finally:
        pool.kill()
        server.stop()
        os.close(fd)
