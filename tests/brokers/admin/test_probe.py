"""What is probed of a broker nobody knows: each field with how it is known, or why it is not."""

from collections.abc import Callable
from typing import Any

import pytest
from pika import spec
from proton import Condition

from brokers.admin import amqp091, amqp10_connection
from brokers.admin.base import Address
from brokers.admin.probe import NO_KIND, PREFIX, probe_amqp091, probe_amqp10
from tests.bench.drivers.amqp091_server import ANSWERS, Amqp091Server
from tests.brokers.admin.amqp10_peer import amqp10_peer


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (amqp091, amqp10_connection):
        monkeypatch.setattr(module, "ANSWER_TIMEOUT_S", 0.5)


def _only(*kinds: str) -> Callable[[spec.Queue.Declare], Any]:
    """Return a broker's answer to queue.declare that knows these kinds of queues alone."""

    def answer(asked: spec.Queue.Declare) -> Any:
        if asked.passive:
            return spec.Channel.Close(404, "no queue", 50, 10)
        assert asked.queue.startswith(PREFIX)
        if asked.arguments["x-queue-type"] in kinds:
            return spec.Queue.DeclareOk(asked.queue, 0, 0)
        return spec.Channel.Close(406, "unknown queue type", 50, 10)

    return answer


@pytest.mark.parametrize(("advertised", "nack"), [(True, True), (False, None)])
def test_confirms_are_tried_and_not_believed(
    advertised: bool,  # noqa: FBT001
    nack: bool | None,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A broker that does not advertise them may have them."""
    monkeypatch.setitem(ANSWERS, spec.Queue.Declare, _only("classic", "stream"))
    server = Amqp091Server(confirms=advertised)
    found = probe_amqp091(Address("127.0.0.1", server.endpoint.port, "/", "guest", "guest"))
    server.stop()
    assert (found.confirms, found.nack, found.queue_kinds) == (True, nack, ("classic", "stream"))
    assert ("not advertised" in found.how["confirms"]) is not advertised
    assert (found.max_frame, found.max_channels) == (131_072, 10)
    assert (found.credit, found.max_message) == (None, None)


def test_an_argument_that_any_value_passes_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that takes a kind of queue that nobody has does not read the argument."""
    monkeypatch.setitem(ANSWERS, spec.Queue.Declare, _only("classic", "quorum", "stream", NO_KIND))
    server = Amqp091Server()
    found = probe_amqp091(Address("127.0.0.1", server.endpoint.port, "/", "guest", "guest"))
    server.stop()
    assert found.queue_kinds is None
    assert "means nothing" in found.how["queue_kinds"]


def test_confirms_that_are_refused_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker's reason is told."""
    monkeypatch.setitem(ANSWERS, spec.Queue.Declare, _only())
    monkeypatch.setitem(ANSWERS, spec.Confirm.Select, lambda _: spec.Channel.Close(540, "no confirms", 85, 10))
    server = Amqp091Server(confirms=False)
    found = probe_amqp091(Address("127.0.0.1", server.endpoint.port, "/", "guest", "guest"))
    server.stop()
    assert found.confirms is False
    assert "540 no confirms" in found.how["confirms"]
    assert found.queue_kinds is None
    assert "406 unknown queue type" in found.how["queue_kinds"]


@pytest.mark.parametrize("node", ["q", None])
def test_an_attach_tells_of_credit_and_confirms(node: str | None) -> None:
    """Whether to a node or to none in particular."""
    with amqp10_peer() as peer:
        found = probe_amqp10(peer.address, None, node)
    assert (found.confirms, found.credit, found.max_message, found.queue_kinds) == (True, 100, None, None)
    assert [address for address, _ in peer.targets] == [node]
    assert set(found.how) == {
        "confirms",
        "nack",
        "queue_kinds",
        "credit",
        "max_frame",
        "max_message",
        "max_sessions",
    }


def test_an_attach_that_is_refused_leaves_unknown_and_says_so() -> None:
    """What the open frame tells remains."""
    with amqp10_peer(links={"q": Condition("amqp:not-found", "no node")}) as peer:
        found = probe_amqp10(peer.address, None, "q")
    assert (found.confirms, found.credit, found.max_message) == (None, None, None)
    assert found.max_sessions is not None
    assert "amqp:not-found: no node" in found.how["credit"]
