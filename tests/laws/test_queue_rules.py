"""Rules by which queues end messages, on the scripted broker: exactly those that the walk says, and every copy told."""

import math
from collections import deque

import numpy as np
import pytest

from bench.drivers.base import ConsumerLane, Outcome, PortSpec, ProducerLane
from bench.drivers.memory_broker import MemoryPort, MemoryRouting, QueueRules
from bench.host.clock import VirtualClock
from bench.loadgen.waiting import CATCH_UP_NS
from bench.scenario.scenario import MemoryBroker
from bench.units import NS_PER_MS, NS_PER_S
from tests.laws.inline import Played, adds_up, equal, play, served

pytestmark = pytest.mark.compiled

SERVICE_NS = NS_PER_S // 2_000
SLOW = 100


def one_queue(letters: bool, **arguments: object) -> dict[str, object]:  # noqa: FBT001  (a case of a test)
    """Return a workload of one queue with these arguments and a consumer of 100 a second."""
    more = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"} if letters else {}
    named = {f"x-{name.replace('_', '-')}": value for name, value in arguments.items()}
    return {
        "keys": "q",
        "topology": {"queues": [{"name": "q", "arguments": named | more}, {"name": "dead"}]},
        "consume": "q", "consumer_rate": SLOW, "prefetch": 1, "ack_batch": 1, "duration": "4s",
    }  # fmt: skip


class Walk:
    """One queue, message by message: what is taken when, and what ends how."""

    def __init__(
        self, departs: np.ndarray, ttl_ns: int = 1 << 60, most: int = 1 << 60, *, refuses: bool = False
    ) -> None:
        """Take what departs, as a consumer that may hold one message does."""
        self.taken: dict[int, int] = {}
        self.ended: dict[str, list[int]] = {"expired": [], "maxlen": [], "refused": []}
        self._waiting: deque[tuple[int, int]] = deque()
        self._free, self._ttl_ns = -CATCH_UP_NS, ttl_ns  # long idle
        for number, at in enumerate(departs.tolist()):
            self._take(at)
            self._expire(at)
            if refuses and len(self._waiting) == most:
                self.ended["refused"].append(number)
                continue
            self._waiting.append((number, at))
            if len(self._waiting) > most:
                self.ended["maxlen"].append(self._waiting.popleft()[0])
        self._take(1 << 61)

    def _expire(self, now: int) -> None:
        while self._waiting and self._waiting[0][1] + self._ttl_ns < now:
            self.ended["expired"].append(self._waiting.popleft()[0])

    def _take(self, before: int) -> None:
        while self._waiting and (at := max(self._free, self._waiting[0][1])) < before:
            self._expire(at)
            if self._waiting and self._waiting[0][1] <= at:
                self.taken[self._waiting.popleft()[0]] = at
                self._free = max(self._free, at - CATCH_UP_NS) + math.ceil(NS_PER_S / SLOW)


def assert_as_walked(played: Played, walk: Walk, reason: str, *, letters: bool) -> None:
    """Hold what was received and what ended to the walk, and the ledger to both."""
    assert {seq: received for _, _, seq, received, _ in played.rows} == walk.taken
    numbers = walk.ended[reason]
    told = {one.reason: one.seq.tolist() for one in played.trial.dead}
    assert told == ({reason: numbers} if letters else {})
    ledger = played.ledger
    assert ledger.ended == ({reason: len(numbers)} if letters else {})
    assert (ledger.by_rule, ledger.lost) == (0 if letters else len(numbers), 0)
    assert (ledger.sent, ledger.received) == (len(played.due), len(walk.taken))
    assert adds_up(ledger)
    seqs = np.array(list(walk.taken))
    assert equal(played.merged.latencies["response"], np.array(list(walk.taken.values())) - played.due[seqs])


@pytest.mark.parametrize("letters", [True, False])
@pytest.mark.parametrize("arrivals", ["constant", "poisson"])
def test_overflow_drops_exactly_those_at_the_head(arrivals: str, letters: bool) -> None:  # noqa: FBT001
    """Twice as fast as they are taken, 10 may wait; closed form: dropped is what neither was taken nor waits."""
    load = {"load": {"kind": "rate", "rate": 2 * SLOW, "arrivals": arrivals}}
    played = play(one_queue(letters, max_length=10) | load, {"capacity": 2_000})
    walk = Walk(served(played.due, SERVICE_NS), most=10)
    assert_as_walked(played, walk, "maxlen", letters=letters)
    if arrivals == "constant":
        assert len(walk.ended["maxlen"]) == pytest.approx(4 * 2 * SLOW - 4 * SLOW - 10, abs=2)


def test_reject_publish_refuses_exactly_those_too_many() -> None:
    """They are nacked when they come; nobody awaits them, and the trial drains with Little's law."""
    load = {"load": {"kind": "rate", "rate": 2 * SLOW, "arrivals": "poisson"}}
    played = play(one_queue(letters=False, max_length=10, overflow="reject-publish") | load, {"capacity": 2_000})
    departs = served(played.due, SERVICE_NS)
    walk = Walk(departs, most=10, refuses=True)
    refused = walk.ended["refused"]
    told = [(seq, at) for seq, outcome, at in played.settled if outcome == Outcome.REFUSED]
    assert told == [(seq, int(departs[seq])) for seq in refused]
    assert {seq: received for _, _, seq, received, _ in played.rows} == walk.taken
    ledger = played.ledger
    assert (ledger.refused, ledger.unconfirmed_missing) == (len(refused), len(refused))
    assert (ledger.by_rule, ledger.lost, ledger.undelivered) == (0, 0, 0)
    assert adds_up(ledger)
    assert played.trial.control.drained
    assert played.merged.little is not None
    assert played.merged.little.holds


@pytest.mark.parametrize("letters", [True, False])
@pytest.mark.parametrize("ttl_ms", [5, 95, 4_000])
def test_what_waits_longer_than_its_time_expires(ttl_ms: int, letters: bool) -> None:  # noqa: FBT001
    """And nothing else does."""
    load = {"load": {"kind": "rate", "rate": 1.5 * SLOW, "arrivals": "poisson"}}
    played = play(one_queue(letters, message_ttl=ttl_ms) | load, {"capacity": 2_000})
    walk = Walk(served(played.due, SERVICE_NS), ttl_ns=ttl_ms * NS_PER_MS)
    assert (len(walk.ended["expired"]) > 0) == (ttl_ms < 4_000)
    if walk.ended["expired"]:
        assert_as_walked(played, walk, "expired", letters=letters)
    else:
        assert played.ledger.received == len(played.due)


@pytest.mark.parametrize(("late_ns", "received"), [(0, 1), (1, 0)])
def test_what_is_taken_at_the_very_end_of_its_time_is_received(late_ns: int, received: int) -> None:
    """A nanosecond later it has expired, and is a dead letter."""
    clock = VirtualClock(NS_PER_S)
    spec = PortSpec(None, (ProducerLane(0, "q"),), (ConsumerLane(0, "q"),), 100)
    rules = {"q": QueueRules(ttl_ns=NS_PER_MS, dead=(True,))}
    script = MemoryBroker(name="m", kind="memory", capacity=1_000)
    port = MemoryPort(spec, clock, script, MemoryRouting(rules=rules))
    zero = np.zeros(1, np.int64)
    port.send(zero, zero, zero)
    port.hold(NS_PER_S + 2 * NS_PER_MS + late_ns)
    came = sum(len(port.poll(10 * NS_PER_MS)[1].seq) for _ in range(3))
    assert (came, len(port.dead), port.depth()) == (received, 1 - received, 0)


def test_time_to_live_and_greatest_length_work_together() -> None:
    """Each ends its own; both are told apart."""
    load = {"load": {"kind": "rate", "rate": 3 * SLOW, "arrivals": "poisson"}}
    played = play(one_queue(letters=True, message_ttl=40, max_length=5) | load, {"capacity": 2_000})
    walk = Walk(served(played.due, SERVICE_NS), ttl_ns=40 * NS_PER_MS, most=5)
    assert played.ledger.ended == {reason: len(rows) for reason, rows in walk.ended.items() if rows}
    assert len(played.ledger.ended) == 2
    assert adds_up(played.ledger)
