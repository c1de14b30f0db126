"""What the conductor sees of the pause meter while a trial runs: every pause, and how much time was clean."""

import numpy as np

from bench.drivers.base import Int64
from bench.pauses.board import COUNT, CPU, ENTRIES, RING, PauseBoard
from bench.pauses.filter import LOST, Marks, Meter, PauseFilter, Pauses, look


class PauseWatch:
    """Reads a board before its rings are written over; `look` is called a few times a second.

    Attributes:
        known_ns: every pause that began before this is known.
        drain: see `bench.pauses.filter.Meter`.
    """

    def __init__(self, board: PauseBoard, drain: float | None) -> None:
        """Begin at the entries that are there; `drain` is as of `bench.pauses.filter.Meter`."""
        self._board = board
        self.drain = drain
        self._filter = PauseFilter(Meter(board.cells, drain), 0, 0)
        self._read = [0] * (len(board.cells) - 1)
        self._parts: list[Int64] = [np.empty((0, 3), np.int64)]
        self._told = 1
        self.known_ns = 0

    def look(self) -> None:
        """Take what is new."""
        # First: what is known by then stands on the board.
        self.known_ns = look(Pauses(self._board.cells, self._filter.cells))
        for number, row in enumerate(self._board.cells[1:]):
            count = int(row[COUNT])
            at = np.arange(self._read[number], count) & (RING - 1)
            if len(at):
                self._read[number] = count
                begin, end = row[ENTRIES + 2 * at], row[ENTRIES + 2 * at + 1]
                self._parts.append(np.stack([np.full(len(at), row[CPU]), begin, end], axis=1)[end > begin])

    @property
    def lost(self) -> bool:
        """Whether entries were missed."""
        return bool(self._filter.cells[LOST])

    @property
    def cpus(self) -> int:
        """CPUs that are watched."""
        return len(self._read)

    @property
    def fifo(self) -> bool:
        """See `PauseBoard.fifo`."""
        return self._board.fifo

    @property
    def cpu_share(self) -> float:
        """See `PauseBoard.cpu_share`."""
        return self._board.cpu_share

    def marks(self) -> Marks:
        """Return pauses and probes of all CPUs so far."""
        return Marks.of(self._filter.cells)

    def news(self) -> Int64:
        """Return what was seen since this was asked last, as `pauses` does, in the order in which it was seen."""
        parts, self._told = self._parts[self._told :], len(self._parts)
        return np.concatenate(parts) if parts else self._parts[0]

    def pauses(self) -> Int64:
        """Return each pause so far: CPU, begin and end in monotonic ns; int64 (n, 3), by their beginnings."""
        found = np.concatenate(self._parts)
        return found[np.argsort(found[:, 1], kind="stable")]
