"""Every driver against both brokers keep the port's contract."""

import os
import time
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

import bench.drivers.blocking.lane
import bench.drivers.sockets.connection
import bench.drivers.wire.connection
from bench.drivers.base import VIOLATIONS, Outcome, PlanningPort, ProducerLane
from bench.drivers.registry import driver_named
from bench.drivers.wire import wire10_connection
from bench.units import NS_PER_MS, NS_PER_S
from brokers.base import Broker
from tests.live.driver_exchange import (
    BLOCKING,
    CLOCK,
    COMPILED,
    DRIVERS,
    MOST_UNCONFIRMED,
    Exchanged,
    channel,
    endpoint,
    exchange,
    gather,
    port,
    queue,
    receive,
    send,
    settle,
    spec,
)

KIB = 1024
SHAPES: dict[str, dict[str, Any]] = {
    "window and batches": {"messages": 2_000},
    "durable": {"messages": 300, "durable": True},
    "one by one": {"messages": 150, "confirm_window": 1, "ack_batch": 1, "prefetch": 1},
    "unconfirmed and automatic": {"messages": 2_000, "confirm_window": 0, "ack_batch": 0},
    "nothing but the stamp": {"messages": 500, "size": 32},
    "batch as large as the prefetch": {"messages": 500, "prefetch": 7, "ack_batch": 7},
    "two octets of length": {"messages": 200, "size": 256},
    "more than a frame": {"messages": 40, "size": 128 * KIB},
    "many frames": {"messages": 6, "size": KIB * KIB},
}


SIZES = {32: 200, 100: 200, 128 * KIB: 12, KIB * KIB: 4}
"""Messages of the matrix, by the size of their bodies."""
ALWAYS = {(False, 1, 32), (True, 1_000, 100), (False, 1_000, 128 * KIB), (True, 1, KIB * KIB)}
"""What of the matrix always runs: each of its values at least once; the rest is left to soak."""
SOAKED = set()
for _durable in (False, True):
    for _window in (1, 1_000):
        for _size, _messages in SIZES.items():
            _name = f"{'durable' if _durable else 'transient'}, window {_window}, {_size} B"
            if (_durable, _window, _size) not in ALWAYS:
                SOAKED.add(_name)
            SHAPES[_name] = {
                "messages": min(_messages, 40 * _window),
                "durable": _durable,
                "confirm_window": _window,
                "size": _size,
            }

FEW_SHAPES = {"window and batches", "durable", "unconfirmed and automatic", "many frames"}
"""What always runs of drivers in whose libraries sockets are read and written: they are slow."""


def soaked(shape: str, driver: str) -> bool:
    """Return whether a pair is left to soak."""
    return shape in SOAKED or (driver in (*BLOCKING, "pika-select") and shape not in FEW_SHAPES)


@pytest.mark.parametrize(
    ("shape", "driver"),
    [
        pytest.param(shape, driver, marks=[pytest.mark.soak] * soaked(shape, driver))
        for shape in SHAPES
        for driver in DRIVERS
    ],
)
def test_every_message_arrives_once_in_order_and_is_confirmed(broker: Broker, driver: str, shape: str) -> None:
    """With the stamp it was sent with; afterwards the queue is empty, so all was acknowledged. No broker is blamed."""
    options = dict(SHAPES[shape])
    messages, window = options.pop("messages"), options.get("confirm_window", 256)
    with queue(broker, durable=options.get("durable", False)) as name:
        with port(driver, spec(endpoint(broker, driver), (name,), (name,), **options)) as opened:
            rows = exchange(opened, messages, settled=window > 0)
            counted = opened.counters()
            assert not [name for name in VIOLATIONS if counted.get(name)]
            if "bytes_out" in counted:
                assert counted["bytes_out"] > messages * options.get("size", 100)
            else:  # the client library keeps the bytes to itself
                assert counted.get("methods_out", counted.get("frames_out", 0)) > messages
        check(rows, messages)
        assert sorted(row[1] for row in rows.settled) == (list(range(messages)) if window else [])
        assert {row[2] for row in rows.settled} <= {Outcome.CONFIRMED}
        assert all(at_ns > rows.sent[100, seq][1] for _, seq, _, at_ns in rows.settled)
        assert broker.depth(name) == 0


PAIRS = [
    # What a library sends is read by a driver of ours, and the other way round; the other pairs are left to soak.
    pytest.param(sender, receiver, marks=[pytest.mark.soak] * (not {sender, receiver} & {*COMPILED}))
    for sender in DRIVERS
    for receiver in DRIVERS
    if driver_named(sender).protocol == driver_named(receiver).protocol
]


@pytest.mark.parametrize(("sender", "receiver"), PAIRS)
@pytest.mark.parametrize("size", [100, 128 * KIB])
def test_what_one_driver_sends_another_receives(broker: Broker, sender: str, receiver: str, size: int) -> None:
    """Each driver of a protocol reads every driver's messages; both ends have a port of their own."""
    messages = 400 if size < KIB else 12
    with (
        queue(broker) as name,
        port(sender, spec(endpoint(broker, sender), (name,), size=size)) as sending,
        port(receiver, spec(endpoint(broker, receiver), (), (name,), size=size, gather_ns=5 * NS_PER_MS)) as receiving,
    ):
        rows = Exchanged()
        settle(sending, rows, 0, messages)
        receive(receiving, rows, messages)
        check(rows, messages)
        assert sorted(row[1] for row in rows.settled) == list(range(messages))


@pytest.mark.parametrize("driver", COMPILED)
@pytest.mark.parametrize("window", [0, 1, 1_000])
def test_planned_messages_go_out_at_their_times(broker: Broker, driver: str, window: int) -> None:
    """None early, none left out; what has no room waits for the caller; confirms taken meanwhile are handed over."""
    messages = 200
    asked = spec(endpoint(broker, driver), ("",), confirm_window=window)
    with queue(broker) as name, port(driver, replace(asked, producers=(ProducerLane(100, name),))) as sending:
        planning = cast("PlanningPort", sending)
        assert planning.plans()
        rows, seq, none = Exchanged(), np.arange(messages), np.zeros(messages, np.int64)
        due_ns = CLOCK.now_ns() + seq * (NS_PER_MS // 2)
        sent, deadline_ns = 0, CLOCK.now_ns() + 10 * NS_PER_S
        while sent < messages or (window and len(rows.settled) < messages):
            assert CLOCK.now_ns() < deadline_ns
            if sent < messages and planning.plans():
                until_ns = CLOCK.now_ns() + 10 * NS_PER_MS
                sent_ns = planning.send_planned(none[sent:], seq[sent:], due_ns[sent:], until_ns, 0)
                assert (sent_ns >= due_ns[sent : sent + len(sent_ns)]).all()
                for number, at_ns in enumerate(sent_ns.tolist(), sent):
                    rows.sent[100, number] = (int(due_ns[number]), at_ns)
                sent += len(sent_ns)
            gather(sending, rows, 0 if sending.room() else NS_PER_MS)
        with port(driver, spec(endpoint(broker, driver), (), (name,))) as receiving:
            receive(receiving, rows, messages)
        check(rows, messages)
        assert sorted(row[1] for row in rows.settled) == (list(range(messages)) if window else [])


def check(rows: Exchanged, messages: int) -> None:
    """Every message of producer 100 came once, in order, unharmed."""
    assert [row[2] for row in rows.delivered] == list(range(messages))
    assert {(row[0], row[1], row[6]) for row in rows.delivered} == {(0, 100, 0)}
    assert all(row[3:5] == rows.sent[100, row[2]] for row in rows.delivered)
    assert all(row[5] > row[4] for row in rows.delivered)
    assert rows.foreign == 0


@pytest.mark.parametrize("driver", DRIVERS)
def test_two_lanes_on_two_queues_do_not_mix(broker: Broker, driver: str) -> None:
    """Each consumer gets the messages of the producer on its queue, in order."""
    with queue(broker) as left, queue(broker) as right:
        with port(driver, spec(endpoint(broker, driver), (left, right), (left, right))) as opened:
            rows = exchange(opened, 1_000, lanes=2)
        for lane in (0, 1):
            came = [(row[1], row[2]) for row in rows.delivered if row[0] == lane]
            assert came == [(100 + lane, seq) for seq in range(500)]
            assert sorted(row[1] for row in rows.settled if row[0] == lane) == list(range(500))


@pytest.mark.parametrize("driver", COMPILED)
def test_lanes_that_share_a_connection_do_not_mix(broker: Broker, driver: str) -> None:
    """Eight producers and eight consumers, three to a connection: six connections, every message where it belongs."""
    with ExitStack() as stack:
        names = tuple(stack.enter_context(queue(broker)) for _ in range(8))
        asked = spec(endpoint(broker, driver), names, names, lanes_per_connection=3, confirm_window=20)
        with port(driver, asked) as opened:
            assert len(opened._connections) == 6
            rows = exchange(opened, 2_000, lanes=8)
        for lane in range(8):
            came = [(row[1], row[2]) for row in rows.delivered if row[0] == lane]
            assert came == [(100 + lane, seq) for seq in range(250)]
            assert sorted(row[1] for row in rows.settled if row[0] == lane) == list(range(250))
        assert all(broker.depth(name) == 0 for name in names)


@pytest.mark.parametrize("driver", DRIVERS)
def test_room_is_the_window_less_what_is_unsettled(broker: Broker, driver: str) -> None:
    """A full window leaves no room; the first confirmation gives it back and ends the poll."""
    with (
        queue(broker) as name,
        port(driver, spec(endpoint(broker, driver), (name,), confirm_window=16)) as opened,
    ):
        rows, window = Exchanged(), MOST_UNCONFIRMED.get(driver, 16)
        assert opened.room() == window
        first = window // 2
        send(opened, rows, 0, first)
        assert opened.room() == window - first
        send(opened, rows, first, window - first)
        assert opened.room() == 0
        begin_ns = CLOCK.now_ns()
        gather(opened, rows, 5 * NS_PER_S)
        assert opened.room() == len(rows.settled) > 0
        assert CLOCK.now_ns() - begin_ns < 4 * NS_PER_S


@pytest.mark.parametrize("driver", DRIVERS)
def test_what_was_not_acknowledged_comes_again_and_says_so(
    broker: Broker, driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A consumer that dies leaves its messages to the next one, marked as redelivered."""
    for module in (
        bench.drivers.sockets.connection,
        bench.drivers.blocking.lane,
        bench.drivers.wire.connection,
    ):  # or a slow machine has some acknowledged by then
        monkeypatch.setattr(module, "ACK_LINGER_NS", 60 * NS_PER_S)
    with queue(broker) as name:
        at, rows, again = endpoint(broker, driver), Exchanged(), Exchanged()
        with port(driver, spec(at, (name,))) as opened:
            settle(opened, rows, 0, 20)
        with port(driver, spec(at, (), (name,), ack_batch=1_000)) as dying:
            receive(dying, rows, 20, 0)
            for held in dying._connections.values():
                held.abandon()
        with port(driver, spec(at, (), (name,))) as opened:
            receive(opened, again, 20)
        assert {row[6] for row in rows.delivered} == {0}
        assert [row[2] for row in again.delivered] == list(range(20))
        if driver != "proton-blocking" or not at.address_prefix:  # RabbitMQ says first-acquirer = false alone
            assert {row[6] for row in again.delivered} == {1}


@pytest.mark.parametrize("driver", DRIVERS)
def test_bodies_without_our_stamp_are_counted_and_taken_away(broker: Broker, driver: str) -> None:
    """They are in no row, and they do not stay in the queue."""
    with queue(broker) as name:
        with channel(broker) as plain:
            for body in (b"short", b"x" * 200, b""):
                plain.basic_publish("", name, body)
        with port(driver, spec(endpoint(broker, driver), (name,), (name,))) as opened:
            rows = Exchanged()
            receive(opened, rows, 3)
            rows = exchange(opened, 10)
        check(rows, 10)
        assert broker.depth(name) == 0


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_wake_descriptor_ends_an_idle_poll(broker: Broker, driver: str) -> None:
    """A silent broker does not keep the pump from being woken; without a wake the timeout is kept."""
    wake = os.eventfd(0)
    with queue(broker) as name, port(driver, spec(endpoint(broker, driver), (), (name,), wake_fd=wake)) as opened:
        os.eventfd_write(wake, 1)
        begin = time.monotonic()
        opened.poll(5 * NS_PER_S)
        assert time.monotonic() - begin < 2
        begin = time.monotonic()
        opened.poll(30 * NS_PER_MS)
        assert time.monotonic() - begin >= 0.03
    os.close(wake)


def test_brokers_break_their_silence_as_they_are_asked(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over 1.0 we say how long we bear it: of an idle consumer's connection something is heard in time."""
    monkeypatch.setattr(wire10_connection, "_IDLE_MS", 1_500)
    with queue(broker) as name, port("wire10", spec(endpoint(broker, "wire10"), (), (name,))) as opened:
        before = opened.counters()["bytes_in"]
        opened.poll(4 * NS_PER_S)
        assert opened.counters()["bytes_in"] >= before + 8


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_full_queue_refuses_and_is_believed(rabbitmq: Broker, driver: str) -> None:
    """RabbitMQ's reject-publish answers basic.nack, and rejected over 1.0: REFUSED, not confirmed."""
    name = f"full-{driver}"
    with channel(rabbitmq) as plain:
        plain.queue_declare(name, arguments={"x-max-length": 10, "x-overflow": "reject-publish"})
    with port(driver, spec(endpoint(rabbitmq, driver), (name,))) as opened:
        rows = Exchanged()
        for first in range(0, 40, 10):
            settle(opened, rows, first, 10)
    outcomes = {seq: outcome for _, seq, outcome, _ in rows.settled}
    assert len(outcomes) == 40
    assert {outcomes[seq] for seq in range(10)} == {Outcome.CONFIRMED}
    assert {outcomes[seq] for seq in range(20, 40)} == {Outcome.REFUSED}
    rabbitmq.delete(name)
