"""Shapes of work over AMQP 1.0 by the compiled driver: routes, properties, rejections, calls; on every broker."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
import pytest

from bench.arrivals.keys import drawn, in_turn, keys_of
from bench.drivers.base import (
    Consuming,
    ConsumerLane,
    OwnedQueue,
    Port,
    PortSpec,
    ProducerLane,
    Properties,
    Refused,
    ReplyAddress,
    Route,
)
from bench.units import NS_PER_MS, NS_PER_S
from brokers.base import Broker
from brokers.topology import QueueKind
from tests.live.driver_exchange import CLOCK, Exchanged, channel, endpoint, gather, port, queue, receive, settle, spec

BROKERS = ("rabbitmq", "qpid_broker_j", "artemis")
_numbers = count()


@pytest.fixture(params=BROKERS)
def any_broker(request: pytest.FixtureRequest) -> Broker:
    """Each of the brokers in turn."""
    found: Broker = request.getfixturevalue(request.param)
    return found


@contextmanager
def bound(broker: Broker, keys: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield an exchange and the queue of each key; where a broker knows no exchanges, a key is a queue."""
    with ExitStack() as stack:
        queues = {key: stack.enter_context(queue(broker)) for key in keys}
        if "amqp091" not in broker.protocols():
            yield "", queues
            return
        exchange = f"shapes-{next(_numbers)}"
        with channel(broker) as plain:
            plain.exchange_declare(exchange, "direct")
            for key, name in queues.items():
                plain.queue_bind(name, exchange, key)
        try:
            yield exchange, queues
        finally:
            with channel(broker) as plain:
                plain.exchange_delete(exchange)


@pytest.mark.parametrize("keys", [("one key",), ("a.1", "b/2", "c 3")], ids=len)
@pytest.mark.parametrize("size", [100, 200_000])
def test_messages_go_by_their_keys(any_broker: Broker, keys: tuple[str, ...], size: int) -> None:
    """Each to the queue of its key, once, in the order of its producer; what the broker said is that it has them."""
    messages = 60 if size == 100 else 6
    at = endpoint(any_broker, "wire10")
    with bound(any_broker, keys) as (exchange, queues):
        names = tuple(queues.values())
        routed = keys if exchange else names
        choice = drawn([3, 2, 1][: len(keys)], 5)
        asked = spec(at, ("",), (), size, route=Route(exchange, routed, choice))
        rows = Exchanged()
        with port("wire10", asked) as sending:
            settle(sending, rows, 0, messages)
        assert {outcome for _, _, outcome, _ in rows.settled} == {1}
        with port("wire10", spec(at, (), names, size)) as receiving:
            receive(receiving, rows, messages)
        wanted = keys_of(choice, 100, 0, messages).tolist()
        assert sorted((row[2], row[0]) for row in rows.delivered) == list(enumerate(wanted))
        for lane in range(len(keys)):
            seqs = [row[2] for row in rows.delivered if row[0] == lane]
            assert seqs == sorted(seqs)
