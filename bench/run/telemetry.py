"""CPU and memory of broker and clients, whole process trees, every 100 ms."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import psutil


@dataclass(frozen=True)
class Sample:
    """One reading.

    Attributes:
        at_ns: monotonic time.
        broker_cpu_s, client_cpu_s: CPU seconds used since the processes began; None = unknown.
        broker_rss, client_rss: bytes resident; None = unknown.
        worker_cpu_s: CPU seconds of each worker process.
        steal_s: CPU seconds the hypervisor took, over all CPUs.
        total_s: CPU seconds of all kinds, over all CPUs.
    """

    at_ns: int
    broker_cpu_s: float | None
    broker_rss: int | None
    client_cpu_s: float
    client_rss: int
    worker_cpu_s: tuple[float, ...]
    steal_s: float
    total_s: float


@dataclass
class _Tree:
    """The processes of one side."""

    processes: dict[int, psutil.Process] = field(default_factory=dict)
    cpu_s: dict[int, float] = field(default_factory=dict)
    total_s: float = 0.0

    def read(self, pids: Iterable[int]) -> tuple[float, int]:
        rss = 0
        self.cpu_s = {}
        for pid in pids:
            try:
                process = self.processes.get(pid) or self.processes.setdefault(pid, psutil.Process(pid))
                with process.oneshot():
                    times = process.cpu_times()
                    rss += process.memory_info().rss
            except psutil.Error:
                continue  # it ended between the listing and the reading; its parent's account has its time
            self.cpu_s[pid] = times.user + times.system + times.children_user + times.children_system
        # An orphan's time may vanish from the sum, never what was already counted.
        self.total_s = max(self.total_s, sum(self.cpu_s.values()))
        return self.total_s, rss


class Sampler:
    """Reads both sides of a trial."""

    def __init__(self) -> None:
        """Begin with nothing read."""
        self._broker = _Tree()
        self._client = _Tree()
        self.samples: list[Sample] = []

    def sample(self, at_ns: int, broker: tuple[int, ...], workers: tuple[int, ...]) -> Sample:
        """Read once and keep it; `broker` is empty for one that cannot be seen."""
        broker_cpu_s, broker_rss = self._broker.read(broker)
        client_cpu_s, client_rss = self._client.read(workers)
        host = psutil.cpu_times()
        found = Sample(
            at_ns=at_ns,
            broker_cpu_s=broker_cpu_s if broker else None,
            broker_rss=broker_rss if broker else None,
            client_cpu_s=client_cpu_s,
            client_rss=client_rss,
            worker_cpu_s=tuple(self._client.cpu_s.get(pid, 0.0) for pid in workers),
            steal_s=getattr(host, "steal", 0.0),
            # Linux counts guest time within user time.
            total_s=sum(host) - getattr(host, "guest", 0.0) - getattr(host, "guest_nice", 0.0),
        )
        self.samples.append(found)
        return found
