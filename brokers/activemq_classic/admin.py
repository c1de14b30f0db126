"""An admin of ActiveMQ Classic: Java's management beans, by JSON over HTTP.

Source: https://jolokia.org/reference/html/protocol.html.

Messages are taken over AMQP 1.0; a broker whose management port is not known is asked over AMQP alone.
"""

from collections.abc import Iterator
from typing import Any

from brokers.activemq_classic import routing
from brokers.activemq_classic.config import BEAN
from brokers.admin.amqp10 import Amqp10Admin
from brokers.admin.base import Address, AdminError, Holding
from brokers.admin.json_http import TIMEOUT_S, ask
from brokers.topology import Exchange, QueueKind, TakenMessage, Topology

DELETE_TIMEOUT_S = 30.0
"""Patience for what is done message by message."""
_OK, _NOT_FOUND = 200, 404
_ESCAPES = str.maketrans({":": "_", ",": "_", "'": "_", '"': "_", "?": "&qe;", "=": "&amp;", "*": "&ast;"})
"""Of names of destinations in names of beans (org.apache.activemq.util.JMXSupport)."""


class ActiveMQClassicAdmin(Amqp10Admin):
    """See `Admin`; its user needs the role `admin` of the web server."""

    def __init__(self, address: Address) -> None:
        """Take what is needed to be let in; nothing is opened yet."""
        super().__init__(address)
        self._names: dict[str, str] = {}
        """What queues are called on the broker that have another name there."""

    def declare(self, queue: str, kind: QueueKind) -> None:
        """Create a queue; that it is durable means nothing here, where each message says so itself."""
        if kind.arguments:
            names = ", ".join(kind.arguments)
            message = f"queues of this broker have no arguments ({names})"
            raise AdminError(message)
        self.operation("addQueue", self._called(queue))

    def declare_exchange(self, exchange: Exchange) -> None:
        """Create the topic that an exchange is."""
        self.operation("addTopic", routing.topic(exchange.name))

    def has_exchange(self, exchange: Exchange) -> bool:
        """See `Admin`; a topic has no type."""
        return routing.topic(exchange.name).translate(_ESCAPES) in self._topics()

    def delete_exchange(self, name: str) -> None:
        """Delete the topic and those below it, which messages have made by their keys."""
        whole = routing.topic(name)
        written = whole.translate(_ESCAPES)
        for topic in self._topics():
            if topic == written or topic.startswith(f"{written}."):
                self.operation("removeTopic", f"{whole}{topic.removeprefix(written)}")

    def declare_topology(self, topology: Topology) -> None:
        """See `Admin`; a binding is part of the name of its queue."""
        self._names = self._names | routing.names(topology)
        for exchange in topology.exchanges:
            self.declare_exchange(exchange)
        for queue in topology.queues:
            self.declare(queue.name, queue.kind)

    def delete_topology(self, topology: Topology) -> None:
        """See `Admin`; names are free for others afterwards."""
        own = routing.names(topology)
        self._names = self._names | own
        super().delete_topology(topology)
        self._names = {name: called for name, called in self._names.items() if name not in own}

    def take(self, queue: str, most: int) -> Iterator[TakenMessage]:
        """See `Admin`."""
        return self._take_counted(queue, most, self._called)

    def depth(self, queue: str) -> int | None:
        """Return its message count, those that are delivered and not settled included; None where there is none."""
        found = self.holding(queue)
        return None if found is None else found.messages

    def holding(self, queue: str) -> Holding | None:
        """Return its message count and its consumers; None where there is no such queue."""
        found = self._ask({"type": "read", "mbean": self._bean(queue), "attribute": ["QueueSize", "ConsumerCount"]})
        return None if found is None else Holding(int(found["QueueSize"]), int(found["ConsumerCount"]))

    def purge(self, queue: str) -> None:
        """Remove every message that is not being delivered."""
        self._ask({"type": "exec", "mbean": self._bean(queue), "operation": "purge()"}, DELETE_TIMEOUT_S)

    def delete(self, queue: str) -> None:
        """Delete a queue with its messages; nothing happens where there is none."""
        self.operation("removeQueue", self._called(queue))

    def attributes(self, bean: str, *names: str) -> dict[str, Any]:
        """Return attributes of a management bean.

        Raises:
            AdminError: there is no such bean or attribute, or it does not answer.
        """
        found = self._ask({"type": "read", "mbean": bean, "attribute": [*names]})
        if not isinstance(found, dict):
            message = f"the broker has no management bean {bean}"
            raise AdminError(message)
        return found

    def operation(self, name: str, *arguments: str) -> Any:
        """Return the result of an operation on the broker as a whole, such as `addQueue`.

        Args:
            name: of the operation, all of whose arguments are text.
            arguments: its arguments.

        Raises:
            AdminError: it failed, or does not answer.
        """
        signature = ",".join("java.lang.String" for _ in arguments)
        asked = {"type": "exec", "mbean": BEAN, "operation": f"{name}({signature})", "arguments": [*arguments]}
        return self._ask(asked, DELETE_TIMEOUT_S)

    def _topics(self) -> list[str]:
        """Return the names of all topics, as beans write them."""
        found = self._ask({"type": "search", "mbean": f"{BEAN},destinationType=Topic,destinationName=*"})
        fields = [dict(part.partition("=")[::2] for part in bean.partition(":")[2].split(",")) for bean in found or ()]
        return [one["destinationName"] for one in fields]

    def _called(self, queue: str) -> str:
        return self._names.get(queue, queue)

    def _bean(self, queue: str) -> str:
        return f"{BEAN},destinationType=Queue,destinationName={self._called(queue).translate(_ESCAPES)}"

    def _ask(self, asked: dict[str, Any], timeout_s: float = TIMEOUT_S) -> Any:
        """Return a result; None where there is no such bean."""
        at = self._address
        answer = ask(f"http://{at.host}:{at.ports['http']}/", at.username, at.password, asked, timeout_s)
        status = answer.get("status") if isinstance(answer, dict) else None
        if status == _NOT_FOUND:
            return None
        if status != _OK:
            why = answer.get("error", answer) if isinstance(answer, dict) else answer
            message = f"the broker refused {asked.get('operation', asked['type'])}: {why}"
            raise AdminError(message)
        return answer.get("value")
