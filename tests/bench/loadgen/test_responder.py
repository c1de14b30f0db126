"""Those who answer, on a port of few words and a virtual clock: when, how late, and how much they hold."""

from unittest.mock import patch

import numpy as np
import pytest

from bench.drivers.base import Deliveries, Int64, Settlements, empty_deliveries, empty_settlements
from bench.host.clock import VirtualClock
from bench.loadgen.pump import PumpCounters
from bench.loadgen.responder import Responder
from bench.loadgen.source import BEAT_NS
from bench.record.account import ResponderLog, account
from bench.record.histogram import to_histogram
from bench.units import NS_PER_MS, NS_PER_S

START_NS = NS_PER_S


class AskingPort:
    """Hands over requests at their times, and notes the answers; some may find no room for a while."""

    def __init__(self, clock: VirtualClock, arrivals_ns: Int64, room: int = 1 << 20, full_until_ns: int = 0) -> None:
        """Have requests 0, 1, … come at these times, counted from the start."""
        self._clock, self._arrivals, self._given = clock, arrivals_ns + START_NS, 0
        self._room, self._full_until_ns = room, full_until_ns + START_NS
        self.answers: list[tuple[int, int, int, int]] = []
        self.largest = 0

    def room(self) -> int:
        """Return how many answers fit."""
        return 0 if self._clock.now_ns() < self._full_until_ns else self._room

    def send(self, lane: Int64, seq: Int64, intended_ns: Int64) -> Int64:
        """Never called."""
        raise NotImplementedError

    def poll(self, timeout_ns: int) -> tuple[Settlements, Deliveries]:
        """Let time pass to the next request, or to the timeout."""
        until_ns = self._clock.now_ns() + timeout_ns
        if self._given < len(self._arrivals):
            until_ns = min(until_ns, max(self._clock.now_ns(), int(self._arrivals[self._given])))
        self._clock.sleep_ns(until_ns - self._clock.now_ns())
        end = int(np.searchsorted(self._arrivals, until_ns, side="right"))
        if end == self._given:
            return empty_settlements(), empty_deliveries()
        seq = np.arange(self._given, end)
        came, self._given = self._arrivals[self._given : end], end
        zero = np.zeros_like(seq)
        rows = Deliveries(zero, zero + 3, seq, came - 500, came - 400, came.copy(), zero, foreign=1)
        return empty_settlements(), rows

    def reply(self, producer: Int64, seq: Int64, intended_ns: Int64, sent_ns: Int64) -> Int64:
        """Note what is answered, and that it keeps its stamp."""
        assert (producer == 3).all()
        assert (sent_ns - intended_ns == 100).all()
        now_ns = self._clock.now_ns()
        self.largest = max(self.largest, len(seq))
        self.answers += [(one, due, now_ns, now_ns - due - 500) for one, due in zip(seq, intended_ns, strict=True)]
        return np.full(len(seq), now_ns, np.int64)

    def counters(self) -> dict[str, int]:
        """Nothing is counted."""
        return {}

    def close(self) -> None:
        """Nothing is open."""


class UntilThen:
    """Cells of a worker that is told to stop at an instant."""

    def __init__(self, clock: VirtualClock, end_ns: int) -> None:
        """Stop then."""
        self._clock, self._end_ns = clock, START_NS + end_ns
        self.beats: list[int] = []

    def end_ns(self) -> int:
        """Return that instant."""
        return self._end_ns

    def stopped(self) -> bool:
        """Return whether it has come."""
        return self._clock.now_ns() >= self._end_ns

    def tokens(self) -> int:
        """None."""
        return 0

    def beat(self, progress: PumpCounters, now_ns: int) -> None:
        """Note it; a responder is always done."""
        assert progress.done
        self.beats.append(now_ns)


def answer(port: AskingPort, clock: VirtualClock, think_ns: int, end_ns: int) -> tuple[ResponderLog, Responder]:
    """Let a responder answer until an instant."""
    log, cells = ResponderLog(START_NS), UntilThen(clock, end_ns)
    responder = Responder(port, clock, cells, log, think_ns)
    responder.run()
    assert np.diff(cells.beats).max() <= BEAT_NS + BEAT_NS // 2  # as the pump's
    return log, responder


@pytest.mark.parametrize("think_ns", [0, 1, 3 * NS_PER_MS, 200 * NS_PER_MS])
def test_each_is_answered_exactly_a_think_time_after_it_came(think_ns: int) -> None:
    """Many at once, in the order in which they came; nothing is late."""
    arrivals = np.cumsum(np.random.default_rng(1).exponential(NS_PER_MS, 900).astype(np.int64))
    clock = VirtualClock(START_NS)
    port = AskingPort(clock, arrivals)
    log, responder = answer(port, clock, think_ns, 2 * NS_PER_S)
    assert [seq for seq, *_ in port.answers] == list(range(900))
    assert {waited for *_, waited in port.answers} == {think_ns}
    lag = account(None, None, {}, responder=log).latencies["reply_lag"]
    assert (int(lag.count.sum()), lag.sum_ns, lag.negative) == (900, 0, 0)
    foreign = len({*arrivals.tolist()})
    assert responder.counters() == {"requests": 900, "answered": 900, "foreign_requests": foreign}


def test_what_has_no_room_is_late_by_the_wait() -> None:
    """The lag is what lies beyond the think time; answers go when there is room, in order."""
    clock, arrivals = VirtualClock(START_NS), np.arange(100, dtype=np.int64) * NS_PER_MS
    port = AskingPort(clock, arrivals, room=7, full_until_ns=60 * NS_PER_MS)
    log, _ = answer(port, clock, 2 * NS_PER_MS, NS_PER_S)
    assert [seq for seq, *_ in port.answers] == list(range(100))
    assert port.largest <= 7
    lags = np.array([waited - 2 * NS_PER_MS for *_, waited in port.answers])
    assert lags[0] >= 58 * NS_PER_MS
    assert (lags[:58] > 0).all()
    assert (lags[99:] == 0).all()
    lag = account(None, None, {}, responder=log).latencies["reply_lag"]
    assert lag.sum_ns == lags.sum()
    assert int(to_histogram(lag.index, lag.count).get_total_count()) == 100


def test_what_waits_fits_however_much_it_is() -> None:
    """Twenty thousand wait at once for their think time: the ring grows and is used again, and none is mixed up."""
    arrivals = np.concatenate([np.full(9_000, 5), np.full(11_000, 7), 10**8 + np.arange(30_000) * 10**4])
    clock = VirtualClock(START_NS)
    port = AskingPort(clock, arrivals.astype(np.int64))
    _, responder = answer(port, clock, 50 * NS_PER_MS, NS_PER_S)
    assert [seq for seq, *_ in port.answers] == list(range(50_000))
    assert {waited for *_, waited in port.answers} == {50 * NS_PER_MS}
    assert responder.counters()["answered"] == 50_000


def test_what_was_not_answered_in_time_is_told() -> None:
    """A responder that is stopped while it thinks has taken more than it answered."""
    clock = VirtualClock(START_NS)
    port = AskingPort(clock, np.arange(10, dtype=np.int64) * 10 * NS_PER_MS)
    _, responder = answer(port, clock, 55 * NS_PER_MS, 100 * NS_PER_MS)
    assert responder.counters() == {"requests": 10, "answered": 5, "foreign_requests": 10}


def test_bodies_that_are_no_requests_are_told_where_they_come_alone() -> None:
    """A batch that holds nothing else counts too."""
    clock = VirtualClock(START_NS)
    port = AskingPort(clock, np.array([], np.int64))
    with patch.object(port, "poll", lambda _: (clock.sleep_ns(NS_PER_MS), empty_deliveries()._replace(foreign=2))):
        _, responder = answer(port, clock, 0, 100 * NS_PER_MS)
    assert responder.counters() == {"requests": 0, "answered": 0, "foreign_requests": 200}
