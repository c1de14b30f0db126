"""When octets came: by the kernel's clock where it tells, by the read where it does not, and never wrong in silence."""

import os
import socket
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from pika import spec

from bench.drivers.base import ConsumerLane, PortSpec, ProducerLane
from bench.drivers.sockets.stream import SO_TIMESTAMPNS, Stream
from bench.drivers.wire.kernel_timestamps import HIGH_NS, LOW_NS
from bench.drivers.wire.port import WirePort
from bench.drivers.wire.receive_loop import COMPILED
from bench.drivers.wire.wire091 import open_port
from bench.host.clock import RealClock
from bench.units import NS_PER_MS, NS_PER_S
from tests.bench.drivers.amqp091_server import Amqp091Server
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


def confirmed_ns(server: Amqp091Server, messages: int, acks_ms: dict[int, int]) -> list[float]:
    """Send messages at once and one 12 ms later, acknowledge tags so many ms after; return when each was, ms."""
    lane = ProducerLane(0, "q")
    port = open_port(PortSpec(server.endpoint, (lane,), (), 40, confirm_window=8, kernel_times=True), CLOCK)
    begin_ns = CLOCK.now_ns() + 2 * NS_PER_MS
    due_ns = np.array([begin_ns] * messages + [begin_ns + 12 * NS_PER_MS])
    timers = [
        threading.Timer((begin_ns - CLOCK.now_ns()) / NS_PER_S + after_ms / 1000, server.say, [spec.Basic.Ack(tag)])
        for tag, after_ms in acks_ms.items()
    ]
    for timer in timers:
        timer.start()
    sent = port.send_planned(np.zeros_like(due_ns), np.arange(messages + 1), due_ns, begin_ns + 40 * NS_PER_MS, 0)
    assert len(sent) == messages + 1
    settled, _ = port.poll(0)
    for timer in timers:
        timer.join()
    port.close()
    return ((settled.at_ns - begin_ns) / NS_PER_MS).tolist()


@pytest.mark.parametrize(("messages", "acks_ms"), [(1, {1: 4}), (2, {1: 3, 2: 7}), (3, {1: 2, 2: 5, 3: 8})])
def test_confirms_are_timed_by_the_kernel(messages: int, acks_ms: dict[int, int]) -> None:
    """A producer sleeps through one that comes alone, and wakes for each where several are awaited: both are exact."""
    for _ in range(5):
        own = Amqp091Server()
        found = confirmed_ns(own, messages, acks_ms)
        own.stop()
        if found == pytest.approx(list(acks_ms.values()), abs=1.5):
            return
    pytest.fail(f"confirmed after {found} ms")
