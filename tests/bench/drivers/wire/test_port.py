"""The port of the compiled drivers against brokers of few words: throttled, silent, broken, multiplexed."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pika import spec

from bench.drivers.base import PATIENT, ConnectionLost, ConsumerLane, PortSpec, ProducerLane, Refused
from bench.drivers.wire.port import WirePort
from bench.drivers.wire.receive_loop import COMPILED
from bench.drivers.wire.wire091 import open_port
from bench.host.clock import RealClock
from bench.units import NS_PER_MS, NS_PER_S
from tests.bench.drivers.amqp091_server import Amqp091Server
from tests.bench.wire.amqp091_twin import stamped

pytestmark = pytest.mark.compiled


CLOCK = RealClock()
needs_compiler = pytest.mark.skipif(not COMPILED, reason="the loops that plan and gather run compiled only")


@pytest.fixture
def server() -> Iterator[Amqp091Server]:
    """A broker that opens what is asked."""
    made = Amqp091Server()
    yield made
    made.stop()


def producer(server: Amqp091Server, size: int = 40, **options: Any) -> WirePort:
    """Open a port with one producer."""
    return open_port(PortSpec(server.endpoint, (ProducerLane(7, "q"),), (), size, **options), CLOCK)


def numbers(count: int) -> tuple[Any, Any]:
    """Return lane 0 and the first numbers."""
    return np.zeros(count, np.int64), np.arange(count)


def test_a_plan_needs_the_compiler(server: Amqp091Server) -> None:
    """Without it the pump is told to send each message itself."""
    port = producer(server)
    assert port.plans() is COMPILED
    port.close()


@needs_compiler
def test_planned_messages_wait_for_their_times(server: Amqp091Server) -> None:
    """Each is stamped at its time or later; what is due after the end stays, but for what came due while we slept."""
    port = producer(server, confirm_window=0)
    lane, seq = numbers(10)
    begin_ns = CLOCK.now_ns()
    due_ns = begin_ns + seq * 2 * NS_PER_MS
    sent_ns = port.send_planned(lane, seq, due_ns, begin_ns + 9 * NS_PER_MS, 0)
    assert CLOCK.now_ns() - begin_ns >= 9 * NS_PER_MS
    port.close()
    assert len(sent_ns) == max(5, np.searchsorted(due_ns, sent_ns[-1], "right"))
    assert (sent_ns >= due_ns[: len(sent_ns)]).all()


@needs_compiler
def test_coalescing_makes_fewer_writes(server: Amqp091Server) -> None:
    """Messages that are due every 0.2 ms go out every 2 ms, under one stamp each time."""
    port = producer(server, confirm_window=0)
    lane, seq = numbers(100)
    begin_ns = CLOCK.now_ns()
    due_ns = begin_ns + seq * NS_PER_MS // 5
    sent_ns = port.send_planned(lane, seq, due_ns, begin_ns + 100 * NS_PER_MS, 2 * NS_PER_MS)
    assert len(sent_ns) == 100
    stamps = np.unique(sent_ns)
    assert len(stamps) <= 12
    assert (np.diff(stamps) >= 2 * NS_PER_MS).all()
    port.close()


@needs_compiler
def test_a_full_window_ends_a_plan_and_confirms_go_on_with_it(server: Amqp091Server) -> None:
    """What was confirmed while the plan went on is handed over by the next poll."""
    port = producer(server, confirm_window=4)
    lane, seq = numbers(6)
    due_ns = np.full(6, CLOCK.now_ns())
    begin = time.monotonic()
    assert len(port.send_planned(lane, seq, due_ns, CLOCK.now_ns() + NS_PER_S, 0)) == 4
    assert time.monotonic() - begin < 0.5
    assert port.room() == 0
    server.say(spec.Basic.Ack(2, multiple=True))
    settlements, _ = port.poll(NS_PER_S)
    assert settlements.seq.tolist() == [0, 1]
    threading.Timer(0.05, server.say, [spec.Basic.Ack(4, multiple=True)]).start()
    due_ns = CLOCK.now_ns() + np.array([0, 200]) * NS_PER_MS
    sent_ns = port.send_planned(lane[4:], seq[4:], due_ns, CLOCK.now_ns() + NS_PER_S, 0)
    assert (sent_ns >= due_ns).all()
    settlements, _ = port.poll(0)
    assert settlements.seq.tolist() == [2, 3]
    assert settlements.at_ns.max() < sent_ns[1]
    port.close()


@needs_compiler
def test_a_patient_plan_waits_for_room(server: Amqp091Server) -> None:
    """What does not fit into the window goes out as confirms come, without a return in between."""
    port = producer(server, confirm_window=2)
    lane, seq = numbers(6)
    due_ns = np.full(6, CLOCK.now_ns())
    for delay, tag in ((0.02, 2), (0.04, 4)):
        threading.Timer(delay, server.say, [spec.Basic.Ack(tag, multiple=True)]).start()
    sent_ns = port.send_planned(lane, seq, due_ns, CLOCK.now_ns() + 200 * NS_PER_MS, PATIENT)
    assert len(sent_ns) == 6
    assert np.diff(sent_ns)[[1, 3]].min() > 5 * NS_PER_MS
    settlements, _ = port.poll(0)
    assert settlements.seq.tolist() == [0, 1, 2, 3]
    port.close()


def received_apart(gather_ns: int) -> list[int]:
    """Deliver two messages 3 ms apart; return when those of the first poll were received."""
    own = Amqp091Server()
    port = open_port(PortSpec(own.endpoint, (), (ConsumerLane(0, "q"),), 40, gather_ns=gather_ns, ack_batch=0), CLOCK)
    own.deliver(1, stamped(1, 2, 40))
    timer = threading.Timer(0.003, own.deliver, [2, stamped(1, 2, 40)])
    timer.start()
    try:
        _, deliveries = port.poll(NS_PER_S)
        return [int(at_ns) for at_ns in deliveries.received_ns]
    finally:
        timer.join()
        port.close()
        own.stop()


@needs_compiler
@pytest.mark.parametrize("gather_ns", [20 * NS_PER_MS, 0])
def test_a_consumer_that_gathers_stamps_each_message_when_it_comes(gather_ns: int) -> None:
    """Two messages 3 ms apart are handed over together, with times 3 ms apart; without gathering, one by one.

    A host that is away for some milliseconds moves messages together or apart, so one of a few tries must show it.
    """
    for _ in range(20):
        came = received_apart(gather_ns)
        if (len(came) == 2 and came[1] - came[0] > 2 * NS_PER_MS) if gather_ns else len(came) == 1:
            return
    pytest.fail(f"received at {came}")


def until_error(port: WirePort, timeout_ns: int, plan: bool = False) -> None:  # noqa: FBT001, FBT002
    """Poll, or plan and poll, until the port raises; give up after 10 s."""
    deadline_ns = CLOCK.now_ns() + 10 * NS_PER_S
    lane, seq = numbers(1)
    while CLOCK.now_ns() < deadline_ns:
        if plan and port.room():
            port.send_planned(lane, seq, seq, CLOCK.now_ns() + NS_PER_MS, 0)
        port.poll(timeout_ns)


@pytest.mark.parametrize("planned", [False, pytest.param(True, marks=needs_compiler)])
def test_a_connection_that_breaks_is_told_with_its_lane(server: Amqp091Server, planned: bool) -> None:  # noqa: FBT001
    """Whichever compiled loop meets it."""
    port = producer(server)
    server.stop()
    with pytest.raises(ConnectionLost, match=r"dropped producer 7 of queue 'q' over AMQP 0-9-1: "):
        until_error(port, NS_PER_MS, planned)
    port.close()


def test_hostile_octets_are_a_fault_of_the_peer_and_say_so(server: Amqp091Server) -> None:
    """No hang and no traceback: one sentence of what came."""
    port = producer(server)
    assert server._client is not None
    server._client.sendall(b"\x01\x00\x01\xff\xff\xff\xff")
    with pytest.raises(ConnectionLost, match="it sent a frame larger than was agreed"):
        until_error(port, 10 * NS_PER_MS)
    port.close()


def test_another_protocol_is_recognised() -> None:
    """A server that greets with text is not waited for."""

    class Web(Amqp091Server):
        def _serve(self) -> None:
            self._client, _ = self._listener.accept()
            self._client.sendall(b"HTTP/1.1 400 Bad Request\r\n")

    web = Web()
    with pytest.raises((Refused, ConnectionLost), match="no AMQP 0-9-1: b'HTTP"):
        producer(web)
    web.stop()


def test_a_silent_broker_is_given_up_after_two_heartbeats() -> None:
    """And hears ours meanwhile."""
    server = Amqp091Server(heartbeat_s=1)
    port = producer(server)
    begin = time.monotonic()
    with pytest.raises(ConnectionLost, match="nothing came from it for 2 s, not even a heartbeat"):
        until_error(port, 50 * NS_PER_MS)
    assert time.monotonic() - begin < 4
    assert server.heartbeats >= 2
    port.close()
    server.stop()
