"""Requests and replies of the compiled driver over 1.0, against the relay: who asked is answered, once, in time."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench.arrivals.keys import in_turn
from bench.ceiling.measure import relay
from bench.drivers.base import ConsumerLane, PortSpec, ProducerLane, Properties, ReplyAddress, Route
from bench.drivers.wire.wire10 import open_port
from bench.host.clock import RealClock
from bench.units import NS_PER_MS, NS_PER_S
from brokers.endpoint import Endpoint

pytestmark = pytest.mark.compiled

CLOCK = RealClock()


@pytest.fixture(scope="module")
def at() -> Iterator[Endpoint]:
    """A relay."""
    with relay() as where:
        yield Endpoint("amqp10", "127.0.0.1", where, "/", None, "guest", "guest")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What ends with the test."""
    with ExitStack() as ends:
        yield ends


def opened(stack: ExitStack, spec: PortSpec) -> Any:
    """Open a port."""
    port = open_port(spec, CLOCK)
    stack.callback(port.close)
    return port


class Calls:
    """Requests of some lanes, and the ports of both sides.

    Attributes:
        sent: (lane, seq) to (intended, sent) of each request.
        answered: the same of requests that were answered.
        came: rows of replies, as (lane, producer, seq, intended, sent).
        waiting: requests that a responder had no room to answer yet, as (producer, seq, intended, sent).
    """

    def __init__(self, requesting: Any, responding: Any, lanes: int) -> None:
        """Begin with none."""
        self.requesting, self.responding, self.lanes = requesting, responding, lanes
        self.sent: dict[tuple[int, int], tuple[int, int]] = {}
        self.came: list[tuple[int, ...]] = []
        self.waiting: dict[Any, list[tuple[int, ...]]] = {}

    def ask(self, first: int, count: int) -> None:
        """Send requests, dealt over the lanes."""
        number = np.arange(first, first + count)
        lane, seq, intended_ns = number % self.lanes, number // self.lanes, CLOCK.now_ns() - number
        sent_ns = self.requesting.send(lane, seq, intended_ns)
        for row in zip(lane.tolist(), seq.tolist(), intended_ns.tolist(), sent_ns.tolist(), strict=True):
            self.sent[row[0], row[1]] = row[2:]

    def turn(self) -> None:
        """Answer what came, and take what was answered."""
        asked = self.responding.poll(5 * NS_PER_MS)[1]
        waiting = self.waiting.setdefault(self.responding, [])
        waiting += zip(*(row.tolist() for row in asked[1:5]), strict=True)
        fitting = waiting[: self.responding.room()]
        if fitting:
            before = CLOCK.now_ns()
            replied_ns = self.responding.reply(*np.array(fitting).T.copy())
            assert (replied_ns >= before).all()
            del waiting[: len(fitting)]
        d = self.requesting.poll(5 * NS_PER_MS)[1]
        self.came += zip(*(row.tolist() for row in d[:5]), strict=True)

    def until(self, replies: int) -> None:
        """Go on until so many replies came, at most 10 s."""
        deadline_ns = CLOCK.now_ns() + 10 * NS_PER_S
        while len(self.came) < replies:
            assert CLOCK.now_ns() < deadline_ns, (len(self.came), self.responding.counters())
            self.turn()

    def check(self, first_producer: int) -> None:
        """Each request was answered once, on its own lane, with its own stamp."""
        expected = [(lane, first_producer + lane, seq, *times) for (lane, seq), times in self.sent.items()]
        assert sorted(self.came) == sorted(expected)


def calling(at: Endpoint, lanes: int, reply: str, **options: Any) -> PortSpec:
    """Ask for requesters numbered from 40; each takes replies on a queue of its own."""
    return PortSpec(
        at,
        tuple(ProducerLane(40 + lane, "calls") for lane in range(lanes)),
        tuple(ConsumerLane(lane, f"{reply}-{lane}" if reply else "", reply=True) for lane in range(lanes)),
        options.pop("size", 100),
        requests=True,
        **options,
    )


def answering(at: Endpoint, queue: str = "calls", **options: Any) -> PortSpec:
    """Ask for a responder."""
    return PortSpec(at, (), (ConsumerLane(0, queue),), 100, reply_size=options.pop("reply_size", 300), **options)


@pytest.mark.parametrize("reply", ["replies", ReplyAddress.DYNAMIC], ids=["queue", "dynamic"])
@pytest.mark.parametrize(("lanes", "together"), [(1, 1), (5, 2), (4, 4)])
@pytest.mark.parametrize("compact", [False, True])
def test_each_requester_gets_its_answers(
    at: Endpoint,
    stack: ExitStack,
    reply: str,
    lanes: int,
    together: int,
    compact: bool,  # noqa: FBT001
) -> None:
    """On its own lane, with the stamp of the request, however lanes share connections."""
    responding = opened(stack, answering(at, compact=compact))
    requesting = opened(
        stack, calling(at, lanes, reply, lanes_per_connection=together, compact=compact, confirm_window=8)
    )
    assert len(requesting._connections) == -(-lanes // together)
    calls = Calls(requesting, responding, lanes)
    for burst in range(4):
        room = requesting.room()
        assert room == 8 * lanes
        calls.ask(burst * 3 * lanes, 3 * lanes)
        calls.until((burst + 1) * 3 * lanes)
        deadline_ns = CLOCK.now_ns() + 5 * NS_PER_S
        while requesting.room() < 8 * lanes:
            assert CLOCK.now_ns() < deadline_ns
            requesting.poll(NS_PER_MS)
    if compact:
        calls.sent = {key: (times[0], times[0]) for key, times in calls.sent.items()}
    calls.check(40)
    assert "unanswerable" not in responding.counters()


def test_requests_that_are_routed_are_answered_too(at: Endpoint, stack: ExitStack) -> None:
    """Two keys, a responder each; large replies, which are parked when the window is full."""
    calls = Calls(
        opened(stack, calling(at, 2, "", route=Route("", ("r0", "r1"), in_turn(2)), confirm_window=8)), None, 2
    )
    ends = [opened(stack, answering(at, f"r{n}", reply_size=200_000)) for n in range(2)]
    calls.ask(0, 8)
    deadline_ns = CLOCK.now_ns() + 10 * NS_PER_S
    while len(calls.came) < 8:
        assert CLOCK.now_ns() < deadline_ns
        for end in ends:
            calls.responding = end
            calls.turn()
    calls.check(40)


def test_who_gave_no_address_cannot_be_answered(at: Endpoint, stack: ExitStack) -> None:
    """It is counted, and those that can be are answered."""
    responding = opened(stack, answering(at))
    plain = opened(stack, PortSpec(at, (ProducerLane(7, "calls"),), (), 100))
    plain.send(np.zeros(3, np.int64), np.arange(3), np.zeros(3, np.int64))
    calls = Calls(opened(stack, calling(at, 1, "", properties=Properties(correlation_id="c-{seq}"))), responding, 1)
    calls.ask(0, 4)
    calls.until(4)
    calls.check(40)
    while responding.counters().get("unanswerable", 0) < 3:
        calls.turn()
        plain.poll(0)
    none = np.array([7, -1, 5_000, 2**40])
    replied_ns = responding.reply(none, none, none, none)
    assert (replied_ns > 0).all()
    assert responding.counters()["unanswerable"] == 7


def test_thousands_of_requesters_are_learned(at: Endpoint, stack: ExitStack) -> None:
    """Numbers beyond the room at first; the first request of each is answered."""
    lanes = 60
    responding = opened(stack, answering(at))
    spec = calling(at, lanes, "", lanes_per_connection=20)
    many = tuple(ProducerLane(100 * lane, "calls") for lane in range(lanes))
    calls = Calls(opened(stack, replace(spec, producers=many)), responding, lanes)
    calls.ask(0, lanes)
    calls.until(lanes)
    assert sorted(row[:2] for row in calls.came) == [(lane, 100 * lane) for lane in range(lanes)]
