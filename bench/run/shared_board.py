"""The board: a small shared map of int64 cells between the conductor and its workers.

Row 0 belongs to the conductor, each other row to one worker; every cell has one writer,
and an aligned 8-byte store is seen whole on every platform we run on. It carries the
barrier, progress, heartbeats, and the tokens of closed loops. Nothing else is shared.
"""

import mmap
import os

import numpy as np

from bench.drivers.base import Int64
from bench.loadgen.pump import PumpCounters
from bench.topology.completion import Completion

_START_NS, _END_NS, _STOP, _MEASURED_NS, _RELEASED = range(5)
(_READY, _BEAT_NS, _DUE, _SENT, _SETTLED, _RECEIVED, _DONE, _P50_NS, _P99_NS, _HUNGRY, _GONE, _OWED) = range(12)
_TOKENS = 16

_EVERY = slice(None)

NEVER_NS = (1 << 62) - 1
"""End of a schedule whose end is not decided yet."""


class Board:
    """The conductor's view; also holds the array that a worker's view writes to."""

    def __init__(self, workers: int, fd: int | None = None) -> None:
        """Look at the board of `workers` workers.

        Args:
            workers: how many.
            fd: memory that other processes share, from `share`; by default this process's own.
        """
        shape = (workers + 1, _TOKENS + workers)
        if fd is None:
            self.cells: Int64 = np.zeros(shape, np.int64)
        else:
            memory = mmap.mmap(fd, 8 * shape[0] * shape[1])
            self.cells = np.frombuffer(memory, np.int64).reshape(shape)
        self._rows = self.cells[1:]

    @staticmethod
    def share(workers: int) -> int:
        """Return a descriptor of fresh zeroed memory for a board; it vanishes with its last holder."""
        fd = os.memfd_create("busbench-board")
        os.ftruncate(fd, 8 * (workers + 1) * (_TOKENS + workers))
        return fd

    def start(self, start_ns: int) -> None:
        """Open the barrier: the schedule begins at `start_ns`."""
        self.cells[0, _END_NS] = NEVER_NS
        self.cells[0, _START_NS] = start_ns

    def measure(self, from_ns: int) -> None:
        """Tell when the measured part begins, ahead of it; see `Control.measured_ns`."""
        self.cells[0, _MEASURED_NS] = from_ns

    def end(self, end_ns: int) -> None:
        """Decide the end of the schedule."""
        self.cells[0, _END_NS] = end_ns

    def release(self) -> None:
        """Let consumers in that are held until every message lies on the broker."""
        self.cells[0, _RELEASED] = 1

    def stop(self) -> None:
        """Tell every worker to leave its loop."""
        self.cells[0, _STOP] = 1

    def ready(self) -> int:
        """Return how many workers are ready."""
        return int(self._rows[:, _READY].sum())

    def totals(self, of: slice = _EVERY) -> PumpCounters:
        """Return the sum of what workers show; done where every worker is, and the slowest worker's p50 and p99.

        With `of` those of some rows alone, counted from 0.
        """
        rows = self._rows[of]
        sums = rows.sum(axis=0)
        return PumpCounters(
            due=int(sums[_DUE]),
            sent=int(sums[_SENT]),
            settled=int(sums[_SETTLED]),
            received=int(sums[_RECEIVED]),
            gone=int(sums[_GONE]),
            owed=int(sums[_OWED]),
            done=bool(rows[:, _DONE].all()),
            p50_ns=int(rows[:, _P50_NS].max()),
            p99_ns=int(rows[:, _P99_NS].max()),
        )

    def beats_ns(self) -> Int64:
        """Return when each worker last showed progress, int64 (workers,)."""
        return self._rows[:, _BEAT_NS].copy()

    def view(
        self, row: int, wake_fds: tuple[int, ...] = (), producers_from: int = 0, completion: Completion | None = None
    ) -> "WorkerCells":
        """Return the view of worker `row`, counted from 0; see `WorkerCells`."""
        return WorkerCells(self.cells, row, wake_fds, producers_from, completion)


class WorkerCells:
    """One worker's view of the board."""

    def __init__(
        self,
        cells: Int64,
        row: int,
        wake_fds: tuple[int, ...],
        producers_from: int = 0,
        completion: Completion | None = None,
    ) -> None:
        """Write row `row` of the workers.

        Args:
            cells: of the board.
            row: of this worker.
            wake_fds: the n-th is rung when tokens come back to the n-th producing worker of the flow.
            producers_from: row of the flow's first producing worker.
            completion: tells how many messages copies make up; None where each is one.
        """
        self._control = cells[0]
        self._mine = cells[row + 1]
        self._tokens = cells[1:, _TOKENS + row]
        self._given = self._mine[_TOKENS + producers_from :]
        self._wake_fds = wake_fds
        self._hunger = cells[1 + producers_from : 1 + producers_from + len(wake_fds), _HUNGRY]
        self._completion = completion

    def ready(self) -> None:
        """Say that this worker waits for the start."""
        self._mine[_READY] = 1

    def start_ns(self) -> int:
        """Return when the schedule begins; 0 while that is not known."""
        return int(self._control[_START_NS])

    def end_ns(self) -> int:
        """Return when the schedule ends: nothing due at or after it is sent."""
        return int(self._control[_END_NS])

    def measured_ns(self) -> int:
        """Return when the measured part begins; 0 while that is not decided."""
        return int(self._control[_MEASURED_NS])

    def released(self) -> bool:
        """Return whether held consumers are let in."""
        return bool(self._control[_RELEASED])

    def stopped(self) -> bool:
        """Return whether to leave the loop now."""
        return bool(self._control[_STOP])

    def tokens(self) -> int:
        """Return how many messages of this worker's producers were received by anyone, or will never be."""
        received: int = sum(self._tokens.tolist())  # few cells: a tenth of the time of their numpy sum
        if self._completion is None:
            return received + int(self._mine[_GONE])
        return self._completion.messages(
            received, int(self._mine[_GONE]), int(self._mine[_SENT]), int(self._mine[_OWED])
        )

    def hunger(self, *, hungry: bool) -> None:
        """Say whether this worker waits for a token."""
        self._mine[_HUNGRY] = hungry

    def give(self, producers: Int64, workers: int) -> None:
        """Give tokens back to the flow's producing workers: its producer p belongs to worker p mod `workers`."""
        if workers == 1:
            self._given[0] += len(producers)
        else:
            self._given[:workers] += np.bincount(producers % workers, minlength=workers)
        for hungry, fd in zip(self._hunger.tolist(), self._wake_fds, strict=True):
            if hungry:
                os.eventfd_write(fd, 1)

    def beat(self, progress: PumpCounters, now_ns: int) -> None:
        """Show progress."""
        mine = self._mine
        mine[_DUE], mine[_SENT], mine[_SETTLED] = progress.due, progress.sent, progress.settled
        mine[_RECEIVED], mine[_DONE], mine[_GONE] = progress.received, progress.done, progress.gone
        mine[_OWED] = progress.owed
        mine[_P50_NS], mine[_P99_NS] = progress.p50_ns, progress.p99_ns
        mine[_BEAT_NS] = now_ns
