"""A broker over AMQP 1.0 that does what a test says: it keeps silent, refuses, hands out, answers requests."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from proton import Condition, Delivery, Event, Message

from brokers.admin.base import Address
from tests.bench.drivers.amqp10_server import Amqp10Server

REPLIES = "replies-of-one-link"


class Amqp10Peer(Amqp10Server):
    """Serves one client.

    Attributes:
        targets: addresses and capabilities of the senders that were attached.
        outcomes: of what it handed out.
    """

    def __init__(
        self,
        *,
        silent: int | None = None,
        refusal: Condition | None = None,
        links: Mapping[str, Condition] | None = None,
        queues: Mapping[str, int] | None = None,
        answer: Callable[[Message], list[Message]] | None = None,
        outcome: Any = Delivery.ACCEPTED,
        sasl: int = 0,
    ) -> None:
        """Listen.

        Args:
            silent: kind of event that it does not act on.
            refusal: why it closes a connection that opens.
            links: addresses that it refuses to attach to, and why.
            queues: messages that it has, by address.
            answer: what it sends to a request's reply-to.
            outcome: of each message that comes.
            sasl: outcome code of the login.
        """
        self._silent, self._refusal, self._refused = silent, refusal, links or {}
        self._queues, self._reply, self._outcome = queues or {}, answer, outcome
        self._replies: Any = None
        self.targets: list[tuple[str | None, list[str]]] = []
        self.outcomes: list[str] = []
        self.closed = False
        super().__init__(sasl=sasl)

    @property
    def address(self) -> Address:
        """Where it listens."""
        return Address("127.0.0.1", self.endpoint.port, "", "guest", "guest")

    def wait(self) -> None:
        """Wait until its client has hung up."""
        self._thread.join(5)
        assert not self._thread.is_alive()

    def _on(self, event: Event) -> None:
        if event.type == self._silent:
            return
        if event.type == Event.CONNECTION_REMOTE_OPEN:
            event.connection.properties = {"product": "a fake", "version": "1"}
            event.connection.container = "fake-1"
            event.connection.open()
            if self._refusal is not None:
                event.connection.condition = self._refusal
                event.connection.close()
        elif event.type == Event.LINK_FLOW and event.link.is_sender and event.link.source.address in self._queues:
            self._hand_out(event.link)
        elif event.type == Event.DELIVERY and event.link.is_sender:
            self.outcomes.append(event.delivery.remote_state.name)
            event.delivery.settle()
        else:
            self.closed |= event.type == Event.CONNECTION_REMOTE_CLOSE
            super()._on(event)
            if event.type == Event.DELIVERY:
                self._take(event.delivery)

    def _open(self, link: Any) -> None:
        terminus = link.remote_target if link.is_receiver else link.remote_source
        if link.is_receiver:
            self.targets.append((terminus.address, _symbols(terminus.capabilities)))
        refusal = self._refused.get(terminus.address)
        if refusal is not None:
            link.condition = refusal
            link.open()
            link.close()
            return
        super()._open(link)
        if link.is_sender and link.remote_source.dynamic:
            link.source.address = REPLIES
            self._replies = link

    def _hand_out(self, link: Any) -> None:
        left = self._queues[link.source.address]
        self._queues = {**self._queues, link.source.address: left - min(left, link.credit)}
        for number in range(min(left, link.credit)):
            link.send(Message(body=number), tag=f"{left} {number}")

    def _take(self, delivery: Any) -> None:
        if delivery.partial:
            return
        delivery.update(self._outcome)
        delivery.settle()
        if self._reply is None or not self.messages:
            return
        request = Message()
        request.decode(self.messages[-1])
        assert request.reply_to == REPLIES
        for answer in self._reply(request):
            self._replies.send(answer)


@contextmanager
def amqp10_peer(**how: Any) -> Iterator[Amqp10Peer]:
    """Yield a peer; wait until its client has hung up."""
    peer = Amqp10Peer(**how)
    try:
        yield peer
    finally:
        peer.stop()


def _symbols(data: Any) -> list[str]:
    found = data.get_object() if data.next() is not None else None
    return [str(value) for value in getattr(found, "elements", [])]
