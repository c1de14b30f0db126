"""What a lane of either driver over 1.0 does with every outcome, with lowered credit, with silence and with an end."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from proton import Condition, Delivery

from bench.arrivals import stamp
from bench.drivers.base import ConnectionLost, ConsumerLane, Outcome, Port, PortSpec, ProducerLane, Refused
from bench.drivers.registry import open_port
from bench.host.clock import RealClock
from bench.units import NS_PER_MS, NS_PER_S
from bench.wire.amqp10_body import opening
from tests.bench.drivers.amqp10_server import Amqp10Server

pytestmark = pytest.mark.compiled


CLOCK = RealClock()
Opened = Callable[..., tuple[Port, Amqp10Server]]


@pytest.fixture(params=["proton-engine", "wire10"])
def opened(request: pytest.FixtureRequest) -> Iterator[Opened]:
    """Open a port of either driver with one lane on a server of few words; both end with the test."""
    ends: list[Callable[[], None]] = []

    def open_one(role: str, server: Amqp10Server | None = None, **options: Any) -> tuple[Port, Amqp10Server]:
        server = server or Amqp10Server()
        ends.append(server.stop)
        producers = (ProducerLane(7, "q"),) if role == "producer" else ()
        consumers = (ConsumerLane(7, "q"),) if role == "consumer" else ()
        port = open_port(request.param, PortSpec(server.endpoint, producers, consumers, 40, **options), CLOCK)
        ends.append(port.close)
        return port, server

    yield open_one
    for end in reversed(ends):
        end()


def send(port: Port, number: int) -> None:
    """Send messages 0 to number - 1."""
    port.send(np.zeros(number, np.int64), np.arange(number), np.zeros(number, np.int64))


def until(port: Port, holds: Callable[[], bool]) -> list[tuple[int, int]]:
    """Poll until it holds, at most 5 s; return the (seq, outcome) that came."""
    rows: list[tuple[int, int]] = []
    deadline_ns = CLOCK.now_ns() + 5 * NS_PER_S
    while not holds():
        assert CLOCK.now_ns() < deadline_ns, rows
        settlements, _ = port.poll(5 * NS_PER_MS)
        rows += zip(settlements.seq.tolist(), settlements.outcome.tolist(), strict=True)
    return rows


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        (Delivery.ACCEPTED, Outcome.CONFIRMED),
        (Delivery.REJECTED, Outcome.REFUSED),
        (Delivery.MODIFIED, Outcome.REFUSED),
        (Delivery.RELEASED, Outcome.RETURNED),
        (None, Outcome.REFUSED),
    ],
)
def test_each_outcome_has_its_meaning(opened: Opened, state: int | None, outcome: Outcome) -> None:
    """And a settlement without a state is no confirmation. The third message stays unsettled."""
    port, server = opened("producer", confirm_window=3)
    send(port, 3)
    assert port.room() == 0

    def settle() -> None:
        for delivery in server.deliveries[:2]:
            if state is not None:
                delivery.update(state)
            delivery.settle()

    until(port, lambda: len(server.deliveries) == 3)
    server.do(settle)
    assert until(port, lambda: port.room() == 2) == [(0, outcome), (1, outcome)]


def test_an_outcome_that_is_not_final_settles_nothing(opened: Opened) -> None:
    """A delivery that was only received stays in the window until it is accepted."""
    port, server = opened("producer", confirm_window=1)
    send(port, 1)
    until(port, lambda: len(server.deliveries) == 1)
    server.do(lambda: server.deliveries[0].update(Delivery.RECEIVED))
    port.poll(30 * NS_PER_MS)
    assert port.room() == 0
    server.do(lambda: (server.deliveries[0].update(Delivery.ACCEPTED), server.deliveries[0].settle()))
    assert until(port, lambda: port.room() == 1) == [(0, Outcome.CONFIRMED)]


def test_room_follows_credit(opened: Opened) -> None:
    """The link's credit bounds pre-settled sending, and new credit gives room back."""
    port, server = opened("producer", Amqp10Server(grant=5), confirm_window=0)
    assert port.room() == 5
    send(port, 5)
    assert port.room() == 0
    until(port, lambda: len(server.deliveries) == 5)
    assert all(delivery.settled for delivery in server.deliveries)
    server.do(lambda: server.link.flow(3))
    until(port, lambda: port.room() == 3)


def test_a_silent_lane_keeps_its_connection_alive(opened: Opened) -> None:
    """A broker that wants a frame every 600 ms gets empty ones from an idle poll; a host may hold us up for half."""
    port, server = opened("producer", Amqp10Server(idle_timeout_s=0.6))
    before = server.frames
    port.poll(1_600 * NS_PER_MS)
    assert server.frames - before >= 4


def test_a_close_in_mid_stream_is_a_loss_with_its_condition(opened: Opened) -> None:
    """Name and description of the error are in the message."""
    port, server = opened("producer")

    def close() -> None:
        connection = server.link.session.connection
        connection.condition = Condition("amqp:resource-limit-exceeded", "enough for today")
        connection.close()

    server.do(close)
    with pytest.raises(ConnectionLost, match=r"dropped producer 7 .* amqp:resource-limit-exceeded: enough for today"):
        until(port, lambda: False)


@pytest.mark.parametrize("what", ["link", "session"])
@pytest.mark.parametrize("role", ["producer", "consumer"])
def test_an_end_in_mid_stream_is_a_loss_with_its_condition(opened: Opened, role: str, what: str) -> None:
    """Of the link, or of its session; an end without a condition is told as well."""
    port, server = opened(role)

    def end() -> None:
        ended = server.link if what == "link" else server.link.session
        ended.condition = Condition("amqp:internal-error", "mended soon")
        ended.close()

    server.do(end)
    with pytest.raises(ConnectionLost, match=rf"dropped {role} 7 of queue 'q' .* amqp:internal-error: mended soon"):
        until(port, lambda: False)


def test_an_end_without_a_reason_says_so(opened: Opened) -> None:
    """Rather than nothing."""
    port, server = opened("producer")
    server.do(server.link.close)
    with pytest.raises(ConnectionLost, match="no reason given"):
        until(port, lambda: False)


def test_a_sasl_refusal_is_told(opened: Opened) -> None:
    """As the refusal of a user, whose password is not in the message."""
    with pytest.raises(
        Refused, match=r"refused producer 7 .* SASL PLAIN: wrong user name or password \(user 'guest'\)"
    ):
        opened("producer", Amqp10Server(sasl=1))


def test_deliveries_are_read_and_settled_by_batch_and_credit_comes_back(opened: Opened) -> None:
    """Prefetch 4 in batches of 2: ten messages come with stamps, all are accepted, credit never ends."""
    port, server = opened("consumer", prefetch=4, ack_batch=2)
    until(port, lambda: server.link is not None and server.link.credit == 4)
    body = bytearray(40)
    made: list[Any] = []

    def deliver() -> None:
        while server.link.credit > 0 and len(made) < 10:
            stamp.pack_into(body, 9, len(made), 100, 200)
            made.append(server.link.delivery(str(len(made))))
            server.link.send(opening(40, durable=False) + bytes(body))
            server.link.advance()

    seqs: list[int] = []
    deadline_ns = CLOCK.now_ns() + 5 * NS_PER_S
    while len(seqs) < 10:
        assert CLOCK.now_ns() < deadline_ns, seqs
        server.do(deliver)
        _, deliveries = port.poll(20 * NS_PER_MS)
        assert len(deliveries.seq) <= 4
        seqs += deliveries.seq.tolist()
    assert seqs == list(range(10))
    until(port, lambda: all(delivery.remote_state == Delivery.ACCEPTED for delivery in made))
