"""An admin of Artemis: management by messages over AMQP 1.0.

A request names a resource and either an attribute or an operation with its arguments as a
JSON array; so does the answer's body carry the result
(https://artemis.apache.org/components/artemis/documentation/2.44.0/management.html).
"""

import json
from collections.abc import Iterator
from typing import Any

from proton import Message

from brokers.admin.amqp10 import Amqp10Admin
from brokers.admin.base import AdminError, Holding
from brokers.artemis import routing
from brokers.plain_text import printable
from brokers.topology import Exchange, QueueKind, TakenMessage, Topology

ADDRESS = "activemq.management"
BROKER = "broker"
"""The resource that is the broker as a whole; others are `queue.<name>`, `address.<name>`, `acceptor.<name>`."""
DELETE_TIMEOUT_S = 30.0
"""Patience for a deletion, which discards message by message."""
_SUCCEEDED = "_AMQ_OperationSucceeded"
_NO_QUEUE = "AMQ229017"
_NO_ADDRESS = "AMQ229203"
_DIED_IN, _EXPIRED = "x-opt-ORIG-QUEUE", "x-opt-ACTUAL-EXPIRY"
"""Annotations of a dead letter."""
_IF_IT_IS_NOT_THERE = _CONSUMERS_TOO = _ITS_ADDRESS_TOO = True


class ArtemisAdmin(Amqp10Admin):
    """See `Admin`; its user needs the permission `manage`, and those to create and delete queues."""

    def declare(self, queue: str, kind: QueueKind) -> None:
        """Declare a queue of routing type ANYCAST, with an address of the same name.

        Arguments are those of a queue's configuration in JSON, such as `ring-size`. Nothing
        happens where such a queue exists.

        Raises:
            AdminError: refused, or a queue of that name has another durability.
        """
        wanted = {
            **kind.arguments,
            "name": queue,
            "address": queue,
            "routing-type": "ANYCAST",
            "durable": kind.durable,
            "auto-create-address": True,
        }
        self.operation(BROKER, "createQueue", json.dumps(wanted), _IF_IT_IS_NOT_THERE)
        if self.attribute(f"queue.{queue}", "durable") is not kind.durable:
            message = f"the broker has a queue {queue!r} already, which is {'not ' * kind.durable}durable"
            raise AdminError(message)

    def declare_exchange(self, exchange: Exchange) -> None:
        """Create the address that an exchange is; the queues that are bound to it lie there or below."""
        self.operation(BROKER, "createAddress", exchange.name, "MULTICAST")

    def has_exchange(self, exchange: Exchange) -> bool:
        """See `Admin`; an address has no type of exchange."""
        return exchange.name in self.operation(BROKER, "getAddressNames")

    def delete_exchange(self, name: str) -> None:
        """Delete the address and those below it, which messages have made by their keys."""
        for address in self.operation(BROKER, "getAddressNames"):
            if address == name or address.startswith(f"{name}."):
                self._gone(_NO_ADDRESS, "deleteAddress", address, _CONSUMERS_TOO)

    def declare_topology(self, topology: Topology) -> None:
        """See `Admin`; a queue is created at the address of the exchange that it is bound to."""
        for match, settings in routing.address_settings(topology):
            self.operation(BROKER, "addAddressSettings", match, json.dumps(settings))
        for exchange in topology.exchanges:
            self.declare_exchange(exchange)
        for configuration in routing.queue_configurations(topology):
            self.operation(BROKER, "createQueue", json.dumps(configuration), not _IF_IT_IS_NOT_THERE)

    def delete_topology(self, topology: Topology) -> None:
        """See `Admin`."""
        super().delete_topology(topology)
        for match, _ in routing.address_settings(topology):
            self.operation(BROKER, "removeAddressSettings", match)

    def take(self, queue: str, most: int) -> Iterator[TakenMessage]:
        """See `Admin`."""
        return self._take_counted(queue, most, lambda name: f"{self.attribute(f'queue.{name}', 'address')}::{name}")

    def _with_its_death(self, body: bytes, message: Message) -> TakenMessage:
        """Return a message with where it died; of the reasons only that it was too old is told."""
        told = {str(name): value for name, value in (message.annotations or {}).items()}
        reason = "expired" if _EXPIRED in told else ""
        return TakenMessage(body, reason, printable(str(told.get(_DIED_IN, ""))), int(_DIED_IN in told))

    def depth(self, queue: str) -> int | None:
        """Return its message count, or None where there is no such queue.

        Messages that are delivered and not settled count as well (`deliveringCount` of them).
        """
        try:
            return int(self.attribute(f"queue.{queue}", "messageCount"))
        except ArtemisRefusedError:
            # It says the same of a queue that is not there and of an attribute that is not.
            if queue in self.operation(BROKER, "getQueueNames"):
                raise
            return None

    def holding(self, queue: str) -> Holding | None:
        """Return its message count, as `depth` does, and its consumers; None where there is no such queue."""
        messages = self.depth(queue)
        if messages is None:
            return None
        return Holding(messages, int(self.attribute(f"queue.{queue}", "consumerCount")))

    def purge(self, queue: str) -> None:
        """Remove every message that is not being delivered."""
        self.operation(f"queue.{queue}", "removeAllMessages", within_s=DELETE_TIMEOUT_S)

    def delete(self, queue: str) -> None:
        """Delete a queue and its address; its consumers are detached. Nothing happens where there is none."""
        self._gone(_NO_QUEUE, "destroyQueue", queue, _CONSUMERS_TOO, _ITS_ADDRESS_TOO)

    def _gone(self, absent: str, operation: str, *arguments: Any) -> None:
        """Delete something; `absent` is the code that says that it is not there."""
        try:
            self.operation(BROKER, operation, *arguments, within_s=DELETE_TIMEOUT_S)
        except ArtemisRefusedError as error:
            if absent not in str(error):
                raise

    def attribute(self, resource: str, name: str) -> Any:
        """Return an attribute of a resource.

        Args:
            resource: `broker`, `queue.<name>` and the like.
            name: such as `GlobalMaxSize` or `messageCount`.

        Raises:
            ArtemisRefusedError: there is no such resource or attribute.
            AdminError: it does not answer.
        """
        return self._ask(resource, {"_AMQ_Attribute": name}, None, None)

    def operation(self, resource: str, name: str, *arguments: Any, within_s: float | None = None) -> Any:
        """Return the result of an operation on a resource.

        Args:
            resource: `broker`, `queue.<name>` and the like.
            name: such as `createQueue`.
            arguments: what JSON can say; they choose between operations of the same name.
            within_s: patience; by default that of one answer.

        Raises:
            ArtemisRefusedError: it failed, or there is no such resource or operation.
            AdminError: it does not answer.
        """
        return self._ask(resource, {"_AMQ_OperationName": name}, json.dumps(arguments), within_s)

    def _ask(self, resource: str, what: dict[str, str], body: str | None, within_s: float | None) -> Any:
        message = Message(properties={"_AMQ_ResourceName": resource, **what}, body=body)
        answer = self.request(ADDRESS, message, within_s)
        result = _result(answer.body)
        if not (answer.properties and answer.properties.get(_SUCCEEDED) is True):
            error = f"the broker refused: {result or 'no reason given'}"
            raise ArtemisRefusedError(error)
        return result


class ArtemisRefusedError(AdminError):
    """The broker answered that it failed; says its reason."""


def _result(body: Any) -> Any:
    """Return what an answer carries: an array of one element, or nothing."""
    try:
        found = json.loads(body) if body else None
    except (TypeError, ValueError) as error:
        message = f"the broker's answer cannot be read: {body!r}"
        raise AdminError(message) from error
    return found[0] if isinstance(found, list) and len(found) == 1 else found
