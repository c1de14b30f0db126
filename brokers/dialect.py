"""How one kind of broker wants to be spoken to: names, addresses, queue arguments. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from brokers.endpoint import Endpoint, Protocol, Sasl, Tls


@dataclass(frozen=True)
class QueueKind:
    """What a queue is declared as, over AMQP 0-9-1.

    Attributes:
        durable: the queue outlives a restart.
        arguments: of queue.declare.
    """

    durable: bool
    arguments: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Dialect:
    """What differs between kinds of brokers, as data.

    Attributes:
        product: name for people.
        announced: part of `product` in server-properties (0-9-1, connection.start).
        virtual_host: the default virtual host over 0-9-1.
        hostname: 1.0: `hostname` of the open frame, `{}` standing for the virtual host.
        transient: queue of workloads that are not durable.
        durable: queue of durable workloads.
        address_prefix: see `Endpoint`.
        confirms_unadvertised: see `Endpoint`.
    """

    product: str
    announced: str
    virtual_host: str
    hostname: str
    transient: QueueKind
    durable: QueueKind
    address_prefix: str = ""
    confirms_unadvertised: bool = False

    def queue(self, *, durable: bool) -> QueueKind:
        """Return what queues of such workloads are declared as."""
        return self.durable if durable else self.transient

    def is_product(self, announced: str) -> bool:
        """Return whether this is how such a broker names itself."""
        return self.announced in announced.lower()

    def endpoint(self, protocol: Protocol, at: "Address") -> Endpoint:
        """Return where a driver of that protocol reaches a broker of this kind."""
        return Endpoint(
            protocol=protocol,
            host=at.host,
            port=at.port,
            virtual_host=at.virtual_host,
            hostname=self.hostname.format(at.virtual_host) if protocol == "amqp10" else None,
            username=at.username,
            password=at.password,
            address_prefix=self.address_prefix if protocol == "amqp10" else "",
            confirms_unadvertised=self.confirms_unadvertised and protocol == "amqp091",
            tls=at.tls,
            sasl=at.sasl,
        )


@dataclass(frozen=True)
class Address:
    """A broker's address and what it takes to be let in there.

    Attributes:
        host: name or address.
        port: of both protocols.
        virtual_host: as 0-9-1 names it.
        username: sent by SASL PLAIN only, as the password is.
        password: in no representation.
        tls: None = plain TCP.
        sasl: the one mechanism that is used.
    """

    host: str
    port: int
    virtual_host: str
    username: str
    password: str = field(repr=False)
    tls: Tls | None = None
    sasl: Sasl = "plain"
