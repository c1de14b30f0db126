"""What only the compiled driver does over 1.0: many links a connection, links attached anew, what does not fit."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from proton import Message

from bench.arrivals import stamp
from bench.arrivals.body_content import BodyContent
from bench.arrivals.keys import by_producer, in_turn
from bench.drivers.base import (
    ConnectionLost,
    ConsumerLane,
    Consuming,
    DriverError,
    OwnedQueue,
    Port,
    PortSpec,
    ProducerLane,
    Properties,
    Refused,
    Route,
)
from bench.drivers.wire.receive_loop import COMPILED
from bench.drivers.wire.wire10 import open_port
from bench.host.clock import RealClock
from bench.units import NS_PER_MS, NS_PER_S
from brokers.endpoint import Destination, Endpoint, ExchangeAddresses
from brokers.topology import QueueKind
from tests.bench.drivers.amqp10_server import Amqp10Server

pytestmark = pytest.mark.compiled


CLOCK = RealClock()
Opened = Callable[..., tuple[Any, Amqp10Server]]


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Open a port with producers on a server of few words; both end with the test."""
    ends: list[Callable[[], None]] = []

    def open_one(
        lanes: int = 1,
        size: int = 40,
        *,
        max_frame: int = 0,
        frames: int = 0,
        at: dict[str, Any] | None = None,
        **options: Any,
    ) -> tuple[Any, Amqp10Server]:
        server = Amqp10Server(grant=100, max_frame=max_frame, frames=frames)
        ends.append(server.stop)
        producers = tuple(ProducerLane(7 + lane, f"q{lane}") for lane in range(lanes))
        port = open_port(PortSpec(replace(server.endpoint, **(at or {})), producers, (), size, **options), CLOCK)
        ends.append(port.close)
        return port, server

    yield open_one
    for end in reversed(ends):
        end()


def send(port: Port, lanes: list[int]) -> None:
    """Send a message on each of these lanes."""
    port.send(np.array(lanes), np.arange(len(lanes)), np.zeros(len(lanes), np.int64))


def until(port: Port, holds: Callable[[], bool]) -> None:
    """Poll until it holds, at most 5 s."""
    deadline_ns = CLOCK.now_ns() + 5 * NS_PER_S
    while not holds():
        assert CLOCK.now_ns() < deadline_ns
        port.poll(5 * NS_PER_MS)


def test_lanes_share_a_connection(opened: Opened) -> None:
    """Three links on one session; each message comes on its own."""
    port, server = opened(3, lanes_per_connection=3, confirm_window=10)
    assert port.room() == 30
    send(port, [0, 1, 2, 2, 1])
    until(port, lambda: len(server.deliveries) == 5)
    names = [delivery.link.name.split()[1] for delivery in server.deliveries]
    assert names == ["7", "8", "9", "9", "8"]


def test_a_link_is_attached_anew_after_so_many_messages(opened: Opened) -> None:
    """Under another name; there is no room until the new link has credit, and none for more than it may send."""
    port, server = opened(confirm_window=0, options={"reattach": "8"})
    assert port.room() == 8
    send(port, [0] * 8)
    assert port.room() == 0
    until(port, lambda: port.room() == 8)
    send(port, [0] * 8)
    until(port, lambda: port.room() == 8)
    assert port.counters()["reattached"] == 2
    assert len(server.deliveries) == 16
    assert len(set(server.names)) == 3


def test_a_port_closes_in_the_midst_of_attaching_anew(opened: Opened) -> None:
    """What was sent arrives, and the server sees an orderly end."""
    port, server = opened(confirm_window=0, options={"reattach": "8"})
    send(port, [0] * 8)
    begin_ns = CLOCK.now_ns()
    port.close()
    assert CLOCK.now_ns() - begin_ns < NS_PER_S
    server.stop()
    assert (len(server.deliveries), len(server.names)) == (8, 1)


def test_a_link_with_a_window_stays(opened: Opened) -> None:
    """The option is for pre-settled senders; with outcomes nothing dwindles."""
    port, server = opened(confirm_window=10, options={"reattach": "8"})
    send(port, [0] * 10)
    until(port, lambda: len(server.deliveries) == 10)
    assert len(server.names) == 1


def test_an_option_that_is_no_number_is_refused() -> None:
    """Before anything is connected, and the text says what to write."""
    nowhere = Endpoint("amqp10", "127.0.0.1", 9, "/", None, "guest", "guest")
    asked = PortSpec(nowhere, (ProducerLane(0, "q"),), (), 40, options={"reattach": "often"})
    with pytest.raises(DriverError, match=r"options\.reattach = 'often': write a number of messages"):
        open_port(asked, CLOCK)


def test_a_large_message_waits_for_the_session_and_goes_on(opened: Opened) -> None:
    """Of 10 frames each where the session takes 4 at a time: one is begun, and there is no room until it is through."""
    port, server = opened(2, 9_000, max_frame=1_024, frames=4, lanes_per_connection=2, confirm_window=4)
    for turn in range(3):
        until(port, lambda: port.room() >= 2)
        send(port, [0, 1])
        assert port.room() == 0
        until(port, lambda: len(server.deliveries) == 2 * turn + 2)  # noqa: B023
    opening_and_body = len(server.bodies) // 6
    for number in range(6):
        stamped = server.bodies[(number + 1) * opening_and_body - 9_000 :]
        assert stamp.unpack(stamped[: stamp.SIZE])[:2] == (7 + number % 2, number % 2)


def test_bytes_that_are_no_amqp_are_told(opened: Opened) -> None:
    """As a loss, with what was wrong, whichever loop reads them."""
    port, server = opened()
    server.raw(b"\x00\x00\x00\x08\x01\x00\x00\x00")
    with pytest.raises(ConnectionLost, match=r"dropped producer 7 .* it sent what no peer may: a frame's data offset"):
        until(port, lambda: False)


def refused(**asked: Any) -> str:
    """Return why a port is not opened that asks for this; nothing is connected."""
    nowhere = Endpoint("amqp10", "127.0.0.1", 9, "/", None, "guest", "guest")
    with pytest.raises(Refused) as caught:
        open_port(PortSpec(nowhere, **{"producers": (), "consumers": (), "size": 40} | asked), CLOCK)
    return str(caught.value)


def test_what_the_protocol_has_not_is_refused() -> None:
    """With the field's name, and what to do."""
    assert "consuming.exclusive" in refused(consuming=Consuming(exclusive=True))
    assert "set ack_batch" in refused(consuming=Consuming(reject=0.1), ack_batch=0)
    owned = ConsumerLane(0, "mine", owned=OwnedQueue(QueueKind(durable=False)))
    assert "queue 'mine': over AMQP 1.0 a consumer cannot declare" in refused(consumers=(owned,))


def test_a_broker_that_knows_one_key_a_link_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it has no anonymous terminus."""
    monkeypatch.setattr(Endpoint, "destination", lambda _, exchange, key, **__: Destination(exchange + key, "address"))
    text = refused(producers=(ProducerLane(0, ""),), route=Route("x", ("a", "b"), in_turn(2)))
    assert "one routing key a link over AMQP 1.0, not 2" in text


def test_a_filter_that_the_broker_ignores_is_told() -> None:
    """It echoes what it applies, so what is missing from its attach is not applied."""
    server = Amqp10Server()
    server.keeps_filters = False
    asked = PortSpec(server.endpoint, (), (ConsumerLane(0, "q"),), 40, consuming=Consuming((("x:filter", "y"),)))
    with pytest.raises(Refused, match=r"does not know the filter x:filter \(consuming\.arguments\)"):
        open_port(asked, CLOCK)
    server.stop()


def test_properties_that_fill_a_frame_are_refused(opened: Opened) -> None:
    """What is patched must be in the first frame of a message."""
    with pytest.raises(Refused, match=r"takes frames of 600 octets, .* make properties shorter"):
        opened(max_frame=600, properties=Properties(headers=(("long", "x" * 600),)))


KEYS = ("a", "b.c", "d")
ENDPOINTS: dict[str, tuple[dict[str, Any], str, list[tuple[str | None, str | None]]]] = {
    "in the address": (
        {"exchanges": ExchangeAddresses("{exchange}", "{exchange}.{key}", "to")},
        "ex",
        [(f"ex.{key}", None) for key in KEYS],
    ),
    "below a prefix": (
        {"exchanges": ExchangeAddresses("/exchanges/{exchange}", "/exchanges/{exchange}/{key}", "to", encoded=True)},
        "x y",
        [(f"/exchanges/x%20y/{key}", None) for key in KEYS],
    ),
    "in the subject": (
        {"exchanges": ExchangeAddresses("{exchange}", "{exchange}/{key}", "subject")},
        "ex",
        [(None, key) for key in KEYS],
    ),
}


@pytest.mark.parametrize("how", ENDPOINTS)
@pytest.mark.parametrize("keys", [1, 3])
def test_each_message_has_the_key_of_its_number(opened: Opened, how: str, keys: int) -> None:
    """One key is in the link's address or in all messages; several are in each; the properties are there as well."""
    more, exchange, carried = ENDPOINTS[how]
    asked = {"properties": Properties(message_id="m{seq}"), "body": BodyContent("json")}
    port, server = opened(route=Route(exchange, KEYS[:keys], in_turn(keys)), at=more, **asked)
    send(port, [0] * 10)
    until(port, lambda: len(server.messages) == 10)
    target = server.link.remote_target.address
    for seq, octets in enumerate(server.messages):
        message = Message()
        message.decode(octets)
        to, subject = carried[(7 + seq) % keys]
        if keys == 1:
            assert (message.address, message.subject) == (None, None)
            assert target == (f"{exchange}/{subject}" if subject else to)
        else:
            assert (message.address, message.subject) == (to, subject)
            assert target == (exchange if subject else None)
        assert message.id == f"m{seq:013}"
        assert stamp.unpack(message.body)[:2] == (7, seq)
        assert message.body[stamp.SIZE :] == BodyContent("json").fill(40)[stamp.SIZE :]


def test_a_producer_of_one_key_has_it_in_its_address(opened: Opened) -> None:
    """Where each producer has one of several keys, its link says so once and messages need not."""
    _, server = opened(1, route=Route("", KEYS, by_producer(3)))
    assert server.link.remote_target.address == KEYS[7 % 3]


@pytest.mark.parametrize("planned", [False, True])
def test_compact_stamps_go_out(opened: Opened, planned: bool) -> None:  # noqa: FBT001
    """Also from the compiled loop that paces."""
    port, server = opened(size=12, compact=True)
    now_ns = CLOCK.now_ns()
    assert port.plans() is COMPILED
    if planned and COMPILED:
        port.send_planned(np.zeros(2, np.int64), np.arange(2), np.full(2, now_ns), now_ns + NS_PER_S, 0)
    else:
        port.send(np.zeros(2, np.int64), np.arange(2), np.full(2, now_ns))
    until(port, lambda: len(server.messages) == 2)
    read = [stamp.unpack_compact(octets[-12:], CLOCK.now_ns()) for octets in server.messages]
    assert read == [(7, 0, now_ns, now_ns), (7, 1, now_ns, now_ns)]
