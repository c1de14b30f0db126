"""What a broker allows is found out: by peers of small limits, whose codecs are pika's and Proton's own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pika import frame, spec
from proton import Condition, Event, Terminus
from proton.handlers import MessagingHandler
from proton.reactor import Container

from brokers import endpoint
from brokers.admin import amqp091, amqp10_connection
from brokers.admin.base import SilentError
from brokers.admin.visit import visit
from tests.bench.drivers.amqp091_server import ANSWERS, Amqp091Server

CHANNELS, MESSAGE = 8, 2_000


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (amqp091, amqp10_connection):
        monkeypatch.setattr(module, "ANSWER_TIMEOUT_S", 0.5)
    monkeypatch.setattr("brokers.admin.visit.ANSWER_TIMEOUT_S", 0.5)


class SmallServer(Amqp091Server):
    """Refuses larger messages as RabbitMQ does: it closes the channel, once the body has come."""

    def __init__(self, most: int, code: int = 406) -> None:
        """Take bodies of so many bytes."""
        self._most, self._code, self._closing = most, code, False
        super().__init__()
        self._tune = spec.Connection.Tune(CHANNELS, 4096, 0)

    def _act(self, came: Any) -> None:
        had = len(self.bodies)
        if self._closing and not isinstance(getattr(came, "method", None), spec.Channel.CloseOk):
            return  # what comes on a channel that is being closed is passed over
        self._closing = False
        super()._act(came)
        size = came.body_size if isinstance(came, frame.Header) and not came.body_size else None
        if len(self.bodies) > had:
            size = len(self.bodies[-1])
        if size is not None and size > self._most:
            self._closing = True
            self.say(spec.Channel.Close(self._code, f"message of {size} B is too large", 60, 40))


@contextmanager
def small_server(most: int, code: int = 406) -> Iterator[SmallServer]:
    """Yield a server, and hang up."""
    server = SmallServer(most, code)
    try:
        yield server
    finally:
        server.stop()


def test_channels_are_announced_and_messages_tried() -> None:
    """Each size in turn, over as many frames as it takes; the smallest that is refused is told with the words."""
    with small_server(MESSAGE * 10) as server:
        found = visit(server.endpoint, "q", [100, MESSAGE * 10 + 1, MESSAGE * 10, 64], ours=True)
        assert [len(body) for body in server.bodies] == [64, 100, MESSAGE * 10, MESSAGE * 10 + 1]
    assert (found.protocol, found.channels, found.message) == ("amqp091", CHANNELS, None)
    assert (found.refused_size, found.refused) == (MESSAGE * 10 + 1, ())
    assert "406 message of 20001 B is too large" in found.size_words


def test_a_first_message_that_is_too_large_is_told_from_a_missing_permission() -> None:
    """An empty one passes, or does not either."""
    with small_server(0) as server:
        found = visit(server.endpoint, "q", [100], ours=True)
    assert (found.refused_size, found.refused) == (100, ())
    with small_server(-1, 403) as server:
        found = visit(server.endpoint, "q", [100], ours=True)
    assert found.refused_size is None
    assert [what for what, _ in found.refused] == ["publish to"]
    assert "403" in found.refused[0][1]


def test_what_fits_is_all_right() -> None:
    """Nothing is refused; what was sent is consumed."""
    with small_server(MESSAGE) as server:
        found = visit(server.endpoint, "q", [MESSAGE], ours=True)
        assert server.hear(spec.Basic.Publish).routing_key == "q"
    assert (found.refused_size, found.refused, found.size_words) == (None, (), "")


def test_a_queue_of_someone_else_is_left_alone() -> None:
    """Nothing is sent there and nothing taken."""
    with small_server(0) as server:
        found = visit(server.endpoint, "orders", [100], ours=False)
        assert server.bodies == []
        assert not [one for one in server.heard.queue if isinstance(one, (spec.Basic.Publish, spec.Basic.Consume))]
    assert (found.channels, found.refused_size) == (CHANNELS, None)


def test_consuming_may_be_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the broker's words."""
    monkeypatch.setitem(ANSWERS, spec.Basic.Consume, lambda _: spec.Channel.Close(403, "read access refused", 60, 70))
    with small_server(MESSAGE) as server:
        found = visit(server.endpoint, "q", [100], ours=True)
    assert [(what, "read access refused" in words) for what, words in found.refused] == [("consume from", True)]


class Unversed(SmallServer):
    """Does not know basic.consume, and ends the connection that says it."""

    def _act(self, came: Any) -> None:
        if isinstance(getattr(came, "method", None), spec.Basic.Consume):
            self.say(spec.Connection.Close(540, "no such method", 60, 20), 0)
        else:
            super()._act(came)


def test_what_ends_the_connection_is_a_refusal_too() -> None:
    """What was announced before stands."""
    server = Unversed(MESSAGE)
    found = visit(server.endpoint, "q", [100], ours=True)
    server.stop()
    assert found.channels == CHANNELS
    assert [(what, "540 no such method" in words) for what, words in found.refused] == [("consume from", True)]


def test_silence_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that blocks publishers answers nothing on their channel."""
    monkeypatch.delitem(ANSWERS, spec.Queue.Declare)
    with small_server(MESSAGE) as server, pytest.raises(SilentError, match=r"basic\.publish"):
        visit(server.endpoint, "q", [100], ours=True)


class SmallBroker(MessagingHandler):  # type: ignore[misc]  (Proton has no types)
    """A broker of Proton's own: it announces a largest message, and refuses what it is told to."""

    def __init__(self, most: int, refuses: tuple[str, ...]) -> None:
        """Announce so many bytes; `refuses` names the kinds of links, as the client sees them."""
        super().__init__(prefetch=0)
        self._most, self._refuses = most, refuses
        self.port = 0
        self.ready = threading.Event()
        self.left = threading.Event()
        self.nodes: list[str | None] = []

    def on_start(self, event: Event) -> None:
        """Listen."""
        acceptor = event.container.listen("127.0.0.1:0")
        self.port = acceptor._selectable._delegate.getsockname()[1]
        event.container.schedule(0.02, LookIfLeft(self, acceptor))
        self.ready.set()

    def on_link_opening(self, event: Event) -> None:
        """Announce, or refuse; Proton opens the link afterwards."""
        link = event.link
        own = link.remote_target if link.is_receiver else link.remote_source
        self.nodes.append(own.address)
        link.max_message_size = self._most
        if ("sender" if link.is_receiver else "receiver") in self._refuses:
            # An attach without a terminus, then a detach with the reason (part 2, 2.6.3).
            link.source.type = link.target.type = Terminus.UNSPECIFIED
            link.condition = Condition("amqp:unauthorized-access", "not you")
            return
        link.source.copy(link.remote_source)
        link.target.copy(link.remote_target)

    def on_link_local_open(self, event: Event) -> None:
        """End what is refused."""
        if event.link.condition is not None:
            event.link.close()


class LookIfLeft(MessagingHandler):  # type: ignore[misc]
    """Stops listening, in the broker's own thread, once the test has left it."""

    def __init__(self, broker: SmallBroker, acceptor: Any) -> None:
        """Take what to look at and what to close."""
        super().__init__()
        self._broker, self._acceptor = broker, acceptor

    def on_timer_task(self, event: Event) -> None:
        """Look, now and then."""
        if self._broker.left.is_set():
            self._acceptor.close()
        else:
            event.container.schedule(0.02, self)


@contextmanager
def small_broker(most: int, *refuses: str) -> Iterator[tuple[SmallBroker, endpoint.Endpoint]]:
    """Yield a broker over AMQP 1.0 and where it is."""
    broker = SmallBroker(most, refuses)
    container = Container(broker)
    thread = threading.Thread(target=container.run)
    thread.start()
    try:
        assert broker.ready.wait(5)
        at = endpoint.Endpoint(
            "amqp10", "127.0.0.1", broker.port, "/", "h", "guest", "guest", "/queues/", sasl="anonymous"
        )
        yield broker, at
    finally:
        broker.left.set()
        thread.join(5)
        assert not thread.is_alive()


def test_an_attach_announces_the_largest_message() -> None:
    """Nothing is sent; the node is named as drivers name it."""
    with small_broker(MESSAGE) as (broker, at):
        found = visit(at, "q", [100], ours=True)
    assert (found.protocol, found.message, found.channels, found.refused) == ("amqp10", MESSAGE, None, ())
    assert broker.nodes == ["/queues/q", "/queues/q"]


def test_no_limit_is_none() -> None:
    """Zero, as the standard has it."""
    with small_broker(0) as (_, at):
        assert visit(at, "q", [100], ours=True).message is None


@pytest.mark.parametrize(("kind", "what"), [("sender", "publish to"), ("receiver", "consume from")])
def test_a_refused_link_is_told(kind: str, what: str) -> None:
    """With the broker's words; the other is tried all the same."""
    with small_broker(MESSAGE, kind) as (broker, at):
        found = visit(at, "q", [100], ours=True)
    assert [(one, "not you" in words) for one, words in found.refused] == [(what, True)]
    assert len(broker.nodes) == 2


def test_without_a_queue_one_link_without_an_address_is_tried() -> None:
    """A refusal says nothing of permissions then."""
    for refuses in ((), ("sender",)):
        with small_broker(MESSAGE, *refuses) as (broker, at):
            found = visit(at, None, [100], ours=False)
        assert (found.message, found.refused) == (None if refuses else MESSAGE, ())
        assert broker.nodes == [None]
