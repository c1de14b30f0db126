"""What a lane over kombu does when its broker confirms, refuses, throttles, falls silent and throws out."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pika import spec

from bench.arrivals import stamp
from bench.drivers.base import ConnectionLost, ConsumerLane, Outcome, Port, PortSpec, ProducerLane, Refused
from bench.drivers.kombu.lane import open_port
from bench.host.clock import RealClock
from bench.units import NS_PER_MS, NS_PER_S
from brokers.endpoint import Tls
from tests.bench.drivers.amqp091_server import ANSWERS, Amqp091Server
from tests.bench.drivers.lane_server import listening

Opened = Callable[..., tuple[Port, Amqp091Server]]
Answer = Callable[[Callable[[int], Any]], None]


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Open a port with one lane on a server of few words; both end with the test."""
    ends: list[Callable[[], None]] = []

    def open_one(role: str, **options: Any) -> tuple[Port, Amqp091Server]:
        server = Amqp091Server()
        ends.append(server.stop)
        lanes = (
            (ProducerLane(7, "q"),) if role == "producer" else (),
            (ConsumerLane(7, "q"),) if role != "producer" else (),
        )
        port = open_port(PortSpec(server.endpoint, *lanes, 40, **options), RealClock())
        ends.append(port.close)
        return port, server

    yield open_one
    for end in reversed(ends):
        end()


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Have the server answer the n-th message, counted from 1, with a method of the test's choice."""

    def set_answer(method: Callable[[int], Any]) -> None:
        published = iter(range(1, 1_000))
        monkeypatch.setitem(ANSWERS, spec.Basic.Publish, lambda _: method(next(published)))

    return set_answer


def send(port: Port, *seqs: int) -> None:
    """Send these messages."""
    port.send(np.zeros(len(seqs), np.int64), np.array(seqs, np.int64), np.zeros(len(seqs), np.int64))


def until(port: Port, holds: Callable[[], bool]) -> None:
    """Poll until it holds, at most 5 s."""
    deadline_ns = RealClock().now_ns() + 5 * NS_PER_S
    while not holds():
        assert RealClock().now_ns() < deadline_ns
        port.poll(5 * NS_PER_MS)


def test_acks_and_nacks_become_outcomes(opened: Opened, answer: Answer) -> None:
    """Each is known when `send` returns, and handed over by the next poll, which gives the room back."""
    answer(lambda tag: spec.Basic.Ack(tag) if tag != 2 else spec.Basic.Nack(tag))
    port, _ = opened("producer")
    rows = []
    for seq in (10, 11, 12):
        assert port.room() == 1
        send(port, seq)
        assert port.room() == 0
        settlements, _ = port.poll(5 * NS_PER_S)
        rows += zip(settlements.seq.tolist(), settlements.outcome.tolist(), strict=True)
    assert rows == [(10, Outcome.CONFIRMED), (11, Outcome.REFUSED), (12, Outcome.CONFIRMED)]


def test_a_confirm_that_does_not_come_ends_the_lane(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that says nothing is a lost connection, not a worker that hangs."""
    monkeypatch.setattr("bench.drivers.kombu.lane.PATIENCE_S", 0.2)
    port, _ = opened("producer")
    with pytest.raises(
        ConnectionLost, match="dropped producer 7 of queue 'q' over AMQP 0-9-1: it did not answer within"
    ):
        send(port, 1)


def test_channel_flow_is_answered_and_honoured(opened: Opened) -> None:
    """No room while the broker says stop, flow-ok each time, and room again after."""
    port, server = opened("producer")
    server.say(spec.Channel.Flow(active=False))
    until(port, lambda: port.room() == 0)
    assert server.hear(spec.Channel.FlowOk).active is False
    server.say(spec.Channel.Flow(active=True))
    until(port, lambda: port.room() == 1)
    assert server.hear(spec.Channel.FlowOk).active is True


def test_a_blocked_connection_has_no_room(opened: Opened) -> None:
    """Until it is unblocked, and each time is counted; flow and blocking do not lift each other."""
    port, server = opened("producer", confirm_window=0)
    server.say(spec.Connection.Blocked("low on memory"), 0)
    until(port, lambda: port.room() == 0)
    server.say(spec.Channel.Flow(active=True))
    server.hear_while(spec.Channel.FlowOk, lambda: port.poll(NS_PER_MS))
    assert port.room() == 0
    server.say(spec.Connection.Unblocked(), 0)
    until(port, lambda: port.room() > 0)
    assert port.counters()["blocked_events"] == 1


def test_unconfirmed_messages_wait_for_nobody(opened: Opened) -> None:
    """They go out in bursts, are not mandatory, and nothing is reported of them."""
    port, server = opened("producer", confirm_window=0)
    assert port.room() > 10
    send(port, *range(10))
    assert len(port.poll(0)[0].seq) == 0
    assert [server.hear(spec.Basic.Publish).mandatory for _ in range(10)] == [False] * 10
    assert port.counters()["methods_out"] > 10


def test_acknowledgements_come_in_batches_and_do_not_linger(opened: Opened) -> None:
    """Two at once by `multiple`; the third when it has waited for 10 ms; a stranger's body counts too."""
    port, server = opened("consumer", ack_batch=2)
    body = bytearray(40)
    stamp.pack_into(body, 3, 5, 100, 200)
    for tag in (1, 2):
        server.deliver(tag, bytes(body), redelivered=tag == 2)
    server.deliver(3, b"foreign")
    came, foreign, deadline_ns = [], 0, RealClock().now_ns() + 5 * NS_PER_S
    while (len(came), foreign) != (2, 1):
        assert RealClock().now_ns() < deadline_ns
        _, rows = port.poll(100 * NS_PER_MS)
        came += zip(rows.producer.tolist(), rows.seq.tolist(), rows.redelivered.tolist(), strict=True)
        foreign += rows.foreign
    assert came == [(3, 5, 0), (3, 5, 1)]
    batch = server.hear(spec.Basic.Ack)
    assert (batch.delivery_tag, batch.multiple) == (2, True)
    begin_ns = RealClock().now_ns()
    rest = server.hear_while(spec.Basic.Ack, lambda: port.poll(NS_PER_S))
    assert (rest.delivery_tag, rest.multiple) == (3, True)
    assert RealClock().now_ns() - begin_ns < 2 * NS_PER_S


def test_closing_acknowledges_what_is_pending(opened: Opened) -> None:
    """An unfinished batch is not delivered again because of a graceful end."""
    port, server = opened("consumer", ack_batch=50)
    body = bytearray(40)
    stamp.pack_into(body, 3, 5, 100, 200)
    server.deliver(1, bytes(body))
    while not len(port.poll(NS_PER_MS)[1].seq):
        pass
    port.close()
    assert server.hear(spec.Basic.Ack).delivery_tag == 1


@pytest.mark.parametrize("role", ["producer", "consumer"])
def test_a_channel_that_is_closed_ends_the_lane(opened: Opened, role: str) -> None:
    """With the broker's code and text, in the poll that reads it, and in each one after."""
    port, server = opened(role)
    server.say(spec.Channel.Close(406, "PRECONDITION_FAILED - odd", 0, 0))
    for _ in range(2):
        with pytest.raises(ConnectionLost, match="PRECONDITION_FAILED - odd"):
            until(port, lambda: False)


def test_nobody_at_the_address() -> None:
    """The message has the address and what to check; nothing is tried twice."""
    with listening() as (_, at):
        pass
    with pytest.raises(ConnectionLost, match=rf"no broker answers at 127\.0\.0\.1:{at.port}: .*is the port right"):
        open_port(PortSpec(at, (ProducerLane(7, "q"),), (), 40), RealClock())


def test_a_refused_queue_closes_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lane that does not open leaves no socket behind, and says what the broker said."""
    monkeypatch.setitem(
        ANSWERS, spec.Queue.Declare, lambda _: spec.Channel.Close(404, "NOT_FOUND - no queue 'q'", 50, 10)
    )
    server = Amqp091Server()
    with pytest.raises(Refused, match="refused consumer 7 of queue 'q' over AMQP 0-9-1: 404 NOT_FOUND"):
        open_port(PortSpec(server.endpoint, (), (ConsumerLane(7, "q"),), 40), RealClock())
    server.stop()


@pytest.mark.parametrize("wanted", [{"tls": Tls(None)}, {"sasl": "external"}])
def test_what_it_does_not_speak_is_refused(wanted: dict[str, Any]) -> None:
    """Rather than sent in the clear, or as another user; nothing is connected."""
    with listening() as (server, at):
        server.settimeout(0)
        with pytest.raises(Refused, match="neither TLS nor another SASL mechanism"):
            open_port(PortSpec(replace(at, **wanted), (), (ConsumerLane(7, "q"),), 40), RealClock())
        with pytest.raises(BlockingIOError):
            server.accept()
