"""What is asked of Artemis's management, and what is made of its answers."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from proton import Message, symbol

from brokers.admin.base import Address, AdminError, Holding
from brokers.artemis.admin import ADDRESS, ArtemisAdmin, ArtemisRefusedError
from brokers.topology import Binding, DeclaredQueue, Exchange, QueueKind, TakenMessage, Topology
from tests.brokers.admin.amqp10_peer import amqp10_peer


class _Management:
    """Answers as Artemis does; `queues` are durability and messages by name, `asked` what was asked."""

    def __init__(self, **queues: tuple[bool, int]) -> None:
        self.queues = queues
        self.asked: list[tuple[str, str, Any]] = []

    def __call__(self, request: Message) -> list[Message]:
        """Return the answer to a request."""
        said = dict(request.properties or {})
        resource = said["_AMQ_ResourceName"]
        what = said.get("_AMQ_OperationName") or said["_AMQ_Attribute"]
        arguments = json.loads(request.body) if request.body else None
        self.asked.append((resource, what, arguments))
        succeeded, result = self._result(resource, what, arguments)
        body = None if result is None else json.dumps([result])
        properties = {"_AMQ_OperationSucceeded": succeeded}
        return [Message(properties=properties, body=body, correlation_id=request.correlation_id)]

    def _result(self, resource: str, what: str, arguments: Any) -> tuple[bool, Any]:
        if what == "createQueue":
            wanted = json.loads(arguments[0])
            self.queues.setdefault(wanted["name"], (wanted["durable"], 0))
            return True, "{}"
        if what == "destroyQueue":
            gone = self.queues.pop(arguments[0], None)
            return gone is not None, None if gone else f"AMQ229017: Queue {arguments[0]} does not exist"
        if "Address" in what or what == "getQueueNames":
            return True, {"getQueueNames": [*self.queues], "getAddressNames": ["e", "e.a.b", "ee"]}.get(what)
        found = self.queues.get(resource.removeprefix("queue."))
        if found is None or what == "nope":
            return False, f"Problem while retrieving attribute {what}"
        return True, {"durable": found[0], "messageCount": found[1], "consumerCount": 2}.get(what)


def _done(management: _Management, *calls: Callable[[ArtemisAdmin], object]) -> list[object]:
    """Return the results of calls."""
    with amqp10_peer(answer=management) as peer:
        admin = ArtemisAdmin(peer.address)
        try:
            return [call(admin) for call in calls]
        finally:
            admin.close()


def test_a_queue_is_declared_with_its_address() -> None:
    """ANYCAST, else each consumer would get a copy; arguments stand in the queue's configuration."""
    management = _Management()
    _done(management, lambda admin: admin.declare("q", QueueKind(durable=True, arguments={"ring-size": "7"})))
    resource, what, (configuration, ignore_existing) = management.asked[0]
    assert (resource, what, ignore_existing) == ("broker", "createQueue", True)
    assert json.loads(configuration) == {
        "ring-size": "7",
        "name": "q",
        "address": "q",
        "routing-type": "ANYCAST",
        "durable": True,
        "auto-create-address": True,
    }


def test_a_queue_of_another_durability_is_refused() -> None:
    """Artemis itself passes over it."""
    with pytest.raises(AdminError, match="has a queue 'q' already, which is not durable"):
        _done(_Management(q=(False, 0)), lambda admin: admin.declare("q", QueueKind(durable=True)))


def test_a_queue_that_is_not_there_has_no_depth() -> None:
    """None is not the same as nothing."""
    found = _done(
        _Management(q=(True, 5)),
        lambda admin: admin.depth("q"),
        lambda admin: admin.depth("other"),
        lambda admin: admin.holding("q"),
        lambda admin: admin.holding("other"),
    )
    assert found == [5, None, Holding(5, 2), None]


def test_a_deletion_of_nothing_is_nothing() -> None:
    """With what is there, its consumers and its address go too."""
    management = _Management(q=(True, 5))
    _done(management, lambda admin: admin.delete("q"), lambda admin: admin.delete("q"))
    assert management.asked == [("broker", "destroyQueue", ["q", True, True])] * 2


def test_a_purge_is_an_operation_of_the_queue() -> None:
    """Messages that are being delivered stay."""
    management = _Management(q=(True, 5))
    _done(management, lambda admin: admin.purge("q"))
    assert management.asked == [("queue.q", "removeAllMessages", [])]


def test_a_topology_is_declared_and_goes() -> None:
    """Settings before what they are for; at the end also the addresses that messages have made by their keys."""
    management = _Management()
    topology = Topology(
        (Exchange("e", "topic"),),
        (DeclaredQueue("q", QueueKind(durable=False, arguments={"x-message-ttl": 5})),),
        (Binding("e", "q", "a.#"),),
    )
    _done(
        management,
        lambda admin: admin.declare_topology(topology),
        lambda admin: admin.has_topology(topology),
        lambda admin: admin.delete_topology(topology),
    )
    asked = [(what, arguments[:1]) for _, what, arguments in management.asked if what != "getAddressNames"]
    assert [what for what, _ in asked[:3]] == ["addAddressSettings", "createAddress", "createQueue"]
    assert asked[3:] == [
        ("destroyQueue", ["q"]),
        ("deleteAddress", ["e"]),
        ("deleteAddress", ["e.a.b"]),
        ("removeAddressSettings", ["e.#"]),
    ]


def test_what_is_taken_tells_of_its_death() -> None:
    """By annotations; the reason only where it was too old. A queue is consumed from by both its names."""
    message = Message(annotations={symbol("x-opt-ORIG-QUEUE"): "a", symbol("x-opt-ACTUAL-EXPIRY"): 5})
    admin = ArtemisAdmin(Address("127.0.0.1", 1, "", "", ""))
    assert admin._with_its_death(b"b", message) == TakenMessage(b"b", "expired", "a", 1)
    assert admin._with_its_death(b"b", Message()) == TakenMessage(b"b")
    with pytest.raises(AdminError, match="there is no queue 'q'"):
        _done(_Management(), lambda admin: [*admin.take("q", 5)])


def test_what_fails_says_why() -> None:
    """In the broker's words."""
    with pytest.raises(ArtemisRefusedError, match=r"^the broker refused: Problem while retrieving attribute nope$"):
        _done(_Management(q=(True, 5)), lambda admin: admin.attribute("queue.q", "nope"))


def test_an_answer_that_is_no_json_is_a_fault() -> None:
    """It is quoted."""
    with pytest.raises(AdminError, match=r"cannot be read: '\{'"):
        _done(_garbled, lambda admin: admin.attribute("broker", "Version"))  # type: ignore[arg-type]


def _garbled(request: Message) -> list[Message]:
    return [Message(body="{", correlation_id=request.correlation_id)]


def test_one_node_answers_all() -> None:
    """The address of management."""
    with amqp10_peer(answer=_Management(q=(True, 1))) as peer:
        admin = ArtemisAdmin(peer.address)
        admin.depth("q")
        admin.depth("q")
        admin.close()
    assert [address for address, _ in peer.targets] == [ADDRESS]
