"""CPU, memory, threads and disk of broker and clients, whole process trees, every 100 ms.

What costs more to read is read once a second, by `bench.run.glances`.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

from bench.run.processes import ProcessFiles, Reading
from bench.run.throttling import Throttling


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


class Tree:
    """The processes of one side.

    Attributes:
        cpu_s: CPU seconds of each process that was last read.
    """

    def __init__(self) -> None:
        """Begin with nothing read."""
        self._files: dict[int, ProcessFiles] = {}
        self._most = Reading(0.0, 0, 0, 0, 0)
        self.cpu_s: dict[int, float] = {}

    def read(self, pids: Iterable[int]) -> Reading:
        """Return the sums over these processes; one that ended counts as its parent does."""
        found = {}
        for pid in dict.fromkeys(pids):
            try:
                files = self._files.get(pid)
                if files is None:
                    files = self._files[pid] = ProcessFiles(pid)
                found[pid] = files.read()
            except OSError:
                continue  # it ended; its parent's account has what it used
        for pid in [pid for pid in self._files if pid not in found]:
            self._files.pop(pid).close()
        self.cpu_s = {pid: one.cpu_s for pid, one in found.items()}
        most, parts = self._most, found.values()
        # An orphan's use may vanish from the sums, never what was already counted.
        self._most = Reading(
            max(most.cpu_s, sum(self.cpu_s.values())),
            sum(one.rss for one in parts),
            sum(one.threads for one in parts),
            _more(most.disk_read, [one.disk_read for one in parts]),
            _more(most.disk_written, [one.disk_written for one in parts]),
        )
        return self._most

    def close(self) -> None:
        """Close what is kept open to be read again."""
        while self._files:
            self._files.popitem()[1].close()


def _more(before: int | None, parts: list[int | None]) -> int | None:
    """Return the sum, no less than before; None once a part is unknown."""
    known = [part for part in parts if part is not None]
    return None if before is None or len(known) < len(parts) else max(before, sum(known))


class Sampler:
    """Reads both sides of a trial."""

    def __init__(self) -> None:
        """Begin with nothing read."""
        self._broker = Tree()
        self._client = Tree()
        self._throttling = Throttling.around(os.getpid())
        self.samples: list[Sample] = []

    def sample(
        self, at_ns: int, broker: tuple[int, ...], workers: tuple[int, ...], below: tuple[int, ...] = ()
    ) -> Sample:
        """Read once and keep it.

        Args:
            at_ns: now.
            broker: all processes of the broker; empty for one that cannot be seen.
            workers: the worker processes.
            below: their children, and those of their children.
        """
        seen = self._broker.read(broker) if broker else None
        client = self._client.read((*workers, *below))
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
        self._broker.close()
        self._client.close()
        self._throttling.close()
