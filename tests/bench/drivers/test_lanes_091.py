"""What lanes over 0-9-1 that do not wait do when their broker throttles, refuses, delivers and throws out."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pika import spec

from bench.arrivals import stamp
from bench.drivers.base import ConnectionLost, ConsumerLane, Outcome, Port, PortSpec, ProducerLane, Refused
from bench.drivers.pika import codec_lane, select_lane
from bench.drivers.wire import wire091
from bench.host.clock import RealClock
from bench.units import NS_PER_MS, NS_PER_S
from tests.bench.drivers.amqp091_server import Amqp091Server

pytestmark = pytest.mark.compiled


Opened = Callable[..., tuple[Port, Amqp091Server]]


OPENERS = {
    "pika-codec": codec_lane.open_port,
    "pika-select": select_lane.open_port,
    "wire091": wire091.open_port,
}


@pytest.fixture(params=OPENERS.values(), ids=OPENERS.keys())
def opened(request: pytest.FixtureRequest) -> Iterator[Opened]:
    """Open a port with one lane on a server of few words; both end with the test."""
    ends: list[Callable[[], None]] = []

    def open_one(role: str, server: Amqp091Server | None = None, **options: Any) -> tuple[Port, Amqp091Server]:
        server = server or Amqp091Server()
        ends.append(server.stop)
        lanes = (
            (ProducerLane(7, "q"),) if role == "producer" else (),
            (ConsumerLane(7, "q"),) if role != "producer" else (),
        )
        port = request.param(PortSpec(server.endpoint, *lanes, 40, **options), RealClock())
        ends.append(port.close)
        return port, server

    yield open_one
    for end in reversed(ends):
        end()


def send(port: Port, *seqs: int) -> None:
    """Send these messages."""
    port.send(np.zeros(len(seqs), np.int64), np.array(seqs, np.int64), np.zeros(len(seqs), np.int64))


def until(port: Port, holds: Callable[[], bool]) -> None:
    """Poll until it holds, at most 5 s."""
    deadline_ns = RealClock().now_ns() + 5 * NS_PER_S
    while not holds():
        assert RealClock().now_ns() < deadline_ns
        port.poll(5 * NS_PER_MS)


def test_a_mechanism_that_is_not_offered_is_a_refusal(opened: Opened) -> None:
    """By its name, before a name or password is sent."""
    server = Amqp091Server()
    server.endpoint = replace(server.endpoint, sasl="external")
    with pytest.raises(Refused, match=r"refused producer 7 of queue 'q' .*: it does not offer SASL EXTERNAL$"):
        opened("producer", server)


def settled(port: Port, number: int) -> list[tuple[int, int]]:
    """Poll until so many messages are settled; return (seq, outcome)."""
    rows: list[tuple[int, int]] = []
    deadline_ns = RealClock().now_ns() + 5 * NS_PER_S
    while len(rows) < number:
        assert RealClock().now_ns() < deadline_ns, rows
        settlements, _ = port.poll(5 * NS_PER_MS)
        rows += zip(settlements.seq.tolist(), settlements.outcome.tolist(), strict=True)
    return rows


def test_channel_flow_is_answered_and_honoured(opened: Opened) -> None:
    """No room while the broker says stop, flow-ok each time, and room again after."""
    port, server = opened("producer")
    server.say(spec.Channel.Flow(active=False))
    until(port, lambda: port.room() == 0)
    assert server.hear(spec.Channel.FlowOk).active is False
    server.say(spec.Channel.Flow(active=True))
    until(port, lambda: port.room() == 256)
    assert server.hear(spec.Channel.FlowOk).active is True
    assert port.counters()["flow_frames"] == 2


def test_a_blocked_connection_has_no_room(opened: Opened) -> None:
    """Until it is unblocked, and each time is counted; flow and blocking do not lift each other."""
    port, server = opened("producer", confirm_window=0)
    server.say(spec.Connection.Blocked("low on memory"), 0)
    until(port, lambda: port.room() == 0)
    server.say(spec.Channel.Flow(active=True))
    until(port, lambda: port.counters().get("flow_frames") == 1)
    assert port.room() == 0
    server.say(spec.Connection.Unblocked(), 0)
    until(port, lambda: port.room() > 0)
    assert port.counters()["blocked_events"] == 1


@pytest.mark.parametrize("confirms", [True, False])
def test_acks_and_nacks_settle_the_window(opened: Opened, confirms: bool) -> None:  # noqa: FBT001
    """Also of a broker that confirms without saying that it can."""
    port, server = opened("producer", Amqp091Server(confirms=confirms), confirm_window=4)
    send(port, 10, 11, 12, 13)
    assert port.room() == 0
    publish = server.hear(spec.Basic.Publish)
    assert (publish.exchange, publish.routing_key, publish.mandatory) == ("", "q", True)
    server.say(spec.Basic.Nack(1, multiple=False))
    server.say(spec.Basic.Ack(3, multiple=True))
    assert settled(port, 3) == [(10, Outcome.REFUSED), (11, Outcome.CONFIRMED), (12, Outcome.CONFIRMED)]
    assert port.room() == 3


def test_without_confirms_nothing_is_mandatory(opened: Opened) -> None:
    """As a return could not be told from success by anyone who does not wait."""
    port, server = opened("producer", confirm_window=0)
    send(port, 1)
    assert server.hear(spec.Basic.Publish).mandatory is False


def test_deliveries_are_read_and_acknowledged_by_batch(opened: Opened) -> None:
    """Stamp, redelivered flag, a foreign body; three in batches of two: one ack for two, one for the rest."""
    port, server = opened("consumer", ack_batch=2)
    body = bytearray(40)
    stamp.pack_into(body, 9, 5, 100, 200)
    server.deliver(1, bytes(body))
    server.deliver(2, bytes(body), redelivered=True)
    server.deliver(3, b"")
    rows, foreign, deadline_ns = [], 0, RealClock().now_ns() + 5 * NS_PER_S
    while len(rows) + foreign < 3:
        assert RealClock().now_ns() < deadline_ns, rows
        _, came = port.poll(5 * NS_PER_MS)
        rows += zip(came.producer.tolist(), came.seq.tolist(), came.redelivered.tolist(), strict=True)
        foreign += came.foreign
    assert (rows, foreign) == ([(9, 5, 0), (9, 5, 1)], 1)
    first = server.hear(spec.Basic.Ack)
    port.poll(30 * NS_PER_MS)
    second = server.hear(spec.Basic.Ack)
    assert [(ack.delivery_tag, ack.multiple) for ack in (first, second)] in (
        [(2, True), (3, True)],
        [(2, True), (3, False)],  # `multiple` makes no difference to the only one left
    )


def test_a_silent_lane_keeps_its_connection_alive(opened: Opened) -> None:
    """A broker that asks for a heartbeat a second gets it from an idle poll."""
    port, server = opened("consumer", Amqp091Server(heartbeat_s=1))
    port.poll(1_300 * NS_PER_MS)
    assert server.heartbeats >= 1


def test_a_channel_closed_by_the_broker_is_lost_with_its_reason(opened: Opened) -> None:
    """Code and text of channel.close are in the message."""
    port, server = opened("producer")
    server.say(spec.Channel.Close(406, "PRECONDITION_FAILED - unknown delivery tag", 0, 0))
    with pytest.raises(ConnectionLost, match=r"dropped producer 7 of queue 'q' .* 406 PRECONDITION_FAILED"):
        until(port, lambda: False)
