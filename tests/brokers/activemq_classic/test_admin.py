"""What is asked of Java's management beans, and what is made of the answers."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from brokers.activemq_classic.admin import ActiveMQClassicAdmin
from brokers.activemq_classic.config import BEAN
from brokers.activemq_classic.product import PRODUCT
from brokers.admin.amqp10 import Amqp10Admin
from brokers.admin.base import Address, AdminError, Holding
from brokers.topology import Binding, DeclaredQueue, Exchange, QueueKind, Topology
from tests.brokers.admin.json_peer import json_peer

QUEUE = f"{BEAN},destinationType=Queue,destinationName="
TOPIC = f"{BEAN},destinationType=Topic,destinationName="


class _Beans:
    """Answers as Jolokia does; `names` are the destinations that are there, `done` the operations."""

    def __init__(self) -> None:
        self.names = {"Queue": set[str](), "Topic": set[str]()}
        self.done: list[tuple[str, ...]] = []

    def __call__(self, asked: Any) -> bytes:
        """Return the answer to a request."""
        return json.dumps({"status": 200, **self._answer(asked)}).encode()

    def _answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        bean = asked["mbean"]
        if asked["type"] == "search":
            return {"value": [f"{TOPIC}{name}" for name in sorted(self.names["Topic"])]}
        if asked["type"] == "read":
            there = bean.removeprefix(QUEUE) in self.names["Queue"]
            return {"value": {"QueueSize": 5, "ConsumerCount": 2}} if there else {"status": 404, "error": "none"}
        operation = asked["operation"].partition("(")[0]
        self.done.append((operation, *asked.get("arguments", [bean])))
        if operation == "fails":
            return {"status": 500, "error": "java.lang.IllegalStateException : no"}
        for action, change in (("add", set.add), ("remove", set.discard)):
            if operation.startswith(action):
                change(self.names[operation.removeprefix(action)], asked["arguments"][0])
        return {"value": None}


@pytest.fixture
def beans() -> _Beans:
    """A broker without destinations."""
    return _Beans()


@pytest.fixture
def admin(beans: _Beans) -> Iterator[ActiveMQClassicAdmin]:
    """An admin of it, which speaks no AMQP."""
    with json_peer(beans) as peer:
        yield ActiveMQClassicAdmin(Address("127.0.0.1", 1, "", "guest", "secret", ports={"http": peer.port}))


def test_a_queue_is_declared_counted_and_deleted(admin: ActiveMQClassicAdmin, beans: _Beans) -> None:
    """One that is not there has no depth, and its deletion is nothing."""
    admin.declare("q", QueueKind(durable=True))
    assert (admin.depth("q"), admin.holding("q")) == (5, Holding(5, 2))
    admin.purge("q")
    admin.delete("q")
    admin.delete("q")
    assert (admin.depth("q"), admin.holding("q")) == (None, None)
    assert beans.done == [("addQueue", "q"), ("purge", f"{QUEUE}q"), *[("removeQueue", "q")] * 2]
    with pytest.raises(AdminError, match="there is no queue 'q'"):
        [*admin.take("q", 5)]


def test_a_name_is_written_as_beans_write_it(admin: ActiveMQClassicAdmin, beans: _Beans) -> None:
    """What parts the name of a bean, or is a pattern in one, is another letter there."""
    admin.purge("a:b,c='\"?*")
    assert beans.done == [("purge", f"{QUEUE}a_b_c&amp;__&qe;&ast;")]


def test_queues_have_no_arguments(admin: ActiveMQClassicAdmin, beans: _Beans) -> None:
    """They are refused, not passed over."""
    with pytest.raises(AdminError, match=r"queues of this broker have no arguments \(x-max-length\)"):
        admin.declare("q", QueueKind(durable=True, arguments={"x-max-length": 5}))
    assert beans.done == []


def test_a_topology_is_declared_and_goes(admin: ActiveMQClassicAdmin, beans: _Beans) -> None:
    """With the topics that messages made by their keys; then its names are free again."""
    whole = Topology(
        (Exchange("e", "direct"),),
        (DeclaredQueue("q", QueueKind(durable=False)), DeclaredQueue("own", QueueKind(durable=False))),
        (Binding("e", "q", "k"),),
    )
    assert not admin.has_topology(whole)
    admin.declare_topology(whole)
    assert admin.has_topology(whole)
    assert beans.names == {"Queue": {"Consumer.q.VirtualTopic.e.k", "own"}, "Topic": {"VirtualTopic.e"}}
    assert admin.depth("q") == 5
    beans.names["Topic"] |= {"VirtualTopic.e.void", "VirtualTopic.ee"}
    admin.delete_topology(whole)
    assert beans.names == {"Queue": set(), "Topic": {"VirtualTopic.ee"}}
    admin.declare("q", QueueKind(durable=False))
    assert beans.names["Queue"] == {"q"}


def test_an_exchange_is_found_by_its_written_name(admin: ActiveMQClassicAdmin, beans: _Beans) -> None:
    """And deleted by its own."""
    beans.names["Topic"] |= {"VirtualTopic.a_b", "VirtualTopic.a_b.k"}
    assert admin.has_exchange(Exchange("a:b", "direct"))
    admin.delete_exchange("a:b")
    assert beans.done == [("removeTopic", "VirtualTopic.a:b"), ("removeTopic", "VirtualTopic.a:b.k")]


def test_what_an_earlier_run_left_is_deleted_by_its_names(admin: ActiveMQClassicAdmin, beans: _Beans) -> None:
    """Though this admin has declared nothing."""
    beans.names["Queue"] |= {"Consumer.q.VirtualTopic.e"}
    admin.delete_topology(
        Topology((Exchange("e", "fanout"),), (DeclaredQueue("q", QueueKind(durable=False)),), (Binding("e", "q"),))
    )
    assert beans.names["Queue"] == set()


def test_what_fails_says_why(admin: ActiveMQClassicAdmin) -> None:
    """In the broker's words; a bean that is not there is named."""
    with pytest.raises(AdminError, match=r"^the broker refused fails\(\): java\.lang\.IllegalStateException : no$"):
        admin.operation("fails")
    with pytest.raises(AdminError, match=r"^the broker has no management bean x:y=z$"):
        admin.attributes("x:y=z", "A")


def test_an_answer_that_is_no_object_is_a_fault() -> None:
    """It is quoted."""
    with json_peer(lambda _: b"[1]") as peer:
        admin = ActiveMQClassicAdmin(Address("127.0.0.1", 1, "", "guest", "secret", ports={"http": peer.port}))
        with pytest.raises(AdminError, match=r"the broker refused read: \[1\]"):
            admin.depth("q")


def test_a_broker_of_someone_else_is_asked_over_amqp_alone() -> None:
    """The port of its management is not known."""
    at = Address("127.0.0.1", 1, "", "guest", "secret")
    assert type(PRODUCT.admin(PRODUCT.defaults, at)) is Amqp10Admin
    ours = Address("127.0.0.1", 1, "", "guest", "secret", ports={"http": 2})
    assert type(PRODUCT.admin(PRODUCT.defaults, ours)) is ActiveMQClassicAdmin
