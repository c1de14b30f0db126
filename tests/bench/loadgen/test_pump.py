"""The loop that decides when, on a port of few words and a virtual clock; and what it deals to whom."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.arrivals.schedule import Constant, Stripe
from bench.drivers.base import Deliveries, Int64, Outcome, Settlements, empty_deliveries, empty_settlements
from bench.host.clock import VirtualClock
from bench.loadgen.pump import Pump, PumpCounters, _Lanes
from bench.loadgen.source import BEAT_NS, OpenLoop
from bench.loadgen.waiting import CATCH_UP_NS, Intake
from bench.record.account import ConsumerLog, ProducerLog, account
from bench.units import NS_PER_MS, NS_PER_S

START_NS = 1_000_000_000


class WaitingPort:
    """Takes one message at a time and waits in `send` until it is confirmed, as synchronous clients do."""

    def __init__(self, clock: VirtualClock, wait_ns: int) -> None:
        """Wait so long for each confirm."""
        self._clock, self._wait_ns = clock, wait_ns
        self._confirmed: tuple[Int64, Int64] | None = None

    def room(self) -> int:
        """Return 1, or 0 while an outcome was not handed over."""
        return int(self._confirmed is None)

    def send(self, lane: Int64, seq: Int64, intended_ns: Int64) -> Int64:
        """Send one message and wait."""
        sent_ns = np.full(len(intended_ns), self._clock.now_ns())
        self._clock.sleep_ns(self._wait_ns)
        self._confirmed = lane, seq
        return sent_ns

    def poll(self, timeout_ns: int) -> tuple[Settlements, Deliveries]:
        """Hand over the outcome, or let time pass."""
        if self._confirmed is None:
            self._clock.sleep_ns(timeout_ns)
            return empty_settlements(), empty_deliveries()
        (lane, seq), self._confirmed = self._confirmed, None
        confirmed = np.full(len(seq), int(Outcome.CONFIRMED))
        return Settlements(lane, seq, confirmed, np.full(len(seq), self._clock.now_ns())), empty_deliveries()

    def counters(self) -> dict[str, int]:
        """Nothing is counted."""
        return {}

    def close(self) -> None:
        """Nothing is open."""


class Until:
    """Cells of a worker that is told to stop when all was sent and settled."""

    def __init__(self, end_ns: int) -> None:
        """End the schedule there."""
        self._end_ns = end_ns
        self._over = False

    def end_ns(self) -> int:
        """Return the end of the schedule."""
        return self._end_ns

    def stopped(self) -> bool:
        """Return whether all was sent and settled."""
        return self._over

    def tokens(self) -> int:
        """None in an open loop."""
        return 0

    def beat(self, progress: PumpCounters, now_ns: int) -> None:  # noqa: ARG002  (the contract's signature)
        """Look whether it is over."""
        self._over = progress.done and progress.settled == progress.sent


def lateness_ms(wait_ms: int) -> tuple[int, float, float]:
    """Send 100 messages, one each 5 ms, each waiting so long; return how many went, its send lag and backpressure."""
    clock = VirtualClock(START_NS)
    log = ProducerLog((0,), START_NS, 1, closed=False)
    source = OpenLoop(Stripe(Constant(200), START_NS, 0, 1))
    cells = Until(START_NS + 500 * NS_PER_MS)
    port = WaitingPort(clock, wait_ms * NS_PER_MS)
    Pump(port, clock, cells, source=source, producer=log, consumer=None, lanes=1).run()
    found = account(log, None, {})
    send_lag, backpressure = (found.latencies[tag].sum_ns / NS_PER_MS for tag in ("send_lag", "backpressure"))
    return log.ledger.finish().sent.item(), send_lag, backpressure


def test_waiting_in_send_is_not_our_own_lateness() -> None:
    """A driver that waits 7 ms for a confirm when one is due each 5 ms falls behind: backpressure, and no send lag."""
    assert lateness_ms(7) == (100, 0, sum(2 * n for n in range(100)))


def test_a_wait_that_ends_in_time_makes_nothing_late() -> None:
    """A confirm within the spacing of messages is neither send lag nor backpressure."""
    assert lateness_ms(3) == (100, 0, 0)


@given(st.integers(1, 7), st.lists(st.integers(1, 4096), max_size=12))
def test_messages_are_dealt_in_turn(lanes: int, batches: list[int]) -> None:
    """Message k goes to lane k mod n as its number k div n, whatever the batches are, and stays so."""
    dealer = _Lanes(lanes)
    dealt = [dealer.deal(batch) for batch in batches]
    numbers = np.arange(sum(batches))
    parts = np.split(numbers, np.cumsum(batches)[:-1]) if batches else []
    for (lane, seq), wanted in zip(dealt, parts, strict=True):
        assert (lane == wanted % lanes).all()
        assert (seq == wanted // lanes).all()
        assert lane.flags.c_contiguous
        assert seq.flags.c_contiguous


class BoundedPort:
    """Consumers that may hold so many messages, of a broker that has any number; they are given back when taken."""

    def __init__(self, clock: VirtualClock, prefetch: int) -> None:
        """Hold `prefetch` messages at once."""
        self._clock, self._prefetch = clock, prefetch
        self.taken: list[tuple[int, int]] = []
        self._next = 0

    def room(self) -> int:
        """Nothing is sent."""
        return 0

    def poll(self, timeout_ns: int) -> tuple[Settlements, Deliveries]:  # noqa: ARG002  (there is always news)
        """Return what the consumers may hold."""
        now_ns = self._clock.now_ns()
        self.taken.append((now_ns, self._prefetch))
        seq = np.arange(self._next, self._next + self._prefetch)
        self._next += self._prefetch
        at = np.full(self._prefetch, now_ns)
        return empty_settlements(), Deliveries(seq * 0, seq * 0, seq, at, at, at, seq * 0)


class Watched:
    """Cells of a consumer that is told to stop after a time, and how often it showed progress."""

    def __init__(self, clock: VirtualClock, until_ns: int) -> None:
        """Stop then."""
        self._clock, self._until_ns = clock, until_ns
        self.beats_ns: list[int] = []

    def end_ns(self) -> int:
        """Return the end of the schedule."""
        return self._until_ns

    def stopped(self) -> bool:
        """Return whether the time is up."""
        return self._clock.now_ns() >= self._until_ns

    def tokens(self) -> int:
        """None are needed."""
        return 0

    def beat(self, progress: PumpCounters, now_ns: int) -> None:  # noqa: ARG002  (the contract's signature)
        """Note when."""
        self.beats_ns.append(now_ns)


@pytest.mark.compiled
@given(st.integers(1, 400), st.floats(50, 5_000))
def test_a_slow_consumer_leaves_the_port_alone_between_its_portions(prefetch: int, rate: float) -> None:
    """It never takes more than its rate allows, beyond what it may hold and catch up; and it shows that it lives."""
    clock = VirtualClock(START_NS)
    port, cells = BoundedPort(clock, prefetch), Watched(clock, START_NS + 10 * NS_PER_S)
    log = ConsumerLog(1, 1, 1, START_NS, closed=False)
    Pump(port, clock, cells, source=None, producer=None, consumer=log, intake=Intake(rate)).run()  # type: ignore[arg-type]
    taken = np.cumsum([count for _, count in port.taken])
    elapsed_s = (np.array([at for at, _ in port.taken]) - START_NS) / NS_PER_S
    assert (taken <= elapsed_s * rate + CATCH_UP_NS / NS_PER_S * rate + prefetch + 1e-3).all()
    assert (taken >= elapsed_s * rate * (1 - 1e-5) - 1e-3).all()
    assert max(np.diff([START_NS, *cells.beats_ns])) <= 2 * BEAT_NS


def test_a_message_that_is_late_by_our_own_doing_is_not_dropped() -> None:
    """The port had room while we slept for 3 s: all is sent, and the lateness is send lag."""
    clock = VirtualClock(START_NS)
    log = ProducerLog((0,), START_NS, 1 << 12, closed=False)
    source = OpenLoop(Stripe(Constant(200), START_NS, 0, 1))
    cells = Until(START_NS + 500 * NS_PER_MS)
    clock.sleep_ns(3 * NS_PER_S)
    port = RoomyPort(clock)
    Pump(port, clock, cells, source=source, producer=log, consumer=None, lanes=1, drop_after_ns=NS_PER_MS).run()
    assert log.ledger.finish().sent.item() == 100
    assert account(log, None, {}).latencies["send_lag"].sum_ns == sum(
        3 * NS_PER_S - n * 5 * NS_PER_MS for n in range(100)
    )


class RoomyPort(WaitingPort):
    """Takes everything at once and confirms it with the next poll."""

    def __init__(self, clock: VirtualClock) -> None:
        """Never wait."""
        super().__init__(clock, 0)

    def room(self) -> int:
        """Return a lot."""
        return 1 << 12


class PlannedPort(RoomyPort):
    """Can be handed messages ahead of their times, and notes that it was."""

    planned = 0

    def plans(self) -> bool:
        """Return that it can."""
        return True

    def send_planned(self, lane: Int64, seq: Int64, due_ns: Int64, until_ns: int, coalesce_ns: int) -> Int64:  # noqa: ARG002
        """Send each when it is due."""
        self.planned += len(lane)
        self.send(lane, seq, due_ns)
        self._clock.sleep_ns(until_ns - self._clock.now_ns())
        return due_ns


@pytest.mark.parametrize("plans", [True, False])
def test_a_port_is_handed_messages_ahead_only_where_its_driver_declares_it(plans: bool) -> None:  # noqa: FBT001
    """Methods of that name alone are no promise: what is not declared is not used."""
    clock = VirtualClock(START_NS)
    port, log = PlannedPort(clock), ProducerLog((0,), START_NS, 1 << 12, closed=False)
    source, cells = OpenLoop(Stripe(Constant(200), START_NS, 0, 1)), Until(START_NS + 500 * NS_PER_MS)
    Pump(port, clock, cells, source=source, producer=log, consumer=None, lanes=1, plans=plans).run()
    assert log.ledger.finish().sent.item() == 100
    assert port.planned == (100 if plans else 0)
