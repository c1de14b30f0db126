"""What every broker does over its admin connection, started by us or by someone else."""

import contextlib
import dataclasses
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any, cast

from brokers.admin.admission import Admission
from brokers.admin.base import Address, Admin, AdminError, UnsupportedError
from brokers.base import Broker, BrokerError
from brokers.endpoint import PROTOCOL_NAMES, Endpoint, Protocol
from brokers.entry_points import function
from brokers.product import Facts, Product
from brokers.settings import BrokerSettings
from brokers.topology import QueueKind, TakenMessage, Topology

TRIED_PREFIX = "busbench-tried-"
"""Of the names of queues on which it is tried what is allowed."""


def with_security(facts: Facts, at: Address, admin: Admin) -> Facts:
    """Return facts with how the broker is reached and logged in to: what was asked for, and what came of it."""
    asked = {"transport": "tcp" if at.tls is None else "tls", "sasl": at.sasl}
    cipher = admin.cipher()
    # The connection stands: the broker took the one mechanism that we have.
    came = {"transport": "tls" if cipher else "tcp", "sasl": at.sasl} | ({"cipher": cipher} if cipher else {})
    return dataclasses.replace(facts, asked=facts.asked | asked, reported=facts.reported | came)


class AdministeredBroker(Broker):
    """A broker known by its product, and by an address and an admin once it runs."""

    def __init__(self, product: Product[Any], settings: BrokerSettings) -> None:
        """Take what is known before it runs."""
        self.name = settings.name
        self.patterns = product.log
        self._product = product
        self._settings = settings
        self._address: Address | None = None
        self._admin: Admin | None = None
        self._listening: Admin | None = None
        """Is told of alarms, once somebody asks."""
        self._sources: dict[str, str] = {}
        """See `Endpoint.sources`."""

    def _attach(self, address: Address, admin: Admin) -> None:
        """Take the address of the first listener and an admin that is connected to it."""
        self._address, self._admin = address, admin

    def _detach(self) -> None:
        """Drop the admin connection and forget the address.

        Without a closing handshake, which a broker that hangs would not answer.
        """
        for admin in (self._admin, self._listening):
            if admin is not None:
                admin.drop()
        self._address = self._admin = self._listening = None
        self._sources.clear()

    def _attached(self) -> tuple[Address, Admin]:
        if self._address is None or self._admin is None:
            message = f"broker {self.name!r} is not running: {self.failure() or 'start it first'}"
            raise BrokerError(message)
        return self._address, self._admin

    def protocols(self) -> tuple[Protocol, ...]:
        """See `Broker`."""
        return tuple(one.protocol for one in self._product.listeners(self._settings))

    def endpoint(self, protocol: Protocol) -> Endpoint:
        """See `Broker`."""
        at, _ = self._attached()
        listener = self._product.listener(self._settings, protocol)
        if listener is None:
            spoken = ", ".join(self.protocols())
            message = f"broker {self.name!r} ({self._product.title}) does not speak {protocol}: it speaks {spoken}"
            raise BrokerError(message)
        listener = self._product.dialect(listener, self.facts().version)
        found = listener.endpoint(dataclasses.replace(at, port=self._port(listener.port)))
        return dataclasses.replace(found, sources=dict(self._sources))

    def _port(self, name: str) -> int:  # noqa: ARG002
        """Return the port of that name; by default the one of the address."""
        return self._attached()[0].port

    def queue_kind(self, *, durable: bool) -> QueueKind:
        """See `Broker`."""
        return self._product.queue(self._settings, durable=durable).kind

    def declare(self, queue: str, *, durable: bool, rejecting: bool = False) -> None:
        """See `Broker`; an existing queue of that name is deleted first, with its messages."""
        _, admin = self._attached()
        try:
            admin.delete(queue)
            admin.declare(queue, self._declared_as(durable=durable, rejecting=rejecting))
        except AdminError as error:
            raise self._not_declared(queue, error, durable=durable) from error

    def _declared_as(self, *, durable: bool, rejecting: bool) -> QueueKind:
        kind = self.queue_kind(durable=durable)
        return self._product.for_rejecting(kind) if rejecting else kind

    def _not_declared(self, queue: str, error: AdminError, *, durable: bool) -> BrokerError:
        fault = self._fault("declare", queue, error)
        advice = self._product.advice(self._settings, str(error), durable=durable)
        return BrokerError(f"{fault}: {advice}") if advice else fault

    def declare_topology(self, topology: Topology) -> None:
        """See `Broker`."""
        _, admin = self._attached()
        own = self._product.as_declared(self._settings, topology)
        try:
            if admin.deletes and admin.has_topology(own):
                admin.delete_topology(own)
            admin.declare_topology(own)
        except AdminError as error:
            fault = BrokerError(f"broker {self.name!r} cannot declare the topology: {self._reason(error)}")
            with contextlib.suppress(BrokerError):
                self.delete_topology(topology)
            raise fault from error
        self._sources |= self._product.sources(topology)

    def delete_topology(self, topology: Topology) -> None:
        """See `Broker`."""
        _, admin = self._attached()
        for queue in topology.queues:
            self._sources.pop(queue.name, None)
        try:
            admin.delete_topology(self._product.as_declared(self._settings, topology))
        except AdminError as error:
            message = f"broker {self.name!r} cannot delete the topology: {self._reason(error)}"
            raise BrokerError(message) from error

    def take(self, queue: str, most: int) -> Iterator[TakenMessage]:
        """See `Broker`."""
        _, admin = self._attached()
        try:
            yield from admin.take(queue, most)
        except AdminError as error:
            raise self._fault("take messages out of", queue, error) from error

    def depth(self, queue: str) -> int | None:
        """See `Broker`."""
        _, admin = self._attached()
        try:
            depth = admin.depth(queue)
        except UnsupportedError:
            return None
        except AdminError as error:
            raise self._fault("read the depth of", queue, error) from error
        if depth is None:
            message = f"broker {self.name!r} has no queue {queue!r}: declare it first"
            raise BrokerError(message)
        return depth

    def peek_depth(self, queue: str) -> int | None:
        """See `Broker`."""
        try:
            return self._attached()[1].depth(queue)
        except (BrokerError, AdminError):
            return None

    def held_back(self) -> tuple[str, ...] | None:
        """See `Broker`."""
        try:
            if self._listening is None:
                self._listening = self._product.admin(self._settings, self._attached()[0])
            return self._listening.held_back()
        except (BrokerError, AdminError):
            return None

    @contextlib.contextmanager
    def idle_connections(self, count: int, within_s: float) -> Iterator[int]:
        """See `Broker`; they are admin connections that ask nothing."""
        address, _ = self._attached()
        until_s = time.monotonic() + within_s
        opened: list[Admin] = []
        try:
            with contextlib.suppress(AdminError):
                while len(opened) < count and time.monotonic() < until_s:
                    opened.append(self._product.admin(self._settings, address))
                    opened[-1].open()
            yield sum(admin.is_open() for admin in opened)
        finally:
            for admin in opened:
                admin.drop()

    def admission(self, protocol: Protocol, bodies: Sequence[int], *, durable: bool) -> Admission:
        """See `Broker`."""
        queue = f"{TRIED_PREFIX}{uuid.uuid4()}"
        self.declare(queue, durable=durable)
        try:
            return self._admission(protocol, queue, bodies, ours=True)
        finally:
            with contextlib.suppress(BrokerError):
                self.delete(queue)

    def _admission(self, protocol: Protocol, queue: str | None, bodies: Sequence[int], *, ours: bool) -> Admission:
        """Return what it lets us do with a queue that is there; None = no queue is named."""
        # A place that reaches no broker needs no client library.
        found = function("brokers.admin.visit:visit")
        try:
            return cast("Admission", found(self.endpoint(protocol), queue, bodies, ours=ours))
        except AdminError as error:
            message = f"broker {self.name!r} cannot be tried over {PROTOCOL_NAMES[protocol]}: {self._reason(error)}"
            raise BrokerError(message) from error

    def delete(self, queue: str) -> None:
        """See `Broker`."""
        _, admin = self._attached()
        try:
            admin.delete(queue)
        except AdminError as error:
            raise self._fault("delete", queue, error) from error

    def _fault(self, what: str, queue: str, error: AdminError) -> BrokerError:
        return BrokerError(f"broker {self.name!r} cannot {what} the queue {queue!r}: {self._reason(error)}")

    def _reason(self, error: AdminError) -> str:
        """Return why a call failed, in words for the user."""
        return self.failure() or str(error)
