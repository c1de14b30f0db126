"""Idle cost: of a broker made of real processes that grow when told to."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

from bench.run.idle_broker import COUNT, idle_cost
from brokers.base import BrokerError
from tests.crosschecks import IdleBroker

GROWS = """
import sys
held = []
for line in sys.stdin:
    held.append(bytearray(b"x" * int(line))) if int(line) > 0 else held.clear()
    print("done", flush=True)
"""
A_CONNECTION, A_QUEUE = 100_000, 40_000


class Process(IdleBroker):
    """A broker whose connections and queues take memory in a process."""

    def __init__(self, process: "subprocess.Popen[str]", most: int = 1_000) -> None:
        """Refuse more than `most` queues."""
        super().__init__()
        self.most = most
        self.queues: dict[str, bool] = {}
        self._process = process

    def pids(self) -> tuple[int, ...]:
        """Return its process."""
        return (self._process.pid,)

    def _grow(self, by: int) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{by}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"

    @contextlib.contextmanager
    def idle_connections(self, count: int, within_s: float) -> Iterator[int]:
        """Take memory for each."""
        assert within_s > 0
        self._grow(count * A_CONNECTION)
        yield count
        self._grow(0)

    def declare(self, queue: str, *, durable: bool) -> None:
        """Take memory for it."""
        if len(self.queues) >= self.most:
            raise BrokerError("no more queues")
        self.queues[queue] = durable
        self._grow(A_QUEUE)

    def delete(self, queue: str) -> None:
        """Forget it."""
        del self.queues[queue]


@pytest.fixture
def process() -> Iterator["subprocess.Popen[str]"]:
    """A process that takes memory when told to."""
    with subprocess.Popen(
        [sys.executable, "-c", GROWS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as found:
        assert found.stdin is not None
        assert found.stdout is not None
        found.stdin.write("0\n")
        found.stdin.flush()
        found.stdout.readline()  # it has started
        yield found
        found.stdin.close()


def test_memory_is_told_for_each(process: "subprocess.Popen[str]") -> None:
    """What the process grew by, divided; nothing is left behind; an idle process uses no CPU."""
    broker = Process(process)
    now = iter(range(1_000))
    found = idle_cost(broker, durable=True, now=lambda: float(next(now)), sleep=lambda _s: None)
    assert found is not None
    assert (found.connections, found.durable_queues, broker.queues) == (COUNT, True, {})
    assert found.bytes_per_connection == pytest.approx(A_CONNECTION, rel=0.15)
    assert found.bytes_per_queue is not None
    assert found.cpu_cores == pytest.approx(0, abs=0.05)
    assert found.rss is not None
    assert found.rss > 1_000_000


def test_a_broker_that_takes_few_queues_is_divided_by_those(process: "subprocess.Popen[str]") -> None:
    """A refusal ends the counting, not the run."""
    broker = Process(process, most=30)
    found = idle_cost(broker, durable=False, sleep=lambda _s: None)
    assert found is not None
    assert (found.queues, broker.queues) == (30, {})
    assert idle_cost(Process(process, most=0), durable=False, sleep=lambda _s: None).bytes_per_queue is None  # type: ignore[union-attr]


def test_a_broker_that_cannot_be_seen_has_no_idle_cost() -> None:
    """It is not asked for anything."""
    assert idle_cost(IdleBroker("gone"), durable=False) is None
