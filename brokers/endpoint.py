"""Where and how a driver reaches a broker: address, credentials, names. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote

Protocol = Literal["amqp091", "amqp10"]
PROTOCOL_NAMES: dict[Protocol, str] = {"amqp091": "AMQP 0-9-1", "amqp10": "AMQP 1.0"}
"""As people call them."""
Sasl = Literal["plain", "external", "anonymous"]
"""How a client says who it is: by password, by the certificate it showed, or not at all
(RFC 4616, RFC 4422 appendix A, RFC 4505)."""


@dataclass(frozen=True)
class Tls:
    """What a client needs to talk TLS to a broker; files are PEM."""

    ca_file: str | None
    """Certificates of the authorities that are trusted; None = those of the system."""
    cert_file: str | None = None
    """The client's own certificate, for brokers that ask for one."""
    key_file: str | None = None
    """The key of that certificate; None = it is in the same file."""
    server_name: str | None = None
    """The name that the broker's certificate must carry; None = the endpoint's host."""
    verify: bool = True
    """Whether the broker's certificate is checked at all."""


@dataclass(frozen=True)
class ExchangeAddresses:
    """How a sender of AMQP 1.0 names exchanges and routing keys, which the protocol itself does not have.

    Attributes:
        bare: address of an exchange, `{exchange}` standing for its name.
        keyed: address of a routing key on an exchange, `{key}` standing for that one.
        several: where each message has its key, on a link for several: `to` is the keyed address, of a link whose
            target has none (https://docs.oasis-open.org/amqp/anonterm/v1.0/), `subject` the key alone.
        encoded: names and keys stand there percent-encoded.
    """

    bare: str
    keyed: str
    several: Literal["to", "subject"]
    encoded: bool = False

    def address(self, exchange: str, key: str) -> str:
        """Return the address of a key on an exchange; of the exchange where the key is empty."""
        if self.encoded:
            exchange, key = quote(exchange, safe=""), quote(key, safe="")
        return (self.keyed if key else self.bare).format(exchange=exchange, key=key)


@dataclass(frozen=True)
class Destination:
    """Where a sender of AMQP 1.0 attaches, and what its messages carry for their routing key.

    Attributes:
        address: of the target; None = the target has none, and each message says where it goes.
        key_in: what tells the routing key: the address of the link, or `to` or `subject` of each message's properties.
        to: where `key_in` is `to`, what stands there.
    """

    address: str | None
    key_in: Literal["address", "to", "subject"]
    to: str | None = None


@dataclass(frozen=True)
class Endpoint:
    """One protocol of one running broker, as a driver needs it.

    What differs between brokers is data here, so that no driver asks which broker it meets.
    """

    protocol: Protocol
    host: str
    port: int
    virtual_host: str
    """0-9-1: the virtual host of connection.open."""
    hostname: str | None
    """1.0: the `hostname` of the open frame; Broker-J finds its virtual host by it."""
    username: str
    password: str = field(repr=False)
    address_prefix: str = ""
    """1.0: what stands before the percent-encoded queue name (`/queues/` on RabbitMQ 4)."""
    confirms_unadvertised: bool = False
    """0-9-1: confirm.select works although server-properties do not say so (Broker-J)."""
    tls: Tls | None = None
    """None: plain TCP."""
    sasl: Sasl = "plain"
    """The one SASL mechanism that is used; only `plain` sends user name and password."""
    exchanges: ExchangeAddresses | None = None
    """1.0: how exchanges and routing keys are named; None = there are none."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """1.0: addresses of queues that have another than their name, by that name."""

    def address(self, queue: str) -> str:
        """Return the address of a queue: an AMQP 1.0 node, or a 0-9-1 routing key.

        RabbitMQ's address format v2 wants the name percent-encoded
        (https://www.rabbitmq.com/docs/amqp#address-v2).
        """
        if self.protocol == "amqp091":
            return queue
        if queue in self.sources:
            return self.sources[queue]
        name = quote(queue, safe="") if self.address_prefix else queue
        return self.address_prefix + name

    def destination(self, exchange: str, key: str, *, several: bool = False) -> Destination:
        """Return where a sender of AMQP 1.0 attaches for an exchange, and how it tells the routing key.

        Args:
            exchange: its name; empty = the default exchange, where the key is the name of a queue.
            key: of the messages; empty for an exchange that looks at none (fanout, headers).
            several: whether the link is for messages of other keys too.

        Raises:
            ValueError: exchanges cannot be named at this endpoint.
        """
        if self.protocol == "amqp10" and not exchange:
            at = self.address(key)
            return Destination(None, "to", at) if several else Destination(at, "address")
        if self.exchanges is None:
            message = f"exchange {exchange!r} has no address over {PROTOCOL_NAMES[self.protocol]} at this endpoint"
            raise ValueError(message)
        if not several:
            return Destination(self.exchanges.address(exchange, key), "address")
        if self.exchanges.several == "subject":
            return Destination(self.exchanges.address(exchange, ""), "subject")
        return Destination(None, "to", self.exchanges.address(exchange, key))
