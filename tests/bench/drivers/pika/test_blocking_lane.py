"""`bench.drivers.pika.blocking_lane`: what is its own; see `tests.live` for what all drivers do alike."""

import time
from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from bench.drivers.base import ConsumerLane, PortSpec
from bench.drivers.pika.blocking_lane import open_port
from bench.host.clock import RealClock
from bench.units import NS_PER_S
from tests.bench.drivers.amqp091_server import Amqp091Server

MESSAGES, AT_ONCE = 20, 4


def test_a_poll_ends_though_a_message_comes_with_each_acknowledgement(monkeypatch: pytest.MonkeyPatch) -> None:
    """As from a broker that has more than is taken in: pika reads on while an acknowledgement goes out."""
    server, polled, delivered = Amqp091Server(), 0, 1
    acknowledge = BlockingChannel.basic_ack

    def acknowledge_and_read_on(channel: Any, tag: int, multiple: bool) -> None:  # noqa: FBT001
        nonlocal delivered
        acknowledge(channel, tag, multiple)
        if delivered < MESSAGES:
            delivered += 1
            server.deliver(delivered, b"x" * 40)
            channel._connection._flush_output(lambda: bool(channel._pending_events))

    monkeypatch.setattr("bench.drivers.blocking.port._AT_ONCE", AT_ONCE)
    monkeypatch.setattr(BlockingChannel, "basic_ack", acknowledge_and_read_on)
    port = open_port(PortSpec(server.endpoint, (), (ConsumerLane(7, "q"),), 40, ack_batch=1), RealClock())
    try:
        server.deliver(1, b"x" * 40)
        while polled < MESSAGES:
            came = port.poll(5 * NS_PER_S)[1].foreign
            assert 0 < came <= AT_ONCE
            polled += came
    finally:
        server.stop()
        port.close()


def test_a_broker_that_is_silent_is_left_after_a_second() -> None:
    """Of this one, which answers no basic.cancel, nothing is waited for any longer."""
    server = Amqp091Server()
    port = open_port(PortSpec(server.endpoint, (), (ConsumerLane(7, "q"),), 40), RealClock())
    began_ns = time.monotonic_ns()
    port.close()
    assert time.monotonic_ns() - began_ns < 5 * NS_PER_S
    server.stop()
