"""Refusals, losses and deletions: what a driver says when a broker says no, or says nothing any more."""

import threading
from dataclasses import replace

import pytest

from bench.drivers.base import ConnectionLost, DriverError, Outcome, Port, Refused
from bench.drivers.registry import driver_named, open_port
from bench.units import NS_PER_MS, NS_PER_S
from brokers.base import Broker
from brokers.rabbitmq.settings import RabbitMQSettings
from tests.live.conftest import Starter
from tests.live.driver_exchange import (
    CLOCK,
    DRIVERS,
    Exchanged,
    channel,
    endpoint,
    gather,
    port,
    queue,
    send,
    settle,
    spec,
)

DRIVERS_091 = [name for name in DRIVERS if driver_named(name).protocol == "amqp091"]
DRIVERS_10 = [name for name in DRIVERS if driver_named(name).protocol == "amqp10"]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("role", ["producers", "consumers"])
def test_a_missing_queue_is_refused_at_once(broker: Broker, driver: str, role: str) -> None:
    """By name, also to a producer, whose messages would else vanish."""
    at = endpoint(broker, driver)
    with pytest.raises(Refused, match=rf"refused {role[:-1]} \d+ of queue 'nowhere' .*(404|not-found).*nowhere"):
        open_port(driver, spec(at, **{role: ("nowhere",)}), CLOCK)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_wrong_password_is_refused_and_not_repeated(broker: Broker, driver: str) -> None:
    """The message has the address, not the password."""
    at = replace(endpoint(broker, driver), password="hunter2")
    with pytest.raises(Refused, match=rf"broker at {at.host}:{at.port} refused .*(403|530|SASL)") as caught:
        open_port(driver, spec(at, ("q",)), CLOCK)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_missing_virtual_host_is_refused(broker: Broker, driver: str) -> None:
    """Also by RabbitMQ over 1.0, which only hangs up."""
    at = replace(endpoint(broker, driver), virtual_host="nohost", hostname="vhost:nohost")
    with pytest.raises(Refused, match="nohost"):
        open_port(driver, spec(at, ("q",)), CLOCK)


@pytest.mark.parametrize("driver", DRIVERS_091)
def test_unroutable_messages_come_back_over_0_9_1(rabbitmq: Broker, driver: str) -> None:
    """Once its queue is gone, what is sent is RETURNED: a confirm alone would hide the loss."""
    rows = Exchanged()
    with queue(rabbitmq) as name, port(driver, spec(endpoint(rabbitmq, driver), (name,))) as opened:
        settle(opened, rows, 0, 50)
        rabbitmq.delete(name)
        settle(opened, rows, 50, 50)
    outcomes = {seq: outcome for _, seq, outcome, _ in rows.settled}
    assert {outcomes[seq] for seq in range(50)} == {Outcome.CONFIRMED}
    assert {outcomes[seq] for seq in range(50, 100)} == {Outcome.RETURNED}


@pytest.mark.parametrize("driver", DRIVERS_10)
def test_released_messages_are_returned_over_1_0(rabbitmq: Broker, driver: str) -> None:
    """RabbitMQ releases what is sent on a link whose queue went before its first message."""
    rows = Exchanged()
    with queue(rabbitmq) as name, port(driver, spec(endpoint(rabbitmq, driver), (name,))) as opened:
        rabbitmq.delete(name)
        settle(opened, rows, 0, 50)
    assert [(seq, outcome) for _, seq, outcome, _ in rows.settled] == [(seq, Outcome.RETURNED) for seq in range(50)]


@pytest.mark.parametrize("driver", DRIVERS_10)
@pytest.mark.parametrize("role", ["producers", "consumers"])
def test_a_deleted_queue_detaches_a_1_0_link(broker: Broker, driver: str, role: str) -> None:
    """Both brokers say resource-deleted, RabbitMQ only if the link was used, and the driver repeats it."""
    with queue(broker) as name, port(driver, spec(endpoint(broker, driver), **{role: (name,)})) as opened:
        rows = Exchanged()
        if role == "producers":
            send(opened, rows, 0, 1)
            while not rows.settled:
                gather(opened, rows)
        broker.delete(name)
        with pytest.raises(ConnectionLost, match="amqp:resource-deleted"):
            _poll_until_error(opened)


@pytest.mark.parametrize("driver", DRIVERS_091)
def test_a_deleted_queue_ends_a_0_9_1_consumer(rabbitmq: Broker, driver: str) -> None:
    """RabbitMQ cancels it, and the driver says so instead of waiting for ever."""
    with queue(rabbitmq) as name, port(driver, spec(endpoint(rabbitmq, driver), (), (name,))) as opened:
        with channel(rabbitmq) as plain:
            plain.queue_delete(name)
        with pytest.raises(ConnectionLost, match=rf"dropped consumer 0 of queue '{name}' .*basic\.cancel"):
            _poll_until_error(opened)


def test_more_links_than_a_session_may_have_are_refused(rabbitmq: Broker) -> None:
    """RabbitMQ allows 256; the refusal names the field to lower."""
    asked = spec(endpoint(rabbitmq, "wire10"), ("q",) * 257, lanes_per_connection=257)
    with pytest.raises(Refused, match=r"allows 256 links a session, fewer than lanes_per_connection = 257"):
        open_port("wire10", asked, CLOCK)


def test_a_broker_killed_in_mid_stream_is_a_lost_connection(start_broker: Starter) -> None:
    """For producers and consumers of every driver, within a second, and closing does not hang."""
    own = start_broker(RabbitMQSettings(name="victim", kind="rabbitmq"))
    own.declare("stream", durable=False)
    gone = endpoint(own, "pika-codec")
    ports = {
        (driver, role): open_port(driver, spec(endpoint(own, driver), **{role: ("stream",)}), CLOCK)
        for driver in DRIVERS
        for role in ("producers", "consumers")
    }
    rows = Exchanged()
    for (driver, role), opened in ports.items():
        if role == "producers":
            send(opened, rows, 0, min(200, opened.room()))
        else:
            while not rows.delivered:
                gather(opened, rows)
        counted = opened.counters()
        assert counted.get("bytes_in", 0) + counted.get("frames_in", 0) > 0, driver
    killer = threading.Timer(0.05, own.kill)
    killer.start()
    for (driver, role), opened in ports.items():
        with pytest.raises(
            ConnectionLost, match=rf"broker at 127\.0\.0\.1:\d+ dropped {role[:-1]} \d+ of queue 'stream'"
        ):
            _poll_until_error(opened, sending=role == "producers")
        begin_ns = CLOCK.now_ns()
        opened.close()
        assert CLOCK.now_ns() - begin_ns < NS_PER_S, driver
    killer.join()
    with pytest.raises(DriverError, match="no broker answers"):
        open_port("pika-codec", spec(gone, ("stream",)), CLOCK)


def _poll_until_error(opened: Port, *, sending: bool = False) -> None:
    """Poll, and send where there is room, until the port raises; fail after 10 s."""
    rows, sent, deadline_ns = Exchanged(), 1_000, CLOCK.now_ns() + 10 * NS_PER_S
    while CLOCK.now_ns() < deadline_ns:
        if sending and opened.room():
            send(opened, rows, sent, 1)
            sent += 1
        gather(opened, rows, 20 * NS_PER_MS)
    pytest.fail("the port did not notice in 10 s")
