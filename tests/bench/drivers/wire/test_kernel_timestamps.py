"""When octets came: by the kernel's clock where it tells, by the read where it does not, and never wrong in silence."""

import os
import resource
import socket
import threading
import time
from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
from pika import spec as spec_of_pika
from proton import Message

from bench.drivers.base import ConnectionLost, ConsumerLane, PortSpec, ProducerLane
from bench.drivers.sockets.stream import SO_TIMESTAMPNS, Stream
from bench.drivers.wire.kernel_timestamps import HIGH_NS, LOW_NS
from bench.drivers.wire.port import WirePort
from bench.drivers.wire.receive_loop import COMPILED
from bench.drivers.wire.wire091 import open_port
from bench.drivers.wire.wire10 import open_port as open_10
from bench.host.clock import RealClock
from bench.units import NS_PER_MS, NS_PER_S
from tests.bench.drivers.amqp091_server import Amqp091Server
from tests.bench.drivers.amqp10_server import Amqp10Server
from tests.bench.wire.amqp091_twin import stamped

pytestmark = [
    pytest.mark.compiled,
    pytest.mark.skipif(not COMPILED, reason="the kernel is asked for times by compiled code only"),
]

CLOCK = RealClock()
STOPPED_NS = 20 * NS_PER_MS
AN_HOUR_NS = 3_600 * NS_PER_S


@pytest.fixture
def server() -> Iterator[Amqp091Server]:
    """A broker that opens what is asked."""
    made = Amqp091Server()
    yield made
    made.stop()


def consumer(server: Amqp091Server, *, turns: bool = False, kernel_times: bool = True) -> WirePort:
    """Open a port with a consumer, read by a compiled loop, or by turns as where there are many connections."""
    lane = ConsumerLane(0, "q")
    port = open_port(PortSpec(server.endpoint, (), (lane,), 40, ack_batch=0, kernel_times=kernel_times), CLOCK)
    if turns:
        port._solo = None
    return port


def late(port: WirePort, server: Amqp091Server, tag: int) -> tuple[int, int]:
    """Deliver one message and stop for 20 ms; return how long after the send it was received, and then read, ns."""
    server.deliver(tag, stamped(1, tag, 40))
    sent_ns = CLOCK.now_ns()
    time.sleep(STOPPED_NS / NS_PER_S)
    _, came = port.poll(NS_PER_S)
    assert came.seq.tolist() == [tag]
    assert came.read_ns is not None
    return int(came.received_ns[0]) - sent_ns, int(came.read_ns[0] - came.received_ns[0])


def known(port: WirePort, server: Amqp091Server, tags: Iterator[int]) -> bool:
    """Return whether a message that waited was received when it came; of five, as the host may be away in any one."""
    found = [late(port, server, next(tags)) for _ in range(5)]
    return any(after_ns < 5 * NS_PER_MS and lag_ns > STOPPED_NS - 5 * NS_PER_MS for after_ns, lag_ns in found)


def unknown(port: WirePort, server: Amqp091Server, tag: int) -> bool:
    """Return whether a message that waited was received when it was read."""
    after_ns, lag_ns = late(port, server, tag)
    return lag_ns == 0 and after_ns >= STOPPED_NS - NS_PER_MS


@pytest.mark.parametrize("turns", [False, True])
def test_a_consumer_that_was_stopped_shows_it_in_receive_lag_alone(server: Amqp091Server, *, turns: bool) -> None:
    """What came alone meanwhile is received when it came, and read 20 ms later."""
    port = consumer(server, turns=turns)
    assert known(port, server, iter(range(1, 6)))
    port.close()


@pytest.mark.parametrize("turns", [False, True])
def test_a_message_in_two_parts_comes_with_the_second(server: Amqp091Server, *, turns: bool) -> None:
    """Also where the first was read long before."""
    port = consumer(server, turns=turns)
    assert server._client is not None
    for tag in range(1, 6):
        octets = server.delivery(tag, stamped(1, tag, 40))
        server._client.sendall(octets[:50])
        assert not len(port.poll(5 * NS_PER_MS)[1].seq)
        second_ns = CLOCK.now_ns()
        server._client.sendall(octets[50:])
        time.sleep(STOPPED_NS / NS_PER_S)
        _, came = port.poll(NS_PER_S)
        if 0 < came.received_ns[0] - second_ns < 5 * NS_PER_MS and came.read_ns is not None:
            break
    assert came.read_ns is not None
    assert 0 < came.received_ns[0] - second_ns < 5 * NS_PER_MS
    assert came.read_ns[0] - second_ns >= STOPPED_NS - NS_PER_MS
    port.close()


def test_amqp_10_is_timed_so_too() -> None:
    """The other codec keeps both times with a delivery."""
    server = Amqp10Server()
    spec = PortSpec(server.endpoint, (), (ConsumerLane(0, "q"),), 40, ack_batch=0, kernel_times=True)
    port = open_10(spec, CLOCK)
    for tag in range(1, 6):
        server.do(partial(server.deliver, Message(body=stamped(1, tag, 40), inferred=True).encode()))
        time.sleep(STOPPED_NS / NS_PER_S)
        _, came = port.poll(NS_PER_S)
        assert came.seq.tolist() == [tag]
        assert came.read_ns is not None
        if came.read_ns[0] - came.received_ns[0] > STOPPED_NS - 5 * NS_PER_MS:
            break
    assert came.read_ns[0] - came.received_ns[0] > STOPPED_NS - 5 * NS_PER_MS
    port.close()
    server.stop()


@pytest.mark.parametrize("turns", [False, True])
@pytest.mark.parametrize("by_ns", [AN_HOUR_NS, -AN_HOUR_NS])
def test_a_clock_that_was_set_is_noticed(server: Amqp091Server, *, turns: bool, by_ns: int) -> None:
    """What is read just then counts as received when read; it is counted, and the next times are right again."""
    port, tags = consumer(server, turns=turns), iter(range(1, 20))
    assert known(port, server, tags)
    assert "clock_set" not in port.counters()
    # To who measured the difference of the clocks an hour ago, this is what a clock looks like that was set since.
    port._context.loop.received[[LOW_NS, HIGH_NS]] -= by_ns
    assert unknown(port, server, next(tags))
    assert port.counters()["clock_set"] == 1
    assert known(port, server, tags)
    assert port.counters()["clock_set"] == 1
    port.close()


def test_times_that_vanish_fall_back_to_the_read(server: Amqp091Server) -> None:
    """A kernel that tells no more times is no reason to invent some."""
    port, tags = consumer(server), iter(range(1, 20))
    assert known(port, server, tags)
    [descriptor] = port._connections
    with socket.socket(fileno=os.dup(descriptor)) as same:
        same.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 0)
        assert unknown(port, server, next(tags))
        same.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        assert known(port, server, tags)
    port.close()


@pytest.mark.parametrize("turns", [False, True])
def test_times_that_are_refused_fall_back_to_the_read(
    server: Amqp091Server, monkeypatch: pytest.MonkeyPatch, *, turns: bool
) -> None:
    """Whoever does not get them, or does not ask, receives when it reads."""
    monkeypatch.setattr(Stream, "tell_times", lambda _: False)
    port = consumer(server, turns=turns)
    assert unknown(port, server, 1)
    port.close()


def test_who_does_not_ask_gets_none(server: Amqp091Server) -> None:
    """A slow consumer, for one, has received what it took."""
    port = consumer(server, kernel_times=False)
    assert unknown(port, server, 1)
    port.close()


def test_a_socket_that_refuses_is_noticed() -> None:
    """The option is asked for once; an error is an answer."""
    closed = socket.socket()
    closed.close()
    assert not Stream(closed).tell_times()


def confirm_delays(server: Amqp091Server, messages: int, acks_ms: dict[int, int]) -> list[float]:
    """Send messages at once and one 12 ms later, acknowledge tags after so many ms; return how late each was seen."""
    lane = ProducerLane(0, "q")
    port = open_port(PortSpec(server.endpoint, (lane,), (), 40, confirm_window=8, kernel_times=True), CLOCK)
    begin_ns, said_ns = CLOCK.now_ns() + 2 * NS_PER_MS, []
    due_ns = np.array([begin_ns] * messages + [begin_ns + 12 * NS_PER_MS])

    def acknowledge(tag: int) -> None:
        said_ns.append(CLOCK.now_ns())
        server.say(spec_of_pika.Basic.Ack(tag))

    timers = [threading.Timer((2 + after_ms) / 1000, acknowledge, [tag]) for tag, after_ms in acks_ms.items()]
    for timer in timers:
        timer.start()
    sent = port.send_planned(np.zeros_like(due_ns), np.arange(messages + 1), due_ns, begin_ns + 40 * NS_PER_MS, 0)
    assert len(sent) == messages + 1
    for timer in timers:
        timer.join()
    settled, _ = port.poll(0)
    port.close()
    return [(at_ns - said) / NS_PER_MS for at_ns, said in zip(settled.at_ns.tolist(), said_ns, strict=False)]


@pytest.mark.parametrize(("messages", "acks_ms"), [(1, {1: 4}), (2, {1: 3, 2: 7}), (3, {1: 2, 2: 5, 3: 8})])
def test_confirms_are_timed_by_the_kernel(messages: int, acks_ms: dict[int, int]) -> None:
    """A producer sleeps through one that comes alone, and wakes for each where several are awaited: both are exact."""
    found: list[float] = []
    for _ in range(10):
        own = Amqp091Server()
        found = confirm_delays(own, messages, acks_ms)
        own.stop()
        if len(found) == messages and all(0 <= delay < 1 for delay in found):
            return
    pytest.fail(f"confirms were seen after {found} ms")


def test_a_producer_sleeps_through_a_confirm_that_it_awaits_alone() -> None:
    """It gives its CPU up once less than one that is woken by the confirm; over ten times, as one may come late."""
    waits = {True: 0, False: 0}
    for kernel_times in (True, False) * 10:
        own = Amqp091Server()
        spec = PortSpec(own.endpoint, (ProducerLane(0, "q"),), (), 40, confirm_window=8, kernel_times=kernel_times)
        port = open_port(spec, CLOCK)
        due_ns = CLOCK.now_ns() + 2 * NS_PER_MS + np.array([0, 12 * NS_PER_MS])
        timer = threading.Timer(0.006, own.say, [spec_of_pika.Basic.Ack(1)])
        timer.start()
        before = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
        port.send_planned(np.zeros(2, np.int64), np.arange(2), due_ns, int(due_ns[1]) + 20 * NS_PER_MS, 0)
        waits[kernel_times] += resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw - before
        timer.join()
        port.close()
        own.stop()
    assert waits[True] < waits[False]


def test_a_connection_that_ends_while_its_producer_sleeps_is_noticed(server: Amqp091Server) -> None:
    """With its next message, not when the schedule is done."""
    spec = PortSpec(server.endpoint, (ProducerLane(0, "q"),), (), 40, confirm_window=0, kernel_times=True)
    port, count = open_port(spec, CLOCK), 200
    due_ns = CLOCK.now_ns() + np.arange(count) * NS_PER_MS
    assert server._client is not None
    timer = threading.Timer(0.01, server._client.shutdown, [socket.SHUT_WR])
    timer.start()
    sent = port.send_planned(np.zeros(count, np.int64), np.arange(count), due_ns, int(due_ns[-1]), 0)
    timer.join()
    assert len(sent) < count // 2
    with pytest.raises(ConnectionLost):
        port.poll(0)
    port.close()
