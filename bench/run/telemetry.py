"""CPU, memory, threads and disk of broker and clients, whole process trees, every 100 ms.

What costs more to read is read once a second, by `bench.run.slow_telemetry`.
"""

import os
from dataclasses import dataclass

import psutil

from bench.run.throttling import Throttling
from brokers.places.sampling import NeverLess, ProcessUsage, Tree


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
        broker_threads, client_threads: threads; None = unknown.
        broker_disk_read, broker_disk_written, client_disk_read, client_disk_written: bytes
            from and to block devices since the processes began; None = unknown.
        throttled_s: seconds for which a quota of a control group around us held its
            processes back; None = no such group.
    """

    at_ns: int
    broker_cpu_s: float | None
    broker_rss: int | None
    client_cpu_s: float
    client_rss: int
    worker_cpu_s: tuple[float, ...]
    steal_s: float
    total_s: float
    broker_threads: int | None = None
    client_threads: int | None = None
    broker_disk_read: int | None = None
    broker_disk_written: int | None = None
    client_disk_read: int | None = None
    client_disk_written: int | None = None
    throttled_s: float | None = None


class Sampler:
    """Reads both sides of a trial."""

    def __init__(self) -> None:
        """Begin with nothing read."""
        self._client = Tree()
        self._most_of_broker, self._most_of_client = NeverLess(), NeverLess()
        self._throttling = Throttling.around(os.getpid())
        self.samples: list[Sample] = []

    def sample(
        self, at_ns: int, seen: ProcessUsage | None, workers: tuple[int, ...], below: tuple[int, ...] = ()
    ) -> Sample:
        """Read once and keep it.

        Args:
            at_ns: now.
            seen: what the broker has used, as its place says; None where that cannot be seen.
            workers: the worker processes.
            below: their children, and those of their children.
        """
        client = self._most_of_client.hold(self._client.read((*workers, *below)))
        seen = None if seen is None else self._most_of_broker.hold(seen)
        host = psutil.cpu_times()
        found = Sample(
            at_ns=at_ns,
            broker_cpu_s=seen.cpu_s if seen else None,
            broker_rss=seen.rss if seen else None,
            client_cpu_s=client.cpu_s,
            client_rss=client.rss,
            worker_cpu_s=tuple(self._client.cpu_s.get(pid, 0.0) for pid in workers),
            steal_s=getattr(host, "steal", 0.0),
            # Linux counts guest time within user time.
            total_s=sum(host) - getattr(host, "guest", 0.0) - getattr(host, "guest_nice", 0.0),
            broker_threads=seen.threads if seen else None,
            client_threads=client.threads,
            broker_disk_read=seen.disk_read if seen else None,
            broker_disk_written=seen.disk_written if seen else None,
            client_disk_read=client.disk_read,
            client_disk_written=client.disk_written,
            throttled_s=self._throttling.read_s(),
        )
        self.samples.append(found)
        return found

    def close(self) -> None:
        """Close what is kept open to be read again."""
        self._client.close()
        self._throttling.close()
