"""The filter decides as a plain reading of the rules does, whatever the order in which the meter tells."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.drivers.base import Deliveries
from bench.pauses.board import COUNT, ENTRIES, RING, WAKE, PauseBoard
from bench.pauses.filter import LOST, MOST_ROWS, Marks, Meter, PauseFilter, Pauses, look
from bench.record.account import ConsumerLog, account
from bench.units import NS_PER_MS

pytestmark = pytest.mark.compiled
FOREVER = 1 << 61
SLACK = 500_000
Span = tuple[int, int]


def board_of(*cpus: list[Span], wake: int = FOREVER) -> PauseBoard:
    """Return a board on which each CPU has told of these spans; a probe ends where it begins."""
    board = PauseBoard(len(cpus))
    for row, spans in zip(board.cells[1:], cpus, strict=True):
        tell(row, spans)
        row[WAKE] = wake
    return board


def tell(row: np.ndarray, spans: list[Span]) -> None:
    """Write entries behind those that are there."""
    for begin, end in spans:
        at = ENTRIES + 2 * (int(row[COUNT]) & (RING - 1))
        row[at], row[at + 1] = begin, end
        row[COUNT] += 1


def marks_of(board: PauseBoard, drain: float | None = 0.0) -> Marks:
    """Return the marks of a whole board."""
    kept = PauseFilter(Meter(board.cells, drain), 0, 0)
    look(Pauses(board.cells, kept.cells))
    return Marks.of(kept.cells)


def log_of(board: PauseBoard, drain: float | None = 0.0, *, closed: bool = False) -> ConsumerLog:
    """Return the log of one consumer of one producer."""
    return ConsumerLog(1, 1, 1, 0, closed=closed, meter=Meter(board.cells, drain))


def receive(log: ConsumerLog, lives: list[Span], first: int = 0) -> None:
    """Record messages: when each was due, and when it came; it was sent a microsecond after it was due."""
    none = np.zeros(len(lives), np.int64)
    due, done = (np.array([life[which] for life in lives], np.int64) for which in (0, 1))
    log.received(Deliveries(none, none, np.arange(first, first + len(lives)), due, due + 1000, done, none))


def counts(log: ConsumerLog, tag: str = "response") -> tuple[int, int, int]:
    """Return how many messages there were, how many of them events, and how many censored."""
    found = account(None, log, {}).latencies
    return tuple(  # type: ignore[return-value]
        int(found[name].count.sum()) if name in found else 0 for name in (tag, f"{tag}_events", f"{tag}_censored")
    )


def test_entry_event_and_censoring() -> None:
    """Due in a pause or its drain: not entered; ended before the next pause: an event; else watched until that."""
    board = board_of([(10 * NS_PER_MS, 14 * NS_PER_MS), (30 * NS_PER_MS, 32 * NS_PER_MS)])
    log = log_of(board, drain=0.5)  # the first is drained at 14 + 2 + .5 ms
    lives = [(5, 9), (9, 15), (11, 20), (16, 18), (17, 20), (20, 31), (40, 41)]
    receive(log, [(due * NS_PER_MS, done * NS_PER_MS) for due, done in lives])
    found = account(None, log, {})
    assert int(found.latencies["response_events"].count.sum()) == 3
    assert sorted(found.latencies["response_censored"].totals[:, 1].tolist()) == [11 * NS_PER_MS]
    assert counts(log)[0] == 7
    assert found.marks is not None
    assert found.marks.crossed.tolist() == [1, 1]  # (9, 15) and (20, 31)


def test_a_closed_loop_has_no_drain_and_one_latency() -> None:
    """A message sent right after a pause enters; there is a service latency alone."""
    log = log_of(board_of([(10 * NS_PER_MS, 14 * NS_PER_MS)]), None, closed=True)
    receive(log, [(14 * NS_PER_MS + 1, 15 * NS_PER_MS), (12 * NS_PER_MS, 15 * NS_PER_MS)])
    assert counts(log, "service") == (2, 1, 0)
    assert "response_events" not in account(None, log, {}).latencies


@given(
    st.lists(st.lists(st.tuples(st.integers(1, 300), st.integers(0, 20)), max_size=12), min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 60)), min_size=1, max_size=40),
    st.sampled_from([None, 0.0, 0.3, 2.0]),
    st.lists(st.integers(1, 400), max_size=4),
)
def test_decisions_are_those_of_the_rules(
    spans: list[list[Span]], lives: list[Span], drain: float | None, looks: list[int]
) -> None:
    """Several CPUs that tell in any order and bit by bit give what one list of all pauses says."""
    cpus = [sorted(_apart([(begin * NS_PER_MS, (begin + long) * NS_PER_MS) for begin, long in one])) for one in spans]
    rows = sorted(
        ((due * NS_PER_MS + 7, (due + long) * NS_PER_MS + 8) for due, long in lives), key=lambda life: life[1]
    )
    board = board_of(*([] for _ in cpus), wake=1)
    log, told = log_of(board, drain), [0] * len(cpus)
    receive(log, rows)
    for wake in [*(look_ms * NS_PER_MS for look_ms in sorted(looks)), FOREVER]:
        for number, one in enumerate(cpus):
            fresh = [span for span in one[told[number] :] if span[1] <= wake]
            told[number] += len(fresh)
            tell(board.cells[number + 1], fresh)
            # A CPU that is away has last woken when its pause began.
            under_way = [begin for begin, end in one if begin <= wake < end]
            board.cells[number + 1, WAKE] = min([wake, *under_way])
        receive(log, [])
    merged = sorted((span for one in cpus for span in one), key=lambda span: span[0])
    events, censored = _by_the_rules(merged, rows, drain)
    found = account(None, log, {})
    assert counts(log)[1] == events
    watched = found.latencies.get("response_censored")
    assert (0 if watched is None else int(watched.count.sum())) == len(censored)
    assert (0 if watched is None else watched.sum_ns) == sum(censored)
    assert found.marks is not None
    crossed = Counter(begin for begin, _ in merged for due, done in rows if due < begin <= done)
    assert found.marks.crossed.sum() == crossed.total()


def _apart(spans: list[Span]) -> list[Span]:
    """Leave out spans that overlap one before: a CPU is away once at a time."""
    kept: list[Span] = []
    for begin, end in sorted(spans):
        if not kept or begin > kept[-1][1]:
            kept.append((begin, end))
    return kept


def _by_the_rules(spans: list[Span], lives: list[Span], drain: float | None) -> tuple[int, list[int]]:
    """Return the number of events, and how long the censored were watched."""
    blocked: list[Span] = []
    clear = last_end = -1
    for begin, end in spans:
        begun = max(begin, last_end)
        if end > begun:
            rest = clear - begun
            more = 0 if drain is None else int((end - begun) * round(drain * 1_000_000) // 1_000_000)
            clear = end + more + (rest if rest > 0 else 0 if drain is None else SLACK)
            last_end = end
        if end > begin:
            blocked.append((begin, clear))
    events, censored = 0, []
    for due, done in lives:
        if any(begin <= due < until for begin, until in blocked):
            continue
        cuts = [begin for begin, _ in blocked if due < begin <= done]
        if cuts:
            censored.append(min(cuts) - due)
        else:
            events += 1
    return events, censored


def test_pauses_of_two_cpus_at_once_count_once() -> None:
    """The drain follows the time in which any CPU was away, not the sum."""
    both = marks_of(board_of([(0, 10 * NS_PER_MS)], [(2 * NS_PER_MS, 10 * NS_PER_MS)]), drain=1.0)
    assert both.clear_ns.max() == 20 * NS_PER_MS + SLACK
    longer = marks_of(board_of([(0, 10 * NS_PER_MS)], [(2 * NS_PER_MS, 12 * NS_PER_MS)]), drain=1.0)
    assert longer.clear_ns.max() == 24 * NS_PER_MS + SLACK


def test_clean_time_is_what_is_left() -> None:
    """Of 100 ms, a pause of 10 with as long a drain leaves 79.5; probes take nothing."""
    marks = marks_of(board_of([(20 * NS_PER_MS, 30 * NS_PER_MS), (60 * NS_PER_MS, 60 * NS_PER_MS)]), drain=1.0)
    assert marks.clean_ns(0, 100 * NS_PER_MS) == 79_500_000
    assert marks.clean_ns(25 * NS_PER_MS, 35 * NS_PER_MS) == 0
    assert marks_of(board_of([])).clean_ns(5, 15) == 10


def test_a_meter_that_stops_is_lost_sight_of() -> None:
    """With more messages waiting than are held, or entries written over, nothing is claimed any more."""
    log = log_of(board_of([], wake=1))
    step = 1 << 14
    for first in range(0, MOST_ROWS + step, step):
        receive(log, [(1000 + first + row, 2000 + first + row) for row in range(step)], first)
    found = account(None, log, {})
    assert found.marks is not None
    assert found.marks.lost
    board = board_of([(one, one) for one in range(1, RING + 10)])
    kept = PauseFilter(Meter(board.cells, None), 0, 0)
    look(Pauses(board.cells, kept.cells))
    assert kept.cells[LOST] == 1


def test_what_waits_at_the_end_is_lost_sight_of() -> None:
    """A meter that does not wake again within a moment leaves messages undecided."""
    log = log_of(board_of([], wake=1))
    receive(log, [(5, 10)])
    marks = account(None, log, {}).marks
    assert marks is not None
    assert marks.lost


def test_a_message_of_a_second_long_gone_is_counted_at_the_end() -> None:
    """Where no page is open for its second any more, it is spilt and comes back."""
    board = board_of([(10 * NS_PER_MS, 20 * NS_PER_MS)], wake=1)
    log = log_of(board)
    receive(log, [(5 * NS_PER_MS, 15 * NS_PER_MS)])
    second = 1_000_000_000
    receive(log, [(later * second, later * second + 5) for later in range(1, 12)], first=1)
    board.cells[1, WAKE] = FOREVER
    assert counts(log) == (12, 11, 1)


def test_without_a_meter_nothing_is_filtered() -> None:
    """No further tags, no marks."""
    log = ConsumerLog(1, 1, 1, 0, closed=False)
    receive(log, [(5, 10)])
    found = account(None, log, {})
    assert found.marks is None
    assert set(found.latencies) == {"response", "service"}
