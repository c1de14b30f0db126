"""How the pump waits, on virtual time: asleep, busily, or for company."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.arrivals.schedule import Constant, Poisson, Schedule, Stripe
from bench.drivers.base import ConsumerLane, Deliveries, Int64, PortSpec, ProducerLane, Settlements
from bench.drivers.memory_broker import MemoryPort
from bench.host.clock import VirtualClock
from bench.loadgen.pump import Pump, PumpCounters
from bench.loadgen.source import OpenLoop
from bench.loadgen.waiting import Pacer
from bench.record.account import ProducerLog
from bench.run.memory_trial import run_inline
from bench.scenario.scenario import MemoryBroker, Plan, Workload
from bench.units import NS_PER_MS, NS_PER_S
from tests.examples import examples

START_NS = NS_PER_S
POLL_NS = 1_000


class Watched(MemoryPort):
    """A memory port that notes what is sent and when; looking costs 1 µs, and sleepers wake late."""

    def __init__(self, clock: VirtualClock, window: int, capacity: float, wake_ns: int) -> None:
        """Serve one lane on a window; a sleep ends `wake_ns` too late."""
        spec = PortSpec(None, (ProducerLane(0, "q"),), (ConsumerLane(0, "q"),), 100, confirm_window=window)
        script = MemoryBroker.model_validate({"name": "m", "kind": "memory", "capacity": capacity})
        super().__init__(spec, clock, script)
        self._virtual = clock
        self._wake_ns = wake_ns
        self.intended: list[int] = []
        self.sent: list[int] = []
        self.writes_ns: list[int] = []
        self.served = 0

    def send(self, lane: Int64, seq: Int64, intended_ns: Int64) -> Int64:
        """Note a batch and send it."""
        sent_ns = super().send(lane, seq, intended_ns)
        self.writes_ns.append(self._virtual.now_ns())
        self.intended += intended_ns.tolist()
        self.sent += sent_ns.tolist()
        return sent_ns

    def poll(self, timeout_ns: int) -> tuple[Settlements, Deliveries]:
        """Let time pass, some of it even where nobody sleeps."""
        self._virtual.sleep_ns(self._wake_ns if timeout_ns else POLL_NS)
        news = super().poll(timeout_ns)
        self.served += len(news[1].seq)
        return news


class Cells:
    """A conductor that ends the schedule after a while and stops the loop a little later."""

    def __init__(self, clock: VirtualClock, length_ns: int) -> None:
        """Run for so long."""
        self._clock = clock
        self._end_ns = START_NS + length_ns

    def end_ns(self) -> int:
        """Return the end."""
        return self._end_ns

    def stopped(self) -> bool:
        """Return whether the end is 20 ms past."""
        return self._clock.now_ns() > self._end_ns + 20 * NS_PER_MS

    def tokens(self) -> int:
        """Return no tokens."""
        return 0

    def beat(self, progress: PumpCounters, now_ns: int) -> None:
        """Look away."""


def pumped(
    schedule: Schedule, pacer: Pacer, *, length_ns: int = NS_PER_S // 10, window: int = 0, capacity: float = 1e9,
    wake_ns: int = 0,
) -> tuple[Watched, dict[str, int]]:  # fmt: skip
    """Pump a schedule into a memory port; return the port and what the pump counted."""
    clock = VirtualClock(START_NS)
    port = Watched(clock, window, capacity, wake_ns)
    pump = Pump(
        port, clock, Cells(clock, length_ns), source=OpenLoop(Stripe(schedule, START_NS)),
        producer=ProducerLog((0,), START_NS, window, closed=False), consumer=None, lanes=1, pacer=pacer,
    )  # fmt: skip
    pump.run()
    due = START_NS + schedule.times(0, 100_000)
    due = due[due < START_NS + length_ns]
    assert port.intended == due[: len(port.intended)].tolist()
    assert window or len(port.intended) == len(due)
    return port, pump.counters()


def test_a_message_is_sent_when_it_is_due() -> None:
    """By default each message goes out by itself, at its time."""
    port, counters = pumped(Constant(3_000), Pacer())
    assert port.sent == port.intended
    assert len(port.writes_ns) == 300
    assert counters == {}


schedules = st.one_of(
    st.builds(Constant, st.floats(50, 20_000)), st.builds(Poisson, st.floats(50, 20_000), st.integers(0, 1 << 31))
)


@settings(max_examples=examples(0.5))
@given(schedules, st.integers(1, 10 * NS_PER_MS))
def test_coalescing_waits_so_long_and_no_longer(schedule: Schedule, coalesce_ns: int) -> None:
    """No message is early or waits for longer than `coalesce`, and writes are so far apart."""
    port, _ = pumped(schedule, Pacer(coalesce_ns=coalesce_ns), length_ns=40 * NS_PER_MS)
    late = np.array(port.sent) - np.array(port.intended)
    # A look that finds nothing to do takes a microsecond.
    assert ((late >= 0) & (late <= coalesce_ns + POLL_NS)).all()
    assert (np.diff(port.writes_ns) >= coalesce_ns).all()


def test_coalescing_saves_writes() -> None:
    """At 10,000 messages a second, 2 ms make 51 writes of the first message and 20 each from 1,000 of one."""
    single, _ = pumped(Constant(10_000), Pacer())
    joined, _ = pumped(Constant(10_000), Pacer(coalesce_ns=2 * NS_PER_MS))
    assert (len(single.writes_ns), len(joined.writes_ns)) == (1_000, 51)
    assert max(np.array(joined.sent) - np.array(joined.intended)) == 1_900_000


def test_coalescing_holds_nobody_back_who_waits_for_room() -> None:
    """A sender that is behind sends whenever there is room: a slow broker is kept as busy as without."""
    slow = {"length_ns": NS_PER_S, "window": 2, "capacity": 500.0}
    plain, _ = pumped(Constant(2_000), Pacer(), **slow)
    joined, _ = pumped(Constant(2_000), Pacer(coalesce_ns=10 * NS_PER_MS), **slow)
    assert joined.served == pytest.approx(plain.served, abs=10)
    assert plain.served > 490


@settings(max_examples=examples(0.5))
@given(schedules, st.integers(1, NS_PER_MS))
def test_spinning_never_sends_early(schedule: Schedule, spin_ns: int) -> None:
    """However long the busy wait, no message goes out before it is due; what is counted is at most the wait of each."""
    port, counters = pumped(schedule, Pacer(spin_ns=spin_ns), length_ns=10 * NS_PER_MS)
    late = np.array(port.sent) - np.array(port.intended)
    assert ((late >= 0) & (late <= POLL_NS)).all()
    assert 0 <= counters["spin_ns"] <= (len(late) + 2) * (spin_ns + POLL_NS)


def test_spinning_hides_a_late_wake_up() -> None:
    """A host that wakes sleepers 60 µs late makes every message so late, and none whose last 100 µs are spent awake."""
    asleep, _ = pumped(Constant(1_000), Pacer(), wake_ns=60_000)
    awake, counters = pumped(Constant(1_000), Pacer(spin_ns=100_000), wake_ns=60_000)
    assert min(np.array(asleep.sent[1:]) - np.array(asleep.intended[1:])) == 60_000
    assert max(np.array(awake.sent) - np.array(awake.intended)) <= POLL_NS
    assert counters["spin_ns"] == pytest.approx(100 * 40_000, rel=0.05)


def test_a_scenario_says_how_a_worker_waits() -> None:
    """`coalesce` reaches the pump, and shows as send lag; `spin` is left out where time is virtual."""
    load = {"kind": "rate", "rate": 1_000}
    work = Workload.model_validate({"name": "w", "duration": "1s", "load": load, "coalesce": "5ms", "spin": "1ms"})
    script = MemoryBroker.model_validate({"name": "m", "kind": "memory"})
    account, *_ = run_inline(work, script, Plan.model_validate({"warm_up": {"settle": "0s"}}), 1, ("q",))
    assert 0 < account.latencies["send_lag"].sum_ns <= 5 * NS_PER_MS * 1_000
    assert account.sent is not None
    assert account.sent.sent.tolist() == [1_000]
    assert "spin_ns" not in account.counters
