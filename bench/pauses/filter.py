"""Which messages a pause touched: compiled, a batch at a time, a moment after they were recorded.

Nearly all messages are events, and need nothing. So what is counted is the rest: `EXCLUDED` holds
the latencies of messages that are no events, `CENSORED` how long those that entered were watched. Events
are all messages less the excluded ones, bucket by bucket.

One int64 array holds all that is kept, so that a kernel is handed one array more: cells, then
*marks* (pauses and probes of all CPUs, in the order of their beginnings), then *rows*, a ring of messages that
wait for the meter, then *spilt* ones, whose second has no page any more.
"""

import time
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.drivers.base import Int64
from bench.jit import kernel
from bench.pauses.board import COUNT, ENTRIES, PERIOD, RING, WAKE
from bench.record.buckets import WIDTH, count, page_of
from bench.record.histogram import SecondsRecorder

ON, LOST, HEAD, TAIL, MARKS, HINT, DRAIN, SLACK, SPILT, END_OF_ALL = range(10)
"""Cells: whether there is a meter, whether it was lost sight of, ends of the ring of rows, number of marks, the mark
found last, drain a million ns of pause, ns added to a drain, spilt rows, the latest end of a pause so far."""
READ = 16
"""First of the cells that say how many entries of each CPU were read."""
_CPUS = 1024
_CELLS = READ + _CPUS
MOST_MARKS = 1 << 19
"""Marks of a trial: hours of probes and of the worst pauses on a few CPUs. Memory that is not used is not taken."""
BEGIN, CLEAR, IS_PAUSE, CROSSED = (_CELLS + part * MOST_MARKS for part in range(4))
"""First cells of the marks: their beginning, when all before and this one are drained, 1 for a pause and 0 for a
probe, messages that were on their way as it began."""
MOST_ROWS = 1 << 17
ROWS = CROSSED + MOST_MARKS
"""First cell of the rows: of each its intended time, when the latency begins, when it ends, and its slot."""
MOST_SPILT = 1 << 10
SPILL = ROWS + 4 * MOST_ROWS
"""First cell of the spilt: intended time, value, tag; one after the other."""
_LENGTH = SPILL + 3 * MOST_SPILT

EXCLUDED, CENSORED = range(2)
"""The two further tags of a slot, which is a latency that the filter sees."""
BOTH = -1
"""Slot of a row that stands for two latencies with one end: slot 0 from its origin, slot 1 from its intended time."""
_MILLION = 1_000_000
_BEFORE_ALL = -(1 << 62)
_SLACK_NS = 500_000
"""For pauses too short to be seen."""
_LAST_WAIT_S = 0.2


class Pauses(NamedTuple):
    """What kernels are handed.

    Attributes:
        board: int64 (CPUs + 1, cells), the meter's board.
        cells: int64, as told above.
    """

    board: Int64
    cells: Int64


class OpenSeconds(NamedTuple):
    """Where a filter counts.

    Attributes:
        pages: int64, pages of the open seconds, see `bench.record.buckets`.
        stride: cells of a page.
        further: the first further tag.
    """

    pages: Int64
    stride: int
    further: int


@kernel
def look(pauses: Pauses) -> int:
    """Take new entries off the board as marks; return the time up to which every pause is known.

    Only entries that began before that are taken, so that marks stand in the order of their
    beginnings, whichever CPU is first to tell.
    """
    board, cells = pauses.board, pauses.cells
    known_ns = board[1, WAKE]
    for cpu in range(1, board.shape[0]):
        known_ns = min(known_ns, board[cpu, WAKE])
    # A period behind, as not every processor shows stores of another in their order at once.
    known_ns -= board[0, PERIOD]
    while True:
        first, first_ns = 0, known_ns
        for cpu in range(1, board.shape[0]):
            behind = board[cpu, COUNT] - cells[READ + cpu]
            if behind > RING:
                cells[LOST] = 1
            if behind > 0:
                begin_ns = board[cpu, ENTRIES + 2 * (cells[READ + cpu] & (RING - 1))]
                if begin_ns < first_ns:
                    first, first_ns = cpu, begin_ns
        if first == 0:
            return int(known_ns)
        if cells[MARKS] >= MOST_MARKS:
            cells[LOST] = 1
            return int(known_ns)
        at = ENTRIES + 2 * (cells[READ + first] & (RING - 1))
        cells[READ + first] += 1
        _mark(cells, board[first, at], board[first, at + 1])


@kernel
def _mark(cells: Int64, begin_ns: int, end_ns: int) -> None:
    """Add a pause, or a probe, which ends where it begins.

    A pause that meets the drain of another adds its own drain to what was left of that. Time in
    which two CPUs were away counts once.
    """
    at = cells[MARKS]
    clear_ns = cells[CLEAR + at - 1] if at else begin_ns
    begun_ns = max(begin_ns, cells[END_OF_ALL])
    if end_ns > begun_ns:
        left_ns = clear_ns - begun_ns
        more_ns = (end_ns - begun_ns) * cells[DRAIN] // _MILLION
        clear_ns = end_ns + more_ns + (left_ns if left_ns > 0 else cells[SLACK])
        cells[END_OF_ALL] = end_ns
    cells[BEGIN + at] = begin_ns
    cells[CLEAR + at] = clear_ns
    cells[IS_PAUSE + at] = end_ns > begin_ns
    cells[CROSSED + at] = 0
    cells[MARKS] = at + 1


@kernel
def room_for(cells: Int64) -> int:
    """Return the number of a row that may not be held any more; without a meter that is the next."""
    return int(cells[HEAD] + MOST_ROWS if cells[ON] else cells[TAIL])


@kernel
def hold(cells: Int64, row: int, end: int, due_ns: int, origin_ns: int, done_ns: int, slot: int) -> int:
    """Keep a message as a row until it can be decided; return the number of the next row.

    Rows stay with the caller, from cells[TAIL] on, until `decide`: these cells are read and written
    for each message otherwise.
    """
    if row >= end:
        return row
    at = ROWS + 4 * (row & (MOST_ROWS - 1))
    cells[at], cells[at + 1], cells[at + 2], cells[at + 3] = due_ns, origin_ns, done_ns, slot
    return row + 1


@kernel
def decide(pauses: Pauses, row: int, seconds: OpenSeconds) -> None:
    """Count what the rows held are, as far as the meter knows; `row` is the number of the row after the last."""
    cells = pauses.cells
    if row - cells[HEAD] >= MOST_ROWS:
        cells[LOST] = 1
    if cells[LOST]:
        cells[HEAD] = row
    cells[TAIL] = row
    if cells[HEAD] == row:
        return
    known_ns, head = look(pauses), cells[HEAD]
    from_ns, to_ns = _clear_span(cells, known_ns)
    while head < row:
        at = ROWS + 4 * (head & (MOST_ROWS - 1))
        due_ns, done_ns = cells[at], cells[at + 2]
        if due_ns < from_ns or done_ns >= to_ns:
            if done_ns >= known_ns:
                break
            _look_closer(cells, at, seconds)
            from_ns, to_ns = _clear_span(cells, known_ns)
        head += 1
    cells[HEAD] = head


@kernel
def _clear_span(cells: Int64, known_ns: int) -> tuple[int, int]:
    """Return the span after the mark of the hint in which a message that begins and ends is an event."""
    hint = cells[HINT]
    from_ns = max(cells[BEGIN + hint], cells[CLEAR + hint]) if hint >= 0 else _BEFORE_ALL
    return int(from_ns), int(cells[BEGIN + hint + 1] if hint + 1 < cells[MARKS] else known_ns)


@kernel
def _look_closer(cells: Int64, at: int, seconds: OpenSeconds) -> None:
    """Decide one row, and move the hint to its mark."""
    due_ns, origin_ns, done_ns, slot = cells[at], cells[at + 1], cells[at + 2], cells[at + 3]
    hint = cells[HINT]
    while hint + 1 < cells[MARKS] and cells[BEGIN + hint + 1] <= due_ns:
        hint += 1
    while hint >= 0 and cells[BEGIN + hint] > due_ns:
        hint -= 1
    cells[HINT] = hint
    enters = hint < 0 or due_ns >= cells[CLEAR + hint]
    paused_ns = _first_pause(cells, hint + 1, done_ns, slot == BOTH)
    if enters and paused_ns == 0:
        return
    page, further = page_of(seconds.pages, seconds.stride, -1, due_ns, done_ns), seconds.further
    paused_ns = paused_ns if enters else 0
    if slot == BOTH:
        _set_apart(cells, seconds, page, further, due_ns, origin_ns, done_ns, paused_ns)
        _set_apart(cells, seconds, page, further + 2, due_ns, due_ns, done_ns, paused_ns)
    else:
        _set_apart(cells, seconds, page, further + 2 * slot, due_ns, origin_ns, done_ns, paused_ns)


@kernel
def _first_pause(cells: Int64, mark: int, done_ns: int, counted: bool) -> int:  # noqa: FBT001
    """Return when the first pause from a mark on began, up to an instant; 0 for none. May count the crossings."""
    paused_ns = 0
    while mark < cells[MARKS] and cells[BEGIN + mark] <= done_ns:
        if counted:
            cells[CROSSED + mark] += 1
        if paused_ns == 0 and cells[IS_PAUSE + mark]:
            paused_ns = cells[BEGIN + mark]
        mark += 1
    return int(paused_ns)


@kernel
def _set_apart(
    cells: Int64, seconds: OpenSeconds, page: int, tag: int, due_ns: int, origin_ns: int, done_ns: int, paused_ns: int
) -> None:
    """Count a message that is no event; a `paused_ns` other than 0 is when the pause began that censors it."""
    _count_or_spill(cells, seconds, page, tag + EXCLUDED, due_ns, done_ns - origin_ns)
    if paused_ns:
        _count_or_spill(cells, seconds, page, tag + CENSORED, due_ns, max(0, paused_ns - origin_ns))


@kernel
def _count_or_spill(cells: Int64, seconds: OpenSeconds, page: int, tag: int, due_ns: int, value_ns: int) -> None:
    if page >= 0:
        count(seconds.pages, page + tag * WIDTH, value_ns)
    elif cells[SPILT] < MOST_SPILT:
        at = SPILL + 3 * cells[SPILT]
        cells[at], cells[at + 1], cells[at + 2] = due_ns, value_ns, tag
        cells[SPILT] += 1
    else:
        cells[LOST] = 1


@dataclass(frozen=True)
class Marks:
    """What a filter saw of pauses, and how many messages were on their way; one row a mark.

    Attributes:
        begin_ns, clear_ns: when it began, and when all up to it were drained; int64, monotonic.
        is_pause: bool; else it is a probe.
        crossed: messages on their way as it began, int64.
        lost: the meter was lost sight of, so that nothing can be said.
    """

    begin_ns: Int64
    clear_ns: Int64
    is_pause: NDArray[np.bool_]
    crossed: Int64
    lost: bool = False

    @classmethod
    def of(cls, cells: Int64) -> "Marks":
        """Read what a filter kept."""
        begin, clear, pause, crossed = (
            cells[at : at + int(cells[MARKS])].copy() for at in (BEGIN, CLEAR, IS_PAUSE, CROSSED)
        )
        return cls(begin, clear, pause.astype(bool), crossed, bool(cells[LOST]))

    def clean_ns(self, from_ns: int, to_ns: int) -> int:
        """Return how much of a span lies in no pause and no drain."""
        begin, clear = self.begin_ns[self.is_pause], self.clear_ns[self.is_pause]
        if not len(begin):
            return max(0, to_ns - from_ns)
        gaps_from = np.concatenate([[from_ns], clear]).clip(from_ns, to_ns)
        gaps_to = np.concatenate([begin, [to_ns]]).clip(from_ns, to_ns)
        return int(np.maximum(gaps_to - gaps_from, 0).sum())


@dataclass(frozen=True)
class Meter:
    """What a filter needs of the pause meter.

    Attributes:
        board: int64 (CPUs + 1, cells), its board.
        drain: seconds of drain a second of pause, u/(1-u); None = no drain, as in a closed loop.
    """

    board: Int64
    drain: float | None


class PauseFilter:
    """One log's filter.

    Attributes:
        cells: what kernels keep; a few without a meter, which kernels pass over then.
        board: of the meter.
        tags: tags that a page has, those of the filter included.
    """

    def __init__(self, meter: Meter | None, further: int, slots: int) -> None:
        """Filter that many latencies, whose tags begin with `further`; without a meter, none."""
        self._further = further
        self.cells: Int64 = np.zeros(_CELLS if meter is None else _LENGTH, np.int64)
        self.board = np.zeros((1, 1), np.int64) if meter is None else meter.board
        self.tags = further + (0 if meter is None else 2 * slots)
        if meter is not None:
            self.cells[ON], self.cells[HINT] = 1, -1
            if meter.drain is not None:
                self.cells[SLACK], self.cells[DRAIN] = _SLACK_NS, round(meter.drain * _MILLION)

    def finish(self, seconds: SecondsRecorder) -> Marks | None:
        """Decide what is left, and return what was seen; None without a meter.

        The meter still runs, so that what ended by now can be decided in a moment.
        """
        if not self.cells[ON]:
            return None
        until = time.monotonic() + _LAST_WAIT_S
        while True:
            where = OpenSeconds(seconds.cells, seconds.stride, self._further)
            decide(Pauses(self.board, self.cells), int(self.cells[TAIL]), where)
            if self.cells[HEAD] == self.cells[TAIL] or time.monotonic() > until:
                break
            time.sleep(0.001)
        self.cells[LOST] |= self.cells[HEAD] < self.cells[TAIL]
        for due_ns, value_ns, tag in self.cells[SPILL : SPILL + 3 * int(self.cells[SPILT])].reshape(-1, 3):
            seconds.record(np.array([due_ns]), np.array([value_ns]), int(tag))
        return Marks.of(self.cells)
