"""What an admin connection is: the contract, and its faults."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from brokers.endpoint import Sasl, Tls
from brokers.plain_text import printable
from brokers.topology import Binding, Exchange, QueueKind, TakenMessage, Topology


class AdminError(Exception):
    """The broker cannot be reached, or refused what was asked; says why, in text that is fit to be shown."""

    def __init__(self, message: str) -> None:
        """Escape what the broker wrote into the message."""
        super().__init__(printable(message))


class UnreachableError(AdminError):
    """Nothing answers AMQP at this address."""


class TlsRefusedError(AdminError):
    """TLS with the broker failed: its certificate, ours, or one of us speaks none at this port."""


class SilentError(AdminError):
    """The broker keeps the connection and does not answer; names what it was asked."""


class OtherProtocolError(UnreachableError):
    """Something answers at this address, and it is not what was asked for; says what it answered."""


class LoginRefusedError(AdminError):
    """User name, password or certificate are refused, or the SASL mechanism is not offered."""


class VirtualHostRefusedError(AdminError):
    """The virtual host does not exist, is not ready, or is not open to this user."""


class UnsupportedError(AdminError):
    """The protocol, or this broker, has no way to do what was asked."""


@dataclass(frozen=True)
class Address:
    """A broker's address and what it takes to be let in there.

    Attributes:
        host: name or address.
        port: of the protocol that is spoken.
        virtual_host: as 0-9-1 names it; over 1.0 what `hostname` of the open frame is made of.
        username: sent by SASL PLAIN only, as the password is.
        password: in no representation.
        tls: None = plain TCP.
        sasl: the one mechanism that is used.
        ports: all its ports by name, where we started it; else empty.
    """

    host: str
    port: int
    virtual_host: str
    username: str
    password: str = field(repr=False)
    tls: Tls | None = None
    sasl: Sasl = "plain"
    ports: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Holding:
    """What a queue holds and who uses it.

    Attributes:
        messages: in it; None = cannot be known.
        consumers: of it; None = cannot be known.
    """

    messages: int | None
    consumers: int | None


class Admin(ABC):
    """An open connection, or one that opens again when it was lost.

    One call at a time: calls from several threads wait for each other. Every call ends:
    one that is not answered in time raises SilentError and closes the connection.
    """

    @abstractmethod
    def open(self) -> None:
        """Connect and log in.

        Raises:
            UnreachableError, TlsRefusedError, SilentError, LoginRefusedError, VirtualHostRefusedError: each says why.
        """

    @abstractmethod
    def declare(self, queue: str, kind: QueueKind) -> None:
        """Declare a queue; raise AdminError where the broker refuses, UnsupportedError where it cannot be done."""

    @abstractmethod
    def depth(self, queue: str) -> int | None:
        """Return the number of messages in a queue, or None where there is no such queue.

        Raises:
            UnsupportedError: this broker cannot be asked.
            AdminError: it does not answer, or refuses.
        """

    @abstractmethod
    def holding(self, queue: str) -> Holding | None:
        """Return what a queue holds and who uses it, consuming nothing, or None where there is no such queue."""

    @abstractmethod
    def purge(self, queue: str) -> None:
        """Take every message out of a queue, for good; raise AdminError where it cannot be done."""

    def confirm_one(self, queue: str) -> None:
        """Send an empty transient message to a queue and return when the broker has confirmed it.

        Raises:
            UnsupportedError: this admin cannot send.
            AdminError: it does not answer, or refuses.
        """
        message = f"no message can be sent to {queue!r}: this admin cannot send"
        raise UnsupportedError(message)

    @abstractmethod
    def delete(self, queue: str) -> None:
        """Delete a queue with its messages; nothing happens where there is none."""

    @property
    def deletes(self) -> bool:
        """Whether queues can be deleted at all."""
        return True

    def declare_exchange(self, exchange: Exchange) -> None:
        """Declare an exchange; raise AdminError where the broker refuses, UnsupportedError where it has none."""
        message = f"this broker has no exchanges, and cannot declare {exchange.name!r}"
        raise UnsupportedError(message)

    def has_exchange(self, exchange: Exchange) -> bool:  # noqa: ARG002
        """Return whether there is such an exchange; raise AdminError where one of that name has another type."""
        return False

    def delete_exchange(self, name: str) -> None:  # noqa: B027
        """Delete an exchange with its bindings; nothing happens where there is none."""

    def bind(self, binding: Binding) -> None:
        """Bind a queue to an exchange, both of which are there; raise AdminError as `declare_exchange` does."""
        message = f"this broker has no exchanges, and cannot bind {binding.queue!r} to {binding.exchange!r}"
        raise UnsupportedError(message)

    def declare_topology(self, topology: Topology) -> None:
        """Declare exchanges, queues and bindings in this order; nothing of these names may be there.

        Raises:
            AdminError: something is refused; what came before it stays.
        """
        for exchange in topology.exchanges:
            self.declare_exchange(exchange)
        for queue in topology.queues:
            self.declare(queue.name, queue.kind)
        for binding in topology.bindings:
            self.bind(binding)

    def has_topology(self, topology: Topology) -> bool:
        """Return whether there is something of it: what comes first, as it is declared in order and deleted backwards.

        A look at each of a thousand names that are not there costs as much as to declare them.
        """
        if topology.exchanges:
            return self.has_exchange(topology.exchanges[0])
        return any(self.depth(queue.name) is not None for queue in topology.queues[:1])

    def delete_topology(self, topology: Topology) -> None:
        """Delete queues, where they can be deleted at all, and then exchanges, the last ones first.

        Nothing happens where they are gone.
        """
        for queue in reversed(topology.queues if self.deletes else ()):
            self.delete(queue.name)
        for exchange in reversed(topology.exchanges):
            self.delete_exchange(exchange.name)

    @abstractmethod
    def take(self, queue: str, most: int) -> Iterator[TakenMessage]:
        """Take messages out of a queue, in its order, until it is empty or `most` are taken.

        What others hold stays there. They are taken some thousand at a time: who stops asking before the end
        loses those that were taken and not handed out.

        Raises:
            AdminError: there is no such queue, it is refused, or it does not end in time.
        """

    @abstractmethod
    def check(self) -> None:
        """Look whether the connection still stands, and open it again where it does not.

        Raises:
            AdminError: it is lost and cannot be opened again.
        """

    def held_back(self) -> tuple[str, ...] | None:
        """Return why it has held publishers back since this was last asked, in its words; None where it cannot say.

        Ask it of a connection that is used for nothing else: it may be held back itself.

        Raises:
            AdminError: it does not answer, or refuses.
        """
        return None

    @abstractmethod
    def is_open(self) -> bool:
        """Return whether it was open when it was last used."""

    @abstractmethod
    def peer_property(self, name: str) -> str:
        """Return what the broker said of itself at the last handshake, such as `product` or `version`; or nothing."""

    @abstractmethod
    def cipher(self) -> str:
        """Return protocol and cipher that TLS agreed on, such as `TLSv1.3 TLS_AES_256_GCM_SHA384`; or nothing."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection if it is open, with the closing handshake where the broker answers it."""

    @abstractmethod
    def drop(self) -> None:
        """Close the socket if it is open, without a word to the broker: it need not answer any more."""


class ConnectedAdmin(Admin):
    """An admin over one connection, which is opened and dropped by one thread at a time."""

    def __init__(self, address: Address) -> None:
        """Take the address; nothing is opened yet."""
        self._address = address
        self._lock = threading.Lock()

    def open(self) -> None:
        """See `Admin`."""
        with self._lock:
            self._drop()
            self._connect()

    def drop(self) -> None:
        """See `Admin`."""
        with self._lock:
            self._drop()

    @abstractmethod
    def _connect(self) -> None:
        """Connect and log in; raise as `open` does."""

    @abstractmethod
    def _drop(self) -> None:
        """Close the socket if it is open, without a word."""
